/**
 * The log's Merkle tree in memory: every leaf hash and every full subtree's root, packed (64 bytes a leaf). Answers roots of any
 * size and RFC 9162 proofs in O(log n), appends with one hash on average.
 *
 * Levels: node i of level k is the root of leaves [i·2ᵏ, (i+1)·2ᵏ). A tree may begin at a frontier instead of at the first leaf (a
 * replica that started from a snapshot): then what lies before it is unknown but for the peaks, and asking for it is `out-of-scope`.
 */
import { type Sha256 } from '../crypto/provider.js'
import { SealError } from '../errors.js'
import { MAX_COUNT } from '../limits.js'
import { EMPTY_FRONTIER, type Frontier, peakCount } from './frontier.js'
import { EMPTY_LOG_ROOT, HASH_LENGTH, type LogProof, peaksRoot } from './merkle.js'

/**
 * @example
 * const tree = new LogTree(hash)
 * tree.append(leafHash(hash, entry))
 * verifyInclusion(hash, { index: 0, size: 1, leaf: tree.leaf(0), proof: tree.inclusionProof(0, 1), root: tree.root(1) })
 */
export class LogTree {
  private readonly hash: Sha256
  private readonly levels: PackedHashes[] = []
  private count: number
  /** First leaf that this tree knows. */
  readonly start: number

  /** Empty, or continuing after `from` (whose peaks are copied and believed). */
  constructor(hash: Sha256, from: Frontier = EMPTY_FRONTIER) {
    if (from.peaks.length !== peakCount(from.size) || from.peaks.some((peak) => peak.length !== HASH_LENGTH)) {
      throw new SealError('bad-argument', 'Expected one peak of 32 bytes for each set bit of the size.', { size: from.size })
    }
    this.hash = hash
    this.start = from.size
    this.count = from.size
    let peak = from.peaks.length
    for (let rest = from.size; rest > 0; rest = half(rest)) {
      const level = new PackedHashes(rest - (rest % 2))
      if (rest % 2 === 1) level.push(from.peaks[--peak] as Uint8Array)
      this.levels.push(level)
    }
  }

  get size(): number {
    return this.count
  }

  /** Append a leaf hash (copied); returns its index. */
  append(leaf: Uint8Array): number {
    if (leaf.length !== HASH_LENGTH) throw new SealError('bad-argument', 'Expected a leaf hash of 32 bytes.', { found: leaf.length })
    if (this.count >= MAX_COUNT) throw new SealError('too-large', 'Expected a log below 2^48 leaves.', { size: this.count })
    this.level(0).push(leaf)
    for (let k = 0, index = this.count; index % 2 === 1; k++, index = half(index)) {
      const children = this.level(k)
      node.set(children.at(index - 1), 1)
      node.set(children.at(index), 1 + HASH_LENGTH)
      this.level(k + 1).pushHash(this.hash, node)
    }
    this.count += 1
    return this.count - 1
  }

  /** Forget the leaves from `size` on. */
  truncate(size: number): void {
    if (!Number.isInteger(size) || size < this.start || size > this.count) throw this.unanswerable('truncate', size)
    let width = size
    for (const level of this.levels) {
      level.truncate(width)
      width = half(width)
    }
    this.count = size
  }

  /** The hash of a leaf: a view, to be copied or used at once. */
  leaf(index: number): Uint8Array {
    if (!Number.isInteger(index) || index < 0 || index >= this.count) throw this.unanswerable('leaf', index)
    return this.node(0, index)
  }

  /** The root of the first `size` leaves. */
  root(size: number = this.count): Uint8Array {
    this.checkSize(size)
    return size === 0 ? EMPTY_LOG_ROOT.slice() : this.range(0, size)
  }

  /** The frontier of the first `size` leaves. */
  frontier(size: number = this.count): Frontier {
    this.checkSize(size)
    return { size, peaks: this.peaks(0, size).map((peak) => peak.slice()) }
  }

  /** RFC 9162 §2.1.3.1: that leaf `index` is in the first `size` leaves. */
  inclusionProof(index: number, size: number = this.count): LogProof {
    this.checkSize(size)
    if (!Number.isInteger(index) || index < 0 || index >= size) throw this.unanswerable('inclusionProof', index)
    return this.path(0, index, size)
  }

