/** `sealdb export`: everything a member reads, in plain. */
import type { SealedSpace } from 'sealdb'
import { createWriteStream, rmSync } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { SealError } from '../../../engine/errors.js'
import { oneOf, text, type Command, type Invocation } from '../command.js'
import { dumpSql } from '../dump.js'
import { createFile, writeNew } from '../files.js'
import { forTerminal, toJson } from '../output.js'
import { formatCsv, readSchema } from '../results.js'
import { STORE, withSpace } from '../spaces.js'
import { quoteName } from '../sql-text.js'

const FORMATS = ['sql', 'sqlite', 'json', 'csv'] as const
type TextFormat = Exclude<(typeof FORMATS)[number], 'sqlite'>

export const exportCommand: Command = {
  name: 'export',
  args: '[FILE]',
  summary: 'write the tables in plain, as a SQLite file, SQL, JSON or CSV',
  details: `To FILE (readable for you alone) or to stdout. What leaves the space is sealed no more. SQL is a script for SQLite:
  sealdb export | sqlite3 team.db
A SQLite file holds everything, policies as comments: sealdb export --format sqlite team.db`,
  options: {
    ...STORE,
    format: { type: 'string', value: 'FORM', help: 'sql (default), sqlite, json: one object of tables, csv: one table' },
    table: { type: 'string', short: 't', value: 'NAME', help: 'only this table' },
  },
  run: (invocation) => withSpace(invocation, async (space) => {
    const format = oneOf(text(invocation, 'format') ?? (invocation.output.json ? 'json' : 'sql'), '--format', FORMATS)
    const table = text(invocation, 'table')
    if (format === 'sqlite') return exportFile(space, invocation, table)
    if (format === 'csv' && table === undefined) throw new SealError('bad-argument', 'Expected --table with --format csv.')
    await write(invocation, linesOf(space, format, table))
    return 0
  }),
}

async function exportFile(space: SealedSpace, { args: [file] }: Invocation, table: string | undefined): Promise<number> {
  if (file === undefined) throw new SealError('bad-argument', 'Expected FILE with --format sqlite.')
  if (table !== undefined) throw new SealError('bad-argument', 'A SQLite file holds all tables: leave --table away.')
  const bytes = await space.export({ policies: true })
  writeNew(file, bytes)
  return 0
}

async function* linesOf(space: SealedSpace, format: TextFormat, only: string | undefined): AsyncGenerator<string> {
  const schema = await readSchema(space, only)
  if (format === 'sql') {
    yield* dumpSql(space, only)
    return
  }
  const tables = schema.filter(({ type }) => type === 'table').map(({ name }) => name)
  const queried = async (name: string): Promise<{ rows: Record<string, unknown>[]; columns: readonly string[] }> => space.query(`SELECT * FROM ${quoteName(name)}`)
  if (format === 'csv') {
    const { rows, columns } = await queried(only as string)
    yield `${formatCsv(rows, columns)}\r\n`
    return
  }
  yield '{'
  for (const [i, name] of tables.entries()) yield `${i === 0 ? '' : ','}\n${toJson(name)}:${toJson((await queried(name)).rows)}`
  yield '\n}\n'
}

async function write({ args, output, around }: Invocation, lines: AsyncIterable<string>): Promise<void> {
  const [file] = args
  if (file === undefined) {
    for await (const line of lines) around.stdout.write(output.terminal ? forTerminal(line) : line)
    return
  }
  const descriptor = createFile(file)
  const progress = output.progress('writing')
  let count = 0
  const counted = async function* (): AsyncGenerator<string> {
    for await (const line of lines) {
      yield line
      progress.update(++count)
    }
  }
  try {
    await pipeline(counted, createWriteStream(file, { fd: descriptor }))
  } catch (error) {
    rmSync(file)
    throw error
  } finally {
    progress.done()
  }
}
