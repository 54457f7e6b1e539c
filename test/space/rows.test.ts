/** Rows sealed and opened, indexes, schema changes; attacks 14, 28, 29 and 32 of design/attacks.md as far as they need no network. */
import { beforeEach, describe, expect, it } from 'vitest'
import { decodeUtf8, encodeHex, encodeUtf8 } from '../../engine/codec/bytes.js'
import { encodeTuple } from '../../engine/codec/tuple.js'
import { type SqlValue } from '../../engine/codec/value.js'
import { buildNameReseals } from '../../engine/group/builders.js'
import { buildForget, buildRotate } from '../../engine/group/build-epoch.js'
import { buildDraft } from '../../engine/space/build.js'
import { buildReseal } from '../../engine/space/build-steps.js'
import { type Op } from '../../engine/space/ops/index.js'
import { type PutRowOp } from '../../engine/space/ops/row.js'
import { encodeRow, decodeRow } from '../../engine/space/row-record.js'
import { catalogTag, countRows, liveEpochs, readCatalog, readRow, readRows, tableTag } from '../../engine/space/rows.js'
import { type CatalogObject, type Draft, type RowRange, type RowView, type UnopenedRow } from '../../engine/space/types.js'
import { indexesPrefix, KEY_KIND, liveKey, objectKey, prefixEnd, rowPrefix, rowStateKey } from '../../engine/state/keys.js'
import { decodeMeta } from '../../engine/state/roster.js'
import { metaKey } from '../../engine/state/keys.js'
import { expectRejected, insert, policy, remove, table, update, World, type Person } from './support.js'

const APPLIED = { kind: 'applied' }
let world: World
let ada: Person
let bob: Person

beforeEach(() => {
  world = new World()
  ada = world.ada
  bob = world.join('bob', 'writer')
})

const create = (by: Person, ...objects: CatalogObject[]): void => world.create(by, ...objects)
const rowsOf = (by: Person, id: number, range?: RowRange): (RowView | UnopenedRow)[] => [...readRows(world.state.tree, world.sealer(by), id, range)]
const bodies = (by: Person, id: number, range?: RowRange): string[] => rowsOf(by, id, range).map((row) => ('body' in row ? decodeUtf8(row.body) : `!${row.reason}`))
const opsOf = (by: Person, draft: Partial<Draft>): readonly Op[] => buildDraft(world.bench(by), { catalog: [], rows: [], reads: [], ...draft }).ops
const integer = (id: number) => ({ id, type: 'integer' as const, notNull: false })
const blind = (id: number, unique: boolean, ...columns: number[]) => ({ id, kind: 'blind' as const, unique, columns })
const plainIndex = (id: number, unique: boolean, ...columns: number[]) => ({ id, kind: 'plain' as const, unique, columns })
/** How many entries an index prefix has. */
const entries = (id: number): number => world.state.tree.count(indexesPrefix(id), prefixEnd(indexesPrefix(id)))

function rotate(by = ada): void {
  world.mustLand(world.record(by, [buildRotate(world.context(by))]))
  world.epoch = decodeMeta(world.state.tree.get(metaKey()) as Uint8Array).epoch
  for (const person of [ada, bob]) person.keyring.open(world.state.tree)
}

