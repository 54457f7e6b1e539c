/** Values that go from SQLite's memory to where they are sealed, held against the way by JavaScript's values; and rows of all kinds of tables, read again by who opens the space. */
import { expect, test } from 'vitest'
import { Writer } from '../../engine/codec/canonical.js'
import { type SqlValue, writeValue } from '../../engine/codec/value.js'
import { isSealError } from '../../engine/errors.js'
import { openSqlite } from '../../query/sqlite.js'
import { codeOf, newDatabase, reopen, shownAlike } from './database-support.js'

const sqlite = await openSqlite()
const LONG = 'grüße, 你好 '.repeat(30)
const VALUES: readonly SqlValue[] = [
  null, 0n, -1n, 63n, -64n, 2n ** 31n, -(2n ** 31n), 2n ** 47n - 1n, 2n ** 47n, -(2n ** 47n), 2n ** 53n - 1n, -(2n ** 53n) + 1n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n),
  0, 0.5, -1.5e-300, Infinity, -Infinity, 9007199254740993, '', 'a', 'abc', 'x'.repeat(47), 'x'.repeat(48), 'x'.repeat(49), 'x'.repeat(5_000), 'é', 'ab€', `${'y'.repeat(60)}é`, LONG, '\u0000', '\uFFFD', '😀'.repeat(40),
  new Uint8Array(0), Uint8Array.of(0), Uint8Array.of(255, 0, 1), new Uint8Array(300).fill(7),
]

function written(write: (writer: Writer) => void): Uint8Array | string {
  const writer = new Writer()
  try {
    write(writer)
    return writer.finish()
  } catch (error) {
    if (!isSealError(error)) throw error
    return `${error.code}: ${error.message}`
  }
}

test('a value is written as the one that is read is, wherever in SQLite’s memory it lies', () => {
  const db = sqlite.database()
  db.exec('CREATE TABLE t (before, x, after)')
  const insert = db.prepare('INSERT INTO t VALUES (?, ?, ?)')
  for (const [i, value] of VALUES.entries()) insert.run(['p'.repeat(i % 5), value, i % 3 === 0 ? 'é' : 'q'])
  const read = db.prepare('SELECT before, x, after FROM t ORDER BY rowid')
  for (const value of VALUES) {
    expect(read.step()).toBe(true)
    expect(read.value(1)).toEqual(value)
    for (const slot of [0, 1, 2]) expect(written((w) => { read.writeTo(w, slot) })).toEqual(written((w) => { writeValue(w, read.value(slot)) }))
  }
  expect(read.step()).toBe(false)
  expect(written((w) => { read.writeTo(w, 0) })).toContain('no current row')
})

test.each(["x'ff'", "x'c3'", "x'61c3'", "x'eda080'", "x'c0af'", "x'f4908080'", `x'${'61'.repeat(61)}80'`, `x'80${'61'.repeat(61)}'`])('TEXT that is no UTF-8 is refused as it is read: %s', (blob) => {
  const read = sqlite.database().prepare(`SELECT CAST(${blob} AS TEXT), 'a' || CAST(${blob} AS TEXT)`)
  read.step()
  for (const slot of [0, 1]) expect(written((w) => { read.writeTo(w, slot) })).toBe('bad-value: Expected TEXT that is valid UTF-8.')
})

test.each([
  ['INTEGER PRIMARY KEY', 't (id INTEGER PRIMARY KEY, a, b)'],
  ['PLAINTEXT key and column', 't (id INTEGER PRIMARY KEY PLAINTEXT, a PLAINTEXT, b)'],
  ['a BLIND column', 't (id INTEGER PRIMARY KEY, a BLIND, b UNIQUE)'],
  ['rowid', 't (id, a, b)'],
  ['WITHOUT ROWID', 't (b, a, id, PRIMARY KEY (id)) WITHOUT ROWID'],
  ['a key that may be NULL', 't (id TEXT PRIMARY KEY, a, b)'],
  ['REAL key', 't (id REAL PRIMARY KEY, a, b)'],
  ['generated columns', 't (id INTEGER PRIMARY KEY, a, g AS (typeof(a)), b, h AS (id || b) STORED)'],
])('rows written, changed, replaced and deleted come back: %s', async (_, table) => {
  const opened = await newDatabase('packed', `CREATE TABLE ${table}; CREATE TABLE log (x)`)
  const { db } = opened
  const put = 'INSERT INTO t (id, a, b) VALUES (?, ?, ?)'
  const values = VALUES.filter((value) => !Number.isNaN(value))
  await db.transaction(async (tx) => {
    for (const [i, value] of values.entries()) await tx.query(put, [values.length - i, value, `${i}`])
    await tx.query(put, [1000, 'x'.repeat(3_000), 'long, sealed alone'])
    await tx.query(put, [1001, new Uint8Array(0), ''])
  })
  await shownAlike(opened)
  await db.query('UPDATE t SET a = b, b = b || ? WHERE id % 3 = 0', ['é'.repeat(70)])
  await db.query("CREATE TRIGGER g AFTER DELETE ON t BEGIN INSERT INTO log VALUES (OLD.b); END")
  await db.transaction(async (tx) => {
    await tx.query('DELETE FROM t WHERE id % 5 = 0')
    await tx.query('INSERT OR REPLACE INTO t (id, a, b) VALUES (4, 1, 2), (6, 3.5, 4), (?, ?, ?)', [2 ** 40, 5n, 'six'])
    await tx.query('INSERT INTO t (id, a, b) VALUES (4, 9, 9) ON CONFLICT DO NOTHING')
    expect(await codeOf(tx.query(put, [77, NaN, 1]))).toBe('bad-value')
  })
  await shownAlike(opened)
  // Of what can't be sealed nothing is left.
  const before = await shownAlike(opened)
  expect(await codeOf(db.query("INSERT INTO t (id, a, b) VALUES (5000, CAST(x'ff' AS TEXT), 1)"))).toBe('bad-value')
  expect(await shownAlike(opened)).toEqual(before)
  const again = await reopen(opened, 'packed')
  expect(await shownAlike(again)).toEqual(before)
  await again.close()
})
