/**
 * Which rows a row that is written is compared with, beside itself: those with its key or a unique value of its own, the parents that it refers to, the
 * children that refer to it. Rule (i) of "which ranges a statement implies", for values that are known.
 */
import { type SqlValue } from '../engine/codec/value.js'
import { type RowRange } from '../engine/space/types.js'
import { type Constants } from './evaluate.js'
import { type Bound, cheapest, pathsOf, ROWID, type Path, type Target } from './plan-range.js'
import { canonicalValue } from './keys.js'
import { type PolicyColumn } from './policies.js'
import { type Reference, type RelationForm } from './relation-form.js'
import { sameName } from './sql/names.js'

/** A row by its columns; `undefined` is the rowid. */
export type ValueOf = (column: PolicyColumn | undefined) => SqlValue

/** `undefined`: which, its values don't tell. */
export type Lookup = readonly RowRange[] | undefined

/** Rows under its key, if `key`, and with its unique values, if one of their columns has `moved`. */
export function rivals(relation: RelationForm, valueOf: ValueOf, known: Constants, key: boolean, moved?: (id: number) => boolean): Lookup {
  const ranges: RowRange[] = []
  for (const path of pathsOf(relation)) {
    if (!path.unique || (path.index === undefined ? !key : moved !== undefined && !path.columns.some(moved))) continue
    const equal = path.columns.map((id, i) => ({ column: targetOf(relation, path, i), value: valueOf(columnOf(relation, id)) }))
    // Where a declared key holds NULL the rowid joins it, which is each device's own.
    if (path.index === undefined && equal.some(({ value }) => value === null)) return undefined
    const found = rangesOfValues(relation, equal, known)
    if (found === undefined) return undefined
    ranges.push(...found)
  }
  return ranges
}

/** The parent's row that a child's values name. */
export function parentOf(parent: RelationForm, reference: Reference, child: RelationForm, valueOf: ValueOf, known: Constants): Lookup {
  const to = parentColumns(parent, reference)
  const from = columnsOf(child, reference.from)
  if (to === undefined || from === undefined) return undefined
  return rangesOfValues(parent, to.map((column, i) => ({ column: asTarget(column), value: valueOf(from[i]) })), known)
}

/** The child's rows that refer to a parent's values. */
export function childrenOf(child: RelationForm, reference: Reference, parent: RelationForm, valueOf: ValueOf, known: Constants): Lookup {
  const to = parentColumns(parent, reference)
  const from = columnsOf(child, reference.from)
  if (to === undefined || from === undefined) return undefined
  // Compared as the parent's column is, the child's values might be found elsewhere than where they lie.
  const alike = from.every(({ id, affinity, collation }, i) => id !== undefined && affinity === to[i]?.affinity && collation === to[i].collation)
  return alike ? rangesOfValues(child, from.map((column, i) => ({ column: asTarget(column), value: valueOf(to[i]) })), known) : undefined
}

/** What a reference is to, if that is the parent's key or unique there; else SQLite refuses to look (a mismatch). */
export function parentColumns(parent: RelationForm, { from, to }: Reference): readonly PolicyColumn[] | undefined {
  const columns = to === undefined ? parent.key.map((id) => columnOf(parent, id)) : columnsOf(parent, to)
  if (columns === undefined || columns.length !== from.length || columns.length === 0) return undefined
  const isPlaced = (path: Path): boolean => path.unique && path.columns.length === columns.length
    && columns.every((column) => column !== undefined && path.columns.some((id, i) => id === column.id && (path.collations[i] ?? 'BINARY') === column.collation))
  return pathsOf(parent).some(isPlaced) ? (columns as readonly PolicyColumn[]) : undefined
}

/** Of rows in which these columns have these values. */
function rangesOfValues(relation: RelationForm, equal: readonly { readonly column: Target; readonly value: SqlValue }[], known: Constants): Lookup {
  const bounds = new Map<number, Bound>()
  for (const { column: { id, affinity, collation }, value } of equal) {
    if (value === null) return []
    bounds.set(id, { collation, points: [canonicalValue(known.convert(value, affinity), collation)] })
  }
  return cheapest(relation, bounds)?.ranges
}

function columnsOf(relation: RelationForm, names: readonly string[]): readonly PolicyColumn[] | undefined {
  const columns = names.map((name) => relation.columns.find((each) => sameName(each.name, name)))
  return columns.every((each) => each !== undefined) ? columns : undefined
}

const columnOf = (relation: RelationForm, id: number): PolicyColumn | undefined => (id === ROWID ? undefined : relation.columns.find((each) => each.id === id))

/** A column as a place of a path compares it. */
function targetOf(relation: RelationForm, path: Path, i: number): Target {
  const id = path.columns[i] ?? ROWID
  return { id, affinity: columnOf(relation, id)?.affinity ?? 'integer', collation: path.collations[i] ?? 'BINARY' }
}

const asTarget = ({ id = ROWID, affinity, collation }: PolicyColumn): Target => ({ id, affinity, collation })
