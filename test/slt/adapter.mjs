// sqllogictest adapter: SealDB's public Database on encrypted tables (a real space in a memory store).
// Run from the repository: npm run slt -- ../shared/fixtures/slt/turso
import { register } from 'tsx/esm/api'

register()
const { openTestDatabase } = await import('./open.ts')

export const engine = 'sqlite'
export const numbersAreReal = true

export async function open() {
  const { db, close } = await openTestDatabase()
  return {
    exec: (sql) => db.exec(sql), // some records hold two statements
    query: async (sql) => (await db.queryRaw(sql)).rows,
    close,
  }
}
