/**
 * Hot paths of the state tree at 1k, 10k and 100k rows (1M on request), with the node provider: the cost of an operation may grow no faster
 * than log n. Rows are 12-byte keys and 200-byte values; a case named "… rows" does all of them in one run.
 */
import { compareBytes } from '../engine/codec/bytes.js'
import { loadProvider } from '../engine/crypto/load.js'
import type { Sha256 } from '../engine/crypto/provider.js'
import { prove, verify, type Query } from '../engine/state/queries.js'
import type { Row } from '../engine/state/read.js'
import { StateTree } from '../engine/state/tree.js'
import type { Version } from '../engine/state/view.js'
import { sideBySide } from './clock.js'
import type { BenchSuite } from './crypto.js'

/** 7919 is prime: every row comes, in no order that lies in memory. */
const STEP = 7919
const SIZES = [1_000, 10_000, 100_000]
const PROOFS = 256
const KEY_LENGTH = 12

/** One suite per operation, one case per size. */
export async function suites({ million = false }: { readonly million?: boolean } = {}): Promise<readonly BenchSuite[]> {
  const hash = await loadProvider('node')
  const prepared = (million ? [...SIZES, 1_000_000] : SIZES).map((size) => ({ size, operations: operations(hash, size) }))
  const names = Object.keys(prepared[0]?.operations ?? {})
  return names.map((name) => ({
    name: `state: ${name}`,
    cases: prepared.map(({ size, operations: of }) => ({ name: `${size} rows`, run: of[name] as () => unknown })),
  }))
}

/** Bytes of proofs, and memory beyond keys and values: what is pinned rather than timed. */
export async function sizes(count: number): Promise<{ readonly pointProof: number; readonly rangeProof: number; readonly overheadPerRow: number }> {
  const rows = makeRows(count)
  const tree = new StateTree(await loadProvider('node'))
  const version = tree.build(rows)
  const { nodeBytes, recordBytes, contentBytes } = tree.stats()
  const picked = Array.from({ length: PROOFS }, (_, i) => rows[(i * STEP) % (count - 100)] as Row)
  const point = picked.map(({ key, value }) => prove(tree, version, [{ kind: 'get', key }]).length - value.length)
  const range = picked.map(({ key }) => prove(tree, version, [{ kind: 'scan', lo: key, limit: 100 }]).length - 100 * 212)
  return { pointProof: Math.max(...point), rangeProof: Math.max(...range), overheadPerRow: (nodeBytes + recordBytes - contentBytes) / count }
}

/** Building the tree of sorted rows with its root, by CPU time, and what part of that its hashes alone take: 3 a row, of value, leaf and inner node. */
export async function buildCost(count: number): Promise<{ readonly rowsPerSecond: number; readonly hashShare: number }> {
  const hash = await loadProvider('node')
  const rows = makeRows(count)
  const inputs = [200, 46, 79].map((length) => new Uint8Array(new ArrayBuffer(length)))
  const out = new Uint8Array(32)
  const { ours, theirs } = await sideBySide(6, () => {
    const tree = new StateTree(hash)
    tree.root(tree.build(rows))
  }, () => {
    for (let i = 0; i < count; i++) for (const input of inputs) hash.sha256Into(input, 0, input.length, out, 0)
  })
  return { rowsPerSecond: (1000 * count) / ours.cpu, hashShare: theirs.cpu / ours.cpu }
}

type Operations = Readonly<Record<string, () => unknown>>

function operations(hash: Sha256, count: number): Operations {
  const rows = makeRows(count)
  const tree = new StateTree(hash)
  let version = tree.build(rows)
  const root = tree.root(version)
  let turn = 0
  const pick = (): Row => rows[(turn = (turn + STEP) % count)] as Row
  // A caller has just made the key it asks for: to look one up among a million would be timed with the tree.
  const asked = new Uint8Array(KEY_LENGTH)
  const packed = new Uint8Array(count * KEY_LENGTH)
  rows.forEach(({ key }, i) => packed.set(key, i * KEY_LENGTH))
  const ask = (): Uint8Array => {
    turn = (turn + STEP) % count
    for (let i = 0; i < KEY_LENGTH; i++) asked[i] = packed[turn * KEY_LENGTH + i] as number
    return asked
  }
  const proofs = Array.from({ length: PROOFS }, () => {
    const query: Query = { kind: 'get', key: pick().key }
    return { query, proof: prove(tree, version, [query]) }
  })
  const held = tree.retain(version)
  const put = (edits: readonly Row[]): void => {
    const next: Version = tree.apply(version, edits)
    tree.root(next)
    tree.release(version)
    version = next
  }
  return {
    'build all rows, with the root': () => {
      const fresh = new StateTree(hash)
      return fresh.root(fresh.build(rows))
    },
    'put one, with the root': () => put([pick()]),
    'put 100 at once, with the root': () => put(unique(Array.from({ length: 100 }, pick))),
    'get': () => tree.get(held, ask()),
    'count a range': () => tree.count(held, { lo: ask() }),
    'scan 100': () => [...tree.scan(held, { lo: ask(), limit: 100 })],
    'prove one': () => prove(tree, held, [{ kind: 'get', key: pick().key }]),
    'prove a range of 100': () => prove(tree, held, [{ kind: 'scan', lo: pick().key, limit: 100 }]),
    'verify one': () => {
      const { query, proof } = proofs[turn++ % PROOFS] as (typeof proofs)[number]
      return verify(hash, root, [query], proof)
    },
  }
}

export function makeRows(count: number): readonly Row[] {
  const rows = Array.from({ length: count }, (_, i) => {
    const key = new Uint8Array(KEY_LENGTH)
    key.set([0x40, 7, 0x20])
    new DataView(key.buffer).setUint32(3, Math.imul(i, 2654435761) >>> 0)
    return { key, value: new Uint8Array(200).fill(i) }
  })
  rows.sort((a, b) => compareBytes(a.key, b.key))
  // In memory they lie in their order, as those that were read or decoded do.
  return rows.map(({ key, value }) => ({ key: key.slice(), value: value.slice() }))
}

function unique(rows: readonly Row[]): readonly Row[] {
  return [...new Set(rows)]
}
