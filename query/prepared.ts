/** A compiled text and what it needs to run, kept by text; and its parameters. Belongs to one session. */
import { expectObject, expectText } from '../engine/arguments.js'
import { isSealError, SealError } from '../engine/errors.js'
import { type Head, type ObjectId } from '../engine/space/types.js'
import { compile, type Compiled } from './compile.js'
import { type Reach } from './reach.js'
import { type Write } from './rerun.js'
import { isSpecial, readOnly, type Rewritten } from './rewrite.js'
import { type Insert } from './sql/ast.js'
import { findAll } from './sql/visit.js'
import { type Statement } from './sqlite.js'
import { bindNamed, bindPositional, toSqlValue, type Parameters, type ResultValue, type SqlValue } from './values.js'

/** How many prepared texts are kept. */
const MAX_PREPARED = 256

export type Prepared = Omit<Compiled, 'sql'> & {
  sql: string
  /** Every table as it was after so many entries. */
  readonly at: number | undefined
  /** It may use what only SealDB has, or is about policies: `provide` before it runs. */
  readonly special: boolean
  rewritten: Rewritten | undefined
  statement: Statement | undefined
  /** Of the mirror when it was made ready: the schema's, and that of what is loaded. */
  generation: number
  epoch: number
  reach: Reach | undefined
  names: readonly string[] | undefined
  /** What it does is to insert one row: into the table of that id, of the schema that it was made ready for. */
  insertsInto: ObjectId | undefined
}

export interface Outcome<Row> {
  readonly columns: readonly string[]
  readonly rows: Row[]
  /** Rows that an INSERT, UPDATE or DELETE changed, without triggers and cascades. */
  readonly changes: number
  readonly lastInsertRowid: number | bigint
  readonly head: Head
  readonly write?: Write
}
export type ObjectRow = Record<string, ResultValue>

/** Least recently made texts leave first. */
export class PreparedTexts {
  readonly #texts = new Map<string, Prepared>()

  /** Throws `sql-syntax`, `sql-limit`, `unsupported-sql`; `sql-error` for what would change a past state. */
  get(text: string, at: number | undefined): Prepared {
    const name = at === undefined ? text : `${at} ${text}`
    const known = this.#texts.get(name)
    if (known !== undefined) return known
    expectText(text, 'SQL as text')
    const compiled = compile(text)
    // It would change the present, or its transaction. (Of rows, `rewrite` says so.)
    if (at !== undefined && ['schema', 'policy', 'control'].includes(compiled.kind)) throw readOnly('a past state')
    const prepared: Prepared = {
      ...compiled, at, special: at !== undefined || compiled.kind === 'policy' || isSpecial(text), rewritten: undefined, statement: undefined, generation: -1, epoch: -1, reach: undefined, names: undefined, insertsInto: undefined,
    }
    if (this.#texts.size >= MAX_PREPARED) {
      const [oldest] = this.#texts.keys()
      const gone = this.#texts.get(oldest as string)
      if (gone !== undefined) forget(gone)
      this.#texts.delete(oldest as string)
    }
    this.#texts.set(name, prepared)
    return prepared
  }

  /** What was prepared for another schema is of no use. */
  forgetAll(): void {
    for (const prepared of this.#texts.values()) forget(prepared)
  }
}

/** Its statement is freed; it is made ready again when it runs next. */
export function forget(prepared: Prepared): void {
  prepared.statement?.finalize()
  prepared.statement = undefined
  prepared.reach = undefined
  prepared.generation = -1
}

/** One row at most, and nothing is told of it: VALUES of one row, or DEFAULT VALUES. */
export function insertsOneRow({ source, returning }: Insert): boolean {
  const [core, ...more] = source?.cores ?? []
  return returning.length === 0 && more.length === 0 && (core === undefined || (core.kind === 'values' && core.rows.length === 1))
}

/** Throws `read-only` for what is not SELECT or EXPLAIN. */
export function checkReadsOnly({ ast }: Pick<Prepared, 'ast'>): void {
  if (ast.kind !== 'select' && ast.kind !== 'explain') throw new SealError('read-only', 'Expected SELECT or EXPLAIN: this query was to read only.', { reason: 'query' })
}

export function bind(prepared: Prepared, statement: Statement, parameters: Parameters | undefined): void {
  const dropsParameter = prepared.rewritten?.dropsParameter === true
  if (parameters === undefined) {
    if (statement.parameterCount > 0) bindPositional(statement, [])
  } else if (Array.isArray(parameters)) {
    const list: readonly unknown[] = parameters
    bindPositional(statement, dropsParameter ? list.slice(0, statement.parameterCount) : list)
  } else {
    expectObject(parameters, 'parameters in a list, or by name in an object')
    prepared.names ??= [...new Set(findAll(prepared.ast, 'parameter').map(({ name }) => name))]
    const seen = dropsParameter ? prepared.names.filter((name) => statement.parameterIndex(name) > 0) : prepared.names
    const gone = new Set(prepared.names.filter((name) => !seen.includes(name)).flatMap((name) => [name, name.slice(1)]))
    bindNamed(statement, seen, Object.fromEntries(Object.entries(parameters).filter(([name]) => !gone.has(name))))
  }
}

/** Throws `bad-argument` for what would write each time that it is looked at. */
export function checkMayLive({ kind }: Pick<Prepared, 'kind'>): void {
  if (kind !== 'read') throw new SealError('bad-argument', 'Expected a query that only reads: a live one runs again whenever what it reads has changed.')
}

/** From ?1; undefined if they don't fit, which binding them will say. */
export function valuesOf({ ast }: Pick<Prepared, 'ast'>, parameters: Parameters | undefined): SqlValue[] | undefined {
  if (parameters === undefined) return []
  try {
    if (Array.isArray(parameters)) return parameters.map(toSqlValue)
    const values: SqlValue[] = []
    for (const { name, number } of findAll(ast, 'parameter')) values[number - 1] = toSqlValue(parameterOf(parameters, name))
    return values
  } catch (error) {
    if (isSealError(error, 'bad-value')) return undefined
    throw error
  }
}

export function parameterOf(parameters: Parameters | undefined, name: string, number = 0): unknown {
  if (Array.isArray(parameters)) return (parameters as readonly unknown[])[number - 1]
  return Object.entries(parameters ?? {}).find(([key]) => key === name || key === name.slice(1))?.[1]
}
