/** Writes that were refused after the process ended: executed again when the space is opened, in order, as they were given. */
import { expect, test } from 'vitest'
import { openSpace } from '../../engine/space/open.js'
import { Database } from '../../query/database.js'
import { startSync, until } from '../net/support.js'
import { optionsOf } from '../space/rim-support.js'
import { expectEqual, inStep, peerOf, two, type Peer } from './peers-support.js'

/** `bob` writes apart and goes; `ada` comes first; bob's device starts again. */
async function afterRestart(script: string, bobs: (bob: Peer) => Promise<void>, adas: (ada: Peer) => Promise<void>): Promise<{ ada: Peer; bob: Peer }> {
  const { ada, bob, relay } = await two(script, 'admin')
  await bob.sync.stop()
  await bobs(bob)
  await bob.db.close()
  await bob.space.close()
  await adas(ada)
  await until(() => ada.space.outbox().length === 0, 'ada is first')
  const space = await openSpace(await bob.location.open(), optionsOf('bob again'))
  const again = await peerOf({ space, location: bob.location, sync: startSync(space, relay.dial, 'bob again') })
  await inStep(ada, again)
  await until(() => again.space.outbox().length === 0 && ada.space.head.size === again.space.head.size, 'settled')
  return { ada, bob: again }
}

const COUNTER = "CREATE TABLE c (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, note); INSERT INTO c VALUES (1, 0, NULL), (2, 0, NULL)"

test('statements, closures, batches and BEGIN … COMMIT, with parameters of every kind', async () => {
  const { ada, bob } = await afterRestart(COUNTER, async ({ db }) => {
    await db.query('UPDATE c SET n = n + 1 WHERE id = $id', { $id: 1 })
    await db.transaction(async (tx) => {
      const { rows: [row] } = await tx.query<{ n: number }>('SELECT n FROM c WHERE id = 1')
      await tx.query('UPDATE c SET n = n + 10, note = :note WHERE id = :id', { note: new Uint8Array([1, 2, row?.n ?? 0]), id: 1 })
    })
    await db.batch([{ text: 'UPDATE c SET n = n + ? WHERE id = 1', parameters: [100n] }, { text: 'INSERT INTO c VALUES (?, ?, ?)', parameters: [10, 2 ** 40, 1.5] }, { text: 'INSERT INTO c VALUES (11, ?, ?)', parameters: [9007199254740993n, 'é'] }])
    await db.exec('BEGIN; UPDATE c SET n = n + 1000 WHERE id = 1; SAVEPOINT a; UPDATE c SET n = -1; ROLLBACK TO a; UPDATE c SET n = n + 10000 WHERE id = 1; RELEASE a; COMMIT')
  }, async ({ db }) => {
    await db.query('UPDATE c SET n = n + 100000 WHERE id = 1')
  })
  await expectEqual(ada, bob)
  expect(bob.lost).toEqual([])
  expect((await ada.db.queryRaw('SELECT * FROM c ORDER BY id')).rows).toEqual([
    [1n, 111_111n, new Uint8Array([1, 2, 1])], [2n, 0n, null], [10n, 2n ** 40n, 1.5], [11n, 9007199254740993n, 'é']])
})

test('savepoints of a closure, and a statement that failed in it and was caught', async () => {
  const { ada, bob } = await afterRestart(COUNTER, async ({ db }) => {
    await db.transaction(async (tx) => {
      await tx.query('UPDATE c SET n = n + 1 WHERE id = 1')
      await tx.query('INSERT INTO c VALUES (1, 1, 1)').catch((error: unknown) => { expect(String(error)).toContain('UNIQUE') })
      await tx.exec('SAVEPOINT s; UPDATE c SET n = 77; ROLLBACK TO s; RELEASE s')
      await tx.query('UPDATE c SET n = n + 10 WHERE id = 1')
    })
  }, async ({ db }) => {
    await db.query('UPDATE c SET n = n + 100 WHERE id = 1')
  })
  await expectEqual(ada, bob)
  expect(bob.lost).toEqual([])
  expect((await bob.db.query('SELECT id, n FROM c ORDER BY id')).rows).toEqual([{ id: 1, n: 111 }, { id: 2, n: 0 }])
})

test('a migration that another member did meanwhile, and rows on top of it', async () => {
  const list = [{ version: 1, up: 'CREATE TABLE task (id INTEGER PRIMARY KEY, title TEXT)' }, { version: 2, name: 'fill', up: "INSERT INTO task (title) VALUES ('first')" }]
  const { ada, bob } = await afterRestart(COUNTER, async ({ db }) => {
    await db.migrate(list)
    await db.query("INSERT INTO task (title) VALUES ('by bob')")
  }, async ({ db }) => {
    await db.migrate(list)
  })
  await expectEqual(ada, bob)
  expect(bob.lost).toEqual([])
  expect((await bob.db.query('SELECT title FROM task ORDER BY title')).rows).toEqual([{ title: 'by bob' }, { title: 'first' }])
  expect((await bob.db.query('SELECT count(*) AS n FROM sealdb_migrations')).rows).toEqual([{ n: 2 }])
})

