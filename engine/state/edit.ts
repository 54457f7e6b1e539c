/**
 * Edits: a batch of puts and deletes makes a new root that shares what it didn't touch. Canonical: the result depends on the content alone.
 * Recursion is bounded by the bits of a key (2,040).
 */
import { compareBytes } from '../codec/bytes.js'
import { BEGINS, bitOf, SAME } from './bits.js'
import { INNER, NONE, type Arena, type Ref } from './arena.js'
import { Builder, checkSize, distinct, notPrefixFree } from './build.js'
import { walk } from './read.js'
import type { Reader } from './reader.js'

/** `null` deletes; deleting what isn't there changes nothing. */
export interface Edit {
  readonly key: Uint8Array
  readonly value: Uint8Array | null
}

/** The root after a batch in any order, owned by the caller. On an error nothing has changed. */
export function applyEdits(reader: Reader, root: Ref, edits: readonly Edit[]): Ref {
  return new Batch(reader, inOrder(edits)).merge(root, 0, edits.length, NONE)
}

/** The root without any key that begins with `prefix`, owned by the caller. Opens one path, however many keys go. */
export function pruneSubtree(reader: Reader, root: Ref, prefix: Uint8Array): Ref {
  const { nodes } = reader
  if (root === NONE) return NONE
  const path: Ref[] = []
  const leaf = walk(reader, root, prefix, path)
  const length = 8 * prefix.length
  if (nodes.keyLength(leaf) < prefix.length || nodes.paddedDifference(prefix, leaf) < length) return nodes.retain(root)
  let rest: Ref = NONE
  for (let i = path.length - 1; i >= 0; i--) {
    const parent = path[i] as Ref
    const bit = nodes.bit(parent)
    if (bit >= length) continue // within what goes
    const goesRight = bitOf(prefix, bit) === 1
    const sibling = nodes.retain(goesRight ? nodes.left(parent) : nodes.right(parent))
    if (rest === NONE) rest = sibling
    else rest = goesRight ? nodes.inner(bit, sibling, rest) : nodes.inner(bit, rest, sibling)
  }
  return rest
}

class Batch {
  readonly #reader: Reader
  readonly #nodes: Arena
  readonly #edits: readonly Edit[]
  readonly #splits: Uint16Array

  constructor(reader: Reader, { edits, splits }: Sorted) {
    this.#reader = reader
    this.#nodes = reader.nodes
    this.#edits = edits
    this.#splits = splits
  }

  /**
   * `node` with edits `[from, to)`, which all belong at its place. `known` is any open leaf under it, or NONE to look for one.
   * Returns a reference that the caller owns.
   */
  merge(node: Ref, from: number, to: number, known: Ref): Ref {
    const nodes = this.#nodes
    if (from === to) return nodes.retain(node)
    if (node === NONE) return this.#build(from, to)
    if (to - from === 1) return this.#mergeOne(node, from, known)
    const leaf = known === NONE ? walk(this.#reader, node, this.#key(from)) : known
    const split = Math.min(this.#difference(from, leaf), to - from > 1 ? this.#difference(to - 1, leaf) : SAME)
    const isInner = nodes.kind(node) === INNER
    if (isInner && split >= nodes.bit(node)) return this.#divide(node, from, to, leaf)
    if (split === SAME) return this.#replace(from)
    return this.#insertBeside(node, from, to, leaf, split)
  }

  /** The same for one edit, which most are by the time they reach their place: down one path and up again. */
  #mergeOne(node: Ref, index: number, known: Ref): Ref {
    const nodes = this.#nodes
    const { key, value } = this.#edits[index] as Edit
    let split = this.#difference(index, known === NONE ? walk(this.#reader, node, key) : known)
    const path: Ref[] = []
    let ref = node
    while (nodes.kind(ref) === INNER && nodes.bit(ref) <= split) {
      const bit = nodes.bit(ref)
      path.push(ref)
      ref = bitOf(key, bit) === 1 ? nodes.right(ref) : nodes.left(ref)
      // Here the known leaf, which needn't be on the way of the key, is left behind.
      if (bit === split) split = this.#difference(index, walk(this.#reader, ref, key))
    }
    let made: Ref
    if (split === SAME) {
      made = this.#replace(index)
    } else {
      if (value === null) return nodes.retain(node)
      const leaf = nodes.leaf(key, value)
      nodes.retain(ref)
      made = bitOf(key, split) === 1 ? nodes.inner(split, ref, leaf) : nodes.inner(split, leaf, ref)
    }
    for (let i = path.length - 1; i >= 0; i--) {
      const parent = path[i] as Ref
      const bit = nodes.bit(parent)
      made = bitOf(key, bit) === 1 ? this.#join(bit, nodes.retain(nodes.left(parent)), made) : this.#join(bit, made, nodes.retain(nodes.right(parent)))
    }
    return made
  }

  /** The edits go to the node's two children. */
  #divide(node: Ref, from: number, to: number, leaf: Ref): Ref {
    const nodes = this.#nodes
    const bit = nodes.bit(node)
    const middle = this.#firstWith(bit, from, to)
    const knownRight = nodes.leafBit(leaf, bit) === 1
    const left = this.merge(nodes.left(node), from, middle, knownRight ? NONE : leaf)
    const right = this.#orRelease(left, () => this.merge(nodes.right(node), middle, to, knownRight ? leaf : NONE))
    if (left === nodes.left(node) && right === nodes.right(node)) {
      nodes.release(left)
      nodes.release(right)
      return nodes.retain(node)
    }
    return this.#join(bit, left, right)
  }

