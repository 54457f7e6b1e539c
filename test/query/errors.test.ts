/** What is wrong is said: a typed error, with its place where there is one; the space is as before; and no sealed value is in anything that gets logged. */
import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { isSealError, type SealError } from '../../engine/errors.js'
import type { Parameters } from '../../query/values.js'
import { contents, newDatabase, type Opened } from './database-support.js'

const CANARY = 'canary-7f3a9'
const NUMBER = 8_675_309_421
const SCHEMA = `
  CREATE TABLE t (id INTEGER PRIMARY KEY, owner INTEGER PLAINTEXT, secret TEXT UNIQUE, n INTEGER NOT NULL DEFAULT 1, CHECK (secret <> 'no'));
  CREATE TABLE strict (id INTEGER PRIMARY KEY, i INTEGER, t TEXT) STRICT;
  CREATE TABLE child (id INTEGER PRIMARY KEY, p TEXT REFERENCES t (secret));
  CREATE TABLE j (id INTEGER PRIMARY KEY, doc TEXT, a INT GENERATED ALWAYS AS (json_extract(doc, '$.a')) STORED);
  CREATE TABLE guarded (v);
  CREATE TRIGGER guard BEFORE INSERT ON guarded BEGIN SELECT RAISE(ABORT, 'guarded says no'); END;
  CREATE TRIGGER guard_column BEFORE UPDATE ON guarded BEGIN SELECT RAISE(FAIL, 'old value ' || old.v); END;
  INSERT INTO t VALUES (1, 1, '${CANARY}', ${NUMBER}), (2, 1, 'other ${CANARY}', 2);
  INSERT INTO strict VALUES (1, ${NUMBER}, '${CANARY}');
  INSERT INTO j (id, doc) VALUES (1, '{"a": 1, "s": "${CANARY}"}')`

let opened: Opened
const logged: unknown[][] = []
beforeEach(async () => {
  opened = await newDatabase('errors', SCHEMA)
  logged.length = 0
  for (const method of ['log', 'info', 'warn', 'error', 'debug'] as const) vi.spyOn(console, method).mockImplementation((...parts: unknown[]) => { logged.push(parts) })
})
afterEach(async () => {
  vi.restoreAllMocks()
  await opened.close()
})

async function errorOf(text: string, parameters?: Parameters): Promise<SealError> {
  try {
    await opened.db.query(text, parameters)
  } catch (error) {
    if (isSealError(error)) return error
    throw error
  }
  throw new Error(`no error: ${text}`)
}

