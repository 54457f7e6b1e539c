/** Every verdict there is, reached by a record in which all but the property under test is right; the state is compared byte for byte. */
import { beforeEach, describe, expect, it } from 'vitest'
import { encodeUtf8 } from '../../engine/codec/bytes.js'
import { encodeTuple } from '../../engine/codec/tuple.js'
import { MAX_ENTRY_LENGTH } from '../../engine/limits.js'
import { apply } from '../../engine/space/apply.js'
import { buildDraft } from '../../engine/space/build.js'
import { type Op } from '../../engine/space/ops/index.js'
import { EditBatch } from '../../engine/state/edits.js'
import { deviceKey, protocolKey, ringKey, rowPrefix } from '../../engine/state/keys.js'
import { decodeDevice, encodeDevice } from '../../engine/state/roster.js'
import { crypto, dump, expectIgnored, expectRejected, hashOf, insert, policy, remove, table, update, World, type Person } from './support.js'

const APPLIED = { kind: 'applied' }
let world: World
let ada: Person
let bob: Person
let eve: Person

beforeEach(() => {
  world = new World()
  ada = world.ada
  world.mustCommit(ada, { catalog: [{ kind: 'create', object: table(1), name: 'table:task' }] })
  bob = world.join('bob', 'writer')
  eve = world.join('eve', 'reader')
  world.mustCommit(ada, { rows: [insert(1, [1n]), insert(1, [2n])] })
})

const opsOf = (by: Person, draft: Parameters<World['draftRecord']>[1]): readonly Op[] => buildDraft(world.bench(by), { catalog: [], rows: [], reads: [], ...draft }).ops

describe('ignored', () => {
  it('malformed: bytes that are no entry', () => {
    for (const junk of [new Uint8Array(0), Uint8Array.of(1), world.random(500).fill(1, 0, 1)]) expectIgnored(world, junk, 'malformed')
  })

  it('too-long: one byte over, though all of it is signed', () => {
    const record = new Uint8Array(MAX_ENTRY_LENGTH + 1)
    record[0] = 1
    expectIgnored(world, record, 'too-long')
  })

  it('version: another first byte, signed again', () => {
    const record = world.draftRecord(bob, { rows: [insert(1, [9n])] })
    record[0] = 2
    expectIgnored(world, record, 'version')
  })

  it("space: another space's id, correctly signed", () => {
    const other = new World(2)
    expectIgnored(world, world.record(bob, opsOf(bob, { rows: [insert(1, [9n])] }), { spaceId: other.spaceId }), 'space')
    expectIgnored(world, other.records[0] as Uint8Array, 'space')
  })

  it('device: unknown, removed, or of a removed member, before its signature is looked at', () => {
    const ops = opsOf(bob, { rows: [insert(1, [9n])] })
    expectIgnored(world, world.record(bob, ops, { device: 77 }), 'device')
    const record = world.record(bob, ops)
    const edited = (changed: Uint8Array): typeof world.state => ({ ...world.state, tree: world.state.tree.apply(EditBatch.of([{ key: deviceKey(bob.device), value: changed }])) })
    const device = decodeDevice(world.state.tree.get(deviceKey(bob.device)) as Uint8Array)
    const removed = edited(encodeDevice({ ...device, removedAt: 5 }))
    expect(apply(world.env, removed, record, { signature: 'check' }).verdict).toEqual({ kind: 'ignored', code: 'device' })
    record[record.length - 1] = (record[record.length - 1] as number) ^ 1
    expect(apply(world.env, removed, record, { signature: 'check' }).verdict).toEqual({ kind: 'ignored', code: 'device' })
  })

  it('signature: by another key, over other bytes, cut off', () => {
    const ops = opsOf(bob, { rows: [insert(1, [9n])] })
    expectIgnored(world, world.record(bob, ops, { signer: ada.signer }), 'signature')
    const record = world.record(bob, ops)
    record[record.length - 70] = (record[record.length - 70] as number) ^ 1
    expect(['signature', 'malformed']).toContain((world.tryOut(record).verdict as { code: string }).code)
    expectIgnored(world, world.record(bob, ops, { signer: crypto.signer(new Uint8Array(32).fill(9)) }), 'signature')
  })

  it('device-prev: zeros, another entry, an older one of the device', () => {
    const ops = opsOf(bob, { rows: [insert(1, [9n])] })
    const first = world.devicePrev(bob.device)
    expectIgnored(world, world.record(bob, ops, { devicePrev: new Uint8Array(32) }), 'device-prev')
    expectIgnored(world, world.record(bob, ops, { devicePrev: world.devicePrev(ada.device) }), 'device-prev')
    world.mustLand(world.record(bob, ops))
    expectIgnored(world, world.record(bob, opsOf(bob, { rows: [insert(1, [10n])] }), { devicePrev: first }), 'device-prev')
  })

  it('the same record twice: the second is ignored', () => {
    const record = world.draftRecord(bob, { rows: [insert(1, [9n])] })
    world.mustLand(record)
    expectIgnored(world, record, 'device-prev')
  })
})

