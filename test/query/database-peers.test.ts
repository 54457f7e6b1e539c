/** Members and a relay: what one writes the others read; what collides is executed again, or told. */
import { describe, expect, test } from 'vitest'
import { until } from '../net/support.js'
import { codeOf } from './database-support.js'
import { expectEqual, inStep, reconnect, two } from './peers-support.js'

const TASK = 'CREATE TABLE task (id INTEGER PRIMARY KEY, title TEXT NOT NULL UNIQUE, n INTEGER NOT NULL DEFAULT 0)'

describe('two members', () => {
  test('rows and definitions go both ways', async () => {
    const { ada, bob } = await two(`${TASK}; INSERT INTO task (title) VALUES ('a')`)
    expect((await bob.db.query('SELECT title FROM task')).rows).toEqual([{ title: 'a' }])
    await bob.db.exec("INSERT INTO task (title) VALUES ('b'); UPDATE task SET n = 5 WHERE title = 'a'; CREATE TABLE note (x); INSERT INTO note VALUES (1); DELETE FROM task WHERE title = 'nobody'")
    await expectEqual(ada, bob)
    await ada.db.exec("DELETE FROM task WHERE title = 'a'; ALTER TABLE task ADD COLUMN more DEFAULT 'x'; CREATE VIEW v AS SELECT title, more FROM task")
    await expectEqual(ada, bob)
    expect((await bob.db.query('SELECT * FROM v')).rows).toEqual([{ title: 'b', more: 'x' }])
    expect(await codeOf(bob.db.query('DROP TABLE task'))).toBe('rejected')
    await expectEqual(ada, bob)
  })

  test('ids of rows written apart do not collide; unique values do, and that is told', async () => {
    const { ada, bob } = await two(`${TASK}; CREATE TABLE loose (v); INSERT INTO task (title) VALUES ('first')`)
    await ada.sync.stop()
    await bob.sync.stop()
    const a = await ada.db.query("INSERT INTO task (title) VALUES ('from ada'), ('taken') RETURNING id")
    const b = await bob.db.query("INSERT INTO task (title) VALUES ('from bob') RETURNING id")
    await ada.db.query('INSERT INTO loose VALUES (1)')
    await bob.db.query('INSERT INTO loose VALUES (2), (3)')
    expect(a.rows).toEqual([{ id: 2 }, { id: 3 }])
    expect(b.rows).toEqual([{ id: 2 ** 32 + 1 }])
    const refused = await bob.db.query("INSERT INTO task (title) VALUES ('taken')")
    expect(refused.write?.state).toEqual({ kind: 'local' })
    reconnect(ada, bob)
    await until(() => bob.lost.length === 1, 'bob is told')
    expect(bob.lost[0]).toMatchObject({ error: { code: 'sql-error', message: 'UNIQUE constraint failed: task.title' }, texts: ["INSERT INTO task (title) VALUES ('taken')"] })
    expect(await refused.write?.settled).toMatchObject({ kind: 'rejected' })
    await expectEqual(ada, bob)
    expect((await ada.db.query('SELECT title FROM task ORDER BY id')).rows.map(({ title }) => title)).toEqual(['first', 'from ada', 'taken', 'from bob'])
  })

  test('increments written apart all count: what was refused is executed again', async () => {
    const { ada, bob } = await two(`${TASK}; INSERT INTO task (id, title) VALUES (1, 'counter')`)
    const writes = await Promise.all([ada, bob].flatMap(({ db }) => Array.from({ length: 5 }, (_, i) =>
      (i % 2 === 0 ? db.query('UPDATE task SET n = n + 1 WHERE id = ?', [1]) : db.transaction(async (tx) => { await tx.query('UPDATE task SET n = n + 1 WHERE id = ?', [1]) })))))
    expect(writes).toHaveLength(10)
    await until(() => [ada, bob].every(({ space }) => space.outbox().length === 0), 'all sent')
    await inStep(ada, bob)
    await until(() => [ada, bob].every(({ space }) => space.outbox().length === 0) && ada.space.head.size === bob.space.head.size, 'settled')
    await expectEqual(ada, bob)
    expect([ada.lost, bob.lost]).toEqual([[], []])
    expect((await bob.db.query('SELECT n FROM task')).rows).toEqual([{ n: 10 }])
  })

  test('AUTOINCREMENT is one sequence for both', async () => {
    const { ada, bob } = await two('CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, who)')
    await Promise.all([ada.db.query("INSERT INTO t (who) VALUES ('ada')"), bob.db.query("INSERT INTO t (who) VALUES ('bob')")])
    await until(() => ada.space.current.count(ada.space.current.catalog.find(({ kind }) => kind === 'table')?.id ?? 0) === 2 && ada.space.outbox().length + bob.space.outbox().length === 0, 'both rows')
    await expectEqual(ada, bob)
    expect((await ada.db.query('SELECT id FROM t ORDER BY id')).rows).toEqual([{ id: 1 }, { id: 2 }])
    expect((await bob.db.query('SELECT seq FROM sqlite_sequence')).rows).toEqual([{ seq: 2 }])
  })

  test('a policy stops another member, whatever their client does', async () => {
    const { ada, bob } = await two(`CREATE TABLE t (id INTEGER PRIMARY KEY, owner INTEGER PLAINTEXT, v); CREATE POLICY own ON t FOR ALL USING (owner = current_member());
      INSERT INTO t VALUES (1, 1, 'ada')`)
    expect(await codeOf(bob.db.query("UPDATE t SET v = 'bob'"))).toBe('rejected')
    expect(await codeOf(bob.db.query("INSERT INTO t VALUES (2, 1, 'as ada')"))).toBe('rejected')
    await bob.db.query("INSERT INTO t VALUES (3, 2, 'bob')")
    await expectEqual(ada, bob)
    expect(await codeOf(bob.db.query('DROP POLICY own ON t'))).toBe('rejected')
  })
})

