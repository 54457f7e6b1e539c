/**
 * Where SQLite keeps what sql.js exports no function for: the array of bound parameters (to bind 64-bit integers exactly), their number, the extended
 * result code, the offset of an error in the text, the last inserted rowid, whether a transaction is open, and the switches for triggers and foreign
keys (as a PRAGMA the latter does nothing within a transaction, and expires every prepared statement; the former has no PRAGMA).
 *
 * The offsets are not written down: they are found by experiment in every process, by values that occur nowhere else, and then proven on other
 * statements. If they can't be found the module refuses to start. The alternative, CAST(? AS INTEGER), changes a comparison's affinity.
 */
import { SealError } from '../../engine/errors.js'
import { type Wasm } from './wasm.js'

export interface Layout {
  /** In sqlite3_stmt: pointer to the parameters; their count (16 bits). Size of a parameter; its integer is its first 8 bytes. */
  readonly parameters: number
  readonly parameterCount: number
  readonly valueBytes: number
  /** In sqlite3: extended result code, byte offset of an error or −1, last rowid. */
  readonly errorCode: number
  readonly errorOffset: number
  readonly lastRowid: number
  /** A byte: 1 if no transaction is open. */
  readonly autoCommit: number
  /** A word of switches, of which `FOREIGN_KEYS` and `TRIGGERS` decide what a statement is compiled to. */
  readonly flags: number
  /** Two 64-bit counters: violations of deferred foreign keys, and of those that PRAGMA defer_foreign_keys defers. COMMIT fails unless they add up to 0. */
  readonly deferred: number
}

/** SQLITE_ForeignKeys and SQLITE_EnableTrigger of sqliteInt.h. */
export const FOREIGN_KEYS = 0x4000
export const TRIGGERS = 0x40000

const SENTINEL = 0x1ea1db01
const STATEMENT_BYTES = 256
const HANDLE_BYTES = 256

export function discoverLayout(wasm: Wasm): Layout {
  const { c } = wasm
  const name = wasm.writeText(':memory:')
  if (c._sqlite3_open(name.pointer, wasm.out) !== 0) throw unknown('open')
  const db = wasm.word(wasm.out)
  try {
    const { parameters, valueBytes } = findParameters(wasm, db)
    const layout = { parameters, valueBytes, parameterCount: findCount(wasm, db), lastRowid: findRowid(wasm, db), autoCommit: findAutoCommit(wasm, db), flags: findFlags(wasm, db), deferred: findDeferred(wasm, db), ...findError(wasm, db) }
    proveIntegers(wasm, db, layout)
    proveSwitches(wasm, db, layout)
    return layout
  } finally {
    c._sqlite3_close_v2(db)
  }
}

/** Statements of different shape: with cursors, registers, arguments of a virtual table, so that neighbouring pointers differ. */
const SHAPES = ['SELECT ?1, ?2', 'SELECT ?1, ?2 FROM json_each(?3) ORDER BY ?4', 'SELECT max(?1, ?2, ?3) FROM sqlite_master a, sqlite_master b WHERE a.name > ?4'] as const

function findParameters(wasm: Wasm, db: number): { readonly parameters: number; readonly valueBytes: number } {
  let candidates = new Set<string>()
  SHAPES.forEach((sql, shape) => {
    const found = new Set<string>()
    withStatement(wasm, db, sql, (statement) => {
      wasm.c._sqlite3_bind_int(statement, 1, SENTINEL)
      wasm.c._sqlite3_bind_int(statement, 2, SENTINEL + 1)
      for (let offset = 0; offset < STATEMENT_BYTES; offset += 4) {
        const pointer = wasm.word(statement + offset)
        if (pointer <= 0 || pointer % 8 !== 0 || pointer + 128 > wasm.u8.length || wasm.i64[pointer >> 3] !== BigInt(SENTINEL)) continue
        for (let size = 8; size <= 96; size += 8) if (wasm.i64[(pointer + size) >> 3] === BigInt(SENTINEL + 1)) found.add(`${offset}/${size}`)
      }
    })
    candidates = shape === 0 ? found : new Set([...candidates].filter((candidate) => found.has(candidate)))
  })
  const [only, ...others] = candidates
  if (only === undefined || others.length > 0) throw unknown('parameters')
  const [parameters, valueBytes] = only.split('/').map(Number)
  return { parameters: parameters as number, valueBytes: valueBytes as number }
}

