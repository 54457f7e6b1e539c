/** Shapes, policies and replacements that contradict themselves, wherever in them that is; and policies that look where nobody can (PROTOCOL.md §8.1, §8.5). */
import { beforeEach, describe, expect, it } from 'vitest'
import { encodeUtf8 } from '../../engine/codec/bytes.js'
import { buildLeave } from '../../engine/group/build-epoch.js'
import type { Op } from '../../engine/space/ops/index.js'
import { buildDraft } from '../../engine/space/build.js'
import type { CatalogObject, IndexShape, PolicyExpression } from '../../engine/space/types.js'
import { expectRejected, insert, policy, table, World, type Person } from './support.js'

const APPLIED = { kind: 'applied' }
const one: PolicyExpression = { kind: 'constant', value: 1n }
const own = (column: number): PolicyExpression => ({ kind: 'column', of: 'row', column })
const other = (column: number): PolicyExpression => ({ kind: 'column', of: 'other', column })
const exists = (e: Partial<Extract<PolicyExpression, { kind: 'exists' }>> = {}): PolicyExpression => ({ kind: 'exists', table: 1, prefix: [one], ...e })
const integer = (id: number) => ({ id, type: 'integer' as const, notNull: false })
let world: World
let bob: Person

beforeEach(() => {
  world = new World()
  world.mustCommit(world.ada, { catalog: [{ kind: 'create', object: table(1, { plain: [integer(1)] }), name: 'one' }] })
  bob = world.join('bob', 'writer')
})

const create = (object: CatalogObject, name = 'n'): Uint8Array => world.draftRecord(bob, { catalog: [{ kind: 'create', object, name }] })
const replace = (object: CatalogObject): Uint8Array => world.draftRecord(bob, { catalog: [{ kind: 'replace', object }] })

describe('a policy', () => {
  const places = (e: PolicyExpression): readonly PolicyExpression[] => [
    e,
    ...(['not', 'is-null', 'not-null'] as const).map((kind) => ({ kind, value: e })),
    ...(['and', 'or', '=', '<', 'is', 'is-not'] as const).flatMap((kind): PolicyExpression[] => [{ kind, left: e, right: one }, { kind, left: one, right: e }]),
    { kind: 'in', value: e, list: [one] },
    { kind: 'in', value: one, list: [one, e] },
  ]

  it('names plaintext columns of its own row, and another row inside an EXISTS only, at every place', () => {
    const bad = [...places(own(9)), ...places(other(1)), exists({ prefix: [own(9)] }), exists({ prefix: [one, other(1)] }), ...places(own(9)).map((where) => exists({ where })), ...places(exists()).map((where) => exists({ where }))]
    const shaped = (e: PolicyExpression, clause: 'using' | 'check'): CatalogObject => table(2, { plain: [integer(1)], policies: [policy({ [clause]: e })] })
    for (const e of bad) for (const clause of ['using', 'check'] as const) expectRejected(world, bob, create(shaped(e, clause)), 'rule', 'policy-shape', 0)
    world.mustLand(create(shaped(one, 'using')))
    for (const e of bad.slice(0, 20)) expectRejected(world, bob, replace(shaped(e, 'using')), 'rule', 'policy-shape', 0)
    for (const e of [...places(own(1)), exists({ prefix: [own(1)] }), ...places(other(7)).map((where) => exists({ where })), ...places(own(1)).map((where) => exists({ where }))]) expect(world.tryOut(replace(shaped(e, 'check'))).verdict).toEqual(APPLIED)
  })

  it('that looks where nobody can, does not know: neither it nor its negation grants', () => {
    const blind: IndexShape = { id: 4, kind: 'blind', unique: false, columns: [1] }
    world.mustLand(create(table(2, { key: 'blinded' }), 'blinded'))
    world.mustLand(create(table(3, { plain: [integer(1)], indexes: [blind] }), 'indexed'))
    const unknown = [exists({ table: 2 }), exists({ table: 99 }), exists({ table: 3, index: 4 }), exists({ table: 3, index: 7 })]
    let id = 4
    for (const e of unknown) {
      for (const check of [e, { kind: 'not', value: e } as const, { kind: 'and', left: one, right: { kind: 'not', value: e } } as const]) {
        world.mustLand(create(table(id, { policies: [policy({ command: 'insert', check })] }), `t${id}`))
        expectRejected(world, bob, world.draftRecord(bob, { rows: [insert(id++, [1n])] }), 'policy', 'check', 0)
      }
    }
    world.mustLand(create(table(id, { policies: [policy({ command: 'insert', check: { kind: 'not', value: exists() } })] }), 'known'))
    expect(world.commit(bob, { rows: [insert(id, [1n])] })).toEqual(APPLIED)
  })
})

