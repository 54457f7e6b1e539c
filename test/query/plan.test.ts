/** Rules (a) to (j), one by one: what a statement implies, and what it must not be taken to imply. */
import { expect, test } from 'vitest'
import { type SqlValue } from '../../engine/codec/value.js'
import { constants } from '../../query/evaluate.js'
import { rangesOf, type Ranges } from '../../query/plan.js'
import { parseStatement } from '../../query/sql/parse.js'
import { openSqlite } from '../../query/sqlite.js'
import { buildSchema } from './plan-support.js'
import { planSchema } from './plan-world.js'

const db = (await openSqlite()).database()
const built = buildSchema(db, `
  CREATE TABLE p (id INTEGER PRIMARY KEY PLAINTEXT, a TEXT PLAINTEXT, b PLAINTEXT, s TEXT BLIND, n TEXT COLLATE NOCASE BLIND, u INTEGER UNIQUE, z);
  CREATE INDEX p_ab ON p (a, b);
  CREATE TABLE k (x TEXT NOT NULL PLAINTEXT, y INT NOT NULL PLAINTEXT, w, PRIMARY KEY (x, y));
  CREATE TABLE q (id TEXT PRIMARY KEY, p INTEGER REFERENCES p(id), c);
  CREATE TABLE r (c);
  CREATE TABLE m (id TEXT COLLATE NOCASE NOT NULL PRIMARY KEY PLAINTEXT, c);
  CREATE TABLE o (id TEXT NOT NULL PLAINTEXT, c, PRIMARY KEY (id COLLATE NOCASE));
  CREATE VIEW v AS SELECT * FROM q WHERE id = 'in view';
  CREATE TRIGGER t AFTER INSERT ON r BEGIN UPDATE q SET c = NEW.c WHERE id = 'x'; END;
`)
const schema = planSchema(built)

function ranges(sql: string, values: readonly SqlValue[] = []): Record<string, Ranges> {
  const found = rangesOf(parseStatement(sql), schema, constants(db, values))
  return Object.fromEntries([...found].map(([id, each]) => [built.relations.find((relation) => relation.id === id)?.name ?? '', each]))
}
const key = (...values: readonly SqlValue[]): object => ({ kind: 'key', key: values })
/** Indexes of p in the engine, by their columns. */
const indexOf = (name: string): number => {
  const p = built.relation('p')
  const column = p?.columns.find((each) => each.name === name)?.id
  return p?.shape.indexes.find((index) => index.columns[0] === column)?.id ?? -1
}
const at = (name: string, ...values: readonly SqlValue[]): object => ({ kind: 'index', index: indexOf(name), values })

const IMPLIED: readonly (readonly [sql: string, expected: Record<string, unknown>, values?: readonly SqlValue[]])[] = [
  ['SELECT * FROM p WHERE id = ?', { p: [key(7n)] }, [7n]],
  ["SELECT * FROM p WHERE '7' = p.id AND z = 1", { p: [key(7n)] }],
  ['SELECT * FROM p WHERE rowid = abs(-7)', { p: [key(7n)] }],
  ['SELECT * FROM p WHERE id IN (3, 1, NULL, 1.0)', { p: [key(1n), key(3n)] }],
  ['SELECT * FROM p WHERE id = NULL', { p: [] }],
  ['SELECT * FROM p WHERE id = 1 AND id = 2', { p: [] }],
  ['SELECT * FROM p WHERE id BETWEEN 2 AND 4', { p: [{ kind: 'key-range', lo: [2n], hi: [5n] }] }],
  ['SELECT * FROM p WHERE id > 2', { p: [{ kind: 'key-range', lo: [2n] }] }],
  ['SELECT * FROM p WHERE id < 2', { p: [{ kind: 'key-range', lo: [-Infinity], hi: [2n] }] }],
  ["SELECT * FROM p WHERE a = 'x'", { p: [{ kind: 'index-range', index: indexOf('a'), lo: ['x'], hi: ['x\0'] }] }],
  ["SELECT * FROM p WHERE a = 'x' AND b >= 2", { p: [{ kind: 'index-range', index: indexOf('a'), lo: ['x', 2n], hi: ['x\0'] }] }],
  ['SELECT * FROM p WHERE a = 5 AND b IS 5.0', { p: [at('a', '5', 5n)] }],
  ["SELECT * FROM p WHERE s = 'x'", { p: [at('s', 'x')] }],
  ["SELECT * FROM p WHERE n = 'XyZ'", { p: [at('n', 'xyz')] }],
  ["SELECT * FROM p WHERE u = '5'", { p: [at('u', 5n)] }],
  ["SELECT * FROM k WHERE y = 1 AND x IN ('a', 'b')", { k: [key('a', 1n), key('b', 1n)] }],
  ["SELECT * FROM k WHERE x = 'a'", { k: [{ kind: 'key-range', lo: ['a'], hi: ['a\0'] }] }],
  ["SELECT * FROM m WHERE id = 'ABC'", { m: [key('abc')] }],
  ["SELECT * FROM q WHERE id = 'a' OR id IN ('b')", { q: [key('a'), key('b')] }],
  ["SELECT * FROM q, p WHERE q.id = 'a' AND p.id = 1", { q: [key('a')], p: [key(1n)] }],
  ["SELECT * FROM p LEFT JOIN q ON q.id = 'a' WHERE p.id = 1", { q: [key('a')], p: [key(1n)] }],
  ["SELECT * FROM p LEFT JOIN q ON q.p = p.id WHERE q.id = 'a'", { q: [key('a')], p: 'all' }],
  ["SELECT * FROM p JOIN q ON q.id = 'a' AND p.id = 1", { q: [key('a')], p: [key(1n)] }],
  ["SELECT (SELECT c FROM q WHERE id = 'a') FROM r", { q: [key('a')], r: 'all' }],
  ["WITH x AS (SELECT * FROM q WHERE id = 'a') SELECT * FROM x, x AS y", { q: [key('a')] }],
  ['SELECT * FROM v', { q: [key('in view')] }],
  ["SELECT 1 WHERE 1 IN r UNION SELECT c FROM q WHERE id = 'a'", { r: 'all', q: [key('a')] }],
  ["DELETE FROM m WHERE id = 'A'", { m: [key('a')] }],
  ["UPDATE m SET c = 1 WHERE id = 'A'", { m: [key('a')] }],
  ["INSERT INTO m VALUES ('A', 1)", { m: [key('a')] }],
  ["INSERT INTO p (id, u) VALUES (1, 2)", { p: [key(1n), at('u', 2n)] }],
]
test.each(IMPLIED.map(([sql, expected, values]) => ({ sql, expected, values })))('$sql', ({ sql, expected, values }) => {
  expect(ranges(sql, values)).toEqual(expected)
})