function findCount(wasm: Wasm, db: number): number {
  let candidates: number[] = []
  for (let offset = 0; offset < 64; offset += 2) candidates.push(offset)
  for (const count of [0, 3, 7, 301]) {
    withStatement(wasm, db, `SELECT ${['0', ...Array.from({ length: count }, () => '?')].join(', ')}`, (statement) => {
      const view = new DataView(wasm.memory.buffer)
      candidates = candidates.filter((offset) => view.getInt16(statement + offset, true) === count)
    })
  }
  if (candidates.length !== 1) throw unknown('parameter count')
  return candidates[0] as number
}

function findRowid(wasm: Wasm, db: number): number {
  const rowid = 0x1ea1_db01_2345_6789n
  run(wasm, db, `CREATE TABLE layout_rowid(id INTEGER PRIMARY KEY)`)
  run(wasm, db, `INSERT INTO layout_rowid VALUES (${rowid})`)
  for (let offset = 0; offset < HANDLE_BYTES; offset += 8) if (wasm.i64[(db + offset) >> 3] === rowid) return offset
  throw unknown('last rowid')
}

function findError(wasm: Wasm, db: number): { readonly errorCode: number; readonly errorOffset: number } {
  run(wasm, db, `CREATE TABLE layout_error(a UNIQUE, b NOT NULL, CHECK (a < 9)); INSERT INTO layout_error VALUES (1, 1)`)
  const probes = [['INSERT INTO layout_error VALUES (1, 1)', 2067], ['INSERT INTO layout_error VALUES (2, NULL)', 1299], ['INSERT INTO layout_error VALUES (9, 1)', 275]] as const
  let candidates: number[] = []
  for (let offset = 0; offset < HANDLE_BYTES; offset += 4) candidates.push(offset)
  for (const [sql, code] of probes) {
    run(wasm, db, sql)
    candidates = candidates.filter((offset) => wasm.word(db + offset) === code)
  }
  if (candidates.length !== 1) throw unknown('result code')
  const errorCode = candidates[0] as number
  run(wasm, db, 'SELECT nowhere')
  if (wasm.word(db + errorCode + 4) !== 7) throw unknown('error offset')
  return { errorCode, errorOffset: errorCode + 4 }
}

function findAutoCommit(wasm: Wasm, db: number): number {
  let candidates: number[] = []
  for (let offset = 0; offset < HANDLE_BYTES; offset++) candidates.push(offset)
  for (const [sql, expected] of [['SELECT 1', 1], ['BEGIN', 0], ['COMMIT', 1], ['SAVEPOINT s', 0], ['ROLLBACK', 1], ['BEGIN; DELETE FROM layout_rowid', 0], ['ROLLBACK', 1]] as const) {
    run(wasm, db, sql)
    candidates = candidates.filter((offset) => wasm.u8[db + offset] === expected)
  }
  if (candidates.length !== 1) throw unknown('transaction state')
  return candidates[0] as number
}

function findFlags(wasm: Wasm, db: number): number {
  let candidates: number[] = []
  for (let offset = 0; offset < HANDLE_BYTES; offset += 4) candidates.push(offset)
  let before = new Map<number, number>()
  for (const [sql, bit] of [['SELECT 1', 0], ['PRAGMA foreign_keys = ON', FOREIGN_KEYS], ['PRAGMA recursive_triggers = ON', 0x2000], ['PRAGMA recursive_triggers = OFF', 0x2000], ['PRAGMA foreign_keys = OFF', FOREIGN_KEYS]] as const) {
    before = new Map(candidates.map((offset) => [offset, wasm.word(db + offset)]))
    run(wasm, db, sql)
    candidates = candidates.filter((offset) => (wasm.word(db + offset) ^ (before.get(offset) ?? 0)) === bit)
  }
  if (candidates.length !== 1 || (wasm.word(db + (candidates[0] as number)) & TRIGGERS) === 0) throw unknown('flags')
  return candidates[0] as number
}

