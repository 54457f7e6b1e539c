/** Rows of one-row INSERTs, which no trigger reports: none is missed, whatever else is inserted where they go, before and after. */
import { expect, test } from 'vitest'
import { Capture } from '../../query/capture.js'
import { openSqlite } from '../../query/sqlite.js'
import { collected } from './capture-support.js'
import { codeOf, newDatabase, reopen, shownAlike } from './database-support.js'

const sqlite = await openSqlite()
const NOTHING_BEFORE = { row: () => undefined }

function captured(sql: string, limit?: number): { readonly capture: Capture; readonly run: (sql: string) => void; readonly keys: () => unknown[] } {
  const db = sqlite.database()
  db.exec(sql)
  const capture = new Capture(db, limit)
  capture.install([{ id: 1, name: 't', insertsTold: true }])
  db.begin()
  capture.begin()
  return { capture, run: (text) => { db.run(text) }, keys: () => collected(capture, NOTHING_BEFORE).map(({ key }) => key) }
}

test('a row that is told is there; one that is not told is missed, so nothing else may insert', () => {
  const { capture, run, keys } = captured('CREATE TABLE t (id INTEGER PRIMARY KEY, x)')
  run('INSERT INTO t VALUES (1, 1)')
  expect(keys()).toEqual([])
  capture.begin()
  capture.inserted(1, 1)
  run('INSERT INTO t VALUES (9007199254740993, 1)')
  capture.inserted(1, 9007199254740993n)
  capture.watchInserts(1)
  run('INSERT INTO t VALUES (2, 1), (3, 1)')
  capture.inserted(1, 7) // a trigger says it all: nothing is added
  expect(keys()).toEqual([[1n], [9007199254740993n], [2n], [3n]])
})

test.each(['t (id INTEGER PRIMARY KEY, x UNIQUE)', 't (id TEXT PRIMARY KEY)', 't (id INT PRIMARY KEY, x) WITHOUT ROWID'])('a trigger tells where a rowid does not say it all: %s', (table) => {
  const { run, keys } = captured(`CREATE TABLE ${table}`)
  run('INSERT INTO t (id) VALUES (1)')
  expect(keys()).toHaveLength(1)
})

test('what was watched once stays so, and updates and deletes are always told', () => {
  const { capture, run, keys } = captured('CREATE TABLE t (id INTEGER PRIMARY KEY, x); INSERT INTO t VALUES (1, 1), (2, 2)')
  run('UPDATE t SET id = 5 WHERE id = 1')
  run('DELETE FROM t')
  expect(capture.touchedKeys().map(({ key }) => key)).toEqual([[1n], [5n], [2n]])
  capture.watchInserts(1)
  capture.install([])
  capture.install([{ id: 1, name: 't', insertsTold: true }])
  capture.begin()
  run('INSERT INTO t VALUES (3, 1)')
  expect(keys()).toEqual([[3n]])
})

test('a table that is told may be of a schema with a trigger later', () => {
  const { capture, run, keys } = captured('CREATE TABLE t (id INTEGER PRIMARY KEY, x)')
  const version = {}
  capture.install([{ id: 1, name: 't', insertsTold: true, version }])
  capture.install([{ id: 1, name: 't', insertsTold: false, version }])
  run('INSERT INTO t VALUES (3, 1)')
  expect(keys()).toEqual([[3n]])
})

test('the bound on what a transaction touches holds before a row is inserted', () => {
  const { capture } = captured('CREATE TABLE t (id INTEGER PRIMARY KEY, x)', 2)
  for (const id of [1, 2]) {
    capture.expectInsert()
    capture.inserted(1, id)
  }
  expect(() => { capture.expectInsert() }).toThrow('at most 2 rows')
})

const SCHEMA = 'CREATE TABLE t (id INTEGER PRIMARY KEY, x, y TEXT DEFAULT \'d\'); CREATE TABLE u (x); CREATE TABLE s (id INTEGER PRIMARY KEY, x)'
const ONE = ['INSERT INTO t VALUES (1, 2, 3)', 'INSERT INTO t DEFAULT VALUES', 'INSERT INTO u VALUES (x\'ff\')', "INSERT INTO t (x) VALUES ((SELECT count(*) FROM t))", 'INSERT OR REPLACE INTO t VALUES (1, 4, 5)']

