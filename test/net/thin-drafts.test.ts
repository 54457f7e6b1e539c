/** Statements that look at rows which none of their texts names: a thin client does what a replica does, or a row was not looked at. */
import { afterEach, describe, expect, it } from 'vitest'
import { bothOf } from './thin-drafts.js'
import { stopAll, type TestPeer } from './support.js'
import { WORLDS } from './thin-programs.js'

const peers: TestPeer[] = []
afterEach(() => stopAll(peers))

const numbers = (count: number): string => `WITH i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < ${count})`

/** Each alike; `refused` of them by foreign keys: so many, or at least one. */
async function alike(script: string, programs: readonly (string | readonly string[])[], refused?: number): Promise<void> {
  const both = await bothOf(script)
  peers.push(...both.peers)
  let count = 0
  for (const program of programs) {
    const statements = typeof program === 'string' ? [program] : program
    const { replica, thin } = await both.perform(statements)
    expect(thin, statements.join('; ')).toEqual(replica)
    if (replica.answers.includes('FOREIGN KEY constraint failed')) count++
  }
  if (refused === undefined) expect(count).toBeGreaterThan(0)
  else expect(count).toBe(refused)
}

describe('a thin client', () => {
  it('looks for the parents that SQLite looks for: of columns that SET names, changed or not; of tables that refer to themselves', () => alike(`
    CREATE TABLE p (id INTEGER PRIMARY KEY, x);
    CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER BLIND REFERENCES p(id), u TEXT UNIQUE);
    CREATE TABLE one (id INTEGER PRIMARY KEY REFERENCES p(id), x);
    CREATE TABLE gen (id INTEGER PRIMARY KEY, x INTEGER, p INTEGER AS (x + 1) STORED REFERENCES p(id));
    CREATE TABLE tree (id INTEGER PRIMARY KEY, up INTEGER BLIND REFERENCES tree(id) ON UPDATE CASCADE, x TEXT);
    ${numbers(60)} INSERT INTO p SELECT n, n FROM i; INSERT INTO c SELECT id, id, 'u' || id FROM p; INSERT INTO one SELECT id, id FROM p;
    INSERT INTO gen (id, x) SELECT id, id FROM p WHERE id < 60; INSERT INTO tree SELECT id, nullif(id / 2, 0), id FROM p`, [
    'UPDATE c SET p = p WHERE id = 5', "UPDATE c SET u = 'z' WHERE id = 5", "INSERT INTO c VALUES (5, 5, 'n') ON CONFLICT (id) DO UPDATE SET p = excluded.p, u = excluded.u RETURNING *",
    'UPDATE one SET id = id WHERE id = 9', 'UPDATE one SET rowid = id WHERE id = 9', 'UPDATE one SET rowid = 777 WHERE id = 9', 'UPDATE gen SET x = x WHERE id = 5', 'UPDATE gen SET x = 98 WHERE id = 5',
    'UPDATE tree SET up = up WHERE id = 9', 'UPDATE tree SET oid = id WHERE id = 9', 'UPDATE tree SET id = 100 WHERE id = 5', "UPDATE tree SET x = 'z' WHERE id = 9",
  ], 2), 60_000)

  it('counts no child off that has its parent', () => alike(`
    CREATE TABLE p (id INTEGER PRIMARY KEY, x);
    CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER BLIND REFERENCES p(id), u TEXT UNIQUE);
    CREATE TABLE later (id INTEGER PRIMARY KEY, p INTEGER BLIND REFERENCES p(id) DEFERRABLE INITIALLY DEFERRED, u TEXT UNIQUE);
    ${numbers(60)} INSERT INTO p SELECT n, n FROM i; INSERT INTO c SELECT id, id, 'u' || id FROM p; INSERT INTO later SELECT id, id, 'u' || id FROM p`, [
    ["INSERT INTO later VALUES (900, 77, 'x')", 'DELETE FROM later WHERE id = 5'], ["INSERT INTO later VALUES (900, 77, 'x')", 'UPDATE later SET p = 3 WHERE id = 5'],
    'UPDATE c SET p = CASE id WHEN 1 THEN 777 ELSE 3 END WHERE id IN (1, 2)',
    "REPLACE INTO later VALUES (900, 777, 'x'), (5, 6, 'y')", "REPLACE INTO later VALUES (900, 777, 'x'), (901, 6, 'u8')", ["INSERT INTO later VALUES (900, 77, 'x')", "UPDATE OR REPLACE later SET u = 'u9' WHERE id = 8"],
    ["INSERT INTO later VALUES (900, 77, 'x')", 'DELETE FROM later WHERE id = 5', 'INSERT INTO p VALUES (77, 1)'],
  ], 6), 60_000)

  it('takes a column in WHEN, or in an expression, for what it is compared as', () => {
    const triggers = [
      ["WHEN NEW.name = 'abc'", '1'], ["WHEN NEW.name IN ('abc', 'def')", '1'], ["WHEN NEW.g = 'ABCX'", '1'], ["WHEN nullif(NEW.name, 'abc') IS NULL", '1'], ["WHEN NEW.id = '1'", '1'], ["WHEN NEW.oid || '' = 1", '1'], ["WHEN NEW.n = '5'", '1'],
      ['', "CASE WHEN NEW.name = 'abc' THEN 1 ELSE 2 END"], ['', "CASE NEW.name WHEN 'abc' THEN 1 ELSE 2 END"], ['', "2 - (NEW.rowid = '1')"],
    ]
    return alike(`
      CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE, n INTEGER, g TEXT COLLATE NOCASE AS (name || 'x'));
      ${triggers.map((_, i) => `CREATE TABLE log${i} (id INTEGER PRIMARY KEY, w TEXT COLLATE NOCASE UNIQUE, n INTEGER); ${numbers(20)} INSERT INTO log${i} SELECT n, n, 0 FROM i;`).join('\n')}
      ${triggers.map(([when, value], i) => `CREATE TRIGGER tr${i} AFTER INSERT ON t ${when} BEGIN UPDATE log${i} SET n = n + 1 WHERE w = ${value}; END;`).join('\n')}`, [
      "INSERT INTO t VALUES (1, 'ABC', 5)", "INSERT INTO t VALUES (2, 'DEF', 1)", "INSERT INTO t VALUES (3, 'abcx', 1)",
    ], 0)
  }, 60_000)

  it('has all rows whose key holds NULL, beside those that it has written', () => alike(`
    CREATE TABLE t (k TEXT PRIMARY KEY, x UNIQUE); ${numbers(30)} INSERT INTO t SELECT 'k' || n, n FROM i; INSERT INTO t VALUES (NULL, 100), (NULL, 101)`, [
    ["INSERT INTO t VALUES ('a', 102), ('b', 103)", 'SELECT count(*), sum(x) FROM t', 'DELETE FROM t WHERE k IS NULL'],
  ], 0))

  it.each(WORLDS)('does what a replica does: %s', (_, script, programs) => alike(script, programs), 60_000)
})
