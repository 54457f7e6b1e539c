/** SQL on a thin client: what a replica answers, in few bytes; what it can't have ends in an error that says what to do. */
import { afterEach, describe, expect, it } from 'vitest'
import { createSpace, joinSpace, memoryStore, openReceipt, openSpace, type SealedSpace, type StoreLocation } from '../../index.js'
import { seededRandom } from '../space/rim-support.js'
import { crypto, testRelay, until, type TestRelay } from './support.js'
import type { Dial } from '../../net/transport.js'

const open: SealedSpace[] = []
afterEach(async () => { for (const space of open.splice(0)) await space.close() })

const optionsOf = (dial: Dial, name: string, store: StoreLocation = memoryStore()) => ({ store, crypto, profile: { name }, unsafe: { dial, random: seededRandom(name) } })

async function founded(script: string): Promise<{ readonly relay: TestRelay; readonly ada: SealedSpace }> {
  const relay = await testRelay()
  const ada = await createSpace({ ...optionsOf(relay.dial, 'Ada'), relay: 'memory:' })
  open.push(ada)
  await ada.online()
  await ada.exec(script)
  await ada.settled()
  return { relay, ada }
}

async function thin({ relay, ada }: { readonly relay: TestRelay; readonly ada: SealedSpace }, name = 'Tim', options: { readonly maxRows?: number } = {}): Promise<SealedSpace> {
  const tim = await joinSpace(await ada.invite({ role: 'writer' }), { ...optionsOf(relay.dial, name), thin: options })
  open.push(tim)
  await tim.online()
  return tim
}

const same = async (space: SealedSpace, as: SealedSpace): Promise<void> => {
  await space.settled()
  await as.settled()
  await until(() => space.head.size === as.head.size, 'in step')
}

const MANY = (count: number): string => `INSERT INTO task (id, title, place) WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count}) SELECT i, 'task ' || i, i % 100 FROM n`