  /** The node lies wholly on one side of `split`, at least one edit on the other. */
  #insertBeside(node: Ref, from: number, to: number, leaf: Ref, split: number): Ref {
    const middle = this.#firstWith(split, from, to)
    if (this.#nodes.leafBit(leaf, split) === 1) {
      const left = this.#build(from, middle)
      return this.#join(split, left, this.#orRelease(left, () => this.merge(node, middle, to, leaf)))
    }
    const left = this.merge(node, from, middle, leaf)
    return this.#join(split, left, this.#orRelease(left, () => this.#build(middle, to)))
  }

  #replace(at: number): Ref {
    const { key, value } = this.#edits[at] as Edit
    return value === null ? NONE : this.#nodes.leaf(key, value)
  }

  #build(from: number, to: number): Ref {
    const builder = new Builder(this.#nodes, to - from)
    let bit = SAME
    for (let i = from; i < to; i++) {
      const { key, value } = this.#edits[i] as Edit
      bit = Math.min(bit, this.#splits[i] as number)
      if (value === null) continue
      builder.append(key, value, bit)
      bit = SAME
    }
    return builder.finish()
  }

  /** An inner node that loses a child is replaced by the other, which needn't be opened: its bit is counted from the start of the key. */
  #join(bit: number, left: Ref, right: Ref): Ref {
    if (left === NONE) return right
    if (right === NONE) return left
    return this.#nodes.inner(bit, left, right)
  }

  #orRelease(owned: Ref, step: () => Ref): Ref {
    try {
      return step()
    } catch (error) {
      this.#nodes.release(owned)
      throw error
    }
  }

  #key(index: number): Uint8Array {
    return (this.#edits[index] as Edit).key
  }

  #difference(index: number, leaf: Ref): number {
    const bit = this.#nodes.difference(this.#key(index), leaf)
    if (bit === BEGINS) throw notPrefixFree()
    return bit
  }

  /** The first edit of `[from, to)` whose key has that bit: they are sorted and agree before it. */
  #firstWith(bit: number, from: number, to: number): number {
    let low = from
    let high = to
    while (low < high) {
      const middle = (low + high) >>> 1
      if (bitOf(this.#key(middle), bit) === 1) high = middle
      else low = middle + 1
    }
    return low
  }
}

interface Sorted {
  readonly edits: readonly Edit[]
  /** For each edit, the first bit in which its key differs from the one before. */
  readonly splits: Uint16Array
}

/** Sorted (the same array if it is), checked to be distinct, prefix-free and within the limits. */
function inOrder(edits: readonly Edit[]): Sorted {
  for (const { key, value } of edits) checkSize(key, value)
  const splits = new Uint16Array(edits.length)
  if (findSplits(edits, splits)) return { edits, splits }
  const sorted = [...edits].sort((a, b) => compareBytes(a.key, b.key))
  findSplits(sorted, splits)
  return { edits: sorted, splits }
}

/** False at the first key that comes before its predecessor. */
function findSplits(edits: readonly Edit[], splits: Uint16Array): boolean {
  for (let i = 1; i < edits.length; i++) {
    const { key } = edits[i] as Edit
    const bit = distinct((edits[i - 1] as Edit).key, key)
    if (bitOf(key, bit) === 0) return false
    splits[i] = bit
  }
  return true
}
