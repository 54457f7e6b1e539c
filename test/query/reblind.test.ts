/** Re-blinding under SQL: mirrors follow rows to their new keys, statements find them all the while, and history calls it what it is. */
import { expect, test } from 'vitest'
import { readMeta } from '../../engine/group/roster.js'
import { reblind, remove } from '../../engine/space/acts.js'
import { nameOfCatalogObject } from '../../query/migrations.js'
import { contents } from './database-support.js'
import { expectEqual, inStep, two, type Peer } from './peers-support.js'
import { Database } from '../../query/database.js'

const SCRIPT = `CREATE TABLE note (id TEXT PRIMARY KEY, code TEXT UNIQUE, project TEXT BLIND, body);
  CREATE TABLE open (id INTEGER PRIMARY KEY PLAINTEXT, code TEXT UNIQUE);
  CREATE TABLE part (id INTEGER PRIMARY KEY, note TEXT REFERENCES note (id));
  CREATE INDEX by_body ON note (body); CREATE VIEW all_notes AS SELECT id FROM note;
  CREATE TRIGGER t AFTER DELETE ON open BEGIN DELETE FROM note WHERE id = 'gone'; END;
  INSERT INTO note VALUES ('a', 'c1', 'p', 'A'), ('b', NULL, 'p', 'B'), ('c', 'c3', 'q', 'C'), ('gone', 'c4', 'q', 'G');
  INSERT INTO open VALUES (1, 'o1'), (2, NULL); INSERT INTO part VALUES (1, 'a'), (2, 'c')`

/** Stops after so many steps. */
async function steps(peer: Peer, count: number): Promise<void> {
  const stop = new AbortController()
  let left = count
  const onProgress = (): void => { if (--left === 0) stop.abort() }
  await reblind(peer.space, { nameOf: nameOfCatalogObject, onProgress, signal: stop.signal }).catch((error: unknown) => { if (!stop.signal.aborted) throw error })
}

const one = async (peer: Peer, sql: string): Promise<unknown> => (await peer.db.queryRaw(sql)).rows

test('a member with the table loaded, one without, and one who starts anew see the same before, in the middle and after', async () => {
  const { ada, bob } = await two(SCRIPT, 'admin')
  await bob.db.migrate([{ version: 1, up: "INSERT INTO note VALUES ('m', 'c5', 'p', 'M')" }])
  await inStep(ada, bob)
  const before = await contents(ada.db)
  await contents(bob.db)
  // Names have gone over, rows not yet.
  await steps(ada, 1)
  await inStep(ada, bob)
  expect(bob.space.current.head.size).toBe(ada.space.current.head.size)
  for (const peer of [ada, bob]) {
    expect(await contents(peer.db)).toEqual(before)
    const fresh = await Database.open(peer.space)
    // Of a table that is not loaded: through the key, the unique value, the blind index.
    expect((await fresh.queryRaw("SELECT body FROM note WHERE id = 'a'")).rows).toEqual([['A']])
    expect((await fresh.queryRaw("SELECT body FROM note WHERE code = 'c3'")).rows).toEqual([['C']])
    expect((await fresh.queryRaw("SELECT count(*) FROM note WHERE project = 'p'")).rows).toEqual([[3n]])
    expect(await contents(fresh)).toEqual(before)
    // A key and a value that rows have under the older secret are taken.
    await expect(fresh.exec("INSERT INTO note VALUES ('a', 'new', 'p', 'again')")).rejects.toMatchObject({ code: 'sql-error' })
    await expect(fresh.exec("INSERT INTO note VALUES ('new', 'c1', 'p', 'again')")).rejects.toMatchObject({ code: 'sql-error' })
    await expect(fresh.exec("INSERT INTO open VALUES (9, 'o1')")).rejects.toMatchObject({ code: 'sql-error' })
    await fresh.close()
  }
  // Everybody writes on: rows of both kinds, keys that change, a name that is taken and one that gets free.
  await bob.db.exec(`PRAGMA foreign_keys = ON; UPDATE note SET body = 'A2' WHERE id = 'a'; INSERT INTO note VALUES ('d', 'c6', 'p', 'D'); UPDATE note SET id = 'e' WHERE id = 'b';
    INSERT OR REPLACE INTO note VALUES ('m', 'c5', 'q', 'M2'); DELETE FROM open WHERE id = 2; INSERT INTO part VALUES (3, 'd'); ALTER TABLE open RENAME TO opened`)
  await expect(bob.db.exec('CREATE TABLE note (x)')).rejects.toMatchObject({ code: 'sql-error' })
  await bob.db.exec('CREATE TABLE open (x TEXT PRIMARY KEY); INSERT INTO open VALUES (1)')
  await expectEqual(ada, bob)
  const middle = await contents(ada.db)
  // The other admin ends it.
  await reblind(bob.space, { nameOf: nameOfCatalogObject })
  await expectEqual(ada, bob)
  expect(await contents(ada.db)).toEqual(middle)
  const fresh = await Database.open(ada.space)
  expect(await contents(fresh)).toEqual(middle)
  await fresh.close()
  await expect(ada.db.exec('CREATE TABLE opened (x)')).rejects.toMatchObject({ code: 'sql-error' })
  expect(await one(ada, 'SELECT body FROM note ORDER BY id')).toEqual([['A2'], ['C'], ['D'], ['B'], ['M2']])
  // A migration is still done once; the past is as it was.
  expect(await ada.db.migrate([{ version: 1, up: "INSERT INTO note VALUES ('m', 'c5', 'p', 'M')" }])).toEqual({ version: 1, applied: [] })
})

