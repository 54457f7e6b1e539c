/** Policies: three-valued, total, deterministic; and attacks 20 and 32 of design/attacks.md. */
import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { compareBytes, encodeUtf8 } from '../../engine/codec/bytes.js'
import { decodeCanonical, encodeCanonical } from '../../engine/codec/canonical.js'
import { type SqlValue } from '../../engine/codec/value.js'
import { MAX_POLICY_DEPTH, MAX_POLICY_NODES } from '../../engine/limits.js'
import { compareValues } from '../../engine/space/compare.js'
import { allows, explainPolicy, type PolicyWorld, type PublicShape } from '../../engine/space/policy.js'
import { encodeRow } from '../../engine/space/row-record.js'
import { readPolicy, writePolicy } from '../../engine/space/policy-codec.js'
import { type Policy, type PolicyExpression } from '../../engine/space/types.js'
import { expectRejected, insert, policy, remove, table, update, World, type Person } from './support.js'

const APPLIED = { kind: 'applied' }
const constant = (value: SqlValue): PolicyExpression => ({ kind: 'constant', value })
const column = (id: number): PolicyExpression => ({ kind: 'column', of: 'row', column: id })
const other = (id: number): PolicyExpression => ({ kind: 'column', of: 'other', column: id })
const eq = (left: PolicyExpression, right: PolicyExpression): PolicyExpression => ({ kind: '=', left, right })
const MINE = eq(column(1), { kind: 'member' })
const plain = [{ id: 1, type: 'integer' as const, notNull: false }, { id: 2, type: 'text' as const, notNull: false }]

/** What an expression says of a row, seen through a policy for everyone: true, or not. */
function grants(expression: PolicyExpression, row: readonly SqlValue[] = [5n, 'x'], world: Partial<PolicyWorld> = {}): boolean {
  const shape: PublicShape = { key: 'plain', plain, indexes: [], policies: [{ command: 'all', roles: [], using: expression }] }
  const full: PolicyWorld = { member: 5, role: 'writer', steps: 0, table: () => undefined, get: () => undefined, scan: () => [], ...world }
  return allows(full, shape, 'delete', { plain: row, creator: 5 }) === 'allowed'
}

describe('three-valued logic', () => {
  const T = constant(1n)
  const F = constant(0n)
  const N = constant(null)
  const not = (value: PolicyExpression): PolicyExpression => ({ kind: 'not', value })
  const and = (left: PolicyExpression, right: PolicyExpression): PolicyExpression => ({ kind: 'and', left, right })
  const or = (left: PolicyExpression, right: PolicyExpression): PolicyExpression => ({ kind: 'or', left, right })
  const isNull = (value: PolicyExpression): PolicyExpression => ({ kind: 'is-null', value })
  const value = (e: PolicyExpression): 'true' | 'false' | 'unknown' => (grants(e) ? 'true' : grants(not(e)) ? 'false' : 'unknown')

  it('has the truth tables of SQL', () => {
    const all = { true: T, false: F, unknown: N }
    const names = ['true', 'false', 'unknown'] as const
    const rank = { false: 0, unknown: 1, true: 2 }
    for (const a of names) {
      expect(value(all[a])).toBe(a)
      expect(value(not(all[a]))).toBe(a === 'true' ? 'false' : a === 'false' ? 'true' : 'unknown')
      for (const b of names) {
        expect(value(and(all[a], all[b]))).toBe(rank[a] < rank[b] ? a : b)
        expect(value(or(all[a], all[b]))).toBe(rank[a] > rank[b] ? a : b)
      }
    }
  })

  it('denies every NULL game', () => {
    for (const e of [
      N, eq(N, N), not(eq(N, N)), eq(column(1), N), not(eq(column(1), N)), or(F, eq(N, T)), and(T, N), not(N), not(and(T, N)),
      { kind: '<>', left: N, right: T } as const, { kind: 'in', value: N, list: [T] } as const, { kind: 'in', value: T, list: [N, F] } as const,
      not({ kind: 'in', value: T, list: [N, F] }), constant('true'), constant(new Uint8Array([1])), constant(''), eq(column(99), column(99)), other(1), eq(other(1), other(1)),
    ]) expect(grants(e), JSON.stringify(e, (_, v: unknown) => (typeof v === 'bigint' ? String(v) : v))).toBe(false)
    for (const row of [[null, null], []]) expect(grants(MINE, row)).toBe(false)
    expect(grants(isNull(column(1)), [null])).toBe(true)
    expect(grants({ kind: 'not-null', value: column(1) }, [null])).toBe(false)
    expect(grants({ kind: 'is', left: N, right: N })).toBe(true)
    expect(grants({ kind: 'is-not', left: N, right: T })).toBe(true)
    expect(grants(not({ kind: 'in', value: N, list: [] }))).toBe(true)
  })

  it('reads creator, member and role', () => {
    expect(grants(eq({ kind: 'creator' }, { kind: 'member' }))).toBe(true)
    expect(grants(eq({ kind: 'creator' }, { kind: 'member' }), [], { member: 6 })).toBe(false)
    expect(grants({ kind: 'in', value: { kind: 'role' }, list: [constant('owner'), constant('writer')] })).toBe(true)
    expect(grants(eq({ kind: 'role' }, constant('admin')))).toBe(false)
  })

  it('compares as SQLite does, without affinity', () => {
    expect(grants(eq(constant(1n), constant(1)))).toBe(true)
    expect(grants(eq(constant(1n), constant('1')))).toBe(false)
    expect(grants({ kind: '<', left: constant(9_007_199_254_740_993n), right: constant(9_007_199_254_740_992) })).toBe(false)
    expect(grants({ kind: '<', left: constant(10n), right: constant('1') })).toBe(true)
    expect(grants({ kind: '<', left: constant('z'), right: constant(new Uint8Array(0)) })).toBe(true)
    expect(grants({ kind: '>=', left: constant(2n), right: constant(2) })).toBe(true)
    const text = fc.string({ unit: 'binary' }).filter((s) => s.isWellFormed())
    fc.assert(fc.property(text, text, (a, b) => Math.sign(compareValues(a, b)) === Math.sign(compareBytes(encodeUtf8(a), encodeUtf8(b)))))
  })
})