function findDeferred(wasm: Wasm, db: number): number {
  run(wasm, db, `PRAGMA foreign_keys = ON; CREATE TABLE layout_key(id INTEGER PRIMARY KEY); CREATE TABLE layout_later(id REFERENCES layout_key DEFERRABLE INITIALLY DEFERRED);
    CREATE TABLE layout_now(id REFERENCES layout_key)`)
  let candidates: number[] = []
  for (let offset = 0; offset < 1024; offset += 8) candidates.push(offset)
  const insert = 'INSERT INTO layout_later VALUES (1)'
  for (const [sql, later, now] of [
    ['BEGIN', 0n, 0n], [insert, 1n, 0n], [insert, 2n, 0n], [insert, 3n, 0n], ['DELETE FROM layout_later WHERE rowid = 2', 2n, 0n], ['PRAGMA defer_foreign_keys = ON; INSERT INTO layout_now VALUES (1), (1)', 2n, 2n],
    ['DELETE FROM layout_now WHERE rowid = 1', 2n, 1n], ['ROLLBACK', 0n, 0n],
  ] as const) {
    run(wasm, db, sql)
    candidates = candidates.filter((offset) => wasm.i64[(db + offset) >> 3] === later && wasm.i64[(db + offset + 8) >> 3] === now)
  }
  run(wasm, db, 'PRAGMA foreign_keys = OFF')
  if (candidates.length !== 1) throw unknown('deferred violations')
  return candidates[0] as number
}

/** With the switches off neither a trigger nor a foreign key acts; with them on again both do. */
function proveSwitches(wasm: Wasm, db: number, layout: Layout): void {
  run(wasm, db, `PRAGMA foreign_keys = ON; CREATE TABLE layout_parent(id INTEGER PRIMARY KEY); CREATE TABLE layout_child(id REFERENCES layout_parent ON DELETE CASCADE);
    CREATE TRIGGER layout_trigger AFTER DELETE ON layout_parent BEGIN INSERT INTO layout_child VALUES (NULL); END;
    INSERT INTO layout_parent VALUES (1), (2); INSERT INTO layout_child VALUES (1), (2)`)
  const word = (db + layout.flags) >> 2
  const switches = FOREIGN_KEYS | TRIGGERS
  const expected = [[0, 'DELETE FROM layout_parent WHERE id = 1', 2], [switches, 'DELETE FROM layout_parent WHERE id = 2', 2]] as const
  for (const [on, sql, count] of expected) {
    wasm.i32[word] = (wasm.word(word << 2) & ~switches) | on
    run(wasm, db, sql)
    withStatement(wasm, db, 'SELECT count(*), count(id) FROM layout_child', (statement) => {
      wasm.c._sqlite3_step(statement)
      const [rows, ids] = [wasm.c._sqlite3_column_double(statement, 0), wasm.c._sqlite3_column_double(statement, 1)]
      if (rows !== count || ids !== (on === 0 ? 2 : 1)) throw unknown('switches')
    })
  }
}

/** The int64 extremes, bound through the layout, are what SQLite prints, compares and calls an integer. */
function proveIntegers(wasm: Wasm, db: number, layout: Layout): void {
  for (const value of [2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n + 1n, 2n ** 31n]) {
    withStatement(wasm, db, `SELECT typeof(?2) || ?2 || (?2 = ${value === -(2n ** 63n) ? '-9223372036854775808' : value}) || coalesce(?1, 'n') || coalesce(?3, 'n')`, (statement) => {
      wasm.c._sqlite3_bind_int(statement, 2, 0)
      wasm.i64[(wasm.word(statement + layout.parameters) + layout.valueBytes) >> 3] = value
      if (wasm.c._sqlite3_step(statement) !== 100) throw unknown('proof')
      if (wasm.readCString(wasm.c._sqlite3_column_text(statement, 0)) !== `integer${value}1nn`) throw unknown('proof')
    })
  }
}

function withStatement(wasm: Wasm, db: number, sql: string, use: (statement: number) => void): void {
  const text = wasm.writeText(sql)
  const code = wasm.c._sqlite3_prepare_v2(db, text.pointer, text.length + 1, wasm.out, 0)
  wasm.release(text.pointer)
  const statement = wasm.word(wasm.out)
  if (code !== 0 || statement === 0) throw unknown(`prepare ${code}`)
  try {
    use(statement)
  } finally {
    wasm.c._sqlite3_finalize(statement)
  }
}

/** For its effect on the handle: errors are wanted here. */
function run(wasm: Wasm, db: number, sql: string): void {
  const text = wasm.writeText(sql)
  wasm.c._sqlite3_exec(db, text.pointer, 0, 0, 0)
  wasm.release(text.pointer)
}

function unknown(what: string): SealError {
  return new SealError('provider-unavailable', 'This build of SQLite keeps its state elsewhere than the one SealDB is pinned to.', { missing: what })
}
