import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compareBytes, decodeHex, encodeHex } from '../../engine/codec/bytes.js'
import { decodeCanonical, encodeCanonical, Reader, Writer } from '../../engine/codec/canonical.js'
import { readValue, type SqlValue, writeValue } from '../../engine/codec/value.js'
import { isSealError } from '../../engine/errors.js'
import { codeOf } from '../outcomes.js'

describe('varint', () => {
  const samples = [0, 1, 127, 128, 16383, 16384, 2 ** 21, 2 ** 28 - 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 35, 2 ** 42 - 1, 2 ** 42, 2 ** 48 - 1]

  test('round-trips in the fewest bytes', () => {
    for (const value of samples) {
      const bytes = new Writer().varint(value).finish()
      expect(bytes.length).toBe(Math.max(1, Math.ceil(value.toString(2).length / 7)))
      expect(decodeCanonical(bytes, (r) => r.varint())).toBe(value)
      for (let cut = 0; cut < bytes.length; cut++) expect(codeOf(() => new Reader(bytes, 0, cut).varint())).toBe('bad-encoding')
    }
    fc.assert(fc.property(fc.maxSafeNat(), (n) => void expect(new Reader(new Writer().varint(n % 2 ** 48).finish()).varint()).toBe(n % 2 ** 48)))
  })

  test('refuses longer forms, more than 48 bits, and over the maximum', () => {
    for (const hex of ['8000', '808000', '8100', 'ff8000', 'ffffffffffff8000', 'ffffffffffff40', '80808080808040', 'ffffffffffffff00', 'ffffffffffffffffffff7f']) {
      expect(codeOf(() => new Reader(decodeHex(hex)).varint()), hex).toBe('bad-encoding')
    }
    expect(new Reader(decodeHex('ffffffffffff3f')).varint()).toBe(2 ** 48 - 1)
    expect(codeOf(() => new Reader(decodeHex('05')).varint(4))).toBe('too-large')
    for (const value of [-1, 0.5, NaN, Infinity, 2 ** 48, 2 ** 53]) expect(codeOf(() => new Writer().varint(value))).toBe('bad-value')
  })
})

describe('int64', () => {
  const samples: bigint[] = []
  for (let bits = 0n; bits < 64n; bits++) for (const d of [-1n, 0n, 1n]) samples.push(2n ** bits + d, -(2n ** bits) + d)

  test('round-trips in the fewest bytes', () => {
    for (const value of samples.filter((v) => v >= -(2n ** 63n) && v < 2n ** 63n)) {
      const bytes = new Writer().int64(value).finish()
      const zigzag = value >= 0n ? 2n * value : -2n * value - 1n
      expect(bytes.length).toBe(Math.max(1, Math.ceil(zigzag.toString(2).length / 7)))
      expect(decodeCanonical(bytes, (r) => r.int64())).toBe(value)
      for (let cut = 0; cut < bytes.length; cut++) expect(codeOf(() => new Reader(bytes, 0, cut).int64())).toBe('bad-encoding')
    }
  })

  test('refuses longer forms and more than 64 bits', () => {
    for (const hex of ['8000', '8100', 'ffffffffffff8000', 'ffffffffffffff00', 'ffffffffffffffff8000', 'ffffffffffffffffff02', 'ffffffffffffffffff7f', 'ffffffffffffffffff8000']) {
      expect(codeOf(() => new Reader(decodeHex(hex)).int64()), hex).toBe('bad-encoding')
    }
    expect(new Reader(decodeHex('ffffffffffffffffff01')).int64()).toBe(-(2n ** 63n))
    for (const value of [2n ** 63n, -(2n ** 63n) - 1n]) expect(codeOf(() => new Writer().int64(value))).toBe('bad-value')
  })
})

describe('lengths', () => {
  test('are refused before anything is allocated or read', () => {
    const huge = new Writer().varint(2 ** 47).finish()
    for (const read of [(r: Reader) => r.bytes(2 ** 20), (r: Reader) => r.text(2 ** 20), (r: Reader) => r.list(2 ** 20, (i) => i.u8()), (r: Reader) => r.copyBytes(9)]) {
      expect(codeOf(() => read(new Reader(huge)))).toBe('too-large')
    }
    for (const read of [(r: Reader) => r.bytes(2 ** 48), (r: Reader) => r.text(2 ** 48), (r: Reader) => r.list(2 ** 48, (i) => i.u8())]) {
      expect(codeOf(() => read(new Reader(huge)))).toBe('bad-encoding')
    }
    const three = Uint8Array.of(3, 1, 1, 1)
    expect(new Reader(three).list(3, (r) => r.u8())).toEqual([1, 1, 1])
    expect(codeOf(() => new Reader(three).list(3, (r) => r.u8(), 2))).toBe('bad-encoding')
    expect(codeOf(() => new Reader(three).list(2, (r) => r.u8()))).toBe('too-large')
    expect(codeOf(() => new Writer().bytes(new Uint8Array(3), 2))).toBe('too-large')
    expect(codeOf(() => new Writer().text('éé', 3))).toBe('too-large')
    expect(codeOf(() => new Writer().text('x'.repeat(60), 59))).toBe('too-large')
    expect(codeOf(() => new Writer().list([1, 2], 1, (w, n) => w.u8(n)))).toBe('too-large')
    expect(codeOf(() => new Writer().fixed(new Uint8Array(3), 2))).toBe('bad-value')
  })

  test('leftovers, wrong flags and truncations are refused', () => {
    expect(codeOf(() => decodeCanonical(Uint8Array.of(1, 2), (r) => r.u8()))).toBe('bad-encoding')
    expect(codeOf(() => new Reader(Uint8Array.of(2)).bool())).toBe('bad-encoding')
    expect(codeOf(() => new Reader(Uint8Array.of(2)).optional((r) => r.u8()))).toBe('bad-encoding')
    expect(codeOf(() => new Reader(Uint8Array.of(1)).optional((r) => r.u8()))).toBe('bad-encoding')
    expect(codeOf(() => new Reader(new Uint8Array(31)).fixed(32))).toBe('bad-encoding')
    expect(codeOf(() => new Reader(new Uint8Array(3), 2, 1))).toBe('bad-argument')
    for (const value of [-1, 256, 0.5, NaN]) expect(codeOf(() => new Writer().u8(value))).toBe('bad-value')
  })

  test('a reader of a part sees no byte outside it', () => {
    const reader = new Reader(Uint8Array.of(9, 1, 7, 9), 1, 3)
    expect([...reader.bytes(5)]).toEqual([7])
    expect(codeOf(() => reader.u8())).toBe('bad-encoding')
    reader.end()
  })
})

