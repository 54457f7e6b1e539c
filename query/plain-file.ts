/**
 * A plain SQLite file into a space: its tables with their unique indexes, then rows in few large transactions, then what watches or reads rows. (The
 * way out is short: `Database.export`.)
 */
import { isSealError, SealError } from '../engine/errors.js'
import { CREATE_DOCUMENTS, DOCUMENTS_TEXT, isReserved } from './catalog-flaws.js'
import { compile } from './compile.js'
import { type Sql } from './sql-api.js'
import { foldName } from './sql/names.js'
import { type Sqlite } from './sqlite.js'
import { describeTable } from './sqlite/form.js'
import { quoteName } from './sqlite/names.js'
import { type SqlValue } from './values.js'

/** How a plain file is brought in. */
export interface ImportOptions {
  /** Told after each transaction. */
  readonly onProgress?: (progress: ImportProgress) => void
  /** Checked before each transaction; what is there by then is dropped again. */
  readonly signal?: AbortSignal
  /** Default 20,000. */
  readonly rowsPerTransaction?: number
}

export interface ImportProgress {
  readonly rows: number
  readonly total: number
}

/** What came of it. */
export interface Imported {
  readonly tables: readonly string[]
  readonly rows: number
  /** Objects of the file that can't be shared, and why. */
  readonly refused: readonly RefusedObject[]
}

export interface RefusedObject {
  readonly type: string
  readonly name: string
  readonly reason: string
}

/** What an import runs on: a database, which may execute a transaction again. */
export interface ImportTarget extends Sql {
  transaction<T>(work: (tx: Sql) => Promise<T>): Promise<T>
}

/** What one transaction holds: well under what an entry may. */
const ROWS = 20_000
const MAX_BYTES = 8 * 1024 * 1024
const MAX_DEFINITIONS = 100

interface Step { readonly text: string; readonly values?: readonly SqlValue[]; readonly bytes: number; readonly kind: 'definition' | 'row' }
interface FileObject { readonly type: string; readonly name: string; readonly table: string; readonly sql: string }

/**
 * Throws `sql-error`, and leaves nothing behind, if a name is taken or a row does not fit its table; `bad-argument` for a damaged file. PRAGMA
 * foreign_keys is off meanwhile: rows come table by table, so a child may come before its parent.
 */
export async function importFile(target: ImportTarget, file: Sqlite, { onProgress, signal, rowsPerTransaction = ROWS }: ImportOptions): Promise<Imported> {
  checkSound(file)
  const { tables, uniques, others, refused } = sortObjects(file)
  await checkNames(target, [...tables, ...uniques, ...others])
  const total = tables.reduce((sum, { name }) => sum + Number(file.get(`SELECT count(*) FROM ${quoteName(name)}`)?.[0] ?? 0), 0)
  const enforced = (await target.queryRaw('PRAGMA foreign_keys')).rows[0]?.[0] === 1n
  if (enforced) await target.query('PRAGMA foreign_keys = OFF')
  let rows = 0
  let transactions = 0
  try {
    for (const steps of batches(stepsOf(file, tables, uniques, others), rowsPerTransaction)) {
      signal?.throwIfAborted()
      await target.transaction(async (tx) => { for (const { text, values } of steps) await tx.query(text, values) })
      transactions++
      rows += steps.filter(({ kind }) => kind === 'row').length
      onProgress?.({ rows, total })
    }
  } catch (error) {
    if (transactions > 0) await drop(target, tables, error)
    throw error
  } finally {
    if (enforced) await target.query('PRAGMA foreign_keys = ON')
  }
  return { tables: tables.map(({ name }) => name), rows, refused }
}

async function drop(target: ImportTarget, tables: readonly FileObject[], error: unknown): Promise<void> {
  try {
    await target.transaction(async (tx) => { for (const { name } of tables) await tx.query(`DROP TABLE IF EXISTS ${quoteName(name)}`) })
  } catch (cause) {
    throw new AggregateError([error, cause], 'The import failed, and the tables that it had brought in could not be dropped again.')
  }
}

function checkSound(file: Sqlite): void {
  const [found] = file.all('PRAGMA integrity_check(1)')[0] ?? []
  // A foreign collation can't be checked here, and is refused where it is used.
  if (found !== 'ok') throw new SealError('bad-argument', `Expected a sound SQLite database: ${String(found)}.`)
}

interface Sorted { readonly tables: FileObject[]; readonly uniques: FileObject[]; readonly others: FileObject[]; readonly refused: RefusedObject[] }

/** Unique indexes come before the rows: everybody enforces them, so a late one would mean writing the rows twice. Triggers come last. */
function sortObjects(file: Sqlite): Sorted {
  const objects = file.all('SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid')
    .map(([type, name, table, sql]): FileObject => ({ type: String(type), name: String(name), table: String(table), sql: String(sql) }))
  const virtual = objects.filter(({ sql }) => /^\s*create\s+virtual\b/i.test(sql)).map(({ name }) => foldName(name))
  const sorted: Sorted = { tables: [], uniques: [], others: [], refused: [] }
  const gone = new Set<string>()
  const place: Readonly<Record<string, number>> = { table: 0, index: 1, view: 2, trigger: 3 }
  for (const object of objects.sort((a, b) => (place[a.type] ?? 4) - (place[b.type] ?? 4))) {
    if (foldName(object.name) === 'sqlite_sequence') continue
    const reason = reasonAgainst(object, virtual, gone)
    if (reason !== undefined) {
      sorted.refused.push({ type: object.type, name: object.name, reason })
      if (object.type === 'table' || object.type === 'view') gone.add(foldName(object.name))
    } else if (object.type === 'table') sorted.tables.push(object)
    else if (object.type === 'index' && /^\s*create\s+unique\b/i.test(object.sql)) sorted.uniques.push(object)
    else sorted.others.push(object)
  }
  return sorted
}