describe('reading', () => {
  it('a plain key: all, one, a range; integers and reals that are equal are one key', () => {
    create(ada, table(1))
    world.mustCommit(ada, { rows: [3n, 1n, 2n].map((k) => insert(1, [k], [], `r${k}`)) })
    expect(bodies(bob, 1)).toEqual(['r1', 'r2', 'r3'])
    expect(bodies(bob, 1, { kind: 'key', key: [2] })).toEqual(['r2'])
    expect(bodies(bob, 1, { kind: 'key', key: [9n] })).toEqual([])
    expect(bodies(bob, 1, { kind: 'key', key: ['x'.repeat(400)] })).toEqual([])
    expect(bodies(bob, 1, { kind: 'key-range', lo: [2n] })).toEqual(['r2', 'r3'])
    expect(bodies(bob, 1, { kind: 'key-range', lo: [1n], hi: [3n] })).toEqual(['r1', 'r2'])
    expect(countRows(world.state.tree, 1)).toBe(3)
    const { rowKey } = rowsOf(bob, 1)[0] as RowView
    expect(rowKey).toEqual(encodeTuple([1n]))
    expect(readRow(world.state.tree, world.sealer(bob), 1, rowKey)).toMatchObject({ creator: 1, author: 1, device: 1 })
    expect(readRow(world.state.tree, world.sealer(bob), 1, encodeTuple([77n]))).toBeUndefined()
    expect(() => rowsOf(bob, 9)).toThrow(expect.objectContaining({ code: 'bad-argument' }) as Error)
  })

  it('a blinded key is found by equality and nothing else', () => {
    create(ada, table(1, { key: 'blinded' }))
    world.mustCommit(ada, { rows: [insert(1, ['a', 1n], [], 'r')] })
    expect(bodies(bob, 1, { kind: 'key', key: ['a', 1] })).toEqual(['r'])
    expect(bodies(bob, 1, { kind: 'key', key: ['a', 2n] })).toEqual([])
    expect(() => bodies(bob, 1, { kind: 'key-range', lo: ['a'] })).toThrow(expect.objectContaining({ code: 'bad-argument' }) as Error)
    // Who has no secrets sees 16 bytes.
    expect(rowsOf(bob, 1)[0]?.rowKey.length).toBe(16)
  })

  it('indexes: plain by prefix and range, blind by equality across epochs, NULL by none', () => {
    create(ada, table(1, { plain: [integer(1), integer(2)], indexes: [plainIndex(1, false, 1, 2), blind(2, false, 7), blind(3, true, 8)] }))
    const row = (k: bigint, a: bigint | null, b: bigint | null, x: SqlValue, u: SqlValue) => insert(1, [k], [a, b], `r${k}`, [[x], [u]])
    world.mustCommit(ada, { rows: [row(1n, 1n, 1n, 'x', 'u1'), row(2n, 1n, 2n, 'x', 'u2'), row(3n, null, 3n, null, null), row(4n, 2n, null, 'y', null)] })
    rotate()
    world.mustCommit(bob, { rows: [row(5n, 1n, 3n, 'x', 'u5')] })
    const by = (index: number, values: SqlValue[]): string[] => bodies(bob, 1, { kind: 'index', index, values })
    expect(by(1, [1n])).toEqual(['r1', 'r2', 'r5'])
    expect(by(1, [1, 2n])).toEqual(['r2'])
    expect(by(1, [null])).toEqual([])
    expect(by(2, ['x'])).toHaveLength(3)
    expect(by(2, [null])).toEqual([])
    expect(by(2, ['z'])).toEqual([])
    expect(by(3, ['u1'])).toEqual(['r1'])
    expect(by(3, ['u5'])).toEqual(['r5'])
    expect(bodies(bob, 1, { kind: 'index-range', index: 1, lo: [1n, 2n], hi: [2n] })).toEqual(['r2', 'r5'])
    expect(() => bodies(bob, 1, { kind: 'index-range', index: 2 })).toThrow(expect.objectContaining({ code: 'bad-argument' }) as Error)
    expect(() => by(9, ['x'])).toThrow(expect.objectContaining({ code: 'bad-argument' }) as Error)
    expect(entries(1)).toBe(15)
    // The same value, another epoch: tokens that outsiders can't link, unless the index is unique.
    const tokens = rowsOf(bob, 1).map((r) => decodeRow(world.state.tree.get(rowStateKey(1, r.rowKey)) as Uint8Array).tokens.map((t) => encodeHex(t.token)))
    expect(tokens[0]?.[0]).toBe(tokens[1]?.[0])
    expect(tokens[0]?.[0]).not.toBe(tokens[4]?.[0])
    expect(new Set(tokens.flat()).size).toBe(9)
  })

  it('a unique value collides across epochs, swaps within an entry, and NULLs never do', () => {
    create(ada, table(1, { plain: [integer(1)], indexes: [blind(1, true, 7), plainIndex(2, true, 1)] }))
    const row = (make: typeof insert, k: bigint, u: SqlValue, p: bigint | null) => make(1, [k], [p], `r${k}${String(u)}`, [[u]])
    world.mustCommit(ada, { rows: [row(insert, 1n, 'a', 1n), row(insert, 2n, 'b', 2n), row(insert, 3n, null, null), row(insert, 4n, null, null)] })
    rotate()
    expectRejected(world, bob, world.draftRecord(bob, { rows: [row(insert, 5n, 'a', 5n)] }), 'conflict', 'unique', 0)
    expectRejected(world, bob, world.draftRecord(bob, { rows: [row(insert, 5n, 'e', 1n)] }), 'conflict', 'unique', 0)
    expectRejected(world, bob, world.draftRecord(bob, { rows: [row(insert, 5n, 'e', 5n), row(insert, 6n, 'e', 6n)] }), 'conflict', 'unique', 1)
    expectRejected(world, bob, world.draftRecord(bob, { rows: [row(update, 1n, 'b', 1n), insert(1, [7n], [7n], '', [['g']])] }), 'conflict', 'unique', 0)
    world.mustCommit(bob, { rows: [row(update, 1n, 'b', 2n), row(update, 2n, 'a', 1n)] })
    world.mustCommit(bob, { rows: [remove(1, [1n]), row(insert, 8n, 'b', 2n)] })
    world.mustCommit(bob, { rows: [row(update, 8n, 'b', 2n), row(insert, 9n, null, null)] })
    expect(bodies(ada, 1, { kind: 'index', index: 1, values: ['b'] })).toEqual(['r8b'])
    expect(bodies(ada, 1, { kind: 'index', index: 2, values: [1n] })).toEqual(['r2a'])
    expect(entries(1)).toBe(2 * countRows(world.state.tree, 1))
  })

  it('tags move with their table only; reads of an index value conflict with phantoms only', () => {
    create(ada, table(1, { indexes: [blind(1, false, 7)] }), table(2))
    const before = [tableTag(world.state.tree, 1), tableTag(world.state.tree, 2), catalogTag(world.state.tree)]
    const reading = world.draftRecord(bob, { rows: [insert(2, [1n])], reads: [{ kind: 'index', table: 1, index: 1, values: ['x'] }] })
    world.mustCommit(ada, { rows: [insert(1, [1n], [], 'r', [['other']])] })
    expect(tableTag(world.state.tree, 1)).not.toEqual(before[0])
    expect([tableTag(world.state.tree, 2), catalogTag(world.state.tree)]).toEqual(before.slice(1))
    expect(world.tryOut(reading).verdict).toEqual(APPLIED)
    world.mustCommit(ada, { rows: [insert(1, [2n], [], 'r', [['x']])] })
    expectRejected(world, bob, reading, 'conflict', 'reads')
  })
})

