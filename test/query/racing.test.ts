/** Two members write at the same time, online and apart: constraints hold, both make progress, nothing is lost, or it is told. */
import { describe, expect, test } from 'vitest'
import { until } from '../net/support.js'
import { codeOf } from './database-support.js'
import { apart, expectEqual, two, type Peer } from './peers-support.js'

const rowsOf = async ({ db }: Peer, sql: string): Promise<unknown[][]> => (await db.query(sql)).rows.map((row) => Object.values(row))
const lostBy = (...peers: readonly Peer[]): unknown[] => peers.flatMap(({ lost }) => lost.map(({ error }) => error.message))

describe('UNIQUE', () => {
  test.each(['v TEXT UNIQUE', 'v TEXT BLIND UNIQUE', 'v TEXT PLAINTEXT UNIQUE', 'v TEXT COLLATE NOCASE UNIQUE'])('apart: of two rows with one value one stays, the other’s author is told (%s)', async (column) => {
    const { ada, bob } = await two(`CREATE TABLE t (id INTEGER PRIMARY KEY, who, ${column})`)
    await apart([ada, bob], async () => {
      await ada.db.query("INSERT INTO t (who, v) VALUES ('ada', 'taken')")
      await bob.db.query("INSERT INTO t (who, v) VALUES ('bob', ?)", [column.includes('NOCASE') ? 'TAKEN' : 'taken'])
      await ada.db.query("INSERT INTO t (who, v) VALUES ('ada', 'free a')")
      await bob.db.query("INSERT INTO t (who, v) VALUES ('bob', 'free b')")
    })
    await until(() => ada.lost.length + bob.lost.length === 1, 'one is told')
    await expectEqual(ada, bob)
    expect(lostBy(ada, bob)).toEqual(['UNIQUE constraint failed: t.v'])
    const winner = ada.lost.length === 0 ? 'ada' : 'bob'
    expect(await rowsOf(ada, 'SELECT who, lower(v) FROM t ORDER BY lower(v)')).toEqual([['ada', 'free a'], ['bob', 'free b'], [winner, 'taken']])
  })

  test('online: many upserts of few values make one row each, and count all', async () => {
    const { ada, bob } = await two('CREATE TABLE word (w TEXT PRIMARY KEY, n INTEGER NOT NULL)')
    await Promise.all([ada, bob].flatMap(({ db }) => Array.from({ length: 12 }, (_, i) => db.query('INSERT INTO word VALUES (?, 1) ON CONFLICT (w) DO UPDATE SET n = n + 1', [`w${i % 3}`]))))
    await expectEqual(ada, bob)
    expect(lostBy(ada, bob)).toEqual([])
    expect(await rowsOf(bob, 'SELECT w, n FROM word ORDER BY w')).toEqual([['w0', 8], ['w1', 8], ['w2', 8]])
  })

  test('values that change places, each written by one: one order or the other', async () => {
    const { ada, bob } = await two("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT UNIQUE); INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')")
    await apart([ada, bob], async () => {
      await ada.db.batch(["UPDATE t SET v = 'x' WHERE id = 1", "UPDATE t SET v = 'a' WHERE id = 2", "UPDATE t SET v = 'b' WHERE id = 1"])
      await bob.db.batch(["UPDATE t SET v = 'y' WHERE id = 2", "UPDATE t SET v = 'b' WHERE id = 3", "UPDATE t SET v = 'c' WHERE id = 2"])
    })
    await expectEqual(ada, bob)
    await until(() => ada.space.outbox().length + bob.space.outbox().length === 0, 'settled')
    const values = (await rowsOf(ada, 'SELECT v FROM t')).flat()
    expect(new Set(values).size).toBe(3)
  })
})

