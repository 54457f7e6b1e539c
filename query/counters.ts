/**
 * AUTOINCREMENT's counters, the rows of `sqlite_sequence`, kept as they are while rows are filled in: SQLite moves them whenever a row arrives, and within a transaction they
 * are what that has made of them, not what the view says.
 */
import { SEQUENCE } from './catalog-flaws.js'
import { type Sqlite } from './sqlite.js'
import { quoteName } from './sqlite/names.js'

const TABLE = `main.${quoteName(SEQUENCE)}`

/** Run `fill`, and set the counters back to what they were before. */
export function keepCounters(db: Sqlite, fill: () => void): void {
  if (db.get(`SELECT 1 FROM main.sqlite_schema WHERE name = '${SEQUENCE}'`) === undefined) return fill()
  const before = db.all(`SELECT rowid, name, seq FROM ${TABLE}`)
  fill()
  db.run(`DELETE FROM ${TABLE}`)
  for (const row of before) db.run(`INSERT INTO ${TABLE} (rowid, name, seq) VALUES (?, ?, ?)`, row)
}