describe('text', () => {
  test('round-trips at the border of the fast path, and is strict', () => {
    for (const text of ['', 'a', 'é', 'x'.repeat(47), 'x'.repeat(48), 'x'.repeat(49), 'é'.repeat(24), 'x'.repeat(47) + '\u{1f600}', '\ufeffbom', '\0', 'x'.repeat(5000)]) {
      const bytes = new Writer(1).text(text).finish()
      expect(decodeCanonical(bytes, (r) => r.text(10_000))).toBe(text)
    }
    for (const text of ['\ud800', 'a\udfff', 'x'.repeat(60) + '\ud800']) expect(codeOf(() => new Writer().text(text))).toBe('bad-value')
    for (const hex of ['03eda080', '02c181', '01ff', '02e282', '04f4908080']) expect(codeOf(() => new Reader(decodeHex(hex)).text(100)), hex).toBe('bad-encoding')
  })
})

describe('values', () => {
  const value: fc.Arbitrary<SqlValue> = fc.oneof(
    fc.constant(null),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.integer().map(BigInt),
    fc.double({ noNaN: true }).map((n) => n + 0),
    fc.string({ unit: 'binary' }),
    fc.uint8Array(),
  )

  test('round-trip with their class', () => {
    fc.assert(
      fc.property(fc.array(value), (values) => {
        const bytes = encodeCanonical(values, (w, all) => w.list(all, 100, (w, v) => writeValue(w, v)))
        const back = decodeCanonical(bytes, (r) => r.list(100, (r) => readValue(r)))
        expect(back).toEqual(values)
      }),
    )
    expect(encodeHex(encodeCanonical(1n, writeValue))).toBe('0102')
    expect(encodeHex(encodeCanonical(1, writeValue))).toBe('023ff0000000000000')
    expect(encodeHex(encodeCanonical(-0, writeValue))).toBe('020000000000000000')
  })

  test('outside the domain are refused', () => {
    for (const bad of [NaN, 2n ** 63n, '\udc00', undefined as unknown as null, true as unknown as null]) expect(codeOf(() => encodeCanonical(bad, writeValue))).toBe('bad-value')
    for (const hex of ['05', '027ff8000000000000', '02fff0000000000001', '028000000000000000', '0200', '03', '0302', '040101ff']) {
      expect(codeOf(() => decodeCanonical(decodeHex(hex), readValue)), hex).toBe('bad-encoding')
    }
    expect(codeOf(() => decodeCanonical(decodeHex('0302'), (r) => readValue(r, 1)))).toBe('too-large')
    expect(codeOf(() => encodeCanonical('abc', (w, v) => writeValue(w, v, 2)))).toBe('too-large')
  })
})

test('any bytes: what is accepted is what would be written, and nothing but a SealError is thrown', () => {
  interface Sample {
    readonly flag: boolean
    readonly count: number
    readonly values: readonly SqlValue[]
    readonly name: string
    readonly body: Uint8Array | undefined
  }
  const write = (w: Writer, s: Sample): void => {
    w.bool(s.flag).varint(s.count).list(s.values, 8, (w, v) => writeValue(w, v)).text(s.name, 64).optional(s.body, (w, b) => w.bytes(b, 64))
  }
  const read = (r: Reader): Sample => ({ flag: r.bool(), count: r.varint(), values: r.list(8, (r) => readValue(r, 64)), name: r.text(64), body: r.optional((r) => r.bytes(64)) })
  const check = (bytes: Uint8Array): boolean => {
    let sample: Sample
    try {
      sample = decodeCanonical(bytes, read)
    } catch (error) {
      if (isSealError(error, 'bad-encoding') || isSealError(error, 'too-large')) return false
      throw error
    }
    if (compareBytes(encodeCanonical(sample, write), bytes) !== 0) expect.fail(`accepted ${encodeHex(bytes)}`)
    return true
  }
  const good = encodeCanonical<Sample>({ flag: true, count: 300, values: [null, 5n, -(2n ** 60n), 1.5, 'né', Uint8Array.of(1, 2)], name: 'cat', body: new Uint8Array(3) }, write)
  expect(check(good)).toBe(true)
  for (let i = 0; i < good.length; i++) {
    expect(check(good.subarray(0, i))).toBe(false)
    for (let byte = 0; byte < 256; byte++) check(Uint8Array.from(good, (b, at) => (at === i ? byte : b)))
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => void check(bytes)), { numRuns: 10_000 })
})

test('a writer grows, resets and hands out views or copies', () => {
  const writer = new Writer(0)
  for (let i = 0; i < 1000; i++) writer.varint(i)
  const copy = writer.finish()
  expect(writer.view()).toEqual(copy)
  expect(writer.length).toBe(copy.length)
  writer.reset().u8(7)
  expect([...writer.view()]).toEqual([7])
  expect(copy[0]).toBe(0)
})