describe('FOREIGN KEY', () => {
  test.each(['', 'ON DELETE CASCADE', 'ON DELETE SET NULL', 'DEFERRABLE INITIALLY DEFERRED'])('a parent is deleted here while a child is born there: never a child without one (%s)', async (action) => {
    for (const adaDeletes of [true, false]) {
      const { ada, bob } = await two(`CREATE TABLE parent (id INTEGER PRIMARY KEY); CREATE TABLE child (id INTEGER PRIMARY KEY, p REFERENCES parent ${action}); INSERT INTO parent VALUES (1), (2)`)
      const [deleter, other] = adaDeletes ? [ada, bob] : [bob, ada]
      for (const { db } of [ada, bob]) await db.exec('PRAGMA foreign_keys = ON')
      await apart([ada, bob], async () => {
        await deleter.db.query('DELETE FROM parent WHERE id = 1')
        await other.db.query('INSERT INTO child VALUES (7, 1)')
        await other.db.query('INSERT INTO child VALUES (8, 2)')
      })
      await expectEqual(ada, bob)
      await until(() => ada.space.outbox().length + bob.space.outbox().length === 0, 'settled')
      await expectEqual(ada, bob)
      expect(await rowsOf(ada, 'SELECT * FROM child WHERE p NOT IN (SELECT id FROM parent)')).toEqual([])
      expect(await rowsOf(ada, 'SELECT id FROM child WHERE p = 2')).toEqual([[8]])
      const kept = (await rowsOf(ada, 'SELECT 1 FROM child WHERE p = 1')).length
      const parents = (await rowsOf(ada, 'SELECT 1 FROM parent WHERE id = 1')).length
      if (/CASCADE|SET NULL/.test(action)) {
        // Whoever deletes second takes the child along; a child that comes second is told.
        expect([kept, parents]).toEqual([0, 0])
        expect(lostBy(ada, bob).every((message) => message === 'FOREIGN KEY constraint failed')).toBe(true)
      } else {
        expect(kept).toBe(parents)
        expect(lostBy(ada, bob)).toEqual(['FOREIGN KEY constraint failed'])
      }
    }
  })

  test('parents renumbered here while children are born there', async () => {
    const { ada, bob } = await two('CREATE TABLE parent (id INTEGER PRIMARY KEY, code TEXT UNIQUE); CREATE TABLE child (id INTEGER PRIMARY KEY, code REFERENCES parent (code) ON UPDATE CASCADE); INSERT INTO parent VALUES (1, \'a\'); INSERT INTO child VALUES (1, \'a\')')
    for (const { db } of [ada, bob]) await db.exec('PRAGMA foreign_keys = ON')
    await apart([ada, bob], async () => {
      await ada.db.query("UPDATE parent SET code = 'b' WHERE id = 1")
      await bob.db.query("INSERT INTO child VALUES (2, 'a')")
    })
    await expectEqual(ada, bob)
    await until(() => ada.space.outbox().length + bob.space.outbox().length === 0, 'settled')
    await expectEqual(ada, bob)
    expect(await rowsOf(ada, 'SELECT * FROM child WHERE code NOT IN (SELECT code FROM parent)')).toEqual([])
  })
})

