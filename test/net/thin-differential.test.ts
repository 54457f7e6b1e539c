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
const SEED = Number(process.env['SEALDB_THIN_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const sqlite = await openSqlite()

const text = (row: readonly unknown[]): string => JSON.stringify(row, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value instanceof Uint8Array ? `x${Buffer.from(value).toString('hex')}` : value))

/** Sorted rows, or the code of the refusal. */
async function answer(db: Database, sql: string, values: readonly SqlValue[]): Promise<readonly string[] | string> {
  try {
    return (await db.queryRaw(sql, values)).rows.map(text).sort()
  } catch (error) {
    if (isSealError(error) && error.family === 'usage' && error.code !== 'out-of-scope') return error.code
    throw error
  }
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

interface Counts { selects: number; refused: number; writes: number; fetched: number }

async function run(seed: number, counts: Counts): Promise<void> {
  const random = new Random(seed)
  const world = makeWorld(random, true)
  const relay = await testRelay()
  const ada = await founder(relay, `diff Ada ${seed}`)
  peers.push(ada)
  const scratch = sqlite.database()
  const built = buildSchema(scratch, world.script)
  fill(scratch, built, random)
  const replica = await Database.open(ada.space)
  await replica.exec(world.script)
  await replica.transaction(async (tx) => {
    for (const relation of built.relations) {
      const columns = relation.columns.filter(({ id }) => id !== undefined).map(({ name }) => name)
      const rowid = relation.key.length === 0 ? ['rowid'] : []
      for (const row of scratch.all(`SELECT ${[...rowid, ...columns].join(', ')} FROM ${relation.name}`)) {
        await tx.queryRaw(`INSERT INTO ${relation.name} (${[...rowid, ...columns].join(', ')}) VALUES (${row.map(() => '?').join(', ')})`, row)
      }
    }
  })
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
      expect(await once(tim.space, (db) => answer(db, sql, values)), `seed ${seed}: ${sql} ${text(values)}\n${world.script}`).toEqual(theirs)
      counts.selects++
      if (typeof theirs === 'string') counts.refused++
    } else {
      const { sql, values } = statements.write()
      const foreign = random.chance(50)
      await (random.chance(60) ? once(tim.space, async (db) => {
        if (foreign) await db.exec('PRAGMA foreign_keys = ON')
        return answer(db, sql, values)
      }) : answer(replica, sql, values))
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
  expect(counts.refused).toBeLessThan(counts.selects / 2)
  expect(counts.writes).toBeGreaterThan(10 * ROUNDS)
  expect(counts.fetched).toBeGreaterThan(10_000)
}, 60_000 * ROUNDS)
