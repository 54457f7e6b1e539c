/** A database on a new space in memory, real in all but its store: for the sqllogictest adapter and the fuzzer. */
import { randomBytes } from 'node:crypto'
import { createRequire } from 'node:module'
import { loadProvider } from '../../engine/crypto/load.js'
import { createSpace } from '../../engine/space/open.js'
import { memoryStore } from '../../engine/store/memory.js'
import { Database } from '../../query/database.js'
import type { SqliteOptions } from '../../query/sqlite.js'

/** A copy of our own: in the fuzzer's process the oracle has started the package's. */
const initSqlJs = ((): NonNullable<SqliteOptions['initSqlJs']> => {
  const require = createRequire(import.meta.url)
  const path = require.resolve('sql.js')
  const shared = require.cache[path]
  delete require.cache[path]
  const fresh = require(path) as NonNullable<SqliteOptions['initSqlJs']>
  if (shared !== undefined) require.cache[path] = shared
  return fresh
})()

export async function openTestDatabase(): Promise<{ readonly db: Database; close(): Promise<void> }> {
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
