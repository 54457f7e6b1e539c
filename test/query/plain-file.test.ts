/** Out as a plain SQLite file that SQLite itself reads, and in from one that it wrote. */
import { describe, expect, test } from 'vitest'
import { codeOf, contents, newDatabase } from './database-support.js'
import { plainSqlite, type PlainDatabase } from './plain-sqlite.js'

const SQL = await plainSqlite()
const quote = (name: unknown): string => `"${String(name).replaceAll('"', '""')}"`

/** All rows of all tables with their storage classes, and the schema. */
function plainContents(db: PlainDatabase): unknown {
  const schema = db.exec("SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name")[0]?.values ?? []
  const rows = schema.filter(([type]) => type === 'table').map(([, name]) => {
    const columns = db.exec(`SELECT name FROM pragma_table_xinfo('${String(name).replaceAll("'", "''")}')`)[0]?.values.map(([column]) => `quote(${quote(column)}) || typeof(${quote(column)})`) ?? []
    return [name, db.exec(`SELECT ${columns.join(', ')} FROM ${quote(name)} ORDER BY ${columns.map((_, i) => i + 1).join(', ')}`)[0]?.values ?? []]
  })
  return { schema, rows }
}

const ODD = `
  CREATE TABLE plain (a, b INTEGER, c REAL, d TEXT, e NUMERIC, f BLOB);
  INSERT INTO plain VALUES (1, 2, 3, 4, 5, 6), (1.0, 2.0, 3.0, 4.0, 5.0, 6.0), (NULL, NULL, NULL, NULL, NULL, NULL), (x'', x'00ff', x'61', x'', x'01', x'02'),
    (9223372036854775807, -9223372036854775807 - 1, 1e300, 'a''b', '12x', 'é😀'), (9007199254740993, '7', -0.0, '', 1e400, CAST(x'610062' AS TEXT)), (1e15, 0.1, 1.5, 1.5, '1.50', 5.0);
  INSERT INTO plain (rowid, a) VALUES (1000, 'far'), (-5, 'below');
  CREATE TABLE wr (k TEXT COLLATE NOCASE, n INT, v, PRIMARY KEY (k, n)) WITHOUT ROWID;
  INSERT INTO wr VALUES ('a', 1, 'x'), ('B', 1, 2.0), ('b', 2, NULL);
  CREATE TABLE gen (id INTEGER PRIMARY KEY, a INT, b INT GENERATED ALWAYS AS (a * 2) VIRTUAL, c TEXT AS (a || '!') STORED);
  INSERT INTO gen (id, a) VALUES (5, 1), (7, 21);
  CREATE TABLE auto (id INTEGER PRIMARY KEY AUTOINCREMENT, v); INSERT INTO auto (v) VALUES (1), (2), (3); DELETE FROM auto WHERE id = 3;
  CREATE TABLE never (id INTEGER PRIMARY KEY AUTOINCREMENT);
  CREATE TABLE nullable (k TEXT PRIMARY KEY, v); INSERT INTO nullable VALUES (NULL, 1), (NULL, 2), ('x', 3);
  CREATE TABLE strict (i INTEGER NOT NULL, t TEXT, a ANY, CHECK (i > 0)) STRICT; INSERT INTO strict VALUES (1, 'one', 1.0), (2, NULL, '1');
  CREATE TABLE "the ""odd"" name" ("a b" TEXT DEFAULT 'x;y', [c"d] INT UNIQUE);
  INSERT INTO "the ""odd"" name" VALUES ('q', 1), (NULL, NULL), ('r', NULL);
  CREATE TABLE child (id INTEGER PRIMARY KEY, parent REFERENCES parent (id) ON DELETE CASCADE); INSERT INTO child VALUES (1, 10), (2, NULL);
  CREATE TABLE parent (id INTEGER PRIMARY KEY); INSERT INTO parent VALUES (10);
  CREATE UNIQUE INDEX part ON plain (a) WHERE b = 2 AND typeof(a) = 'integer'; CREATE UNIQUE INDEX expr ON wr (lower(k), n); CREATE INDEX plain_d ON plain (d COLLATE RTRIM DESC, a);
  CREATE VIEW seen AS SELECT k, count(*) AS n FROM wr GROUP BY k;
  CREATE TRIGGER touched AFTER INSERT ON wr BEGIN INSERT INTO auto (v) VALUES (new.k); END;
  CREATE TRIGGER through INSTEAD OF INSERT ON seen BEGIN INSERT INTO wr VALUES (new.k, new.n, 'by view'); END;`

