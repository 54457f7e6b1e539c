import { afterEach, beforeEach, expect, test } from 'vitest'
import { type SqlValue } from '../../engine/codec/value.js'
import { isSealError } from '../../engine/errors.js'
import { Capture, type BaseRows } from '../../query/capture.js'
import { canonicalKey, keyIdentity, rowKey } from '../../query/keys.js'
import { openSqlite, type Sqlite } from '../../query/sqlite.js'
import { describeTable } from '../../query/sqlite/form.js'
import { parseIndexText } from '../../query/sqlite/index-text.js'
import { collected } from './capture-support.js'

const sqlite = await openSqlite()
let db: Sqlite
beforeEach(() => {
  db = sqlite.database()
})
afterEach(() => db.close())

/** Run `statements` in one captured transaction on the tables that `schema` makes; `t` has id 1, `c` 2. Each change as [table, key, before, after]. */
function changes(schema: string, statements: string): unknown[] {
  db.exec(schema)
  const names = ['t', 'c'].filter((name) => db.get('SELECT 1 FROM sqlite_schema WHERE name = ?', [name]) !== undefined)
  const capture = new Capture(db)
  capture.install(names.map((name, i) => ({ id: i + 1, name })))
  const base = new Map<number, Map<string | number, SqlValue[]>>()
  names.forEach((name, i) => {
    const form = describeTable(db, name)
    const rows = db.all(`SELECT ${[form.rowid ?? '0', ...form.keyNames, ...form.columns.map((column) => column.name)].join(', ')} FROM ${name}`)
    const width = form.keyNames.length + 1
    base.set(i + 1, new Map(rows.map((row) => [keyIdentity(rowKey(row.slice(1, width), form.keyCollations, form.nullKey ? row[0] : undefined)), row.slice(width)])))
  })
  const rows: BaseRows = { row: (table, key) => base.get(table)?.get(keyIdentity(key)) }
  db.exec('BEGIN')
  capture.begin()
  db.exec(statements)
  const deltas = collected(capture, rows).map(({ table, key, before, after }) => [table, key, before, after])
  db.exec('COMMIT')
  return deltas
}

test('insert, update, delete; what ends as it began is no change', () => {
  expect(changes("CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')", `
    INSERT INTO t VALUES (9, 'n'), (8, 'gone'); DELETE FROM t WHERE id = 8; UPDATE t SET v = 'B' WHERE id = 2; DELETE FROM t WHERE id = 3;
    UPDATE t SET v = 'x' WHERE id = 1; UPDATE t SET v = 'a' WHERE id = 1`)).toEqual([
    [1, [9n], undefined, [9n, 'n']],
    [1, [2n], [2n, 'b'], [2n, 'B']],
    [1, [3n], [3n, 'c'], undefined],
  ])
})

test('a change of storage class alone is a change', () => {
  expect(changes('CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 5)', 'UPDATE t SET v = 5.0')).toEqual([[1, [1n], [1n, 5n], [1n, 5]]])
})

test('a row moved to another key is a delete and an insert; to an equal key an update', () => {
  expect(changes('CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 1)', 'UPDATE t SET rowid = 7')).toEqual([[1, [1n], [1n, 1n], undefined], [1, [7n], undefined, [7n, 1n]]])
  db.exec('DROP TABLE t')
  expect(changes("CREATE TABLE t(id TEXT NOT NULL PRIMARY KEY COLLATE NOCASE, v); INSERT INTO t VALUES ('Key', 1)", "UPDATE t SET id = 'KEY'")).toEqual([[1, ['key'], ['Key', 1n], ['KEY', 1n]]])
})

