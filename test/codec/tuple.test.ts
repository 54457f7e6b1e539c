import fc from 'fast-check'
import initSqlJs from 'sql.js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compareBytes, decodeHex, encodeHex, encodeUtf8 } from '../../engine/codec/bytes.js'
import { decodeTuple, encodeTuple, encodeTuplePrefix, prefixSuccessor, tupleClassRange, tupleRange, type TupleClass } from '../../engine/codec/tuple.js'
import { type SqlValue } from '../../engine/codec/value.js'
import { isSealError } from '../../engine/errors.js'
import { codeOf } from '../outcomes.js'

// The comparator: written from SQLite's documentation alone, sharing nothing with the encoding. JavaScript compares bigint with
// number by mathematical value.
function classOf(value: SqlValue): TupleClass {
  if (value === null) return 'null'
  if (typeof value === 'string') return 'text'
  return value instanceof Uint8Array ? 'blob' : 'number'
}

function compareLists(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < a.length && i < b.length; i++) if (a[i] !== b[i]) return Math.sign((a[i] ?? 0) - (b[i] ?? 0))
  return Math.sign(a.length - b.length)
}

function compareValues(a: SqlValue, b: SqlValue): number {
  const order = ['null', 'number', 'text', 'blob']
  const byClass = Math.sign(order.indexOf(classOf(a)) - order.indexOf(classOf(b)))
  if (byClass !== 0 || a === null || b === null) return byClass
  if (typeof a === 'string' && typeof b === 'string') return compareLists(codePoints(a), codePoints(b))
  if (a instanceof Uint8Array && b instanceof Uint8Array) return compareLists([...a], [...b])
  return a < b ? -1 : a > b ? 1 : 0
}

function compareTuples(a: readonly SqlValue[], b: readonly SqlValue[]): number {
  for (let i = 0; i < a.length && i < b.length; i++) {
    const order = compareValues(a[i] as SqlValue, b[i] as SqlValue)
    if (order !== 0) return order
  }
  return Math.sign(a.length - b.length)
}

const codePoints = (text: string): number[] => Array.from(text, (c) => c.codePointAt(0) as number)

// Edges: around every byte-length step, 2^53, 2^63, the fraction marker, subnormals, escapes, surrogate pairs against U+FFFF.
const integerEdges: bigint[] = []
for (let bits = 0n; bits <= 63n; bits++) for (const delta of [-2n, -1n, 0n, 1n, 2n]) integerEdges.push(2n ** bits + delta, -(2n ** bits) + delta)
const realEdges: number[] = [0, -0, Infinity, -Infinity, 5e-324, -5e-324, 2.2250738585072014e-308, Number.MAX_VALUE, -Number.MAX_VALUE, 9.3e18, -9.3e18, 1e300]
for (let bits = -3; bits <= 66; bits++) {
  const p = 2 ** bits
  for (const x of [p, p * (1 + 2 ** -52), p * (1 - 2 ** -53), p + 0.5, p - 0.5, p + 0.25]) realEdges.push(x, -x)
}
const textEdges = ['', 'a', 'ab', 'b', 'a\0', 'a\0\0', 'a\0b', 'a\x01', 'a\x01\x01', 'a\x02', '\0', '\x01', '\x02', '\x7f', 'é', '\uffff', '\ufeff', '\u{10000}', '\u{10ffff}', 'a\u{10000}']
const blobEdges = ['', '00', '01', '02', '0000', '0001', '0101', '0102', '01', 'ff', 'ffff', 'ff00', '6100', '61', '6101', '6102']
const edges: SqlValue[] = [
  null,
  ...new Set(integerEdges.filter((v) => v >= -(2n ** 63n) && v < 2n ** 63n)),
  ...new Set(realEdges),
  ...textEdges,
  ...blobEdges.map(decodeHex),
]

const arbitraryValue: fc.Arbitrary<SqlValue> = fc.oneof(
  fc.constantFrom(...edges),
  fc.constant(null),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.integer().map(BigInt),
  fc.double({ noNaN: true }),
  fc.double({ noNaN: true, min: -1000, max: 1000 }),
  fc.integer().map((n) => n / 8),
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.string({ unit: fc.constantFrom('\0', '\x01', '\x02', 'a', '\uffff', '\u{10000}'), maxLength: 5 }),
  fc.uint8Array({ maxLength: 6 }),
  fc.uint8Array({ maxLength: 5, max: 3 }),
)

