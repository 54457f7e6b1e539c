/** Re-blinding (PROTOCOL.md §8.6): what each op of it refuses, uniqueness while two generations are alive, B33's guesses before and after. */
import { beforeEach, describe, expect, it } from 'vitest'
import { decodeUtf8, encodeHex } from '../../engine/codec/bytes.js'
import { type SqlValue } from '../../engine/codec/value.js'
import { buildRemoval, buildRotate } from '../../engine/group/build-epoch.js'
import { blindedPrefixes } from '../../engine/space/blinded.js'
import { buildDraft } from '../../engine/space/build.js'
import { buildReblind, type Step } from '../../engine/space/build-steps.js'
import { type Op } from '../../engine/space/ops/index.js'
import { type PutRowOp } from '../../engine/space/ops/row.js'
import { reblinding } from '../../engine/space/outstanding.js'
import { readRows, readTable } from '../../engine/space/rows.js'
import { type CatalogObject, type Draft, type RowRange } from '../../engine/space/types.js'
import { indexPrefix, nameKey, prefixEnd, rowStateKey } from '../../engine/state/keys.js'
import { decodeMeta } from '../../engine/state/roster.js'
import { metaKey } from '../../engine/state/keys.js'
import { expectRejected, insert, nameOf, remove, table, update, World, type Person } from './support.js'

let world: World
let ada: Person
let bob: Person

beforeEach(() => {
  world = new World()
  ada = world.ada
  bob = world.join('bob', 'writer')
})

const create = (...objects: CatalogObject[]): void => world.create(ada, ...objects)
const read = (by: Person, id: number, range?: RowRange): string[] =>
  [...readRows(world.state.tree, world.sealer(by), id, range)].map((row) => ('body' in row ? decodeUtf8(row.body) : `!${row.reason}`)).sort()
const byKey = (by: Person, id: number, key: SqlValue): string[] => read(by, id, { kind: 'key', key: [key] })
const byValue = (by: Person, id: number, value: SqlValue, index = 1): string[] => read(by, id, { kind: 'index', index, values: [value] })
const built = (by: Person, draft: Partial<Draft>): ReturnType<typeof buildDraft> => buildDraft(world.bench(by), { catalog: [], rows: [], reads: [], ...draft })
const meta = () => decodeMeta(world.state.tree.get(metaKey()) as Uint8Array)
const left = (): number | undefined => reblinding(world.state.tree)?.left
const unique = { id: 1, kind: 'blind' as const, unique: true, columns: [7] }

function rotate(options: Parameters<typeof buildRotate>[1], by = ada, ...others: Person[]): void {
  world.mustLand(world.record(by, [buildRotate(world.context(by), options)]))
  world.epoch = meta().epoch
  for (const person of [ada, bob, ...others]) person.keyring.open(world.state.tree)
}

const step = (by = ada, limit = 1_000): Step => buildReblind(world.bench(by), nameOf, limit)
/** One entry of a re-blinding. */
function move(by = ada, limit = 1_000): number {
  const { ops } = step(by, limit)
  if (ops.length > 0) world.mustLand(world.record(by, ops))
  return ops.length
}
function finish(by = ada): void {
  while (move(by) > 0);
  rotate({ dropOldBlinding: true }, by)
}
/** Two tables, of each kind of key, with a unique sealed column each, and a row or two. */
function found(): void {
  create(table(1, { key: 'blinded', indexes: [unique, { id: 2, kind: 'blind', unique: false, columns: [8] }] }), table(2, { plain: [{ id: 1, type: 'integer', notNull: false }], indexes: [unique, { id: 3, kind: 'plain', unique: true, columns: [1] }] }))
  world.mustCommit(bob, {
    rows: [insert(1, ['a'], [], 'A', [['x'], ['s']]), insert(1, ['b'], [], 'B', [[null], ['s']]), insert(2, [1n], [10n], 'one', [['y']]), insert(2, [2n], [20n], 'two', [[null]])],
  })
}