/** Tables in which virtual ones keep their content, by the modules that SQLite is usually built with. */
const SHADOWS = /_(?:data|idx|content|docsize|config|segments|segdir|stat|node|parent|rowid)$/

function reasonAgainst({ type, name, table, sql }: FileObject, virtual: readonly string[], gone: ReadonlySet<string>): string | undefined {
  const folded = foldName(name)
  if (folded.startsWith('sqlite_')) return 'SQLite’s own statistics: ANALYZE makes them anew'
  if (isReserved(folded) && !isDocuments(sql)) return 'its name is reserved'
  if (virtual.includes(folded)) return 'a virtual table: its content lies in shadow tables that only SQLite writes'
  if (type === 'table' && virtual.some((each) => folded.startsWith(`${each}_`) && SHADOWS.test(folded))) return 'content of a virtual table'
  if ((type === 'index' || type === 'trigger') && gone.has(foldName(table))) return `of ${table}, which is refused`
  try {
    compile(sql)
    return undefined
  } catch (error) {
    if (isSealError(error) && error.family === 'usage') return error.message
    throw error
  }
}

/** Another space's documents, exported. */
const isDocuments = (sql: string): boolean => sql === DOCUMENTS_TEXT

async function checkNames(target: ImportTarget, objects: readonly FileObject[]): Promise<void> {
  const taken = new Set((await target.queryRaw('SELECT lower(name) FROM sqlite_schema')).rows.map(([name]) => name))
  const found = objects.find(({ name }) => taken.has(foldName(name)))
  if (found !== undefined) throw new SealError('sql-error', `there is already an object named ${found.name}`, { name: 'SQLITE_ERROR', result: 1 })
}

function* stepsOf(file: Sqlite, tables: readonly FileObject[], uniques: readonly FileObject[], others: readonly FileObject[]): Generator<Step> {
  const definition = ({ sql }: FileObject): Step => ({ text: isDocuments(sql) ? CREATE_DOCUMENTS : sql, bytes: sql.length, kind: 'definition' })
  for (const object of [...tables, ...uniques]) yield definition(object)
  for (const { name } of tables) yield* rowsOf(file, name)
  yield* sequencesOf(file, tables)
  for (const object of others) yield definition(object)
}

/** With rowids, where those are no column: they are the identity of rows without a declared key. */
function* rowsOf(file: Sqlite, table: string): Generator<Step> {
  const form = describeTable(file, table)
  const declared = form.keyIsRowid && form.keySlots.length > 0
  const names = [...(form.rowid !== undefined && !declared ? [form.rowid] : []), ...form.columns.map(({ name }) => quoteName(name))]
  const into = `INSERT INTO ${quoteName(table)} (${names.join(', ')}) VALUES`
  const statement = file.prepare(`SELECT ${names.join(', ')} FROM ${quoteName(table)}`)
  try {
    while (statement.step()) {
      const values = statement.row()
      yield { text: `${into} (${values.map(placeholder).join(', ')})`, values, bytes: values.reduce<number>((sum, value) => sum + sizeOf(value), 0), kind: 'row' }
    }
  } finally {
    statement.finalize()
  }
}

/** 5.0 given for a parameter would be the integer 5. */
function placeholder(value: SqlValue): string {
  return typeof value === 'number' && Number.isSafeInteger(value) ? 'CAST(? AS REAL)' : '?'
}

function sizeOf(value: SqlValue): number {
  return typeof value === 'string' || value instanceof Uint8Array ? value.length + 8 : 8
}

/** Where AUTOINCREMENT goes on: perhaps after rows that are gone. */
function* sequencesOf(file: Sqlite, tables: readonly FileObject[]): Generator<Step> {
  if (file.get("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'") === undefined) return
  for (const [name, seq] of file.all('SELECT name, seq FROM sqlite_sequence')) {
    if (typeof name !== 'string' || seq === null || !tables.some((table) => table.name === name)) continue
    yield { text: 'DELETE FROM sqlite_sequence WHERE name = ?', values: [name], bytes: 0, kind: 'definition' }
    yield { text: 'INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)', values: [name, seq as SqlValue], bytes: 0, kind: 'definition' }
  }
}

function* batches(steps: Iterable<Step>, most: number): Generator<readonly Step[]> {
  let batch: Step[] = []
  let [rows, definitions, bytes] = [0, 0, 0]
  for (const step of steps) {
    if (batch.length > 0 && (rows >= most || definitions >= MAX_DEFINITIONS || bytes + step.bytes > MAX_BYTES)) {
      yield batch
      batch = []
      rows = definitions = bytes = 0
    }
    batch.push(step)
    if (step.kind === 'row') rows++
    else definitions++
    bytes += step.bytes
  }
  if (batch.length > 0) yield batch
}
