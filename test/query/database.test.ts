/** The public database on a real space: what is written is what is read, here, after reopening, and by a mirror made afresh. */
import { afterEach, describe, expect, test } from 'vitest'
import { Database, WAIT } from '../../query/database.js'
import { codeOf, contents, newDatabase, reopen, shownAlike, type Opened } from './database-support.js'

let open: Opened[] = []
afterEach(async () => {
  for (const each of open) await each.close()
  open = []
})
async function fresh(script = ''): Promise<Opened> {
  const database = await newDatabase(`db ${open.length} ${script.length}`, script)
  open.push(database)
  return database
}
/** As another database on the same space sees it, and as it is after the store was opened again. */
async function expectSameEverywhere(database: Opened): Promise<void> {
  const here = await contents(database.db)
  const beside = await Database.open(database.space)
  expect({ contents: await contents(beside), quarantine: beside.quarantine() }).toEqual({ contents: here, quarantine: [] })
  await beside.close()
  const again = await reopen(database, 'again')
  open[open.indexOf(database)] = again
  expect(await contents(again.db)).toEqual(here)
}
const TASK = `CREATE TABLE task (id INTEGER PRIMARY KEY, title TEXT NOT NULL UNIQUE, project TEXT BLIND, owner INTEGER PLAINTEXT, done BOOLEAN NOT NULL DEFAULT FALSE)`

