/** Refusals of ops on rows, catalog and files that a random life seldom meets, one by one: by the engine and by what was written from PROTOCOL.md alone. */
import { beforeAll, describe, expect, it } from 'vitest'
import { type PublicObject } from '../../engine/space/catalog.js'
import { fileIdOf } from '../../engine/space/file-record.js'
import { type PublicShape } from '../../engine/space/policy.js'
import { type Op } from '../../engine/space/ops/index.js'
import { type PolicyExpression } from '../../engine/space/types.js'
import { crypto, type Person } from '../space/world.js'
import { Both } from './both.js'
import { encodeKey } from './formats.mjs'
import { ROWS } from './refusals.js'

const reached = new Set<string>()
let both: Both
let ada: Person
let bob: Person
let dora: Person
let eve: Person
const keyOf = (n: number): Uint8Array => encodeKey(Buffer.alloc(0), [BigInt(n)])
const object = (shape: Partial<PublicShape> = {}): PublicObject => ({ kind: 'table', parent: undefined, table: { key: 'plain', plain: [], indexes: [], policies: [], ...shape } })
const view: PublicObject = { kind: 'view', parent: undefined, table: undefined }
const PLAIN = [{ id: 1, type: 'integer' as const, notNull: true }, { id: 2, type: 'text' as const, notNull: false }]
const INDEXES = [{ id: 1, kind: 'plain' as const, unique: true, columns: [1] }, { id: 2, kind: 'blind' as const, unique: true, columns: [7] }, { id: 3, kind: 'plain' as const, unique: false, columns: [2] }]
const rich = object({ plain: PLAIN, indexes: INDEXES })
const create = (id: number, of: PublicObject, name = id, more: Partial<Extract<Op, { op: 'create' }>> = {}): Op => ({ op: 'create', id, object: of, nameToken: both.token(name), sealed: both.sealed(), ...more })
const replace = (id: number, of: PublicObject, more: Partial<Extract<Op, { op: 'replace' }>> = {}): Op => ({ op: 'replace', id, object: of, nameToken: undefined, sealed: both.sealed(), ...more })
const put = (op: 'insert' | 'update', key: number, more: Partial<Extract<Op, { op: 'insert' | 'update' }>> = {}, n = key): Op =>
  ({ op, table: 1, rowKey: keyOf(key), plain: [BigInt(n), 'a'], tokens: [{ index: 2, token: both.token(n) }], sealed: both.sealed(), ...more })

beforeAll(() => {
  both = new Both(21, reached)
  ;({ ada, bob, dora, eve } = both.people())
  const policies = [{ command: 'update' as const, roles: [], using: { kind: 'constant' as const, value: 0n } }, { command: 'insert' as const, roles: [], check: { kind: 'constant' as const, value: null } }]
  both.applies(ada, [create(1, rich), create(2, object({ key: 'blinded' })), create(3, object({ policies })), create(4, view)])
  both.applies(ada, [put('insert', 1), put('insert', 2), { op: 'insert', table: 2, rowKey: both.token(1), plain: [], tokens: [], sealed: both.sealed() }])
})