describe('rejected', () => {
  it('base: random roots, a future size, a head the ring has forgotten, another branch', () => {
    const ops = opsOf(bob, { rows: [insert(1, [9n])] })
    expectRejected(world, bob, world.record(bob, ops, { base: { ...world.head, stateRoot: world.random(32) } }), 'base')
    expectRejected(world, bob, world.record(bob, ops, { base: { ...world.head, logRoot: world.random(32) } }), 'base')
    expectRejected(world, bob, world.record(bob, ops, { base: { ...world.head, size: world.head.size + 1 } }), 'base')
    expectRejected(world, bob, world.record(bob, ops, { base: { ...world.headAt(3), stateRoot: world.headAt(4).stateRoot } }), 'base')
  })

  it('base: older than the ring', () => {
    const old = world.headAt(2)
    for (let i = world.records.length; i < 2 + 1_024; i++) world.land(Uint8Array.of(1))
    const fresh = world.record(bob, opsOf(bob, { rows: [insert(1, [9n])] }), { base: old })
    // Slot of size 2 is written again by size 1026.
    expect(world.tryOut(fresh).verdict).toEqual(APPLIED)
    world.land(Uint8Array.of(1))
    expectRejected(world, bob, fresh, 'base')
  })

  it('chain: queued behind an entry that was rejected', () => {
    const base = world.head
    const doomed = world.record(bob, opsOf(bob, { rows: [update(1, [1n])] }), { base })
    const behind = world.record(bob, opsOf(bob, { rows: [insert(1, [9n])] }), { base, devicePrev: hashOf(doomed) })
    world.mustCommit(ada, { rows: [update(1, [1n])] })
    expectRejected(world, bob, doomed, 'conflict', 'row-version')
    expectRejected(world, bob, behind, 'chain')
    expect(world.commit(bob, { rows: [insert(1, [9n])] })).toEqual(APPLIED)
  })

  it('chain: on the very head that the rejected entry came after; not on the one that has it', () => {
    const base = world.head
    const doomed = world.record(bob, opsOf(bob, { rows: [insert(1, [9n])] }), { epoch: 2 })
    expectRejected(world, bob, doomed, 'epoch')
    const ops = opsOf(bob, { rows: [insert(1, [9n])] })
    const devicePrev = hashOf(doomed)
    expect(world.tryOut(world.record(bob, ops, { devicePrev })).verdict).toEqual(APPLIED)
    expectRejected(world, bob, world.record(bob, ops, { base, devicePrev }), 'chain')
  })

  it('epoch: not the current one', () => {
    const ops = opsOf(bob, { rows: [insert(1, [9n])] })
    expectRejected(world, bob, world.record(bob, ops, { epoch: 2 }), 'epoch')
    expectRejected(world, bob, world.record(bob, ops, { epoch: 0 }), 'epoch')
  })

  it('role: a reader writes, a writer does what admins may, an admin what owners may', () => {
    expectRejected(world, eve, world.record(eve, opsOf(eve, { rows: [insert(1, [9n])] })), 'role', 'writer', 0)
    expectRejected(world, eve, world.record(eve, opsOf(eve, { rows: [remove(1, [1n])] })), 'role', 'writer', 0)
    expectRejected(world, eve, world.record(eve, opsOf(eve, { catalog: [{ kind: 'create', object: table(2), name: 'x' }] })), 'role', 'writer', 0)
    expectRejected(world, bob, world.record(bob, [...opsOf(bob, { rows: [insert(1, [9n])] }), { op: 'relay', relay: undefined }]), 'role', 'owner', 1)
    expectRejected(world, bob, world.record(bob, [{ op: 'upgrade', version: 2 }]), 'role', 'owner', 0)
    const carl = world.join('carl', 'admin')
    expectRejected(world, carl, world.record(carl, [{ op: 'upgrade', version: 2 }]), 'role', 'owner', 0)
    expectRejected(world, carl, world.record(carl, [{ op: 'relay', relay: undefined }]), 'role', 'owner', 0)
  })

  it('role: a writer replaces, drops or adds to what another has created', () => {
    expectRejected(world, bob, world.draftRecord(bob, { catalog: [{ kind: 'replace', object: table(1) }] }), 'role', 'not-creator')
    expectRejected(world, bob, world.draftRecord(bob, { catalog: [{ kind: 'drop', id: 1 }] }), 'role', 'not-creator')
    const trigger = { id: 2, kind: 'trigger' as const, parent: 1, sealed: encodeUtf8('t') }
    expectRejected(world, bob, world.draftRecord(bob, { catalog: [{ kind: 'create', object: trigger, name: 'trigger:t' }] }), 'role', 'not-creator')
    world.mustCommit(bob, { catalog: [{ kind: 'create', object: table(2), name: 'table:own' }] })
    world.mustCommit(bob, { catalog: [{ kind: 'create', object: { ...trigger, id: 3, parent: 2 }, name: 'trigger:t' }] })
    world.mustCommit(bob, { catalog: [{ kind: 'drop', id: 2 }] })
  })

  it('conflict: presence', () => {
    expectRejected(world, bob, world.draftRecord(bob, { rows: [insert(1, [1n])] }), 'conflict', 'present', 0)
    expectRejected(world, bob, world.draftRecord(bob, { rows: [insert(1, [5n]), update(1, [9n])] }), 'conflict', 'absent', 1)
    expectRejected(world, bob, world.draftRecord(bob, { rows: [remove(1, [9n])] }), 'conflict', 'absent', 0)
  })

  it('conflict: a row or table that another device has changed since the base', () => {
    const base = world.head
    world.mustCommit(ada, { rows: [update(1, [1n])] })
    expectRejected(world, bob, world.draftRecord(bob, { rows: [update(1, [1n])] }, { base }), 'conflict', 'row-version', 0)
    const next = world.head
    world.mustCommit(ada, { catalog: [{ kind: 'replace', object: table(1) }] })
    expectRejected(world, bob, world.draftRecord(bob, { rows: [update(1, [2n])] }, { base: next }), 'conflict', 'catalog-version', 0)
    expect(world.commit(bob, { rows: [update(1, [1n]), update(1, [2n])] })).toEqual(APPLIED)
  })

  it('conflict: a table that is gone, an id or a name that is taken', () => {
    world.mustCommit(bob, { catalog: [{ kind: 'create', object: table(2), name: 'table:own' }] })
    const insertLater = world.record(ada, opsOf(ada, { rows: [insert(2, [1n])] }))
    const create = opsOf(bob, { catalog: [{ kind: 'create', object: table(3), name: 'table:own' }] })
    expectRejected(world, bob, world.record(bob, create), 'conflict', 'name', 0)
    expectRejected(world, bob, world.draftRecord(bob, { catalog: [{ kind: 'create', object: table(4), name: 'table:z' }] }), 'conflict', 'id', 0)
    expectRejected(world, bob, world.draftRecord(bob, { catalog: [{ kind: 'replace', object: table(2), name: 'table:task' }] }), 'conflict', 'name', 0)
    world.mustCommit(bob, { catalog: [{ kind: 'drop', id: 2 }] })
    expectRejected(world, ada, insertLater, 'conflict', 'table', 0)
    expectRejected(world, bob, world.draftRecord(bob, { catalog: [{ kind: 'drop', id: 2 }] }), 'conflict', 'object', 0)
  })

  it('conflict: declared reads that changed, `empty` included', () => {
    const base = world.head
    const reads = buildDraft(world.bench(bob), { catalog: [], rows: [], reads: [{ kind: 'row', table: 1, key: [7n] }, { kind: 'table', table: 1 }, { kind: 'catalog' }] }).reads
    expect(reads[0]?.root).toEqual(crypto.sha256(Uint8Array.of(0x12)))
    const ops = opsOf(bob, { rows: [insert(1, [9n])] })
    const record = world.record(bob, ops, { base, reads })
    expect(world.tryOut(record).verdict).toEqual(APPLIED)
    world.mustCommit(ada, { rows: [insert(1, [7n])] })
    expectRejected(world, bob, record, 'conflict', 'reads')
    const later = world.record(bob, ops, { reads: [{ prefix: rowPrefix(1), root: world.state.tree.subtreeRoot(rowPrefix(1)) }] })
    world.mustCommit(ada, { rows: [remove(1, [7n])] })
    expectRejected(world, bob, later, 'conflict', 'reads')
  })

  it('policy: nothing grants it', () => {
    world.mustCommit(ada, { catalog: [{ kind: 'replace', object: table(1, { policies: [policy({ command: 'delete', using: { kind: 'constant', value: 0n } })] }) }] })
    expectRejected(world, bob, world.draftRecord(bob, { rows: [insert(1, [9n]), remove(1, [1n])] }), 'policy', 'using', 1)
    expectRejected(world, ada, world.draftRecord(ada, { rows: [remove(1, [1n])] }), 'policy', 'using', 0)
  })
})