test('a writer’s queue of an offline day lands during the move, conflicts are executed again, nothing is lost', async () => {
  const { ada, bob } = await two(SCRIPT)
  await bob.sync.stop()
  for (let i = 0; i < 5; i++) await bob.db.exec(`INSERT INTO note VALUES ('q${i}', 'v${i}', 'p', 'queued'); UPDATE note SET body = 'q${i}' WHERE id = 'c'`)
  await steps(ada, 1)
  await ada.db.exec("INSERT INTO note VALUES ('q1', 'x1', 'p', 'hers')")
  bob.sync.start()
  await expectEqual(ada, bob)
  await reblind(ada.space, { nameOf: nameOfCatalogObject })
  await expectEqual(ada, bob)
  expect(await one(ada, "SELECT id, body FROM note WHERE id LIKE 'q%' OR id = 'c' ORDER BY id")).toEqual([['c', 'q4'], ['q0', 'queued'], ['q1', 'hers'], ['q2', 'queued'], ['q3', 'queued'], ['q4', 'queued']])
  expect(bob.lost).toHaveLength(1)
})

test('history calls a row that moved an update by the admin, and log lines count it once', async () => {
  const { ada, bob } = await two(SCRIPT)
  await reblind(ada.space, { nameOf: nameOfCatalogObject })
  await inStep(ada, bob)
  const history = (await bob.db.queryRaw("SELECT _operation, _member, body FROM sealdb_history('note') WHERE id = 'a' ORDER BY _entry")).rows
  expect(history).toEqual([['insert', 1n, 'A'], ['update', 1n, 'A']])
  expect(await one(bob, 'SELECT max(changes) FROM sealdb_log')).toEqual([[8n]])
  expect(await one(bob, "SELECT row_creator(note), row_author(note) FROM note WHERE id = 'a'")).toEqual([[1n, 1n]])
})

test('a mirror of which nearly all rows moved is filled anew, with what does not fit kept out as before', async () => {
  const { ada, bob } = await two('CREATE TABLE big (id INTEGER PRIMARY KEY, v TEXT UNIQUE)')
  await ada.db.exec("WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 1500) INSERT INTO big SELECT i, 'v' || i FROM c")
  await expectEqual(ada, bob)
  const opened = (await bob.db.queryRaw('SELECT count(*), sum(id) FROM big')).rows
  await reblind(ada.space, { nameOf: nameOfCatalogObject })
  await inStep(ada, bob)
  expect((await bob.db.queryRaw('SELECT count(*), sum(id) FROM big')).rows).toEqual(opened)
  await bob.db.exec("UPDATE big SET v = 'other' WHERE id = 700; INSERT INTO big VALUES (1501, 'v700')")
  await expectEqual(ada, bob)
  await expect(ada.db.exec("INSERT INTO big VALUES (1502, 'v1')")).rejects.toMatchObject({ code: 'sql-error' })
})

test('not by a writer; and one that is begun before a removal is followed by another, since who was removed knows its secret', async () => {
  const { ada, bob } = await two(SCRIPT)
  await expect(reblind(bob.space, { nameOf: nameOfCatalogObject })).rejects.toMatchObject({ code: 'rejected', facts: { code: 'role', detail: 'reblind' } })
  await steps(ada, 1)
  expect(readMeta(ada.space.currentState)).toMatchObject({ generation: 2, firstGeneration: 1 })
  await remove(ada.space, { members: [bob.space.me.member] })
  await reblind(ada.space, { nameOf: nameOfCatalogObject })
  expect(readMeta(ada.space.currentState)).toMatchObject({ generation: 3, firstGeneration: 3 })
  expect(() => bob.space.keyring.blinding(3)).toThrow(expect.objectContaining({ code: 'no-secret' }) as Error)
  // One that is whole is enough, whoever was removed before.
  await steps(ada, 1)
  await reblind(ada.space, { nameOf: nameOfCatalogObject })
  expect(readMeta(ada.space.currentState)).toMatchObject({ generation: 4, firstGeneration: 4 })
  expect(await one(ada, 'SELECT body FROM note ORDER BY id')).toEqual([['A'], ['B'], ['C'], ['G']])
})