  /** RFC 9162 §2.1.4.1: that the first `size2` leaves begin with the first `size1`. 0 < size1 ≤ size2. */
  consistencyProof(size1: number, size2: number = this.count): LogProof {
    this.checkSize(size1)
    this.checkSize(size2)
    if (size1 === 0 || size1 > size2) throw this.unanswerable('consistencyProof', size1)
    if (size1 === size2) return []
    // Climb from the last leaf of the smaller tree while it closes full subtrees: that node is known to both. If it is the whole
    // smaller tree, the verifier has it (its root) and it is left out.
    let level = 0
    let index = size1 - 1
    for (; index % 2 === 1; index = half(index)) level += 1
    const above = this.path(level, index, size2)
    return index === 0 ? above : [this.node(level, index).slice(), ...above]
  }

  /** Siblings on the way from node `index` of `level` to the root of the first `size` leaves. */
  private path(level: number, index: number, size: number): Uint8Array[] {
    const proof: Uint8Array[] = []
    let width = 2 ** level
    for (let k = level, i = index; ; k++, i = half(i), width *= 2) {
      // The subtree that node i of this level roots already reaches over the whole tree.
      if (i === 0 && width >= size) return proof
      const sibling = i % 2 === 1 ? i - 1 : i + 1
      const lo = sibling * width
      if (lo >= size) continue
      const hi = Math.min(lo + width, size)
      proof.push(hi - lo === width ? this.node(k, sibling).slice() : this.range(lo, hi))
    }
  }

  /** The root over leaves [lo, hi), a copy, where lo is a multiple of a power of two ≥ hi − lo. */
  private range(lo: number, hi: number): Uint8Array {
    return peaksRoot(this.hash, this.peaks(lo, hi))
  }

  /** Full subtrees that leaves [lo, hi) consist of, left to right. */
  private peaks(lo: number, hi: number): Uint8Array[] {
    const peaks: Uint8Array[] = []
    let end = hi
    for (let k = 0; end > lo; k++) {
      const width = 2 ** k
      if (Math.floor((end - lo) / width) % 2 === 0) continue
      end -= width
      peaks.push(this.node(k, end / width))
    }
    return peaks.reverse()
  }

  private node(level: number, index: number): Uint8Array {
    const hashes = this.levels[level]
    if (hashes === undefined || index < hashes.first) {
      throw new SealError('out-of-scope', `Expected a node this log knows: it begins at leaf ${this.start}.`, { start: this.start, level, index })
    }
    return hashes.at(index)
  }

  private level(k: number): PackedHashes {
    let level = this.levels[k]
    if (level === undefined) this.levels[k] = level = new PackedHashes(0)
    return level
  }

  private checkSize(size: number): void {
    if (!Number.isInteger(size) || size < 0 || size > this.count) throw this.unanswerable('size', size)
    if (size < this.start) throw new SealError('out-of-scope', `Expected a size from ${this.start} on, where this log begins.`, { start: this.start, size })
  }

  private unanswerable(what: string, found: number): SealError {
    return new SealError('bad-argument', `${what}: expected an integer within the log of ${this.count} leaves (from ${this.start}).`, { found, size: this.count })
  }
}

const half = (n: number): number => Math.floor(n / 2)

const node = new Uint8Array(1 + 2 * HASH_LENGTH)
node[0] = 0x01

/** 32 KiB a page: growing never copies, and a short level wastes little. */
const PAGE = 1024

/** Hashes number `first`, `first + 1`, … in pages. */
class PackedHashes {
  readonly first: number
  private readonly pages: Uint8Array[] = []
  private length = 0

  constructor(first: number) {
    this.first = first
  }

  /** A view. */
  at(index: number): Uint8Array {
    const offset = index - this.first
    const at = (offset % PAGE) * HASH_LENGTH
    return (this.pages[Math.floor(offset / PAGE)] as Uint8Array).subarray(at, at + HASH_LENGTH)
  }

  push(value: Uint8Array): void {
    this.page().set(value, (this.length % PAGE) * HASH_LENGTH)
    this.length += 1
  }

  pushHash(hash: Sha256, input: Uint8Array): void {
    hash.sha256Into(input, 0, input.length, this.page(), (this.length % PAGE) * HASH_LENGTH)
    this.length += 1
  }

  truncate(end: number): void {
    this.length = Math.max(0, Math.min(this.length, end - this.first))
    this.pages.length = Math.ceil(this.length / PAGE)
  }

  private page(): Uint8Array {
    const number = Math.floor(this.length / PAGE)
    let page = this.pages[number]
    if (page === undefined) this.pages[number] = page = new Uint8Array(PAGE * HASH_LENGTH)
    return page
  }
}