describe('in', () => {
  test.each(['', 'PRAGMA encoding = "UTF-16le"', 'PRAGMA page_size = 1024', 'PRAGMA auto_vacuum = FULL'])('odd tables of every kind, and out again as they were (%s)', async (first) => {
    const plain = new SQL.Database()
    plain.exec(`${first}; ${ODD}`)
    const before = plainContents(plain)
    const { db, close } = await newDatabase(`import ${first}`)
    await db.exec('PRAGMA foreign_keys = ON')
    const bytes = plain.export()
    if (first === '') bytes.fill(2, 18, 20) // as a database in WAL mode says
    const progress: unknown[] = []
    expect(await db.import(bytes, { onProgress: (each) => progress.push(each) })).toEqual({
      tables: ['plain', 'wr', 'gen', 'auto', 'never', 'nullable', 'strict', 'the "odd" name', 'child', 'parent'], rows: 27, refused: [] })
    expect(progress).toEqual([{ rows: 27, total: 27 }])
    expect((await db.queryRaw('PRAGMA foreign_keys')).rows).toEqual([[1n]])
    const out = await db.export()
    expect(new TextDecoder().decode(out.subarray(0, 15))).toBe('SQLite format 3')
    const again = new SQL.Database(out)
    expect(again.exec('PRAGMA integrity_check')[0]?.values).toEqual([['ok']])
    expect(plainContents(again)).toEqual(before)
    // What was imported works: ids go on, triggers fire, constraints hold.
    expect((await db.query("INSERT INTO auto (v) VALUES ('next') RETURNING id")).rows).toEqual([{ id: 4 }])
    await db.query("INSERT INTO seen VALUES ('new', 9)")
    expect((await db.query("SELECT id FROM auto WHERE v = 'new'")).rows).toEqual([{ id: 5 }])
    expect(await codeOf(db.query("INSERT INTO wr VALUES ('A', 1, 0)"))).toBe('sql-error')
    expect(await codeOf(db.query('INSERT INTO child VALUES (3, 11)'))).toBe('sql-error')
    await close()
  })

  test('many rows go in a few transactions, with progress; a signal or a bad row leaves nothing behind', async () => {
    const plain = new SQL.Database()
    plain.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); WITH RECURSIVE c (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM c WHERE n < 2100) INSERT INTO t SELECT n, printf(\'row %d\', n) FROM c; CREATE INDEX v ON t (v)')
    const bytes = plain.export()
    const { db, space, close } = await newDatabase('import many')
    const before = await contents(db)
    const stop = new AbortController()
    await expect(db.import(bytes, { rowsPerTransaction: 1_000, signal: stop.signal, onProgress: ({ rows }) => { if (rows > 0) stop.abort() } })).rejects.toThrow('abort')
    expect(await contents(db)).toEqual(before)
    const size = space.head.size
    const seen: number[] = []
    expect(await db.import(bytes, { rowsPerTransaction: 1_000, onProgress: ({ rows, total }) => seen.push(rows, total) })).toMatchObject({ rows: 2_100 })
    expect(seen).toEqual([1_000, 2_100, 2_000, 2_100, 2_100, 2_100])
    expect(space.head.size).toBe(size + 3)
    expect((await db.query('SELECT count(*) AS n, max(v) AS v FROM t')).rows).toEqual([{ n: 2_100, v: 'row 999' }])
    // A row that does not fit, far back: written by an SQLite that was told to look away.
    plain.exec('CREATE TABLE u (v CHECK (v > 0)); PRAGMA ignore_check_constraints = ON; DROP TABLE t; CREATE TABLE t2 AS SELECT 1 AS x; INSERT INTO u VALUES (-1)')
    const now = await contents(db)
    expect(await codeOf(db.import(plain.export()))).toMatch(/sql-error|bad-argument/)
    expect(await contents(db)).toEqual(now)
    await close()
  })

  test('what can’t be shared is named, with the reason; the rest comes', async () => {
    const plain = new SQL.Database()
    plain.exec(`CREATE TABLE t (a); INSERT INTO t VALUES (1); CREATE VIRTUAL TABLE doc USING fts4 (body); INSERT INTO doc VALUES ('x');
      CREATE INDEX i ON t (a); ANALYZE; CREATE TRIGGER after_t AFTER INSERT ON t BEGIN INSERT INTO doc VALUES (new.a); END`)
    const { db, close } = await newDatabase('import refused')
    const { tables, rows, refused } = await db.import(plain.export())
    expect({ tables, rows }).toEqual({ tables: ['t'], rows: 1 })
    expect(refused).toEqual([
      { type: 'table', name: 'doc', reason: 'a virtual table: its content lies in shadow tables that only SQLite writes' },
      ...['content', 'segments', 'segdir', 'docsize', 'stat'].map((suffix) => ({ type: 'table', name: `doc_${suffix}`, reason: 'content of a virtual table' })),
      ...['sqlite_stat1'].map((name) => ({ type: 'table', name, reason: 'SQLite’s own statistics: ANALYZE makes them anew' })),
    ])
    await close()
  })

  test('a name that is taken, damaged bytes and no database at all: refused before anything is written', async () => {
    const { db, space, close } = await newDatabase('import bad', 'CREATE TABLE t (a); CREATE VIEW w AS SELECT 1')
    const size = space.head.size
    const fileOf = (script: string): Uint8Array => {
      const plain = new SQL.Database()
      plain.exec(script)
      return plain.export()
    }
    expect(await codeOf(db.import(fileOf('CREATE TABLE fine (x); CREATE TABLE T (b)')))).toBe('sql-error')
    expect(await codeOf(db.import(fileOf('CREATE TABLE fine (x); CREATE INDEX w ON fine (x)')))).toBe('sql-error')
    const damaged = fileOf('CREATE TABLE fine (x); INSERT INTO fine VALUES (randomblob(20000))')
    damaged.fill(0xff, 4096, 4196)
    expect(await codeOf(db.import(damaged))).toMatch(/bad-argument|sql-error/)
    for (const bytes of [new Uint8Array(100).fill(7), new TextEncoder().encode('CREATE TABLE x (y)'.repeat(100))]) expect(await codeOf(db.import(bytes))).toBe('sql-error')
    expect(await db.import(new Uint8Array(0))).toEqual({ tables: [], rows: 0, refused: [] })
    expect(space.head.size).toBe(size)
    await close()
  })
})

