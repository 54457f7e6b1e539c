/**
 * The text that SQLite gets for one that uses what only SealDB has: `t AS OF n`, `row_author(t)` and its like, `sealdb_history('t')`, and ids out of the
 * device's own range where several devices write. By splicing: everything else stays as it was written, comments and names of columns included.
 */
import { SealError } from '../engine/errors.js'
import { type ObjectId } from '../engine/space/types.js'
import { literalValue } from './literal.js'
import { type Call, type ColumnRef, type From, type Insert, type Node, type Source, type Statement, type TableRef } from './sql/ast.js'
import { foldName } from './sql/names.js'
import { tableUses } from './sql/tables.js'
import { findAll, walk } from './sql/visit.js'
import { type TableForm } from './sqlite/form.js'
import { quoteName } from './sqlite/names.js'

/** What of the schema is needed. Names of temporary tables are nobody's: `undefined`. */
export interface RewriteSchema {
  table(name: string): { readonly id: ObjectId; readonly form: TableForm } | undefined
  /** Several devices write here: an omitted INTEGER PRIMARY KEY comes from the device's own range. Not for AUTOINCREMENT. */
  ownIds(table: ObjectId): boolean
}

export interface Rewritten {
  readonly sql: string
  /** Sizes of the log whose states are read. */
  /** Past states that are read, each with the folded names that are read of it. */
  readonly past: PastReads
  /** Names of `sealdb_…` relations that are read, folded; of histories the table's id. */
  readonly relations: readonly string[]
  readonly histories: readonly ObjectId[]
  /** A parameter named a state: SQLite doesn't see it. */
  readonly dropsParameter: boolean
}

const RELATIONS = ['sealdb_members', 'sealdb_devices', 'sealdb_log', 'sealdb_policies', 'sealdb_quarantine', 'sealdb_migrations', 'sealdb_columns', 'sealdb_objects', 'sealdb_files'] as const
const PROVENANCE = ['row_author', 'row_creator', 'row_device', 'row_version'] as const

/** Schema that holds the relations, and those that hold past states. */
export const RELATION_SCHEMA = 'sealdb'
export const pastSchema = (size: number): string => `sealdb_past_${size}`
export const historyTable = (table: ObjectId): string => `sealdb_history_${table}`

export type PastReads = ReadonlyMap<number, ReadonlySet<string>>

interface Edit { readonly start: number; readonly end: number; readonly text: string }

/** False if there is nothing in it that only SealDB has: saves walking most statements. */
export function isSpecial(text: string): boolean {
  return /sealdb_(?!documents\b)|row_(?:author|creator|device|version)|\bof\b/i.test(text)
}

/** `at`: every table of the schema is read as it was then. `parameter` tells the value of a parameter that names a state. */
export function rewrite(text: string, ast: Statement, schema: RewriteSchema, at: number | undefined, parameter: (name: string, number: number) => unknown): Rewritten {
  const edits: Edit[] = []
  const past = new Map<number, Set<string>>()
  const relations = new Set<string>()
  const histories = new Set<ObjectId>()
  for (const { table, access, cte } of tableUses(ast)) {
    if (cte !== null || (table.schema !== null && foldName(table.schema.text) !== 'main')) continue
    const name = foldName(table.name.text)
    const size = table.asOf === null ? at : sizeOf(table.asOf, parameter)
    if (name === 'sealdb_history') {
      const id = historyOf(table, schema)
      histories.add(id)
      edits.push({ start: table.name.span.start, end: endOfCall(text, table), text: `${RELATION_SCHEMA}.${historyTable(id)}${table.alias === null ? ' AS sealdb_history' : ''}` })
    } else if (RELATIONS.some((relation) => relation === name)) {
      if (access !== 'read') throw readOnly(name)
      relations.add(name)
    } else if (size !== undefined && schema.table(name) === undefined && table.args !== null) continue
    else if (size !== undefined) {
      if (access !== 'read') throw readOnly('a past state')
      past.set(size, (past.get(size) ?? new Set()).add(name))
      edits.push(...pastEdits(text, table, size))
    }
  }
  edits.push(...provenanceEdits(ast, schema, at !== undefined))
  if (ast.kind === 'insert') edits.push(...ownIdEdits(text, ast, schema))
  const dropsParameter = findAll(ast, 'table').some(({ asOf }) => asOf?.kind === 'parameter')
  if (dropsParameter) edits.push(...numberedParameters(ast))
  return { sql: splice(text, edits), past, relations: [...relations], histories: [...histories], dropsParameter }
}

