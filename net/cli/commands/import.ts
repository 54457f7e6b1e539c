/** `sealdb import`: a script, a SQLite file, or rows of a JSON or CSV file, into the space. */
import type { SealedSpace } from 'sealdb'
import { SealError } from '../../../engine/errors.js'
import { oneOf, requiredArg, text, type Command, type Invocation } from '../command.js'
import { parseCsv } from '../csv.js'
import { readInput, readTextInput } from '../files.js'
import { escapeControls } from '../output.js'
import { STORE, withSpace } from '../spaces.js'
import { quoteName } from '../sql-text.js'
import { statementsOf } from './sql.js'

const FORMATS = ['sql', 'sqlite', 'json', 'csv'] as const
const EXTENSIONS: Readonly<Record<string, string>> = { db: 'sqlite', sqlite3: 'sqlite' }
/** Rows in one entry of the log. */
const BATCH = 1_000

export const importCommand: Command = {
  name: 'import',
  args: 'FILE',
  summary: 'read an SQL script, a SQLite file, or JSON or CSV rows into a table',
  details: `The form is that of the file’s name unless --format says otherwise. JSON: an array of objects, whose names are columns. CSV: the first
line names the columns; an empty field is NULL, "" is an empty text. What fails is rolled back; of JSON and CSV, 1,000 rows at a time.
Of a SQLite file (.sqlite, .sqlite3, .db) everything comes, and what can’t be shared is named; who presses Ctrl-C gets nothing of it.`,
  options: {
    ...STORE,
    format: { type: 'string', value: 'FORM', help: 'sql, sqlite, json or csv' },
    table: { type: 'string', short: 't', value: 'NAME', help: 'for JSON and CSV: the table, which must be there' },
  },
  run: (invocation) => {
    const file = requiredArg(invocation, 0, 'a file')
    const extension = file.slice(file.lastIndexOf('.') + 1).toLowerCase()
    const format = oneOf(text(invocation, 'format') ?? EXTENSIONS[extension] ?? extension, 'the format', FORMATS)
    if (format === 'sqlite') return withSpace(invocation, (space) => importDatabase(space, invocation, readInput(file)))
    const content = readTextInput(file)
    if (format === 'sql') return withSpace(invocation, (space) => importScript(space, invocation, content))
    const table = text(invocation, 'table')
    if (table === undefined) throw new SealError('bad-argument', `Expected --table with ${format}.`)
    const rows = format === 'json' ? parseRows(content) : rowsOfCsv(content)
    return withSpace(invocation, (space) => importRows(space, invocation, table, rows))
  },
}

async function importDatabase(space: SealedSpace, { output, around: { stop } }: Invocation, bytes: Uint8Array): Promise<number> {
  const progress = output.progress('importing')
  try {
    const { tables, rows, refused } = await space.import(bytes, { signal: stop, onProgress: ({ rows: done, total }) => progress.update(done, total) })
    for (const { type, name, reason } of refused) output.error(`left out: ${type} ${escapeControls(name)}: ${escapeControls(reason)}`)
    output.object({ tables: tables.length, rows, refused: refused.length })
    return 0
  } catch (error) {
    throw error === stop.reason ? new Error('Stopped before everything had come; what had is dropped again.') : error
  } finally {
    progress.done()
  }
}

/** Scripts have their own BEGIN and COMMIT, or none; PRAGMAs of a dump mean nothing here. */
async function importScript(space: SealedSpace, { output }: Invocation, script: string): Promise<number> {
  const statements = statementsOf(script).filter((statement) => !/^PRAGMA\b/i.test(statement))
  const progress = output.progress('importing')
  let done = 0
  try {
    for (const statement of statements) {
      await space.query(statement)
      progress.update(++done, statements.length)
    }
  } finally {
    progress.done()
  }
  output.object({ statements: done })
  return 0
}

async function importRows(space: SealedSpace, { output }: Invocation, table: string, rows: readonly Row[]): Promise<number> {
  const progress = output.progress('importing')
  try {
    for (let from = 0; from < rows.length; from += BATCH) {
      await space.transaction(async (tx) => {
        for (const row of rows.slice(from, from + BATCH)) {
          const names = Object.keys(row)
          await tx.query(`INSERT INTO ${quoteName(table)} (${names.map(quoteName).join(', ')}) VALUES (${names.map(() => '?').join(', ')})`, Object.values(row))
        }
      })
      progress.update(Math.min(rows.length, from + BATCH), rows.length)
    }
  } finally {
    progress.done()
  }
  output.object({ table, rows: rows.length })
  return 0
}

type Row = Readonly<Record<string, null | boolean | number | string>>

function parseRows(content: string): readonly Row[] {
  let parsed: unknown
  try {
    parsed = JSON.parse(content)
  } catch (cause) {
    throw new SealError('bad-argument', `Expected JSON: ${cause instanceof Error ? cause.message : ''}`, {}, { cause })
  }
  const isRow = (row: unknown): row is Row => typeof row === 'object' && row !== null && !Array.isArray(row) && Object.values(row).every((value) => value === null || typeof value !== 'object')
  if (!Array.isArray(parsed) || !parsed.every(isRow)) throw new SealError('bad-argument', 'Expected an array of objects of plain values.')
  return parsed
}

function rowsOfCsv(content: string): readonly Row[] {
  const [header, ...lines] = parseCsv(content)
  if (!header) throw new SealError('bad-argument', 'Expected a first line with the names of columns.')
  return lines.map((line, i) => {
    if (line.length !== header.length) throw new SealError('bad-argument', `Expected ${header.length} fields in row ${i + 1}, found ${line.length}.`)
    return Object.fromEntries(line.map((field, column) => [header[column] ?? '', field]))
  })
}
