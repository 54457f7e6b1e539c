/** What a thin client fetches for a write: the rows that it may collide with, refer to or take along, wherever they lie; not their tables. */
import { afterEach, describe, expect, it } from 'vitest'
import { createSpace, joinSpace, memoryStore, openSpace, type SealedSpace, type StoreLocation } from '../../index.js'
import { seededRandom } from '../space/rim-support.js'
import { crypto, testRelay, until, type TestRelay } from './support.js'

const open: SealedSpace[] = []
afterEach(async () => { for (const space of open.splice(0)) await space.close() })

const optionsOf = (relay: TestRelay, name: string, store: StoreLocation = memoryStore()) => ({ store, crypto, profile: { name }, unsafe: { dial: relay.dial, random: seededRandom(name) } })

async function pair(script: string): Promise<{ readonly ada: SealedSpace; readonly tim: (options?: { readonly maxRows?: number }) => Promise<SealedSpace> }> {
  const relay = await testRelay()
  const ada = await createSpace({ ...optionsOf(relay, 'Ada'), relay: 'memory:' })
  open.push(ada)
  await ada.online()
  await ada.exec(script)
  await ada.settled()
  const store = memoryStore()
  await (await joinSpace(await ada.invite({ role: 'writer' }), { ...optionsOf(relay, 'Tim', store), thin: true })).close()
  let times = 0
  /** Each time with no row at hand. */
  const tim = async (options: { readonly maxRows?: number } = {}): Promise<SealedSpace> => {
    const space = await openSpace({ ...optionsOf(relay, `Tim ${times++}`, store), thin: options })
    open.push(space)
    await space.online()
    await space.exec('PRAGMA foreign_keys = ON')
    return space
  }
  return { ada, tim }
}

const same = async (space: SealedSpace, as: SealedSpace): Promise<void> => {
  await space.settled()
  await as.settled()
  await until(() => space.head.size === as.head.size, 'in step')
}

const SCRIPT = `
  CREATE TABLE list (id INTEGER PRIMARY KEY, name TEXT UNIQUE);
  CREATE TABLE task (id INTEGER PRIMARY KEY, title TEXT NOT NULL, list INTEGER PLAINTEXT REFERENCES list(id) ON DELETE CASCADE, mail TEXT UNIQUE);
  CREATE INDEX by_list ON task (list);
  CREATE TABLE stats (list INTEGER PRIMARY KEY, n INTEGER NOT NULL);
  CREATE TABLE word (word TEXT PRIMARY KEY, n INTEGER);
  WITH i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 500) INSERT INTO list SELECT n, 'list ' || n FROM i;
  WITH i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 3000) INSERT INTO task SELECT n, 'task ' || n, 1 + n % 500, 'mail ' || n FROM i;
  INSERT INTO stats SELECT list, count(*) FROM task GROUP BY list;
  INSERT INTO word SELECT name, 1 FROM list;
  CREATE TRIGGER counted AFTER INSERT ON task BEGIN UPDATE stats SET n = n + 1 WHERE list = NEW.list; END;
`
/** Statement, and what it may cost in bytes: with whole tables each took 60,000 to 600,000. */
const COSTS: readonly (readonly [sql: string, bytes: number])[] = [
  ["INSERT INTO task (id, title, list, mail) VALUES (9001, 'one', 7, 'mail 9001')", 12_000],
  ['UPDATE task SET list = 8 WHERE id = 9001', 8_000],
  ["UPDATE task SET mail = 'new' WHERE id = 9001", 8_000],
  ['UPDATE task SET id = 9002 WHERE id = 9001', 8_000],
  ["INSERT INTO word VALUES ('list 5', 1) ON CONFLICT (word) DO UPDATE SET n = n + 1", 6_000],
  ["INSERT OR REPLACE INTO word VALUES ('list 6', 9)", 6_000],
  ["INSERT INTO word SELECT 'new ' || id, 1 FROM list WHERE id IN (10, 11, 12, 13)", 20_000],
  ['INSERT INTO word VALUES (hex(randomblob(8)), 1)', 6_000],
  ['DELETE FROM list WHERE id = 9', 20_000],
  ['UPDATE list SET id = 5000 WHERE id = 499', 10_000],
]