describe('order', () => {
  test('of every two edge values, alone and followed by another element', () => {
    const alone = edges.map((v) => encodeTuple([v]))
    const before = edges.map((v) => encodeTuple([v, null]))
    const after = edges.map((v) => encodeTuple([v, Uint8Array.of(255)]))
    for (let i = 0; i < edges.length; i++) {
      for (let j = 0; j < edges.length; j++) {
        const expected = compareValues(edges[i] as SqlValue, edges[j] as SqlValue)
        const same = Math.sign(compareBytes(alone[i] as Uint8Array, alone[j] as Uint8Array))
        const mixed = Math.sign(compareBytes(after[i] as Uint8Array, before[j] as Uint8Array))
        if (same !== expected || mixed !== (expected === 0 ? 1 : expected)) {
          expect.fail(`${String(edges[i])} ? ${String(edges[j])}: expected ${expected}, alone ${same}, mixed ${mixed}`)
        }
      }
    }
  })

  test('of random tuples, and no key begins another', () => {
    const tuple = fc.array(arbitraryValue, { maxLength: 4 })
    fc.assert(
      fc.property(tuple, tuple, fc.nat(3), (a, b, shared) => {
        const left = a
        const right = [...a.slice(0, shared), ...b]
        const x = encodeTuple(left)
        const y = encodeTuple(right)
        const expected = compareTuples(left, right)
        expect(Math.sign(compareBytes(x, y))).toBe(expected)
        if (expected !== 0) expect(encodeHex(y).startsWith(encodeHex(x))).toBe(false)
      }),
      { numRuns: 5000 },
    )
  })

  test('is that of SQLite itself', async () => {
    const { Database } = await initSqlJs()
    const database = new Database()
    database.run('CREATE TABLE t (i INTEGER PRIMARY KEY, v)')
    edges.forEach((value, i) => {
      // sql.js binds a bigint as text and an integral number as INTEGER; text goes as its bytes because of the NULs.
      if (typeof value === 'bigint') database.run('INSERT INTO t VALUES (?, CAST(? AS INTEGER))', [i, String(value)])
      else if (typeof value === 'number') database.run('INSERT INTO t VALUES (?, CAST(? AS REAL))', [i, value])
      else if (typeof value === 'string') database.run('INSERT INTO t VALUES (?, CAST(? AS TEXT))', [i, encodeUtf8(value)])
      else database.run('INSERT INTO t VALUES (?, ?)', [i, value])
    })
    const ranks = database.exec('SELECT dense_rank() OVER (ORDER BY v) FROM t ORDER BY i')[0]?.values.map(([rank]) => rank)
    database.close()
    const keys = edges.map((value) => encodeHex(encodeTuple([value])))
    const distinct = [...new Set(keys)].sort()
    expect(keys.map((key) => distinct.indexOf(key) + 1)).toEqual(ranks)
  })

  test('a number that SQLite calls equal has one encoding', () => {
    expect(encodeTuple([1])).toEqual(encodeTuple([1n]))
    expect(encodeTuple([-0])).toEqual(encodeTuple([0n]))
    expect(encodeTuple([-(2 ** 63)])).toEqual(encodeTuple([-(2n ** 63n)]))
    expect(encodeTuple([2 ** 53])).toEqual(encodeTuple([2n ** 53n]))
    expect(encodeTuple([2 ** 53])).not.toEqual(encodeTuple([2n ** 53n + 1n]))
    expect(compareBytes(encodeTuple([2n ** 63n - 1n]), encodeTuple([2 ** 63]))).toBeLessThan(0)
  })
})