describe('a shape', () => {
  const index: IndexShape = { id: 1, kind: 'plain', unique: false, columns: [1, 2] }
  const two = (indexes: readonly IndexShape[]): CatalogObject => table(2, { plain: [integer(1), integer(2)], indexes })

  it('has each column and each index once, and no parent', () => {
    for (const object of [table(2, { plain: [integer(1), integer(1)] }), two([index, index]), two([index, { ...index, kind: 'blind' }])]) expectRejected(world, bob, create(object), 'rule', 'shape', 0)
    expectRejected(world, world.ada, world.draftRecord(world.ada, { catalog: [{ kind: 'create', object: { ...table(2), parent: 1 }, name: 'child' }] }), 'rule', 'shape', 0)
    world.mustLand(create(two([index])))
    for (const object of [two([index, index]), table(2, { plain: [integer(1), integer(2), integer(2)], indexes: [index] })]) expectRejected(world, bob, replace(object), 'rule', 'shape', 0)
  })

  it('keeps what an index is, or drops it', () => {
    world.mustLand(create(two([index])))
    for (const change of [{ unique: true }, { kind: 'blind' }, { columns: [1] }, { columns: [1, 2, 2] }, { columns: [2, 1] }] as const) expectRejected(world, bob, replace(two([{ ...index, ...change }])), 'rule', 'index-changed', 0)
    expect(world.land(replace(two([])))).toEqual(APPLIED)
  })

  it('keeps its parent', () => {
    const trigger = { id: 3, kind: 'trigger' as const, sealed: encodeUtf8('t') }
    world.mustLand(create(table(2)))
    world.mustLand(create({ ...trigger, parent: 2 }, 'trigger'))
    expectRejected(world, bob, replace(trigger), 'rule', 'kind-changed', 0)
    expectRejected(world, bob, replace({ ...trigger, parent: 1 }), 'rule', 'kind-changed', 0)
    expect(world.land(replace({ ...trigger, parent: 2 }))).toEqual(APPLIED)
  })
})

describe('an epoch whose secret nobody has delivered', () => {
  it('takes no sealed values: rows, objects', () => {
    const [row, object] = [{ rows: [insert(1, [1n], [1n])] }, { catalog: [{ kind: 'create' as const, object: table(2), name: 'n' }] }]
      .map((draft) => (buildDraft(world.bench(bob), { catalog: [], rows: [], reads: [], ...draft }).ops as readonly Op[])[0] as Extract<Op, { op: 'insert' | 'create' }>)
      .map((op) => ({ ...op, sealed: op.sealed.slice().fill(2, 4, 5) })) as [Op, Op]
    const carl = world.join('carl', 'writer')
    world.mustLand(world.record(carl, buildLeave(world.context(carl), 'member').ops))
    for (const op of [row, object]) {
      expectRejected(world, bob, world.record(bob, [op]), 'epoch')
      expectRejected(world, bob, world.record(bob, [op], { epoch: 2 }), 'rule', 'epoch-void', 0)
    }
  })
})
