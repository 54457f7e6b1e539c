/** Keys and trees for the tests of the state tree. */
import * as fc from 'fast-check'
import { compareBytes, concatBytes } from '../../engine/codec/bytes.js'
import { nodeProvider } from '../../engine/crypto/node.js'
import { withKernels } from '../../engine/crypto/with-kernels.js'
import type { Row } from '../../engine/state/read.js'
import { StateTree } from '../../engine/state/tree.js'
import type { Version } from '../../engine/state/view.js'

export const hash = withKernels(nodeProvider)

export const bytes = (...values: number[]) => Uint8Array.from(values)

/** A seeded stream of unsigned 32-bit numbers (mulberry32). */
export function random(seed: number): () => number {
  let a = seed >>> 0
  return () => {
    a = (a + 0x6d2b79f5) >>> 0
    let t = Math.imul(a ^ (a >>> 15), a | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return (t ^ (t >>> 14)) >>> 0
  }
}

/** `count` distinct 8-byte keys in a table of two-byte prefix, values of up to 40 bytes, in order. */
export function rows(count: number, seed = 1, table = 7): Row[] {
  const next = random(seed)
  const found = new Map<string, Row>()
  while (found.size < count) {
    const [a, b] = [next(), next()]
    const key = bytes(0, table, a >>> 24, a >>> 16, a >>> 8, a, b >>> 8, b)
    found.set(key.join(), { key, value: new Uint8Array(b % 41).fill(b >>> 16) })
  }
  return [...found.values()].sort((x, y) => compareBytes(x.key, y.key))
}

export function treeOf(content: readonly Row[]): { readonly tree: StateTree; readonly version: Version } {
  const tree = new StateTree(hash)
  return { tree, version: tree.apply(tree.empty, content) }
}

/**
 * Keys that share long prefixes, have zero bytes and all lengths; prefix-free because 00 closes what has no 00. And keys of one length, short or the longest there
 * is, many of which differ in their last bit.
 */
export const anyKey: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.tuple(fc.constantFrom(0, 255), fc.constantFrom(0, 1, 254, 255)).map(([a, b]) => Uint8Array.of(9, a, b)),
  fc.constantFrom(0, 1, 2, 255).map((last) => { const key = new Uint8Array(255).fill(8); key[254] = last; return key }),
  fc.array(fc.constantFrom(1, 2, 3, 128, 255), { maxLength: 4 }).map((values) => Uint8Array.from([...values, 0])),
  fc.array(fc.constantFrom(1, 255), { minLength: 248, maxLength: 254 }).map((values) => Uint8Array.from([...values, 0])),
)

/** Bounds and probes: keys, beginnings of keys, and bytes that continue keys. */
export const anyBound: fc.Arbitrary<Uint8Array> = fc.oneof(
  anyKey,
  anyKey.map((key) => key.subarray(0, -1)),
  anyKey.map((key) => concatBytes(key, bytes(0))),
  anyKey.map((key) => concatBytes(key.subarray(0, -1), bytes(255, 255))),
  fc.uint8Array({ maxLength: 3 }),
)

export const anyValue: fc.Arbitrary<Uint8Array> = fc.oneof(fc.uint8Array({ maxLength: 6 }), fc.constantFrom(0, 31, 512, 513, 5000, 40_000).map((n) => new Uint8Array(n).fill(n)))

/** Any answer as text, with bytes as hex: cheap to compare and to read. */
export function plain(answer: unknown): string {
  return JSON.stringify(answer, (_, value: unknown) => (value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value)) ?? 'nothing'
}
