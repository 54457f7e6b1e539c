/** PROTOCOL.md §8.5 is enough for policies: what was written from its text alone grants what the engine grants, refuses by the same clause, and counts the same nodes, also where they run out. */
import { describe, expect, it } from 'vitest'
import { compareBytes } from '../../engine/codec/bytes.js'
import { type SqlValue } from '../../engine/codec/value.js'
import { encodeObject, type ObjectRecord } from '../../engine/space/catalog.js'
import { allows, type PolicyWorld, type PublicShape } from '../../engine/space/policy.js'
import { encodeRow, indexEntries, type RowRecord } from '../../engine/space/row-record.js'
import { type PolicyExpression } from '../../engine/space/types.js'
import { objectKey, rowStateKey } from '../../engine/state/keys.js'
import { ROLES } from '../../engine/state/roster.js'
import { seededRandom } from '../space/world.js'
import { Content } from './content.mjs'
import { decode } from './fields.mjs'
import { encodeKey } from './formats.mjs'
import { type Dice } from './mutation.js'
import { refusedBy, type Asking } from './policies.mjs'
import * as records from './records.mjs'
import { randomExpression, valueFor } from './shapes.js'

const MOST = 10_000_000
const TYPES = ['integer', 'any', 'text', 'any'] as const
const plain = TYPES.map((type, i) => ({ id: i + 1, type, notNull: false }))
const indexes = [{ id: 1, kind: 'plain' as const, unique: false, columns: [1] }, { id: 2, kind: 'plain' as const, unique: false, columns: [2, 3] }, { id: 3, kind: 'blind' as const, unique: false, columns: [9] }]
const shapes: readonly PublicShape[] = [{ key: 'plain', plain, indexes, policies: [] }, { key: 'blinded', plain, indexes, policies: [] }]

function dice(seed: number): Dice {
  const random = seededRandom(seed)
  const roll = (n: number): number => { const [a, b] = random(2); return ((a as number) * 256 + (b as number)) % n }
  return { roll, pick: (from) => from[roll(from.length)] as (typeof from)[number] }
}
const valuesOf = (by: Dice): SqlValue[] => plain.map(({ type }) => valueFor(type, false, by)).slice(0, by.roll(8) === 0 ? 2 : 4)

/** Two tables, a plain key and a blinded one, for both. */
function stored(by: Dice, count: number): { readonly theirs: Pick<PolicyWorld, 'table' | 'get' | 'scan'>; readonly content: Content } {
  const rows: { readonly key: Uint8Array; readonly value: Uint8Array }[] = []
  shapes.forEach((table, i) => {
    const id = i + 1
    const object: ObjectRecord = { kind: 'table', parent: undefined, table, version: 1, device: 1, creator: 1, generation: 1, nameToken: new Uint8Array(16), epoch: 1, sealed: new Uint8Array(0) }
    rows.push({ key: objectKey(id), value: encodeObject(object) })
    for (let n = 0; n < count; n++) {
      const rowKey = table.key === 'plain' ? encodeKey(Buffer.alloc(0), by.pick([[BigInt(n)], [BigInt(n % 3), BigInt(n)], ['a', BigInt(n)]])) : new Uint8Array(16).fill(n)
      const row: RowRecord = { version: 1, creator: 1, member: 1, device: 1, epoch: 1, plain: valuesOf(by).map((value) => (typeof value === 'string' ? value.slice(0, 100) : value)), tokens: [{ index: 3, token: new Uint8Array(16).fill(n) }], sealed: new Uint8Array(90) }
      rows.push({ key: rowStateKey(id, rowKey), value: encodeRow(row) })
      for (const entry of indexEntries(id, table, rowKey, row)) rows.push({ key: entry.key, value: entry.rowKey })
    }
  })
  const content = new Content()
  for (const { key, value } of rows) content.set(Buffer.from(key), Buffer.from(value))
  const sorted = content.under(Buffer.alloc(0))
  const scan: PolicyWorld['scan'] = (lo, hi) => sorted.filter(({ key }) => compareBytes(key, lo) >= 0 && (hi === undefined || compareBytes(key, hi) < 0))
  return { theirs: { table: (id) => shapes[id - 1], get: (key) => content.get(Buffer.from(key)), scan }, content }
}

