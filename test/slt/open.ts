/** A database on a new space in memory, real in all but its store: for sqllogictest and the fuzzer. */
import { randomBytes } from 'node:crypto'
import { createRequire } from 'node:module'
import { loadProvider } from '../../engine/crypto/load.js'
import { createSpace } from '../../engine/space/open.js'
import { memoryStore } from '../../engine/store/memory.js'
import { Database } from '../../query/database.js'
import type { SqliteOptions } from '../../query/sqlite.js'
import type { SqlValue } from '../../query/values.js'

/** A copy of our own: in the fuzzer's process the oracle has started the package's. */
const initSqlJs = ((): NonNullable<SqliteOptions['initSqlJs']> => {
  const require = createRequire(import.meta.url)
  const path = require.resolve('sql.js')
  const shared = require.cache[path]
  delete require.cache[path]
  const fresh = require(path) as NonNullable<SqliteOptions['initSqlJs']>
  // Nor is it to be theirs, if they start later.
  if (shared !== undefined) require.cache[path] = shared
  else delete require.cache[path]
  return fresh
})()

async function openTestDatabase(): Promise<{ readonly db: Database; close(): Promise<void> }> {
  const crypto = await loadProvider()
  const space = await createSpace(await memoryStore().open(), { crypto, random: (length) => new Uint8Array(randomBytes(length)), now: () => Date.now() })
  const db = await Database.open(space, { sqlite: { initSqlJs } })
  return {
    db,
    async close() {
      await db.close()
      await space.close()
    },
  }
}

/** What slt-runner.mjs and sqlfuzz.mjs drive. */
export interface SltAdapter {
  readonly engine: string
  readonly numbersAreReal: boolean
  open(): Promise<{ exec(sql: string): Promise<void>; query(sql: string): Promise<SqlValue[][]>; close(): Promise<void> }>
}

export const adapter: SltAdapter = {
  engine: 'sqlite',
  numbersAreReal: true,
  async open() {
    const { db, close } = await openTestDatabase()
    return {
      exec: (sql) => db.exec(sql), // some records hold two statements
      query: async (sql) => (await db.queryRaw(sql)).rows,
      close,
    }
  },
}