describe('14, 28 sealed bodies', () => {
  it('swapped between rows, tables, epochs, devices, or replayed from before an update: the row is told, its author named', () => {
    create(ada, table(1, { key: 'blinded' }), table(2, { key: 'blinded' }))
    world.mustCommit(ada, { rows: [insert(1, ['a'], [], 'A'), insert(1, ['b'], [], 'B')] })
    const [own] = opsOf(bob, { rows: [insert(1, ['c'], [], 'C')] }) as [PutRowOp]
    const [elsewhere] = opsOf(bob, { rows: [insert(2, ['c'], [], 'C')] }) as [PutRowOp]
    const [another] = opsOf(bob, { rows: [insert(1, ['d'], [], 'D')] }) as [PutRowOp]
    const [adas] = opsOf(ada, { rows: [insert(1, ['c'], [], 'by ada')] }) as [PutRowOp]
    const cases: PutRowOp[] = [
      { ...own, sealed: elsewhere.sealed }, { ...own, sealed: another.sealed }, { ...own, sealed: adas.sealed },
      { ...own, sealed: own.sealed.map((b, i) => (i === 70 ? b ^ 1 : b)) }, { ...own, sealed: own.sealed.map((b, i) => (i === 40 ? b ^ 1 : b)) },
    ]
    for (const op of cases) {
      const kept = world.state
      world.mustLand(world.record(bob, [op]))
      const broken = rowsOf(ada, 1).filter((row): row is UnopenedRow => 'reason' in row)
      expect(broken).toMatchObject([{ reason: 'open-failed', author: bob.member, device: bob.device, version: kept.log.size }])
      expect(bodies(ada, 1).filter((b) => !b.startsWith('!'))).toHaveLength(2)
      // Anybody can clear it away.
      world.mustCommit(ada, { rows: [remove(1, ['c'])] })
    }
  })

  it('another key inside than the token says, or another index value: told', () => {
    create(ada, table(1, { key: 'blinded', indexes: [blind(1, false, 7)] }))
    const [op] = opsOf(bob, { rows: [insert(1, ['c'], [], 'C', [['v']])] }) as [PutRowOp]
    const lying = world.sealer(bob).sealRow(1, op.rowKey, 1, bob.device, world.random(24), { key: ['other'], blind: [{ index: 1, values: ['v'] }], body: encodeUtf8('x') })
    world.mustLand(world.record(bob, [{ ...op, sealed: lying }]))
    expect(bodies(ada, 1)).toEqual(['!key-token'])
    world.mustCommit(ada, { rows: [remove(1, ['c'])] })
    world.mustLand(world.record(bob, [{ ...op, tokens: [{ index: 1, token: world.random(16) }] }]))
    expect(bodies(ada, 1)).toEqual(['!index-token'])
    world.mustCommit(ada, { rows: [remove(1, ['c'])] })
    const short = world.sealer(bob).sealRow(1, op.rowKey, 1, bob.device, world.random(24), { key: ['c'], blind: [], body: encodeUtf8('x') })
    world.mustLand(world.record(bob, [{ ...op, sealed: short }]))
    expect(bodies(ada, 1)).toEqual(['!index-token'])
  })

  it('a catalog object that does not open is told and leaves the others alone', () => {
    create(ada, table(1))
    const [op] = opsOf(bob, { catalog: [{ kind: 'create', object: table(2), name: 'x' }] })
    world.mustLand(world.record(bob, [{ ...(op as Extract<Op, { op: 'create' }>), sealed: (opsOf(bob, { catalog: [{ kind: 'create', object: table(3), name: 'y' }] })[0] as Extract<Op, { op: 'create' }>).sealed }]))
    const { objects, unopened } = readCatalog(world.state.tree, world.sealer(ada))
    expect(objects.map((o) => o.id)).toEqual([1])
    expect(unopened).toEqual([{ id: 2, device: bob.device, version: world.state.log.size - 1, reason: 'open-failed' }])
  })

  it('nothing of a sealed value, a name or a policy name is in the record or the state', () => {
    create(ada, { ...table(1, { key: 'blinded', indexes: [blind(1, false, 7)], policies: [policy({ name: encodeUtf8('SECRETPOLICY'), using: { kind: 'constant', value: 1n } })] }), sealed: encodeUtf8('SECRETDDL') })
    world.mustCommit(ada, { rows: [insert(1, ['SECRETKEY'], [], 'SECRETBODY', [['SECRETBLIND']])] })
    const texts = [...world.records, ...[...world.state.tree.scan(Uint8Array.of(0))].flatMap((e) => [e.key, e.value])].map((b) => Buffer.from(b).toString('latin1'))
    for (const text of texts) expect(text).not.toContain('SECRET')
    const [object] = readCatalog(world.state.tree, world.sealer(bob)).objects
    expect(object?.table?.policies.map((p) => decodeUtf8(p.name))).toEqual(['SECRETPOLICY'])
    expect(decodeUtf8(object?.sealed as Uint8Array)).toBe('SECRETDDL')
  })
})

