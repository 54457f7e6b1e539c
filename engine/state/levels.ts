/**
 * The missing hashes of many nodes, four at a time: first of all leaves, then of inner nodes from the deepest level up. Nodes of one level don't wait for
 * each other.
 */
import type { HashLanes } from '../crypto/provider.js'
import { type Arena, HASH_LENGTH, type HashMany, INNER, LEAF, type Ref } from './arena.js'

export const hashLevels: HashMany = (nodes, lanes, root) => {
  const inner: Ref[] = []
  const leaves: Ref[] = []
  const starts: number[] = []
  visit(nodes, root, inner, leaves)
  for (let i = 0, end = 0; i < inner.length; i++) {
    if (i === end) {
      starts.push(i)
      end = inner.length
    }
    const left = nodes.left(inner[i] as Ref)
    const right = nodes.right(inner[i] as Ref)
    if (!nodes.isHashed(left)) visit(nodes, left, inner, leaves)
    if (!nodes.isHashed(right)) visit(nodes, right, inner, leaves)
  }
  inFours(nodes, lanes, leaves, 0, leaves.length, hashLeaves)
  for (let start = starts.pop(), end = inner.length; start !== undefined; end = start, start = starts.pop()) inFours(nodes, lanes, inner, start, end, hashInner)
}

function visit(nodes: Arena, ref: Ref, inner: Ref[], leaves: Ref[]): void {
  const kind = nodes.kind(ref)
  if (kind === INNER) inner.push(ref)
  else if (kind === LEAF) leaves.push(ref)
  else nodes.hashOne(ref)
}

/** Up to four leaves that have just been made of these values: the first of their bytes are still where they were read. */
export function hashFour(nodes: Arena, lanes: HashLanes, refs: readonly Ref[], values: readonly Uint8Array[], from: number, count: number): void {
  hashLeaves(nodes, lanes, refs, from, count, values)
}

type Hash = (nodes: Arena, lanes: HashLanes, refs: readonly Ref[], from: number, count: number) => void

/** One that is left over is quicker by itself. */
function inFours(nodes: Arena, lanes: HashLanes, refs: readonly Ref[], from: number, end: number, hash: Hash): void {
  let i = from
  for (; i + 1 < end; i += 4) hash(nodes, lanes, refs, i, Math.min(4, end - i))
  if (i < end) nodes.hashOne(refs[i] as Ref)
}

const lengths = [0, 0, 0, 0]

function hashInner(nodes: Arena, lanes: HashLanes, refs: readonly Ref[], from: number, count: number): void {
  const { words, whole, stride } = lanes
  for (let lane = 0; lane < 4; lane++) lengths[lane] = lane < count ? nodes.writeInner(refs[from + lane] as Ref, words, whole, lane * stride) : 0
  finish(nodes, lanes, refs, from, count)
}

function hashLeaves(nodes: Arena, lanes: HashLanes, refs: readonly Ref[], from: number, count: number, values?: readonly Uint8Array[]): void {
  const { stride, longest, words, digests } = lanes
  for (let lane = 0; lane < 4; lane++) lengths[lane] = 0 // `fill` takes ten times as long
  let long = 0
  for (let lane = 0; lane < count; lane++) {
    const ref = refs[from + lane] as Ref
    const length = nodes.valueLength(ref)
    if (length > longest) {
      long++
      continue
    }
    lengths[lane] = length
    lanes.bytes.set(values === undefined ? nodes.valueView(ref) : values[from + lane] as Uint8Array, lane * stride)
  }
  if (long < count) run(lanes)
  for (let lane = 0; lane < count; lane++) {
    const ref = refs[from + lane] as Ref
    const length = nodes.writeLeaf(ref, lanes.bytes, lane * stride)
    const at = lane * stride + length - HASH_LENGTH
    lengths[lane] = length
    if (nodes.valueLength(ref) > longest) nodes.hashValue(ref, lanes.bytes, at)
    else for (let i = 0; i < 8; i++) words.setUint32(at + 4 * i, digests[8 * lane + i] as number, true)
  }
  nodes.hashes += count
  finish(nodes, lanes, refs, from, count)
}

function finish(nodes: Arena, lanes: HashLanes, refs: readonly Ref[], from: number, count: number): void {
  run(lanes)
  for (let lane = 0; lane < count; lane++) nodes.keepHash(refs[from + lane] as Ref, lanes.digests, 8 * lane)
}

function run({ hash }: HashLanes): void {
  hash(lengths[0] as number, lengths[1] as number, lengths[2] as number, lengths[3] as number)
}