describe('decode', () => {
  // A hundred thousand refusals: capturing a stack for each would be most of the time.
  const { stackTraceLimit } = Error
  beforeAll(() => void (Error.stackTraceLimit = 0))
  afterAll(() => void (Error.stackTraceLimit = stackTraceLimit))

  test('gives equal values back', () => {
    fc.assert(
      fc.property(fc.array(arbitraryValue, { maxLength: 5 }), fc.uint8Array({ maxLength: 5 }), (values, prefix) => {
        const decoded = decodeTuple(encodeTuple(values, prefix), prefix.length)
        expect(decoded.length).toBe(values.length)
        expect(compareTuples(decoded, values)).toBe(0)
      }),
      { numRuns: 3000 },
    )
    expect(decodeTuple(encodeTuple([1, 1.5, -0]))).toEqual([1n, 1.5, 0n])
  })

  test('accepts only what encode makes: every byte of every edge key changed, cut, extended', () => {
    for (const value of edges) {
      const key = encodeTuple([value, 'x'])
      for (let length = 0; length < key.length; length++) if (codeOf(() => decodeTuple(key.subarray(0, length))) !== 'bad-encoding') expect.fail(encodeHex(key))
      for (let i = 0; i < key.length; i++) {
        for (let bit = 0; bit < 8; bit++) {
          const changed = key.slice()
          changed[i] = (changed[i] as number) ^ (1 << bit)
          reencodesOrRefuses(changed)
        }
      }
      expect(codeOf(() => decodeTuple(Uint8Array.of(...key, 0)))).toBe('bad-encoding')
    }
  })

  test('accepts only what encode makes: random bytes near the format', () => {
    const byte = fc.constantFrom(0, 1, 2, 5, 7, 8, 9, 0x0e, 0x0f, 0x10, 0x11, 0x12, 0x18, 0x19, 0x20, 0x30, 0x3f, 0x40, 0x43, 0x7f, 0x80, 0xbf, 0xc0, 0xf0, 0xff)
    fc.assert(fc.property(fc.array(byte, { maxLength: 24 }), (bytes) => reencodesOrRefuses(Uint8Array.from([...bytes, 0]))), { numRuns: 20_000 })
  })

  test('refuses each non-canonical form by itself', () => {
    const forms: Record<string, string> = {
      'no close': '05',
      'unknown type code': '0600',
      'a leading zero in a positive number': '12000a00',
      'a leading ff in a negative number': '0efff500',
      'an integer in the large form': '1943cfffffffffffff00',
      'NaN': '197ff800000000000000',
      'a negative magnitude': '19c3e000000000000000',
      'the fraction of another whole part': '110b401800000000000000',
      'an integral fraction': '110b401400000000000000',
      'a bad escape': '2001030000',
      'UTF-8 of a surrogate': '20eda0800000',
      'overlong UTF-8': '20c1810000',
    }
    for (const [name, hex] of Object.entries(forms)) expect(codeOf(() => decodeTuple(decodeHex(hex))), name).toBe('bad-encoding')
    expect(codeOf(() => decodeTuple(new Uint8Array(256)))).toBe('too-large')
    expect(codeOf(() => decodeTuple(new Uint8Array(3), 4))).toBe('bad-encoding')
  })
})

function reencodesOrRefuses(bytes: Uint8Array): void {
  let values: SqlValue[]
  try {
    values = decodeTuple(bytes)
  } catch (error) {
    if (isSealError(error, 'bad-encoding')) return
    throw error
  }
  if (compareBytes(encodeTuple(values), bytes) !== 0) expect.fail(`accepted ${encodeHex(bytes)}`)
}

test('the example in the documentation', () => {
  expect(encodeHex(encodeTuple([7n, 'cat'], Uint8Array.of(0x40)))).toBe('40110e206361740000')
})

