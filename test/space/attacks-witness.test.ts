/** Attacks 5, 16, 29 of design/attacks.md: states that were altered under a witness, and sizes at the limit and one over. */
import { describe, expect, it } from 'vitest'
import { encodeSealContext, openValue } from '../../engine/crypto/aead.js'
import { LABELS } from '../../engine/crypto/labels.js'
import { MAX_VALUE_LENGTH } from '../../engine/limits.js'
import { headOf, type SpaceState } from '../../engine/space/apply.js'
import { decodeObject, encodeObject, type ObjectRecord } from '../../engine/space/catalog.js'
import { type PutRowOp } from '../../engine/space/ops/row.js'
import { buildDraft } from '../../engine/space/build.js'
import { applyWithWitness, recordWitness } from '../../engine/space/witness.js'
import { type AdaptedState } from '../../engine/state/adapt.js'
import { EditBatch } from '../../engine/state/edits.js'
import { deviceKey, memberKey, objectKey, pointerKey, rowStateKey } from '../../engine/state/keys.js'
import { decodeDevice, decodeMember, decodePointer, encodeDevice, encodeMember, encodePointer } from '../../engine/state/roster.js'
import { type StateView } from '../../engine/state/view.js'
import { crypto, expectRejected, insert, policy, table, World } from './support.js'

const NOBODY = policy({ command: 'insert', check: { kind: 'constant', value: 0n } })
const versionOf = (state: SpaceState): StateView['version'] => (state.tree as AdaptedState<StateView>).state.version

describe('16 what a witness may not alter', () => {
  const world = new World()
  const bob = world.join('bob', 'writer')
  world.mustCommit(world.ada, { catalog: [{ kind: 'create', object: table(1, { policies: [NOBODY] }), name: 't' }] })
  const record = world.draftRecord(bob, { rows: [insert(1, [1n])] })
  const head = world.head
  const honest = recordWitness(world.env, world.tree, versionOf(world.state), world.state.log, [record], { signature: 'check' })

  it('the honest one gives the verdict and the head that a replica gets', () => {
    const seen = applyWithWitness(world.env, head, world.state.log, [record], honest.witness, { signature: 'check' })
    const replica = world.tryOut(record)
    expect(seen.verdicts).toEqual([replica.verdict])
    expect(replica.verdict).toMatchObject({ kind: 'rejected', code: 'policy' })
    expect(seen.head).toEqual(headOf(world.env, replica.state))
  })

  it('the log that it is put on is the one under the head: its size, its leaves', () => {
    const before = world.history[world.history.length - 2]?.log as SpaceState['log']
    const { size, peaks } = world.state.log
    const logs = [before, { size, peaks: peaks.map((peak, i) => (i === 0 ? new Uint8Array(32) : peak)) }, { size: size + 1, peaks }]
    for (const log of logs) expect(() => applyWithWitness(world.env, head, log, [record], honest.witness, { signature: 'check' })).toThrow(expect.objectContaining({ code: 'bad-argument' }) as Error)
  })

  const read = (key: Uint8Array): Uint8Array => world.state.tree.get(key) as Uint8Array
  const device = decodeDevice(read(deviceKey(bob.device)))
  const member = decodeMember(read(memberKey(bob.member)))
  const object = decodeObject(read(objectKey(1)))
  const pointer = decodePointer(read(pointerKey(bob.device)))
  it.each([
    ['the policy', objectKey(1), encodeObject({ ...object, table: { ...(object.table as NonNullable<ObjectRecord['table']>), policies: [] } })],
    ['the schema', objectKey(1), encodeObject({ ...object, version: 0 })],
    ['the table, hidden', objectKey(1), undefined],
    ['the role', memberKey(bob.member), encodeMember({ ...member, role: 'owner' })],
    ['the removal of a member', memberKey(bob.member), encodeMember({ ...member, removedAt: 3 })],
    ['the removal of a device', deviceKey(bob.device), encodeDevice({ ...device, removedAt: 3 })],
    ['the device', deviceKey(bob.device), encodeDevice({ ...device, member: 1 })],
    ['the signing key', deviceKey(bob.device), encodeDevice({ ...device, signing: world.ada.signer.publicKey })],
    ['the pointer', pointerKey(bob.device), encodePointer({ ...pointer, rejected: true })],
    ['the row, already there', rowStateKey(1, Uint8Array.of(0x11, 2, 0)), Uint8Array.of(1)],
  ] as const)('%s', (_, key, value) => {
    const altered: SpaceState = { ...world.state, tree: world.state.tree.apply(EditBatch.of([{ key, value: value ?? null }])) }
    const { witness } = recordWitness(world.env, world.tree, versionOf(altered), altered.log, [record], { signature: 'trusted' })
    expect(() => applyWithWitness(world.env, head, world.state.log, [record], witness, { signature: 'check' })).toThrow(expect.objectContaining({ code: 'bad-proof' }) as Error)
  })

  it('a witness for a bad signature says ignored, and no more', () => {
    const forged = record.slice()
    forged[forged.length - 1] = (forged[forged.length - 1] as number) ^ 1
    expect(() => applyWithWitness(world.env, head, world.state.log, [forged], honest.witness, { signature: 'check' })).toThrow(expect.objectContaining({ code: 'bad-proof' }) as Error)
    const { witness } = recordWitness(world.env, world.tree, versionOf(world.state), world.state.log, [forged], { signature: 'check' })
    expect(applyWithWitness(world.env, head, world.state.log, [forged], witness, { signature: 'check' }).verdicts).toEqual([{ kind: 'ignored', code: 'signature' }])
  })
})