describe('which policies count', () => {
  const shape = (...policies: Partial<Policy>[]): PublicShape => ({ key: 'plain', plain, indexes: [], policies: policies.map((p) => ({ command: 'all', roles: [], ...p })) })
  const world: PolicyWorld = { member: 5, role: 'writer', steps: 0, table: () => undefined, get: () => undefined, scan: () => [] }
  const row = { plain: [5n, 'x'], creator: 5 }
  const foreign = { plain: [6n, 'x'], creator: 6 }

  it('none for a command: open; some, but not for the role: shut; any one that grants suffices', () => {
    expect(allows(world, shape({ command: 'update', using: constant(0n) }), 'insert', undefined, row)).toBe('allowed')
    expect(allows(world, shape({ roles: ['admin'], using: constant(1n) }), 'delete', row)).toBe('using')
    expect(allows(world, shape({ using: constant(0n) }, { command: 'delete', using: MINE }), 'delete', row)).toBe('allowed')
  })

  it('USING sees the old row, WITH CHECK the new one, and falls back to USING', () => {
    const both = shape({ using: MINE })
    expect(allows(world, both, 'update', row, row)).toBe('allowed')
    expect(allows(world, both, 'update', foreign, row)).toBe('using')
    expect(allows(world, both, 'update', row, foreign)).toBe('check')
    expect(allows(world, both, 'insert', undefined, foreign)).toBe('check')
    const gift = shape({ command: 'update', using: MINE, check: constant(1n) })
    expect(allows(world, gift, 'update', row, foreign)).toBe('allowed')
    expect(allows(world, shape({ command: 'update', check: constant(1n) }), 'update', row, row)).toBe('using')
  })

  it('says what each clause said', () => {
    const explained = explainPolicy(world, shape({ using: MINE }, { roles: ['admin'] }, { command: 'update', using: constant(null), check: constant(1n) }), 'update', foreign, row)
    expect(explained).toEqual([
      { policy: 0, clause: 'using', result: false },
      { policy: 0, clause: 'check', result: true },
      { policy: 2, clause: 'using', result: undefined },
      { policy: 2, clause: 'check', result: true },
    ])
  })

  it('gives up beyond its budget, and giving up denies', () => {
    const tired = { ...world, steps: 10_000_000 }
    expect(allows(tired, shape({ using: constant(1n) }), 'delete', row)).toBe('using')
    expect(allows(tired, shape({ using: { kind: 'is-null', value: constant(1n) } }), 'delete', row)).toBe('using')
  })

  it('counts long values and wide rows by their length', () => {
    const cost = (using: PolicyExpression, text: SqlValue, more: Partial<PolicyWorld> = {}): number => {
      const spent = { ...world, ...more, steps: 0 }
      allows(spent, shape({ using }), 'delete', { plain: [5n, text], creator: 5 })
      return spent.steps
    }
    const long = 'x'.repeat(6_400)
    for (const kind of ['=', '<', 'is', 'is-not'] as const) {
      const both: PolicyExpression = { kind, left: column(2), right: column(2) }
      expect([cost(both, 'x'), cost(both, long), cost(both, new Uint8Array(6_399)), cost({ ...both, right: constant(1n) }, long)]).toEqual([3, 103, 102, 3])
    }
    expect(cost({ kind: 'in', value: column(2), list: [constant('y'), column(2)] }, long)).toBe(104)
    const record = encodeRow({ version: 1, creator: 1, member: 1, device: 1, epoch: 1, plain: [null, 'y'.repeat(8_000)], tokens: [], sealed: new Uint8Array(5_000) })
    const stored: Partial<PolicyWorld> = { table: () => shape({}), scan: () => Array.from({ length: 200 }, () => ({ key: new Uint8Array(9), value: record })) }
    const looks: PolicyExpression = { kind: 'exists', table: 7, prefix: [column(2)], where: constant(0n) }
    expect(cost(looks, long, stored)).toBe(2 + 100) // no key is that long
    expect(cost({ ...looks, where: constant(1n) }, 'x', stored)).toBe(2 + Math.floor((record.length - 5_000) / 8) + 1)
    expect(cost(looks, 'x', stored)).toBe(2 + 200 * (Math.floor((record.length - 5_000) / 8) + 1))
    // Over: no further row is read.
    const spent = { ...world, ...stored, steps: 9_999_990 }
    expect(allows(spent, shape({ using: { kind: 'not', value: looks } }), 'delete', { plain: [5n, 'x'], creator: 5 })).toBe('using')
    expect(spent.steps).toBeLessThan(10_000_000 + 1_100)
  })
})

