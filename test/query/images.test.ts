import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type SqlValue } from '../../engine/codec/value.js'
import { isSealError } from '../../engine/errors.js'
import { TableImages, type Image } from '../../query/images.js'
import { keyIdentity } from '../../query/keys.js'
import { openSqlite, type Sqlite } from '../../query/sqlite.js'
import { isAffinityNormal } from '../../query/sqlite/affinity.js'
import { affinityOf, describeTable } from '../../query/sqlite/form.js'

const sqlite = await openSqlite()
let db: Sqlite
beforeEach(() => {
  db = sqlite.database()
})
afterEach(() => db.close())

/** Images of table `t`, with the versions that were given. */
function imagesOf(schema: string): { readonly images: TableImages; readonly put: (...images: readonly Image[]) => void } {
  db.exec(schema)
  const versions = new Map<string | number, number>()
  const images = new TableImages(db, describeTable(db, 't'), (key) => versions.get(keyIdentity(key)) ?? 0)
  return {
    images,
    put: (...list) => {
      for (const { key, version } of list) versions.set(keyIdentity(key), version)
      images.apply(list)
    },
  }
}

const rows = (): SqlValue[][] => db.all('SELECT * FROM t ORDER BY 1')
const image = (version: number, ...row: readonly SqlValue[]): Image => ({ key: [row[0] as SqlValue], row, version })
const held = (images: TableImages): unknown[] => [...images.quarantined()].map(({ key, reason, version }) => [key[0], reason, version])

test('unique values swap in any order; rows go; triggers, foreign keys and ON CONFLICT clauses do not act', () => {
  const { images, put } = imagesOf(`PRAGMA foreign_keys = ON; CREATE TABLE p(id INTEGER PRIMARY KEY);
    CREATE TABLE t(id INTEGER PRIMARY KEY, u UNIQUE ON CONFLICT REPLACE, p REFERENCES p, n NOT NULL ON CONFLICT REPLACE DEFAULT 'd');
    CREATE TABLE c(id REFERENCES t ON DELETE CASCADE); CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT RAISE(ABORT, 'no'); END`)
  put(image(1, 1n, 'x', 77n, 1n), image(1, 2n, 'y', null, 1n))
  db.silently(() => db.exec('INSERT INTO c VALUES (1), (2)'))
  put(image(2, 1n, 'y', 77n, 1n), image(2, 2n, 'x', null, 1n))
  expect(rows()).toEqual([[1n, 'y', 77n, 1n], [2n, 'x', null, 1n]])
  put({ key: [1n], row: undefined, version: 3 }, image(3, 3n, 'y', null, 1n), image(3, 4n, 'z', null, null))
  expect(rows()).toEqual([[2n, 'x', null, 1n], [3n, 'y', null, 1n]])
  expect(held(images)).toEqual([[4n, 'not-null', 3]])
  expect(db.get('SELECT count(*) FROM c')).toEqual([2n])
  images.close()
})

test('hidden rowids, generated columns, WITHOUT ROWID', () => {
  const { images, put } = imagesOf("CREATE TABLE t(a, g AS (a || '!') STORED, b)")
  put({ key: [7n], row: ['x', 1n], version: 1 }, { key: [2n ** 62n], row: ['y', 2.5], version: 1 })
  expect(db.all('SELECT rowid, * FROM t')).toEqual([[7n, 'x', 'x!', 1n], [2n ** 62n, 'y', 'y!', 2.5]])
  put({ key: [7n], row: undefined, version: 2 }, { key: ['no'], row: ['z', 1n], version: 2 })
  expect(rows()).toEqual([['y', 'y!', 2.5]])
  expect([...images.quarantined()].map(({ reason }) => reason)).toEqual(['key'])
})

test('a row that is known by its key takes another rowid where one comes that is known by that', () => {
  const { images, put } = imagesOf('CREATE TABLE t(id TEXT PRIMARY KEY, u UNIQUE)')
  const nameless = (version: number, rowid: bigint, u: SqlValue): Image => ({ key: [null, rowid], row: [null, u], version })
  put(image(1, 'a', 1n), image(1, 'b', 2n))
  put(nameless(2, 1n, 3n), nameless(2, 2n ** 63n - 1n, 4n))
  put(image(3, 'c', 5n))
  const [[taken] = []] = db.all("SELECT rowid FROM t WHERE id = 'c'")
  put(nameless(4, taken as bigint, 6n), nameless(4, -(2n ** 63n), 7n), nameless(4, 2n, 1n))
  expect(held(images)).toEqual([[null, 'unique', 4]]) // 1 is a’s
  expect(db.all('SELECT id, u FROM t ORDER BY u')).toEqual([['a', 1n], ['b', 2n], [null, 3n], [null, 4n], ['c', 5n], [null, 6n], [null, 7n]])
  images.close()
})