describe("rejected by an op's own rules", () => {
  const first = (ops: readonly Op[]): Op => ops[0] as Op
  const bad = (change: Record<string, unknown>, draft: Parameters<World['draftRecord']>[1] = { rows: [insert(1, [9n])] }): Uint8Array =>
    world.record(bob, [{ ...first(opsOf(bob, draft)), ...change } as Op])

  it('repeated-key: a row occurs once in an entry', () => {
    expectRejected(world, bob, world.draftRecord(bob, { rows: [insert(1, [9n]), update(1, [9n])] }), 'rule', 'repeated-key', 1)
    expectRejected(world, bob, world.draftRecord(bob, { rows: [remove(1, [1n]), insert(1, [1n])] }), 'rule', 'repeated-key', 1)
  })

  it('order: the catalog comes first', () => {
    const rows = opsOf(bob, { rows: [insert(1, [9n])] })
    const create = opsOf(bob, { catalog: [{ kind: 'create', object: table(2), name: 'x' }] })
    expectRejected(world, bob, world.record(bob, [...rows, ...create]), 'rule', 'order', 1)
  })

  it('sealed-form and sealed-epoch', () => {
    expectRejected(world, bob, bad({ sealed: new Uint8Array(10) }), 'rule', 'sealed-form')
    const sealed = (first(opsOf(bob, { rows: [insert(1, [9n])] })) as { sealed: Uint8Array }).sealed.slice()
    sealed[4] = 2
    expectRejected(world, bob, bad({ sealed }), 'rule', 'sealed-epoch')
    sealed[0] = 9
    expectRejected(world, bob, bad({ sealed }), 'rule', 'sealed-form')
  })

  it('tokens: as many as blind indexes, in their order', () => {
    expectRejected(world, bob, bad({ tokens: [{ index: 1, token: new Uint8Array(16) }] }), 'rule', 'tokens')
    world.mustCommit(bob, { catalog: [{ kind: 'create', object: table(2, { indexes: [{ id: 4, kind: 'blind', unique: false, columns: [2] }] }), name: 'b' }] })
    const draft = { rows: [insert(2, [1n], [], 'x', [['v']])] }
    expectRejected(world, bob, bad({ tokens: [] }, draft), 'rule', 'tokens')
    expectRejected(world, bob, bad({ tokens: [{ index: 5, token: new Uint8Array(16) }] }, draft), 'rule', 'tokens')
    expect(world.commit(bob, draft)).toEqual(APPLIED)
  })

  it('plain-count, plain-type, not-null', () => {
    const plain = [{ id: 1, type: 'integer' as const, notNull: true }, { id: 2, type: 'text' as const, notNull: false }]
    world.mustCommit(bob, { catalog: [{ kind: 'create', object: table(2, { plain }), name: 'b' }] })
    for (const [values, detail] of [[[1n], 'plain-count'], [[1n, 'a', 2n], 'plain-count'], [[1, 'a'], 'plain-type'], [[1n, 2n], 'plain-type'], [[null, 'a'], 'not-null']] as const) {
      expectRejected(world, bob, world.draftRecord(bob, { rows: [insert(2, [1n], values)] }), 'rule', detail)
    }
    expect(world.commit(bob, { rows: [insert(2, [1n], [1n, null])] })).toEqual(APPLIED)
  })

  it('row-key: a closed tuple, or a token where keys are blinded', () => {
    for (const rowKey of [new Uint8Array(0), Uint8Array.of(0), encodeTuple([1n, 2n]).subarray(0, 4), Uint8Array.of(...encodeTuple([7n]), 0), new Uint8Array(16).fill(0xff)]) {
      expectRejected(world, bob, bad({ rowKey }), 'rule', 'row-key')
    }
    world.mustCommit(bob, { catalog: [{ kind: 'create', object: table(2, { key: 'blinded' }), name: 'b' }] })
    const token = (length: number, generation = 1): Uint8Array => new Uint8Array(length).fill(7).fill(generation, 0, 1)
    for (const rowKey of [encodeTuple([7n]), token(15), token(17), token(1), token(16, 2), token(16, 0)]) {
      expectRejected(world, bob, bad({ rowKey }, { rows: [insert(2, [7n])] }), 'rule', 'row-key')
    }
    expect(world.land(bad({ rowKey: token(16) }, { rows: [insert(2, [7n])] }))).toEqual(APPLIED)
  })

  it('key-too-long: an index entry that no key holds', () => {
    const plain = [{ id: 1, type: 'text' as const, notNull: false }]
    world.mustCommit(bob, { catalog: [{ kind: 'create', object: table(2, { plain, indexes: [{ id: 1, kind: 'plain', unique: false, columns: [1] }] }), name: 'b' }] })
    expectRejected(world, bob, world.draftRecord(bob, { rows: [insert(2, [1n], ['x'.repeat(300)])] }), 'rule', 'key-too-long')
    expectRejected(world, bob, world.draftRecord(bob, { rows: [insert(2, [1n], ['x'.repeat(244)])] }), 'rule', 'key-too-long')
    expect(world.commit(bob, { rows: [insert(2, [1n], ['x'.repeat(200)])] })).toEqual(APPLIED)
  })

  it('shape, policy-shape, and what a replacement may not change', () => {
    const create = (object: ReturnType<typeof table>, detail: string): void =>
      expectRejected(world, bob, world.draftRecord(bob, { catalog: [{ kind: 'create', object, name: 'n' }] }), 'rule', detail)
    const integer = (id: number, notNull = false) => ({ id, type: 'integer' as const, notNull })
    create(table(2, { plain: [integer(2), integer(1)] }), 'shape')
    create(table(2, { indexes: [{ id: 1, kind: 'plain', unique: false, columns: [1] }] }), 'shape')
    create(table(2, { indexes: [{ id: 1, kind: 'blind', unique: false, columns: [] }] }), 'shape')
    create({ id: 2, kind: 'view', table: table(2).table as NonNullable<ReturnType<typeof table>['table']>, sealed: new Uint8Array(0) }, 'shape')
    create({ id: 2, kind: 'table', sealed: new Uint8Array(0) }, 'shape')
    create(table(2, { policies: [policy({ using: { kind: 'column', of: 'row', column: 9 } })] }), 'policy-shape')
    create(table(2, { plain: [integer(1)], policies: [policy({ using: { kind: 'column', of: 'other', column: 1 } })] }), 'policy-shape')
    const nested = { kind: 'exists' as const, table: 1, prefix: [], where: { kind: 'exists' as const, table: 1, prefix: [] } }
    create(table(2, { policies: [policy({ using: nested })] }), 'policy-shape')

    const index = { id: 1, kind: 'plain' as const, unique: false, columns: [1] }
    world.mustCommit(bob, { catalog: [{ kind: 'create', object: table(2, { plain: [integer(1), integer(3, true)], indexes: [index] }), name: 'b' }] })
    const replace = (shape: Parameters<typeof table>[1], detail: string): void =>
      expectRejected(world, bob, world.draftRecord(bob, { catalog: [{ kind: 'replace', object: table(2, shape) }] }), 'rule', detail)
    replace({ key: 'blinded', plain: [integer(1), integer(3)] }, 'key-changed')
    replace({ plain: [integer(1)] }, 'column-changed')
    replace({ plain: [integer(1, true), integer(3)] }, 'column-changed')
    replace({ plain: [integer(1), integer(2), integer(3)] }, 'column-changed')
    replace({ plain: [integer(1), integer(3)], indexes: [{ ...index, unique: true }] }, 'index-changed')
    expectRejected(world, bob, world.draftRecord(bob, { catalog: [{ kind: 'replace', object: { id: 2, kind: 'view', sealed: new Uint8Array(0) } }] }), 'rule', 'kind-changed')
    world.mustCommit(bob, { catalog: [{ kind: 'replace', object: table(2, { plain: [integer(1), integer(3), integer(4, true)], indexes: [index] }) }] })
  })

  it('catalog-ops: one more than an entry may have', () => {
    const ops: Op[] = []
    for (let i = 0; i < 257; i++) ops.push(...opsOf(bob, { catalog: [{ kind: 'create', object: table(2 + i), name: `t${i}` }] }))
    expectRejected(world, bob, world.record(bob, ops), 'rule', 'catalog-ops', 256)
    expect(world.land(world.record(bob, ops.slice(0, 256)))).toEqual(APPLIED)
  })

  it('next-version: an upgrade is by one, and then this client stops', () => {
    expectRejected(world, ada, world.record(ada, [{ op: 'upgrade', version: 3 }]), 'rule', 'next-version')
    world.mustLand(world.record(ada, [{ op: 'upgrade', version: 2 }]))
    expect(world.state.tree.get(protocolKey())).toEqual(Uint8Array.of(2))
    expect(() => world.land(world.record(ada, [{ op: 'relay', relay: undefined }]))).toThrow(expect.objectContaining({ code: 'unsupported-version' }) as Error)
  })
})

describe('the ring', () => {
  it('has every head, whatever became of the entry', () => {
    world.land(Uint8Array.of(1))
    world.mustCommit(bob, { rows: [insert(1, [9n])] })
    expectRejected(world, bob, world.draftRecord(bob, { rows: [insert(1, [9n])] }), 'conflict', 'present')
    for (let size = 0; size < world.records.length; size++) expect(world.state.tree.get(ringKey(size))).toBeDefined()
    expect(world.state.tree.get(ringKey(world.records.length))).toBeUndefined()
  })
})

describe('a join that fails', () => {
  it('is ignored as a whole, and a genesis happens once', () => {
    expectIgnored(world, world.records[0] as Uint8Array, 'join', 'not-first')
    const join = world.records[3] as Uint8Array
    const before = dump(world.state)
    expect(world.land(join).kind).toBe('ignored')
    expect(dump(world.state)).toBe(before)
  })
})
