/**
 * A tree of rows that come in order of their keys, in one pass. Where the hash has lanes and there are many rows, they are hashed on the way: leaves
 * by fours as they are made, inner nodes once there is a subtree of some hundreds, while all of it lies in the processor's cache.
 */
import type { HashLanes } from '../crypto/provider.js'
import { SealError } from '../errors.js'
import { MAX_KEY_LENGTH, MAX_VALUE_LENGTH } from '../limits.js'
import { type Arena, NONE, type Ref } from './arena.js'
import { BEGINS, bitOf, firstDifference, SAME } from './bits.js'
import { hashFour } from './levels.js'
import type { Row } from './read.js'

/** Leaves of a subtree that is hashed as soon as it is there. */
const AT_ONCE = 256

/** Rows that are taken at once. */
const BATCH = 16

/** Somewhere to put what was only touched. */
const touched = new Uint8Array(1)

interface Batch { readonly keys: Uint8Array[]; readonly values: Uint8Array[]; readonly leaves: Ref[] }

export class Builder {
  readonly #nodes: Arena
  readonly #lanes: HashLanes | undefined
  /** Not hashed before the four leaves that are being made: some may lie below. */
  readonly #ready: Ref[] = []
  /** Subtrees that wait for their right sibling under an inner node of that bit; bits increase. */
  readonly #refs: Ref[] = []
  readonly #bits: number[] = []
  #current: Ref = NONE
  #last: Uint8Array | undefined

  /** `expected`: about how many rows will come; few are not hashed on the way. */
  constructor(nodes: Arena, expected: number) {
    this.#nodes = nodes
    this.#lanes = expected > AT_ONCE ? nodes.lanes : undefined
  }

  addAll(rows: Iterable<Row>): void {
    if (this.#lanes !== undefined && Array.isArray(rows)) {
      const some: Batch = { keys: [], values: [], leaves: [] }
      for (let i = 0; i < rows.length; i += BATCH) this.#addBatch(this.#lanes, rows, i, some)
      return
    }
    for (const row of rows) {
      this.add(row.key, row.value)
      this.#hashReady()
    }
  }

  /** All are taken before any is used: what gives them may use the lanes, too. */
  #addBatch(lanes: HashLanes, rows: readonly Row[], from: number, { keys, values, leaves }: Batch): void {
    const count = Math.min(BATCH, rows.length - from)
    for (let i = 0; i < count; i++) {
      const { key, value } = rows[from + i] as Row
      keys[i] = key
      values[i] = value
    }
    // They may lie anywhere: so the processor waits for several at a time, not for one after the other.
    let first = 0
    for (let i = 0; i < count; i++) first |= ((keys[i] as Uint8Array)[0] ?? 0) | ((values[i] as Uint8Array)[0] ?? 0)
    touched[0] = first
    for (let i = 0; i < count; i++) {
      this.add(keys[i] as Uint8Array, values[i] as Uint8Array)
      leaves[i] = this.#current
    }
    for (let i = 0; i < count; i += 4) hashFour(this.#nodes, lanes, leaves, values, i, Math.min(4, count - i))
    this.#hashReady()
  }

  #hashReady(): void {
    for (let ref = this.#ready.pop(); ref !== undefined; ref = this.#ready.pop()) this.#nodes.hashNow(ref)
  }

  add(key: Uint8Array, value: Uint8Array): void {
    checkLengths(key.length, value.length)
    let bit = 0
    if (this.#last !== undefined) {
      bit = distinct(firstDifference(this.#last, key))
      if (bitOf(key, bit) === 0) throw new SealError('bad-argument', 'Expected rows in ascending order of their keys.')
    }
    this.#last = key
    this.append(key, value, bit)
  }

  /** The same, already checked, with the first bit in which the key differs from the last. */
  append(key: Uint8Array, value: Uint8Array, bit: number): void {
    if (this.#current !== NONE) {
      this.#fold(bit)
      this.#refs.push(this.#current)
      this.#bits.push(bit)
    }
    this.#current = this.#nodes.leaf(key, value)
  }

  finish(): Ref {
    this.#hashReady()
    return this.#end()
  }

  /** Give up what was built. */
  abandon(): void {
    this.#nodes.release(this.#end())
  }

  #end(): Ref {
    this.#fold(-1)
    const root = this.#current
    this.#current = NONE
    return root
  }

  #fold(bit: number): void {
    const nodes = this.#nodes
    for (let top = this.#bits.length - 1; top >= 0 && (this.#bits[top] as number) > bit; top--) {
      const left = this.#refs.pop() as Ref
      const right = this.#current
      this.#current = nodes.inner(this.#bits.pop() as number, left, right)
      if (this.#lanes !== undefined && nodes.count(this.#current) >= AT_ONCE && nodes.count(left) < AT_ONCE && nodes.count(right) < AT_ONCE) this.#ready.push(this.#current)
    }
  }
}

export function buildSorted(nodes: Arena, rows: Iterable<Row>): Ref {
  const builder = new Builder(nodes, Infinity)
  try {
    builder.addAll(rows)
  } catch (error) {
    builder.abandon()
    throw error
  }
  return builder.finish()
}

/** The first bit in which two keys of one batch differ, if they do. */
export function distinct(bit: number): number {
  if (bit === SAME) throw new SealError('bad-argument', 'Expected each key once in a batch of edits, got one twice.')
  if (bit === BEGINS) throw notPrefixFree()
  return bit
}

export function checkLengths(key: number, value: number): void {
  if (key > MAX_KEY_LENGTH) {
    throw new SealError('key-too-long', `Expected a key of at most ${MAX_KEY_LENGTH} bytes, got ${key}.`, { length: key, max: MAX_KEY_LENGTH })
  }
  if (value > MAX_VALUE_LENGTH) {
    throw new SealError('bad-argument', `Expected a value of at most ${MAX_VALUE_LENGTH} bytes, got ${value}.`, { length: value, max: MAX_VALUE_LENGTH })
  }
}

export function notPrefixFree(): SealError {
  return new SealError('bad-argument', 'Expected prefix-free keys, got one that begins another.')
}