describe('catalog', () => {
  it('order, number, ids, names, rights', () => {
    both.refuses(ada, [put('update', 1), create(5, view)], 'rule order')
    both.refuses(ada, Array.from({ length: 257 }, (): Op => ({ op: 'reseal-object', id: 4, sealed: both.sealed(77) })), 'rule catalog-ops')
    both.refuses(ada, [create(9, view)], 'conflict id')
    both.refuses(ada, [create(5, view, 5, { nameToken: both.token(5, 7) })], 'rule name-generation')
    both.refuses(ada, [replace(4, view, { nameToken: both.token(5, 7) })], 'rule name-generation')
    both.refuses(ada, [create(5, view, 1)], 'conflict name')
    both.refuses(ada, [replace(4, view, { nameToken: both.token(4) })], 'conflict name')
    both.refuses(ada, [{ op: 'drop', id: 77 }], 'conflict object')
    both.refuses(ada, [create(5, { ...view, parent: 77 })], 'conflict object')
    both.refuses(dora, [{ op: 'drop', id: 4 }], 'conflict catalog-version', { base: both.world.headAt(3) })
    both.refuses(bob, [{ op: 'drop', id: 4 }], 'role not-creator')
    both.refuses(bob, [create(5, { ...view, kind: 'trigger', parent: 1 })], 'role not-creator')
    both.refuses(ada, [{ op: 'reblind-object', id: 1, nameToken: both.token(8), sealed: both.sealed() }], 'conflict generation')
    both.refuses(bob, [{ op: 'reseal-object', id: 1, sealed: both.sealed() }], 'role admin')
    both.refuses(ada, [create(5, view, 5, { sealed: new Uint8Array(76).fill(1) })], 'rule sealed-form')
    both.refuses(ada, [create(5, view, 5, { sealed: both.sealed(77, 9) })], 'rule sealed-epoch')
  })

  it('shapes', () => {
    const shapes: PublicObject[] = [
      { ...view, kind: 'table' }, { ...rich, kind: 'view' }, { ...rich, parent: 1 }, object({ plain: [...PLAIN].reverse() }), object({ indexes: [{ id: 1, kind: 'blind', unique: false, columns: [] }] }),
      object({ indexes: [{ id: 1, kind: 'plain', unique: false, columns: [1] }] }), object({ plain: PLAIN, indexes: INDEXES.map((index) => ({ ...index, id: 4 })) }),
    ]
    for (const of of shapes) both.refuses(ada, [create(5, of)], 'rule shape')
    const inner: PolicyExpression = { kind: 'exists', table: 1, prefix: [] }
    const other: PolicyExpression = { kind: 'column', of: 'other', column: 1 }
    const bad: PolicyExpression[] = [{ kind: 'column', of: 'row', column: 3 }, other, { kind: 'exists', table: 1, prefix: [other] }, { kind: 'exists', table: 1, prefix: [], where: { kind: 'not', value: inner } }]
    const policed = (using: PolicyExpression): PublicObject => object({ plain: PLAIN, policies: [{ command: 'all', roles: [], using }] })
    for (const using of bad) both.refuses(ada, [create(5, policed(using))], 'rule policy-shape')
    both.tries(both.record(ada, [create(5, policed({ kind: 'exists', table: 1, prefix: [inner], where: other }))]), 'applied')
  })

  it('replacements', () => {
    both.refuses(ada, [replace(4, { ...view, kind: 'trigger' })], 'rule kind-changed')
    both.refuses(ada, [replace(4, { ...view, parent: 1 })], 'rule kind-changed')
    both.refuses(ada, [replace(1, object({ ...rich.table, key: 'blinded' }))], 'rule key-changed')
    for (const plain of [PLAIN.slice(0, 1), [{ ...PLAIN[0], id: 1, type: 'any' as const, notNull: true }, ...PLAIN.slice(1)], [...PLAIN.slice(0, 1), { id: 2, type: 'text' as const, notNull: true }]]) {
      both.refuses(ada, [replace(1, object({ plain, indexes: plain.length > 1 ? INDEXES : [] }))], 'rule column-changed')
    }
    both.refuses(ada, [replace(1, object({ plain: PLAIN, indexes: INDEXES.with(2, { id: 3, kind: 'plain', unique: true, columns: [2] }) }))], 'rule index-changed')
    const added = object({ plain: PLAIN, indexes: [...INDEXES, { id: 4, kind: 'plain', unique: true, columns: [2] }] })
    both.refuses(ada, [replace(1, added)], 'conflict index-incomplete')
    both.refuses(ada, [replace(1, added), put('update', 1), put('update', 2)], 'conflict unique')
    both.tries(both.record(ada, [replace(1, added), put('update', 1), put('update', 2, { plain: [2n, 'b'] })]), 'applied')
    both.tries(both.record(ada, [replace(1, added), { op: 'drop', id: 1 }]), 'applied')
    // An index goes and comes again under its number: what it held counts for nothing, and no row holds on to it.
    const without = object({ plain: PLAIN, indexes: INDEXES.slice(1) })
    both.tries(both.record(ada, [replace(1, without), replace(1, rich), put('update', 1, {}, 2), put('update', 2, {}, 1)]), 'applied')
    both.refuses(ada, [replace(1, without), replace(1, rich), put('update', 1)], 'conflict index-incomplete')
  })
})

