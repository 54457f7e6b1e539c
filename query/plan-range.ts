/**
 * From conditions on one occurrence of a table to ranges of its rows: rules (d) to (g) of "which ranges a statement implies" (query/README.md). What
 * comes out holds at least every row for which all conditions are true; more is harmless, less is a wrong answer.
 */
import { type SqlValue } from '../engine/codec/value.js'
import { MAX_PLAN_POINTS } from '../engine/limits.js'
import { compareValues } from '../engine/space/compare.js'
import { type ColumnId, type RowRange } from '../engine/space/types.js'
import { type Constants } from './evaluate.js'
import { canonicalValue, type Collation } from './keys.js'
import { type RelationForm } from './relation-form.js'
import { type ColumnRef, type Expr } from './sql/ast.js'
import { findAll } from './sql/visit.js'
import { sameName } from './sql/names.js'
import { type Affinity } from './sqlite/form.js'

/** The rowid of a table without a declared key, where column ids are asked for. */
export const ROWID: ColumnId = 0

/** A column of the occurrence in question. */
export interface Target {
  readonly id: ColumnId
  readonly affinity: Affinity
  readonly collation: Collation
}

/** A condition that a row must meet to matter. `target` says whether a column is one of the occurrence's stored columns. */
export interface Term {
  readonly e: Expr
  readonly target: (column: ColumnRef) => Target | undefined
}

/** Ranges, and what reading them is worth: lower is better. */
export interface Choice {
  readonly ranges: readonly RowRange[]
  readonly cost: number
}

/** The best ranges that `terms`, all true, imply; undefined: the whole table. */
export function impliedRanges(relation: RelationForm, terms: readonly Term[], known: Constants): Choice | undefined {
  const bounds = new Map<ColumnId, Bound>()
  const choices: Choice[] = []
  for (const { e, target } of terms.flatMap(conjuncts)) {
    if (e.kind === 'binary' && e.operator === 'or') {
      const union = unionOf(relation, disjuncts(e).map((arm) => ({ e: arm, target })), known)
      if (union !== undefined) choices.push(union)
      continue
    }
    for (const { column, bound } of boundsOf(e, target, known)) bounds.set(column, narrow(bounds.get(column), bound))
  }
  for (const bound of bounds.values()) if (bound.points?.length === 0) return { ranges: [], cost: 0 }
  return cheapest(relation, bounds, choices)
}

/** Of what the table's paths make of these bounds, and of `others`; of equal ones the first. */
export function cheapest(relation: RelationForm, bounds: ReadonlyMap<ColumnId, Bound>, others: readonly Choice[] = []): Choice | undefined {
  const choices = [...others, ...pathsOf(relation).flatMap((path) => alongPath(path, bounds) ?? [])]
  return choices.reduce<Choice | undefined>((best, each) => (best === undefined || each.cost < best.cost ? each : best), undefined)
}

/** An access path that the engine can serve. */
export interface Path {
  readonly index: number | undefined
  readonly columns: readonly ColumnId[]
  readonly collations: readonly Collation[]
  readonly plain: boolean
  readonly unique: boolean
}

export function pathsOf(relation: RelationForm): readonly Path[] {
  const key: Path = {
    index: undefined, columns: relation.key.length > 0 ? relation.key : [ROWID], collations: relation.keyCollations, plain: relation.shape.key === 'plain', unique: true,
  }
  return [key, ...relation.shape.indexes.map(({ id, kind, unique, columns }, i): Path => ({ index: id, columns, collations: relation.collations[i] ?? [], plain: kind === 'plain', unique }))]
}

export function pointRange(path: Path, values: readonly SqlValue[]): RowRange {
  return path.index === undefined ? { kind: 'key', key: values } : { kind: 'index', index: path.index, values }
}

/** What is known of one column's value. It is never NULL. Values are canonical under `collation`. */
export interface Bound {
  readonly collation: Collation
  /** One of these; empty: no row. */
  readonly points?: readonly SqlValue[]
  /** Inclusive: a row too many does no harm. */
  readonly lo?: SqlValue
  readonly hi?: { readonly value: SqlValue; readonly inclusive: boolean }
}

function unionOf(relation: RelationForm, arms: readonly Term[], known: Constants): Choice | undefined {
  const ranges: RowRange[] = []
  let cost = 0
  for (const arm of arms) {
    const choice = impliedRanges(relation, [arm], known)
    if (choice === undefined) return undefined
    ranges.push(...choice.ranges)
    cost += choice.cost
  }
  return ranges.length > MAX_PLAN_POINTS ? undefined : { ranges, cost }
}

