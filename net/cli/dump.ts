/** A space as a script that SQLite runs: schema, rows, then what watches rows (indexes and triggers), as `.dump` of its shell has it. */
import type { SealedSpace } from 'sealdb'
import { readSchema } from './results.js'
import { literal, quoteName } from './sql-text.js'

/** Rows in one INSERT: enough to be quick to load, few enough to be a line one can look at. */
const ROWS_PER_INSERT = 100

export async function* dumpSql(space: SealedSpace, only: string | undefined): AsyncGenerator<string> {
  const schema = await readSchema(space, only)
  yield 'PRAGMA foreign_keys=OFF;\nBEGIN;\n'
  for (const { type, name, sql } of schema) {
    if (type !== 'table' || sql === null) continue
    yield `${sql};\n`
    const columns = await storedColumns(space, name)
    const { rows } = await space.db.queryRaw(`SELECT ${columns.join(', ')} FROM ${quoteName(name)}`)
    for (let from = 0; from < rows.length; from += ROWS_PER_INSERT) {
      const values = rows.slice(from, from + ROWS_PER_INSERT).map((row) => `(${row.map(literal).join(',')})`)
      yield `INSERT INTO ${quoteName(name)} (${columns.join(', ')}) VALUES ${values.join(',\n')};\n`
    }
  }
  for (const { type, sql } of schema) if (type !== 'table' && sql !== null) yield `${sql};\n`
  yield 'COMMIT;\n'
}

/** Without generated columns: those can't be inserted. */
async function storedColumns(space: SealedSpace, table: string): Promise<readonly string[]> {
  const { rows } = await space.query<{ name: string; hidden: number }>('SELECT name, hidden FROM pragma_table_xinfo(?)', [table])
  return rows.filter(({ hidden }) => Number(hidden) === 0).map(({ name }) => quoteName(name))
}