test.each([
  ['affinity', 'CREATE TABLE t(id INTEGER PRIMARY KEY, v INTEGER)', image(1, 1n, '5')],
  ['affinity', 'CREATE TABLE t(id INTEGER PRIMARY KEY, v)', image(1, 1, 5n)],
  ['affinity', 'CREATE TABLE t(id INTEGER PRIMARY KEY, v)', image(1, null, 5n)],
  ['key', 'CREATE TABLE t(id INTEGER PRIMARY KEY, v)', { key: [2n], row: [1n, 5n], version: 1 }],
  ['key', 'CREATE TABLE t(id TEXT NOT NULL PRIMARY KEY, v)', { key: ['a'], row: ['A', 5n], version: 1 }],
  ['not-null', 'CREATE TABLE t(id INTEGER PRIMARY KEY, v NOT NULL)', image(1, 1n, null)],
  ['check', 'CREATE TABLE t(id INTEGER PRIMARY KEY, v CHECK (v < 5))', image(1, 1n, 6n)],
  ['datatype', 'CREATE TABLE t(id INTEGER PRIMARY KEY, v INTEGER) STRICT', image(1, 1n, 'x')],
  ['error', "CREATE TABLE t(id INTEGER PRIMARY KEY, v, g AS (json_extract(v, '$.a')) STORED)", image(1, 1n, '{')],
] as const)('quarantine: %s by %s', (reason, schema, bad) => {
  const { images, put } = imagesOf(schema)
  put(bad, { ...bad, key: [99n], row: undefined, version: 1 })
  expect(rows()).toEqual([])
  expect([...images.quarantined()]).toEqual([{ ...bad, reason, blocker: undefined }])
  // Its next version is judged anew; gone is gone.
  images.apply([{ key: bad.key, row: undefined, version: 2 }])
  expect(images.quarantinedCount).toBe(0)
})

test('NOCASE keys that are equal are one row', () => {
  const { images, put } = imagesOf('CREATE TABLE t(id TEXT NOT NULL PRIMARY KEY COLLATE NOCASE, v)')
  put({ key: ['ab'], row: ['Ab', 1n], version: 1 })
  put({ key: ['ab'], row: ['AB', 2n], version: 2 })
  expect([rows(), images.quarantinedCount]).toEqual([[['AB', 2n]], 0])
})

test('of rows that collide the older stays, until it goes', () => {
  const { images, put } = imagesOf('CREATE TABLE t(id INTEGER PRIMARY KEY, u UNIQUE)')
  put(image(5, 1n, 'x'))
  put(image(6, 2n, 'x'), image(6, 3n, 'x'))
  expect([rows(), held(images)]).toEqual([[[1n, 'x']], [[2n, 'unique', 6], [3n, 'unique', 6]]])
  put({ key: [1n], row: undefined, version: 7 })
  expect([rows(), held(images)]).toEqual([[[2n, 'x']], [[3n, 'unique', 6]]])
  put({ key: [3n], row: undefined, version: 8 }, image(8, 2n, 'y'))
  expect([rows(), held(images)]).toEqual([[[2n, 'y']], []])
  // An older row that arrives later drives the younger out.
  put(image(3, 9n, 'y'))
  expect([rows(), held(images)]).toEqual([[[9n, 'y']], [[2n, 'unique', 8]]])
})

test('quarantine is a function of the rows, in whatever order they came', () => {
  let seed = 7
  const below = (n: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff
    return (seed >> 8) % n
  }
  const schema = `CREATE TABLE t(id INTEGER PRIMARY KEY, a UNIQUE, b, c TEXT COLLATE NOCASE, g AS (b % 3) UNIQUE); CREATE UNIQUE INDEX i ON t(lower(c) || 'x') WHERE a > 2`
  for (let round = 0; round < 25; round++) {
    db.close()
    db = sqlite.database()
    const { images, put } = imagesOf(schema)
    const state = new Map<bigint, Image>()
    for (let step = 0; step < 12; step++) {
      const batch = new Map<bigint, Image>()
      for (let n = 1 + below(4); n > 0; n--) {
        const id = BigInt(below(9))
        // Versions come out of order here, as when ranges are loaded one after another.
        const version = below(20)
        batch.set(id, below(4) === 0 ? { key: [id], row: undefined, version } : image(version, id, [null, 1n, 2n, 3n, 4n][below(5)] as SqlValue, [null, 1n, 2n, 3n, 5n, 6n][below(6)] as SqlValue, ['p', 'P', 'q', null][below(4)] as SqlValue))
      }
      for (const [id, change] of batch) {
        if (change.row === undefined) state.delete(id)
        else state.set(id, change)
      }
      put(...batch.values())
      // The slow twin: a fresh table, oldest first.
      const twin = sqlite.database()
      twin.exec(schema)
      const order = [...state.values()].sort((x, y) => x.version - y.version || (String(x.key[0]) < String(y.key[0]) ? -1 : 1))
      for (const { row } of order) twin.run('INSERT OR IGNORE INTO t(id, a, b, c) VALUES (?, ?, ?, ?)', row ?? [])
      expect(rows()).toEqual(twin.all('SELECT * FROM t ORDER BY 1'))
      expect(images.quarantinedCount).toBe(state.size - rows().length)
      twin.close()
    }
    // A load in the order of the key gives the same.
    const before = rows()
    images.clear()
    expect(images.load([...state.values()].sort((x, y) => Number(x.key[0]) - Number(y.key[0])))).toBe(state.size)
    expect(rows()).toEqual(before)
  }
})

