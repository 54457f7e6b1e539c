import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isSealError, SealError } from '../../engine/errors.js'
import { openSqlite, SQLITE_VERSION, type Sqlite } from '../../query/sqlite.js'
import { type SqlValue } from '../../engine/codec/value.js'

const sqlite = await openSqlite()
let db: Sqlite
beforeEach(() => {
  db = sqlite.database()
})
afterEach(() => db.close())

/** The SealError that `run` throws. */
function failure(run: () => unknown): SealError {
  try {
    run()
  } catch (error) {
    if (isSealError(error)) return error
    throw error
  }
  throw new Error('expected a SealError')
}

test('is the pinned SQLite, in memory, once per process', async () => {
  expect(sqlite.version).toBe(SQLITE_VERSION)
  expect(db.get('SELECT file FROM pragma_database_list')).toEqual([''])
  expect(db.get('PRAGMA journal_mode')).toEqual(['memory'])
  expect(db.get('PRAGMA temp_store')).toEqual([2n])
  expect(await openSqlite()).toBe(sqlite)
  expect(sqlite.memoryBytes).toBeGreaterThan(1 << 20)
})

const EXACT: readonly (readonly [SqlValue, string])[] = [
  [null, 'null'],
  [0n, 'integer'], [-1n, 'integer'], [2n ** 31n - 1n, 'integer'], [2n ** 31n, 'integer'], [-(2n ** 31n), 'integer'], [-(2n ** 31n) - 1n, 'integer'], [3000000000n, 'integer'],
  [2n ** 53n - 1n, 'integer'], [2n ** 53n, 'integer'], [2n ** 53n + 1n, 'integer'], [-(2n ** 53n) - 1n, 'integer'], [2n ** 63n - 1n, 'integer'], [-(2n ** 63n), 'integer'],
  [0, 'real'], [5, 'real'], [0.1, 'real'], [-2.5e-308, 'real'], [5e-324, 'real'], [1.7976931348623157e308, 'real'], [Infinity, 'real'], [-Infinity, 'real'], [9007199254740993, 'real'],
  ['', 'text'], ['a', 'text'], ['nul\0inside', 'text'], ['grüße 😀', 'text'], ['x'.repeat(47), 'text'], ['x'.repeat(48), 'text'], ['é'.repeat(40), 'text'], ['long '.repeat(50_000), 'text'],
  ['\uFEFFbom', 'text'], ['12', 'text'],
  [new Uint8Array(0), 'blob'], [new Uint8Array([0, 255, 1]), 'blob'], [new Uint8Array(66_000).fill(7), 'blob'],
]

describe('values are exact', () => {
  test.each(EXACT.map(([value, type], i) => ({ i, value, type })))('$i: $type', ({ value, type }) => {
    db.exec('CREATE TABLE t(v)')
    db.run('INSERT INTO t VALUES (?)', [value])
    expect(db.get('SELECT v, typeof(v), v IS ?1, typeof(?1) FROM t', [value])).toEqual([value, type, 1n, type])
  })

  test('−0.0 is 0.0; NaN, 65-bit integers and unpaired surrogates are refused', () => {
    expect(Object.is(db.get('SELECT ?', [-0])?.[0], 0)).toBe(true)
    for (const value of [NaN, 2n ** 63n, -(2n ** 63n) - 1n, 'a\uD800', `${'x'.repeat(60)}\uDC00`]) expect(failure(() => db.get('SELECT ?', [value])).code).toBe('bad-value')
    expect(failure(() => db.exec("SELECT '\uD800'")).code).toBe('bad-value')
  })

  test('an integer parameter has no affinity, whatever its size', () => {
    // CAST(? AS INTEGER) would compare 'x' as a number here.
    db.exec("CREATE TABLE t(v TEXT); INSERT INTO t VALUES ('9007199254740993'), ('12')")
    expect(db.all('SELECT v FROM t WHERE v = ?', [9007199254740993n])).toEqual([['9007199254740993']])
    expect(db.all('SELECT v FROM t WHERE v = ?', [12n])).toEqual([['12']])
  })

  test('results for users: safe integers are numbers, others bigint', () => {
    const statement = db.prepare(`SELECT 1 a, 9007199254740991 b, 9007199254740992 c, 1.0 d, 'x' e, x'01' f, NULL g, -9223372036854775808 h`)
    expect(statement.step()).toBe(true)
    expect(statement.resultRow()).toEqual([1, 9007199254740991, 9007199254740992n, 1, 'x', new Uint8Array([1]), null, -(2n ** 63n)])
    expect(statement.resultObject()).toEqual({ a: 1, b: 9007199254740991, c: 9007199254740992n, d: 1, e: 'x', f: new Uint8Array([1]), g: null, h: -(2n ** 63n) })
    expect(statement.columns).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'])
  })

  test('a column named __proto__ is a column', () => {
    const statement = db.prepare('SELECT 5 AS __proto__')
    statement.step()
    const row = statement.resultObject()
    expect(Object.getOwnPropertyDescriptor(row, '__proto__')?.value).toBe(5)
    expect(Object.getPrototypeOf(row)).toBe(Object.prototype)
  })

  test('text that is not UTF-8: refused when exact, replaced for users', () => {
    const statement = db.prepare("SELECT CAST(x'ff' AS TEXT)")
    statement.step()
    expect(failure(() => statement.row()).code).toBe('bad-value')
    expect(statement.resultRow()).toEqual(['\uFFFD'])
    expect(failure(() => db.get("SELECT CAST(x'616161616161616161ff61' AS TEXT)")).code).toBe('bad-value')
    expect(db.get("SELECT CAST(x'616161616161616161efbfbd' AS TEXT)")).toEqual(['aaaaaaaaa\uFFFD'])
  })
})

