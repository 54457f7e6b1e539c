/**
 * Small and complete: a tree of every size up to 200, every kind of query, each proof accepted; and every byte of it changed, every node in it
 * dropped, doubled, swapped with another or added, refused. Keys are spread, dense (neighbours differ in the last bit) or as long as keys can be.
 */
import { afterAll, beforeAll, describe, it } from 'vitest'
import { compareBytes } from '../../engine/codec/bytes.js'
import { MAX_KEY_LENGTH } from '../../engine/limits.js'
import type { Query } from '../../engine/state/queries.js'
import type { Row } from '../../engine/state/read.js'
import { check } from './damage.js'
import { bytes, random, rows } from './support.js'

const MAX_SIZE = 200
/** Up to here for every key there is, and for one beside each. */
const ALL_KEYS = 33

/**
 * How much is damaged. `all`: every byte and every node of every proof, at every size, for a quarter of an hour. `1`, as CI has it, for two to three minutes: the
 * same, but for proofs as large as a tree of over 40 keys, of which each size has another seventeenth of its places damaged. Else a few places at most sizes.
 */
const COMPLETE = process.env['SEALDB_COMPLETE'] ?? ''
/** Up to here every place of a proof as large as the tree. */
const WHOLE_RANGES = COMPLETE === 'all' ? MAX_SIZE : 40

/** Keys of one shape, in order; values of up to 8 bytes, some empty, some alike. */
const SHAPES: readonly (readonly [string, (size: number) => Row[]])[] = [
  ['spread', (size) => rows(size, size + 1).map(({ key }, i) => ({ key, value: valueOf(i) }))],
  ['dense', (size) => Array.from({ length: size }, (_, i) => ({ key: bytes(0x40, i >>> 8, i), value: valueOf(i) }))],
  ['longest', (size) => {
    const next = random(size)
    const found = new Map<number, Row>()
    while (found.size < size) {
      const tail = next() & 0xfff
      const key = new Uint8Array(MAX_KEY_LENGTH).fill(7)
      key.set([tail >> 8, tail], MAX_KEY_LENGTH - 2)
      found.set(tail, { key, value: valueOf(found.size) })
    }
    return [...found.values()].sort((a, b) => compareBytes(a.key, b.key))
  }],
]

function valueOf(i: number): Uint8Array {
  return new Uint8Array((i * 5) % 9).fill(i)
}

/** One bit of the last byte away: in a dense tree the next key, elsewhere none. */
function beside(key: Uint8Array): Uint8Array {
  const near = key.slice()
  near[near.length - 1]! ^= 1
  return near
}

describe.each(SHAPES)('every tree of up to 200 keys: %s', (shape, make) => {
  // Hundreds of thousands of refusals: capturing a stack for each would be most of the time.
  const { stackTraceLimit } = Error
  beforeAll(() => void (Error.stackTraceLimit = 0))
  afterAll(() => void (Error.stackTraceLimit = stackTraceLimit))

  // Long keys say nothing new about most sizes, and cost the most.
  const sizes = Array.from({ length: MAX_SIZE + 1 }, (_, size) => size).filter((size) => COMPLETE !== '' || shape !== 'longest' || size <= 9 || size % 50 === 0)

  it('of each size, for every kind of query', () => {
    for (const size of sizes) {
      const content = make(size)
      const key = content[(size * 7) >> 3]?.key ?? bytes(9)
      const other = content[size >> 2]?.key ?? bytes(3)
      const [lo, hi] = compareBytes(key, other) < 0 ? [key, other] : [other, key]
      // Every byte of a read present, one absent, a range and a count; of the other kinds, and of a whole range (as large as the tree), for the
      // smaller trees and some of the others, else a few.
      const all = COMPLETE !== '' || size <= 17 || size % 67 === 0
      const core: Query[] = [{ kind: 'get', key }, { kind: 'get', key: beside(key) }, { kind: 'scan', lo: other, limit: 2 }, { kind: 'count', lo, hi }]
      check(content, core, all || shape === 'spread' ? 1 : 7)
      check(content, [
        { kind: 'get', key: bytes(0x40, 0xff, 0xff) }, { kind: 'has', key: other }, { kind: 'scan', hi: key, reverse: true, limit: 2 },
        { kind: 'rank', key: beside(other) }, { kind: 'nth', n: size >> 1 }, { kind: 'subtreeRoot', prefix: key.subarray(0, key.length - 1) },
      ], all ? 1 : 11)
      check(content, [{ kind: 'scan', lo, hi }, { kind: 'scan' }], !all ? 199 : COMPLETE === '' || size <= WHOLE_RANGES ? 1 : 17, size)
    }
  }, COMPLETE === '' ? 180_000 : 3_600_000)

  it(`of up to ${ALL_KEYS}, for each key and one beside it`, () => {
    for (const size of sizes.filter((count) => count <= ALL_KEYS)) {
      const content = make(size)
      check(content, content.flatMap(({ key }): Query[] => [{ kind: 'get', key }, { kind: 'get', key: beside(key) }]), 1, 5)
    }
  }, COMPLETE === '' ? 180_000 : 3_600_000)
})

it('the empty key is a tree of its own, provable like any', () => {
  const content = [{ key: bytes(), value: bytes(1, 2, 3) }]
  check(content, [{ kind: 'get', key: bytes() }, { kind: 'get', key: bytes(0) }, { kind: 'scan' }, { kind: 'count' }, { kind: 'has', key: bytes() }, { kind: 'nth', n: 0 }])
})