describe('rows', () => {
  it('conflicts and policies', () => {
    both.refuses(ada, [put('insert', 3, { table: 4 })], 'conflict table')
    both.refuses(dora, [put('update', 1)], 'conflict catalog-version', { base: both.world.headAt(3) })
    both.refuses(ada, [put('update', 1), put('update', 1)], 'rule repeated-key')
    both.refuses(ada, [put('insert', 1)], 'conflict present')
    both.refuses(ada, [put('update', 9)], 'conflict absent')
    both.refuses(bob, [put('update', 1)], 'conflict row-version', { base: both.world.headAt(both.world.records.length - 1) })
    const plain = { table: 3, plain: [], tokens: [] }
    both.refuses(ada, [put('insert', 1, plain)], 'policy check')
    both.applies(ada, [replace(3, object()), put('insert', 1, plain)])
    both.applies(ada, [replace(3, object({ policies: [{ command: 'update', roles: [], check: { kind: 'constant', value: 1n } }] }))])
    both.refuses(ada, [put('update', 1, plain)], 'policy using')
    both.tries(both.record(ada, [{ op: 'delete', table: 3, rowKey: keyOf(1) }]), 'applied')
    both.refuses(ada, [{ op: 'delete', table: 3, rowKey: keyOf(1) }, put('insert', 1, plain)], 'rule repeated-key')
    both.refuses(bob, [{ op: 'upgrade', version: 2 }], 'role owner')
    both.refuses(eve, [put('insert', 9)], 'role writer')
  })

  it('what a row must be', () => {
    both.refuses(ada, [put('update', 1, { plain: [1n] })], 'rule plain-count')
    both.refuses(ada, [put('update', 1, { plain: [null, 'a'] })], 'rule not-null')
    both.refuses(ada, [put('update', 1, { plain: [1n, 2n] })], 'rule plain-type')
    const strict = object({ plain: PLAIN.map((column) => ({ ...column, notNull: true })) })
    both.refuses(ada, [create(5, strict), put('insert', 1, { table: 5, plain: ['a', null], tokens: [] })], 'rule plain-type')
    for (const rowKey of [Uint8Array.of(0), Uint8Array.of(0x11, 2), Uint8Array.of(0x11, 2, 0, 0), keyOf(4).with(0, 0x21)]) both.refuses(ada, [put('insert', 4, { rowKey })], 'rule row-key')
    for (const rowKey of [both.token(2, 2), both.token(2).slice(1)]) both.refuses(ada, [put('insert', 1, { table: 2, rowKey, plain: [], tokens: [] })], 'rule row-key')
    both.refuses(ada, [put('update', 1, { sealed: both.sealed().with(0, 2) })], 'rule sealed-form')
    both.refuses(ada, [put('update', 1, { sealed: both.sealed(80, 0) })], 'rule sealed-epoch')
    const token = both.token(1)
    for (const tokens of [[], [{ index: 1, token }], [{ index: 2, token }, { index: 2, token }], [{ index: 2, token: both.token(1, 2) }]]) both.refuses(ada, [put('update', 1, { tokens })], 'rule tokens')
    both.refuses(ada, [put('update', 1, { plain: [1n, 'x'.repeat(300)] })], 'rule key-too-long')
    both.refuses(ada, [put('update', 1, { sealed: both.sealed(2 ** 24 - 20) })], 'rule too-large')
    const held = { table: 1, rowKey: keyOf(1), sealed: both.sealed() }
    both.refuses(ada, [{ op: 'reseal', ...held, tokens: [{ index: 2, token: both.token(5) }] }], 'rule reseal-token')
    both.refuses(ada, [{ op: 'rekey', ...held, newKey: both.token(5), tokens: [] }], 'rule row-key')
    both.refuses(bob, [{ op: 'reseal', ...held, tokens: [{ index: 2, token }] }], 'role admin')
  })

  it('unique values: at once, at the end, swapped, and kept by who is asked for it', () => {
    both.refuses(ada, [put('insert', 3, {}, 8), put('insert', 4, {}, 8)], 'conflict unique')
    both.refuses(ada, [put('insert', 3, {}, 1)], 'conflict unique')
    both.refuses(ada, [put('insert', 3, {}, 1), put('update', 1)], 'conflict unique')
    both.refuses(ada, [put('update', 1), put('insert', 3, {}, 1)], 'conflict unique')
    for (const ops of [[put('update', 1, {}, 2), put('update', 2, {}, 1)], [put('insert', 3, {}, 1), put('update', 1, {}, 9)], [put('insert', 3, {}, 1), { op: 'delete' as const, table: 1, rowKey: keyOf(1) }]]) both.tries(both.record(ada, ops), 'applied')
  })
})

