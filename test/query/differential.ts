/**
 * One program on SealDB and on plain SQLite, held against each other after every transaction: what succeeds, what is answered, schema and rows. Then against
 * itself: past states, a live query, another member's replica, and the space opened again.
 */
import { isSealError, type SealError } from '../../engine/errors.js'
import { type SqlValue } from '../../engine/codec/value.js'
import { createSpace } from '../../engine/space/open.js'
import type { Space } from '../../engine/space/space.js'
import { memoryStore } from '../../engine/store/memory.js'
import { Database } from '../../query/database.js'
import { type Sqlite, type SqliteModule } from '../../query/sqlite.js'
import { quoteName } from '../../query/sqlite/names.js'
import { founder, invited, testRelay, until } from '../net/support.js'
import { optionsOf } from '../space/rim-support.js'
import { opened, reopen } from './database-support.js'
import { pointQueries } from './differential-points.js'
import { type Program } from './random-program.js'

export class Difference extends Error {
  /** The transaction after which it shows. */
  readonly at: number
  constructor(at: number, message: string) {
    super(`after transaction ${at}: ${message}`)
    this.at = at
  }
}

export interface Counts { statements: number; failed: number; transactions: number; pasts: number; replicas: number; points: number }
export interface RunOptions {
  /** A second member follows over a relay. */
  readonly replica?: boolean
}

/** Triggers can feed each other: what changes so much is not worth the time. */
const MAX_CHANGES = 3_000

export async function runProgram(sqlite: SqliteModule, program: Program, { replica = false }: RunOptions, counts: Counts): Promise<void> {
  const plain = sqlite.database()
  const relay = replica ? await testRelay() : undefined
  const peer = relay && (await founder(relay, 'differential'))
  const location = peer?.location ?? memoryStore()
  const space = peer?.space ?? (await createSpace(await location.open(), optionsOf('differential')))
  let subject = await opened(space, location)
  const ends: (() => Promise<unknown>)[] = []
  const pasts: { readonly size: number; readonly shown: Shown; readonly at: number }[] = []
  const seen: { rows: unknown; failed: boolean } = { rows: undefined, failed: false }
  let stop = (): void => undefined
  try {
    for (const [at, texts] of program.entries()) {
      for (const text of texts) {
        const enough = await both(plain, subject.db, text, at, counts)
        if (enough) return
      }
      if (plain.inTransaction) return // cut down too far
      counts.transactions++
      const shown = showPlain(plain)
      same(at, 'SealDB and SQLite differ', await show(subject.db), shown)
      pasts.push({ size: subject.space.head.size, shown, at })
      if (at === 0) stop = subject.db.live('SELECT * FROM one').subscribe(({ rows }) => { seen.rows = rows }, () => { seen.failed = true })
      else if (!seen.failed) await liveIs(at, subject.db, seen)
    }
    stop()
    const end = program.length - 1
    if (relay && peer) {
      await until(() => subject.space.outbox().length === 0, 'all is in the log')
      const other = await invited(relay, peer, 'replica')
      const db = await Database.open(other.space)
      ends.push(async () => { await db.close(); await other.sync.stop(); await other.space.close() })
      await until(() => other.space.head.size === subject.space.head.size, 'in step')
      same(end, 'a replica differs', await show(db), pasts.at(-1)?.shown)
      counts.replicas++
    } else {
      subject = await reopen(subject, 'differential')
      same(end, 'the space opened again differs', await show(subject.db), pasts.at(-1)?.shown)
    }
    await samePoints(end, plain, subject.space, counts)
    // With a relay, entries get their places in the log later.
    for (const past of replica ? [] : pasts.filter((_, i) => i % 4 === 1)) {
      same(past.at, `AS OF ${past.size} differs`, await showPast(subject.db, past.shown, past.size), past.shown.tables)
      counts.pasts++
    }
  } finally {
    stop()
    plain.close()
    for (const each of ends) await each()
    await peer?.sync.stop()
    await subject.close()
  }
}

/** One statement on both sides. True if it did more than is worth comparing. */
async function both(plain: Sqlite, db: Database, text: string, at: number, counts: Counts): Promise<boolean> {
  counts.statements++
  const before = Number(plain.get('SELECT total_changes()')?.[0] ?? 0)
  let expected: unknown
  let failure: string | undefined
  try {
    expected = plain.all(text).map(line).sort()
  } catch (error) {
    if (!isSealError(error, 'sql-error')) throw error
    failure = error.message
    counts.failed++
  }
  if (Number(plain.get('SELECT total_changes()')?.[0] ?? 0) - before > MAX_CHANGES) return true
  try {
    const { rows } = await db.queryRaw(text)
    if (failure !== undefined) throw new Difference(at, `${text}\nSQLite refuses it: ${failure}`)
    same(at, text, rows.map(line).sort(), expected)
  } catch (error) {
    if (!isSealError(error)) throw error
    if (failure === undefined && (letsOrphansIn(plain, text, error.message) || isCorrupt(plain, error))) return true
    if (failure === undefined) throw new Difference(at, `${text}\nSealDB refuses it: ${error.code}: ${error.message}`)
    // Of several constraints, which fails first is a matter of that order, too.
    if (error.code === 'sql-error' && error.message !== failure && !(/constraint failed/.test(error.message) && /constraint failed/.test(failure))) throw new Difference(at, `${text}\nSealDB says: ${error.message}\nSQLite says: ${failure}`)
  }
  return false
}

/**
 * SQLite may take a row without its parent into a table that refers to itself: by REPLACE, where a trigger deletes from the table meanwhile, and when
 * deferred constraints are looked at in the end. Its own check then lists the row. SealDB refuses it (query/README.md).
 */