describe('writing and reading', () => {
  test('sealed, BLIND and PLAINTEXT columns, and the words are not in what SQLite shows', async () => {
    const database = await fresh(TASK)
    const { db } = database
    const inserted = await db.query<{ id: number }>("INSERT INTO task (title, project, owner) VALUES ('a', 'p', 1), ('b', NULL, 2) RETURNING id")
    expect(inserted).toMatchObject({ rows: [{ id: 1 }, { id: 2 }], columns: ['id'], changes: 2, lastInsertRowid: 2 })
    expect((await db.sql`UPDATE task SET done = TRUE WHERE id = ${1}`).changes).toBe(1)
    await db.query('DELETE FROM task WHERE id = :id', { id: 2 })
    expect((await db.query('SELECT * FROM task')).rows).toEqual([{ id: 1, title: 'a', project: 'p', owner: 1, done: 1 }])
    expect((await db.queryRaw('SELECT id, 1.0 FROM task')).rows).toEqual([[1n, 1]])
    const [{ sql } = { sql: '' }] = (await db.query<{ sql: string }>("SELECT sql FROM sqlite_schema WHERE name = 'task'")).rows
    expect(sql).not.toMatch(/BLIND|PLAINTEXT/)
    const shape = database.space.current.catalog[0]?.table
    expect(shape).toMatchObject({ key: 'blinded', plain: [{ id: 4, type: 'any', notNull: false }], indexes: [{ kind: 'blind', unique: true, columns: [2] }, { kind: 'blind', unique: false, columns: [3] }] })
    await expectSameEverywhere(database)
  })

  test('every storage class, without a declared key, with composite and odd keys', async () => {
    const database = await fresh(`
      CREATE TABLE loose (a, b);
      CREATE TABLE pair (a TEXT COLLATE NOCASE, b REAL PLAINTEXT, c, PRIMARY KEY (a, b)) WITHOUT ROWID;
      CREATE TABLE visible (k TEXT PLAINTEXT NOT NULL PRIMARY KEY, v);
      CREATE TABLE old (k TEXT PRIMARY KEY, v);
      CREATE TABLE strict_one (k INTEGER PRIMARY KEY, v ANY PLAINTEXT, n INT PLAINTEXT NOT NULL, g INT AS (n * 2)) STRICT;`)
    await database.db.exec(`
      INSERT INTO loose VALUES (1, 1.0), ('1', x'01'), (NULL, 9223372036854775807), (-9223372036854775808, 1e300), ('', x'');
      INSERT INTO pair VALUES ('Key', 1, 'x'), ('other', 1.5, NULL); UPDATE pair SET a = 'KEY', b = 1.0, c = 'y' WHERE a = 'key';
      INSERT INTO visible VALUES ('a', 1), ('b', 2); UPDATE visible SET k = 'c' WHERE k = 'a';
      INSERT INTO old VALUES (NULL, 1), (NULL, 2), ('k', 3); UPDATE old SET k = NULL WHERE k = 'k';
      INSERT INTO strict_one VALUES (1, 5, 1), (2, 5.0, 2), (3, '5', 3);`)
    expect((await database.db.queryRaw('SELECT * FROM pair')).rows).toEqual([['KEY', 1, 'y'], ['other', 1.5, null]])
    expect(database.space.current.catalog.map(({ table }) => table?.key)).toEqual(['blinded', 'blinded', 'plain', 'blinded', 'blinded'])
    await expectSameEverywhere(database)
  })

  test('a change of nothing writes no entry', async () => {
    const { db, space } = await fresh(TASK)
    await db.query("INSERT INTO task (title) VALUES ('a')")
    const { size } = space.head
    await db.query("UPDATE task SET title = 'a'")
    await db.exec("BEGIN; INSERT INTO task (title) VALUES ('b'); DELETE FROM task WHERE title = 'b'; COMMIT; DELETE FROM task WHERE id = 99")
    expect(space.head.size).toBe(size)
  })

  test('constraints, and REPLACE, UPSERT, triggers, cascades as SQLite does them', async () => {
    const database = await fresh(`${TASK};
      CREATE TABLE parent (id INTEGER PRIMARY KEY); CREATE TABLE child (id INTEGER PRIMARY KEY, p REFERENCES parent ON DELETE CASCADE);
      CREATE TABLE log (what); CREATE TRIGGER noted AFTER UPDATE ON task BEGIN INSERT INTO log VALUES (old.title || '>' || new.title); END`)
    const { db } = database
    await db.exec("PRAGMA foreign_keys = ON; INSERT INTO parent VALUES (1), (2); INSERT INTO child VALUES (10, 1), (11, 2); DELETE FROM parent WHERE id = 1")
    expect((await db.query('SELECT id FROM child')).rows).toEqual([{ id: 11 }])
    expect(await codeOf(db.query('INSERT INTO child VALUES (12, 99)'))).toBe('sql-error')
    await db.exec("INSERT INTO task (id, title) VALUES (1, 'a'), (2, 'b'); INSERT OR REPLACE INTO task (id, title) VALUES (3, 'a')")
    await db.query("INSERT INTO task (id, title) VALUES (3, 'z') ON CONFLICT (id) DO UPDATE SET title = excluded.title")
    expect((await db.query('SELECT id, title FROM task ORDER BY id')).rows).toEqual([{ id: 2, title: 'b' }, { id: 3, title: 'z' }])
    expect((await db.query('SELECT what FROM log')).rows).toEqual([{ what: 'a>z' }])
    const failed = db.query("INSERT INTO task (title) VALUES ('b')")
    await expect(failed).rejects.toMatchObject({ code: 'sql-error', message: 'UNIQUE constraint failed: task.title', facts: { name: 'SQLITE_CONSTRAINT_UNIQUE' } })
    await expectSameEverywhere(database)
  })

  test('what a statement did before it failed stays where OR FAIL says so, else not', async () => {
    const { db } = await fresh('CREATE TABLE t (id INTEGER PRIMARY KEY)')
    expect(await codeOf(db.query('INSERT OR FAIL INTO t VALUES (1), (2), (1), (3)'))).toBe('sql-error')
    expect(await codeOf(db.query('INSERT INTO t VALUES (5), (1)'))).toBe('sql-error')
    expect((await db.query('SELECT id FROM t')).rows).toEqual([{ id: 1 }, { id: 2 }])
  })
})

