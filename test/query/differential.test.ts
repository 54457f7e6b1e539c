/**
 * Random programs on SealDB and on plain SQLite: the same after every transaction, at every past state, on a replica, and opened again. SEALDB_DIFF_SEEDS
 * runs more, SEALDB_DIFF_SEED begins there (alone: just that one). A program that fails is cut down and printed; kept in regressions/, it runs for good.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { openSqlite } from '../../query/sqlite.js'
import { runProgram, shrink, type Counts, type RunOptions } from './differential.js'
import { makeProgram, type Program } from './random-program.js'

const sqlite = await openSqlite()
const REGRESSIONS = new URL('regressions/', import.meta.url)

const none = (): Counts => ({ statements: 0, failed: 0, transactions: 0, pasts: 0, replicas: 0, points: 0 })

async function failure(program: Program, options: RunOptions, counts: Counts = none()): Promise<Error | undefined> {
  try {
    await runProgram(sqlite, program, options, counts)
    return undefined
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

/** A statement a line, an empty line after each transaction. */
const write = (program: Program): string => program.map((texts) => `${texts.join('\n')}\n`).join('\n')
const read = (text: string): Program => text.split(/\n\n+/).map((part) => part.split('\n').filter((each) => each !== '' && !each.startsWith('-- '))).filter((texts) => texts.length > 0)

test('random programs', { timeout: 3_600_000 }, async () => {
  const given = process.env['SEALDB_DIFF_SEED']
  const first = Number(given ?? 1)
  const seeds = Number(process.env['SEALDB_DIFF_SEEDS'] ?? (given === undefined ? 8 : 1))
  const counts = none()
  for (let seed = first; seed < first + seeds; seed++) {
    const program = makeProgram(seed, 14)
    const options = { replica: seed % 3 === 0 }
    const found = await failure(program, options, counts)
    if (found === undefined) continue
    const kind = (error: Error | undefined): string | undefined => error && (error.message.split('\n')[0] as string).replace(/^after transaction \d+: /, '').replace(/\d+/g, 'n')
    const small = await shrink(program, async (less) => kind(await failure(less, options)) === kind(found))
    throw new Error(`seed ${seed}: ${found.message}\nas small as it gets (for test/query/regressions/${seed}.sql):\n${write(small)}`, { cause: (await failure(small, options)) ?? found })
  }
  console.info(`differential: seeds ${first}…${first + seeds - 1}, ${counts.transactions} transactions, ${counts.statements} statements (${counts.failed} refused by both), ${counts.pasts} past states, ${counts.replicas} replicas, ${counts.points} queries of a session that loads tables in parts`)
  expect(counts.transactions).toBeGreaterThan(seeds * 3)
})

const kept = existsSync(REGRESSIONS) ? readdirSync(REGRESSIONS).filter((name) => name.endsWith('.sql')) : []
test.each(kept)('regression %s', async (name) => {
  const program = read(readFileSync(new URL(name, REGRESSIONS), 'utf8'))
  for (const options of [{}, { replica: true }]) expect(await failure(program, options)).toBeUndefined()
})

test('a difference is seen, and cut down to what makes it', async () => {
  const program = makeProgram(1, 6)
  const differing = [...program.slice(0, 3), ['CREATE TABLE aside (a)', 'CREATE VIRTUAL TABLE doc USING fts4 (body)', 'INSERT INTO aside VALUES (1)'], ...program.slice(3)]
  const small = await shrink(differing, async (less) => (await failure(less, {}))?.message.includes('CREATE VIRTUAL TABLE') === true)
  expect(small.flat()).toEqual(['CREATE VIRTUAL TABLE doc USING fts4 (body)'])
  expect(read(write(small))).toEqual(small)
  expect((await failure([['CREATE TABLE one (u)'], ['SELECT random()']], {}))?.message).toContain('SELECT random()')
})
