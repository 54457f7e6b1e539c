/** Whose row it is: policies hold through every form of write, and provenance names who wrote, also through another's trigger. */
import { describe, expect, test } from 'vitest'
import { codeOf } from './database-support.js'
import { expectEqual, inStep, two } from './peers-support.js'

const OWNED = `CREATE TABLE t (id INTEGER PRIMARY KEY PLAINTEXT, owner INTEGER PLAINTEXT, v TEXT UNIQUE, secret);
  CREATE POLICY own ON t FOR ALL USING (owner = current_member()) WITH CHECK (owner = current_member());
  CREATE TABLE own_notes (id INTEGER PRIMARY KEY, x); CREATE TABLE log (what, id);
  INSERT INTO t VALUES (1, 1, 'one', 'ada''s'), (2, 1, 'two', 'ada''s')`

describe('a writer can’t take another’s row', () => {
  test.each([
    ['UPDATE', "UPDATE t SET owner = 2 WHERE id = 1"],
    ['UPDATE of a sealed column', "UPDATE t SET secret = 'bob''s' WHERE id = 1"],
    ['UPDATE FROM', "UPDATE t SET owner = x.o FROM (SELECT 1 AS i, 2 AS o) AS x WHERE t.id = x.i"],
    ['UPDATE of the key', 'UPDATE t SET id = 9, owner = 2 WHERE id = 1'],
    ['REPLACE by key', "REPLACE INTO t VALUES (1, 2, 'x', 'bob''s')"],
    ['REPLACE by a unique value', "INSERT OR REPLACE INTO t VALUES (9, 2, 'one', 'bob''s')"],
    ['UPDATE OR REPLACE', "INSERT INTO t VALUES (5, 2, 'five', NULL); UPDATE OR REPLACE t SET v = 'one' WHERE id = 5"],
    ['UPSERT', "INSERT INTO t VALUES (1, 2, 'x', NULL) ON CONFLICT (id) DO UPDATE SET owner = 2, secret = excluded.secret"],
    ['UPSERT on a unique value', "INSERT INTO t VALUES (9, 2, 'one', NULL) ON CONFLICT (v) DO UPDATE SET owner = 2"],
    ['a trigger of one’s own', 'CREATE TRIGGER thief AFTER INSERT ON own_notes BEGIN UPDATE t SET owner = 2; END; INSERT INTO own_notes VALUES (1, 1)'],
    ['a TEMP trigger', 'CREATE TEMP TRIGGER thief AFTER INSERT ON own_notes BEGIN UPDATE t SET owner = 2 WHERE id = 1; END; INSERT INTO own_notes VALUES (2, 1)'],
    ['a cascade', 'PRAGMA foreign_keys = ON; CREATE TABLE child (p REFERENCES t (v) ON UPDATE CASCADE); UPDATE t SET v = upper(v)'],
    ['DELETE', 'DELETE FROM t WHERE id = 1'],
    ['DELETE and INSERT in one transaction', "BEGIN; DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (1, 2, 'one', 'bob''s'); COMMIT"],
    ['INSERT in another’s name', "INSERT INTO t VALUES (9, 1, 'nine', NULL)"],
    ['giving a row of one’s own away', "INSERT INTO t VALUES (6, 2, 'six', NULL); UPDATE t SET owner = 1 WHERE id = 6"],
    ['DROP TABLE', 'DROP TABLE t'],
    ['DROP POLICY', 'DROP POLICY own ON t'],
    ['a view with INSTEAD OF', "CREATE VIEW face AS SELECT * FROM t; CREATE TRIGGER f INSTEAD OF UPDATE ON face BEGIN UPDATE t SET owner = new.owner WHERE id = old.id; END; UPDATE face SET owner = 2"],
  ])('by %s', async (_, script) => {
    const { ada, bob } = await two(OWNED)
    expect(await codeOf(bob.db.exec(script))).toBe('rejected')
    if (script.startsWith('BEGIN')) await bob.db.exec('ROLLBACK').catch((error: unknown) => { expect(String(error)).toContain('no transaction') })
    await expectEqual(ada, bob)
    expect((await ada.db.queryRaw('SELECT id, owner, v, secret, row_author(t) FROM t WHERE id <= 2 ORDER BY id')).rows).toEqual([[1n, 1n, 'one', 'ada\'s', 1n], [2n, 1n, 'two', 'ada\'s', 1n]])
    // The connection is as usable as before.
    await bob.db.query("INSERT INTO t VALUES (77, 2, 'mine', NULL)")
    await expectEqual(ada, bob)
  })

  test('OR IGNORE and DO NOTHING leave it alone, without an error', async () => {
    const { ada, bob } = await two(OWNED)
    await bob.db.exec("INSERT OR IGNORE INTO t VALUES (1, 2, 'x', NULL); INSERT INTO t VALUES (8, 2, 'one', NULL) ON CONFLICT DO NOTHING")
    await expectEqual(ada, bob)
    expect((await ada.db.query('SELECT count(*) AS n FROM t')).rows).toEqual([{ n: 2 }])
  })
})

