/** One by one, in a batch, over a witness: the same verdicts, the same state, byte for byte. */
import { describe, expect, it } from 'vitest'
import { apply, headOf, type SpaceState } from '../../engine/space/apply.js'
import { applyBatch } from '../../engine/space/batch.js'
import { type Verdict } from '../../engine/space/types.js'
import { applyWithWitness, recordWitness } from '../../engine/space/witness.js'
import { type AdaptedState } from '../../engine/state/adapt.js'
import { type StateView } from '../../engine/state/view.js'
import { KEY_KIND, keyId, liveKey } from '../../engine/state/keys.js'
import { decodeCount } from '../../engine/space/counts.js'
import { decodeObject } from '../../engine/space/catalog.js'
import { decodeRow, indexEntries } from '../../engine/space/row-record.js'
import { nobleProvider } from '../../engine/crypto/noble.js'
import { dump } from './support.js'
import { live } from './random-world.js'

const version = (state: SpaceState): StateView['version'] => (state.tree as AdaptedState<StateView>).state.version

describe.each([1, 2, 3])('life %i', (seed) => {
  const { world, founded } = live(seed, 120)
  const before = world.history[founded] as SpaceState
  const records = world.records.slice(founded)
  const verdicts = world.verdicts.slice(founded)

  it('is a mixed one', () => {
    const codes = new Set(verdicts.map((v) => (v.kind === 'applied' ? v.kind : v.code)))
    for (const code of ['applied', 'conflict', 'role', 'signature']) expect(codes).toContain(code)
  })

  it('is the same in a batch with a trusted head, and needs a signature a device or less than all', () => {
    const batch = applyBatch(world.env, before, records, { trusted: world.head })
    expect(batch.verdicts).toEqual(verdicts)
    expect(headOf(world.env, batch.state)).toEqual(world.head)
    expect(dump(batch.state)).toBe(dump(world.state))
  })

  it('is the same singly, under the reference provider', () => {
    let state = before
    const again: Verdict[] = []
    for (const record of records.slice(0, 40)) {
      const applied = apply({ crypto: nobleProvider, spaceId: world.spaceId }, state, record, { signature: 'check' })
      state = applied.state
      again.push(applied.verdict)
    }
    expect(again).toEqual(verdicts.slice(0, 40))
    expect(state.tree.root).toEqual(world.history[founded + 40]?.tree.root)
  })

  it('is the same where no state hands on what was decoded in the one before', () => {
    let state: SpaceState = before
    records.forEach((record, i) => {
      const applied = apply(world.env, { tree: state.tree, log: state.log }, record, { signature: 'check' })
      expect([i, applied.verdict]).toEqual([i, verdicts[i]])
      state = applied.state
    })
    expect(state.tree.root).toEqual(world.state.tree.root)
  })

  it('is the same over witnesses: one for each entry, one for ten, one for all', () => {
    for (const size of [1, 10, records.length]) {
      let head = headOf(world.env, before)
      let log = before.log
      for (let at = 0; at < records.length; at += size) {
        const part = records.slice(at, at + size)
        const state = world.history[founded + at] as SpaceState
        const { witness } = recordWitness(world.env, world.tree, version(state), state.log, part, { signature: 'check' })
        const seen = applyWithWitness(world.env, head, log, part, witness, { signature: 'check' })
        expect(seen.verdicts).toEqual(verdicts.slice(at, at + size))
        head = seen.head
        log = seen.log
      }
      expect(head).toEqual(world.head)
    }
  })

  it('keeps indexes complete and counts right after every entry', () => {
    for (const state of world.history.filter((_, i) => i % 10 === 0 || i === world.history.length - 1)) audit(state)
  })
})