describe('SQL on a thin client', () => {
  it('a point SELECT at 10,000 rows costs a few kilobytes and one round; the same again, nothing', async () => {
    const setting = await founded(`CREATE TABLE task (id INTEGER PRIMARY KEY, title TEXT NOT NULL, place INTEGER PLAINTEXT); CREATE INDEX by_place ON task (place); ${MANY(10_000)}`)
    const tim = await thin(setting)
    const read = (id: number) => tim.query('SELECT title FROM task WHERE id = ?', [id])
    const spent = async (work: () => Promise<unknown>): Promise<{ readonly rounds: number; readonly bytes: number }> => {
      const before = tim.fetched ?? { rounds: 0, bytes: 0 }
      await work()
      const after = tim.fetched ?? before
      return { rounds: after.rounds - before.rounds, bytes: after.bytes - before.bytes }
    }
    expect(tim.fetched).toEqual({ rounds: 0, pages: 0, bytes: 0 })
    const point = await spent(async () => expect((await read(7_777)).rows).toEqual([{ title: 'task 7777' }]))
    expect(point.rounds).toBe(1)
    expect(point.bytes).toBeLessThan(1_500)
    expect(await spent(async () => expect((await read(7_777)).rows).toHaveLength(1))).toEqual({ rounds: 0, bytes: 0 })
    const absent = await spent(async () => expect((await read(77_777)).rows).toEqual([]))
    expect(absent.rounds).toBe(1)
    expect(absent.bytes).toBeLessThan(1_500)
    // The index, then its 100 rows.
    const hundred = await spent(async () => expect((await tim.query('SELECT count(*) AS n, min(id) AS least FROM task WHERE place = 42')).rows).toEqual([{ n: 100, least: 42 }]))
    expect(hundred.rounds).toBe(2)
    expect(hundred.bytes).toBeLessThan(60_000)
    // Writes look at what they may collide with, and no more: what they write over, a unique value, an id that is drawn.
    const updated = await spent(() => tim.query("UPDATE task SET title = 'changed' WHERE id = 5000"))
    const given = await spent(() => tim.query("INSERT INTO task (id, title, place) VALUES (20001, 'given', 1)"))
    const drawn = await spent(async () => expect((await tim.query("INSERT INTO task (title, place) VALUES ('drawn', 1), ('drawn', 2)")).changes).toBe(2))
    const gone = await spent(() => tim.query('DELETE FROM task WHERE place = 7'))
    const refused = await spent(async () => expect(tim.query("INSERT INTO task (id, title) VALUES (6000, 'taken')")).rejects.toMatchObject({ code: 'sql-error' }))
    expect([updated.rounds, given.rounds, drawn.rounds, gone.rounds, refused.rounds]).toEqual([1, 2, 3, 2, 1])
    for (const { rounds, bytes } of [updated, given, drawn, refused]) expect(bytes).toBeLessThan(rounds * 2_000)
    expect(gone.bytes).toBeLessThan(60_000)
    await same(tim, setting.ada)
    expect((await setting.ada.query("SELECT count(*) AS n FROM task WHERE title IN ('changed', 'given', 'drawn')")).rows).toEqual([{ n: 4 }])
    expect((await setting.ada.query('SELECT count(*) AS n FROM task')).rows).toEqual([{ n: 10_000 + 3 - 100 }])
    const ids = (await setting.ada.query("SELECT id FROM task WHERE title = 'drawn' ORDER BY id")).rows.map(({ id }) => Number(id))
    expect(ids.every((id) => id > 2 ** 32 && id < 2 ** 33)).toBe(true)
    // No range is named: all of it, in pages.
    const whole = await spent(async () => expect((await tim.query('SELECT id FROM task WHERE title = ?', ['task 5'])).rows).toEqual([{ id: 5 }]))
    expect(whole.rounds).toBeLessThan(6)
    expect(whole.bytes).toBeLessThan(200 * 10_000)
  })

  it('reads and writes as a replica does; live queries, transactions and restarts too', async () => {
    const setting = await founded(`CREATE TABLE task (id INTEGER PRIMARY KEY, title TEXT NOT NULL, done INTEGER); CREATE TABLE note (id INTEGER PRIMARY KEY, task INTEGER REFERENCES task(id), text TEXT UNIQUE);
      INSERT INTO task (title) VALUES ('one'), ('two'), ('three'); INSERT INTO note (task, text) VALUES (1, 'a'), (2, 'b')`)
    const { ada, relay } = setting
    const store = memoryStore()
    let tim = await joinSpace(await ada.invite({ role: 'writer' }), { ...optionsOf(relay.dial, 'Tim', store), thin: true })
    await tim.sql`INSERT INTO task (title) VALUES ('from Tim')`
    await tim.transaction(async (tx) => {
      await tx.query('UPDATE task SET done = 1 WHERE title = ?', ['two'])
      await tx.query('DELETE FROM note WHERE text = ?', ['b'])
      await tx.query('INSERT INTO note (task, text) VALUES (3, ?)', ['c'])
    })
    await tim.exec('PRAGMA foreign_keys = ON')
    await expect(tim.sql`INSERT INTO note (task, text) VALUES (99, 'x')`).rejects.toMatchObject({ code: 'sql-error' })
    await expect(tim.sql`INSERT INTO note (task, text) VALUES (1, 'a')`).rejects.toMatchObject({ code: 'sql-error' })
    await same(tim, ada)
    const everything = 'SELECT t.id, t.title, t.done, n.text, row_author(t) AS who FROM task t LEFT JOIN note n ON n.task = t.id ORDER BY t.id, n.id'
    const theirs = (await ada.query(everything)).rows
    expect((await tim.query(everything)).rows).toEqual(theirs)

    const seen: unknown[] = []
    const stop = tim.live('SELECT count(*) AS n FROM task').subscribe(({ rows }) => seen.push(rows[0]?.['n']))
    await until(() => seen.length === 1, 'told at once')
    await ada.sql`INSERT INTO task (title) VALUES ('live')`
    await until(() => seen.length === 2, 'told again')
    stop()
    expect(seen).toEqual([4, 5])

    await tim.close()
    await ada.sql`UPDATE task SET title = 'changed' WHERE id = 1`
    await ada.settled()
    tim = await openSpace({ ...optionsOf(relay.dial, 'Tim again', store), thin: true })
    open.push(tim)
    expect((await tim.query('SELECT count(*) AS n FROM task')).rows).toEqual([{ n: 5 }])
    await tim.online()
    expect((await tim.query(everything)).rows).toEqual((await ada.query(everything)).rows)
    expect((await tim.query('SELECT name, role FROM sealdb_members ORDER BY id')).rows).toEqual([{ name: 'Ada', role: 'owner' }, { name: 'Tim', role: 'writer' }])
    await tim.exec('CREATE TABLE fresh (id INTEGER PRIMARY KEY, x); INSERT INTO fresh (x) VALUES (1); ALTER TABLE fresh ADD COLUMN more TEXT')
    await same(tim, ada)
    expect((await ada.query('SELECT x FROM fresh')).rows).toEqual([{ x: 1 }])
  })

  it('what it can’t have ends in an error that says so; a replica’s store is none of its own', async () => {
    const setting = await founded(`CREATE TABLE task (id INTEGER PRIMARY KEY, title TEXT NOT NULL, place INTEGER PLAINTEXT); ${MANY(300)}`)
    const tim = await thin(setting, 'Tim', { maxRows: 200 })
    const before = tim.fetched
    await expect(tim.query('SELECT count(*) FROM task')).rejects.toMatchObject({ code: 'out-of-scope', facts: { rows: 300, max: 200 } })
    expect((tim.fetched?.bytes ?? 0) - (before?.bytes ?? 0)).toBeLessThan(4_000)
    for (const text of ['SELECT * FROM sealdb_log', "SELECT * FROM sealdb_history('task')", 'SELECT * FROM task AS OF 3']) {
      await expect(tim.query(text), text).rejects.toMatchObject({ code: 'out-of-scope' })
    }
    const late = tim.transaction(async (tx) => {
      await tx.query("UPDATE task SET title = 'x' WHERE id = 3")
      await tx.query('CREATE TABLE late (v)')
    })
    await expect(late).rejects.toMatchObject({ code: 'unsupported-sql' })
    await expect(tim.query('UPDATE task SET title = upper(title)')).rejects.toMatchObject({ code: 'out-of-scope' })
    expect((await tim.query('EXPLAIN VERIFIED SELECT * FROM task WHERE id = 7')).rows).toMatchObject([{ table: 'task', range: 'key = (7)', relay_learns: 'a token: which rows, and when the same is asked again' }])
    expect((await tim.query('SELECT title FROM task WHERE id = 7')).rows).toEqual([{ title: 'task 7' }])

    // Whoever began at the inviter's word can have all entries judged, and keeps none of them; what it reads it can prove to others.
    expect(await tim.auditHistory()).toMatchObject({ kind: 'sound' })
    expect((await openReceipt(await tim.prove('SELECT * FROM task WHERE id = 7'), { spaceId: tim.id, relay: tim.engine.relay as NonNullable<typeof tim.engine.relay> }, crypto)).rows).toMatchObject([{ values: { title: 'task 7' } }])
    await expect(tim.acceptRollback()).rejects.toMatchObject({ code: 'out-of-scope' })
    const store = memoryStore()
    const bob = await joinSpace(await setting.ada.invite({ role: 'reader' }), optionsOf(setting.relay.dial, 'Bob', store))
    await bob.close()
    await expect(openSpace({ ...optionsOf(setting.relay.dial, 'Bob', store), thin: true })).rejects.toMatchObject({ code: 'bad-argument' })
  })
})
