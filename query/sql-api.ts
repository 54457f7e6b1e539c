/** The shapes of the SQL interface: what statements take and give. Implemented by the database and by transactions in it. */
import { expectList } from '../engine/arguments.js'
import { type SpaceSync, type SpaceWriter } from '../engine/space/port.js'
import { type Head } from '../engine/space/types.js'
import { type ObjectRow } from './prepared.js'
import { type Write } from './rerun.js'
import { type Parameters, type ParameterValue, type SqlValue } from './values.js'

/** What a statement gave. */
export interface Result<T = ObjectRow> {
  /** By column name; of columns with one name the last wins. */
  readonly rows: T[]
  readonly columns: readonly string[]
  /** Rows that the statement itself changed. */
  readonly changes: number
  readonly lastInsertRowid: number | bigint
  /** The state that was read, or written on. */
  readonly head: Head
  /** Of a statement that wrote outside of a transaction: how far its entry has come. */
  readonly write?: Write
}

/** A space that may be attached to a relay: only then can the log refuse a write after it was committed here. */
export type SqlSpace = SpaceWriter & Partial<Pick<SpaceSync, 'relay'>>

/** The same, exact. */
export interface RawResult extends Omit<Result, 'rows'> {
  /** Exact values in column order: bigint is INTEGER, number is REAL. */
  readonly rows: SqlValue[][]
}

/** How one statement runs. */
export interface QueryOptions {
  /** Checked before the statement begins; what has begun is not interrupted. */
  readonly signal?: AbortSignal
  /** Read every table as it was after so many entries of the log. */
  readonly at?: number
  /** Throw `read-only` for what is neither SELECT nor EXPLAIN: for tools that only look. */
  readonly readOnly?: boolean
}

/** What a plain file is to hold besides tables, rows, indexes, views and triggers. */
export interface ExportOptions {
  /** Say each table's policies in a comment of its definition: SQLite enforces none of them. */
  readonly policies?: boolean
}

/** How a transaction runs. */
export interface TransactionOptions {
  /** Declare every table that is read: the transaction is refused, and executed again, if one of them changed before it landed. */
  readonly serializable?: boolean
  /** Checked before each statement and before the commit: then the transaction is rolled back. What is committed stays. */
  readonly signal?: AbortSignal
}

/** A row as an entry of the log left it; of a deletion, as it was before. */
export interface RowVersion<T = ObjectRow> {
  /** Index of the entry. `at(entry + 1)` is the state with it. */
  readonly entry: number
  readonly operation: 'insert' | 'update' | 'delete'
  /** Who wrote it. */
  readonly member: number | null
  readonly device: number | null
  readonly row: T
}

/** Queries at a past state. */
export type PastSql = Pick<Sql, 'query' | 'queryRaw' | 'sql'>

/** The text of a template, with a parameter for each value. */
export function textOfTemplate(template: TemplateStringsArray): string {
  expectList(template, 'a template, sql`SELECT …` (query() takes a text)')
  return template.join('?')
}

/** What runs SQL: a database, or a transaction in it. */
export interface Sql {
  /**
   * One statement. Throws `sql-syntax`, `sql-error`, `unsupported-sql`; `rejected` if a policy or role does not allow the write; `conflict` if others
   * kept changing what it read.
   *
   * @example
   * const { rows } = await db.query('SELECT title FROM task WHERE id = ?', [1])
   */
  query<T = ObjectRow>(text: string, parameters?: Parameters, options?: QueryOptions): Promise<Result<T>>
  /** As `query`, with exact values in lists. */
  queryRaw(text: string, parameters?: Parameters, options?: QueryOptions): Promise<RawResult>
  /** A script. Its statements run one by one; those before a failing one have run. */
  exec(script: string): Promise<void>
  /**
   * One statement as a template: values are bound, never pasted in.
   *
   * @example
   * await db.sql`UPDATE task SET done = TRUE WHERE title = ${'ship it'}`
   */
  sql<T = ObjectRow>(text: TemplateStringsArray, ...values: ParameterValue[]): Promise<Result<T>>
}

/** A text that was parsed once. */
export interface PreparedStatement<T = ObjectRow> {
  /** Every row. */
  all(parameters?: Parameters): Promise<T[]>
  /** The first row. */
  get(parameters?: Parameters): Promise<T | undefined>
  run(parameters?: Parameters): Promise<Result<T>>
  /**
   * The first row at once, if that needs no waiting: a read of what is verified, decrypted and here already. A symbol (`typeof row === 'symbol'`) says that it does.
   */
  getSync(parameters?: Parameters): T | undefined | typeof WAIT
}
/** What `getSync` gives where an answer can't be had at once: the only symbol that it gives. */
export const WAIT = Symbol('wait')