test.each([
  ['a UNIQUE column', 'CREATE TABLE t(id INTEGER PRIMARY KEY, u UNIQUE)', "INSERT INTO t VALUES (1, 'x'), (2, 'y')", "REPLACE INTO t VALUES (3, 'x')"],
  ['its collation', 'CREATE TABLE t(id INTEGER PRIMARY KEY, u TEXT COLLATE NOCASE UNIQUE)', "INSERT INTO t VALUES (1, 'x')", "REPLACE INTO t VALUES (3, 'X')"],
  ['an index of another collation', 'CREATE TABLE t(id INTEGER PRIMARY KEY, u); CREATE UNIQUE INDEX i ON t(u COLLATE NOCASE DESC)', "INSERT INTO t VALUES (1, 'x')", "REPLACE INTO t VALUES (3, 'X')"],
  ['several columns', 'CREATE TABLE t(id INTEGER PRIMARY KEY, u, w, UNIQUE (w, u))', "INSERT INTO t VALUES (1, 'x', 2)", "REPLACE INTO t VALUES (3, 'x', 2)"],
  ['an expression', 'CREATE TABLE t(id INTEGER PRIMARY KEY, u); CREATE UNIQUE INDEX i ON t(lower(u) DESC, 1 + 1)', "INSERT INTO t VALUES (1, 'x')", "REPLACE INTO t VALUES (3, 'X')"],
  ['a partial index', "CREATE TABLE t(id INTEGER PRIMARY KEY, u); CREATE UNIQUE INDEX i ON t(u) WHERE u <> 'y'", "INSERT INTO t VALUES (1, 'x'), (2, 'y'), (4, 'y')", "REPLACE INTO t VALUES (3, 'x')"],
  ['a row that comes under a partial index', 'CREATE TABLE t(id INTEGER PRIMARY KEY, u, live); CREATE UNIQUE INDEX i ON t(u) WHERE live', "INSERT INTO t VALUES (1, 'x', 1), (3, 'x', 0)", 'UPDATE OR REPLACE t SET live = 1 WHERE id = 3'],
  ['a generated column', "CREATE TABLE t(id INTEGER PRIMARY KEY, u, g AS (u || '!') UNIQUE)", "INSERT INTO t VALUES (1, 'x')", "REPLACE INTO t VALUES (3, 'x')"],
  ['the rowid beside a declared key', 'CREATE TABLE t(id INT NOT NULL PRIMARY KEY, u)', "INSERT INTO t(rowid, id, u) VALUES (50, 1, 'x')", "REPLACE INTO t(rowid, id, u) VALUES (50, 3, 'z')"],
  ['the rowid, by UPDATE', 'CREATE TABLE t(id INT NOT NULL PRIMARY KEY, u)', "INSERT INTO t(rowid, id, u) VALUES (50, 1, 'x'), (51, 3, 'z')", "UPDATE OR REPLACE t SET rowid = 50, u = 'q' WHERE id = 3"],
  ['a default in place of NULL', "CREATE TABLE t(id INTEGER PRIMARY KEY, u TEXT COLLATE NOCASE NOT NULL DEFAULT 'it''s' UNIQUE)", 'INSERT INTO t(id) VALUES (1)', 'REPLACE INTO t VALUES (3, NULL)'],
  ['a default that is an expression', 'CREATE TABLE t(id INTEGER PRIMARY KEY, u NOT NULL DEFAULT (2 + 3) UNIQUE)', 'INSERT INTO t(id) VALUES (1)', 'REPLACE INTO t VALUES (3, NULL)'],
  ['an expression over a default', 'CREATE TABLE t(id INTEGER PRIMARY KEY, u TEXT NOT NULL DEFAULT 7); CREATE UNIQUE INDEX i ON t(u = 7)', 'INSERT INTO t(id) VALUES (1)', 'REPLACE INTO t VALUES (3, NULL)'],
  ['a generated column over a default, by UPDATE', 'CREATE TABLE t(id INTEGER PRIMARY KEY, u NOT NULL DEFAULT 7, g AS (u + 1) UNIQUE)', 'INSERT INTO t(id, u) VALUES (1, 7), (3, 9)', 'UPDATE OR REPLACE t SET u = NULL WHERE id = 3'],
  ['a clause of the schema', 'CREATE TABLE t(id INTEGER PRIMARY KEY, u UNIQUE ON CONFLICT REPLACE)', "INSERT INTO t VALUES (1, 'x')", "INSERT INTO t VALUES (3, 'x')"],
  ['UPDATE OR REPLACE', 'CREATE TABLE t(id INTEGER PRIMARY KEY, u UNIQUE)', "INSERT INTO t VALUES (1, 'x'), (3, 'y')", "UPDATE OR REPLACE t SET u = 'x' WHERE id = 3"],
  ['WITHOUT ROWID', 'CREATE TABLE t(id INT PRIMARY KEY, u UNIQUE) WITHOUT ROWID', "INSERT INTO t VALUES (1, 'x')", "REPLACE INTO t VALUES (3, 'x')"],
  ['a trigger that replaces', "CREATE TABLE t(id INTEGER PRIMARY KEY, u UNIQUE); CREATE TRIGGER g AFTER UPDATE ON t BEGIN INSERT OR REPLACE INTO t VALUES (3, 'x'); END", "INSERT INTO t VALUES (1, 'x'), (2, 'y')", "UPDATE t SET u = 'z' WHERE id = 2"],
])('REPLACE hides no delete: %s', (_, schema, rows, statement) => {
  const deltas = changes(`${schema}; ${rows}`, statement)
  expect(deltas).toContainEqual([1, [1n], expect.anything(), undefined])
  expect(deltas).toContainEqual([1, [3n], deltas.length === 2 && statement.startsWith('UPDATE') ? expect.anything() : undefined, expect.anything()])
})