it('files', () => {
  const facts = { length: 3, root: new Uint8Array(32), commitment: new Uint8Array(32).fill(1) }
  const id = fileIdOf(crypto, both.world.spaceId, facts)
  const file: Op = { op: 'file.put', ...facts, id, sealed: both.sealed(525) }
  both.refuses(bob, [{ ...file, length: 4 } as Op], 'rule file-id')
  both.refuses(bob, [file, { op: 'file.delete', id }], 'rule repeated-key')
  both.refuses(bob, [{ op: 'file.delete', id }], 'conflict absent')
  both.applies(bob, [file])
  both.refuses(bob, [file], 'conflict present')
  both.refuses(dora, [{ op: 'file.delete', id }], 'conflict file-version', { base: both.world.headAt(both.world.records.length - 1) })
  both.refuses(dora, [{ op: 'file.reseal', id, sealed: both.sealed(525, 9) }], 'rule sealed-epoch')
  const carl = both.join('carl', 'writer')
  both.refuses(carl, [{ op: 'file.delete', id }], 'role not-creator')
  both.tries(both.record(dora, [{ op: 'file.delete', id }]), 'applied')
})

it('rights outside the group are those of the entry\'s beginning', () => {
  const demote: Op = { op: 'member.role', member: dora.member, from: 'admin', to: 'writer' }
  const zoe = both.join('zoe', 'owner')
  const self: Op = { op: 'member.role', member: zoe.member, from: 'owner', to: 'reader' }
  both.refuses(dora, [demote], 'role handle')
  both.tries(both.record(zoe, [self, put('update', 1), { op: 'relay', relay: undefined }]), 'applied')
  both.refuses(zoe, [self, { ...demote, to: 'reader' }], 'role handle')
})

it('in an epoch that nobody has delivered yet', () => {
  both.applies(bob, [{ op: 'member.remove', member: bob.member }])
  const facts = { length: 9, root: new Uint8Array(32), commitment: new Uint8Array(32) }
  const writes: Op[] = [put('update', 1), create(5, view), { op: 'file.put', ...facts, id: fileIdOf(crypto, both.world.spaceId, facts), sealed: both.sealed(525, 1) }]
  for (const op of writes) both.refuses(ada, [op], 'rule epoch-void')
})

it('each refusal of an op on rows, catalog and files was met', () => {
  expect(ROWS.filter((name) => !reached.has(name))).toEqual([])
})
