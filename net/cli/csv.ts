/** CSV as RFC 4180 has it; lines may end with LF alone. An empty field is null, a quoted empty one is ''. */
import { SealError } from '../../engine/errors.js'

/** Throws `bad-argument` with the place. */
export function parseCsv(text: string): readonly (readonly (string | null)[])[] {
  const rows: (string | null)[][] = []
  let row: (string | null)[] = []
  let at = 0
  while (at < text.length) {
    const quoted = text[at] === '"'
    const end = quoted ? closingQuote(text, at + 1) : plainEnd(text, at)
    const field = quoted ? text.slice(at + 1, end).replaceAll('""', '"') : text.slice(at, end)
    row.push(!quoted && field === '' ? null : field)
    at = quoted ? end + 1 : end
    const next = text[at]
    if (next === ',') {
      at++
      if (at === text.length) row.push(null)
      continue
    }
    if (next === '\r' && text[at + 1] === '\n') at++
    else if (next !== '\n' && next !== undefined) throw new SealError('bad-argument', 'Expected a comma or the end of the line after a quoted field.', { offset: at })
    at++
    // An empty line is none.
    if (!(row.length === 1 && row[0] === null)) rows.push(row)
    row = []
  }
  if (row.length > 0) rows.push(row)
  return rows
}

function plainEnd(text: string, from: number): number {
  let at = from
  while (at < text.length && text[at] !== ',' && text[at] !== '\n' && !(text[at] === '\r' && text[at + 1] === '\n')) at++
  return at
}

function closingQuote(text: string, from: number): number {
  for (let at = from; ; at += 2) {
    at = text.indexOf('"', at)
    if (at < 0) throw new SealError('bad-argument', 'A quoted field has no end.', { offset: from - 1 })
    if (text[at + 1] !== '"') return at
  }
}