describe('limits', () => {
  test('255 bytes is the longest key, 256 is refused, by every class', () => {
    expect(encodeTuple(['a'.repeat(252)]).length).toBe(255)
    expect(codeOf(() => encodeTuple(['a'.repeat(253)]))).toBe('key-too-long')
    expect(encodeTuple(['\0'.repeat(126)]).length).toBe(255)
    expect(codeOf(() => encodeTuple(['\0'.repeat(127)]))).toBe('key-too-long')
    expect(codeOf(() => encodeTuple([new Uint8Array(1 << 20)]))).toBe('key-too-long')
    expect(codeOf(() => encodeTuple(['é'.repeat(1 << 20)]))).toBe('key-too-long')
    for (let length = 225; length < 270; length++) {
      for (const value of [null, 1n, -(2n ** 62n), 1e15 + 0.5, 'x', Uint8Array.of(1), 2 ** 63]) {
        const values = [new Uint8Array(length).fill(9), value]
        const code = codeOf(() => encodeTuple(values))
        const exact = length + 3 + (encodeTuple([value]).length - 1)
        expect(code).toBe(exact <= 255 ? 'no error' : 'key-too-long')
      }
    }
    expect(codeOf(() => encodeTuple([], new Uint8Array(254)))).toBe('no error')
    expect(codeOf(() => encodeTuple([], new Uint8Array(255)))).toBe('key-too-long')
    expect(codeOf(() => encodeTuple([null], new Uint8Array(254)))).toBe('key-too-long')
  })

  test('values without an encoding are refused, wherever they stand', () => {
    const long = 'x'.repeat(300)
    for (const value of [NaN, 2n ** 63n, -(2n ** 63n) - 1n, '\ud800', 'a\udc00', long + '\ud800']) {
      expect(codeOf(() => encodeTuple([value]))).toBe('bad-value')
      expect(codeOf(() => encodeTuple([long, value]))).toBe('bad-value')
      expect(codeOf(() => tupleRange([value]))).toBe('bad-value')
    }
    expect(codeOf(() => encodeTuple([undefined as unknown as null]))).toBe('bad-value')
  })
})

describe('ranges', () => {
  const prefix = Uint8Array.of(0x40, 3)
  const keys = edges.flatMap((v) => [null, 5n, 'x'].map((w) => ({ values: [v, w] as const, key: encodeTuple([v, w], prefix) })))
  const inside = (key: Uint8Array, range: { lo: Uint8Array; hi: Uint8Array }): boolean => compareBytes(range.lo, key) <= 0 && compareBytes(key, range.hi) < 0

  test('tupleRange holds exactly the keys with those first values', () => {
    for (const value of edges) {
      const range = tupleRange([value], prefix)
      for (const { values, key } of keys) {
        if (inside(key, range) !== (compareValues(values[0], value) === 0)) expect.fail(`${String(value)} ${String(values[0])}`)
      }
    }
    for (const { key } of keys) expect(inside(key, tupleRange([], prefix))).toBe(true)
    expect(inside(encodeTuple([1n, 1n], Uint8Array.of(0x40, 4)), tupleRange([], prefix))).toBe(false)
  })

  test('tupleClassRange holds exactly one class', () => {
    for (const type of ['null', 'number', 'text', 'blob'] as const) {
      const range = tupleClassRange(type, [], prefix)
      for (const { values, key } of keys) if (inside(key, range) !== (classOf(values[0]) === type)) expect.fail(`${type} ${String(values[0])}`)
      const second = tupleClassRange(type, ['k'], prefix)
      for (const value of edges) expect(inside(encodeTuple(['k', value], prefix), second)).toBe(classOf(value) === type)
      expect(inside(encodeTuple(['kk', 1n], prefix), second)).toBe(false)
    }
  })

  test('a bound too long for any key is cut and still splits the keys rightly', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', 'b', 'é', '\u{10000}'), minLength: 120, maxLength: 400 }), fc.nat(130), (text, cut) => {
        const { lo, hi } = tupleRange([text])
        expect(hi.length).toBeLessThanOrEqual(255)
        for (const other of [text.slice(0, cut).toWellFormed(), text.slice(0, cut).toWellFormed() + 'b', text.slice(0, cut).toWellFormed() + '\u{10ffff}']) {
          if (codeOf(() => encodeTuple([other])) !== 'no error') continue
          const order = compareValues(other, text)
          const key = encodeTuple([other])
          if (order < 0) expect(compareBytes(key, hi)).toBeLessThan(0)
          if (order > 0) expect(compareBytes(key, lo)).toBeGreaterThanOrEqual(0)
        }
      }),
      { numRuns: 500 },
    )
  })

  test('prefixes', () => {
    expect(encodeHex(encodeTuplePrefix([1n], prefix))).toBe('40031102')
    expect(codeOf(() => encodeTuplePrefix(['a'.repeat(253)]))).toBe('key-too-long')
    expect(prefixSuccessor(decodeHex('40ff'))).toEqual(decodeHex('41'))
    expect(prefixSuccessor(decodeHex('ffff'))).toBeNull()
    expect(prefixSuccessor(new Uint8Array(0))).toBeNull()
  })
})
