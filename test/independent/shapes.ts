/** Tables of a random life: columns, indexes and policies of every sort, values for them, and what becomes of a table when it is replaced. */
import { type SqlValue } from '../../engine/codec/value.js'
import { type PublicShape } from '../../engine/space/policy.js'
import { type PlainType, type PolicyExpression } from '../../engine/space/types.js'
import { type Dice } from './mutation.js'

type PublicPolicy = PublicShape['policies'][number]
const TYPES: readonly PlainType[] = ['integer', 'real', 'text', 'blob', 'any']
const VALUES: Readonly<Record<PlainType, readonly SqlValue[]>> = {
  integer: [0n, 1n, 2n, 3n, -1n, 2n ** 62n], real: [0.5, -1.5, 1, 2 ** 70], text: ['', 'a', 'b', 'writer', 'x'.repeat(130)], blob: [new Uint8Array(0), Uint8Array.of(1), new Uint8Array(70)], any: [1n, 0.5, 'a', Uint8Array.of(0)],
}
const COMPARISONS = ['=', '<>', '<', '<=', '>', '>=', 'is', 'is-not'] as const

export function valueFor(type: PlainType, notNull: boolean, dice: Dice): SqlValue {
  if (dice.roll(40) === 0) return dice.pick(['a', 1n, null])
  return !notNull && dice.roll(5) === 0 ? null : dice.roll(60) === 0 && type === 'text' ? 'y'.repeat(300) : dice.pick(VALUES[type])
}

/** `inside`: an `exists`, with another row. */
export function randomExpression(dice: Dice, columns: readonly number[], tables: readonly number[], depth = 3, inside = false): PolicyExpression {
  const deeper = (within = inside): PolicyExpression => randomExpression(dice, columns, tables, depth - 1, within)
  const leaf = (): PolicyExpression => {
    switch (dice.roll(6)) {
      case 0: return { kind: 'constant', value: valueFor(dice.pick(TYPES), false, dice) }
      case 1: return { kind: dice.pick(['creator', 'member', 'role']) }
      default: return columns.length === 0 ? { kind: 'member' } : { kind: 'column', of: inside && dice.roll(2) === 0 ? 'other' : 'row', column: dice.roll(60) === 0 ? 9 : dice.pick(columns) }
    }
  }
  if (depth === 0) return leaf()
  switch (dice.roll(9)) {
    case 0: return leaf()
    case 1: return { kind: dice.pick(['not', 'is-null', 'not-null']), value: deeper() }
    case 2: case 3: return { kind: dice.pick(['and', 'or']), left: deeper(), right: deeper() }
    case 4: return { kind: 'in', value: deeper(), list: Array.from({ length: dice.roll(4) }, () => deeper()) }
    case 5: case 6:
      if (inside && dice.roll(8) > 0) return leaf()
      return {
        kind: 'exists', table: dice.roll(9) === 0 ? 99 : (tables.length > 0 ? dice.pick(tables) : 1), ...(dice.roll(2) === 0 && { index: 1 + dice.roll(3) }), prefix: Array.from({ length: dice.roll(3) }, () => deeper(false)),
        ...(dice.roll(4) > 0 && { where: deeper(true) }),
      }
    default: return { kind: dice.pick(COMPARISONS), left: deeper(), right: deeper() }
  }
}

function randomPolicy(dice: Dice, columns: readonly number[], tables: readonly number[]): PublicPolicy {
  const roles = (['owner', 'admin', 'writer', 'reader'] as const).filter(() => dice.roll(3) === 0)
  const always: PolicyExpression = { kind: 'constant', value: 1n }
  const clause = (): PolicyExpression => (dice.roll(3) === 0 ? randomExpression(dice, columns, tables) : always)
  return { command: dice.pick(['insert', 'update', 'delete', 'all']), roles, ...(dice.roll(5) > 0 && { using: clause() }), ...(dice.roll(2) === 0 && { check: clause() }) }
}

export function randomShape(dice: Dice, tables: readonly number[]): PublicShape {
  const plain = Array.from({ length: dice.roll(4) }, (_, i) => ({ id: i + 1, type: dice.pick(TYPES), notNull: dice.roll(4) === 0 }))
  const shape: PublicShape = { key: dice.pick(['plain', 'blinded']), plain, indexes: [], policies: [] }
  return { ...shape, indexes: indexes(dice, shape, dice.roll(3)), policies: policies(dice, shape, tables) }
}
const columnsOf = ({ plain }: PublicShape): number[] => plain.map(({ id }) => id)
const policies = (dice: Dice, shape: PublicShape, tables: readonly number[]): PublicPolicy[] =>
  Array.from({ length: dice.roll(3) === 0 ? 1 + dice.roll(3) : 0 }, () => randomPolicy(dice, columnsOf(shape), tables))

function indexes(dice: Dice, shape: PublicShape, count: number, from = 1): PublicShape['indexes'][number][] {
  return Array.from({ length: count }, (_, i) => {
    const kind = shape.plain.length > 0 && dice.roll(2) === 0 ? 'plain' as const : 'blind' as const
    return { id: from + i, kind, unique: dice.roll(2) === 0, columns: kind === 'plain' ? [dice.pick(columnsOf(shape)), ...columnsOf(shape).slice(0, dice.roll(2))] : [7 + i] }
  })
}

/** Mostly as it may become; now and then as it may not. */
export function replacedShape(shape: PublicShape, dice: Dice, tables: readonly number[]): PublicShape {
  const next = { ...shape, policies: policies(dice, shape, tables) }
  switch (dice.roll(7)) {
    case 0: return next
    case 1: return { ...next, plain: [...shape.plain, { id: (columnsOf(shape).at(-1) ?? 0) + 1, type: dice.pick(TYPES), notNull: dice.roll(3) === 0 }] }
    case 2: return { ...next, indexes: shape.indexes.slice(1) }
    case 3: case 4: {
      const from = shape.indexes.some(({ id }) => id === 1) ? Math.max(...shape.indexes.map(({ id }) => id)) + 1 : 1
      return { ...next, indexes: [...shape.indexes, ...indexes(dice, shape, 1, from)] }
    }
    case 5: return { ...next, plain: shape.plain.map((column) => ({ ...column, notNull: false })) }
    default: return dice.roll(2) === 0 ? randomShape(dice, tables) : next
  }
}