describe('statements', () => {
  test('parameters: count, names, too many, missing are NULL', () => {
    const statement = db.prepare('SELECT ?1, :b, @c, $d')
    expect(statement.parameterCount).toBe(4)
    expect(['?1', ':b', '@c', '$d', ':x', 'b'].map((name) => statement.parameterIndex(name))).toEqual([1, 2, 3, 4, 0, 0])
    expect(statement.get(['x'])).toEqual(['x', null, null, null])
    expect(statement.get(['y', 1n, 2, 'z'])).toEqual(['y', 1n, 2, 'z'])
    expect(statement.get([])).toEqual([null, null, null, null])
    expect(failure(() => statement.bind([1n, 2n, 3n, 4n, 5n])).code).toBe('bad-argument')
    expect(failure(() => statement.bindAt(0, 1n)).code).toBe('bad-argument')
    expect(failure(() => statement.bindAt(5, 1n)).code).toBe('bad-argument')
    expect(db.prepare('SELECT 1').parameterCount).toBe(0)
    expect(db.prepare('SELECT ?300').parameterCount).toBe(300)
  })

  test('steps, ends, does not start again by itself', () => {
    const statement = db.prepare('SELECT value FROM json_each(?)').bind(['[1,2]'])
    expect([statement.step(), statement.value(0), statement.step(), statement.value(0), statement.step(), statement.step()]).toEqual([true, 1n, true, 2n, false, false])
    expect(failure(() => statement.value(0)).code).toBe('bad-argument')
    statement.reset()
    expect(statement.step()).toBe(true)
    expect(failure(() => statement.bindAt(1, null)).code).toBe('bad-argument')
    statement.finalize()
    statement.finalize()
    expect(failure(() => statement.step()).code).toBe('bad-argument')
  })

  test('one statement, with comments after it; the tail of several', () => {
    expect(db.prepare('SELECT 1; -- done').get()).toEqual([1n])
    expect(failure(() => db.prepare('SELECT 1; SELECT 2')).code).toBe('bad-argument')
    expect(failure(() => db.prepare(' -- nothing')).code).toBe('bad-argument')
    const { statement, tail } = db.prepareFirst('SELECT "é" FROM (SELECT 1 AS "é"); SELECT 2')
    expect(statement?.get()).toEqual([1n])
    expect(tail).toBe(' SELECT 2')
    expect(db.prepareFirst('').statement).toBe(undefined)
    expect(failure(() => db.prepare('SELECT 1\0 FROM nowhere')).code).toBe('bad-value')
    expect(failure(() => db.exec("SELECT '\0'")).code).toBe('bad-value')
  })

  test('changes and the last rowid, all 64 bits of it', () => {
    db.exec('CREATE TABLE t(id INTEGER PRIMARY KEY, v)')
    db.run('INSERT INTO t VALUES (?, 1), (?, 2)', [5n, 2n ** 62n + 1n])
    expect([db.changes, db.lastInsertRowid]).toEqual([2, 2n ** 62n + 1n])
  })

  test('memory grows under open statements', () => {
    db.exec('CREATE TABLE t(v)')
    const read = db.prepare('SELECT length(?1), ?1')
    const before = sqlite.memoryBytes
    const insert = db.prepare('INSERT INTO t VALUES (randomblob(8000000))')
    for (let i = 0; i < 12 || sqlite.memoryBytes === before; i++) insert.run()
    expect(read.get(['still here'])).toEqual([10n, 'still here'])
  })
})

