/**
 * Drizzle over a space, by its `sqlite-proxy` driver, which wants two functions and nothing else.
 *
 * @example
 * import { drizzle } from 'drizzle-orm/sqlite-proxy'
 * const db = drizzle(drizzleCallback(database), drizzleBatch(database))
 */
import type { Database } from './database.js'
import type { RawResult, Sql } from './sql-api.js'
import { toResultValue, type ParameterValue, type ResultValue } from './values.js'

/** What Drizzle wants of a statement. */
export type DrizzleMethod = 'run' | 'all' | 'values' | 'get'
/** Rows as lists of values; for `get` the first row itself, undefined if there is none. */
export interface DrizzleRows { rows: ResultValue[][] }
/** The first argument of Drizzle's `drizzle`. */
export type DrizzleCallback = (sql: string, parameters: readonly unknown[], method: DrizzleMethod) => Promise<DrizzleRows>
/** The second, for `db.batch`. */
export type DrizzleBatch = (batch: readonly { readonly sql: string; readonly params: readonly unknown[]; readonly method: DrizzleMethod }[]) => Promise<DrizzleRows[]>

/**
 * On a database, or on the `tx` of `database.transaction`. Drizzle's own `db.transaction` sends BEGIN and COMMIT through here and can't say whose they are: run
 * one at a time, or use `database.transaction((tx) => work(drizzle(drizzleCallback(tx))))`, which also runs `work` again if the space moved on.
 */
export function drizzleCallback(database: Sql): DrizzleCallback {
  return async (sql, parameters, method) => answer(await database.queryRaw(sql, parameters as readonly ParameterValue[]), method) // checked when they are bound
}

/** For `db.batch`: all in one transaction. */
export function drizzleBatch(database: Pick<Database, 'transaction'>): DrizzleBatch {
  return (batch) => database.transaction(async (tx) => {
    const callback = drizzleCallback(tx)
    const results: DrizzleRows[] = []
    for (const { sql, params, method } of batch) results.push(await callback(sql, params, method))
    return results
  })
}

function answer({ rows }: RawResult, method: DrizzleMethod): DrizzleRows {
  const values = rows.map((row) => row.map(toResultValue))
  // Drizzle takes `rows` for the one row of `get`, and its absence for none.
  return { rows: method === 'get' ? (values[0] as unknown as ResultValue[][]) : method === 'run' ? [] : values }
}
