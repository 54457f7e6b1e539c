import { expect, test } from 'vitest'
import { parseCsv } from '../../net/cli/csv.js'
import { meant } from '../../net/cli/nearest.js'
import { createOutput, escapeControls, formatTable, forTerminal, toJson } from '../../net/cli/output.js'
import { formatCsv } from '../../net/cli/results.js'
import { literal } from '../../net/cli/sql-text.js'
import { openSqlite } from '../../query/sqlite.js'

function streams(isTTY: boolean): { written: () => string; stdout: { write(text: string): void; isTTY: boolean }; stderr: { write(text: string): void; isTTY: boolean } } {
  let written = ''
  const stream = { write: (text: string): void => { written += text }, isTTY }
  return { written: () => written, stdout: stream, stderr: stream }
}

test('colours and progress only on a terminal', () => {
  for (const isTTY of [true, false]) {
    const to = streams(isTTY)
    const output = createOutput(to, false)
    output.print(output.style('red', 'x'))
    const progress = output.progress('working')
    progress.update(1, 2)
    progress.done()
    expect(to.written().includes('\x1b[31m')).toBe(isTTY)
    expect(to.written().includes('working')).toBe(isTTY)
  }
})

test('NO_COLOR is heard', () => {
  process.env.NO_COLOR = '1'
  try {
    expect(createOutput(streams(true), false).style('red', 'x')).toBe('x')
  } finally {
    delete process.env.NO_COLOR
  }
})

test('values steer no terminal', () => {
  expect(escapeControls('\x1b[2Ja\u009bb\u202ec')).toBe('\\u001b[2Ja\\u009bb\\u202ec')
  expect(formatTable([{ 'b\x1b[2J': 'a\x1b]0;title\x07\r' }])).not.toMatch(/[\x1b\x07\r]/)
  expect(forTerminal('a,b\r\n\x1b[2J,\r\n')).toBe('a,b\n\\u001b[2J,\n')
  const steering = { 'a\u009b': 'b\u202e' }
  expect(toJson(steering)).toBe('{"a\\u009b":"b\\u202e"}')
  expect(JSON.parse(toJson(steering))).toEqual(steering)
})

test('a mistyped word is known by one or two edits', () => {
  const words = ['sql', 'members', 'remove', 'relay']
  expect(meant('memebrs', words)).toBe(' Did you mean members?')
  expect(meant('rleay', words)).toBe(' Did you mean relay?')
  expect(meant('sqk', words)).toBe(' Did you mean sql?')
  for (const other of ['', 'xyz', 'backup']) expect(meant(other, words)).toBe('')
})

test('tables align, cut what is long, and show NULL and blobs', () => {
  expect(formatTable([{ n: 1, t: 'one' }, { n: 20, t: null }])).toBe(' n  t\n──  ────\n 1  one\n20  NULL')
  expect(formatTable([{ t: 'x'.repeat(70) }]).split('\n')[2]).toBe(`${'x'.repeat(59)}…`)
  expect(formatTable([])).toBe('(no rows)')
  expect(toJson([{ big: 2n ** 60n, blob: Uint8Array.of(1, 255) }])).toBe('[{"big":"1152921504606846976","blob":"01ff"}]')
})

test('CSV goes out and comes back', () => {
  const rows = [{ a: 'plain', b: 'with "quotes", and\r\nlines' }, { a: '', b: null }, { a: null, b: 'x' }]
  expect(parseCsv(formatCsv(rows, ['a', 'b']))).toEqual([['a', 'b'], ...rows.map(({ a, b }) => [a, b])])
  expect(parseCsv('a,b\n\n1,\n')).toEqual([['a', 'b'], ['1', null]])
  expect(parseCsv('1,')).toEqual([['1', null]])
  for (const bad of ['"a', 'a,"b"c', '"a""']) expect(() => parseCsv(bad)).toThrow(expect.objectContaining({ code: 'bad-argument' }))
})

test('literals of a dump are read back exactly', async () => {
  const db = (await openSqlite()).database()
  const values = [null, 0n, -(2n ** 63n), 2n ** 63n - 1n, 1.5, 5, 1e300, 5e-324, Infinity, -Infinity, "it's", 'a\0b', '', Uint8Array.of(0, 255), new Uint8Array(0)]
  for (const value of values) expect(db.get(`SELECT ${literal(value)}`)?.[0]).toEqual(value)
  db.close()
})