describe('definitions', () => {
  test('every kind of ALTER, with rows, and what depends on the table', async () => {
    const database = await fresh(`${TASK}; INSERT INTO task (title, owner) VALUES ('a', 1), ('b', 2);
      CREATE VIEW open_task AS SELECT title FROM task WHERE NOT done; CREATE INDEX by_done ON task (done, title);
      CREATE TRIGGER t AFTER INSERT ON task BEGIN UPDATE task SET project = 'new' WHERE id = new.id; END;
      ALTER TABLE task ADD COLUMN extra DEFAULT 5; ALTER TABLE task ADD COLUMN seen INTEGER PLAINTEXT DEFAULT 7;
      ALTER TABLE task RENAME COLUMN title TO name; ALTER TABLE task RENAME TO job; INSERT INTO job (name) VALUES ('c');
      ALTER TABLE job DROP COLUMN owner; CREATE UNIQUE INDEX ux ON job (extra, id); INSERT INTO job (name) VALUES ('d');
      CREATE TABLE copy AS SELECT * FROM job; DROP TABLE copy; CREATE TABLE copy AS SELECT name FROM job`)
    expect((await database.db.query('SELECT id, name, project, extra, seen FROM job')).rows).toEqual([
      { id: 1, name: 'a', project: null, extra: 5, seen: 7 }, { id: 2, name: 'b', project: null, extra: 5, seen: 7 },
      { id: 3, name: 'c', project: 'new', extra: 5, seen: 7 }, { id: 4, name: 'd', project: 'new', extra: 5, seen: 7 }])
    await expectSameEverywhere(database)
  })

  test('within a transaction: made, changed, dropped, rolled back, with rows', async () => {
    const database = await fresh(TASK)
    const { db } = database
    await db.exec(`BEGIN; CREATE TABLE a (x); INSERT INTO a VALUES (1); CREATE TABLE b (y); DROP TABLE b; INSERT INTO task (title) VALUES ('kept'); SAVEPOINT s;
      CREATE TABLE c (z); ALTER TABLE a ADD COLUMN y DEFAULT 2; INSERT INTO c VALUES (1); INSERT INTO task (title) VALUES ('not'); ROLLBACK TO s; INSERT INTO a VALUES (3); COMMIT`)
    expect(await contents(db)).toMatchObject({ tables: { a: [['1n'], ['3n']], task: [['1n', 'kept', null, null, '0n']] } })
    await db.exec('BEGIN; DROP TABLE a; CREATE TABLE a (x, y); INSERT INTO a VALUES (1, 2); ROLLBACK')
    expect((await db.query('SELECT * FROM a')).rows).toEqual([{ x: 1 }, { x: 3 }])
    await db.exec('BEGIN; DROP TABLE a; CREATE TABLE a (x, y); INSERT INTO a VALUES (1, 2); COMMIT; ALTER TABLE task RENAME TO other; ALTER TABLE a RENAME TO task; ALTER TABLE other RENAME TO a')
    await expectSameEverywhere(database)
  })

  test('AUTOINCREMENT counts on after reopening, and over gaps', async () => {
    const database = await fresh('CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, v); INSERT INTO t (v) VALUES (1), (2), (3); DELETE FROM t WHERE id = 3')
    await expectSameEverywhere(database)
    const { db } = open[0] as Opened
    expect((await db.query('INSERT INTO t (v) VALUES (4) RETURNING id')).rows).toEqual([{ id: 4 }])
    await db.query("UPDATE sqlite_sequence SET seq = 100 WHERE name = 't'")
    expect((await db.query('INSERT INTO t (v) VALUES (5) RETURNING id')).rows).toEqual([{ id: 101 }])
    await expectSameEverywhere(open[0] as Opened)
  })

  test('AUTOINCREMENT gives no id twice, also where a transaction reads tables that were not in memory yet', async () => {
    const database = await fresh('CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, v); CREATE TABLE u (id INTEGER PRIMARY KEY AUTOINCREMENT, v); INSERT INTO t (v) VALUES (1), (2); INSERT INTO u (v) VALUES (1)')
    const again = await reopen(database, 'again')
    open[0] = again
    const { db } = again
    await db.transaction(async (tx) => {
      await tx.exec('INSERT INTO t (v) VALUES (3); DELETE FROM t WHERE v = 3')
      expect((await tx.query('SELECT id FROM u')).rows).toEqual([{ id: 1 }])
      expect((await tx.query('INSERT INTO t (v) VALUES (4) RETURNING id')).rows).toEqual([{ id: 4 }])
      expect((await tx.query('SELECT name, seq FROM sqlite_sequence ORDER BY name')).rows).toEqual([{ name: 't', seq: 4 }, { name: 'u', seq: 1 }])
    })
    await expectSameEverywhere(open[0] as Opened)
  })

  test('what has no meaning here is refused by name', async () => {
    const { db } = await fresh(TASK)
    for (const text of ["ATTACH 'x' AS y", 'CREATE VIRTUAL TABLE f USING fts3(a)', "VACUUM INTO 'x'", 'PRAGMA writable_schema = ON', 'PRAGMA journal_mode = OFF', 'CREATE TABLE g (a, b AS (a) PLAINTEXT)']) {
      expect([text, await codeOf(db.query(text))]).toEqual([text, 'unsupported-sql'])
    }
    expect(await codeOf(db.query('SELEC 1'))).toBe('sql-syntax')
    expect(await codeOf(db.query('SELECT * FROM nowhere'))).toBe('sql-error')
    expect(await codeOf(db.query('SELECT ?', []))).toBe('bad-argument')
    expect((await db.query('SELECT count(*) AS n FROM sqlite_schema')).rows).toEqual([{ n: 2 }])
  })
})

