/** Migrations: once for everybody, whoever comes first. */
import { describe, expect, test } from 'vitest'
import type { Migration, Sql } from '../../query/database.js'
import { until } from '../net/support.js'
import { codeOf, contents, newDatabase, reopen } from './database-support.js'
import { apart, expectEqual, inStep, two } from './peers-support.js'

const TASKS: Migration = { version: 1, name: 'tasks', up: 'CREATE TABLE task (id INTEGER PRIMARY KEY, title TEXT NOT NULL); CREATE INDEX by_title ON task (title)' }
const DONE: Migration = { version: 2, up: "ALTER TABLE task ADD COLUMN done BOOLEAN DEFAULT FALSE; INSERT INTO task (title) VALUES ('first; not last')" }
const UPPER: Migration = { version: 5, name: 'shout', up: async (tx: Sql) => {
  for (const { id, title } of (await tx.query<{ id: number; title: string }>('SELECT id, title FROM task')).rows) await tx.query('UPDATE task SET title = ? WHERE id = ?', [title.toUpperCase(), id])
} }

describe('one device', () => {
  test('each once, in order, one entry each; the next call does what is new', async () => {
    const { db, space, ...rest } = await newDatabase('migrations')
    const size = space.head.size
    expect(await db.migrate([TASKS, DONE])).toMatchObject({ version: 2, applied: [{ version: 1, name: 'tasks' }, { version: 2, name: '' }] })
    expect(space.head.size).toBe(size + 2)
    expect(await db.migrate([TASKS, DONE])).toEqual({ version: 2, applied: [] })
    expect(await db.migrate([TASKS, DONE, UPPER])).toMatchObject({ version: 5, applied: [{ version: 5, name: 'shout' }] })
    expect(space.head.size).toBe(size + 3)
    expect((await db.query('SELECT title, done FROM task')).rows).toEqual([{ title: 'FIRST; NOT LAST', done: 0 }])
    expect((await db.query('SELECT version, name, length(content) AS n FROM sealdb_migrations')).rows).toEqual([
      { version: 1, name: 'tasks', n: 64 }, { version: 2, name: '', n: 64 }, { version: 5, name: 'shout', n: 64 }])
    expect((await db.query("SELECT name FROM sqlite_schema WHERE type = 'table'")).rows).toEqual([{ name: 'task' }])
    const again = await reopen({ db, space, ...rest }, 'migrations')
    expect(await again.db.migrate([TASKS, DONE, UPPER])).toEqual({ version: 5, applied: [] })
    await again.close()
  })

  test('all or nothing: a failing one leaves no trace, those before it stay', async () => {
    const { db, close } = await newDatabase('migrations fail')
    const bad: Migration = { version: 2, up: 'CREATE TABLE other (x); INSERT INTO nowhere VALUES (1)' }
    expect(await codeOf(db.migrate([TASKS, bad]))).toBe('sql-error')
    expect((await db.query("SELECT name FROM sqlite_schema WHERE type = 'table'")).rows).toEqual([{ name: 'task' }])
    await expect(db.migrate([TASKS, { version: 2, name: 'throws', up: async (tx) => { await tx.exec('CREATE TABLE x (y)'); throw new RangeError('no') } }])).rejects.toThrow(RangeError)
    expect(await codeOf(db.migrate([TASKS, { version: 2, name: 'commits', up: 'CREATE TABLE x (y); COMMIT' }]))).toBe('bad-argument')
    expect((await db.query('SELECT max(version) AS v FROM sealdb_migrations')).rows).toEqual([{ v: 1 }])
    expect(await db.migrate([TASKS, DONE])).toMatchObject({ version: 2, applied: [{ version: 2 }] })
    await close()
  })

  test('another content under a version, a version left behind, and lists that are none', async () => {
    const { db, close } = await newDatabase('migrations conflict')
    await db.migrate([TASKS, UPPER])
    const before = await contents(db)
    expect(await codeOf(db.migrate([{ ...TASKS, up: `${String(TASKS.up)} ` }]))).toBe('migration-conflict')
    expect(await codeOf(db.migrate([TASKS, DONE]))).toBe('migration-conflict')
    expect(await codeOf(db.migrate([{ ...UPPER, name: 'other' }]))).toBe('migration-conflict')
    for (const list of [[DONE, TASKS], [TASKS, TASKS], [{ version: 0, up: '' }], [{ version: 1.5, up: '' }], [{ version: 9, up: async () => undefined }], [{ version: 9, name: 'x'.repeat(2000), up: '' }]] as Migration[][]) {
      expect(await codeOf(db.migrate(list))).toBe('bad-argument')
    }
    expect(await contents(db)).toEqual(before)
    expect(await db.migrate([{ ...TASKS, name: 'renamed' }])).toEqual({ version: 5, applied: [] })
    await close()
  })

  test('an empty one counts, and the notes can’t be written to', async () => {
    const { db, close } = await newDatabase('migrations empty')
    expect(await db.migrate([{ version: 1, up: '' }])).toMatchObject({ version: 1, applied: [{ version: 1 }] })
    expect(await db.migrate([{ version: 1, up: '' }])).toEqual({ version: 1, applied: [] })
    expect(await codeOf(db.query('DELETE FROM sealdb_migrations'))).toBe('sql-error')
    await close()
  })
})

