/** AS OF, histories, provenance, and what SQL sees of the space itself. */
import { afterEach, describe, expect, test } from 'vitest'
import { codeOf, contents, newDatabase, type Opened } from './database-support.js'

let open: Opened[] = []
afterEach(async () => {
  for (const each of open) await each.close()
  open = []
})
async function fresh(script: string): Promise<Opened> {
  const database = await newDatabase(`past ${script.length}`, script)
  open.push(database)
  return database
}
const rows = async ({ db }: Opened, text: string, parameters?: readonly number[]): Promise<unknown[][]> => (await db.query(text, parameters)).rows.map((row) => Object.values(row))

describe('AS OF', () => {
  test('each state as it was, schema and rows, mixed and by parameter', async () => {
    const database = await fresh("CREATE TABLE t (id INTEGER PRIMARY KEY, v); CREATE VIEW w AS SELECT v FROM t; INSERT INTO t VALUES (1, 'a')")
    const { db, space } = database
    const first = space.head.size
    await db.exec("UPDATE t SET v = 'b'; INSERT INTO t VALUES (2, 'c')")
    const second = space.head.size
    await db.exec("DELETE FROM t WHERE id = 1; ALTER TABLE t RENAME COLUMN v TO value")
    expect(await rows(database, `SELECT * FROM t AS OF ${first}`)).toEqual([[1, 'a']])
    expect(await rows(database, 'SELECT x.v, t.value FROM t AS OF ? x JOIN t ON t.id > ? OR TRUE ORDER BY 1', [second, 0])).toEqual([['b', 'c'], ['c', 'c']])
    expect((await db.query('SELECT v FROM t AS OF :n WHERE id = :id', { n: second, id: 1 })).rows).toEqual([{ v: 'b' }])
    expect(await rows(database, `SELECT v FROM w AS OF ${first}`)).toEqual([['a']])
    expect((await db.query('SELECT v FROM t WHERE id IN (SELECT id FROM t)', [], { at: second })).rows).toEqual([{ v: 'b' }, { v: 'c' }])
    expect(await rows(database, `SELECT t.v FROM t AS OF ${first} -- comment\n`)).toEqual([['a']])
    expect(await rows(database, 'SELECT value FROM t')).toEqual([['c']])
    expect(await codeOf(db.query('SELECT * FROM t AS OF 999'))).toBe('bad-argument')
    expect(await codeOf(db.query('SELECT * FROM t AS OF 0'))).toBe('bad-argument')
    expect(await codeOf(db.query(`DELETE FROM t AS OF ${first}`))).toBe('sql-syntax')
    expect(await codeOf(db.query('DELETE FROM t', [], { at: first }))).toBe('sql-error')
    expect(await codeOf(db.query(`CREATE VIEW z AS SELECT * FROM t AS OF ${first}`))).toBe('unsupported-sql')
    expect(await contents(db)).toMatchObject({ tables: { t: [['2n', 'c']] } })
  })

  test('the tables of one state, asked for one after the other', async () => {
    const database = await fresh('CREATE TABLE a (x); CREATE TABLE b (y); CREATE VIEW v AS SELECT x, y FROM a, b; INSERT INTO a VALUES (1); INSERT INTO b VALUES (2)')
    const { db, space } = database
    const then = space.head.size
    await db.exec('UPDATE a SET x = 10; UPDATE b SET y = 20; DROP VIEW v')
    expect(await rows(database, `SELECT x FROM a AS OF ${then}`)).toEqual([[1]])
    expect(await rows(database, `SELECT y FROM b AS OF ${then}`)).toEqual([[2]])
    expect(await rows(database, `SELECT x, y FROM A AS OF ${then}, b`)).toEqual([[1, 20]])
    expect(await rows(database, `SELECT x, y FROM v AS OF ${then}`)).toEqual([[1, 2]])
    expect(await rows(database, 'SELECT x, y FROM a, b')).toEqual([[10, 20]])
  })

  test('more states than can be attached at once', async () => {
    const database = await fresh('CREATE TABLE t (n); INSERT INTO t VALUES (0)')
    const start = database.space.head.size
    for (let i = 1; i <= 12; i++) await database.db.query('UPDATE t SET n = ?', [i])
    for (const turn of [0, 1]) {
      for (let i = 0; i <= 12; i++) expect([turn, ...(await rows(database, `SELECT n FROM t AS OF ${start + i}`))]).toEqual([turn, [i]])
    }
  })
})