describe('typed, and the space unchanged', () => {
  test.each<[string, Parameters | undefined, object]>([
    ['SELEC 1', undefined, { code: 'sql-syntax', facts: { line: 1, column: 1 } }],
    ['SELECT *\n  FROM t\n WHERE WHERE id', undefined, { code: 'sql-syntax', facts: { line: 3, column: 8 } }],
    ["SELECT 'unclosed", undefined, { code: 'sql-syntax', facts: { line: 1, column: 8 } }],
    ['SELECT 1; SELECT 2', undefined, { code: 'sql-syntax' }],
    ['', undefined, { code: 'sql-syntax' }],
    ['CREATE TABLE x (a BLIND PLAINTEXT)', undefined, { code: 'unsupported-sql', facts: { what: 'visibility' } }],
    ['SELECT * FROM nowhere', undefined, { code: 'sql-error', message: 'no such table: nowhere', facts: { name: 'SQLITE_ERROR' } }],
    ['SELECT absent FROM t', undefined, { code: 'sql-error', message: 'no such column: absent' }],
    ['INSERT INTO nowhere VALUES (1)', undefined, { code: 'sql-error', message: 'no such table: nowhere' }],
    ['SELECT nofunction(1)', undefined, { code: 'sql-error', message: 'no such function: nofunction' }],
    ['INSERT INTO t (id) VALUES (1, 2)', undefined, { code: 'sql-error' }],
    ['SELECT ?', [], { code: 'bad-argument', facts: { expected: 1, found: 0 } }],
    ['SELECT ?', [1, 2], { code: 'bad-argument', facts: { expected: 1, found: 2 } }],
    ['SELECT ?', undefined, { code: 'bad-argument' }],
    ['SELECT :a', { b: 1 }, { code: 'bad-argument' }],
    ['SELECT :a', { a: 1, b: 1 }, { code: 'bad-argument', facts: { name: 'b' } }],
    ['SELECT ?', [Number.NaN], { code: 'bad-value' }],
    ['SELECT ?', [2n ** 64n], { code: 'bad-value' }],
    ['SELECT ?', ['\ud800'], { code: 'bad-value' }],
    ['SELECT ?', [new Map()], { code: 'bad-value' }],
    ['SELECT ?', [(() => 1) as unknown as object], { code: 'bad-value' }],
    ['CREATE POLICY p ON t FOR ALL USING (secret = 1)', undefined, { code: 'bad-policy', facts: { what: 'sealed-column' } }],
    ['CREATE POLICY p ON t FOR ALL USING (nothing = 1)', undefined, { family: 'usage' }],
    ['CREATE POLICY p ON nowhere FOR ALL USING (TRUE)', undefined, { code: 'sql-error', message: 'no such table: nowhere' }],
    ['CREATE POLICY p ON t FOR ALL USING (random() = 1)', undefined, { code: 'bad-policy' }],
    ['DROP POLICY p ON t', undefined, { code: 'bad-policy' }],
    ['DROP TABLE nowhere', undefined, { code: 'sql-error' }],
    ['CREATE TABLE t (x)', undefined, { code: 'sql-error' }],
    ['CREATE VIRTUAL TABLE v USING fts4 (x)', undefined, { code: 'unsupported-sql', facts: { what: 'CREATE VIRTUAL TABLE' } }],
    ["ATTACH ':memory:' AS x", undefined, { code: 'unsupported-sql' }],
    ['PRAGMA writable_schema = ON', undefined, { code: 'unsupported-sql' }],
    ["INSERT INTO t (owner) SELECT 1 FROM t AS OF 100000", undefined, { family: 'usage' }],
    ['SELECT * FROM t AS OF -1', undefined, { family: 'usage' }],
    ['COMMIT', undefined, { code: 'sql-error', message: 'cannot commit - no transaction is active' }],
    ['ROLLBACK TO nowhere', undefined, { code: 'sql-error' }],
    ['UPDATE t SET id = NULL', undefined, { code: 'sql-error' }],
    [`SELECT ${'('.repeat(5000)}1${')'.repeat(5000)}`, undefined, { code: 'sql-limit' }],
    [`SELECT ${'1+'.repeat(5000)}1`, undefined, { code: 'sql-limit' }],
  ])('%s', async (text, parameters, expected) => {
    const { db, space } = opened
    const [before, size] = [await contents(db), space.head.size]
    const error = await errorOf(text, parameters)
    expect({ code: error.code, family: error.family, message: error.message, facts: error.facts }).toMatchObject(expected)
    expect(await contents(db)).toEqual(before)
    expect(space.head.size).toBe(size)
  })

  test('what was expected and found is told, by class only where it is a literal', async () => {
    const error = await errorOf(`SELECT id FROM t WHERE secret = '${CANARY}' '${CANARY}'`)
    expect(error.code).toBe('sql-syntax')
    expect(error.facts).toMatchObject({ line: 1 })
    expect(error.facts.found).toBeDefined()
    expect(error.facts.expected).toBeDefined()
    expect(inspect(error.facts)).not.toContain(CANARY)
  })
})