function conjuncts({ e, target }: Term): readonly Term[] {
  return e.kind === 'binary' && e.operator === 'and' ? [...conjuncts({ e: e.left, target }), ...conjuncts({ e: e.right, target })] : [{ e, target }]
}
function disjuncts(e: Expr): readonly Expr[] {
  return e.kind === 'binary' && e.operator === 'or' ? [...disjuncts(e.left), ...disjuncts(e.right)] : [e]
}

interface Found { readonly column: ColumnId; readonly bound: Bound }

const MIRRORED: Readonly<Record<string, string>> = { '=': '=', is: 'is', 'is not distinct from': 'is', '<': '>', '<=': '>=', '>': '<', '>=': '<=' }

/** Rule (d). */
function boundsOf(e: Expr, target: Term['target'], known: Constants): readonly Found[] {
  switch (e.kind) {
    case 'binary': {
      const mirrored = MIRRORED[e.operator]
      if (mirrored === undefined) return []
      const operator = e.operator === 'is not distinct from' ? 'is' : e.operator
      return [...comparison(e.left, operator, e.right, target, known), ...comparison(e.right, mirrored, e.left, target, known)]
    }
    case 'between':
      return e.not ? [] : [...comparison(e.operand, '>=', e.low, target, known), ...comparison(e.operand, '<=', e.high, target, known)]
    case 'in': {
      const column = columnOf(e.operand, target)
      if (e.not || e.set.kind !== 'list' || column === undefined || e.set.items.length > MAX_PLAN_POINTS) return []
      const points: SqlValue[] = []
      for (const item of e.set.items) {
        const value = operand(item, column, known)
        if (value === undefined) return []
        if (value !== null) points.push(value)
      }
      return [{ column: column.id, bound: { collation: column.collation, points: distinct(points) } }]
    }
    default:
      return []
  }
}

function comparison(left: Expr, operator: string, right: Expr, target: Term['target'], known: Constants): readonly Found[] {
  const column = columnOf(left, target)
  const value = column && operand(right, column, known)
  if (column === undefined || value === undefined) return []
  const { id, collation } = column
  const found = (bound: Omit<Bound, 'collation'>): readonly Found[] => [{ column: id, bound: { collation, ...bound } }]
  // IS NULL is no range; anything else with NULL is never true.
  if (value === null) return operator === 'is' ? [] : found({ points: [] })
  switch (operator) {
    case '=': case 'is':
      return found({ points: [value] })
    case '<': case '<=':
      return found({ hi: { value, inclusive: operator === '<=' } })
    default:
      return found({ lo: value })
  }
}

const columnOf = (e: Expr, target: Term['target']): Target | undefined => (e.kind === 'column' ? target(e) : undefined)

/** The other side as the column's values are compared with it; undefined: no constant, or the comparison would be another. */
function operand(e: Expr, { affinity, collation }: Target, known: Constants): SqlValue | undefined {
  // A COLLATE of its own would decide the comparison, and a CAST's affinity could convert the column.
  if (findAll(e, 'collate').some((each) => !sameName(each.collation.text, collation))) return undefined
  const numeric = isNumeric(affinity)
  if (!numeric && findAll(e, 'cast').length > 0) return undefined
  // So would a column that a constant stands for.
  if (known.columnOf !== undefined && findAll(e, 'parameter').some(({ number }) => !isComparedAlike({ affinity, collation }, known.columnOf?.(number)))) return undefined
  const value = known.value(e)
  return value === undefined ? undefined : canonicalValue(known.convert(value, affinity), collation)
}

const isNumeric = (affinity: Affinity): boolean => affinity === 'integer' || affinity === 'real' || affinity === 'numeric'

/** Comparing a column with that other one is comparing it with the other's value. */
function isComparedAlike({ affinity, collation }: Pick<Target, 'affinity' | 'collation'>, other: Pick<Target, 'affinity' | 'collation'> | undefined): boolean {
  if (other === undefined) return true
  return other.collation === collation && (isNumeric(affinity) || other.affinity === affinity || other.affinity === 'blob')
}