function splice(text: string, edits: readonly Edit[]): string {
  let result = text
  const ordered = edits.map((edit, order) => ({ ...edit, order })).sort((a, b) => b.start - a.start || b.end - a.end || b.order - a.order)
  for (const { start, end, text: replacement } of ordered) result = result.slice(0, start) + replacement + result.slice(end)
  return result
}

// ---- past states -------------------------------------------------------------------------------------------------------------------

function sizeOf(asOf: NonNullable<TableRef['asOf']>, parameter: (name: string, number: number) => unknown): number {
  const value = asOf.kind === 'literal' ? literalValue(asOf) : parameter(asOf.name, asOf.number)
  const size = typeof value === 'bigint' || typeof value === 'number' ? Number(value) : Number.NaN
  if (!Number.isSafeInteger(size) || size < 1) throw new SealError('bad-argument', 'Expected AS OF the number of entries after which the state is wanted, from 1.')
  return size
}

/** `t AS OF 5 x` becomes `"past".t x`; without an alias the table keeps its name, as SQLite has it. */
function pastEdits(text: string, table: TableRef, size: number): Edit[] {
  const from = table.schema?.span.start ?? table.name.span.start
  const edits: Edit[] = [{ start: from, end: table.name.span.start, text: `${quoteName(pastSchema(size))}.` }]
  if (table.asOf !== null) {
    const words = text.slice(table.name.span.end, table.asOf.span.start)
    const begins = table.name.span.end + words.search(/\bas\s+(?:\s|--[^\n]*\n|\/\*[\s\S]*?\*\/)*of\b/i)
    edits.push({ start: begins, end: table.asOf.span.end, text: '' })
  }
  return edits
}

/** Without the one that names a state, the others must keep their places. */
function numberedParameters(ast: Statement): Edit[] {
  const dropped = new Set<Node>(findAll(ast, 'table').flatMap(({ asOf }) => (asOf === null ? [] : [asOf])))
  return findAll(ast, 'parameter').filter((each) => !dropped.has(each) && each.name === '?').map(({ span, number }) => ({ start: span.start, end: span.end, text: `?${number}` }))
}

// ---- relations ---------------------------------------------------------------------------------------------------------------------

function historyOf({ args }: TableRef, schema: RewriteSchema): ObjectId {
  const [name] = args ?? []
  if (args?.length !== 1 || name?.kind !== 'literal' || name.type !== 'text') throw new SealError('bad-argument', "Expected sealdb_history('table').")
  const table = schema.table(String(literalValue(name)))
  if (table === undefined) throw new SealError('sql-error', `no such table: ${String(literalValue(name))}`, { name: 'SQLITE_ERROR', result: 1 })
  return table.id
}

/** After the closing bracket of a table function's arguments. */
function endOfCall(text: string, { args, name }: TableRef): number {
  const last = args?.at(-1)
  return text.indexOf(')', last?.span.end ?? name.span.end) + 1
}

/** What may not be written, worded as SQLite words it. */
export function readOnly(what: string): SealError {
  return new SealError('sql-error', `${what} may not be modified`, { name: 'SQLITE_ERROR', result: 1 })
}

// ---- provenance --------------------------------------------------------------------------------------------------------------------

type Tables = ReadonlyMap<string, TableRef | undefined>

/** `row_author(t)` becomes a function of the table's id and the row's key. `t` must be a table of the FROM around it, or the target of the write. */
function provenanceEdits(ast: Statement, schema: RewriteSchema, past: boolean): Edit[] {
  const edits: Edit[] = []
  const ctes = new Map(tableUses(ast).map(({ table, cte }) => [table, cte]))
  const scopes: Tables[] = []
  const named = new Set<Node>()
  walk(ast, (node) => {
    const scope = scopeOf(node)
    if (scope !== undefined) scopes.push(scope)
    if (node.kind === 'result' && node.alias === null && node.expr.kind === 'call') named.add(node.expr)
    if (node.kind !== 'call' || !PROVENANCE.some((name) => name === foldName(node.name.text))) return
    const [arg] = node.args
    if (node.args.length !== 1 || arg?.kind !== 'column' || arg.table !== null) return
    const what = foldName(node.name.text).slice('row_'.length)
    const key = keyArguments(arg, scopes, ctes, schema, past)
    const call = `sealdb_row_${what}(${key})`
    edits.push({ start: node.span.start, end: node.span.end, text: named.has(node) ? `${call} AS ${quoteName(nameOfCall(node, arg))}` : call })
  }, (node) => {
    if (scopeOf(node) !== undefined) scopes.pop()
  })
  return edits
}

const nameOfCall = (call: Call, arg: ColumnRef): string => `${call.name.text}(${arg.name.text})`

