/**
 * The FROM of one query block: its tables, and which conditions of ON serve which of them. Rules (b) and (c).
 *
 * A condition that is not true for NULL leaves out the same rows whether its table was read whole or only where the condition holds: also on the
 * nullable side of a join, where what is missing would have been refused in the end. What has to hold is that the condition is applied to whatever
 * the join makes: so WHERE serves all, the ON of LEFT its right side only, since a row of the left stays without it, and ON of RIGHT and FULL nothing.
 */
import { type Term, ROWID, type Target } from './plan-range.js'
import { type RelationForm } from './relation-form.js'
import { type ColumnRef, type Expr, type From, type Join, type Source, type TableRef } from './sql/ast.js'
import { foldName, sameName } from './sql/names.js'

/** A place in FROM where rows come in. Without `relation`: a view, CTE, subquery or table function. */
export interface Occurrence {
  readonly alias: string
  readonly relation: RelationForm | undefined
  readonly terms: Term[]
}

export interface Block {
  readonly occurrences: readonly Occurrence[]
  /** WHERE serves those of `visible` that its columns name. */
  serve(condition: Expr): void
}

export type FindTable = (table: TableRef) => RelationForm | undefined

/** `first`: the target of UPDATE or DELETE, which stands before FROM. */
export function blockOf(from: From | null, find: FindTable, first?: Occurrence): Block {
  const builder = new Builder(find)
  const visible = [...(first ? [first] : []), ...(from ? builder.from(from, false) : [])]
  if (first) builder.occurrences.push(first)
  const names = new Names(visible, from === null ? [] : joinsOf(from))
  return {
    occurrences: builder.occurrences,
    serve: (condition) => names.serve(condition, visible),
  }
}

class Builder {
  readonly occurrences: Occurrence[] = []
  readonly #find: FindTable

  constructor(find: FindTable) {
    this.#find = find
  }

  /** What can be named from outside. `under`: inside the nullable side of an outer join. */
  from(from: From, under: boolean): Occurrence[] {
    const { joins } = from
    // RIGHT and FULL make everything before them nullable.
    const nullable = (at: number): boolean => under || joins.slice(at).some(({ type }) => type === 'right' || type === 'full')
    const outer = ({ type }: Join): boolean => type === 'left' || type === 'right' || type === 'full'
    const visible = this.#source(from.first, nullable(0))
    const sides = joins.map((join, at) => {
      const right = this.#source(join.source, outer(join) || nullable(at))
      visible.push(...right)
      return { join, right, end: visible.length }
    })
    const names = new Names(visible, joinsOf(from))
    for (const [at, { join, right, end }] of sides.entries()) {
      if (join.on === null) continue
      if (join.type === 'left') names.serve(join.on, right)
      else if (!outer(join) && !nullable(at + 1)) names.serve(join.on, visible.slice(0, end))
    }
    return visible
  }

  #source(source: Source, under: boolean): Occurrence[] {
    if (source.kind === 'group') {
      const inside = this.from(source.from, under)
      return source.alias === null ? inside : [this.#add(source.alias.text, undefined)]
    }
    if (source.kind === 'derived') return [this.#add(source.alias?.text ?? '', undefined)]
    return [this.#add((source.alias ?? source.name).text, this.#find(source))]
  }

  #add(alias: string, relation: RelationForm | undefined): Occurrence {
    const occurrence = { alias, relation, terms: [] }
    this.occurrences.push(occurrence)
    return occurrence
  }
}

/** Which occurrence a column belongs to, if that is beyond doubt. A statement that SQLite refuses may be read either way. */
class Names {
  readonly #visible: readonly Occurrence[]
  /** Columns that USING merges; 'all' where NATURAL does. */
  readonly #merged: ReadonlySet<string> | 'all'
  readonly #grouped: boolean

  constructor(visible: readonly Occurrence[], joins: readonly (Join | 'group')[]) {
    this.#visible = visible
    this.#grouped = joins.includes('group')
    this.#merged = joins.some((join) => join !== 'group' && join.natural) ? 'all' : new Set(joins.flatMap((join) => (join === 'group' ? [] : join.using.map(({ text }) => foldName(text)))))
  }

  serve(condition: Expr, served: readonly Occurrence[]): void {
    for (const occurrence of served) {
      if (occurrence.relation === undefined) continue
      occurrence.terms.push({ e: condition, target: (column) => this.#targetIn(occurrence, column) })
    }
  }

  #targetIn(occurrence: Occurrence, { schema, table, name }: ColumnRef): Target | undefined {
    const { relation } = occurrence
    if (relation === undefined || schema !== null) return undefined
    const merged = this.#merged === 'all' || this.#merged.has(foldName(name.text))
    if (table !== null) {
      // Out of brackets, a merged column may be the other side's.
      if (merged && this.#grouped) return undefined
      const named = this.#visible.filter(({ alias }) => sameName(alias, table.text))
      return named.length === 1 && named[0] === occurrence ? targetOf(relation, name.text) : undefined
    }
    if (merged) return undefined
    const having = this.#visible.filter((each) => each.relation?.columns.some((column) => sameName(column.name, name.text)))
    if (having.length > 0) return having.length === 1 && having[0] === occurrence ? targetOf(relation, name.text) : undefined
    return this.#visible.length === 1 ? targetOf(relation, name.text) : undefined
  }
}

function targetOf(relation: RelationForm, name: string): Target | undefined {
  const column = relation.columns.find((each) => sameName(each.name, name))
  if (column !== undefined) return column.id === undefined ? undefined : { id: column.id, affinity: column.affinity, collation: column.collation }
  if (!relation.keyIsRowid || !['rowid', '_rowid_', 'oid'].includes(foldName(name))) return undefined
  return { id: relation.key[0] ?? ROWID, affinity: 'integer', collation: 'BINARY' }
}

/** All joins of a FROM, brackets opened; 'group' stands for a pair of them. */
function joinsOf(from: From): (Join | 'group')[] {
  const inside = (source: Source): (Join | 'group')[] => (source.kind === 'group' ? ['group', ...joinsOf(source.from)] : [])
  return [...inside(from.first), ...from.joins.flatMap((join) => [join, ...inside(join.source)])]
}
