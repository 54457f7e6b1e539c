/**
 * Random schemas, rows and statements: what a thin client answers is what a replica answers, row for row, whichever of the two wrote; and what either writes is
 * what both then hold. A failing statement prints its seed and schema; SEALDB_THIN_SEED and SEALDB_FUZZ_ROUNDS run others, and longer.
 */
import { afterEach, expect, it } from 'vitest'
import { isSealError } from '../../engine/errors.js'
import type { SqlValue } from '../../engine/codec/value.js'
import type { Space } from '../../engine/space/space.js'
import { Database } from '../../query/database.js'
import { contents } from '../query/database-support.js'
import { buildSchema, Random } from '../query/plan-support.js'
import { fill, makeWorld, Statements } from '../query/plan-world.js'
import { openSqlite } from '../../query/sqlite.js'
import { founder, stopAll, testRelay, until, type TestPeer } from './support.js'
import { remoteOf, reopened, thinInvited } from './thin-support.js'

const peers: TestPeer[] = []
afterEach(() => stopAll(peers))

const ROUNDS = Number(process.env['SEALDB_FUZZ_ROUNDS'] ?? 1)
const SEED = Number(process.env['SEALDB_THIN_SEED'] ?? 1)
const sqlite = await openSqlite()

const text = (row: readonly unknown[]): string => JSON.stringify(row, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value instanceof Uint8Array ? `x${Buffer.from(value).toString('hex')}` : value))

/** Sorted rows, or the code of the refusal. */
async function answer(db: Database, sql: string, values: readonly SqlValue[]): Promise<readonly string[] | string> {
  try {
    return (await db.queryRaw(sql, values)).rows.map(text).sort()
  } catch (error) {
    if (isSealError(error, 'rejected') || (isSealError(error) && error.family === 'usage' && error.code !== 'out-of-scope')) return error.code
    throw error
  }
}

