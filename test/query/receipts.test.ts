import { expect, test } from 'vitest'
import { noble } from '../../engine/verify.js'
import { discloseRows, prove } from '../../query/receipts.js'
import { verifyReceipt } from '../independent/receipts-both.js'
import { codeOf, newDatabase } from './database-support.js'

test('rows that a query finds, proved by column name', async () => {
  const { db, space, close } = await newDatabase('receipts', `
    CREATE TABLE invoice (no TEXT COLLATE NOCASE PRIMARY KEY, customer TEXT NOT NULL BLIND, total NUMERIC PLAINTEXT, paid REAL, scan BLOB);
    INSERT INTO invoice VALUES ('A-1', 'Ada', 100, 99.5, x'00ff'), ('A-2', 'Alan', 200, NULL, NULL), ('A-3', 'Grace', 9007199254740993, 1.0, x'');
    CREATE TABLE plain (text TEXT);
    INSERT INTO plain VALUES ('hidden rowid');
    ALTER TABLE invoice ADD COLUMN note TEXT DEFAULT 'none';
    INSERT INTO plain VALUES ('builds on it');
  `)
  const trust = { spaceId: space.id }
  const bytes = await prove(db, space, 'SELECT * FROM invoice WHERE no = ? OR customer = :name', ['a-1', 'Grace'])
  const shown = discloseRows(verifyReceipt(noble, bytes, trust))
  expect(shown).toMatchObject({ table: 'invoice', columns: ['no', 'customer', 'total', 'paid', 'scan', 'note'] })
  expect(shown.sql).not.toMatch(/BLIND|PLAINTEXT/)
  expect([...shown.rows].sort((a, b) => (String(a.values['no']) < String(b.values['no']) ? -1 : 1))).toEqual([
    { values: { no: 'A-1', customer: 'Ada', total: 100, paid: 99.5, scan: Uint8Array.of(0, 255), note: 'none' }, creator: 1, author: 1, device: 1, version: expect.any(Number) },
    { values: { no: 'A-3', customer: 'Grace', total: 9007199254740993n, paid: 1, scan: new Uint8Array(0), note: 'none' }, creator: 1, author: 1, device: 1, version: expect.any(Number) },
  ])
  for (const secret of ['Alan', 'Ada', 'invoice', 'customer', 'hidden']) expect(Buffer.from(bytes).includes(secret)).toBe(false)
  const rowid = discloseRows(verifyReceipt(noble, await prove(db, space, "SELECT * FROM plain WHERE text LIKE 'hidden%'"), trust))
  expect(rowid.rows[0]?.values).toEqual({ rowid: 1, text: 'hidden rowid' })
  await close()
})

test('anything else is refused', async () => {
  const { db, space, close } = await newDatabase('receipts-refused', "CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES (1, 'x'); UPDATE t SET a = 'y'; INSERT INTO t VALUES (2, 'z')")
  for (const text of ['SELECT a FROM t', 'SELECT * FROM t, t AS u', 'SELECT * FROM t LIMIT 1', 'SELECT * FROM t UNION SELECT * FROM t', 'SELECT * FROM (SELECT * FROM t)', 'DELETE FROM t', 'WITH x AS (SELECT 1) SELECT * FROM t', 'SELECT * FROM t GROUP BY id']) {
    expect([text, await codeOf(prove(db, space, text))]).toEqual([text, 'unsupported-sql'])
  }
  expect(await codeOf(prove(db, space, 'SELECT * FROM missing'))).toBe('bad-argument')
  expect(await codeOf(prove(db, space, 'SELECT * FROM t WHERE id = 9'))).toBe('bad-argument')
  // Nobody has built on the last entry.
  expect(await codeOf(prove(db, space, 'SELECT * FROM t WHERE id = 2'))).toBe('bad-argument')
  expect(discloseRows(verifyReceipt(noble, await prove(db, space, 'SELECT * FROM t WHERE id = 1'), { spaceId: space.id })).rows[0]?.values).toEqual({ id: 1, a: 'y' })
  await close()
})