describe('a space that is re-blinded', () => {
  it('gives the same answers before, in the middle and after; creators stay, the admin is named', () => {
    found()
    const answers = () => [
      read(bob, 1), read(ada, 2), byKey(bob, 1, 'a'), byKey(bob, 1, 'zzz'), byValue(ada, 1, 'x'), byValue(ada, 1, 's', 2), byValue(bob, 2, 'y'), byValue(bob, 2, 'n'), byValue(bob, 2, 20n, 3),
    ]
    const before = answers()
    expect(before).toEqual([['A', 'B'], ['one', 'two'], ['A'], [], ['A'], ['A', 'B'], ['one'], [], ['two']])
    rotate({ reblind: true })
    expect(answers()).toEqual(before)
    // Two names, two keys, four unique values.
    expect(left()).toBe(8)
    expect(move()).toBe(2)
    expect(left()).toBe(6)
    for (let moved = 0; moved < 4; moved++) {
      expect(answers()).toEqual(before)
      expect(move(ada, 1)).toBe(1)
    }
    expect(left()).toBe(0)
    expect(move()).toBe(0)
    expect(answers()).toEqual(before)
    rotate({ dropOldBlinding: true })
    expect(answers()).toEqual(before)
    expect(left()).toBeUndefined()
    for (const id of [1, 2]) for (const row of readRows(world.state.tree, world.sealer(bob), id)) expect(row).toMatchObject({ creator: bob.member, author: ada.member })
    // Counts of live values are right: all is under one epoch, and goes with the tables.
    world.mustCommit(ada, { catalog: [{ kind: 'drop', id: 1 }, { kind: 'drop', id: 2 }] })
    expect(world.state.tree.count(Uint8Array.of(0x15), Uint8Array.of(0x16))).toBe(0)
    expect(world.state.tree.count(Uint8Array.of(0x30), Uint8Array.of(0x32))).toBe(0)
  })

  it('B33 who was removed finds rows, unique values and names by guessing, but not what is written afterwards', () => {
    found()
    const carl = world.join('carl', 'writer')
    world.mustLand(world.record(ada, buildRemoval(world.context(ada), { members: [carl.member] }).ops))
    world.epoch = meta().epoch
    for (const person of [ada, bob]) person.keyring.open(world.state.tree)
    const guess = (generation: number, key: string, value: string, name: string): boolean[] => {
      const sealer = world.sealer(carl)
      const token = sealer.indexToken(1, unique, generation, 1, [value]) as Uint8Array
      return [
        world.state.tree.get(rowStateKey(1, sealer.rowKey(1, { key: 'blinded' }, generation, [key]))) !== undefined,
        world.state.tree.get(new Uint8Array([...indexPrefix(1, 1), ...token])) !== undefined,
        world.state.tree.get(nameKey(sealer.nameToken(generation, name))) !== undefined,
      ]
    }
    world.mustCommit(bob, { rows: [insert(1, ['secret'], [], 'S', [['hidden'], ['s']])] })
    expect(guess(1, 'secret', 'hidden', 'name 1')).toEqual([true, true, true])
    rotate({ reblind: true })
    move()
    // From here on what is written is out of reach, though the rest has yet to move.
    world.mustCommit(bob, { rows: [insert(1, ['later'], [], 'L', [['veiled'], ['s']])] })
    expect(guess(1, 'later', 'veiled', 'name 1')).toEqual([false, false, false])
    expect(guess(1, 'secret', 'hidden', 'name 1')).toEqual([true, true, false])
    finish()
    for (const [key, value] of [['secret', 'hidden'], ['later', 'veiled']] as const) expect(guess(1, key, value, 'name 1')).toEqual([false, false, false])
    // What he would need he does not get: with all he holds, and the whole state.
    carl.keyring.open(world.state.tree)
    expect(() => world.sealer(carl).rowKey(1, { key: 'blinded' }, 2, ['secret'])).toThrow(expect.objectContaining({ code: 'no-secret' }) as Error)
  })

  it('rows are updated and deleted where they lie; new ones come under the newer generation, each key and value once', () => {
    found()
    rotate({ reblind: true })
    move()
    // A value that a row has under the older generation is refused here already, where it can be seen.
    for (const change of [insert(1, ['d'], [], 'D', [['x'], ['t']]), update(2, [2n], [20n], 'two', [['y']])]) {
      expect(() => built(bob, { rows: [change] })).toThrow(expect.objectContaining({ code: 'rejected', facts: { kind: 'rejected', code: 'conflict', detail: 'unique' } }) as Error)
    }
    expectRejected(world, bob, world.record(bob, built(bob, { rows: [insert(1, ['a'], [], 'again', [['w'], ['t']])] }).ops), 'conflict', 'present')
    world.mustCommit(bob, { rows: [update(1, ['a'], [], 'A2', [['x'], ['s']]), insert(1, ['c'], [], 'C', [['z'], ['t']]), remove(1, ['b'])] })
    expect(read(ada, 1)).toEqual(['A2', 'C'])
    expect(byValue(ada, 1, 'x')).toEqual(['A2'])
    const { rows } = blindedPrefixes(1, readTable(world.state.tree, 1), 1)
    expect(world.state.tree.count(rows as Uint8Array, prefixEnd(rows as Uint8Array))).toBe(1)
    // Delete and insert of a key, swaps of unique values, across the generations.
    world.mustCommit(bob, { rows: [update(1, ['a'], [], 'A3', [['z'], ['s']]), update(1, ['c'], [], 'C3', [['x'], ['t']])] })
    expect([byValue(ada, 1, 'z'), byValue(ada, 1, 'x')]).toEqual([['A3'], ['C3']])
    finish()
    expect([byKey(bob, 1, 'a'), byKey(bob, 1, 'c'), byValue(ada, 1, 'z'), byValue(ada, 1, 'x')]).toEqual([['A3'], ['C3'], ['A3'], ['C3']])
    // And a table made in between was of the newer one from the start.
    rotate({ reblind: true })
    create(table(3, { key: 'blinded' }))
    world.mustCommit(bob, { rows: [insert(3, ['k'], [], 'K')] })
    finish()
    expect(byKey(ada, 3, 'k')).toEqual(['K'])
    expect(meta()).toMatchObject({ generation: 3, firstGeneration: 3 })
  })

  it('what was under way when it began is a conflict; two admins and a writer race, and somebody is done again', () => {
    found()
    const dora = world.join('dora', 'admin')
    rotate({ reblind: true }, ada, dora)
    // Written before the table's turn came, landing after it.
    const late = built(bob, { rows: [insert(1, ['c'], [], 'C', [['z'], ['t']])] })
    const lateRecord = world.record(bob, late.ops, { reads: late.reads })
    const [mine, hers] = [world.record(ada, step(ada).ops), world.record(dora, step(dora).ops)]
    world.mustLand(mine)
    expectRejected(world, dora, hers, 'conflict', 'catalog-version')
    expectRejected(world, bob, lateRecord, 'conflict', 'catalog-version')
    // The same key inserted by one while the other's lies under the older generation: seen, or pinned.
    const claim = built(bob, { rows: [insert(1, ['c'], [], 'C', [['z'], ['t']])] })
    expect(claim.reads.length).toBe(2)
    world.mustLand(world.record(bob, claim.ops, { reads: claim.reads }))
    const rows = step(ada).ops
    const racing = world.record(dora, step(dora).ops)
    const writer = built(bob, { rows: [update(1, ['a'], [], 'A2', [['x'], ['s']])] })
    const writing = world.record(bob, writer.ops, { reads: writer.reads })
    world.mustLand(world.record(ada, rows))
    expectRejected(world, dora, racing, 'conflict', 'absent')
    expectRejected(world, bob, writing, 'conflict', 'reads')
    expectRejected(world, bob, world.record(bob, writer.ops), 'conflict', 'absent')
    world.mustCommit(bob, { rows: [update(1, ['a'], [], 'A2', [['x'], ['s']])] })
    finish(dora)
    expect(read(bob, 1)).toEqual(['A2', 'B', 'C'])
  })

  it('reads of a row, a value and a name concern both generations', () => {
    found()
    rotate({ reblind: true })
    move()
    const parent = built(bob, { rows: [insert(2, [3n], [30n], 'three', [['w']])], reads: [{ kind: 'row', table: 1, key: ['a'] }, { kind: 'index', table: 1, index: 1, values: ['x'] }] })
    const record = world.record(bob, parent.ops, { reads: parent.reads })
    world.mustLand(world.record(ada, step().ops))
    expectRejected(world, bob, record, 'conflict', 'reads')
    // A bulk insert pins all of the older generation with one read.
    rotate({ dropOldBlinding: true })
    rotate({ reblind: true })
    move()
    const bulk = built(bob, { rows: Array.from({ length: 1_100 }, (_, i) => insert(1, [`bulk ${i}`], [], 'x', [[`v${i}`], ['s']])) })
    expect(bulk.reads.map(({ prefix }) => encodeHex(prefix)).sort()).toEqual(['300000000102', '3100000001000102'])
    world.mustLand(world.record(bob, bulk.ops, { reads: bulk.reads }))
    // Names: of the object that is there under the other generation.
    const name = built(bob, { catalog: [{ kind: 'create', object: table(4), name: 'fresh' }] })
    expect(name.reads).toHaveLength(1)
  })

  it('steps are bounded by bytes as well as by number', () => {
    create(table(1, { key: 'blinded' }))
    for (let i = 0; i < 6; i++) world.mustCommit(bob, { rows: [insert(1, [`k${i}`], [], 'x'.repeat(1_500_000))] })
    rotate({ reblind: true })
    move()
    expect(step(ada, 100).ops).toHaveLength(3)
    finish()
    expect(read(bob, 1)).toHaveLength(6)
  })
})