describe('errors', () => {
  test.each([
    ['INSERT INTO t VALUES (1, 2, 3)', 'SQLITE_CONSTRAINT_PRIMARYKEY', 1555, 'UNIQUE constraint failed: t.id'],
    ['INSERT INTO t VALUES (2, 1, 3)', 'SQLITE_CONSTRAINT_UNIQUE', 2067, 'UNIQUE constraint failed: t.u'],
    ['INSERT INTO t VALUES (2, 2, NULL)', 'SQLITE_CONSTRAINT_NOTNULL', 1299, 'NOT NULL constraint failed: t.n'],
    ['INSERT INTO t VALUES (2, 9, 1)', 'SQLITE_CONSTRAINT_CHECK', 275, 'CHECK constraint failed: u < 9'],
    ["INSERT INTO t VALUES ('x', 1, 1)", 'SQLITE_MISMATCH', 20, 'datatype mismatch'],
    ['UPDATE t SET u = 1 WHERE raise_it()', 'SQLITE_ERROR', 1, 'no such function: raise_it'],
  ])('%s', (sql, name, result, message) => {
    db.exec('CREATE TABLE t(id INTEGER PRIMARY KEY, u UNIQUE, n NOT NULL, CHECK (u < 9)); INSERT INTO t VALUES (1, 1, 1)')
    const error = failure(() => db.run(sql))
    expect([error.code, error.family, error.facts['name'], error.facts['result'], error.message]).toEqual(['sql-error', 'usage', name, result, message])
    // And the database works on.
    expect(db.get('SELECT count(*) FROM t')).toEqual([1n])
  })

  test('say where in the text', () => {
    expect(failure(() => db.prepare('SELECT nope FROM x')).message).toBe('no such table: x')
    expect(failure(() => db.prepare('SELECT 1 FRM x y z')).facts['offset']).toBe(13)
  })

  test('a closed database refuses, and takes its statements along', () => {
    const statement = db.prepare('SELECT 1')
    db.close()
    db.close()
    expect(statement.finalized).toBe(true)
    expect(failure(() => statement.step()).code).toBe('bad-argument')
    expect(failure(() => db.exec('SELECT 1')).code).toBe('bad-argument')
  })

  test('too much is out-of-memory or too big, not a crash', () => {
    const error = failure(() => db.get('SELECT length(zeroblob(2000000000))'))
    expect(error.facts['name']).toBe('SQLITE_TOOBIG')
    expect(db.get('SELECT 1')).toEqual([1n])
  })

  test('deep statements do not overflow the stack of the module', () => {
    expect(db.get(`SELECT ${'('.repeat(900)}1${')'.repeat(900)}`)).toEqual([1n])
    expect(failure(() => db.get(`SELECT ${'abs('.repeat(3000)}1${')'.repeat(3000)}`)).code).toBe('sql-error')
    expect(db.get(`SELECT ${Array.from({ length: 900 }, () => '1').join('+')}`)).toEqual([900n])
    expect(db.get(`SELECT count(*) FROM ${'(SELECT * FROM '.repeat(90)}(SELECT 1)${')'.repeat(90)}`)).toEqual([1n])
  })
})