describe('out', () => {
  test('without our words; policies as comments if they are asked for', async () => {
    const { db, close } = await newDatabase('export', `CREATE TABLE t (id INTEGER PRIMARY KEY, owner INTEGER PLAINTEXT, tag TEXT BLIND, v /* :) */) /* end */ STRICT`.replace(' STRICT', '') + `;
      CREATE POLICY own ON t FOR UPDATE USING (owner = current_member()); CREATE TABLE loose (a); INSERT INTO t VALUES (1, 1, 'x', 2.0); INSERT INTO loose VALUES (1)`)
    const plain = new SQL.Database(await db.export())
    expect(plain.exec("SELECT sql FROM sqlite_schema WHERE name = 't'")[0]?.values).toEqual([['CREATE TABLE t (id INTEGER PRIMARY KEY, owner INTEGER, tag TEXT, v /* :) */)']])
    const commented = new SQL.Database(await db.export({ policies: true }))
    expect(String(commented.exec("SELECT sql FROM sqlite_schema WHERE name = 't'")[0]?.values[0]?.[0])).toContain('/* CREATE POLICY "own" ON "t" FOR UPDATE USING')
    expect(commented.exec('SELECT * FROM t')[0]?.values).toEqual([[1, 1, 'x', 2]])
    expect(commented.exec('PRAGMA integrity_check')[0]?.values).toEqual([['ok']])
    await db.exec('BEGIN; INSERT INTO loose VALUES (2)')
    expect(await codeOf(db.export())).toBe('sql-error')
    await db.exec('ROLLBACK')
    await close()
  })

  test('what is exported reads again in another space', async () => {
    const a = await newDatabase('export a', ODD)
    const b = await newDatabase('export b')
    await b.db.import(await a.db.export())
    expect(await contents(b.db)).toEqual(await contents(a.db))
    await a.close()
    await b.close()
  })
})