describe('the space in SQL', () => {
  test('who wrote a row', async () => {
    const database = await fresh("CREATE TABLE t (id INTEGER PRIMARY KEY, v); CREATE TABLE loose (v); CREATE TABLE k (a TEXT COLLATE NOCASE PRIMARY KEY); INSERT INTO t VALUES (1, 'a'); INSERT INTO loose VALUES (1); INSERT INTO k VALUES ('Key'), (NULL)")
    const { db, space } = database
    const { size } = space.head
    expect((await db.query('SELECT row_author(t), row_version(t) AS n, row_device(t) AS d FROM t')).rows).toEqual([{ 'row_author(t)': 1, n: size - 3, d: 1 }])
    await db.query("UPDATE t SET v = 'b'")
    expect(await rows(database, 'SELECT row_version(x), row_creator(x) FROM t AS x LEFT JOIN loose AS y ON FALSE WHERE row_author(y) IS NULL')).toEqual([[size, 1]])
    expect(await rows(database, 'SELECT row_version(k), row_version(l) FROM k, loose l ORDER BY a')).toEqual([[size - 1, size - 2], [size - 1, size - 2]])
    expect(await rows(database, "UPDATE t SET v = 'c' WHERE row_author(t) = current_member() RETURNING id, current_role()")).toEqual([[1, 'owner']])
    for (const text of ['WITH t AS (SELECT 1 AS id) SELECT row_author(t) FROM t', 'SELECT row_author(x) FROM (SELECT * FROM t) x', 'SELECT row_author(t) FROM loose']) {
      expect([text, await codeOf(db.query(text))]).toEqual([text, 'bad-argument'])
    }
  })

  test('members, devices, policies, the log and a table’s history', async () => {
    const database = await fresh("CREATE TABLE t (id INTEGER PRIMARY KEY, owner INTEGER PLAINTEXT, v); CREATE POLICY own ON t FOR UPDATE USING (owner = current_member()); INSERT INTO t VALUES (1, 1, 'a'), (2, 1, 'b')")
    const { db, space } = database
    const { size } = space.head
    await db.exec("UPDATE t SET v = 'c' WHERE id = 1; DELETE FROM t WHERE id = 2")
    expect(await rows(database, 'SELECT id, role, removed FROM sealdb_members')).toEqual([[1, 'owner', 0]])
    expect(await rows(database, 'SELECT d.id, m.id AS m, last_entry FROM sealdb_devices d JOIN sealdb_members m ON m.id = d.member')).toEqual([[1, 1, size + 1]])
    expect(await rows(database, 'SELECT "table", name, command, "using" FROM sealdb_policies')).toEqual([['t', 'own', 'update', expect.stringContaining('current_member()')]])
    expect(await rows(database, 'SELECT * FROM sealdb_columns')).toEqual([['t', 'id', 'sealed'], ['t', 'owner', 'plaintext'], ['t', 'v', 'sealed']])
    expect(await codeOf(db.query('DELETE FROM t', undefined, { readOnly: true }))).toBe('read-only')
    expect(await codeOf(db.transaction((tx) => tx.query('DELETE FROM t', undefined, { readOnly: true })))).toBe('read-only')
    expect(await rows(database, "SELECT _entry, _operation, _member, id, v FROM sealdb_history('t') ORDER BY 1, id")).toEqual([
      [size - 1, 'insert', 1, 1, 'a'], [size - 1, 'insert', 1, 2, 'b'], [size, 'update', 1, 1, 'c'], [size + 1, 'delete', 1, 2, 'b']])
    expect(await rows(database, 'SELECT entry, member, changes FROM sealdb_log WHERE changes > 0')).toEqual([[size - 1, 1, 2], [size, 1, 1], [size + 1, 1, 1]])
    await db.query("INSERT INTO t VALUES (3, 1, 'd')")
    expect(await rows(database, "SELECT count(*) FROM sealdb_history('t')")).toEqual([[5]])
    expect(await rows(database, 'SELECT count(*) FROM sealdb_log')).toEqual([[size + 3]])
    expect(await rows(database, 'SELECT * FROM sealdb_quarantine')).toEqual([])
    expect(await codeOf(db.query('DELETE FROM sealdb_members'))).toBe('sql-error')
    expect(await codeOf(db.query("SELECT * FROM sealdb_history('nowhere')"))).toBe('sql-error')
    expect(await rows(database, 'SELECT name FROM sqlite_schema')).toEqual([['t']])
  })
})
