/** A transaction that takes its time, and who waits for it. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Database } from '../../query/database.js'
import { codeOf, newDatabase, type Opened } from './database-support.js'
import { apart, expectEqual, two } from './peers-support.js'

let opened: Opened
let db: Database
beforeEach(async () => {
  opened = await newDatabase('busy', 'CREATE TABLE t (id INTEGER PRIMARY KEY)')
  db = await Database.open(opened.space, { busyTimeout: 30 })
})
afterEach(async () => {
  await db.close()
  await opened.close()
})

const ids = async (): Promise<unknown[]> => (await db.query('SELECT id FROM t ORDER BY id')).rows.map(({ id }) => id)
const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds))

test('work that waits for the database itself is told so; it is rolled back, and all goes on', async () => {
  const stuck = db.transaction(async (tx) => {
    await tx.query('INSERT INTO t VALUES (1)')
    await db.query('SELECT * FROM t')
  })
  await expect(stuck).rejects.toMatchObject({ code: 'sql-error', facts: { name: 'SQLITE_BUSY', result: 5 }, message: expect.stringContaining('ask its `tx`') as string })
  expect(await ids()).toEqual([])
  await db.query('INSERT INTO t VALUES (2)')
  expect(await ids()).toEqual([2])
})

test('who waits too long gives up, who is patient does not, and nobody overtakes', async () => {
  const order: string[] = []
  let end: () => void = () => undefined
  const long = db.transaction(async (tx) => {
    await tx.query('INSERT INTO t VALUES (1)')
    await new Promise<void>((resolve) => { end = resolve })
    order.push('long')
  })
  const waiting = codeOf(db.query('INSERT INTO t VALUES (2)'))
  const late = waiting.then(async (code) => {
    order.push(code)
    const query = db.query('INSERT INTO t VALUES (3)')
    end()
    await query
    order.push('late')
  })
  await Promise.all([long, late])
  expect(order).toEqual(['sql-error', 'long', 'late'])
  expect(await ids()).toEqual([1, 3])
})

test('many that take long together, but end one after the other, are no reason', async () => {
  await Promise.all(Array.from({ length: 10 }, (_, i) => db.transaction(async (tx) => {
    await pause(10)
    await tx.query('INSERT INTO t VALUES (?)', [i])
  })))
  expect(await ids()).toHaveLength(10)
})

test('a write that the log refused waits for as long as it takes', async () => {
  const { ada, bob } = await two("CREATE TABLE c (id INTEGER PRIMARY KEY, n); INSERT INTO c VALUES (1, 0), (2, 0)")
  await bob.db.close()
  const impatient = { ...bob, db: await Database.open(bob.space, { busyTimeout: 20 }) }
  let settled: Promise<unknown> | undefined
  await apart([ada, bob], async () => {
    await ada.db.query('UPDATE c SET n = n + 1 WHERE id = 1')
    settled = (await impatient.db.query('UPDATE c SET n = n + 1 WHERE id = 1')).write?.settled
  })
  await impatient.db.transaction(async (tx) => {
    await tx.query('SELECT 1')
    await pause(100)
  })
  expect(await settled).toMatchObject({ kind: 'relay' })
  await expectEqual(ada, impatient)
  expect((await ada.db.query('SELECT n FROM c WHERE id = 1')).rows).toEqual([{ n: 2 }])
  await impatient.db.close()
})