test.each([
  "SELECT * FROM m WHERE id = 'a' COLLATE BINARY",
  "SELECT * FROM m WHERE id = ('a' COLLATE RTRIM || '')",
  "SELECT * FROM m WHERE id COLLATE NOCASE = 'a'",
  "SELECT * FROM m WHERE id = CAST(1 AS INTEGER)", // would convert the column
  "SELECT * FROM m WHERE id = unlikely(CAST(1 AS INTEGER))",
  "SELECT * FROM m WHERE id IS NULL",
  "SELECT * FROM m WHERE id NOT IN ('a')",
  "SELECT * FROM m WHERE id NOT BETWEEN 'a' AND 'b'",
  "SELECT * FROM m WHERE NOT id = 'a'",
  "SELECT * FROM m WHERE id LIKE 'a'",
  "SELECT * FROM m WHERE lower(id) = 'a'",
  "SELECT * FROM m WHERE id = 'a' OR c = 1",
  "SELECT * FROM m WHERE id = hex(randomblob(1))",
  "SELECT * FROM m WHERE id = date('now')",
  "SELECT * FROM m WHERE id = CURRENT_DATE",
  "SELECT * FROM m WHERE id = (SELECT 'a')",
  'SELECT * FROM m WHERE id = "a"',
  "SELECT * FROM m WHERE CASE WHEN id = 'a' THEN 1 END",
  "SELECT * FROM m GROUP BY id HAVING id = 'a'",
  "SELECT * FROM m LEFT JOIN r ON m.id = 'a'",
  "SELECT * FROM r RIGHT JOIN m ON m.id = 'a'",
  "SELECT * FROM m RIGHT JOIN r ON m.id = 'a'",
  "SELECT * FROM m FULL JOIN r ON m.id = 'a'",
  "SELECT * FROM r LEFT JOIN (m JOIN q ON m.id = 'a') ON q.c = r.c",
  "SELECT * FROM m JOIN q ON m.id = 'a' FULL JOIN r ON 1",
  "SELECT * FROM q LEFT JOIN m USING (id) WHERE id = 'a'",
  "SELECT * FROM q NATURAL LEFT JOIN m WHERE id = 'a'",
  "SELECT * FROM v LEFT JOIN m USING (id) WHERE id = 'a'", // v's id
  "SELECT * FROM v NATURAL JOIN m WHERE id = 'a'",
  "SELECT * FROM r LEFT JOIN (q LEFT JOIN m USING (id)) ON 1 WHERE m.id = 'a'",
  "SELECT * FROM r WHERE EXISTS (SELECT 1 FROM m WHERE m.id = r.c)",
  "SELECT * FROM (SELECT * FROM m) WHERE id = 'a'",
  "UPDATE m SET id = 'b' WHERE id = 'a'",
  "INSERT OR REPLACE INTO m VALUES ('a', 1)",
  "INSERT INTO m SELECT 'a', 1",
])('all of m: %s', (sql) => {
  expect(ranges(sql)['m']).toBe('all')
})

test('a key that folds case serves no comparison of bytes', () => {
  expect(ranges("SELECT * FROM o WHERE id = 'a'")).toEqual({ o: 'all' })
})

test('writes bring what may be touched by the way', () => {
  expect(ranges('DELETE FROM p WHERE id = 1')).toEqual({ p: 'all', q: 'all' })
  expect(ranges("INSERT INTO q VALUES ('a', 1, 2)")).toEqual({ q: [key('a')], p: 'all' })
  expect(ranges('INSERT INTO r VALUES (1)')).toEqual({ r: 'all', q: 'all', p: 'all' })
  expect(ranges('UPDATE p SET z = 1 WHERE id = 1')).toEqual({ p: [key(1n)] })
  expect(ranges('UPDATE p SET id = 2 WHERE id = 1')).toEqual({ p: 'all', q: 'all' })
  expect(ranges('DROP TABLE p')).toEqual({ p: 'all', q: 'all' })
  expect(ranges('EXPLAIN SELECT * FROM r')).toEqual({ r: 'all' })
  expect(Object.keys(ranges('PRAGMA integrity_check'))).toHaveLength(6)
})
