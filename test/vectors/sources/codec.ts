/** Vectors of PROTOCOL.md §1: the canonical encoding. */
import { decodeHex, encodeHex } from '../../../engine/codec/bytes.js'
import { decodeCanonical, encodeCanonical, type Reader, Writer } from '../../../engine/codec/canonical.js'
import { readValue, type SqlValue, writeValue } from '../../../engine/codec/value.js'
import { isSealError } from '../../../engine/errors.js'
import { type Json, type VectorSource } from '../registry.js'

export const source: VectorSource = { name: 'codec', build }

const varints = [0, 1, 127, 128, 300, 16383, 16384, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 42, 2 ** 48 - 1]
const integers = [0n, -1n, 1n, 63n, 64n, -64n, -65n, 2n ** 31n, 2n ** 47n - 1n, 2n ** 47n, -(2n ** 47n), 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n)]
const values: readonly SqlValue[] = [null, 0n, 1n, -(2n ** 63n), 0, 1, 1.5, -1e300, Infinity, -Infinity, 5e-324, '', 'cat', 'na\u00efve \u{1f600}', 'a\0b', new Uint8Array(0), decodeHex('00ff')]
const texts = ['', 'a', '\ufeff', '\u{10ffff}', 'x'.repeat(48), 'x'.repeat(49), '\u00e9'.repeat(64)]

const badVarints = ['', '80', '8000', '8100', 'ffffffffffff8000', 'ffffffffffff40', 'ffffffffffffff7f', '0000']
const badIntegers = ['', '80', '8000', 'ffffffffffffffff8000', 'ffffffffffffffffff02', 'ffffffffffffffffff8000', '0000']
const badValues = ['', '05', 'ff', '01', '018000', '0200', '027ff8000000000000', '02fff0000000000001', '028000000000000000', '0302ff', '0303eda080', '0302c181', '0401', '040201', '0000']
const badBools = ['', '02', 'ff', '0000']
const badLists = ['01', '0200', '02000000', '03000000', '8000', '808001', 'ffffffffffff3f']

function build(): Json {
  return {
    section: '1 Canonical encoding',
    varint: {
      good: varints.map((value) => ({ value, bytes: encodeHex(new Writer().varint(value).finish()) })),
      refused: refused(badVarints, (r) => r.varint()),
    },
    int64: {
      good: integers.map((value) => ({ value: String(value), bytes: encodeHex(new Writer().int64(value).finish()) })),
      refused: refused(badIntegers, (r) => r.int64()),
    },
    text: texts.map((value) => ({ value, bytes: encodeHex(new Writer().text(value).finish()) })),
    bool: { good: [{ value: false, bytes: '00' }, { value: true, bytes: '01' }], refused: refused(badBools, (r) => r.bool()) },
    // A list of at most two varints.
    list: {
      good: [[], [7], [7, 300]].map((value) => ({ value, bytes: encodeHex(new Writer().list(value, 2, (w, n) => w.varint(n)).finish()) })),
      refused: refused(badLists, (r) => r.list(2, (item) => item.varint())),
    },
    value: {
      good: values.map((value) => ({ value: describeValue(value), bytes: encodeHex(encodeCanonical(value, (w, v) => writeValue(w, v))) })),
      refused: refused(badValues, (r) => readValue(r)),
    },
  }
}

/** { class: content }, as the registry writes content. */
export function describeValue(value: SqlValue): Json {
  if (value === null) return { null: true }
  if (typeof value === 'bigint') return { integer: String(value) }
  if (typeof value === 'string') return { text: value }
  if (value instanceof Uint8Array) return { blob: encodeHex(value) }
  const bytes = new DataView(new ArrayBuffer(8))
  bytes.setFloat64(0, value)
  return { real: encodeHex(new Uint8Array(bytes.buffer)) }
}

function refused(inputs: readonly string[], read: (reader: Reader) => unknown): Json {
  return inputs.map((bytes) => ({ bytes, error: codeOf(() => decodeCanonical(decodeHex(bytes), read)) }))
}

export function codeOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    if (isSealError(error)) return error.code
    throw error
  }
  throw new Error('expected a refusal')
}