describe('schema changes', () => {
  it('a new plaintext column is NULL in older rows, for readers and for policies', () => {
    create(ada, table(1, { plain: [integer(1)] }))
    world.mustCommit(bob, { rows: [insert(1, [1n], [5n])] })
    const wider = { plain: [integer(1), integer(2)], policies: [policy({ command: 'delete', using: { kind: 'is-null', value: { kind: 'column', of: 'row', column: 2 } } })] }
    world.mustCommit(ada, { catalog: [{ kind: 'replace', object: table(1, wider) }] })
    expect(rowsOf(bob, 1)).toMatchObject([{ plain: [5n, null] }])
    world.mustCommit(bob, { rows: [insert(1, [2n], [6n, 7n])] })
    expectRejected(world, bob, world.draftRecord(bob, { rows: [remove(1, [2n])] }), 'policy', 'using')
    expect(world.commit(bob, { rows: [remove(1, [1n])] })).toEqual(APPLIED)
  })

  it('a new index needs an entry for every row, and gets it: re-sealed by an admin, updated by a writer, both in one entry', () => {
    create(bob, table(1, { plain: [integer(1)] }))
    world.mustCommit(ada, { rows: [insert(1, [1n], [5n]), insert(1, [2n], [null])] })
    const indexed = table(1, { plain: [integer(1)], indexes: [plainIndex(1, false, 1)] })
    const bare = opsOf(ada, { catalog: [{ kind: 'replace', object: indexed }] })
    expect(bare.map((op) => op.op)).toEqual(['replace', 'reseal', 'reseal'])
    expect(opsOf(bob, { catalog: [{ kind: 'replace', object: indexed }] }).map((op) => op.op)).toEqual(['replace', 'update', 'update'])
    expectRejected(world, ada, world.record(ada, bare.slice(0, 2)), 'conflict', 'index-incomplete')
    const late = world.record(ada, bare)
    world.mustCommit(bob, { rows: [insert(1, [3n], [6n])] })
    expectRejected(world, ada, late, 'conflict', 'index-incomplete')
    world.mustCommit(bob, { catalog: [{ kind: 'replace', object: indexed }] })
    expect(bodies(ada, 1, { kind: 'index', index: 1, values: [6n] })).toHaveLength(1)
    expect(entries(1)).toBe(3)
    expect(rowsOf(ada, 1).map((row) => 'creator' in row && row.creator)).toEqual([1, 1, 2])
    // A blind index: only query knows the values.
    const blinded = table(1, { plain: [integer(1)], indexes: [plainIndex(1, false, 1), blind(2, true, 7)] })
    expect(() => opsOf(bob, { catalog: [{ kind: 'replace', object: blinded }] })).toThrow(expect.objectContaining({ code: 'bad-argument' }) as Error)
    const rows = [1n, 2n, 3n].map((k) => update(1, [k], [k], 'new', [[`v${k}`]]))
    world.mustCommit(bob, { catalog: [{ kind: 'replace', object: blinded }], rows })
    expect(entries(1)).toBe(6)
    // And away again.
    world.mustCommit(bob, { catalog: [{ kind: 'replace', object: table(1, { plain: [integer(1)] }) }] })
    expect(entries(1)).toBe(0)
    world.mustCommit(bob, { rows: [remove(1, [1n])] })
    // The id anew, over other columns: old tokens mean nothing.
    world.mustCommit(bob, { catalog: [{ kind: 'replace', object: table(1, { plain: [integer(1)], indexes: [blind(2, true, 9)] }) }], rows: [2n, 3n].map((k) => update(1, [k], [k], 'new', [[`w${k}`]])) })
    expect(bodies(ada, 1, { kind: 'index', index: 2, values: ['w2'] })).toEqual(['new'])
    expect(bodies(ada, 1, { kind: 'index', index: 2, values: ['v2'] })).toEqual([])
  })

  it('a drop takes rows, index entries, counts and dependants, at the cost of a few paths; a rename frees the name', () => {
    create(ada, table(1, { plain: [integer(1)], indexes: [plainIndex(1, false, 1)] }), { id: 2, kind: 'trigger', parent: 1, sealed: encodeUtf8('t') }, table(3))
    world.mustCommit(ada, { rows: [...Array.from({ length: 300 }, (_, i) => insert(1, [BigInt(i)], [BigInt(i)])), insert(3, [1n])] })
    rotate()
    world.mustCommit(bob, { rows: [insert(1, [900n], [1n])] })
    expect(liveEpochs(world.state.tree, 1, 1, 2)).toEqual([1, 2])
    world.mustCommit(ada, { catalog: [{ kind: 'drop', id: 1 }] })
    for (const prefix of [rowPrefix(1), indexesPrefix(1), objectKey(1), objectKey(2)]) expect(world.state.tree.count(prefix, prefixEnd(prefix))).toBe(0)
    expect(liveEpochs(world.state.tree, 1, 1, 2)).toEqual([])
    expect(countRows(world.state.tree, 3)).toBe(1)
    expect([...world.state.tree.scan(Uint8Array.of(KEY_KIND.name), Uint8Array.of(KEY_KIND.name + 1))]).toHaveLength(1)
    world.mustCommit(ada, { catalog: [{ kind: 'replace', object: table(3), name: 'renamed' }] })
    world.mustCommit(ada, { catalog: [{ kind: 'create', object: table(4), name: 'name 3' }] })
    expectRejected(world, bob, world.draftRecord(bob, { catalog: [{ kind: 'create', object: table(5), name: 'renamed' }] }), 'conflict', 'name')
  })

  it('32 a migration run twice at once: the second is a conflict', () => {
    const base = world.head
    const one = world.draftRecord(ada, { catalog: [{ kind: 'create', object: table(1), name: 'n' }] }, { base })
    const two = world.draftRecord(bob, { catalog: [{ kind: 'create', object: table(1), name: 'n' }] }, { base })
    world.mustLand(one)
    expectRejected(world, bob, two, 'conflict', 'id')
  })
})