function scopeOf(node: Node): Tables | undefined {
  const tables = new Map<string, TableRef | undefined>()
  if (node.kind === 'core') {
    if (node.from !== null) addSources(tables, node.from)
    return tables
  }
  if (node.kind !== 'insert' && node.kind !== 'update' && node.kind !== 'delete') return undefined
  addSource(tables, node.target)
  if (node.kind === 'update' && node.from !== null) addSources(tables, node.from)
  return tables
}

function addSources(tables: Map<string, TableRef | undefined>, from: From): void {
  for (const source of [from.first, ...from.joins.map((join) => join.source)]) addSource(tables, source)
}

function addSource(tables: Map<string, TableRef | undefined>, source: Source): void {
  if (source.kind === 'table') tables.set(foldName((source.alias ?? source.name).text), source)
  else if (source.kind === 'group' && source.alias === null) addSources(tables, source.from)
  else if (source.alias !== null) tables.set(foldName(source.alias.text), undefined)
}

function keyArguments(arg: ColumnRef, scopes: readonly Tables[], ctes: ReadonlyMap<TableRef, unknown>, schema: RewriteSchema, past: boolean): string {
  const name = foldName(arg.name.text)
  const scope = scopes.findLast((each) => each.has(name))
  const ref = scope?.get(name)
  const isTable = ref !== undefined && ref.args === null && (ctes.get(ref) ?? null) === null && ref.asOf === null && !past
  const table = isTable ? schema.table(ref.name.text) : undefined
  if (table === undefined) throw new SealError('bad-argument', 'Expected the name of a table in FROM, of now and no view, CTE or subquery, as the argument of a row_… function.')
  const { form } = table
  const names = form.nullKey && form.rowid !== undefined ? [...form.keyNames, form.rowid] : form.keyNames
  return [String(table.id), ...names.map((key) => `${quoteName(arg.name.text)}.${key}`)].join(', ')
}

// ---- ids ---------------------------------------------------------------------------------------------------------------------------

/** An INSERT that leaves the id to SQLite takes `sealdb_rowid(table)` instead, which draws from this device's range. */
function ownIdEdits(text: string, insert: Insert, schema: RewriteSchema): Edit[] {
  const { target, source } = insert
  const table = target.schema === null || foldName(target.schema.text) === 'main' ? schema.table(target.name.text) : undefined
  if (table === undefined || !schema.ownIds(table.id)) return []
  const { form } = table
  if (!form.keyIsRowid || form.rowid === undefined) return []
  const slot = form.keySlots[0]
  const key = slot === undefined ? form.rowid : quoteName(form.columns[slot]?.name ?? '')
  const draw = `sealdb_rowid(${table.id})`
  const listed = insert.columns.map(({ text: name }) => foldName(name))
  const all = form.columns.map(({ name }) => name)
  const names: readonly string[] = [foldName(form.columns[slot ?? -1]?.name ?? form.rowid), 'rowid', '_rowid_', 'oid']
  const position = listed.length > 0 ? listed.findIndex((name) => names.includes(name) && (name === names[0] || !all.some((column) => foldName(column) === name))) : slot ?? -1
  if (source === null) {
    const clause = /default\s+values/i.exec(text.slice(target.span.end))
    const start = target.span.end + (clause?.index ?? 0)
    return clause === null ? [] : [{ start, end: start + clause[0].length, text: `(${key}) SELECT ${draw}${insert.upserts.length > 0 ? ' WHERE TRUE' : ''}` }]
  }
  const edits: Edit[] = []
  if (position < 0) {
    const first = insert.columns[0]
    if (first !== undefined) edits.push({ start: first.span.start, end: first.span.start, text: `${key}, ` })
    else edits.push({ start: target.span.end, end: target.span.end, text: ` (${[key, ...all.map(quoteName)].join(', ')})` })
  }
  // Never in VALUES itself: SQLite evaluates those twice where there are BEFORE triggers, and would draw two ids.
  const width = listed.length > 0 ? listed.length : all.length
  const columns = Array.from({ length: width }, (_, i) => `"sealdb ${i}"`)
  const chosen = position < 0 ? [draw, ...columns] : columns.map((column, i) => (i === position ? `coalesce(${column}, ${draw})` : column))
  const { start, end } = source.span
  edits.push({ start, end: start, text: `WITH "sealdb source"(${columns.join(', ')}) AS (` })
  edits.push({ start: end, end, text: `) SELECT ${chosen.join(', ')} FROM "sealdb source"${insert.upserts.length > 0 ? ' WHERE TRUE' : ''}` })
  return edits
}