test.each([
  ['one by one', []],
  ['several at once', ['INSERT INTO t (x) VALUES (1), (2)', 'INSERT INTO t (x) SELECT x FROM t', 'INSERT INTO t (x) VALUES (1) UNION ALL VALUES (2)']],
  ['ignored, replaced, merged', ['INSERT OR IGNORE INTO t VALUES (1, 0, 0)', 'REPLACE INTO t VALUES (2, 0, 0)', 'INSERT INTO t VALUES (1, 7, 7) ON CONFLICT (id) DO UPDATE SET id = 70, x = excluded.x', 'INSERT INTO t VALUES (1, 8, 8) ON CONFLICT DO NOTHING']],
  ['returned', ['INSERT INTO t (x) VALUES (1) RETURNING id, x']],
  ['beyond 2^53', ['INSERT INTO t VALUES (9007199254740993, 1, 1)', 'INSERT INTO t VALUES (9223372036854775807, 1, 1)', 'INSERT INTO u VALUES (1)']],
  ['by a trigger', ['CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO u VALUES (NEW.x); INSERT INTO s (x) VALUES (1); END', 'INSERT INTO t (x) VALUES (3)', 'UPDATE t SET x = 4']],
  ['by a TEMP trigger', ['CREATE TEMP TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO u VALUES (NEW.x); END', 'INSERT INTO t (x) VALUES (3)', 'DROP TRIGGER g']],
  ['through a view', ['CREATE VIEW v AS SELECT x FROM t', 'CREATE TRIGGER g INSTEAD OF INSERT ON v BEGIN INSERT INTO u VALUES (NEW.x); INSERT INTO t (x) VALUES (NEW.x); END', 'INSERT INTO v VALUES (4)']],
  ['with a unique index', ['CREATE UNIQUE INDEX k ON s (x)', 'INSERT INTO s VALUES (1, 1)', 'REPLACE INTO s VALUES (2, 1)']],
  ['into a table that a TEMP one hides', ['CREATE TEMP TABLE t (id INTEGER PRIMARY KEY, x, y)', 'INSERT INTO t VALUES (50, 1, 1)', 'INSERT INTO main.t VALUES (51, 1, 1)', 'DROP TABLE temp.t']],
  ['with foreign keys on', ['PRAGMA foreign_keys = ON', 'CREATE TABLE c (t REFERENCES t)', 'INSERT INTO t VALUES (60, 1, 1)', 'INSERT INTO c VALUES (60)', 'PRAGMA foreign_keys = OFF', 'INSERT INTO c VALUES (99)']],
])('no row is missed: %s', async (_, statements) => {
  const opened = await newDatabase('told', SCHEMA)
  const { db } = opened
  for (const sql of [...ONE, ...statements, ...ONE.slice(1)]) await db.query(sql)
  await shownAlike(opened)
  // All in one, and some of it undone.
  const rows = statements.filter((sql) => /^(INSERT|REPLACE|UPDATE)/.test(sql))
  await db.transaction(async (tx) => {
    await tx.query('DELETE FROM t')
    await tx.query('DELETE FROM s')
    for (const sql of [...ONE, 'SAVEPOINT a', 'INSERT INTO t VALUES (80, 1, 1)', ...rows, 'ROLLBACK TO a', 'INSERT INTO t VALUES (81, 1, 1)', 'RELEASE a', ...rows, ...ONE.slice(1)]) await tx.query(sql)
  })
  await shownAlike(opened)
  const again = await reopen(opened, 'told')
  await shownAlike(again)
  await again.close()
})

test('a statement that ends its transaction, or fails, leaves nothing behind', async () => {
  const opened = await newDatabase('told', SCHEMA)
  const { db } = opened
  await db.query('INSERT INTO t VALUES (1, 1, 1)')
  expect(await codeOf(db.query('INSERT INTO t VALUES (1, 2, 2)'))).toBe('sql-error')
  expect(await codeOf(db.query('INSERT OR ROLLBACK INTO t VALUES (1, 2, 2)'))).toBe('sql-error')
  await db.query('BEGIN')
  await db.query('INSERT INTO t (x) VALUES (1), (2)')
  expect(await codeOf(db.query('INSERT OR ROLLBACK INTO t VALUES (1, 2, 2)'))).toBe('sql-error')
  await db.query('INSERT INTO t VALUES (2, 3, 3)')
  expect((await db.query('SELECT id FROM t')).rows).toEqual([{ id: 1 }, { id: 2 }])
  await shownAlike(opened)
  await opened.close()
})