describe('affinity', () => {
  test('names', () => {
    expect(['INT', 'bigint', 'CHARINT', 'VARCHAR(9)', 'clob', '', 'BLOB', 'double precision', 'FLOATING POINT', 'DECIMAL(1,2)', 'BOOLEAN', 'STRING'].map((type) => affinityOf(type, false))).toEqual(
      ['integer', 'integer', 'integer', 'text', 'text', 'blob', 'blob', 'real', 'integer', 'numeric', 'numeric', 'numeric'],
    )
    expect(['INT', 'INTEGER', 'REAL', 'TEXT', 'BLOB', 'ANY'].map((type) => affinityOf(type, true))).toEqual(['integer', 'integer', 'real', 'text', 'blob', 'any'])
  })

  test('exactly the values that SQLite stores unchanged are normal', () => {
    const values: SqlValue[] = [
      null, 0n, 5n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n + 1n, 0, 5, 5.5, 1e300, 2 ** 53, 2 ** 62, 2 ** 63, -(2 ** 63), -(2 ** 63) - 2048, 2 ** 63 - 1024, 9007199254740993, Infinity, -Infinity, 5e-324, new Uint8Array([53]), new Uint8Array(0),
      '', ' ', '5', ' 5', '5 ', '\t5\n', '\v5\f', '+5', '-5', '--5', '5.', '.5', '.', '5.0', '5e3', '5e', '5E+3', 'e5', '5e+', '0x10', '1_000', 'Infinity', 'NaN', 'nan', 'inf', '99999999999999999999', '1e999', '5\0', '5\0abc', ' 5 \0', '\u00005', 'a\u00005', '5e\0', '5 6', '٥', '\u00a05', '5\u00a0', 'abc', '1e-400', '-', '+', '-.5', '-.', '9223372036854775808', '123456789012345678901234567890.5',
    ]
    for (const strict of [false, true]) {
      for (const type of strict ? ['ANY'] : ['', 'TEXT', 'INTEGER', 'REAL', 'NUMERIC']) {
        const name = `a${type}${strict}`
        db.exec(`CREATE TABLE ${name}(v ${type}) ${strict ? 'STRICT' : ''}`)
        for (const value of values) {
          db.exec(`DELETE FROM ${name}`)
          db.run(`INSERT INTO ${name} VALUES (?)`, [value])
          const stored = db.get(`SELECT v FROM ${name}`)?.[0]
          expect([type, value, isAffinityNormal(value, affinityOf(type, strict))]).toEqual([type, value, typeof stored === typeof value && (stored === value || value instanceof Uint8Array)])
        }
      }
    }
  })
})

test("what is not the row's fault stops, it does not quarantine", () => {
  const { images, put } = imagesOf('CREATE TABLE t(id INTEGER PRIMARY KEY, v)')
  db.close()
  let code: string | undefined
  try {
    put(image(1, 1n, 1n))
  } catch (error) {
    code = isSealError(error) ? error.code : 'other'
  }
  expect([code, images.quarantinedCount]).toEqual(['bad-argument', 0])
  db = sqlite.database()
})

test.each([
  'CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT) STRICT', 'CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT) without /* ) */ -- (\n RowID, STRICT -- )', 'CREATE TABLE t (id INTEGER PRIMARY KEY, strict TEXT)',
  "CREATE TABLE t (id TEXT PRIMARY KEY, a TEXT DEFAULT ') STRICT, WITHOUT ROWID') WITHOUT\tROWID", 'CREATE TABLE t (id INTEGER PRIMARY KEY, [) strict] TEXT, ")`" TEXT, `"` TEXT /* strict */) -- strict', "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT CHECK (a <> ''')')) STRICT",
])('the options of a table are those that SQLite sees: %s', (sql) => {
  db.exec(sql)
  const [wr, strict] = db.get("SELECT wr, strict FROM pragma_table_list WHERE name = 't'") ?? []
  const form = describeTable(db, 't')
  expect([form.rowid === undefined, form.strict]).toEqual([wr === 1n, strict === 1n])
})
