/**
 * The original SQL on whole tables against the same SQL where only the derived ranges are there: the same answer. A failing statement prints its seed
 * and its schema; SEALDB_FUZZ_ROUNDS runs longer.
 */
import { expect, test } from 'vitest'
import { isSealError } from '../../engine/errors.js'
import { type SqlValue } from '../../engine/codec/value.js'
import { constants } from '../../query/evaluate.js'
import { rangesOf } from '../../query/plan.js'
import { parseStatement } from '../../query/sql/parse.js'
import { openSqlite, type Sqlite } from '../../query/sqlite.js'
import { buildSchema, Random, type BuiltSchema } from './plan-support.js'
import { fill, makeWorld, planSchema, restrict, snapshot, Statements } from './plan-world.js'

const sqlite = await openSqlite()
const ROUNDS = Number(process.env['SEALDB_FUZZ_ROUNDS'] ?? 1)

const text = (row: readonly SqlValue[]): string => JSON.stringify(row, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value instanceof Uint8Array ? `x${Buffer.from(value).toString('hex')}` : value))

/** Rows as a sorted list, or undefined if SQLite refuses. */
function answer(db: Sqlite, sql: string, values: readonly SqlValue[]): readonly string[] | undefined {
  try {
    return db.all(sql, values).map(text).sort()
  } catch (error) {
    if (isSealError(error, 'sql-error') || isSealError(error, 'rolled-back')) return undefined
    throw error
  }
}

function contents(db: Sqlite, built: BuiltSchema): ReadonlySet<string> {
  return new Set(built.relations.flatMap(({ name }) => db.all(`SELECT * FROM ${name}`).map((row) => name + text(row))))
}

/** What a statement answers and changes. */
function effect(db: Sqlite, built: BuiltSchema, sql: string, values: readonly SqlValue[]): unknown {
  const before = contents(db, built)
  const rows = answer(db, sql, values)
  if (rows === undefined) return 'refused'
  const after = contents(db, built)
  return { rows, gone: [...before].filter((row) => !after.has(row)).sort(), new: [...after].filter((row) => !before.has(row)).sort() }
}

interface Counts { ran: number; refused: number; narrowed: number; found: number; partly: number }

function inBrackets<T>(db: Sqlite, work: () => T): T {
  db.exec('SAVEPOINT fuzz')
  try {
    return work()
  } finally {
    if (db.inTransaction) db.exec('ROLLBACK TO fuzz; RELEASE fuzz')
  }
}

function run(seed: number, writes: boolean, counts: Counts): void {
  const random = new Random(seed)
  const db = sqlite.database()
  try {
    const world = makeWorld(random, writes)
    const built = buildSchema(db, world.script)
    if (writes) db.exec('PRAGMA foreign_keys = ON')
    fill(db, built, random)
    const rows = snapshot(db, built)
    const schema = planSchema(built)
    const statements = new Statements(random, world)
    for (let i = 0; i < 60; i++) {
      const { sql, values } = writes ? statements.write() : statements.select()
      const look = (): unknown => (writes ? effect(db, built, sql, values) : (answer(db, sql, values) ?? 'refused'))
      const whole = inBrackets(db, look)
      if (whole === 'refused' && !writes) {
        counts.refused++
        continue
      }
      const ranges = rangesOf(parseStatement(sql), schema, constants(db, values))
      const part = inBrackets(db, () => {
        if (restrict(db, rows, ranges) > 0) counts.narrowed++
        counts.partly += [...ranges.values()].some((each) => each !== 'all' && each.length > 0) ? 1 : 0
        return look()
      })
      counts.ran++
      if (Array.isArray(whole) && whole.length > 0) counts.found++
      expect({ seed, sql, values, script: world.script, ranges: [...ranges], answer: part }).toEqual({ seed, sql, values, script: world.script, ranges: [...ranges], answer: whole })
    }
  } finally {
    db.close()
  }
}

test('queries see the same through their ranges', () => {
  const counts: Counts = { ran: 0, refused: 0, narrowed: 0, found: 0, partly: 0 }
  for (let seed = 1; seed <= 90 * ROUNDS; seed++) run(seed, false, counts)
  expect(counts.ran).toBeGreaterThan(2_500)
  // It would mean nothing if ranges were never narrow, or nothing was ever found.
  expect(counts.partly).toBeGreaterThan(counts.ran / 6)
  expect(counts.found).toBeGreaterThan(counts.ran / 4)
}, 600_000)

test('writes do the same through their ranges', () => {
  const counts: Counts = { ran: 0, refused: 0, narrowed: 0, found: 0, partly: 0 }
  for (let seed = 1; seed <= 12 * ROUNDS; seed++) run(1_000_000 + seed, true, counts)
  expect(counts.narrowed).toBeGreaterThan(counts.ran / 5)
}, 600_000)
