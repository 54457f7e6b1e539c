/**
 * What the program prints: tables, JSON, colours only on a terminal, progress on stderr and only there. Values come from other people:
 * what would steer a terminal is shown, not obeyed.
 */

export interface Output {
  readonly json: boolean
  /** Somebody looks: what is printed must steer nothing. */
  readonly terminal: boolean
  print(line: string): void
  /** A table for people, an array of objects as JSON. */
  table(rows: readonly Readonly<Record<string, unknown>>[], columns?: readonly string[]): void
  /** One object: `key: value` lines, or JSON. */
  object(value: Readonly<Record<string, unknown>>): void
  error(message: string): void
  style(style: Style, text: string): string
  /** Shows a bar while `of` is known, a count otherwise. Call the result with the amount done; `done` ends the line. */
  progress(label: string): { update(done: number, of?: number): void; done(): void }
}

/** Escape sequences: ECMA-48 §8.3.117. */
const STYLES = { bold: [1, 22], dim: [2, 22], red: [31, 39], green: [32, 39], yellow: [33, 39], cyan: [36, 39] } as const
export type Style = keyof typeof STYLES

export interface Streams {
  readonly stdout: { write(text: string): unknown; readonly isTTY?: boolean }
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean }
}

export function createOutput({ stdout, stderr }: Streams, json: boolean): Output {
  // https://no-color.org: set and not empty.
  const terminal = stdout.isTTY === true
  const colours = terminal && (process.env.NO_COLOR ?? '') === ''
  const print = (line: string): void => void stdout.write(line + '\n')
  return {
    json,
    terminal,
    print,
    table: (rows, columns) => print(json ? toJson(rows) : formatTable(rows, columns)),
    object: (value) => print(json ? toJson(value) : Object.entries(value).map(([key, item]) => `${key}: ${formatCell(item)}`).join('\n')),
    error: (message) => void stderr.write(message + '\n'),
    style: (style, text) => (colours ? `\x1b[${STYLES[style][0]}m${text}\x1b[${STYLES[style][1]}m` : text),
    progress: (label) => progressOn(stderr, label),
  }
}

/** Integers beyond 2⁵³ and blobs have no JSON: as decimal and hexadecimal text. What would steer a terminal is escaped, which JSON reads back. */
export function toJson(value: unknown): string {
  return escapeControls(JSON.stringify(value, (_, item: unknown) => {
    if (typeof item === 'bigint') return item.toString()
    if (item instanceof Uint8Array) return Buffer.from(item).toString('hex')
    return item
  }))
}

export function formatCell(value: unknown): string {
  if (value === null || value === undefined) return 'NULL'
  if (value instanceof Uint8Array) return `x'${Buffer.from(value).toString('hex')}'`
  return escapeControls(typeof value === 'object' ? toJson(value) : String(value as string | number | bigint | boolean))
}

/** A text of many lines for a terminal: their ends are newlines there, and nothing else steers. */
export function forTerminal(text: string): string {
  return escapeControls(text.replaceAll('\r\n', '\n'))
}

/** Controls (but tab and newline), and what turns the direction of text around, as visible escapes. */
export function escapeControls(text: string): string {
  return text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

const escapeOneLine = (text: string): string => escapeControls(text).replace(/[\n\t]/g, ' ')

/** Columns aligned, numbers to the right. */
export function formatTable(rows: readonly Readonly<Record<string, unknown>>[], columns: readonly string[] = Object.keys(rows[0] ?? {})): string {
  if (columns.length === 0) return '(no rows)'
  const cells = rows.map((row) => columns.map((column) => escapeOneLine(formatCell(row[column]))))
  const titles = columns.map(escapeOneLine)
  const widths = titles.map((title, i) => Math.min(60, Math.max(title.length, ...cells.map((row) => (row[i] as string).length))))
  const right = columns.map((column) => rows.length > 0 && rows.every((row) => typeof row[column] === 'number' || typeof row[column] === 'bigint' || row[column] === null))
  const line = (row: readonly string[]): string =>
    row.map((cell, i) => {
      const width = widths[i] as number
      const cut = cell.length > width ? cell.slice(0, width - 1) + '…' : cell
      return right[i] === true ? cut.padStart(width) : cut.padEnd(width)
    }).join('  ').trimEnd()
  return [line(titles), widths.map((width) => '─'.repeat(width)).join('  '), ...cells.map(line)].join('\n')
}

function progressOn(stream: Streams['stderr'], label: string): { update(done: number, of?: number): void; done(): void } {
  let shown = 0
  let last = ''
  const draw = (textLine: string): void => {
    last = textLine
    stream.write(`\r${textLine}\x1b[K`)
  }
  return {
    update: (done, of) => {
      const now = Date.now()
      // Ten times a second is enough for anybody.
      if (stream.isTTY !== true || now - shown < 100) return
      shown = now
      if (of === undefined || of === 0) draw(`${label} ${done.toLocaleString('en')}`)
      else {
        const filled = Math.round((done / of) * 30)
        draw(`${label} ${'█'.repeat(filled)}${'░'.repeat(30 - filled)} ${Math.floor((done / of) * 100)} %`)
      }
    },
    done: () => {
      if (last !== '') stream.write('\r\x1b[K')
    },
  }
}