describe('what is refused', () => {
  const ops = (name: Op['op']): Op[] => step().ops.filter(({ op }) => op === name)

  it('a generation is let go neither while a name, a row key nor a unique value is of it, nor by a writer', () => {
    found()
    rotate({ reblind: true })
    const drop = () => world.record(ada, [buildRotate(world.context(ada), { dropOldBlinding: true })])
    expectRejected(world, ada, drop(), 'rule', 'generation-in-use', 0) // names
    move()
    expectRejected(world, ada, drop(), 'rule', 'generation-in-use', 0) // keys and values
    move(ada, 2)
    expectRejected(world, ada, drop(), 'rule', 'generation-in-use', 0) // values in the table with a plain key
    move(ada, 1)
    expectRejected(world, ada, drop(), 'rule', 'generation-in-use', 0)
    move()
    expectRejected(world, bob, world.record(bob, [buildRotate(world.context(bob), { dropOldBlinding: true })]), 'role', 'reblind', 0)
    expectRejected(world, ada, world.record(ada, [{ ...buildRotate(world.context(ada), { dropOldBlinding: true }), generations: [] }]), 'rule', 'generations', 0)
    expect(world.land(drop())).toEqual({ kind: 'applied' })
  })

  it('at most two are alive', () => {
    rotate({ reblind: true })
    expect(() => buildRotate(world.context(ada), { reblind: true })).toThrow(expect.objectContaining({ code: 'bad-argument' }) as Error)
  })

  it('rekey: by admins, from the older generation to the newer, of a blinded key, to a free place', () => {
    found()
    rotate({ reblind: true })
    move()
    const [one, two] = ops('rekey') as [Extract<Op, { op: 'rekey' }>, Extract<Op, { op: 'rekey' }>]
    expectRejected(world, bob, world.record(bob, [one]), 'role', 'admin', 0)
    for (const newKey of [one.rowKey, two.rowKey, one.newKey.slice().fill(3, 0, 1)]) expectRejected(world, ada, world.record(ada, [{ ...one, newKey }]), 'rule', 'row-key', 0)
    expectRejected(world, ada, world.record(ada, [one, { ...two, newKey: one.newKey }]), 'rule', 'repeated-key', 1)
    expectRejected(world, ada, world.record(ada, [{ ...one, table: 9 }]), 'conflict', 'table', 0)
    expectRejected(world, ada, world.record(ada, [{ ...one, rowKey: one.newKey }]), 'conflict', 'absent', 0)
    expectRejected(world, ada, world.record(ada, [{ ...one, tokens: one.tokens.slice(1) }]), 'rule', 'tokens', 0)
    expectRejected(world, ada, world.record(ada, [{ ...one, tokens: one.tokens.map((t) => ({ ...t, token: t.token.slice().fill(1, 0, 1) })) }]), 'rule', 'reseal-token', 0)
    expectRejected(world, ada, world.record(ada, [{ ...one, sealed: one.sealed.subarray(0, 20) }]), 'rule', 'sealed-form', 0)
    const plain = ops('reseal')[0] as Extract<Op, { op: 'reseal' }>
    expectRejected(world, ada, world.record(ada, [{ ...one, table: 2, rowKey: plain.rowKey, tokens: plain.tokens }]), 'rule', 'row-key', 0)
    world.mustLand(world.record(ada, [one]))
    expectRejected(world, ada, world.record(ada, [{ ...two, newKey: one.newKey }]), 'conflict', 'present', 0)
    // There and back is not to be had, nor twice, nor to another place of its own generation.
    expectRejected(world, ada, world.record(ada, [{ ...one, rowKey: one.newKey, newKey: two.newKey }]), 'rule', 'row-key', 0)
    expectRejected(world, ada, world.record(ada, [{ ...one, rowKey: one.newKey, newKey: one.rowKey }]), 'rule', 'row-key', 0)
  })

  it('reblind-object: by admins, to the newest generation, once, under a free name of it', () => {
    found()
    const token = (n: number): Uint8Array => new Uint8Array(16).fill(n)
    const bench = world.bench(ada)
    rotate({ reblind: true })
    const [one, two] = step().ops as [Extract<Op, { op: 'reblind-object' }>, Extract<Op, { op: 'reblind-object' }>]
    expect(bench.role).toBe('owner')
    expectRejected(world, bob, world.record(bob, [one]), 'role', 'admin', 0)
    for (const wrong of [1, 3]) expectRejected(world, ada, world.record(ada, [{ ...one, nameToken: token(wrong) }]), 'rule', 'name-generation', 0)
    expectRejected(world, ada, world.record(ada, [one, { ...two, nameToken: one.nameToken }]), 'conflict', 'name', 1)
    expectRejected(world, ada, world.record(ada, [{ ...one, id: 9 }]), 'conflict', 'object', 0)
    expectRejected(world, ada, world.record(ada, [{ ...one, sealed: token(0) }]), 'rule', 'sealed-form', 0)
    world.mustLand(world.record(ada, [one]))
    expectRejected(world, ada, world.record(ada, [{ ...one, nameToken: token(2) }]), 'conflict', 'generation', 0)
    // Objects that are made or renamed meanwhile bear names of their own generation.
    for (const [id, op] of [[3, 'create'], [2, 'replace']] as const) {
      const [made] = built(ada, { catalog: [{ kind: op, object: { ...table(2, { indexes: [unique] }), id }, name: 'n' }] }).ops as [Extract<Op, { op: 'create' }>]
      expectRejected(world, ada, world.record(ada, [{ ...made, nameToken: token(op === 'create' ? 1 : 2) }]), 'rule', 'name-generation', 0)
    }
  })

  it('an insert or a unique value under the older generation', () => {
    found()
    const [old] = built(bob, { rows: [insert(1, ['c'], [], 'C', [['z'], ['t']])] }).ops as [PutRowOp]
    rotate({ reblind: true })
    move()
    const [now] = built(bob, { rows: [insert(1, ['c'], [], 'C', [['z'], ['t']])] }).ops as [PutRowOp]
    expectRejected(world, bob, world.record(bob, [{ ...now, rowKey: old.rowKey }]), 'rule', 'row-key', 0)
    expectRejected(world, bob, world.record(bob, [{ ...now, tokens: old.tokens }]), 'rule', 'tokens', 0)
    const [changed] = built(bob, { rows: [update(1, ['a'], [], 'A2', [['z'], ['s']])] }).ops as [PutRowOp]
    expectRejected(world, bob, world.record(bob, [{ ...changed, tokens: old.tokens }]), 'rule', 'tokens', 0)
  })
})

