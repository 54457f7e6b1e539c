/** Which rows an INSERT of constants has to look at: those with its key or a unique value of its own. Rule (i). */
import { MAX_PLAN_POINTS } from '../engine/limits.js'
import { type SqlValue } from '../engine/codec/value.js'
import { type RowRange } from '../engine/space/types.js'
import { type Constants } from './evaluate.js'
import { canonicalValue } from './keys.js'
import { type Path, pathsOf, pointRange } from './plan-range.js'
import type { PolicyColumn } from './policies.js'
import { type RelationForm } from './relation-form.js'
import { type Insert, type Row } from './sql/ast.js'
import { sameName } from './sql/names.js'

/** Undefined: that can't be told, so all of them. `draws`: a rowid that is left out, or NULL, is free. */
export function insertProbes(relation: RelationForm, statement: Insert, known: Constants, draws = false): readonly RowRange[] | undefined {
  const core = statement.source?.cores[0]
  if (core?.kind !== 'values' || statement.source?.cores.length !== 1) return undefined
  // Without a declared key the rowid is drawn above the greatest there is.
  if (relation.key.length === 0 && !draws) return undefined
  const drawn = draws && relation.keyIsRowid
  const stored = relation.columns.filter(({ id }) => id !== undefined)
  const columns = statement.columns.length === 0 ? stored : statement.columns.map(({ text }) => relation.columns.find(({ name }) => sameName(name, text)))
  const keyColumns = relation.key.map((id) => relation.columns.find((each) => each.id === id))
  const uniques: readonly (readonly (PolicyColumn | undefined)[] | undefined)[] = [...(keyColumns.length === 0 ? [] : [keyColumns]), ...relation.uniques]
  if (columns.includes(undefined) || core.rows.length * uniques.length > MAX_PLAN_POINTS) return undefined
  const ranges: RowRange[] = []
  for (const unique of uniques) {
    const path = unique && pathFor(relation, unique, unique === keyColumns)
    if (unique === undefined || path === undefined) return undefined
    const places = unique.map((column) => columns.indexOf(column))
    for (const row of core.rows) {
      if (drawn && unique === keyColumns && isLeftOut(row, places, known)) continue
      const values = valuesOf(row, places, unique, path, known)
      if (values === undefined || (unique === keyColumns && values.includes(null))) return undefined
      if (!values.includes(null)) ranges.push(pointRange(path, values))
    }
  }
  return ranges
}

function isLeftOut(row: Row, [place = -1]: readonly number[], known: Constants): boolean {
  const item = row.items[place]
  return place < 0 || (item !== undefined && known.value(item) === null)
}

function pathFor(relation: RelationForm, columns: readonly (PolicyColumn | undefined)[], key: boolean): Path | undefined {
  const [own, ...indexes] = pathsOf(relation)
  return key ? own : indexes.find((path) => path.unique && path.columns.length === columns.length && path.columns.every((id, i) => id === columns[i]?.id))
}

function valuesOf(row: Row, places: readonly number[], columns: readonly (PolicyColumn | undefined)[], path: Path, known: Constants): readonly SqlValue[] | undefined {
  const values: SqlValue[] = []
  for (const [i, place] of places.entries()) {
    const item = row.items[place]
    const column = columns[i]
    const value = item && column && known.value(item)
    if (value === undefined || column === undefined) return undefined
    values.push(canonicalValue(known.convert(value, column.affinity), path.collations[i] ?? 'BINARY'))
  }
  return values
}
