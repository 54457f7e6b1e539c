/** What a definition does when it is the first thing that a session does: little is in SQLite then. */
import { afterEach, expect, test } from 'vitest'
import { contents, newDatabase, reopen, type Opened } from './database-support.js'

let current: Opened | undefined
afterEach(async () => {
  await current?.close()
  current = undefined
})

async function fresh(script: string): Promise<Opened> {
  return (current = await reopen(await newDatabase('fresh', script), 'fresh'))
}

test.each(['CREATE VIEW w AS SELECT 1', 'CREATE TABLE w (v)', 'CREATE TRIGGER w AFTER INSERT ON u BEGIN SELECT 1; END', 'CREATE POLICY w ON u FOR DELETE USING (1)', 'CREATE INDEX w ON u (v)', 'DROP TABLE u', 'ALTER TABLE u RENAME TO w'])(
  '%s leaves the counters of AUTOINCREMENT', async (definition) => {
    const { db } = await fresh('CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, v); CREATE TABLE u (v); INSERT INTO t (v) VALUES (1), (2), (3); DELETE FROM t')
    await db.query(definition)
    await db.query('INSERT INTO t (v) VALUES (9)')
    expect((await db.query('SELECT id FROM t')).rows).toEqual([{ id: 4 }])
    expect((await db.query('SELECT * FROM sqlite_sequence')).rows).toEqual([{ name: 't', seq: 4 }])
  })

test('a definition opens rows of its own table only; a DROP none, unless foreign keys may cascade', async () => {
  const script = 'CREATE TABLE big (id INTEGER PRIMARY KEY, v); CREATE TABLE t (id INTEGER PRIMARY KEY, v REFERENCES big); INSERT INTO big VALUES (1, 1), (2, 2), (3, 3); INSERT INTO t VALUES (1, 1), (2, 3)'
  const { db, space } = await fresh(script)
  const opened = async (definition: string): Promise<number> => {
    const before = db.counters.rowsOpened
    await db.query(definition)
    return db.counters.rowsOpened - before
  }
  expect(await opened('DROP VIEW IF EXISTS absent')).toBe(0)
  expect(await opened('CREATE INDEX i ON t (v)')).toBe(2)
  expect(await opened('ALTER TABLE t ADD COLUMN w DEFAULT 7')).toBeLessThanOrEqual(2)
  expect(await opened('DROP INDEX i')).toBe(0)
  await db.query('CREATE TABLE more (v)')
  expect(await opened('DROP TABLE more')).toBe(0)
  await db.query('PRAGMA foreign_keys = ON')
  await db.query('DELETE FROM t WHERE id = 2')
  expect((await db.query('SELECT * FROM t')).rows).toEqual([{ id: 1, v: 1, w: 7 }])
  await expect(db.query('DROP TABLE big')).rejects.toMatchObject({ code: 'sql-error' })
  await db.query('PRAGMA foreign_keys = OFF')
  await db.query('DROP TABLE big')
  expect(space.current.catalog.filter(({ kind }) => kind === 'table')).toHaveLength(1)
  expect(await contents(db)).toMatchObject({ tables: { t: [['1n', '1n', '7n']] } })
})