describe('29 sizes', () => {
  it('a row whose value is one byte over the limit is refused, one at the limit is not', () => {
    const world = new World()
    world.mustCommit(world.ada, { catalog: [{ kind: 'create', object: table(1), name: 't' }] })
    const [op] = buildDraft(world.bench(world.ada), { catalog: [], rows: [insert(1, [1n])], reads: [] }).ops as [PutRowOp]
    const sealed = (length: number): Uint8Array => {
      const bytes = new Uint8Array(length)
      bytes.set(op.sealed)
      return bytes
    }
    // The frame: version, creator, member, device, epoch, no columns, no tokens.
    expectRejected(world, world.ada, world.record(world.ada, [{ ...op, sealed: sealed(MAX_VALUE_LENGTH - 6) }]), 'rule', 'too-large')
    world.mustLand(world.record(world.ada, [{ ...op, sealed: sealed(MAX_VALUE_LENGTH - 7) }]))
    expect(world.state.tree.get(rowStateKey(1, op.rowKey))).toHaveLength(MAX_VALUE_LENGTH)
  })

  it('the AAD that rows are sealed under is the one of the specification, short key or long', () => {
    const world = new World()
    const sealer = world.sealer(world.ada)
    for (const length of [1, 16, 122, 123, 200, 250]) {
      const rowKey = new Uint8Array(length).fill(3)
      const sealed = sealer.sealRow(300, rowKey, 1, 7, world.random(24), { key: [], blind: [], body: Uint8Array.of(9) })
      const aad = encodeSealContext({ label: LABELS.sealedRow, space: world.spaceId, table: 300, key: rowStateKey(300, rowKey), epoch: 1, device: 7, columns: [] })
      expect(openValue(crypto, world.ada.keyring.tableKey(1, 300), 1, aad, sealed)).toEqual(Uint8Array.of(0, 0, 9))
      expect(() => openValue(crypto, world.ada.keyring.tableKey(1, 300), 1, aad.map((b, i) => (i === aad.length - 1 ? b ^ 1 : b)), sealed)).toThrow(expect.objectContaining({ code: 'open-failed' }) as Error)
    }
  })
})