describe('what is read to be written', () => {
  test('counters written apart and at once all count', async () => {
    const { ada, bob } = await two("CREATE TABLE c (id INTEGER PRIMARY KEY, n INTEGER NOT NULL); INSERT INTO c VALUES (1, 0)")
    await apart([ada, bob], async () => {
      for (let i = 0; i < 4; i++) for (const { db } of [ada, bob]) await db.query('UPDATE c SET n = n + 1')
    })
    await Promise.all([ada, bob].flatMap(({ db }) => Array.from({ length: 4 }, () => db.transaction(async (tx) => {
      const { rows: [row] } = await tx.query<{ n: number }>('SELECT n FROM c WHERE id = 1')
      await tx.query('UPDATE c SET n = ? WHERE id = 1', [(row?.n ?? 0) + 1])
    }))))
    await expectEqual(ada, bob)
    await until(() => ada.space.outbox().length + bob.space.outbox().length === 0, 'settled')
    await expectEqual(ada, bob)
    expect(lostBy(ada, bob)).toEqual([])
    expect(await rowsOf(bob, 'SELECT n FROM c')).toEqual([[16]])
  })

  test('AUTOINCREMENT apart: one sequence, no id twice, none given again', async () => {
    const { ada, bob } = await two('CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, who)')
    await apart([ada, bob], async () => {
      for (const [who, { db }] of [['ada', ada], ['bob', bob]] as const) for (let i = 0; i < 3; i++) await db.query('INSERT INTO t (who) VALUES (?)', [who])
      await bob.db.query('DELETE FROM t WHERE id = 2')
    })
    await expectEqual(ada, bob)
    await until(() => ada.space.outbox().length + bob.space.outbox().length === 0, 'settled')
    await expectEqual(ada, bob)
    expect(lostBy(ada, bob)).toEqual([])
    const rows = await rowsOf(ada, 'SELECT id, who FROM t ORDER BY id')
    expect(rows.length).toBe(5)
    expect((await ada.db.query("INSERT INTO t (who) VALUES ('next') RETURNING id")).rows).toEqual([{ id: 7 }])
  })

  test('rows that triggers made apart: SQLite numbers them, so the second is made again, and none is lost', async () => {
    const { ada, bob } = await two('CREATE TABLE t (id INTEGER PRIMARY KEY, v); CREATE TABLE log (id INTEGER PRIMARY KEY, what); CREATE TABLE loose (what); CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO log (what) VALUES (new.v); INSERT INTO loose VALUES (new.v); END')
    await apart([ada, bob], async () => {
      for (const [who, { db }] of [['ada', ada], ['bob', bob]] as const) for (let i = 0; i < 3; i++) await db.query('INSERT INTO t (v) VALUES (?)', [`${who} ${i}`])
    })
    await expectEqual(ada, bob)
    await until(() => ada.space.outbox().length + bob.space.outbox().length === 0, 'settled')
    await expectEqual(ada, bob)
    expect(lostBy(ada, bob)).toEqual([])
    const all = ['ada 0', 'ada 1', 'ada 2', 'bob 0', 'bob 1', 'bob 2']
    for (const table of ['t', 'log', 'loose']) expect((await rowsOf(ada, `SELECT * FROM ${table}`)).map((row) => row.at(-1)).sort()).toEqual(all)
  })

  test('write skew: without serializable both leave, with it one stays', async () => {
    for (const serializable of [false, true]) {
      const { ada, bob } = await two(`CREATE TABLE doctor (name TEXT PRIMARY KEY, on_call INTEGER NOT NULL${serializable ? '  ' : ''}); INSERT INTO doctor VALUES ('ada', 1), ('bob', 1)`)
      const leave = async ({ db }: Peer, name: string): Promise<boolean> => db.transaction(async (tx) => {
        const { rows: [row] } = await tx.query<{ n: number }>('SELECT count(*) AS n FROM doctor WHERE on_call')
        if ((row?.n ?? 0) < 2) return false
        await tx.query('UPDATE doctor SET on_call = 0 WHERE name = ?', [name])
        return true
      }, { serializable })
      await apart([ada, bob], async () => {
        expect([await leave(ada, 'ada'), await leave(bob, 'bob')]).toEqual([true, true])
      })
      await expectEqual(ada, bob)
      await until(() => ada.space.outbox().length + bob.space.outbox().length === 0, 'settled')
      await expectEqual(ada, bob)
      expect(lostBy(ada, bob)).toEqual([])
      expect(await rowsOf(ada, 'SELECT count(*) FROM doctor WHERE on_call')).toEqual([[serializable ? 1 : 0]])
    }
  })

  test('a table is dropped and a column added while rows are written there', async () => {
    const { ada, bob } = await two('CREATE TABLE a (x); CREATE TABLE b (id INTEGER PRIMARY KEY, x)')
    await apart([ada, bob], async () => {
      await ada.db.exec("DROP TABLE a; ALTER TABLE b ADD COLUMN y DEFAULT 'new'")
      await bob.db.query('INSERT INTO b (x) VALUES (1)')
      await bob.db.query('INSERT INTO a VALUES (1)')
      await bob.db.query('INSERT INTO b (x) VALUES (2)')
    })
    await until(() => bob.lost.length === 1, 'bob is told')
    await expectEqual(ada, bob)
    expect(lostBy(bob)).toEqual(['no such table: a'])
    expect(await rowsOf(ada, 'SELECT x, y FROM b ORDER BY x')).toEqual([[1, 'new'], [2, 'new']])
    expect(await codeOf(bob.db.query('SELECT * FROM a'))).toBe('sql-error')
  })
})