describe('a member who does not look under the older generation', () => {
  /** A second row of key 'a', which lies under the older one. */
  function lie(): void {
    found()
    rotate({ reblind: true })
    move()
    const [op] = built(bob, { rows: [insert(1, ['new'], [], 'lie', [['q'], ['t']])] }).ops as [PutRowOp]
    const sealer = world.sealer(bob)
    const rowKey = sealer.rowKey(1, { key: 'blinded' }, 2, ['a'])
    const content = { key: ['a'], blind: [{ index: 1, values: ['q'] }, { index: 2, values: ['t'] }], body: new TextEncoder().encode('lie') }
    world.mustLand(world.record(bob, [{ ...op, rowKey, sealed: sealer.sealRow(1, rowKey, world.epoch, bob.device, world.random(24), content) }]))
  }

  it('gives out nothing: the older row is the row, the other one is unopened and his; until one of them goes', () => {
    lie()
    expect(read(ada, 1)).toEqual(['!key-taken', 'A', 'B'])
    expect(byKey(ada, 1, 'a')).toEqual(['A'])
    expect(byValue(ada, 1, 'q')).toEqual(['!key-taken'])
    const { ops, stuck } = step()
    expect([ops.length, stuck.length]).toEqual([3, 1])
    world.mustLand(world.record(ada, ops))
    expect(step()).toMatchObject({ ops: [], stuck: [expect.any(Uint8Array)] })
    expectRejected(world, ada, world.record(ada, [buildRotate(world.context(ada), { dropOldBlinding: true })]), 'rule', 'generation-in-use')
    // The older one goes: the other is found, and may go, too.
    world.mustCommit(ada, { rows: [remove(1, ['a'])] })
    expect(byKey(ada, 1, 'a')).toEqual(['lie'])
    world.mustCommit(ada, { rows: [remove(1, ['a'])] })
    finish()
    expect(read(bob, 1)).toEqual(['B'])
  })
})