test('cascades', () => {
  const schema = `PRAGMA foreign_keys = ON; CREATE TABLE t(id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2);
    CREATE TABLE c(id TEXT PRIMARY KEY, p REFERENCES t ON DELETE CASCADE ON UPDATE SET NULL) WITHOUT ROWID; INSERT INTO c VALUES ('a', 1), ('b', 2)`
  expect(changes(schema, 'DELETE FROM t WHERE id = 1; UPDATE t SET id = 5 WHERE id = 2')).toEqual([
    [1, [1n], [1n], undefined], [1, [2n], [2n], undefined], [1, [5n], undefined, [5n]],
    [2, ['a'], ['a', 1n], undefined], [2, ['b'], ['b', 2n], ['b', null]],
  ])
})

test("developers' triggers, RAISE(IGNORE) after the fact included", () => {
  expect(changes(`CREATE TABLE t(id INTEGER PRIMARY KEY, v, at DEFAULT 0); INSERT INTO t VALUES (1, 'a', 0);
    CREATE TRIGGER touch AFTER UPDATE ON t BEGIN UPDATE t SET at = at + 1 WHERE id = NEW.id; END;
    CREATE TRIGGER stop AFTER INSERT ON t BEGIN SELECT RAISE(IGNORE); END`, "UPDATE t SET v = 'b'; INSERT INTO t VALUES (2, 'n', 0)")).toEqual([
    [1, [1n], [1n, 'a', 0n], [1n, 'b', 1n]],
    [1, [2n], undefined, [2n, 'n', 0n]],
  ])
})

test('savepoints that roll back, statements that fail', () => {
  expect(changes('CREATE TABLE t(id INTEGER PRIMARY KEY, v CHECK (v < 5)); INSERT INTO t VALUES (1, 1)', 'SAVEPOINT s; UPDATE t SET v = 2; ROLLBACK TO s; INSERT OR IGNORE INTO t VALUES (2, 9)')).toEqual([])
})

