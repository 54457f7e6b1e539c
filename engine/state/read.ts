/** Reads of one tree, as PROTOCOL.md §5 defines them, with the nodes each one opens. */
import { compareBytes } from '../codec/bytes.js'
import { SealError } from '../errors.js'
import { bitOf, SAME } from './bits.js'
import { INNER, NONE, type Ref } from './arena.js'
import type { Reader } from './reader.js'

/** A key with its value: both the caller's own. */
export interface Row {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

/** `[lo, hi)`; a missing bound is the end of the tree. Bounds are any bytes, keys or not. */
export interface Range {
  readonly lo?: Uint8Array | undefined
  readonly hi?: Uint8Array | undefined
}

export interface ScanOptions extends Range {
  /** From the last row to the first. */
  readonly reverse?: boolean | undefined
  readonly limit?: number | undefined
}

/** The leaf that a key's bits lead to; the only one that can be it. The nodes passed are added to `path`. */
export function walk(reader: Reader, root: Ref, key: Uint8Array, path?: Ref[]): Ref {
  const { nodes } = reader
  let ref = path === undefined && reader.trace === undefined ? nodes.descend(root, key) : root
  while (reader.open(ref) === INNER) {
    if (path !== undefined) path.push(ref)
    ref = bitOf(key, nodes.bit(ref)) === 1 ? nodes.right(ref) : nodes.left(ref)
  }
  return ref
}

/** The leaf with that key, or NONE. */
export function find(reader: Reader, root: Ref, key: Uint8Array): Ref {
  if (root === NONE) return NONE
  const leaf = walk(reader, root, key)
  return reader.nodes.difference(key, leaf) === SAME ? leaf : NONE
}

export function readGet(reader: Reader, root: Ref, key: Uint8Array): Uint8Array | undefined {
  const leaf = find(reader, root, key)
  return leaf === NONE ? undefined : reader.value(leaf)
}

/** The number of keys before `key`. */
export function readRank(reader: Reader, root: Ref, key: Uint8Array): number {
  if (root === NONE) return 0
  const { nodes } = reader
  const place = locate(reader, root, key)
  let rank = place.before ? nodes.count(place.under) : 0
  for (const ref of place.above) if (bitOf(key, nodes.bit(ref)) === 1) rank += nodes.count(nodes.left(ref))
  return rank
}

export function readCount(reader: Reader, root: Ref, { lo, hi }: Range = {}): number {
  if (isNothing(lo, hi)) return 0
  const end = hi === undefined ? reader.nodes.count(root) : readRank(reader, root, hi)
  return end - (lo === undefined ? 0 : readRank(reader, root, lo))
}

/** Row `n` in order, from 0. */
export function readNth(reader: Reader, root: Ref, n: number): Row | undefined {
  const { nodes } = reader
  if (!Number.isSafeInteger(n) || n < 0) throw new SealError('bad-argument', `Expected a row number from 0, got ${n}.`)
  if (n >= nodes.count(root)) return undefined
  let ref = root
  let rest = n
  while (reader.open(ref) === INNER) {
    const left = nodes.left(ref)
    const count = nodes.count(left)
    if (rest < count) {
      ref = left
    } else {
      rest -= count
      ref = nodes.right(ref)
    }
  }
  return { key: nodes.key(ref), value: reader.value(ref) }
}

/** The node that holds exactly the keys that begin with `prefix`, or NONE. */
export function findSubtree(reader: Reader, root: Ref, prefix: Uint8Array): Ref {
  if (root === NONE) return NONE
  const { nodes } = reader
  const path: Ref[] = []
  const leaf = walk(reader, root, prefix, path)
  const length = 8 * prefix.length
  if (nodes.keyLength(leaf) < prefix.length || nodes.paddedDifference(prefix, leaf) < length) return NONE
  return path.find((ref) => nodes.bit(ref) >= length) ?? leaf
}

/** The leaves of `[lo, hi)` in order, each opened (not its value) as it is asked for. */
export function* leavesOf(reader: Reader, root: Ref, { lo, hi, reverse = false, limit = Infinity }: ScanOptions): Generator<Ref, void, undefined> {
  if (!(limit >= 0)) throw new SealError('bad-argument', `Expected a limit from 0, got ${limit}.`)
  if (root === NONE || limit < 1 || isNothing(lo, hi)) return
  const { nodes } = reader
  const start = reverse ? hi : lo
  const stop = reverse ? lo : hi
  const pending = start === undefined ? [root] : onwards(reader, root, start, reverse)
  let left = limit
  for (let ref = pending.pop(); ref !== undefined; ref = pending.pop()) {
    while (reader.open(ref) === INNER) {
      pending.push(reverse ? nodes.left(ref) : nodes.right(ref))
      ref = reverse ? nodes.right(ref) : nodes.left(ref)
    }
    if (stop !== undefined && (reverse ? nodes.compare(stop, ref) > 0 : nodes.compare(stop, ref) <= 0)) return
    yield ref
    if (--left < 1) return
  }
}


/** The subtrees from a bound on (reverse: before it, backwards), the next one last. */
function onwards(reader: Reader, root: Ref, bound: Uint8Array, reverse: boolean): Ref[] {
  const { nodes } = reader
  const place = locate(reader, root, bound)
  const pending: Ref[] = []
  for (const ref of place.above) {
    const goesRight = bitOf(bound, nodes.bit(ref)) === 1
    if (goesRight === reverse) pending.push(reverse ? nodes.left(ref) : nodes.right(ref))
  }
  if (place.before === reverse) pending.push(place.under)
  return pending
}

interface Place {
  /** Nodes on the path of the key whose skipped bits it shares. */
  readonly above: readonly Ref[]
  /** The first node on the path that lies wholly to one side of the key, … */
  readonly under: Ref
  /** … and whether before it. */
  readonly before: boolean
}

/** Bits that a node skips are not hashed, so the place of a key is known only through the leaf its bits lead to. */
function locate(reader: Reader, root: Ref, key: Uint8Array): Place {
  const { nodes } = reader
  const path: Ref[] = []
  const leaf = walk(reader, root, key, path)
  const split = nodes.paddedDifference(key, leaf)
  const before = split === SAME ? nodes.keyLength(leaf) < key.length : bitOf(key, split) === 1
  const depth = path.findIndex((ref) => nodes.bit(ref) > split)
  return depth < 0 ? { above: path, under: leaf, before } : { above: path.slice(0, depth), under: path[depth] as Ref, before }
}

function isNothing(lo: Uint8Array | undefined, hi: Uint8Array | undefined): boolean {
  return lo !== undefined && hi !== undefined && compareBytes(lo, hi) >= 0
}
