/** Histories and past states as an API; signals; and what is closed by leaving its block. */
import { describe, expect, test } from 'vitest'
import { Database } from '../../query/database.js'
import { codeOf, newDatabase } from './database-support.js'
import { expectEqual, inStep, two } from './peers-support.js'

interface Task { readonly id: number; readonly title: string }

describe('history and at', () => {
  test('every version of a row, who wrote it, and the state it was in', async () => {
    const { ada, bob } = await two("CREATE TABLE task (id INTEGER PRIMARY KEY, title TEXT); INSERT INTO task VALUES (1, 'a'), (2, 'other')")
    await bob.db.query("UPDATE task SET title = 'b' WHERE id = 1")
    await inStep(ada, bob)
    await ada.db.query('DELETE FROM task WHERE id = 1')
    await expectEqual(ada, bob)
    for (const { db } of [ada, bob]) {
      const history = await db.history<Task>('task', 1)
      expect(history.map(({ operation, member, device, row }) => [operation, member, device, row.title])).toEqual([['insert', 1, 1, 'a'], ['update', 2, 2, 'b'], ['delete', 1, 1, 'b']])
      for (const { entry, operation, row } of history) {
        const { rows } = await db.at(entry + 1).query<Task>('SELECT title FROM task WHERE id = ?', [1])
        expect(rows).toEqual(operation === 'delete' ? [] : [{ title: row.title }])
      }
      expect((await db.at(history[0]?.entry ?? 0).queryRaw('SELECT name FROM sqlite_schema')).columns).toEqual(['name'])
      expect((await db.at((history[1]?.entry ?? 0) + 1).sql<{ n: number }>`SELECT count(*) AS n FROM task WHERE id < ${2}`).rows).toEqual([{ n: 1 }])
      expect(await db.history('task')).toHaveLength(4)
      expect(await db.history('TASK', 99)).toEqual([])
    }
  })

  test('keys of several columns, with their collations; tables without one; what is no table', async () => {
    const { db, space, close } = await newDatabase('history keys', `CREATE TABLE "odd 'name" (k TEXT COLLATE NOCASE, "n ""o" INT, v, PRIMARY KEY (k, "n ""o")); CREATE TABLE loose (v);
      INSERT INTO "odd 'name" VALUES ('Key', 1, 'x'), ('key', 2, 'y'); INSERT INTO loose VALUES (1); UPDATE loose SET v = 2`)
    expect((await db.history<{ v: string }>("odd 'name", ['KEY', 1])).map(({ row }) => row.v)).toEqual(['x'])
    expect((await db.history('loose')).map(({ operation, row }) => [operation, row['v']])).toEqual([['insert', 1], ['update', 2]])
    expect(await codeOf(db.history('loose', 1))).toBe('bad-argument')
    expect(await codeOf(db.history("odd 'name", 'key'))).toBe('bad-argument')
    expect(await codeOf(db.history('nowhere'))).toBe('sql-error')
    expect(await codeOf(db.at(space.head.size + 1).query('SELECT * FROM loose'))).toMatch(/bad-argument|out-of-scope/)
    const size = space.head.size
    expect(await codeOf(db.at(size).query('INSERT INTO loose VALUES (3)'))).toBe('sql-error')
    for (const change of ['CREATE TABLE fresh (v)', 'DROP TABLE loose', 'CREATE POLICY p ON loose FOR DELETE USING (TRUE)', 'BEGIN']) expect(await codeOf(db.at(size).query(change)), change).toBe('sql-error')
    expect(space.head.size).toBe(size)
    expect(space.head.size).toBe(size)
    await close()
  })
})

describe('signals', () => {
  test('a query, and a transaction at any statement: rolled back, and the connection goes on', async () => {
    const { db, space, close } = await newDatabase('signals', 'CREATE TABLE t (v)')
    const size = space.head.size
    const stopped = AbortSignal.abort(new Error('stopped'))
    await expect(db.query('INSERT INTO t VALUES (1)', [], { signal: stopped })).rejects.toThrow('stopped')
    await expect(db.transaction(() => Promise.reject(new Error('never run')), { signal: stopped })).rejects.toThrow('stopped')
    const between = new AbortController()
    await expect(db.transaction(async (tx) => {
      await tx.query('INSERT INTO t VALUES (1)')
      between.abort(new Error('between'))
      await tx.query('INSERT INTO t VALUES (2)')
    }, { signal: between.signal })).rejects.toThrow('between')
    const last = new AbortController()
    await expect(db.transaction(async (tx) => {
      await tx.query('INSERT INTO t VALUES (1)')
      last.abort(new Error('before the commit'))
    }, { signal: last.signal })).rejects.toThrow('before the commit')
    const waiting = new AbortController()
    const held = db.transaction(async (tx) => {
      await tx.query('INSERT INTO t VALUES (0)')
      waiting.abort(new Error('while it waited'))
    })
    await expect(db.query('INSERT INTO t VALUES (3)', [], { signal: waiting.signal })).rejects.toThrow('while it waited')
    await held
    expect((await db.query('SELECT v FROM t')).rows).toEqual([{ v: 0 }])
    expect(space.head.size).toBe(size + 1)
    await close()
  })

  test('a live query: subscriptions fall silent, loops end', async () => {
    const { db, close } = await newDatabase('live signals', 'CREATE TABLE t (v)')
    const stop = new AbortController()
    const query = db.live<{ n: number }>('SELECT count(*) AS n FROM t').until(stop.signal)
    const seen: number[] = []
    const heard: number[] = []
    query.subscribe(({ rows }) => { heard.push(rows[0]?.n ?? -1) })
    for await (const { rows: [row] } of query) {
      seen.push(row?.n ?? -1)
      if (seen.length === 3) stop.abort()
      else await db.query('INSERT INTO t VALUES (1)')
    }
    expect(seen).toEqual([0, 1, 2])
    await db.query('INSERT INTO t VALUES (1)')
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(heard.at(-1)).toBeLessThan(3)
    for await (const _ of query) throw new Error('nothing comes any more')
    expect(query.subscribe(() => { throw new Error('nothing comes any more') })).toBeTypeOf('function')
    // A signal that comes while a loop waits.
    const later = new AbortController()
    setTimeout(() => later.abort(), 10)
    let count = 0
    for await (const _ of db.live('SELECT 1').until(later.signal)) count++
    expect(count).toBe(1)
    await close()
  })
})

test('await using closes what it opened', async () => {
  const { space, close } = await newDatabase('using')
  let kept: Database
  {
    await using db = await Database.open(space)
    await db.exec('CREATE TABLE t (v)')
    kept = db
  }
  expect(await codeOf(kept.query('SELECT 1'))).toBe('bad-argument')
  await close()
})