describe('writes of a thin client', () => {
  it('cost what they touch, not the tables that they might', async () => {
    const { ada, tim: reopened } = await pair(SCRIPT)
    const spent: number[] = []
    for (const [text] of COSTS) {
      const tim = await reopened()
      const before = tim.fetched?.bytes ?? 0
      const refusal = await tim.query(text).then(() => '', (error: unknown) => String(error))
      spent.push((tim.fetched?.bytes ?? 0) - before)
      expect(refusal, text).toEqual(text.startsWith('UPDATE list') ? expect.stringContaining('FOREIGN KEY constraint failed') : '')
      await same(tim, ada)
      await tim.close()
    }
    for (const [i, [text, limit]] of COSTS.entries()) expect(spent[i], text).toBeLessThan(limit)
    expect((await ada.query('SELECT id, list, mail FROM task WHERE id > 9000')).rows).toEqual([{ id: 9002, list: 8, mail: 'new' }])
    expect((await ada.query("SELECT n FROM word WHERE word IN ('list 5', 'list 6') ORDER BY word")).rows).toEqual([{ n: 2 }, { n: 9 }])
    expect((await ada.query('SELECT n FROM stats WHERE list = 7')).rows).toEqual([{ n: 7 }])
    expect((await ada.query('SELECT count(*) AS n FROM task WHERE list = 9')).rows).toEqual([{ n: 0 }])
    expect((await ada.query("SELECT count(*) AS n FROM word WHERE word LIKE 'new %'")).rows).toEqual([{ n: 4 }])
  }, 60_000)

  it('meet what lies outside of the range that they name', async () => {
    const { ada, tim: reopened } = await pair(`
      CREATE TABLE p (id TEXT PRIMARY KEY COLLATE NOCASE, n INTEGER);
      CREATE TABLE c (id INTEGER PRIMARY KEY, p TEXT COLLATE NOCASE BLIND REFERENCES p(id) ON UPDATE CASCADE ON DELETE CASCADE, u INTEGER UNIQUE, v TEXT UNIQUE COLLATE NOCASE);
      CREATE TABLE g (id INTEGER PRIMARY KEY, c INTEGER BLIND REFERENCES c(id) ON DELETE SET NULL, w TEXT);
      CREATE TABLE log (id INTEGER PRIMARY KEY, was INTEGER UNIQUE, word TEXT);
      CREATE TRIGGER moved AFTER UPDATE OF u ON c WHEN OLD.u IS NOT NEW.u BEGIN INSERT OR REPLACE INTO log VALUES (NEW.id, OLD.u, 'moved'); END;
      CREATE TRIGGER stop BEFORE INSERT ON g WHEN EXISTS (SELECT 1 FROM log WHERE was = NEW.c) BEGIN SELECT RAISE(ROLLBACK, 'stopped'); END;
      WITH i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 300) INSERT INTO p SELECT 'P' || n, n FROM i;
      WITH i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 300) INSERT INTO c SELECT n, 'p' || (1 + n % 100), n, 'V' || n FROM i;
      WITH i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 300) INSERT INTO g SELECT n, n, 'g' || n FROM i;
      INSERT INTO log VALUES (500, 250, 'first'), (501, 20, 'second'), (7, 251, 'third')`)
    await ada.exec('PRAGMA foreign_keys = ON')
    let tim = await reopened()
    const costs: (readonly [sql: string, bytes: number])[] = []
    // Each alone, by a client that has no row; what it comes to there is what it came to here.
    const both = async (...texts: readonly string[]): Promise<unknown> => {
      const run = async (space: SealedSpace): Promise<unknown> => {
        try {
          return await space.transaction(async (tx) => {
            const answers: unknown[] = []
            for (const text of texts) answers.push((await tx.query(text)).rows)
            return answers
          })
        } catch (error) {
          return error instanceof Error ? error.message : error
        }
      }
      const contents = async (space: SealedSpace): Promise<unknown> => Promise.all(['p', 'c', 'g', 'log'].map(async (name) => (await space.query(`SELECT * FROM ${name} ORDER BY id`)).rows))
      await ada.exec('BEGIN')
      const expected: unknown[] = []
      let refusal: unknown
      for (const text of texts) {
        try {
          expected.push((await ada.query(text)).rows)
        } catch (error) {
          refusal = error instanceof Error ? error.message : error
          break
        }
      }
      const after = refusal === undefined ? await contents(ada) : undefined
      await ada.exec('ROLLBACK').catch(() => undefined)
      const before = tim.fetched?.bytes ?? 0
      expect(await run(tim), texts.join('; ')).toEqual(refusal ?? expected)
      costs.push([texts.join('; '), (tim.fetched?.bytes ?? 0) - before])
      await same(tim, ada)
      if (after !== undefined) expect(await contents(ada), texts.join('; ')).toEqual(after)
      await tim.close()
      tim = await reopened()
      return refusal ?? expected
    }
    // A unique value that another row has, in another case; replaced, ignored, updated instead.
    expect(await both("UPDATE c SET v = 'v200' WHERE id = 1")).toContain('UNIQUE constraint failed: c.v')
    expect(await both("UPDATE OR IGNORE c SET v = 'v200' WHERE id = 1 RETURNING v")).toEqual([[]])
    // What REPLACE deletes is told by nobody: the children whole.
    expect(await both("UPDATE OR REPLACE c SET v = 'v200' WHERE id = 1 RETURNING v")).toEqual([[{ v: 'v200' }]])
    expect(costs.pop()?.[1]).toBeGreaterThan(40_000)
    expect(await both("INSERT INTO c VALUES (4, 'p1', 201, 'v202') ON CONFLICT (u) DO UPDATE SET u = u + 1000 ON CONFLICT (id) DO NOTHING RETURNING id")).toEqual([[{ id: 201 }]])
    expect(await both("INSERT INTO c VALUES (401, 'p1', 203, 'new') ON CONFLICT (u) DO UPDATE SET u = 205 RETURNING id")).toContain('UNIQUE constraint failed: c.u')
    expect(await both("INSERT INTO c SELECT id + 1, p, u + 1000, v || 'x' FROM c WHERE id = 9")).toContain('UNIQUE constraint failed: c.id')
    // Parents that are there under another case, or not at all; children that go along, and theirs that stay.
    expect(await both("INSERT INTO c VALUES (402, 'p300', 402, 'x')")).toEqual([[]])
    expect(await both("UPDATE c SET p = 'p301' WHERE id = 2")).toBe('FOREIGN KEY constraint failed')
    await both("UPDATE p SET id = 'moved' WHERE id = 'p5'")
    await both("DELETE FROM p WHERE id = 'P7'")
    await both("INSERT OR REPLACE INTO p VALUES ('p8', 1)")
    expect(costs.pop()?.[1]).toBeGreaterThan(40_000)
    // What triggers write and look for; undone with the rest.
    await both('UPDATE c SET u = 5000 WHERE id = 250')
    await both('UPDATE c SET u = u + 6000 WHERE id IN (30, 31, 32)')
    expect(await both("INSERT INTO g VALUES (600, 20, 'x')")).toBe('stopped')
    expect(await both("UPDATE g SET w = 'kept' WHERE id = 3", "INSERT INTO g VALUES (600, 20, 'x')")).toBe('stopped')
    await both("INSERT INTO g VALUES (600, 21, 'x')")
    // In one transaction: what was undone has left no trace, what was done is seen.
    await both("UPDATE c SET v = 'first' WHERE id = 40", "INSERT INTO c VALUES (403, 'p41', 403, 'v40'), (404, 'p42', 404, 'v40 too')", "UPDATE c SET v = 'v40' WHERE id = 404 OR id = 41 AND FALSE", 'SELECT id, v FROM c WHERE id IN (40, 403, 404) ORDER BY id')
    await both('SAVEPOINT s', "DELETE FROM p WHERE id = 'p50'", 'ROLLBACK TO s', "UPDATE c SET u = 50 + 1000 WHERE p = 'p50'", 'RELEASE s')
    await both("INSERT INTO c VALUES (410, 'p1', NULL, NULL), (411, 'p300', NULL, NULL)", "UPDATE c SET id = id + 100 WHERE id IN (410, 411)")
    expect(costs.filter(([, bytes]) => bytes > 40_000)).toEqual([])
  }, 120_000)

  it('leave nothing behind: what a transaction has read whole is read anew', async () => {
    const { ada, tim: reopened } = await pair('CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER); INSERT INTO t VALUES (1, 0), (2, 0), (3, 0)')
    const tim = await reopened()
    const rows = async (space: SealedSpace): Promise<unknown> => (await space.query('SELECT count(*) AS n, sum(v) AS v FROM t')).rows
    for (const [end, v] of [['COMMIT', 1], ['ROLLBACK', 0], ['COMMIT', 1], ['COMMIT', 1]] as const) {
      const [{ n, sum }] = (await ada.query<{ n: number; sum: number }>('SELECT count(*) AS n, sum(v) AS sum FROM t')).rows as [{ n: number; sum: number }]
      await tim.exec('BEGIN; UPDATE t SET v = v + 1 WHERE id = 2')
      expect(await rows(tim)).toEqual([{ n, v: sum + 1 }])
      await tim.exec(end)
      await same(tim, ada)
      await ada.query('INSERT INTO t SELECT max(id) + 1, 10 FROM t')
      await same(ada, tim)
      const all = [{ n: n + 1, v: sum + v + 10 }]
      expect([await rows(ada), await rows(tim)], end).toEqual([all, all])
      await tim.query('UPDATE t SET v = v + 1')
      await same(tim, ada)
      expect(await rows(ada)).toEqual([{ n: n + 1, v: sum + v + 10 + n + 1 }])
    }
  })

  it('fetch a table whole where no row tells what it meets, and say so where it is too large', async () => {
    const { ada, tim: reopened } = await pair(`
      CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT); CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT, x TEXT); CREATE TABLE log (x TEXT);
      CREATE TRIGGER logged AFTER INSERT ON t BEGIN INSERT INTO log VALUES (NEW.x); END;
      WITH i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 100) INSERT INTO counted (x) SELECT n FROM i; INSERT INTO log SELECT x FROM counted`)
    const tim = await reopened()
    await tim.query("INSERT INTO t VALUES (1, 'one')")
    await tim.query("INSERT INTO counted (x) VALUES ('next')")
    await same(tim, ada)
    expect((await ada.query('SELECT rowid AS id FROM log WHERE x = ?', ['one'])).rows).toEqual([{ id: 101 }])
    expect((await ada.query("SELECT id FROM counted WHERE x = 'next'")).rows).toEqual([{ id: 101 }])
    await tim.close()
    const small = await reopened({ maxRows: 50 })
    await expect(small.query("INSERT INTO t VALUES (2, 'two')")).rejects.toMatchObject({ code: 'out-of-scope', facts: { rows: 101 } })
    await expect(small.query("INSERT INTO counted (x) VALUES ('next')")).rejects.toMatchObject({ code: 'out-of-scope' })
    await small.query("UPDATE counted SET x = 'changed' WHERE id = 3")
    expect((await small.query("EXPLAIN VERIFIED INSERT INTO t VALUES (3, 'x')")).rows).toMatchObject([{ table: 't', range: 'key = (3)' }, { table: 'log', range: 'rows that what is written meets', relay_learns: 'for each a value or token: which rows' }])
    await same(small, ada)
    expect((await ada.query('SELECT x FROM counted WHERE id = 3')).rows).toEqual([{ x: 'changed' }])
    expect((await ada.query('SELECT id FROM t')).rows).toEqual([{ id: 1 }])
  })
})
