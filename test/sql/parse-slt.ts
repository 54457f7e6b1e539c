/** The sqllogictest files as records, for the parser's tests: what SQL, and whether it is expected to work. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../../../shared/fixtures/slt/', import.meta.url))

/** False where the fixtures are not at hand: tests then skip, visibly. */
export const SLT_PRESENT = existsSync(ROOT)

export type SltRecord = {
  readonly file: string
  readonly kind: 'statement' | 'query' | 'reset'
  readonly sql: string
  /** A `statement error`. */
  readonly fails: boolean
  /** Under skipif or onlyif: not run here, but it still has to parse. */
  readonly conditional: boolean
}

export const sltFiles = (): string[] =>
  SLT_PRESENT ? readdirSync(ROOT, { recursive: true }).map(String).filter((name) => name.endsWith('.test')).sort() : []

/** Records end at a blank line; `#` lines are dropped; a query's SQL ends at `----`. */
export function* sltRecords(file: string): Generator<SltRecord> {
  const text = readFileSync(ROOT + file, 'utf8').replaceAll('\r\n', '\n').replace(/^#.*\n/gm, '')
  for (const chunk of text.split(/\n[ \t]*(?:\n[ \t]*)+/)) {
    const lines = chunk.split('\n').filter((line) => line.trim() !== '')
    const head = lines.findIndex((line) => !/^(skipif|onlyif)\b/.test(line))
    const [kind, argument] = (lines[head] ?? '').split(/\s+/)
    if (kind === 'reset') yield { file, kind, sql: '', fails: false, conditional: false }
    if (kind !== 'statement' && kind !== 'query') continue
    const body = lines.slice(head + 1), end = kind === 'query' ? body.indexOf('----') : -1
    const sql = (end < 0 ? body : body.slice(0, end)).join('\n')
    yield { file, kind, sql, fails: argument === 'error', conditional: head > 0 }
  }
}