describe('transactions', () => {
  test('a function: all or nothing, one entry; nested use is refused', async () => {
    const { db, space } = await fresh(TASK)
    const { size } = space.head
    await db.transaction(async (tx) => {
      await tx.sql`INSERT INTO task (title) VALUES (${'a'})`
      expect((await tx.query('SELECT title FROM task')).rows).toEqual([{ title: 'a' }])
      expect(await codeOf(tx.query("INSERT INTO task (title) VALUES ('a')"))).toBe('sql-error')
      await tx.exec("SAVEPOINT s; INSERT INTO task (title) VALUES ('b'); ROLLBACK TO s; RELEASE s; INSERT INTO task (title) VALUES ('c')")
      expect(await codeOf(tx.query('COMMIT'))).toBe('bad-argument')
    })
    expect(space.head.size).toBe(size + 1)
    const failed = db.transaction(async (tx) => {
      await tx.query('DELETE FROM task')
      throw new Error('no')
    })
    await expect(failed).rejects.toThrow('no')
    expect((await db.query('SELECT title FROM task')).rows).toEqual([{ title: 'a' }, { title: 'c' }])
    let kept: { query(text: string): Promise<unknown> } | undefined
    await db.transaction((tx) => Promise.resolve(void (kept = tx)))
    expect(await codeOf((kept as NonNullable<typeof kept>).query('SELECT 1'))).toBe('bad-argument')
  })

  test('in text, as on one connection', async () => {
    const { db } = await fresh('CREATE TABLE t (id INTEGER PRIMARY KEY)')
    for (const [text, message] of [['COMMIT', 'cannot commit - no transaction is active'], ['ROLLBACK', 'cannot rollback - no transaction is active'], ['RELEASE x', 'no such savepoint: x']] as const) {
      await expect(db.query(text)).rejects.toThrow(message)
    }
    await db.exec('BEGIN; INSERT INTO t VALUES (1)')
    await expect(db.query('BEGIN')).rejects.toThrow('cannot start a transaction within a transaction')
    expect(await codeOf(db.transaction(() => Promise.resolve()))).toBe('sql-error')
    await db.exec('SAVEPOINT a; INSERT INTO t VALUES (2); RELEASE a; COMMIT; SAVEPOINT b; INSERT INTO t VALUES (3); RELEASE b; SAVEPOINT c; INSERT INTO t VALUES (4); ROLLBACK')
    await expect(db.query('INSERT OR ROLLBACK INTO t VALUES (1)')).rejects.toThrow('UNIQUE')
    await db.exec('BEGIN; INSERT INTO t VALUES (5)')
    await expect(db.query('INSERT OR ROLLBACK INTO t VALUES (1)')).rejects.toThrow('UNIQUE')
    await expect(db.query('COMMIT')).rejects.toThrow('no transaction is active')
    expect((await db.query('SELECT id FROM t')).rows).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }])
  })

  test('a deferred foreign key keeps the transaction open, and nothing is durable before', async () => {
    const { db, space } = await fresh('CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p DEFERRABLE INITIALLY DEFERRED); PRAGMA foreign_keys = ON')
    const { size } = space.head
    await db.exec('BEGIN; INSERT INTO c VALUES (1)')
    await expect(db.query('COMMIT')).rejects.toThrow('FOREIGN KEY constraint failed')
    expect(space.head.size).toBe(size)
    await db.exec('INSERT INTO p VALUES (1); COMMIT')
    expect(await codeOf(db.query('INSERT INTO c VALUES (2)'))).toBe('sql-error')
    expect((await db.query('SELECT p FROM c')).rows).toEqual([{ p: 1 }])
  })

  test('calls that are not awaited run in their order', async () => {
    const { db } = await fresh('CREATE TABLE t (id INTEGER PRIMARY KEY, n)')
    const results = await Promise.all([
      db.query('INSERT INTO t VALUES (1, 0)'), db.query('UPDATE t SET n = n + 1'), db.query<{ n: number }>('SELECT n FROM t'),
      db.transaction((tx) => tx.query('UPDATE t SET n = n * 10')), db.query<{ n: number }>('SELECT n FROM t'), db.batch(['UPDATE t SET n = n + 1', { text: 'UPDATE t SET n = n + ?', parameters: [5] }]),
    ])
    expect([results[2].rows, results[4].rows, (await db.query('SELECT n FROM t')).rows]).toEqual([[{ n: 1 }], [{ n: 10 }], [{ n: 16 }]])
  })
})