describe('a batch in which a signature is bad under a good one', () => {
  it('falls back to one by one where the trusted root is the honest one', () => {
    const { world, founded } = live(4, 30)
    const before = world.history[founded] as SpaceState
    const trusted = world.head
    const records = world.records.slice(founded)
    const { signatures } = applyBatch(world.env, before, records)
    expect(applyBatch(world.env, before, records, { trusted }).signatures).toBeLessThan(signatures)
    // The last byte of an applied entry's signature: everything behind it in that device's chain falls.
    const at = world.verdicts.slice(founded).findIndex((v) => v.kind === 'applied')
    const forged = records.map((r) => r.slice())
    const victim = forged[at] as Uint8Array
    victim[victim.length - 1] = (victim[victim.length - 1] as number) ^ 1
    const singly = applyBatch(world.env, before, forged)
    expect(singly.verdicts[at]).toEqual({ kind: 'ignored', code: 'signature' })
    const trustedForged = headOf(world.env, singly.state)
    for (const head of [trusted, trustedForged]) {
      const batch = applyBatch(world.env, before, forged, { trusted: head })
      expect(batch.verdicts).toEqual(singly.verdicts)
      expect(batch.state.tree.root).toEqual(singly.state.tree.root)
    }
  })
})

describe('a witness', () => {
  it('that was changed anywhere is refused, or says the same', () => {
    const { world } = live(5, 12)
    const at = world.records.length - 1
    const state = world.history[at] as SpaceState
    const part = [world.records[at] as Uint8Array]
    const head = headOf(world.env, state)
    const { witness, head: after } = recordWitness(world.env, world.tree, version(state), state.log, part, { signature: 'check' })
    for (let i = 0; i < witness.length; i++) {
      const changed = witness.slice()
      changed[i] = (changed[i] as number) ^ 1
      expect(() => applyWithWitness(world.env, head, state.log, part, changed, { signature: 'check' })).toThrow(expect.objectContaining({ family: 'hostile' }) as Error)
    }
    expect(applyWithWitness(world.env, head, state.log, part, witness, { signature: 'check' }).head).toEqual(after)
    expect(() => applyWithWitness(world.env, head, (world.history[at - 1] as SpaceState).log, part, witness, { signature: 'check' })).toThrow(expect.objectContaining({ code: 'bad-argument' }) as Error)
  })

  it('of an older state is refused', () => {
    const { world } = live(6, 12)
    const at = world.records.length - 1
    const older = world.history[at - 1] as SpaceState
    const part = [world.records[at] as Uint8Array]
    const { witness } = recordWitness(world.env, world.tree, version(older), older.log, part, { signature: 'trusted' })
    const state = world.history[at] as SpaceState
    expect(() => applyWithWitness(world.env, headOf(world.env, state), state.log, part, witness, { signature: 'check' })).toThrow(expect.objectContaining({ code: 'bad-proof' }) as Error)
  })
})

/** What must hold of any state: every index has exactly its rows' entries, every live value is counted once. */
function audit(state: SpaceState): void {
  const live = new Map<string, number>()
  const expected = new Map<string, string>()
  const found = new Map<string, string>()
  const counts = new Map<string, number>()
  const count = (epoch: number, owner: number): void => {
    const name = liveKey(epoch, owner).join()
    live.set(name, (live.get(name) ?? 0) + 1)
  }
  for (const { key, value } of state.tree.scan(Uint8Array.of(0))) {
    if (key[0] === KEY_KIND.object) count(decodeObject(value).epoch, 0)
    if (key[0] === KEY_KIND.live) counts.set(key.join(), decodeCount(value))
    if (key[0] === KEY_KIND.index) found.set(key.join(), value.join())
    if (key[0] !== KEY_KIND.row) continue
    const table = keyId(key)
    const object = state.tree.get(Uint8Array.of(KEY_KIND.object, ...key.subarray(1, 5)))
    const shape = object && decodeObject(object).table
    if (!shape) throw new Error('a row without a table')
    const row = decodeRow(value)
    count(row.epoch, table)
    for (const entry of indexEntries(table, shape, key.slice(5), row)) expected.set(entry.key.join(), entry.rowKey.join())
  }
  expect(found).toEqual(expected)
  // Names of members and devices are counted too, under owner 0; these lives have none.
  expect(counts).toEqual(live)
}
