/** Policies as comments in the tables' definitions of a plain SQLite file: for whoever reads it. */
import { type Sqlite } from './sqlite.js'

/** SQLite keeps a definition up to its last token, so the comment goes before the bracket that closes the columns. */
export function withPolicies(db: Sqlite, policies: readonly { readonly table: string; readonly sql: string }[]): void {
  const tables = new Set(policies.map(({ table }) => table))
  db.exec('PRAGMA writable_schema = ON')
  for (const table of tables) {
    const sql = db.get("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?", [table])?.[0]
    if (typeof sql !== 'string') continue
    const comment = policies.filter((policy) => policy.table === table).map((policy) => `/* ${inComment(policy.sql)} */`).join('\n  ')
    const end = closingBracket(sql)
    if (end >= 0) db.run("UPDATE sqlite_schema SET sql = ? WHERE type = 'table' AND name = ?", [`${sql.slice(0, end)}\n  ${comment}\n${sql.slice(end)}`, table])
  }
  db.exec('PRAGMA writable_schema = RESET')
}

/** Names and constants are the author's: one that ended the comment, or the text, would make the file another, or none. */
function inComment(sql: string): string {
  return sql.replaceAll('*/', '* /').replaceAll('\0', '\uFFFD')
}

/** Of the columns: the last one that is no part of a comment or of something quoted. */
function closingBracket(sql: string): number {
  let end = -1
  for (const { 0: token, index } of sql.matchAll(/--[^\n]*|\/\*[^]*?\*\/|'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|\)/g)) if (token === ')') end = index
  return end
}