test('keys of 64 bits, composite keys, rowids; generated columns are not in the image', () => {
  expect(changes("CREATE TABLE t(a INT NOT NULL, b TEXT NOT NULL, v, g AS (v || 1) STORED, PRIMARY KEY (b, a)); CREATE TABLE c(v)", "INSERT INTO t VALUES (9007199254740993, 'k', 2); INSERT INTO c(rowid, v) VALUES (9223372036854775807, 3)")).toEqual([
    [1, ['k', 9007199254740993n], undefined, [9007199254740993n, 'k', 2n]],
    [2, [2n ** 63n - 1n], undefined, [3n]],
  ])
})

test('where a declared key holds NULL, the rowid joins it', () => {
  expect(changes("CREATE TABLE t(id TEXT PRIMARY KEY, v); INSERT INTO t(rowid, id, v) VALUES (4, NULL, 'a'), (5, NULL, 'b'), (6, 'k', 'c')", `
    UPDATE t SET v = 'A' WHERE rowid = 4; UPDATE t SET id = 'now' WHERE rowid = 5; UPDATE t SET id = NULL WHERE id = 'k'; INSERT INTO t(rowid, id, v) VALUES (9, NULL, 'n')`)).toEqual([
    [1, [null, 4n], [null, 'a'], [null, 'A']],
    [1, [null, 5n], [null, 'b'], undefined],
    [1, ['now'], undefined, ['now', 'b']],
    [1, ['k'], ['k', 'c'], undefined],
    [1, [null, 6n], undefined, [null, 'c']],
    [1, [null, 9n], undefined, [null, 'n']],
  ])
})

test('a transaction that a statement ended is noticed', () => {
  db.exec('CREATE TABLE t(id INTEGER PRIMARY KEY)')
  const capture = new Capture(db)
  capture.install([{ id: 1, name: 't' }])
  const none: BaseRows = { row: () => undefined }
  const code = (run: () => unknown): unknown => {
    try {
      return run()
    } catch (error) {
      return isSealError(error) ? error.code : error
    }
  }
  expect(code(() => capture.begin())).toBe('bad-argument')
  db.exec('BEGIN')
  capture.begin()
  expect(code(() => db.exec('INSERT INTO t VALUES (1); INSERT OR ROLLBACK INTO t VALUES (1)'))).toBe('sql-error')
  expect(code(() => collected(capture, none))).toBe('rolled-back')
  // Nothing is noticed outside, and what was noticed is forgotten.
  db.exec('INSERT INTO t VALUES (5); BEGIN; INSERT INTO t VALUES (6)')
  capture.begin()
  db.exec('INSERT INTO t VALUES (7)')
  expect(capture.touchedTables()).toEqual([1])
  expect(collected(capture, none)).toEqual([{ table: 1, key: [7n], before: undefined, after: [7n] }])
})

test('triggers that feed each other without end are stopped', () => {
  db.exec(`CREATE TABLE t(v); CREATE TABLE c(v); CREATE TRIGGER a AFTER INSERT ON t BEGIN INSERT INTO c SELECT v FROM t; END; CREATE TRIGGER b AFTER UPDATE ON t BEGIN INSERT INTO t SELECT v FROM t; END`)
  const capture = new Capture(db, 1000)
  capture.install([{ id: 1, name: 't' }, { id: 2, name: 'c' }])
  db.exec('BEGIN; INSERT INTO t SELECT value FROM json_each(\'[1,2,3,4,5]\'); COMMIT; BEGIN')
  capture.begin()
  let error: unknown
  try {
    db.exec('UPDATE t SET v = v')
  } catch (caught) {
    error = caught
  }
  expect(isSealError(error, 'too-large')).toBe(true)
  // The statement is undone, the transaction is not.
  expect(collected(capture, { row: (_, [key]) => (Number(key) <= 5 ? [key as SqlValue] : undefined) })).toEqual([])
  db.exec('ROLLBACK')
})

