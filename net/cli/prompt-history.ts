/** What was typed at the prompt, across runs: one JSON text a line, in a file for this user alone (XDG Base Directory: state). */
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'

const KEPT = 1_000
/** When the file has grown to so many lines, a start cuts it back. */
const CUT_AT = 10_000

export function historyFile(): string {
  return join(process.env.XDG_STATE_HOME ?? join(homedir(), '.local', 'state'), 'sealdb', 'history')
}

/** The newest first and each on one line, as readline wants it. Damaged lines are skipped. */
export function readHistory(file: string): readonly string[] {
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').split('\n')
  if (lines.length > CUT_AT) writeFileSync(file, lines.slice(-KEPT).join('\n'), { mode: 0o600 })
  return lines.slice(-KEPT).flatMap(parse).map((text) => text.replaceAll('\n', ' ')).reverse()
}

/** Throws what the file system says. */
export function appendHistory(file: string, statement: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  appendFileSync(file, `${JSON.stringify(statement)}\n`, { mode: 0o600 })
}

function parse(line: string): readonly string[] {
  try {
    const text: unknown = JSON.parse(line)
    return typeof text === 'string' ? [text] : []
  } catch {
    return [] // half a line, of a process that ended while writing; or the empty one at the end
  }
}
