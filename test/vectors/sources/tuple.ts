/** Vectors of PROTOCOL.md §2: tuple keys, in ascending order of their bytes. */
import { decodeHex, encodeHex } from '../../../engine/codec/bytes.js'
import { decodeTuple, encodeTuple, tupleClassRange, tupleRange } from '../../../engine/codec/tuple.js'
import { type SqlValue } from '../../../engine/codec/value.js'
import { type Json, type VectorSource } from '../registry.js'
import { codeOf, describeValue } from './codec.js'

export const source: VectorSource = { name: 'tuple', build }

const ascending: readonly SqlValue[] = [
  null, -Infinity, -9.3e18, -(2n ** 63n), -(2n ** 63n) + 1n, -(2n ** 53n) - 1n, -(2 ** 53), -128n, -127.5, -127n, -2n, -1.5, -1n, -0.5, -5e-324, 0n,
  5e-324, 0.5, 1n, 1.5, 2n, 127n, 127.5, 128n, 255n, 256n, 32767n, 32768n, 2 ** 52 - 0.5, 2 ** 53, 2n ** 53n + 1n, 2n ** 63n - 1n, 2 ** 63, 9.3e18, 1.7976931348623157e308, Infinity,
  '', '\0', '\0\0', '\x01', '\x02', 'a', 'a\0', 'a\0b', 'a\x01', 'ab', 'b', '\u00e9', '\uffff', '\u{10000}',
  new Uint8Array(0), decodeHex('00'), decodeHex('0000'), decodeHex('0001'), decodeHex('01'), decodeHex('02'), decodeHex('ff'), decodeHex('ffff'),
]
const tuples: readonly (readonly SqlValue[])[] = [[], [null, null], [1n, 'a'], [1n, 'a\0'], ['a', 1n], ['a\0', 1n], [1.5, decodeHex('00ff'), null]]
const oneKey: readonly (readonly [SqlValue, SqlValue])[] = [[1, 1n], [-0, 0n], [2 ** 53, 2n ** 53n], [-(2 ** 63), -(2n ** 63n)]]
const notKeys = [
  '', '05', '0600', '0000', '110200ff', '12000a00', '0efff500', '1943cfffffffffffff00', '197ff800000000000000', '19c3e000000000000000',
  '110b401800000000000000', '110b401400000000000000', '110340', '2061', '2001030000', '20eda0800000', '20c1810000', '30', 'ff00',
]
const prefix = decodeHex('4003')

function build(): Json {
  return {
    section: '2 Tuple keys',
    ascending: ascending.map((value) => ({ value: describeValue(value), key: encodeHex(encodeTuple([value])) })),
    tuples: tuples.map((values) => ({ prefix: encodeHex(prefix), values: values.map(describeValue), key: encodeHex(encodeTuple(values, prefix)) })),
    oneKey: oneKey.map(([a, b]) => ({ values: [describeValue(a), describeValue(b)], keys: [encodeHex(encodeTuple([a])), encodeHex(encodeTuple([b]))] })),
    range: [[], [5n], ['a'], [1n, 'a']].map((values) => {
      const { lo, hi } = tupleRange(values, prefix)
      return { prefix: encodeHex(prefix), values: values.map(describeValue), lo: encodeHex(lo), hi: encodeHex(hi) }
    }),
    classRange: (['null', 'number', 'text', 'blob'] as const).map((type) => {
      const { lo, hi } = tupleClassRange(type, [1n], prefix)
      return { class: type, prefix: encodeHex(prefix), values: [describeValue(1n)], lo: encodeHex(lo), hi: encodeHex(hi) }
    }),
    longest: { text: 'a'.repeat(252), key: encodeHex(encodeTuple(['a'.repeat(252)])), tooLong: codeOf(() => encodeTuple(['a'.repeat(253)])) },
    refused: notKeys.map((key) => ({ key, error: codeOf(() => decodeTuple(decodeHex(key))) })),
  }
}