describe('29 sizes', () => {
  it('ten thousand rows in one entry; keys that share all but their last bits', () => {
    create(ada, table(1))
    const rows = Array.from({ length: 10_000 }, (_, i) => insert(1, [`${'k'.repeat(200)}${i}`], [], ''))
    world.mustCommit(ada, { rows })
    expect(countRows(world.state.tree, 1)).toBe(10_000)
    expect(world.state.tree.get(liveKey(1, 1))).toEqual(Uint8Array.of(0x90, 0x4e))
    world.mustCommit(ada, { rows: rows.slice(0, 9_999).map((r) => remove(1, r.key)) })
    expect(bodies(bob, 1)).toHaveLength(1)
  })

  it('the longest row key, and one over', () => {
    create(ada, table(1))
    const key = 'x'.repeat(247)
    expect(world.commit(ada, { rows: [insert(1, [key])] })).toEqual(APPLIED)
    expect(() => opsOf(ada, { rows: [insert(1, ['x'.repeat(248)])] })).toThrow(expect.objectContaining({ code: 'key-too-long' }) as Error)
    expect(bodies(ada, 1, { kind: 'key', key: ['x'.repeat(248)] })).toEqual([])
  })

  it('a row record reads back what it holds', () => {
    const row = { version: 7, creator: 1, member: 2, device: 3, epoch: 4, plain: [1n, 'x', null, 2.5], tokens: [{ index: 1, token: new Uint8Array(16).fill(7) }], sealed: encodeUtf8('sealed') }
    expect(decodeRow(encodeRow(row))).toEqual(row)
  })
})