test('triggers of ours leave no mark: schema, counters, last rowid', () => {
  db.exec('CREATE TABLE t(id INTEGER PRIMARY KEY, u UNIQUE); CREATE TABLE "odd ""t"(id INTEGER PRIMARY KEY)')
  const capture = new Capture(db)
  capture.install([{ id: 1, name: 't' }, { id: 2, name: 'ODD "t' }])
  capture.install([{ id: 1, name: 't' }, { id: 2, name: 'odd "t' }])
  expect(capture.form(2).name).toBe('odd "t')
  expect(db.all("SELECT name FROM sqlite_schema WHERE type = 'trigger'")).toEqual([])
  const before = Number(db.get('SELECT total_changes()')?.[0])
  db.exec('BEGIN')
  capture.begin()
  db.exec('REPLACE INTO t VALUES (1, 1), (2, 1)')
  expect([db.changes, db.lastInsertRowid, Number(db.get('SELECT total_changes()')?.[0]) - before]).toEqual([2, 2n, 2])
  capture.abandon()
  db.exec('ROLLBACK; DROP TABLE t')
  capture.uninstall()
  expect(db.all('SELECT name FROM temp.sqlite_schema')).toEqual([])
  expect(() => capture.install([{ id: 1, name: 't' }])).toThrow('Expected the name of a table')
})

test('text of an index', () => {
  expect(parseIndexText(`CREATE UNIQUE INDEX "a(b" ON [t(x](a, lower("c,)" || ',)') COLLATE NOCASE desc, (x+y)ASC, a_desc /* , */ + 1) -- (
    WHERE (a > 1) AND b <> 'WHERE'`)).toEqual({ terms: ['a', `lower("c,)" || ',)') COLLATE NOCASE`, '(x+y)', 'a_desc   + 1'], where: "(a > 1) AND b <> 'WHERE'" })
  expect(parseIndexText('CREATE INDEX i ON t(a)').where).toBe(undefined)
})

test('what identifies a row', () => {
  expect(canonicalKey([5, 5.5, 'Ab ', 'Ab ', 'Ab ', null, -0, 2 ** 63, 'ÄB', -(2 ** 63)], ['BINARY', 'BINARY', 'NOCASE', 'RTRIM', 'BINARY', 'BINARY', 'BINARY', 'BINARY', 'NOCASE'])).toEqual([5n, 5.5, 'ab ', 'Ab', 'Ab ', null, 0n, 2 ** 63, 'Äb', -(2n ** 63n)])
  const keys: SqlValue[][] = [[5n], ['5'], [5.5], ['5.5'], [null], ['n;'], [2n ** 60n], [String(2n ** 60n)], [new Uint8Array([5])], ['05'], ['a', 'b'], ['a1:b'], ['a', 'b', 'c'], [1n, 2n], [12n]]
  expect(new Set(keys.map(keyIdentity)).size).toBe(keys.length)
})

test('rows that are read in a run: gaps, rows that are gone again, orders that go back and forth', () => {
  const inserted = (ids: readonly number[]): string => ids.map((id) => `INSERT OR REPLACE INTO t VALUES (${id}, 'row ${id}');`).join('')
  const found = changes("CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES (4, 'old'), (6, 'row 6'), (9, 'old'), (12, 'stays')",
    `${inserted([1, 2, 3, 4, 5, 6, 7, 8, 20, 19, 18, 10, 11, 13])} DELETE FROM t WHERE id IN (3, 7, 8, 9, 13)`)
  const added = (id: number): unknown => [1, [BigInt(id)], undefined, [BigInt(id), `row ${id}`]]
  const byKey = new Map((found as [number, [bigint]][]).map((change) => [Number(change[1][0]), change]))
  expect([...byKey.keys()].sort((a, b) => a - b)).toEqual([1, 2, 4, 5, 9, 10, 11, 18, 19, 20])
  for (const id of [1, 2, 5, 10, 11, 18, 19, 20]) expect(byKey.get(id)).toEqual(added(id))
  expect(byKey.get(4)).toEqual([1, [4n], [4n, 'old'], [4n, 'row 4']])
  expect(byKey.get(9)).toEqual([1, [9n], [9n, 'old'], undefined])
})