describe('encoding', () => {
  const leaf: fc.Arbitrary<PolicyExpression> = fc.oneof(
    fc.constantFrom<PolicyExpression>({ kind: 'member' }, { kind: 'role' }, { kind: 'creator' }, column(1), other(2)),
    fc.oneof(fc.constant(null), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.string()).map(constant),
  )
  const tree = fc.letrec<{ e: PolicyExpression }>((tie) => ({
    e: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.record({ kind: fc.constantFrom('not' as const, 'is-null' as const, 'not-null' as const), value: tie('e') }),
      fc.record({ kind: fc.constantFrom('and' as const, '=' as const, '<' as const, 'is-not' as const), left: tie('e'), right: tie('e') }),
      fc.record({ kind: fc.constant('in' as const), value: tie('e'), list: fc.array(tie('e'), { maxLength: 3 }) }),
      fc.record({ kind: fc.constant('exists' as const), table: fc.nat(), index: fc.nat(65_535), prefix: fc.array(tie('e'), { maxLength: 2 }), where: tie('e') }),
    ),
  })).e

  it('round-trips', () => {
    fc.assert(
      fc.property(tree, (using) => {
        const bytes = encodeCanonical({ command: 'update' as const, roles: ['writer' as const], using }, writePolicy)
        expect(decodeCanonical(bytes, readPolicy)).toEqual({ command: 'update', roles: ['writer'], using })
      }),
      { numRuns: 100 },
    )
  })

  it('is bounded in depth and size, on both sides, before recursion', () => {
    let deep: PolicyExpression = constant(1n)
    for (let i = 1; i < MAX_POLICY_DEPTH; i++) deep = { kind: 'not', value: deep }
    const write = (using: PolicyExpression): Uint8Array => encodeCanonical({ command: 'all' as const, roles: [], using }, writePolicy)
    expect(decodeCanonical(write(deep), readPolicy)).toBeDefined()
    expect(() => write({ kind: 'not', value: deep })).toThrow(expect.objectContaining({ code: 'too-large' }) as Error)
    const bomb = new Uint8Array(1_000_000).fill(5)
    bomb.set([3, 0, 1])
    expect(() => decodeCanonical(bomb, readPolicy)).toThrow(expect.objectContaining({ code: 'too-large' }) as Error)
    const wide = (count: number): PolicyExpression => ({ kind: 'in', value: constant(1n), list: new Array<PolicyExpression>(count).fill({ kind: 'in', value: constant(2n), list: [] }) })
    expect(() => write(wide(MAX_POLICY_NODES / 2))).toThrow(expect.objectContaining({ code: 'too-large' }) as Error)
    const most = wide(MAX_POLICY_NODES / 2 - 1)
    expect(decodeCanonical(write(most), readPolicy)).toBeDefined()
    expect(() => write({ kind: 'not', value: most })).toThrow(expect.objectContaining({ code: 'too-large' }) as Error)
  })

  it('refuses unknown commands, roles, kinds, and a role twice', () => {
    for (const bytes of [[4, 0, 0, 0], [0, 1, 9, 0, 0], [0, 2, 1, 1, 0, 0], [0, 0, 1, 99, 0]]) {
      expect(() => decodeCanonical(Uint8Array.from(bytes), readPolicy)).toThrow(expect.objectContaining({ code: 'bad-encoding' }) as Error)
    }
  })
})

