/**
 * SQLite's result codes by name, and how they become a SealError.
 *
 * The message is SQLite's own, because developers and ORMs read it. It names tables, columns and constraints, quotes SQL text near a syntax error,
 * and may hold values that the developer put there (RAISE(…, expr), a CHECK's text): show it, don't log it. `facts` are safe to log. The one message
 * that quotes values of rows by itself, a bad JSON path, goes without.
 */
import { SealError } from '../../engine/errors.js'

export const SQLITE_OK = 0
export const SQLITE_ROW = 100
export const SQLITE_DONE = 101

const PRIMARY = [
  'OK', 'ERROR', 'INTERNAL', 'PERM', 'ABORT', 'BUSY', 'LOCKED', 'NOMEM', 'READONLY', 'INTERRUPT', 'IOERR', 'CORRUPT', 'NOTFOUND', 'FULL', 'CANTOPEN',
  'PROTOCOL', 'EMPTY', 'SCHEMA', 'TOOBIG', 'CONSTRAINT', 'MISMATCH', 'MISUSE', 'NOLFS', 'AUTH', 'FORMAT', 'RANGE', 'NOTADB',
] as const
const CONSTRAINT = ['', 'CHECK', 'COMMITHOOK', 'FOREIGNKEY', 'FUNCTION', 'NOTNULL', 'PRIMARYKEY', 'TRIGGER', 'UNIQUE', 'VTAB', 'ROWID', 'PINNED', 'DATATYPE'] as const

/** The extended result codes a program most often asks for. */
export const CONSTRAINT_CHECK = 275
export const CONSTRAINT_FOREIGNKEY = 787
export const CONSTRAINT_NOTNULL = 1299
export const CONSTRAINT_PRIMARYKEY = 1555
export const CONSTRAINT_UNIQUE = 2067
export const CONSTRAINT_ROWID = 2579
export const CONSTRAINT_DATATYPE = 3091

/** As in SQLite's documentation: `SQLITE_CONSTRAINT_UNIQUE`. */
export function resultName(extended: number): string {
  const primary = PRIMARY[extended & 255]
  if (primary === undefined) return `SQLITE_${extended}`
  const more = extended >> 8
  if (more === 0) return `SQLITE_${primary}`
  const detail = primary === 'CONSTRAINT' ? CONSTRAINT[more] : undefined
  return `SQLITE_${primary}_${detail ?? more}`
}

/**
 * facts: `result` (extended code), `name`, `offset` (byte offset of the error in the SQL text, if SQLite knows it).
 * Running out of memory is `out-of-memory` instead.
 */
export function sqlError(extended: number, message: string, offset: number, cause?: unknown): SealError {
  const facts = { result: extended, name: resultName(extended), ...(offset >= 0 ? { offset } : {}) }
  if ((extended & 255) === 7) return new SealError('out-of-memory', 'SQLite ran out of memory: all databases of this process share at most 2 GiB.', facts)
  return new SealError('sql-error', message.replace(/^(bad JSON path|JSON path error)\b.*$/s, '$1'), facts, cause === undefined ? {} : { cause })
}