describe('ids of this device', () => {
  test('in every form of INSERT', async () => {
    const { bob } = await two('CREATE TABLE t (id INTEGER PRIMARY KEY, v DEFAULT 7, w UNIQUE); CREATE TABLE loose (v); CREATE TABLE src (a, b); INSERT INTO src VALUES (1, 10), (2, 20)')
    const { db } = bob
    const first = 2 ** 32
    const ids = async (text: string, ...parameters: number[]): Promise<unknown> => (await db.query(text, parameters)).rows.map((row) => Object.values(row))
    expect(await ids('INSERT INTO t DEFAULT VALUES RETURNING id, v')).toEqual([[first + 1, 7]])
    expect(await ids('INSERT INTO t (v) VALUES (?), (?) RETURNING id, v', 1, 2)).toEqual([[first + 2, 1], [first + 3, 2]])
    expect(await ids('INSERT INTO t VALUES (NULL, 3, 1), (5, 4, 2), (NULL, 5, 3) RETURNING id')).toEqual([[first + 4], [5], [first + 5]])
    expect(await ids('INSERT INTO t (v, id) SELECT a, NULL FROM src ORDER BY a RETURNING id, v')).toEqual([[first + 6, 1], [first + 7, 2]])
    expect(await ids('INSERT INTO t (v, w) WITH x AS (SELECT b FROM src) SELECT b, b FROM x WHERE b = 10 UNION ALL SELECT 30, 30 RETURNING id')).toEqual([[first + 8], [first + 9]])
    expect(await ids('INSERT INTO t (v, w) SELECT a, 10 FROM src WHERE a = 1 ON CONFLICT (w) DO UPDATE SET v = -1 RETURNING id')).toEqual([[first + 8]])
    expect(await ids("WITH x(n) AS (VALUES (8)) INSERT INTO t AS y (w) VALUES ((SELECT n FROM x)) ON CONFLICT DO NOTHING RETURNING id, w")).toEqual([[first + 10, 8]])
    expect(await ids('INSERT OR REPLACE INTO loose SELECT 1 UNION ALL SELECT 2 RETURNING rowid')).toEqual([[first + 1], [first + 2]])
    expect(await ids('INSERT INTO loose (rowid, v) VALUES (9, 9) RETURNING rowid')).toEqual([[9]])
    expect((await db.query('SELECT last_insert_rowid() AS id')).rows).toEqual([{ id: 9 }])
  })
})
