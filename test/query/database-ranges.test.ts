/** A large table that is not here: queries that imply a few rows load those, and say what whole tables would. */
import { expect, test } from 'vitest'
import { Database } from '../../query/database.js'
import { newDatabase } from './database-support.js'

test('point queries open a few rows, until that is not worth it', async () => {
  const { db, space, close } = await newDatabase('ranges', `CREATE TABLE big (id INTEGER PRIMARY KEY, word TEXT BLIND, mail TEXT UNIQUE COLLATE NOCASE, n INTEGER PLAINTEXT);
    CREATE TABLE small (id INTEGER PRIMARY KEY, big INTEGER REFERENCES big); CREATE VIEW both AS SELECT s.id, b.word FROM small s JOIN big b ON b.id = s.big;
    WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 2000) INSERT INTO big SELECT n, 'word ' || (n % 500), 'Mail' || n, n FROM i; INSERT INTO small VALUES (1, 5), (2, 6)`)
  const other = await Database.open(space)
  const both = async (text: string, ...parameters: (number | string)[]): Promise<number> => {
    const before = other.counters.rowsOpened
    const [here, there] = [await db.query(text, parameters), await other.query(text, parameters)]
    expect(there.rows).toEqual(here.rows)
    return other.counters.rowsOpened - before
  }
  expect(await both('SELECT * FROM big WHERE id = ?', 7)).toBe(1)
  expect(await both('SELECT * FROM big WHERE id = ?', 7)).toBe(0)
  expect(await both('SELECT * FROM big WHERE id IN (7, 8, 9)')).toBe(2)
  expect(await both("SELECT * FROM big WHERE word = 'word 7' AND n > 600")).toBe(4)
  expect(await both("SELECT * FROM big WHERE mail = 'mAIL9'")).toBe(1)
  expect(await both('SELECT id FROM big WHERE id = 99999')).toBe(0)
  // A change of the table drops what was there of it; the point is asked for again.
  await db.query("UPDATE big SET word = 'new' WHERE id = 7")
  expect(await both('SELECT * FROM big WHERE id = ?', 7)).toBe(1)
  // Whole: a scan, or a join whose rows only SQLite knows. The small table comes whole at once.
  expect(await both('SELECT * FROM both')).toBe(2002)
  expect(await both('SELECT count(*), sum(n) FROM big')).toBe(0)
  expect(await both('SELECT * FROM big WHERE id = ?', 8)).toBe(0)
  await db.query('DELETE FROM big WHERE id = 8')
  expect(await both('SELECT * FROM big WHERE id = ?', 8)).toBe(0)
  await other.close()
  await close()
})

test('a point is not taken for another one that is written alike', async () => {
  const { space, close } = await newDatabase('alike', `CREATE TABLE big (k PRIMARY KEY, v);
    INSERT INTO big VALUES (7, 'integer'), ('7n', 'text'), ('ff', 'text'), (x'ff', 'blob'), (9e999, 'greatest'), (-9e999, 'least'), (9223372036854775807, 'long'), ('9223372036854775807n', 'text');
    WITH RECURSIVE i(n) AS (SELECT 1000 UNION ALL SELECT n + 1 FROM i WHERE n < 3000) INSERT INTO big SELECT n, n FROM i`)
  const other = await Database.open(space)
  for (const [key, value] of [['7', 'integer'], ["'7n'", 'text'], ["'ff'", 'text'], ["x'ff'", 'blob'], ['9e999', 'greatest'], ['-9e999', 'least'], ['9223372036854775807', 'long'], ["'9223372036854775807n'", 'text']]) {
    const before = other.counters.rowsOpened
    expect((await other.query(`SELECT v FROM big WHERE k = ${key}`)).rows).toEqual([{ v: value }])
    expect(other.counters.rowsOpened - before).toBe(1)
  }
  await other.close()
  await close()
})

test('many different points end in the whole table', async () => {
  const { db, space, close } = await newDatabase('many points', `CREATE TABLE big (id INTEGER PRIMARY KEY, v);
    WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 1500) INSERT INTO big SELECT n, n FROM i`)
  const other = await Database.open(space)
  for (let id = 1; id <= 100; id++) expect((await other.query('SELECT v FROM big WHERE id = ?', [id])).rows).toEqual([{ v: id }])
  expect(other.counters.rowsOpened).toBe(64 + 1500)
  await other.query('INSERT INTO big VALUES (5000, 1)')
  expect((await other.query('SELECT count(*) AS n FROM big')).rows).toEqual([{ n: 1501 }])
  expect((await db.query('SELECT count(*) AS n FROM big')).rows).toEqual([{ n: 1501 }])
  await other.close()
  await close()
})

test('EXPLAIN VERIFIED says what is read, and what a relay would learn', async () => {
  const { db, close } = await newDatabase('explain', `CREATE TABLE t (id INTEGER PRIMARY KEY, word TEXT BLIND, n INTEGER PLAINTEXT); CREATE TABLE p (k TEXT PLAINTEXT NOT NULL PRIMARY KEY);
    INSERT INTO t VALUES (1, 'a', 1), (2, 'a', 2), (3, 'b', 3); INSERT INTO p VALUES ('x'), ('y')`)
  const plan = async (text: string, ...parameters: (number | string)[]): Promise<unknown[]> => (await db.query(`EXPLAIN VERIFIED ${text}`, parameters)).rows.map((row) => [row['table'], row['range'], row['rows'], String(row['relay_learns']).split(/[ :]/)[1]])
  expect(await plan('SELECT * FROM t WHERE id = ?', 2)).toEqual([['t', 'key = (2)', 1, 'token']])
  expect(await plan("SELECT * FROM t JOIN p WHERE word = 'a' AND k >= 'x'")).toEqual([['t', 'blind index (word) = (\'a\')', 2, 'token'], ['p', expect.stringContaining('key from'), 2, 'values']])
  expect(await plan('SELECT count(*) FROM t WHERE n > 1')).toEqual([['t', 'all rows', 3, 'the']])
  expect((await db.queryRaw('EXPLAIN VERIFIED SELECT * FROM p')).columns).toEqual(['table', 'range', 'rows', 'proof_bytes', 'relay_learns'])
  await close()
})
