/**
 * SQLite, in memory, exact: sql.js's WebAssembly build does the relational work over rows that the engine vouches for.
 *
 * † sql.js's own Database is a file in Emscripten's file system (11 µs a point SELECT; a true `:memory:` handle takes about 1), binds bigint as TEXT and
 * 5.0 as INTEGER. So this talks to the exported C functions. Not to be had from this build: declared types and origins of columns (the catalog knows),
 * interrupting a running statement (nothing else runs while it does), and a progress handler.
 */
import { SealError } from '../engine/errors.js'
import { Database } from './sqlite/database.js'
import { discoverLayout, type Layout } from './sqlite/layout.js'
import { findParts, type SqliteOptions, type SqliteParts } from './sqlite-parts.js'
import { loadWasm, type Wasm } from './sqlite/wasm.js'

export { Database as Sqlite, type FunctionOptions } from './sqlite/database.js'
export { Statement, type ResultValue } from './sqlite/statement.js'
export * from './sqlite/results.js'
export type { SqliteOptions } from './sqlite-parts.js'

/** The SQLite that everything here was tried on; its affinity, its text of a REAL and its messages are the reference. */
export const SQLITE_VERSION = '3.54.1'

export interface SqliteModule {
  readonly version: string
  /** A new, empty database. Close it: memory is shared by all, at most 2 GiB. */
  database(): Database
  /** What a database file says, in a new database. Throws `sql-error` (SQLITE_NOTADB, SQLITE_CORRUPT …). */
  fromFile(bytes: Uint8Array): Database
  /** A database file with everything of `db` (its main schema), which must have no transaction open. */
  toFile(db: Database): Uint8Array
  /** Bytes of WebAssembly memory; it grows and never shrinks. */
  readonly memoryBytes: number
}

let opened: Promise<SqliteModule> | undefined

/** Starts SQLite once per process; later calls return the same, and what they were given is ignored. Throws `provider-unavailable`. */
export function openSqlite(options: SqliteOptions = {}, parts?: SqliteParts): Promise<SqliteModule> {
  opened ??= open(options, parts).catch((error: unknown) => {
    opened = undefined
    throw error
  })
  return opened
}

async function open(options: SqliteOptions, parts: SqliteParts | undefined): Promise<SqliteModule> {
  const { init, binary } = parts ?? (await findParts(options))
  let wasm: Wasm
  try {
    wasm = await loadWasm(init, binary)
  } catch (cause) {
    if (cause instanceof SealError) throw cause
    throw new SealError('provider-unavailable', 'SQLite could not be started: expected sql-wasm.wasm of sql.js 1.16.', {}, { cause })
  }
  const layout = discoverLayout(wasm)
  assertPinned(wasm, layout)
  return {
    version: SQLITE_VERSION,
    database: () => new Database(wasm, layout),
    fromFile: (bytes) => fromFile(wasm, layout, bytes),
    toFile: (db) => toFile(wasm, db),
    get memoryBytes() {
      return wasm.memory.buffer.byteLength
    },
  }
}

function fromFile(wasm: Wasm, layout: Layout, bytes: Uint8Array): Database {
  const copy = bytes.slice()
  // Of a database in WAL mode (fileformat2 §1.3.3): its log is not here, and what the file itself says is sound.
  if (copy[18] === 2) copy.fill(1, 18, 20)
  const file = new wasm.c.Database(copy)
  const reader = new Database(wasm, layout)
  const db = new Database(wasm, layout)
  try {
    // Attached databases have one encoding; the file's stands in its header (§1.3.13).
    const encoding = ['UTF-16le', 'UTF-16be'][(copy[59] ?? 0) - 2]
    if (encoding !== undefined) reader.exec(`PRAGMA encoding = '${encoding}'`)
    reader.exec(`ATTACH '/${file.filename}' AS file; SELECT count(*) FROM file.sqlite_schema`)
    db.copyFrom(reader, 'main', 'file')
    return db
  } catch (error) {
    db.close()
    throw error
  } finally {
    reader.close()
    file.close()
  }
}

function toFile(wasm: Wasm, db: Database): Uint8Array {
  const file = new wasm.c.Database()
  try {
    db.exec(`VACUUM INTO '/${file.filename}'`)
    return file.export()
  } finally {
    file.close()
  }
}

/** The version, and that a database is in real memory: no file name, and a rollback journal in memory, which a file in Emscripten's system lacks. */
function assertPinned(wasm: Wasm, layout: Layout): void {
  const db = new Database(wasm, layout)
  try {
    const version = db.get('SELECT sqlite_version()')?.[0]
    if (version !== SQLITE_VERSION) throw new SealError('provider-unavailable', `Expected SQLite ${SQLITE_VERSION}.`, { found: String(version) })
    const file = db.get('SELECT file FROM pragma_database_list')?.[0]
    const journal = db.get('PRAGMA journal_mode')?.[0]
    if (file !== '' || journal !== 'memory') throw new SealError('provider-unavailable', 'Expected a database in memory.', { journal: String(journal) })
  } finally {
    db.close()
  }
}
