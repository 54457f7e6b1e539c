/**
 * Edits: a batch of puts and deletes makes a new root that shares what it didn't touch. Canonical: the result depends on the content alone.
 * Recursion is bounded by the bits of a key (2,040).
 */
import { BEGINS, bitOf, SAME } from './bits.js'
import { INNER, NONE, type Arena, type Ref } from './arena.js'
import { Builder, checkLengths, distinct, notPrefixFree } from './build.js'
import { type Edit, EditBatch } from './edits.js'
import { walk } from './read.js'
import type { Reader } from './reader.js'

/** The root after a batch in any order, owned by the caller. On an error nothing has changed. */
export function applyEdits(reader: Reader, root: Ref, edits: readonly Edit[] | EditBatch): Ref {
  return new Batch(reader, inOrder(edits instanceof EditBatch ? edits : EditBatch.of(edits))).applyTo(root)
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
  readonly #edits: EditBatch
  readonly #order: readonly number[] | undefined
  readonly #splits: Uint16Array
  /** What would be left over if the step under way failed. */
  readonly #made: Ref[] = []
  /** Of `mergeOne`. */
  readonly #path: Ref[] = []

  constructor(reader: Reader, { edits, order, splits }: Sorted) {
    this.#reader = reader
    this.#nodes = reader.nodes
    this.#edits = edits
    this.#order = order
    this.#splits = splits
  }

  applyTo(root: Ref): Ref {
    try {
      return this.#merge(root, 0, this.#edits.length, NONE)
    } catch (error) {
      for (const ref of this.#made) this.#nodes.release(ref)
      throw error
    }
  }

  /**
   * `node` with edits `[from, to)`, which all belong at its place. `known` is any open leaf under it, or NONE to look for one.
   * Returns a reference that the caller owns.
   */
  #merge(node: Ref, from: number, to: number, known: Ref): Ref {
    const nodes = this.#nodes
    if (from === to) return nodes.retain(node)
    if (node === NONE) return this.#build(from, to)
    if (to - from === 1) return this.#mergeOne(node, from, known)
    const leaf = known === NONE ? walk(this.#reader, node, this.#key(from)) : known
    const split = Math.min(this.#difference(from, leaf), this.#difference(to - 1, leaf))
    const isInner = nodes.kind(node) === INNER
    if (isInner && split >= nodes.bit(node)) return this.#divide(node, from, to, leaf)
    return this.#insertBeside(node, from, to, leaf, split)
  }

  /** The same for one edit, which most are by the time they reach their place: down one path and up again. */
  #mergeOne(node: Ref, index: number, known: Ref): Ref {
    const nodes = this.#nodes
    const path = this.#path
    const key = this.#key(index)
    let split = differenceOf(nodes, key, known === NONE ? walk(this.#reader, node, key) : known)
    path.length = 0
    let ref = node
    while (nodes.kind(ref) === INNER && nodes.bit(ref) <= split) {
      const bit = nodes.bit(ref)
      path.push(ref)
      ref = bitOf(key, bit) === 1 ? nodes.right(ref) : nodes.left(ref)
      // Here the known leaf, which needn't be on the way of the key, is left behind.
      if (bit === split) split = differenceOf(nodes, key, walk(this.#reader, ref, key))
    }
    const value = this.#value(index)
    if (value === null && split !== SAME) return nodes.retain(node)
    let made = value === null ? NONE : nodes.leaf(key, value)
    if (split !== SAME) {
      nodes.retain(ref)
      made = bitOf(key, split) === 1 ? nodes.inner(split, ref, made) : nodes.inner(split, made, ref)
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
    const left = this.#merge(nodes.left(node), from, middle, knownRight ? NONE : leaf)
    this.#made.push(left)
    const right = this.#merge(nodes.right(node), middle, to, knownRight ? leaf : NONE)
    this.#made.pop()
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
    const isRight = this.#nodes.leafBit(leaf, split) === 1
    const left = isRight ? this.#build(from, middle) : this.#merge(node, from, middle, leaf)
    this.#made.push(left)
    const right = isRight ? this.#merge(node, middle, to, leaf) : this.#build(middle, to)
    this.#made.pop()
    return this.#join(split, left, right)
  }

  #build(from: number, to: number): Ref {
    if (to - from === 1) {
      const value = this.#value(from)
      return value === null ? NONE : this.#nodes.leaf(this.#key(from), value)
    }
    const builder = new Builder(this.#nodes, to - from)
    let bit = SAME
    for (let i = from; i < to; i++) {
      bit = Math.min(bit, this.#splits[i] as number)
      const value = this.#value(i)
      if (value === null) continue
      builder.append(this.#key(i), value, bit)
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

  #at(index: number): number {
    return this.#order === undefined ? index : this.#order[index] as number
  }

  /** Valid until a key of the same length is asked for. */
  #key(index: number): Uint8Array {
    const at = this.#at(index)
    const length = this.#edits.keyLength(at)
    const key = (keys[length] ??= new Uint8Array(length))
    this.#edits.copyKey(at, key)
    return key
  }

  #value(index: number): Uint8Array | null {
    return this.#edits.value(this.#at(index))
  }

  #difference(index: number, leaf: Ref): number {
    return differenceOf(this.#nodes, this.#key(index), leaf)
  }

  /** The first edit of `[from, to)` whose key has that bit: they are sorted and agree before it. */
  #firstWith(bit: number, from: number, to: number): number {
    let low = from
    let high = to
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#edits.bit(this.#at(middle), bit) === 1) high = middle
      else low = middle + 1
    }
    return low
  }
}

/** By their length: to look at one key at a time. */
const keys: (Uint8Array | undefined)[] = []

function differenceOf(nodes: Arena, key: Uint8Array, leaf: Ref): number {
  const bit = nodes.difference(key, leaf)
  if (bit === BEGINS) throw notPrefixFree()
  return bit
}

interface Sorted {
  readonly edits: EditBatch
  /** Their numbers in the order of their keys; undefined if they are in it. */
  readonly order: readonly number[] | undefined
  /** For each in order, the first bit in which its key differs from the one before. */
  readonly splits: Uint16Array
}

/** Sorted, checked to be distinct, prefix-free and within the limits. */
function inOrder(edits: EditBatch): Sorted {
  for (let i = 0; i < edits.length; i++) checkLengths(edits.keyLength(i), edits.valueLength(i))
  const splits = new Uint16Array(edits.length)
  if (findSplits(edits, undefined, splits)) return { edits, order: undefined, splits }
  const order = edits.length <= FEW ? orderOfFew(edits) : Array.from({ length: edits.length }, (_, i) => i).sort((a, b) => edits.compare(a, b))
  findSplits(edits, order, splits)
  return { edits, order, splits }
}

const FEW = 16

/** By insertion: an entry of a row is half a dozen edits, and calling back for each comparison takes longer than all of them. */
function orderOfFew(edits: EditBatch): number[] {
  const order: number[] = []
  for (let edit = 0; edit < edits.length; edit++) {
    let at = edit
    for (; at > 0 && edits.compare(order[at - 1] as number, edit) > 0; at--) order[at] = order[at - 1] as number
    order[at] = edit
  }
  return order
}

/** False at the first key that comes before its predecessor. */
function findSplits(edits: EditBatch, order: readonly number[] | undefined, splits: Uint16Array): boolean {
  for (let i = 1; i < edits.length; i++) {
    const before = order === undefined ? i - 1 : order[i - 1] as number
    const at = order === undefined ? i : order[i] as number
    const bit = distinct(edits.difference(before, at))
    if (edits.bit(at, bit) === 0) return false
    splits[i] = bit
  }
  return true
}