describe('functions', () => {
  test.each(EXACT.map(([value, type], i) => ({ i, value, type })))('arguments and results are exact: $i $type', ({ value, type }) => {
    const seen: SqlValue[] = []
    db.createFunction('echo', 1, (v) => {
      seen.push(v as SqlValue)
      return v as SqlValue
    })
    expect(db.get('SELECT echo(?1), typeof(echo(?1))', [value])).toEqual([value, type])
    expect(seen).toEqual([value, value])
  })

  test('what they throw arrives', () => {
    db.createFunction('refuse', 0, () => {
      throw new SealError('no-secret', 'mine')
    })
    db.createFunction('fail', -1, () => {
      throw new TypeError('theirs')
    })
    db.createFunction('huge', 0, () => 2n ** 63n)
    db.createFunction('nan', 0, () => NaN)
    expect(failure(() => db.get('SELECT refuse()')).message).toBe('mine')
    const error = failure(() => db.get('SELECT fail(1, 2)'))
    expect([error.code, error.message, error.cause]).toEqual(['sql-error', 'fail() failed', new TypeError('theirs')])
    expect(failure(() => db.get('SELECT huge()')).code).toBe('bad-value')
    expect(failure(() => db.get('SELECT nan()')).code).toBe('bad-value')
    // Not stuck: the next error is its own.
    expect(failure(() => db.get('SELECT nope()')).message).toBe('no such function: nope')
  })

  test('a function may use the database; a script survives it', () => {
    db.exec('CREATE TABLE log(v)')
    const insert = db.prepare('INSERT INTO log VALUES (?)')
    db.createFunction('note', 1, (v) => {
      insert.run([v as SqlValue])
      return 'x'.repeat(200)
    })
    db.exec(`SELECT note('one ${'1'.repeat(60)}'); SELECT note('two'); SELECT note('three ${'é'.repeat(30)}')`)
    expect(db.all('SELECT v FROM log').map(([v]) => String(v).slice(0, 5))).toEqual(['one 1', 'two', 'three'])
  })

  test('deterministic may be indexed; direct-only is refused in a trigger', () => {
    db.createFunction('det', 1, (v) => v as SqlValue, { deterministic: true })
    db.createFunction('plain', 1, (v) => v as SqlValue)
    db.createFunction('direct', 0, () => 1n, { directOnly: true })
    db.exec('CREATE TABLE t(v); CREATE INDEX i ON t(det(v))')
    expect(failure(() => db.exec('CREATE INDEX j ON t(plain(v))')).code).toBe('sql-error')
    expect(db.get('SELECT direct()')).toEqual([1n])
    db.exec('CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT direct(); END')
    expect(failure(() => db.exec('INSERT INTO t VALUES (1)')).message).toMatch('unsafe use of direct()')
  })
})

test('knows whether a transaction is open, also when a statement ended it', () => {
  db.exec('CREATE TABLE t(id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)')
  expect(db.inTransaction).toBe(false)
  db.exec('BEGIN')
  expect(db.inTransaction).toBe(true)
  expect(failure(() => db.run('INSERT INTO t VALUES (1)')).code).toBe('sql-error')
  expect(db.inTransaction).toBe(true)
  expect(failure(() => db.run('INSERT OR ROLLBACK INTO t VALUES (1)')).code).toBe('sql-error')
  expect(db.inTransaction).toBe(false)
})

test('silently: no foreign key acts and no trigger but a TEMP one, also within a transaction and on a statement prepared again', () => {
  db.exec(`PRAGMA foreign_keys = ON; CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(id REFERENCES p ON DELETE CASCADE); CREATE TABLE log(v);
    CREATE TRIGGER g AFTER DELETE ON p BEGIN INSERT INTO log VALUES (OLD.id); END;
    CREATE TEMP TRIGGER h AFTER DELETE ON p BEGIN INSERT INTO log VALUES (-OLD.id); END;
    INSERT INTO p VALUES (1), (2), (3); INSERT INTO c VALUES (1), (2), (3)`)
  const counts = (): unknown => db.get('SELECT (SELECT count(*) FROM p), (SELECT count(*) FROM c), (SELECT count(*) FROM log)')
  db.exec('BEGIN')
  const remove = db.silently(() => db.prepare('DELETE FROM p WHERE id = ?'))
  db.silently(() => remove.run([1n]))
  expect(counts()).toEqual([2n, 3n, 1n])
  db.exec('CREATE TABLE other(x)')
  db.silently(() => remove.run([2n]))
  expect(counts()).toEqual([1n, 3n, 2n])
  expect(() => db.silently(() => db.exec('nonsense'))).toThrow()
  expect(db.get('PRAGMA foreign_keys')).toEqual([1n])
  db.run('DELETE FROM p WHERE id = 3')
  expect(counts()).toEqual([0n, 2n, 4n])
})

test('copyFrom copies everything', () => {
  db.exec("CREATE TABLE t(a INTEGER PRIMARY KEY, b); INSERT INTO t SELECT value, value || 'x' FROM json_each('[1,2,3]')")
  const other = sqlite.database()
  other.copyFrom(db)
  db.exec('DELETE FROM t')
  expect(other.all('SELECT * FROM t')).toEqual([[1n, '1x'], [2n, '2x'], [3n, '3x']])
  other.close()
})

test('databases are apart and give their memory back', () => {
  for (let i = 0; i < 200; i++) {
    const other = sqlite.database()
    other.createFunction('f', 0, () => BigInt(i))
    other.exec('CREATE TABLE t(v); INSERT INTO t SELECT randomblob(500000)')
    expect(other.get('SELECT f(), count(*) FROM t')).toEqual([BigInt(i), 1n])
    other.close()
  }
  expect(sqlite.memoryBytes).toBeLessThan(400 * 2 ** 20)
})
