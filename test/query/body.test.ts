import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type SqlValue } from '../../engine/codec/value.js'
import { isSealError } from '../../engine/errors.js'
import { decodeBody, decodeRow } from '../../query/body.js'
import { encodeBody } from './body-support.js'

const value: fc.Arbitrary<SqlValue> = fc.oneof(
  fc.constant(null),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.bigInt({ min: -1000n, max: 1000n }),
  fc.double({ noNaN: true }).map((n) => n + 0),
  fc.string({ unit: 'grapheme' }),
  fc.uint8Array(),
)
const body = fc.uniqueArray(fc.tuple(fc.integer({ min: 0, max: 5000 }), value), { selector: ([id]) => id, maxLength: 30 }).map((columns) => columns.sort(([a], [b]) => a - b))

function code(run: () => unknown): string | undefined {
  try {
    run()
  } catch (error) {
    return isSealError(error) ? error.code : `${String(error)}`
  }
  return undefined
}

test('round-trips with the storage class', () => {
  fc.assert(
    fc.property(body, (columns) => {
      const ids = columns.map(([id]) => id)
      const values = columns.map(([, v]) => v)
      expect(decodeBody(encodeBody(ids, values))).toStrictEqual({ ids, values })
    }),
    { numRuns: 500 },
  )
  expect(decodeBody(encodeBody([1, 2], [5n, 5])).values).toStrictEqual([5n, 5])
  expect(Object.is(decodeBody(encodeBody([1], [-0])).values[0], 0)).toBe(true)
})

test('as a row: by id, defaults for what is missing, dropped columns passed over', () => {
  const bytes = encodeBody([2, 3, 7], ['two', 3n, 7])
  expect(decodeRow(bytes, [2, 3, 7], [null, null, null])).toEqual(['two', 3n, 7])
  expect(decodeRow(bytes, [1, 2, 5, 7, 9], ['a', 'b', 'c', 'd', 'e'])).toEqual(['a', 'two', 'c', 7, 'e'])
  expect(decodeRow(bytes, [], [])).toEqual([])
  fc.assert(
    fc.property(body, fc.uniqueArray(fc.integer({ min: 0, max: 5000 }), { maxLength: 20 }), (columns, wanted) => {
      const ids = columns.map(([id]) => id)
      const all = [...new Set([...wanted, ...ids.filter((id) => id % 2 === 0)])].sort((a, b) => a - b)
      const expected = all.map((id) => columns.find(([column]) => column === id)?.[1] ?? (ids.includes(id) ? null : 'default'))
      expect(decodeRow(encodeBody(ids, columns.map(([, v]) => v)), all, all.map(() => 'default'))).toStrictEqual(expected)
    }),
    { numRuns: 200 },
  )
})

test('refuses what has no body', () => {
  for (const bad of [NaN, 2n ** 63n, '\uD800']) expect(code(() => encodeBody([1], [bad]))).toBe('bad-value')
  expect(code(() => encodeBody([2, 1], [null, null]))).toBe('bad-argument')
  expect(code(() => encodeBody([1, 1], [null, null]))).toBe('bad-argument')
  expect(code(() => encodeBody([1], []))).toBe('bad-argument')
  expect(code(() => encodeBody(Array.from({ length: 2001 }, (_, i) => i), Array.from({ length: 2001 }, () => null)))).toBe('bad-argument')
  expect(code(() => encodeBody([1, 2], [new Uint8Array(9_000_000), new Uint8Array(9_000_000)]))).toBe('too-large')
  // And the shared writer is usable after each.
  expect(decodeBody(encodeBody([1], ['after'])).values).toEqual(['after'])
})

test('hostile bytes: a typed error or exactly the body that encodes to them', () => {
  const seen = new Set<string>()
  const check = (bytes: Uint8Array): void => {
    for (const decode of [decodeBody, (b: Uint8Array) => decodeRow(b, [1, 4], [null, null])]) {
      const error = code(() => decode(bytes))
      if (error !== undefined) {
        expect(['bad-encoding', 'too-large']).toContain(error)
        seen.add(error)
      } else {
        const { ids, values } = decodeBody(bytes)
        expect(encodeBody(ids, values)).toEqual(bytes)
      }
    }
  }
  const good = encodeBody([1, 3, 4, 200], [2n ** 60n, 'grüße __proto__', 1.5, new Uint8Array([1, 2, 3])])
  for (let cut = 0; cut < good.length; cut++) check(good.slice(0, cut))
  for (let at = 0; at < good.length; at++) for (let byte = 0; byte < 256; byte++) check(good.map((b, i) => (i === at ? byte : b)))
  check(new Uint8Array([...good, 0]))
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => check(new Uint8Array([1, ...bytes]))), { numRuns: 1500 })
  check(new Uint8Array(16 * 1024 * 1024 + 1))
  // A count, a gap or a length that promises more than there is.
  check(new Uint8Array([1, 0xcf, 0x0f]))
  check(new Uint8Array([1, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f, 0]))
  check(new Uint8Array([1, 1, 0, 4, 0xff, 0xff, 0xff, 0x07]))
  expect(seen).toEqual(new Set(['bad-encoding', 'too-large']))
})