interface Outcome { readonly clause: string; readonly nodes: number }
function both(by: Dice, { theirs, content }: ReturnType<typeof stored>, policies: PublicShape['policies'], from: number): readonly [Outcome, Outcome] {
  const [member, role] = [by.roll(4), by.pick([1, 2, 3])]
  const shape: PublicShape = { key: 'plain', plain, indexes: [], policies }
  const record: ObjectRecord = { kind: 'table', parent: undefined, table: shape, version: 1, device: 1, creator: 1, generation: 1, nameToken: new Uint8Array(16), epoch: 1, sealed: new Uint8Array(0) }
  const command = by.pick(['insert', 'update', 'delete'] as const)
  const [old, now] = [command === 'insert' ? undefined : valuesOf(by), command === 'delete' ? undefined : valuesOf(by)]
  const creator = by.roll(4)
  const world: PolicyWorld = { member, role: ROLES[role] as PolicyWorld['role'], steps: from, ...theirs }
  const of = (values: readonly SqlValue[] | undefined) => values && { plain: values, creator }
  const outcome = allows(world, shape, command, of(old), of(now))
  const work: Asking = { content, authorAtFirst: { member, role }, nodes: from, read: (name, key) => { const found = content.get(key); return found && decode(records[name as 'object'], found) } }
  const { object } = decode(records.object, Buffer.from(encodeObject(record))) as { readonly object: { readonly shape: unknown } }
  const buffers = (values: readonly SqlValue[] | undefined) => values?.map((value) => (value instanceof Uint8Array ? Buffer.from(value) : value))
  const clause = refusedBy(work, object.shape, command, buffers(old), buffers(now), creator) ?? 'allowed'
  return [{ clause: outcome, nodes: world.steps }, { clause, nodes: work.nodes }]
}

/** An `exists` within a `where` no table has: `policy-shape`. */
function nests(e: unknown, inside = false): boolean {
  if (typeof e !== 'object' || e === null) return false
  if ('kind' in e && e.kind === 'exists' && inside) return true
  return Object.entries(e).some(([name, part]) => nests(part, inside || name === 'where'))
}

describe.each([1, 2, 3])('seed %i', (seed) => {
  const by = dice(seed)
  const few = stored(by, 12)
  const clause = (): PolicyExpression => {
    for (;;) {
      const made = randomExpression(by, [1, 2, 3, 4], [1, 1, 1, 2], 4)
      if (!nests(made)) return made
    }
  }
  const policies = (): PublicShape['policies'] => Array.from({ length: 1 + by.roll(3) }, () => ({
    command: by.pick(['insert', 'update', 'delete', 'all'] as const), roles: by.roll(3) === 0 ? [by.pick(ROLES)] : [],
    ...(by.roll(5) > 0 && { using: clause() }), ...(by.roll(3) === 0 && { check: clause() }),
  }))

  it('the same clause refuses, after the same number of nodes', () => {
    const met = new Map<string, number>()
    for (let i = 0; i < 500; i++) {
      const all = policies()
      const [theirs, ours] = both(by, few, all, 0)
      expect(ours, JSON.stringify(all, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))).toEqual(theirs)
      met.set(theirs.clause, (met.get(theirs.clause) ?? 0) + 1)
    }
    expect(Math.min(...['allowed', 'using', 'check'].map((clause) => met.get(clause) ?? 0))).toBeGreaterThan(20)
  })

  it('also where they run out, and where too many rows are looked at', () => {
    const many = stored(by, 270)
    for (let i = 0; i < 60; i++) {
      const [theirs, ours] = both(by, i % 3 === 0 ? many : few, policies(), i % 3 === 0 ? 0 : MOST - by.roll(60))
      expect(ours).toEqual(theirs)
    }
  })
})