describe('forget', () => {
  it('is refused while anything old is live, and goes through once all is re-sealed: same content, same creator, attributed', () => {
    create(ada, table(1, { key: 'blinded', plain: [integer(1)], indexes: [blind(1, false, 7), blind(2, true, 8), plainIndex(3, false, 1)] }))
    world.mustCommit(bob, { rows: [insert(1, ['a'], [1n], 'A', [['x'], ['u']]), insert(1, ['b'], [2n], 'B', [['x'], [null]])] })
    rotate()
    expectRejected(world, ada, world.record(ada, forgetOps()), 'rule', 'live-values')
    for (;;) {
      const { ops, stuck } = buildReseal(world.bench(ada), 2, 2)
      expect(stuck).toEqual([])
      if (ops.length === 0) break
      world.mustLand(world.record(ada, ops))
    }
    const names = buildNameReseals(world.context(ada), 2)
    if (names.length > 0) world.mustLand(world.record(ada, names))
    expect(rowsOf(bob, 1).map((row) => ('body' in row ? [decodeUtf8(row.body), row.creator, row.author, row.plain] : row))).toEqual(
      expect.arrayContaining([['A', bob.member, ada.member, [1n]], ['B', bob.member, ada.member, [2n]]]),
    )
    expect(bodies(bob, 1, { kind: 'index', index: 1, values: ['x'] })).toHaveLength(2)
    expect(bodies(bob, 1, { kind: 'index', index: 2, values: ['u'] })).toEqual(['A'])
    world.mustLand(world.record(ada, forgetOps()))
    expect(bodies(ada, 1)).toHaveLength(2)
  })

  it("a reseal may not move a unique token, nor be a writer's", () => {
    create(ada, table(1, { indexes: [blind(1, true, 7)] }))
    world.mustCommit(bob, { rows: [insert(1, [1n], [], 'A', [['u']])] })
    rotate()
    const { ops } = buildReseal(world.bench(ada), 2, 10)
    const rows = ops.filter((op) => op.op === 'reseal')
    const [op] = rows as [Extract<Op, { op: 'reseal' }>]
    const other = world.random(16)
    expectRejected(world, ada, world.record(ada, [{ ...op, tokens: [{ index: 1, token: other.fill(2, 0, 1) }] }]), 'rule', 'tokens')
    expectRejected(world, ada, world.record(ada, [{ ...op, tokens: [{ index: 1, token: other.fill(1, 0, 1) }] }]), 'rule', 'reseal-token')
    expectRejected(world, bob, world.record(bob, rows), 'role', 'admin')
    expect(world.land(world.record(ada, rows))).toEqual(APPLIED)
  })
})

function forgetOps(): readonly Op[] {
  return buildForget(world.context(ada), 2).ops
}