describe('20 in a space', () => {
  let world: World
  let ada: Person
  let bob: Person
  let carl: Person
  beforeEach(() => {
    world = new World()
    ada = world.ada
    bob = world.join('bob', 'writer')
    carl = world.join('carl', 'writer')
    const policies = [policy({ command: 'insert', check: MINE }), policy({ command: 'update', using: MINE }), policy({ command: 'delete', using: eq({ kind: 'creator' }, { kind: 'member' }) })]
    world.mustCommit(ada, { catalog: [{ kind: 'create', object: table(1, { plain, policies }), name: 't' }] })
    world.mustCommit(bob, { rows: [insert(1, [1n], [2n, 'bob'])] })
  })

  it('insert in another name, update of another row, theft, delete', () => {
    expectRejected(world, carl, world.draftRecord(carl, { rows: [insert(1, [2n], [2n, 'for bob'])] }), 'policy', 'check', 0)
    expectRejected(world, carl, world.draftRecord(carl, { rows: [insert(1, [2n], [null, null])] }), 'policy', 'check', 0)
    expectRejected(world, carl, world.draftRecord(carl, { rows: [update(1, [1n], [2n, 'x'])] }), 'policy', 'using', 0)
    expectRejected(world, carl, world.draftRecord(carl, { rows: [update(1, [1n], [3n, 'mine now'])] }), 'policy', 'using', 0)
    expectRejected(world, bob, world.draftRecord(bob, { rows: [update(1, [1n], [3n, 'a gift'])] }), 'policy', 'check', 0)
    expectRejected(world, carl, world.draftRecord(carl, { rows: [remove(1, [1n])] }), 'policy', 'using', 0)
    expectRejected(world, ada, world.draftRecord(ada, { rows: [remove(1, [1n])] }), 'policy', 'using', 0)
    expect(world.commit(bob, { rows: [update(1, [1n], [2n, 'still'])] })).toEqual(APPLIED)
    expect(world.commit(bob, { rows: [remove(1, [1n])] })).toEqual(APPLIED)
  })

  it('one bad row among good ones refuses all; the creator of a row stays who inserted it', () => {
    expectRejected(world, carl, world.draftRecord(carl, { rows: [insert(1, [5n], [3n, null]), insert(1, [6n], [2n, null])] }), 'policy', 'check', 1)
    world.mustCommit(ada, { catalog: [{ kind: 'replace', object: table(1, { plain, policies: [policy({ command: 'delete', using: eq({ kind: 'creator' }, { kind: 'member' }) })] }) }] })
    world.mustCommit(carl, { rows: [update(1, [1n], [3n, 'carl wrote'])] })
    expectRejected(world, carl, world.draftRecord(carl, { rows: [remove(1, [1n])] }), 'policy', 'using')
    expect(world.commit(bob, { rows: [remove(1, [1n])] })).toEqual(APPLIED)
  })

  it('lookups: by key, by index, with a condition; each op sees the ones before it', () => {
    const members = table(2, { plain: [{ id: 1, type: 'text', notNull: true }] })
    const byIndex = table(3, { plain, indexes: [{ id: 1, kind: 'plain', unique: false, columns: [2] }] })
    const exists = (e: Partial<Extract<PolicyExpression, { kind: 'exists' }>>): PolicyExpression => ({ kind: 'exists', table: 2, prefix: [column(1), { kind: 'member' }], ...e })
    const guarded = table(4, { plain, policies: [policy({ command: 'insert', check: exists({ where: eq(other(1), constant('editor')) }) })] })
    const indexed = table(5, { plain, policies: [policy({ command: 'insert', check: exists({ table: 3, index: 1, prefix: [column(2)], where: eq(other(1), { kind: 'member' }) }) })] })
    const gone = table(6, { plain, policies: [policy({ command: 'insert', check: { kind: 'not', value: exists({ table: 99 }) } })] })
    world.mustCommit(ada, { catalog: [members, byIndex, guarded, indexed, gone].map((object) => ({ kind: 'create' as const, object, name: `n${object.id}` })) })
    expectRejected(world, bob, world.draftRecord(bob, { rows: [insert(4, [1n], [7n, null])] }), 'policy', 'check')
    world.mustCommit(ada, { rows: [insert(2, [7n, 2n], ['viewer']), insert(2, [8n, 2n], ['editor'])] })
    expectRejected(world, bob, world.draftRecord(bob, { rows: [insert(4, [1n], [7n, null])] }), 'policy', 'check')
    expect(world.commit(bob, { rows: [insert(4, [1n], [8n, null])] })).toEqual(APPLIED)
    expectRejected(world, bob, world.draftRecord(bob, { rows: [insert(4, [2n], [null, null])] }), 'policy', 'check')
    // In one entry: first the membership, then what it allows.
    expectRejected(world, bob, world.draftRecord(bob, { rows: [insert(4, [3n], [9n, null]), insert(2, [9n, 2n], ['editor'])] }), 'policy', 'check', 0)
    expect(world.commit(bob, { rows: [insert(2, [9n, 2n], ['editor']), insert(4, [3n], [9n, null])] })).toEqual(APPLIED)
    // And taken away again.
    expectRejected(world, bob, world.draftRecord(bob, { rows: [remove(2, [9n, 2n]), insert(4, [4n], [9n, null])] }), 'policy', 'check', 1)
    world.mustCommit(ada, { rows: [insert(3, [1n], [3n, 'p'])] })
    expectRejected(world, bob, world.draftRecord(bob, { rows: [insert(5, [1n], [1n, 'p'])] }), 'policy', 'check')
    expect(world.commit(carl, { rows: [insert(5, [1n], [1n, 'p'])] })).toEqual(APPLIED)
    expectRejected(world, carl, world.draftRecord(carl, { rows: [insert(5, [2n], [1n, 'q'.repeat(300)])] }), 'policy', 'check')
    // A table that isn't there makes NOT EXISTS unknown, not true.
    expectRejected(world, bob, world.draftRecord(bob, { rows: [insert(6, [1n], [1n, null])] }), 'policy', 'check')
  })

  it('32 a policy that names its own table, and one that finds too much', () => {
    const self = table(2, { plain, policies: [policy({ command: 'insert', check: { kind: 'not', value: { kind: 'exists', table: 2, prefix: [], where: MINE_OTHER } } })] })
    world.mustCommit(ada, { catalog: [{ kind: 'create', object: self, name: 'self' }] })
    expect(world.commit(bob, { rows: [insert(2, [1n], [2n, null])] })).toEqual(APPLIED)
    expectRejected(world, bob, world.draftRecord(bob, { rows: [insert(2, [2n], [2n, null])] }), 'policy', 'check')
    const open = table(3, { plain })
    world.mustCommit(ada, { catalog: [{ kind: 'create', object: open, name: 'open' }, { kind: 'create', object: table(4, { plain, policies: [policy({ check: { kind: 'not', value: { kind: 'exists', table: 3, prefix: [], where: constant(0n) } } })] }), name: 'nots' }] })
    world.mustCommit(bob, { rows: Array.from({ length: 256 }, (_, i) => insert(3, [BigInt(i)], [null, null])) })
    expect(world.commit(bob, { rows: [insert(4, [1n], [1n, null])] })).toEqual(APPLIED)
    world.mustCommit(bob, { rows: [insert(3, [999n], [null, null])] })
    expectRejected(world, bob, world.draftRecord(bob, { rows: [insert(4, [2n], [1n, null])] }), 'policy', 'check')
  })
})
const MINE_OTHER = eq(other(1), { kind: 'member' })