describe('provenance', () => {
  test('names who wrote the row as it is, who made it, and which entry that was', async () => {
    const { ada, bob } = await two("CREATE TABLE t (id INTEGER PRIMARY KEY, v UNIQUE); INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd'), (5, 'e')")
    const provenance = async (id: number): Promise<unknown[]> => {
      await expectEqual(ada, bob)
      const of = async (db: typeof ada.db): Promise<unknown> => (await db.query('SELECT row_author(t) AS author, row_creator(t) AS creator, row_device(t) AS device FROM t WHERE id = ?', [id])).rows[0]
      const [a, b] = [await of(ada.db), await of(bob.db)]
      expect(a).toEqual(b)
      return Object.values(a as object)
    }
    expect(await provenance(1)).toEqual([1, 1, 1])
    await bob.db.query("UPDATE t SET v = 'a by bob' WHERE id = 1")
    expect(await provenance(1)).toEqual([2, 1, 2])
    await bob.db.query("INSERT INTO t VALUES (2, 'x') ON CONFLICT (id) DO UPDATE SET v = 'b by bob'")
    expect(await provenance(2)).toEqual([2, 1, 2])
    // REPLACE deletes and inserts, but by key it stays the same row to everybody.
    await bob.db.query("REPLACE INTO t VALUES (3, 'c by bob')")
    expect(await provenance(3)).toEqual([2, 1, 2])
    // By another unique value the old row goes, and the new one is bob's.
    await bob.db.query("REPLACE INTO t VALUES (40, 'd')")
    expect(await provenance(40)).toEqual([2, 2, 2])
    await bob.db.batch(['DELETE FROM t WHERE id = 5', "INSERT INTO t VALUES (5, 'e by bob')"])
    expect(await provenance(5)).toEqual([2, 1, 2])
    await bob.db.query('DELETE FROM t WHERE id = 5')
    await bob.db.query("INSERT INTO t VALUES (5, 'anew')")
    expect(await provenance(5)).toEqual([2, 2, 2])
    // Setting what is there already is no change.
    await inStep(ada, bob)
    const before = ada.space.head.size
    await ada.db.query("UPDATE t SET v = v WHERE id = 5")
    expect(await provenance(5)).toEqual([2, 2, 2])
    expect(ada.space.head.size).toBe(before)
  })

  test('a row written by another member’s trigger is whose statement fired it', async () => {
    const { ada, bob } = await two(`CREATE TABLE t (id INTEGER PRIMARY KEY, v, touched); CREATE TABLE log (id INTEGER PRIMARY KEY, what); CREATE TABLE loose (what); CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT, what);
      CREATE TRIGGER adas AFTER UPDATE OF v ON t BEGIN UPDATE t SET touched = 1 WHERE id <> new.id; INSERT INTO log (what) VALUES (new.v); INSERT INTO loose VALUES (new.v); INSERT INTO counted (what) VALUES (new.v); END;
      INSERT INTO t VALUES (1, 'a', 0), (2, 'b', 0); INSERT INTO log (what) VALUES ('first')`)
    await bob.db.query("UPDATE t SET v = 'bob' WHERE id = 1")
    await expectEqual(ada, bob)
    for (const { db } of [ada, bob]) {
      expect((await db.query('SELECT id, row_author(t) AS who, touched FROM t ORDER BY id')).rows).toEqual([{ id: 1, who: 2, touched: 0 }, { id: 2, who: 2, touched: 1 }])
      expect((await db.query("SELECT row_author(log) AS who FROM log WHERE what = 'bob'")).rows).toEqual([{ who: 2 }])
    }
  })
})