describe('prepared', () => {
  test('a warm read needs no waiting; whatever changed, it reads the present', async () => {
    const { db } = await fresh(`${TASK}; INSERT INTO task (title) VALUES ('a')`)
    const statement = db.prepare<{ title: string }>('SELECT title FROM task WHERE id = ?')
    expect(statement.getSync([1])).toBe(WAIT)
    expect(await statement.get([1])).toEqual({ title: 'a' })
    expect(statement.getSync([1])).toEqual({ title: 'a' })
    const update = db.query("UPDATE task SET title = 'b'")
    expect(statement.getSync([1])).toBe(WAIT)
    await update
    expect([statement.getSync([1]), await statement.get([1]), statement.getSync([2]), await statement.all([1])]).toEqual([{ title: 'b' }, { title: 'b' }, undefined, [{ title: 'b' }]])
    await db.query('ALTER TABLE task RENAME COLUMN title TO name')
    expect(await codeOf(statement.get([1]))).toBe('sql-error')
    await db.query('ALTER TABLE task RENAME COLUMN name TO title')
    expect(await statement.get([1])).toEqual({ title: 'b' })
  })

  test('an aborted signal, a closed database', async () => {
    const database = await fresh(TASK)
    const abort = new AbortController()
    abort.abort(new Error('enough'))
    await expect(database.db.query('SELECT 1', [], { signal: abort.signal })).rejects.toThrow('enough')
    await database.db.close()
    expect(await codeOf(database.db.query('SELECT 1'))).toBe('bad-argument')
  })
})

describe('policies', () => {
  test('are judged by everyone, kept, and let go', async () => {
    const database = await fresh(`${TASK}; INSERT INTO task (title, owner) VALUES ('mine', 1), ('not', 2);
      CREATE POLICY own ON task FOR UPDATE USING (owner = current_member())`)
    const { db } = database
    expect(await codeOf(db.query("UPDATE task SET title = 'x' WHERE id = 2"))).toBe('rejected')
    expect((await db.query('SELECT title FROM task')).rows).toEqual([{ title: 'mine' }, { title: 'not' }])
    await db.query("UPDATE task SET title = 'still mine' WHERE id = 1")
    expect(await codeOf(db.query('CREATE POLICY p ON task FOR DELETE USING (title = 1)'))).toBe('bad-policy')
    expect(await codeOf(db.query('ALTER TABLE task DROP COLUMN owner'))).toBe('bad-policy')
    await expectSameEverywhere(database)
    const again = (open[0] as Opened).db
    expect(await codeOf(again.query("UPDATE task SET title = 'x' WHERE id = 2"))).toBe('rejected')
    await again.exec("DROP POLICY own ON task; UPDATE task SET title = 'x' WHERE id = 2; ALTER TABLE task DROP COLUMN owner; DROP POLICY IF EXISTS own ON task")
    expect(await codeOf(again.query('DROP POLICY own ON task'))).toBe('bad-policy')
    await expectSameEverywhere(open[0] as Opened)
  })
})

test('a table that was dropped or renamed after a savepoint is there again when that is rolled back, and is written to', async () => {
  const { db, space } = await fresh('CREATE TABLE t (id INTEGER PRIMARY KEY, a UNIQUE); CREATE TABLE u (b); INSERT INTO t VALUES (1, 1)')
  await db.query('SELECT * FROM t')
  for (const definition of ['DROP TABLE t', 'ALTER TABLE t RENAME TO renamed', 'ALTER TABLE t ADD COLUMN c', 'DROP TABLE t; CREATE TABLE t (other)']) {
    await db.exec(`BEGIN; INSERT INTO t VALUES (2, 2); SAVEPOINT s; INSERT INTO t VALUES (3, 3); ${definition}; ROLLBACK TO s; INSERT INTO t VALUES (4, 4); INSERT INTO u VALUES (1); COMMIT`)
    expect((await db.query('SELECT id FROM t ORDER BY id')).rows, definition).toEqual([{ id: 1 }, { id: 2 }, { id: 4 }])
    await shownAlike({ db, space })
    await db.exec('DELETE FROM t WHERE id > 1; INSERT INTO t VALUES (9, 9); DELETE FROM t WHERE id = 9')
  }
  // A definition that fails is a savepoint of its own.
  await db.exec('BEGIN; INSERT INTO t VALUES (5, 5)')
  expect(await codeOf(db.query('CREATE UNIQUE INDEX i ON t (a / a)'))).toBe('sql-error')
  await db.exec('INSERT INTO t VALUES (6, 6); COMMIT')
  await shownAlike({ db, space })
})
