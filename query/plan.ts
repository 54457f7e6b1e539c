/**
 * Which rows of which tables a statement can depend on: "which ranges a statement implies" (query/README.md, rules a to j). For whoever holds no whole
 * tables: a thin client, a read of the past, a fresh open. What comes out is conservative: a superset is harmless, and where anything is in
 * doubt it is the whole table.
 */
import { SealError } from '../engine/errors.js'
import { MAX_SQL_NESTING } from '../engine/limits.js'
import { type ObjectId, type RowRange } from '../engine/space/types.js'
import { type Constants } from './evaluate.js'
import { insertProbes } from './plan-insert.js'
import { impliedRanges } from './plan-range.js'
import { blockOf, type Block, type FindTable, type Occurrence } from './plan-scope.js'
import { type Reference, type RelationForm } from './relation-form.js'
import { type Assignment, type CreateTrigger, type Delete, type From, type Insert, type Node, type Select, type SelectCore, type Source, type Statement, type TableRef, type Update, type With } from './sql/ast.js'
import { foldName, sameName } from './sql/names.js'
import { walk } from './sql/visit.js'

export interface PlanSchema {
  /** Of the shared schema; undefined for anything else (temporary tables, `sealdb_…`, table functions). */
  find(name: string): RelationForm | PlanView | undefined
  tables(): Iterable<RelationForm>
  /** A rowid that an INSERT leaves out is free: nothing need be looked up for it. */
  draws?(table: RelationForm): boolean
  /**
   * What is written there is looked at row by row as it is written (`probes.ts`): which rows it collides with, refers to or takes along need not be told
   * beforehand. They are no part of the ranges.
   */
  probes?(table: RelationForm): boolean
  /** With `probes`: a reference is to what is unique there. */
  fits?(parent: RelationForm, reference: Reference): boolean
  /** Of a table or view. */
  triggers(name: string): Iterable<CreateTrigger>
}
export interface PlanView { readonly select: Select }

export type Ranges = 'all' | readonly RowRange[]

/**
 * For every table that the statement may read or write, by id, what of it has to be there. An empty list is a table of which no row matters.
 *
 * @example
 * rangesOf(parseStatement('SELECT title FROM task WHERE id = ?'), schema, constants(db, [7n])) // task: [{ kind: 'key', key: [7n] }]
 */
export function rangesOf(statement: Statement, schema: PlanSchema, known: Constants): ReadonlyMap<ObjectId, Ranges> {
  const plan = new Plan(schema, known)
  plan.statement(statement, NO_CTES)
  return plan.ranges
}

type Ctes = ReadonlySet<string>
const NO_CTES: Ctes = new Set()

class Plan {
  readonly ranges = new Map<ObjectId, Ranges>()
  readonly #schema: PlanSchema
  readonly #known: Constants
  /** Tables whose triggers and references were followed. */
  readonly #followed = new Set<string>()
  #views = 0

  constructor(schema: PlanSchema, known: Constants) {
    this.#schema = schema
    this.#known = known
  }

  statement(statement: Statement, ctes: Ctes): void {
    switch (statement.kind) {
      case 'select':
        return this.#select(statement, ctes)
      case 'insert':
        return this.#insert(statement, ctes)
      case 'update': case 'delete':
        return this.#change(statement, ctes)
      case 'explain':
        return this.statement(statement.statement, ctes)
      case 'create-table':
        return statement.as === null ? undefined : this.#select(statement.as, ctes)
      case 'create-index':
        return this.#whole(statement.table.text)
      case 'alter-table':
        return this.#follow(statement.name.name.text, false)
      case 'drop':
        // Dropping a table deletes its rows, as far as foreign keys are concerned.
        return statement.object === 'table' ? this.#follow(statement.name.name.text, false) : undefined
      case 'pragma': case 'reindex': case 'analyze': case 'vacuum':
        return this.#everything()
      default:
    }
  }

  // ---- reads -----------------------------------------------------------------------------------------------------------------------

