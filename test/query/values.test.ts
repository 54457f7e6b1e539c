import { expect, test } from 'vitest'
import { isSealError } from '../../engine/errors.js'
import { openSqlite } from '../../query/sqlite.js'
import { bindNamed, bindPositional, toResultValue, toSqlValue } from '../../query/values.js'

const db = (await openSqlite()).database()

function code(run: () => unknown): string | undefined {
  try {
    run()
  } catch (error) {
    return isSealError(error) ? error.code : String(error)
  }
  return undefined
}

const GOOD: readonly (readonly [unknown, unknown, string])[] = [
  [null, null, 'null'],
  [true, 1n, 'integer'], [false, 0n, 'integer'],
  [5, 5n, 'integer'], [-0, 0n, 'integer'], [3e9, 3_000_000_000n, 'integer'], [2 ** 53 - 1, 2n ** 53n - 1n, 'integer'], [-(2 ** 31), -(2n ** 31n), 'integer'],
  [2 ** 53, 2 ** 53, 'real'], [1e300, 1e300, 'real'], [0.5, 0.5, 'real'], [Infinity, Infinity, 'real'],
  [2n ** 63n - 1n, 2n ** 63n - 1n, 'integer'], [-(2n ** 63n), -(2n ** 63n), 'integer'],
  ['text', 'text', 'text'],
  [new Uint8Array([1, 2]), new Uint8Array([1, 2]), 'blob'], [Buffer.from('ab'), Buffer.from('ab'), 'blob'], [new Uint8Array([3]).buffer, new Uint8Array([3]), 'blob'],
  [new Date(0), '1970-01-01T00:00:00.000Z', 'text'],
  [[1, 'a', null], '[1,"a",null]', 'text'], [{ a: { b: true } }, '{"a":{"b":true}}', 'text'], [Object.create(null), '{}', 'text'], [{ toJSON: () => 'j' }, '"j"', 'text'],
  [['\uD800'], '["\\ud800"]', 'text'],
]
test.each(GOOD.map(([given, exact, type], i) => ({ i, given, exact, type })))('$i: a parameter becomes $type', ({ given, exact, type }) => {
  expect(toSqlValue(given)).toStrictEqual(exact)
  const statement = db.prepare('SELECT ?1, typeof(?1)')
  bindPositional(statement, [given])
  statement.step()
  expect(statement.row()).toEqual([exact instanceof Uint8Array ? new Uint8Array(exact) : exact, type])
  statement.finalize()
})

const circular: Record<string, unknown> = {}
circular['self'] = circular
test.each([
  [undefined], [NaN], [2n ** 63n], [-(2n ** 63n) - 1n], ['\uDC00'], [Symbol('s')], [() => 1], [new Date(NaN)], [new Map([[1, 2]])], [new Set()], [new Float64Array(2)], [new (class Point {})()],
  [circular], [{ big: 1n }], [{ toJSON: () => undefined }], [/x/],
])('refused: %s', (value) => {
  expect(code(() => toSqlValue(value))).toBe('bad-value')
  const statement = db.prepare('SELECT ?')
  expect(code(() => bindPositional(statement, [value]))).toBe('bad-value')
  statement.finalize()
})

test('results', () => {
  expect([null, 5n, 2n ** 53n - 1n, 2n ** 53n, -(2n ** 53n), 5.5, 'x'].map(toResultValue)).toEqual([null, 5, 2 ** 53 - 1, 2n ** 53n, -(2n ** 53n), 5.5, 'x'])
})

test('as many as there are, no more, no fewer', () => {
  const statement = db.prepare('SELECT ?, ?')
  bindPositional(statement, [1, 2])
  expect(code(() => bindPositional(statement, [1]))).toBe('bad-argument')
  expect(code(() => bindPositional(statement, [1, 2, 3]))).toBe('bad-argument')
})

test('by name', () => {
  const statement = db.prepare('SELECT :a, @b, $c, :a')
  const names = [':a', '@b', '$c']
  bindNamed(statement, names, { a: 1, '@b': 'two', $c: null })
  statement.step()
  expect(statement.row()).toEqual([1n, 'two', null, 1n])
  expect(code(() => bindNamed(statement, names, { a: 1, b: 2 }))).toBe('bad-argument')
  expect(code(() => bindNamed(statement, names, { a: 1, b: 2, c: 3, d: 4 }))).toBe('bad-argument')
  expect(code(() => bindNamed(statement, [':__proto__'], {}))).toBe('bad-argument')
  expect(code(() => bindNamed(statement, [':z'], { z: 1 }))).toBe('bad-argument')
})