describe('sealed values stay out of errors', () => {
  /** Everything that a logger would print of it: message, facts, stack, causes. */
  const everything = (error: unknown): string => inspect(error, { depth: 10, showHidden: true })

  test.each<[string, string, Parameters?]>([
    ['UNIQUE', `INSERT INTO t (secret) VALUES ('${CANARY}')`],
    ['UNIQUE, by parameter', 'INSERT INTO t (secret) VALUES (?)', [CANARY]],
    ['UNIQUE, by UPDATE of what is there', 'UPDATE t SET secret = (SELECT secret FROM t WHERE id = 1) WHERE id = 2'],
    ['key', 'INSERT INTO t (id, secret) SELECT id, secret FROM t'],
    ['NOT NULL', 'UPDATE t SET n = NULL'],
    ['CHECK', "UPDATE t SET secret = 'no' WHERE id = 1"],
    ['STRICT type', `INSERT INTO strict SELECT 5, secret, 'x' FROM t`],
    ['STRICT type, by parameter', 'INSERT INTO strict (i) VALUES (?)', [CANARY]],
    ['STRICT number', `UPDATE strict SET i = i + 0.5`],
    ['datatype mismatch', 'INSERT INTO t (id) SELECT secret FROM t'],
    ['datatype mismatch of a rowid', 'UPDATE t SET id = secret'],
    ['JSON', 'SELECT json(secret) FROM t'],
    ['JSON path', "SELECT json_extract(doc, secret) FROM j, t"],
    ['JSON path beside', "SELECT json_extract('{}', secret) FROM t"],
    ['JSON in a generated column', 'INSERT INTO j (doc) SELECT secret FROM t'],
    ['FOREIGN KEY', "PRAGMA foreign_keys = ON"],
    ['overflow', 'SELECT sum(n * 9223372036854775807 / 1) + abs(-9223372036854775807 - 1) FROM t'],
    ['LIKE with a bad ESCAPE', 'SELECT * FROM t WHERE secret LIKE secret ESCAPE secret'],
    ['RAISE', "INSERT INTO guarded SELECT secret FROM t"],
    ['a table named by a value', 'SELECT * FROM sealdb_history((SELECT secret FROM t))'],
    ['AS OF by a value', 'SELECT * FROM t AS OF ?', [CANARY]],
    ['LIMIT by a value', 'SELECT * FROM t LIMIT (SELECT secret FROM t)'],
    ['printf', 'SELECT printf(secret, 1, zeroblob(2000000000)) FROM t'],
    ['too large', 'SELECT length(replace(hex(zeroblob(300000000)), \'0\', secret)) FROM t'],
    ['syntax near it', `SELECT FROM '${CANARY}' WHERE`],
    ['syntax after it', `INSERT INTO t (secret) VALUES ('${CANARY}'`],
    ['wrong number of values', `INSERT INTO t (id, secret) VALUES (1, '${CANARY}', 3)`],
    ['bad value', 'SELECT ?, ?', [CANARY, Number.NaN]],
    ['parameter count', 'SELECT ?', [CANARY, CANARY]],
    ['parameter names', 'SELECT :a', { a: CANARY, b: CANARY }],
    ['date', "SELECT strftime(secret, secret, secret) + 1, timediff(secret, secret), 1 / (SELECT 1 FROM nothing) FROM t"],
    ['an unknown column', 'SELECT secret, absent FROM t'],
    ['REINDEX', `CREATE UNIQUE INDEX u ON strict (length(t)); INSERT INTO strict VALUES (2, 2, '${CANARY}')`],
    ['UNIQUE over an expression', 'CREATE UNIQUE INDEX u ON t (owner)'],
    ['ALTER … NOT NULL', 'ALTER TABLE t ADD COLUMN x NOT NULL'],
    ['ALTER … CHECK', 'ALTER TABLE t ADD COLUMN y CHECK (secret IS NULL)'],
  ])('%s', async (name, text, parameters) => {
    const errors: unknown[] = []
    const listen = (error: unknown): void => { errors.push(error) }
    process.on('uncaughtException', listen)
    try {
      if (name === 'FOREIGN KEY') {
        await opened.db.exec(text)
        errors.push(await errorOf('INSERT INTO child (p) SELECT hex(secret) || secret FROM t'), await errorOf("INSERT INTO child (p) VALUES (?)", [`${CANARY}!`]))
        await opened.db.query('INSERT INTO child (p) SELECT secret FROM t')
        errors.push(await errorOf('DELETE FROM t'))
      } else if (text.includes(';')) await opened.db.exec(text).catch((error: unknown) => errors.push(error))
      else await opened.db.query(text, parameters).catch((error: unknown) => errors.push(error))
      if (!['overflow', 'date', 'printf', 'too large'].includes(name)) expect(errors.length).toBeGreaterThan(0)
      for (const error of errors) {
        expect(isSealError(error), String(error)).toBe(true)
        const text_ = everything(error)
        expect(text_).not.toContain(CANARY)
        expect(text_).not.toContain(String(NUMBER))
      }
      expect(inspect(logged, { depth: 10 })).not.toContain(CANARY)
    } finally {
      process.off('uncaughtException', listen)
    }
  })

  test('RAISE with a column is the developer’s own word: in the message, and nowhere else', async () => {
    await opened.db.exec('DROP TRIGGER guard; INSERT INTO guarded SELECT secret FROM t')
    const error = await errorOf("UPDATE guarded SET v = 'x'")
    expect(error.message).toBe(`old value ${CANARY}`)
    expect(inspect(error.facts)).not.toContain(CANARY)
    expect(error.cause).toBeUndefined()
  })

  test('a write that is lost, and a live query that fails, say no more', async () => {
    const errors: unknown[] = []
    const stop = opened.db.live('SELECT json(secret) FROM t').subscribe(() => undefined, (error) => errors.push(error))
    await vi.waitFor(() => { expect(errors.length).toBe(1) })
    stop()
    expect(everything(errors[0])).not.toContain(CANARY)
  })
})