describe('members racing', () => {
  const list = [TASKS, DONE, UPPER]

  test('online, at once: one does each, both have all', async () => {
    const { ada, bob } = await two('CREATE TABLE before (x)', 'admin')
    await Promise.all([ada.db.migrate(list), bob.db.migrate(list)])
    await expectEqual(ada, bob)
    expect([ada.lost, bob.lost]).toEqual([[], []])
    expect((await bob.db.query('SELECT version FROM sealdb_migrations')).rows).toEqual([{ version: 1 }, { version: 2 }, { version: 5 }])
    expect((await bob.db.query('SELECT title FROM task')).rows).toEqual([{ title: 'FIRST; NOT LAST' }])
  })

  test('offline, with rows of their own on top: whoever comes second finds it done, and the rows are kept', async () => {
    const { ada, bob } = await two('CREATE TABLE before (y)', 'admin')
    await apart([ada, bob], async () => {
      for (const { db } of [ada, bob]) expect((await db.migrate(list)).applied).toHaveLength(3)
      await ada.db.query("INSERT INTO task (title) VALUES ('by ada')")
      await bob.db.query("INSERT INTO task (title) VALUES ('by bob')")
    })
    await inStep(ada, bob)
    await expectEqual(ada, bob)
    expect([ada.lost, bob.lost]).toEqual([[], []])
    expect((await ada.db.query('SELECT title FROM task ORDER BY title')).rows.map(({ title }) => title)).toEqual(['FIRST; NOT LAST', 'by ada', 'by bob'])
    expect(await ada.db.migrate(list)).toEqual({ version: 5, applied: [] })
  })

  test('another content under the same version: the second is told, and has the first’s', async () => {
    const { ada, bob } = await two('CREATE TABLE before (z)', 'admin')
    let write: Promise<unknown> | undefined
    await apart([ada, bob], async () => {
      await ada.db.migrate([TASKS])
      const other = await bob.db.migrate([{ ...TASKS, up: 'CREATE TABLE other (x)' }])
      write = other.applied[0]?.write?.settled
    })
    await until(() => ada.lost.length + bob.lost.length === 1, 'the second is told')
    expect([...ada.lost, ...bob.lost][0]?.error).toMatchObject({ code: 'migration-conflict', facts: { version: 1 } })
    await expectEqual(ada, bob)
    expect(await write).toMatchObject({ kind: bob.lost.length === 1 ? 'rejected' : 'relay' })
    expect(await codeOf((bob.lost.length === 1 ? bob : ada).db.migrate([bob.lost.length === 1 ? { ...TASKS, up: 'CREATE TABLE other (x)' } : TASKS]))).toBe('migration-conflict')
  })

  test('who may not define tables waits for somebody who may', async () => {
    const { ada, bob } = await two('CREATE TABLE before (w)', 'reader')
    expect(await codeOf(bob.db.migrate([TASKS]))).toBe('rejected')
    await ada.db.migrate([TASKS])
    await inStep(ada, bob)
    expect(await bob.db.migrate([TASKS])).toEqual({ version: 1, applied: [] })
  })
})