function narrow(a: Bound | undefined, b: Bound): Bound {
  if (a === undefined) return b
  if (a.points !== undefined || b.points !== undefined) {
    const [points, other] = a.points !== undefined && (b.points === undefined || a.points.length <= b.points.length) ? [a.points, b] : [b.points ?? [], a]
    return { collation: a.collation, points: points.filter((point) => within(point, other)) }
  }
  const lo = a.lo === undefined || (b.lo !== undefined && compareValues(b.lo, a.lo) > 0) ? b.lo : a.lo
  const hi = a.hi === undefined || (b.hi !== undefined && compareValues(b.hi.value, a.hi.value) < 0) ? b.hi : a.hi
  return { collation: a.collation, ...(lo !== undefined && { lo }), ...(hi !== undefined && { hi }) }
}

function within(point: SqlValue, { points, lo, hi }: Bound): boolean {
  if (points !== undefined) return points.some((each) => compareValues(each, point) === 0)
  return (lo === undefined || compareValues(point, lo) >= 0) && (hi === undefined || compareValues(point, hi.value) <= 0)
}

function distinct(values: readonly SqlValue[]): readonly SqlValue[] {
  return [...values].sort(compareValues).filter((value, i, all) => i === 0 || compareValues(value, all[i - 1] as SqlValue) !== 0)
}

/** Rules (e) and (f). */
function alongPath(path: Path, bounds: ReadonlyMap<ColumnId, Bound>): Choice | undefined {
  let tuples: readonly (readonly SqlValue[])[] = [[]]
  let fixed = 0
  for (; fixed < path.columns.length; fixed++) {
    const points = boundAt(path, fixed, bounds)?.points
    if (points === undefined) break
    if (tuples.length * points.length > MAX_PLAN_POINTS) return undefined
    tuples = tuples.flatMap((tuple) => points.map((point) => [...tuple, point]))
  }
  if (fixed === path.columns.length) {
    return { ranges: tuples.map((tuple) => pointRange(path, tuple)), cost: tuples.length * (path.index === undefined ? 1 : path.unique ? 2 : 50) }
  }
  if (!path.plain) return undefined
  const next = boundAt(path, fixed, bounds)
  if (fixed === 0 && next === undefined) return undefined
  const ranges = tuples.flatMap((tuple) => between(path, tuple, next))
  const cost = 1_000_000 / (1 + 10 * fixed + (next?.lo !== undefined ? 3 : 0) + (next?.hi !== undefined ? 3 : 0)) + tuples.length
  return { ranges, cost }
}

/** Of the column at that place of the path, if it is compared as the path orders it. */
function boundAt(path: Path, at: number, bounds: ReadonlyMap<ColumnId, Bound>): Bound | undefined {
  const bound = bounds.get(path.columns[at] as ColumnId)
  return bound !== undefined && bound.collation === (path.collations[at] ?? 'BINARY') ? bound : undefined
}

/** All that begins with `prefix` and goes on within `bound`. One range even over mixed classes: keys lie in SQLite's order of classes, NULL below all. */
function between(path: Path, prefix: readonly SqlValue[], bound: Bound | undefined): readonly RowRange[] {
  const { lo: least, hi: most } = bound ?? {}
  if (least !== undefined && most !== undefined && compareValues(least, most.value) > 0) return []
  const lo = bound === undefined ? prefix : [...prefix, least ?? -Infinity]
  const above = most === undefined ? undefined : most.inclusive ? justAbove(most.value) : most.value
  const hi = above !== undefined ? [...prefix, above] : following(prefix)
  const limits = { lo, ...(hi !== undefined && { hi }) }
  return [path.index === undefined ? { kind: 'key-range', ...limits } : { kind: 'index-range', index: path.index, ...limits }]
}

/** A tuple above everything that begins with `prefix`. */
function following(prefix: readonly SqlValue[]): readonly SqlValue[] | undefined {
  for (let length = prefix.length; length > 0; length--) {
    const above = justAbove(prefix[length - 1] as SqlValue)
    if (above !== undefined) return [...prefix.slice(0, length - 1), above]
  }
  return undefined
}

/** A value above `value`, with nothing or little between. */
function justAbove(value: SqlValue): SqlValue | undefined {
  if (typeof value === 'bigint') return value < 2n ** 63n - 1n ? value + 1n : 2 ** 63
  if (typeof value === 'number') return value === Infinity ? '' : nextUp(value)
  if (typeof value === 'string') return `${value}\0`
  if (value === null) return -Infinity
  const longer = new Uint8Array(value.length + 1)
  longer.set(value)
  return longer
}

function nextUp(value: number): number {
  const view = new DataView(new ArrayBuffer(8))
  view.setFloat64(0, value + 0)
  const bits = view.getBigInt64(0)
  view.setBigInt64(0, value >= 0 ? bits + 1n : bits - 1n)
  return view.getFloat64(0)
}
