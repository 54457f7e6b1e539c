/** sql.js as anybody uses it, in a copy of its own: what SealDB has to equal. */
import { createRequire } from 'node:module'

export interface PlainDatabase {
  exec(sql: string): { readonly columns: string[]; readonly values: (null | number | string | Uint8Array)[][] }[]
  export(): Uint8Array
}
export interface PlainSqlite { readonly Database: new (bytes?: Uint8Array) => PlainDatabase }

export async function plainSqlite(): Promise<PlainSqlite> {
  const require = createRequire(import.meta.url)
  const path = require.resolve('sql.js')
  const shared = require.cache[path]
  delete require.cache[path]
  const fresh = require(path) as () => Promise<PlainSqlite>
  if (shared === undefined) delete require.cache[path]
  else require.cache[path] = shared
  return fresh()
}