  #select(select: Select, outer: Ctes): void {
    const ctes = this.#with(select.with, outer)
    for (const core of select.cores) {
      if (core.kind === 'core') this.#core(core, ctes)
      else this.#below(core, ctes)
    }
    for (const part of [...select.orderBy, ...(select.limit ? [select.limit.count, ...(select.limit.offset ? [select.limit.offset] : [])] : [])]) this.#below(part, ctes)
  }

  /** All bodies of a WITH see all of its names. */
  #with(clause: With | null, outer: Ctes): Ctes {
    if (clause === null) return outer
    const ctes = new Set([...outer, ...clause.ctes.map(({ name }) => foldName(name.text))])
    for (const { select } of clause.ctes) this.#select(select, ctes)
    return ctes
  }

  #core(core: SelectCore, ctes: Ctes): void {
    const block = blockOf(core.from, this.#finder(ctes))
    if (core.where !== null) block.serve(core.where)
    this.#read(block)
    if (core.from) this.#sources(core.from, ctes)
    for (const part of [...core.columns, ...core.groupBy, ...core.windows]) this.#below(part, ctes)
    for (const part of [core.where, core.having]) if (part) this.#below(part, ctes)
  }

  #finder(ctes: Ctes): FindTable {
    return (table) => {
      const found = this.#resolve(table, ctes)
      return found !== undefined && !('select' in found) ? found : undefined
    }
  }

  #resolve({ schema, name, args }: TableRef, ctes: Ctes): RelationForm | PlanView | undefined {
    if (args !== null || (schema === null && ctes.has(foldName(name.text)))) return undefined
    return schema === null || sameName(schema.text, 'main') ? this.#schema.find(name.text) : undefined
  }

  #read(block: Block): void {
    for (const { relation, terms } of block.occurrences) {
      if (relation !== undefined) this.#add(relation, impliedRanges(relation, terms, this.#known)?.ranges ?? 'all')
    }
  }

  /** What stands in FROM and is a block of its own, and the expressions there. */
  #sources(from: From, ctes: Ctes): void {
    const visit = (source: Source): void => {
      if (source.kind === 'group') return this.#sources(source.from, ctes)
      if (source.kind === 'derived') return this.#select(source.select, ctes)
      for (const arg of source.args ?? []) this.#below(arg, ctes)
      const found = this.#resolve(source, ctes)
      if (found !== undefined && 'select' in found) this.#view(found)
    }
    visit(from.first)
    for (const { source, on } of from.joins) {
      visit(source)
      if (on) this.#below(on, ctes)
    }
  }

  #view({ select }: PlanView): void {
    // SQLite refuses a view that leads back to itself; this need not find out.
    if (++this.#views > MAX_SQL_NESTING * 10) throw new SealError('sql-limit', 'The statement opens too many views.', {})
    this.#select(select, NO_CTES)
  }

  /** Subqueries inside an expression, and tables after IN. */
  #below(node: Node, ctes: Ctes): void {
    walk(node, (each) => {
      if (each.kind === 'select') {
        this.#select(each, ctes)
        return false
      }
      if (each.kind === 'table') this.#everyRow(each, ctes)
      return true
    })
  }

  #everyRow(table: TableRef, ctes: Ctes): void {
    const found = this.#resolve(table, ctes)
    if (found === undefined) return
    if ('select' in found) this.#view(found)
    else this.#add(found, 'all')
  }

  // ---- writes ----------------------------------------------------------------------------------------------------------------------

  #change(statement: Update | Delete, outer: Ctes): void {
    const ctes = this.#with(statement.with, outer)
    const { target, where } = statement
    const found = this.#resolve(target, NO_CTES)
    const own: Occurrence = { alias: (target.alias ?? target.name).text, relation: found !== undefined && !('select' in found) ? found : undefined, terms: [] }
    const from = statement.kind === 'update' ? statement.from : null
    const block = blockOf(from, this.#finder(ctes), own)
    if (where) block.serve(where)
    this.#read(block)
    if (from) this.#sources(from, ctes)
    for (const part of [...(statement.kind === 'update' ? statement.set : []), ...statement.returning, ...(where ? [where] : [])]) this.#below(part, ctes)
    if (found !== undefined && 'select' in found) this.#view(found)
    if (own.relation === undefined || statement.kind === 'delete') return this.#effects(target.name.text, true)
    const touched = touches(own.relation, statement.set)
    // Another row may have the new key or unique value.
    if (touched && !this.#probes(own.relation)) this.#add(own.relation, 'all')
    if (statement.or === 'replace') this.#replacing = true
    this.#effects(target.name.text, touched || own.relation.replaces || statement.or === 'replace')
  }

  #insert(statement: Insert, outer: Ctes): void {
    const ctes = this.#with(statement.with, outer)
    const { target, source } = statement
    if (source) this.#select(source, ctes)
    for (const part of [...statement.upserts, ...statement.returning]) this.#below(part, ctes)
    const found = this.#resolve(target, NO_CTES)
    if (found === undefined) return
    if ('select' in found) this.#view(found)
    else this.#add(found, insertProbes(found, statement, this.#known, this.#schema.draws?.(found) === true) ?? (this.#probes(found) ? [] : 'all'))
    const deletes = statement.or === 'replace' || statement.upserts.some(({ set }) => set.length > 0) || ('replaces' in found && found.replaces)
    if (deletes && !('select' in found) && !this.#probes(found)) this.#add(found, 'all')
    if (statement.or === 'replace') this.#replacing = true
    this.#effects(target.name.text, deletes)
  }

  /** Parents of its references, what its triggers do, and, if rows or their keys go, the tables that reference it. All of them whole, unless they are probed. */
  #effects(name: string, keysGo: boolean): void {
    const found = this.#schema.find(name)
    const relation = found !== undefined && !('select' in found) ? found : undefined
    const probed = relation !== undefined && this.#probes(relation)
    for (const reference of relation?.references ?? []) this.#reached(reference.parent, probed && this.#fits(reference, name))
    for (const child of relation === undefined ? [] : this.#schema.tables()) {
      const references = child.references.filter(({ parent }) => sameName(parent, name))
      if (!references.every((reference) => this.#fits(reference, child.name))) this.#whole(name)
      // What REPLACE deletes, no trigger tells: nor who refers to it.
      if (references.length === 0) continue
      if (keysGo) this.#follow(child.name, probed && !this.#replacing && relation?.replaces === false)
      // Who comes may be waited for: SQLite looks, and finds nobody where nothing was broken.
      else if (probed) this.#reached(child.name, true)
    }
    for (const trigger of this.#schema.triggers(name)) {
      if (mayReplace(trigger)) this.#replacing = true
      walk(trigger, (node) => {
        if (node.kind === 'insert' || node.kind === 'update' || node.kind === 'delete') this.#follow(node.target.name.text, probed)
        if (node.kind === 'table') this.#reached(node.name.text, probed)
      })
    }
  }
  /** A conflict that is met deletes rows: in all that triggers do, too. */
  #replacing = false

  /** A table that is written by the way: all of it, and all that follows. */
  #follow(name: string, probed: boolean): void {
    const key = `${foldName(name)} ${probed} ${this.#replacing}`
    if (this.#followed.has(key)) return
    this.#followed.add(key)
    this.#reached(name, probed)
    this.#effects(name, true)
  }

  /** `probed`: which of its rows matter turns out when the rows are written that lead to it. */
  #reached(name: string, probed: boolean): void {
    const found = this.#schema.find(name)
    if (probed && found !== undefined && !('select' in found) && this.#probes(found)) this.#add(found, [])
    else this.#whole(name)
  }

  /** A reference to what is not unique is refused; and where a child has one, its parent is not watched as it is written. */
  #fits(reference: Reference, child: string): boolean {
    const parent = this.#schema.find(reference.parent)
    if (this.#schema.fits === undefined || parent === undefined || (!('select' in parent) && this.#schema.fits(parent, reference))) return true
    this.#whole(child)
    return false
  }

  #probes(relation: RelationForm): boolean {
    return this.#schema.probes?.(relation) === true
  }

  // ---- what was found --------------------------------------------------------------------------------------------------------------

  #whole(name: string): void {
    const found = this.#schema.find(name)
    if (found === undefined) return
    if ('select' in found) this.#view(found)
    else this.#add(found, 'all')
  }

  #everything(): void {
    for (const table of this.#schema.tables()) this.#add(table, 'all')
  }

  #add({ id }: RelationForm, ranges: Ranges): void {
    const before = this.ranges.get(id) ?? []
    this.ranges.set(id, before === 'all' || ranges === 'all' ? 'all' : [...before, ...ranges])
  }
}

/** Some of its steps says OR REPLACE. */
function mayReplace(trigger: CreateTrigger): boolean {
  return trigger.steps.some((step) => (step.kind === 'insert' || step.kind === 'update') && step.or === 'replace')
}

/** May this SET give a row another identity, or a unique value that is another's? */
function touches(relation: RelationForm, set: readonly Assignment[]): boolean {
  const names = set.flatMap(({ columns }) => columns.map(({ text }) => text))
  return names.some((name) => {
    const column = relation.columns.find((each) => sameName(each.name, name))
    if (column === undefined || (column.id !== undefined && relation.key.includes(column.id))) return true
    return relation.uniques.some((unique) => unique === undefined || unique.includes(column))
  })
}