test('another migration under the same version, and a row that has no place any more: told, once', async () => {
  const { ada, bob } = await afterRestart('CREATE TABLE u (v TEXT UNIQUE)', async ({ db }) => {
    await db.migrate([{ version: 1, up: 'CREATE TABLE bobs (x)' }])
    await db.query("INSERT INTO u VALUES ('taken')")
  }, async ({ db }) => {
    await db.migrate([{ version: 1, up: 'CREATE TABLE adas (x)' }])
    await db.query("INSERT INTO u VALUES ('taken')")
  })
  await until(() => bob.lost.length === 2, 'bob is told')
  await expectEqual(ada, bob)
  expect(bob.lost.map(({ error }) => ('code' in error ? error.code : error.message))).toEqual(['migration-conflict', 'sql-error'])
  await bob.db.close()
  const db = await Database.open(bob.space)
  const lost: unknown[] = []
  db.onLost((each) => lost.push(each))
  await db.query('SELECT 1')
  expect(lost).toEqual([])
  await db.close()
})

test('a transaction that fails half way on the new state does nothing at all', async () => {
  const { ada, bob } = await afterRestart(COUNTER, async ({ db }) => {
    await db.exec("BEGIN; UPDATE c SET n = n + 1 WHERE id = 1; INSERT INTO c VALUES (7, 0, 'bob'); COMMIT")
    await db.batch(["UPDATE c SET n = n + 10 WHERE id = 2", "INSERT INTO c VALUES (8, 0, 'eight')"])
  }, async ({ db }) => {
    await db.exec("INSERT INTO c VALUES (7, 0, 'ada'); UPDATE c SET n = 1000")
  })
  await until(() => bob.lost.length === 1, 'bob is told')
  await expectEqual(ada, bob)
  expect((await bob.db.queryRaw('SELECT * FROM c ORDER BY id')).rows).toEqual([[1n, 1000n, null], [2n, 1010n, null], [7n, 1000n, 'ada'], [8n, 0n, 'eight']])
  expect(bob.lost).toMatchObject([{ error: { code: 'sql-error' }, texts: ['UPDATE c SET n = n + 1 WHERE id = 1', "INSERT INTO c VALUES (7, 0, 'bob')"] }])
})

test('so does one of BEGIN and COMMIT that is executed again in the same session', async () => {
  const { ada, bob } = await two(COUNTER)
  await bob.sync.stop()
  await bob.db.exec("BEGIN; UPDATE c SET n = n + 1 WHERE id = 1; INSERT INTO c VALUES (7, 0, 'bob'); COMMIT")
  await ada.db.exec("INSERT INTO c VALUES (7, 0, 'ada'); UPDATE c SET n = 1000")
  await until(() => ada.space.outbox().length === 0, 'ada is first')
  bob.sync.start()
  await until(() => bob.lost.length === 1, 'bob is told')
  await expectEqual(ada, bob)
  expect((await bob.db.queryRaw('SELECT * FROM c ORDER BY id')).rows).toEqual([[1n, 1000n, null], [2n, 1000n, null], [7n, 1000n, 'ada']])
})

test('past states and relations that a write reads, also within a transaction', async () => {
  const { ada, bob } = await afterRestart(COUNTER, async ({ db, space }) => {
    const { size } = space.head
    await db.query(`INSERT INTO c SELECT id + 100, n, 'past' FROM c AS OF ${size}`)
    await db.queryRaw(`SELECT 1 FROM c AS OF ${size}`) // within a transaction it must have been read before
    await db.transaction(async (tx) => {
      await tx.query('UPDATE c SET n = n + 1 WHERE id = 1')
      await tx.query(`INSERT INTO c SELECT id + 200, n, 'past' FROM c AS OF ${size}`)
      await tx.query('INSERT INTO c SELECT 300 + id, 0, role FROM sealdb_members')
    })
  }, async ({ db }) => {
    await db.exec('UPDATE c SET n = 1000 WHERE id = 1; INSERT INTO c VALUES (5, 5, NULL)')
  })
  await expectEqual(ada, bob)
  expect(bob.lost).toEqual([])
  expect((await bob.db.queryRaw('SELECT * FROM c ORDER BY id')).rows).toEqual([
    [1n, 1001n, null], [2n, 0n, null], [5n, 5n, null], [101n, 0n, 'past'], [102n, 0n, 'past'], [201n, 0n, 'past'], [202n, 0n, 'past'], [301n, 0n, 'owner'], [302n, 0n, 'admin'],
  ])
})

test('what OR FAIL left of a statement whose error was caught, in a closure and in text', async () => {
  const failing = 'INSERT OR FAIL INTO c VALUES (?, 0, NULL), (1, 0, NULL), (99, 0, NULL)'
  const { ada, bob } = await afterRestart(COUNTER, async ({ db }) => {
    await db.transaction(async (tx) => {
      await tx.query('UPDATE c SET n = n + 1 WHERE id = 1')
      await expect(tx.query(failing, [20])).rejects.toMatchObject({ code: 'sql-error' })
      await expect(tx.query('INSERT INTO c VALUES (21, 0, NULL), (1, 0, NULL)')).rejects.toMatchObject({ code: 'sql-error' }) // all of it undone
    })
    await db.exec('BEGIN; UPDATE c SET n = n + 1 WHERE id = 2')
    await expect(db.query(failing, [30])).rejects.toMatchObject({ code: 'sql-error' })
    await db.exec('COMMIT')
    await expect(db.query(failing, [40])).rejects.toMatchObject({ code: 'sql-error' })
  }, async ({ db }) => {
    await db.exec('UPDATE c SET n = 1000')
  })
  await expectEqual(ada, bob)
  expect((await bob.db.queryRaw('SELECT id, n FROM c ORDER BY id')).rows).toEqual([[1n, 1001n], [2n, 1001n], [20n, 0n], [30n, 0n], [40n, 0n]])
  expect(bob.lost).toEqual([])
})