function letsOrphansIn(plain: Sqlite, text: string, message: string): boolean {
  if (message !== 'FOREIGN KEY constraint failed') return false
  const refersToItself = plain.all("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%REFERENCES ' || name || '(%'").length > 0
  // The check finds no fault with `id TEXT` 0 and `p` 0, which a plain INSERT refuses: it compares with the affinity of the parent.
  if (refersToItself && /\bREPLACE\b/i.test(text)) return true
  if (plain.all('PRAGMA foreign_key_check').length === 0) return false
  // Within a transaction, a deferred constraint may be broken for a while.
  return /^(?:COMMIT|END|RELEASE)\b/i.test(text) || plain.all("SELECT 1 FROM sqlite_schema WHERE sql LIKE '%DEFERRABLE%'").length === 0
}

/** SQLite's UPSERT breaks its table where a BEFORE trigger deletes the row that it is about to change. SealDB refuses what can't be read back, and goes on. */
function isCorrupt(plain: Sqlite, { facts }: SealError): boolean {
  return facts.name === 'SQLITE_CORRUPT' && plain.all('PRAGMA integrity_check')[0]?.[0] !== 'ok'
}

async function liveIs(at: number, db: Database, seen: { rows: unknown; failed: boolean }): Promise<void> {
  // Without ORDER BY, rows have no order.
  const sorted = (rows: unknown): string => (rows as readonly unknown[]).map((row) => JSON.stringify(row, revive)).sort().join('\n')
  const expected = sorted((await db.query('SELECT * FROM one')).rows)
  for (let i = 0; i < 200; i++) {
    if (seen.failed || (seen.rows !== undefined && sorted(seen.rows) === expected)) return
    await new Promise((resolve) => setImmediate(resolve))
  }
  throw new Difference(at, `the live query shows ${JSON.stringify(seen.rows, revive)}\na fresh one ${expected}`)
}

/** Rows that are asked for one by one, in a session that has loaded nothing. */
async function samePoints(at: number, plain: Sqlite, space: Space, counts: Counts): Promise<void> {
  const db = await Database.open(space, { loadInParts: 0 })
  try {
    for (const query of pointQueries(plain)) {
      same(at, query, (await db.queryRaw(query)).rows.map(line).sort(), plain.all(query).map(line).sort())
      counts.points++
    }
  } finally {
    await db.close()
  }
}

interface Shown { readonly schema: readonly string[]; readonly tables: readonly (readonly [name: string, rows: readonly string[]])[] }

const SCHEMA = "SELECT type, name, tbl_name, sql FROM main.sqlite_schema WHERE sql IS NOT NULL AND name NOT GLOB 'sqlite_stat*' ORDER BY type, name"

function showPlain(db: Sqlite): Shown {
  const schema = db.all(SCHEMA)
  return shownOf(schema, (sql) => db.all(sql))
}

function shownOf(schema: readonly (readonly SqlValue[])[], all: (sql: string) => readonly (readonly SqlValue[])[]): Shown {
  const tables = schema.filter(([type]) => type === 'table').map(([, name]) => [String(name), all(`SELECT * FROM ${quoteName(String(name))}`).map(line).sort()] as const)
  return { schema: schema.map(line), tables }
}

async function show(db: Database): Promise<Shown> {
  const schema = (await db.queryRaw(SCHEMA)).rows
  const rows = new Map<string, readonly (readonly SqlValue[])[]>()
  for (const [type, name] of schema) if (type === 'table') rows.set(`SELECT * FROM ${quoteName(String(name))}`, (await db.queryRaw(`SELECT * FROM ${quoteName(String(name))}`)).rows)
  return shownOf(schema, (sql) => rows.get(sql) ?? [])
}

async function showPast(db: Database, { tables }: Shown, at: number): Promise<Shown['tables']> {
  const found: (readonly [string, readonly string[]])[] = []
  for (const [name] of tables) {
    if (name === 'sqlite_sequence') found.push([name, tables.find(([each]) => each === name)?.[1] ?? []]) // SQLite's own, by its own name in each schema
    else found.push([name, (await db.queryRaw(`SELECT * FROM ${quoteName(name)}`, [], { at })).rows.map(line).sort()])
  }
  return found
}

function line(row: readonly SqlValue[]): string {
  return JSON.stringify(row, revive)
}

/** INTEGER and REAL apart. */
function revive(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}n`
  return value instanceof Uint8Array ? `x'${Buffer.from(value).toString('hex')}'` : value
}

function same(at: number, what: string, found: unknown, expected: unknown): void {
  const [a, b] = [JSON.stringify(found, null, 1), JSON.stringify(expected, null, 1)]
  if (a === b) return
  const [left, right] = [a.split('\n'), b.split('\n')]
  const first = left.findIndex((each, i) => each !== right[i])
  throw new Difference(at, `${what}\nfound    ${left.slice(first, first + 4).join(' ')}\nexpected ${right.slice(first, first + 4).join(' ')}`)
}

/** A smaller program that still fails: without transactions, then without statements, as long as that goes. */
export async function shrink(program: Program, fails: (program: Program) => Promise<boolean>, tries = 150): Promise<Program> {
  let best = program
  for (let size = Math.ceil(best.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 1; from < best.length && tries > 0;) {
      const less = [...best.slice(0, from), ...best.slice(from + size)]
      tries--
      if (await fails(less)) best = less
      else from += size
    }
  }
  for (let t = best.length - 1; t >= 0; t--) {
    for (let s = (best[t]?.length ?? 0) - 1; s >= 0 && tries > 0; s--) {
      const less = best.map((texts, i) => (i === t ? texts.filter((_, j) => j !== s) : texts)).filter((texts) => texts.length > 0)
      tries--
      if (await fails(less)) best = less
    }
  }
  return best
}
