/**
 * A batch of edits, packed: keys and values one behind the other, three words about each. Ten thousand edits are a few arrays, not ten thousand objects
 * that the collector carries along until the batch is applied.
 */
import { EMPTY_BYTES } from '../codec/bytes.js'
import { giveRoom, takeRoom } from '../codec/room.js'
import { BEGINS, SAME } from './bits.js'
import { zeroBytes } from './pool.js'

/** `null` deletes; deleting what isn't there changes nothing. */
export interface Edit {
  readonly key: Uint8Array
  readonly value: Uint8Array | null
}

/** Room for what an entry writes besides a row. */
const SPARE_BYTES = 160
/** Of each edit: where its key begins, how long that is, and how long the value behind it is. */
const WORDS = 3
/** Instead of a value's length. */
const DELETED = -1
/** So many words lie in V8's heap, where they cost little. */
const FIRST_WORDS = 15

export class EditBatch {
  #bytes: Uint8Array
  #used = 0
  #words = new Int32Array(FIRST_WORDS)
  #length = 0

  /** `expected`: about how many bytes there will be, if they are many. */
  constructor(expected = 0) {
    this.#bytes = expected === 0 ? EMPTY_BYTES : takeRoom(expected)
  }

  static of(edits: Iterable<Edit>): EditBatch {
    const batch = new EditBatch()
    for (const { key, value } of edits) batch.add(key, value)
    return batch
  }

  get length(): number {
    return this.#length
  }

  /** Nobody looks at any of them again, nor at a view of one. */
  giveBack(): void {
    giveRoom(this.#bytes)
    this.#bytes = EMPTY_BYTES
    this.#length = 0
  }

  /** Both are copied. Returns the edit's number. Nothing is checked here: whoever applies them does. */
  add(key: Uint8Array, value: Uint8Array | null): number {
    const index = this.#length++
    if (this.#words.length < WORDS * this.#length) this.#words = grown(this.#words, new Int32Array(4 * this.#words.length))
    this.#store(index, key, value)
    return index
  }

  /** Another value for an edit's key. */
  replace(index: number, value: Uint8Array | null): void {
    this.#store(index, this.key(index), value)
  }

  /** Its key goes instead. */
  drop(index: number): void {
    this.#words[WORDS * index + 2] = DELETED
  }

  /** The edits from that one on; what is added to either later is not in the other. */
  from(index: number): EditBatch {
    const rest = new EditBatch()
    rest.#bytes = this.#bytes
    rest.#used = this.#bytes.length
    rest.#words = this.#words.slice(WORDS * index, WORDS * this.#length)
    rest.#length = this.#length - index
    return rest
  }

  /** A view, good until all are given back. */
  key(index: number): Uint8Array {
    const start = this.#word(index, 0)
    return this.#bytes.subarray(start, start + this.#word(index, 1))
  }

  keys(): Uint8Array[] {
    return Array.from({ length: this.#length }, (_, i) => this.key(i))
  }

  keyLength(index: number): number {
    return this.#word(index, 1)
  }

  keyBegins(index: number, prefix: Uint8Array): boolean {
    const start = this.#word(index, 0)
    if (this.#word(index, 1) < prefix.length) return false
    for (let i = 0; i < prefix.length; i++) if (this.#bytes[start + i] !== prefix[i]) return false
    return true
  }

  /** The key, copied to where `to` begins. */
  copyKey(index: number, to: Uint8Array): void {
    const bytes = this.#bytes
    const start = this.#word(index, 0)
    const length = this.#word(index, 1)
    for (let i = 0; i < length; i++) to[i] = bytes[start + i] as number
  }

  /** A view, good until all are given back; `null`: the key goes. */
  value(index: number): Uint8Array | null {
    const length = this.#word(index, 2)
    if (length === DELETED) return null
    const start = this.#word(index, 0) + this.#word(index, 1)
    return this.#bytes.subarray(start, start + length)
  }

  valueLength(index: number): number {
    return Math.max(0, this.#word(index, 2))
  }

  /** As `bitOf` of the key. */
  bit(index: number, bit: number): 0 | 1 {
    const at = bit >>> 3
    return at < this.#word(index, 1) ? ((((this.#bytes[this.#word(index, 0) + at] as number) >>> (7 - (bit & 7))) & 1) as 0 | 1) : 0
  }

  /** As `compareBytes` of both keys. */
  compare(a: number, b: number): number {
    const bytes = this.#bytes
    const [startA, startB] = [this.#word(a, 0), this.#word(b, 0)]
    const [lengthA, lengthB] = [this.#word(a, 1), this.#word(b, 1)]
    const length = lengthA < lengthB ? lengthA : lengthB
    for (let i = 0; i < length; i++) {
      const difference = (bytes[startA + i] as number) - (bytes[startB + i] as number)
      if (difference !== 0) return difference
    }
    return lengthA - lengthB
  }

  /** As `compareBytes` of an edit's key and another. */
  compareTo(index: number, key: Uint8Array): number {
    const bytes = this.#bytes
    const start = this.#word(index, 0)
    const ours = this.#word(index, 1)
    const length = ours < key.length ? ours : key.length
    for (let i = 0; i < length; i++) {
      const difference = (bytes[start + i] as number) - (key[i] as number)
      if (difference !== 0) return difference
    }
    return ours - key.length
  }

  /** As `firstDifference` of both keys. */
  difference(a: number, b: number): number {
    const bytes = this.#bytes
    const [startA, startB] = [this.#word(a, 0), this.#word(b, 0)]
    const [lengthA, lengthB] = [this.#word(a, 1), this.#word(b, 1)]
    const shorter = lengthA < lengthB ? lengthA : lengthB
    for (let i = 0; i < shorter; i++) {
      const difference = (bytes[startA + i] as number) ^ (bytes[startB + i] as number)
      if (difference !== 0) return (i << 3) + Math.clz32(difference) - 24
    }
    return lengthA === lengthB ? SAME : BEGINS
  }

  #word(index: number, which: 0 | 1 | 2): number {
    return this.#words[WORDS * index + which] as number
  }

  #store(index: number, key: Uint8Array, value: Uint8Array | null): void {
    const start = this.#used
    const end = start + key.length + (value === null ? 0 : value.length)
    // What views were given out of stays as it is.
    if (end > this.#bytes.length) this.#bytes = grown(this.#bytes.subarray(0, start), zeroBytes(Math.max(end + SPARE_BYTES, 2 * start)))
    const bytes = this.#bytes
    for (let i = 0; i < key.length; i++) bytes[start + i] = key[i] as number
    if (value !== null) bytes.set(value, start + key.length)
    this.#used = end
    this.#words[WORDS * index] = start
    this.#words[WORDS * index + 1] = key.length
    this.#words[WORDS * index + 2] = value === null ? DELETED : value.length
  }
}

function grown<T extends Uint8Array | Int32Array>(from: T, to: T): T {
  to.set(from)
  return to
}
