/** A database on a new space in memory, real in all but its store: for the sqllogictest adapter and the fuzzer. */
import { randomBytes } from 'node:crypto'
import { loadProvider } from '../../engine/crypto/load.js'
import { createSpace } from '../../engine/space/open.js'
import { memoryStore } from '../../engine/store/memory.js'
import { Database } from '../../query/database.js'

export async function openTestDatabase(): Promise<{ readonly db: Database; close(): Promise<void> }> {
  const crypto = await loadProvider()
  const space = await createSpace(await memoryStore().open(), { crypto, random: (length) => new Uint8Array(randomBytes(length)), now: () => Date.now() })
  const db = await Database.open(space)
  return {
    db,
    async close() {
      await db.close()
      await space.close()
    },
  }
}