/** Which of several that are equal under a collation stands for them is for SQLite to choose. */
function comparable(sql: string, found: readonly string[] | string): readonly string[] | string {
  if (typeof found === 'string' || !/GROUP BY|DISTINCT|UNION|EXCEPT|INTERSECT|max\(|min\(/.test(sql)) return found
  return found.map((row) => row.toLowerCase().replace(/ +"/g, '"')).sort()
}

/** A session that has loaded nothing. */
async function once<T>(space: Space, work: (db: Database) => Promise<T>): Promise<T> {
  const db = await Database.open(space)
  try {
    return await work(db)
  } finally {
    await db.close()
  }
}

interface Step { readonly sql: string; readonly values: readonly SqlValue[] }

/** One statement by itself, or several in a transaction, some of it taken back. */
function transaction(random: Random, statements: Statements): readonly Step[] {
  if (random.chance(50)) return [statements.write()]
  const word = (sql: string): Step => ({ sql, values: [] })
  const some = (): Step[] => Array.from({ length: 1 + random.below(2) }, () => (random.chance(30) ? statements.select() : statements.write()))
  const middle = random.chance(50) ? [word('SAVEPOINT s'), ...some(), word(random.pick(['ROLLBACK TO s', 'RELEASE s'])), ...some()] : []
  return [word('BEGIN'), ...some(), ...middle, word('COMMIT')]
}

/** How many ids are of the second device's own range. */
const ownIds = (held: unknown): number => [...JSON.stringify(held).matchAll(/"(\d{10})n"/g)].filter(([, id]) => Number(id) > 2 ** 32).length

/** Without what BEGIN answers. */
async function perform(db: Database, program: readonly Step[]): Promise<unknown[]> {
  const answers: unknown[] = []
  for (const { sql, values } of program) {
    const found = await answer(db, sql, values)
    // At the end what COMMIT says, if it refuses.
    if (sql !== 'BEGIN' && (sql !== 'COMMIT' || typeof found === 'string')) answers.push(found)
  }
  return answers
}

interface Counts { selects: number; refused: number; writes: number; fetched: number }

async function run(seed: number, counts: Counts): Promise<void> {
  const random = new Random(seed)
  const world = makeWorld(random, true)
  const relay = await testRelay()
  const ada = await founder(relay, `diff Ada ${seed}`)
  peers.push(ada)
  // A trigger is not to meet the rows that it begins with.
  const [tables, triggers] = [false, true].map((isTrigger) => world.script.split('\n').filter((line) => line.startsWith('CREATE TRIGGER') === isTrigger).join('\n')) as [string, string]
  const scratch = sqlite.database()
  const built = buildSchema(scratch, tables)
  fill(scratch, built, random)
  const replica = await Database.open(ada.space)
  await replica.exec(tables)
  await replica.transaction(async (tx) => {
    for (const relation of built.relations) {
      const columns = relation.columns.filter(({ id }) => id !== undefined).map(({ name }) => name)
      const rowid = relation.key.length === 0 ? ['rowid'] : []
      for (const row of scratch.all(`SELECT ${[...rowid, ...columns].join(', ')} FROM ${relation.name}`)) {
        await tx.queryRaw(`INSERT INTO ${relation.name} (${[...rowid, ...columns].join(', ')}) VALUES (${row.map(() => '?').join(', ')})`, row)
      }
    }
  })
  await replica.exec(triggers)
  await until(() => ada.space.outbox().length === 0, 'written')
  let tim = await thinInvited(relay.dial, ada, 'Tim', 'admin')
  const statements = new Statements(random, world)
  const inStep = async (): Promise<void> => {
    await until(() => tim.space.outbox().length + ada.space.outbox().length === 0 && tim.space.head.size === ada.space.head.size, 'in step')
  }
  await inStep()
  for (let i = 0; i < 40; i++) {
    if (random.chance(75)) {
      const { sql, values } = statements.select()
      const theirs = await answer(replica, sql, values)
      const ours = await once(tim.space, (db) => answer(db, sql, values))
      expect(comparable(sql, ours), `seed ${seed}: ${sql} ${text(values)}\n${world.script}`).toEqual(comparable(sql, theirs))
      counts.selects++
      if (typeof theirs === 'string') counts.refused++
    } else {
      const program = transaction(random, statements)
      const settings = `PRAGMA foreign_keys = ${random.chance(50) ? 'ON' : 'OFF'}`
      await replica.exec(settings)
      const told = `seed ${seed}: ${program.map(({ sql, values }) => `${sql} ${text(values)}`).join('; ')}\n${settings}\n${world.script}`
      if (random.chance(30)) await perform(replica, program)
      else {
        // What it would do here, and then does there.
        await replica.query('BEGIN')
        const answers: unknown[] = []
        for (const { sql, values } of program) if (sql !== 'BEGIN' && sql !== 'COMMIT') answers.push(await answer(replica, sql, values))
        const expected = await contents(replica)
        await replica.query('ROLLBACK')
        const found = await once(tim.space, async (db) => {
          await db.exec(settings)
          return perform(db, program)
        })
        await inStep()
        const refusal = found.at(-1)
        if (refusal === 'rejected' || refusal === 'key-too-long') {
          // What SQLite takes and the space does not: then it does not from here, either.
          expect((await perform(replica, program)).at(-1), told).toBe(refusal)
          counts.refused++
        // Drawn ids are each device's own; which of several rows UPDATE FROM takes, or comes first where they collide, is for SQLite to choose.
        } else if (!program.some(({ sql }) => (sql.startsWith('INSERT OR IGNORE') && sql.includes(' SELECT ')) || /^UPDATE (?:OR |.* FROM )/.test(sql))) {
          expect(found.slice(0, answers.length), told).toEqual(answers)
          const actual = await contents(replica)
          if (ownIds(actual) === ownIds(expected)) expect(actual, told).toEqual(expected)
        }
      }
      await inStep()
      counts.writes++
    }
    if (random.chance(10)) {
      counts.fetched += remoteOf(tim.space).counters.bytes
      tim = await reopened(tim, relay.dial, 'Tim')
    }
  }
  expect(await once(tim.space, contents), `seed ${seed}\n${world.script}`).toEqual(await contents(replica))
  expect(tim.space.head).toEqual(ada.space.head)
  counts.fetched += remoteOf(tim.space).counters.bytes
  await replica.close()
  await stopAll([tim])
  scratch.close()
}

it(`a thin client answers and writes as a replica does (SEALDB_THIN_SEED=${SEED})`, async () => {
  const counts: Counts = { selects: 0, refused: 0, writes: 0, fetched: 0 }
  for (let i = 0; i < 3 * ROUNDS; i++) await run(SEED + i, counts)
  expect(counts.selects).toBeGreaterThan(60 * ROUNDS)
  expect(counts.refused).toBeLessThan(0.75 * counts.selects) // or nothing would be compared
  expect(counts.writes).toBeGreaterThan(10 * ROUNDS)
  expect(counts.fetched).toBeGreaterThan(10_000)
}, 60_000 * ROUNDS)
