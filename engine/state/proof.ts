/**
 * Read proofs as bytes (PROTOCOL.md §5): the nodes of a tree that were opened, the others closed to hash and count.
 *
 * `encodeProof` and `decodeProof` are a pair: for one root and one set of opened nodes there is one string. Neither recurses. What was opened, and that
 * no more was, is for record.ts to say.
 */
import { Reader as Bytes, Writer } from '../codec/canonical.js'
import type { Sha256 } from '../crypto/provider.js'
import { SealError } from '../errors.js'
import { MAX_COUNT, MAX_KEY_LENGTH, MAX_PROOF_LENGTH, MAX_VALUE_LENGTH } from '../limits.js'
import { Arena, BARE, HASH_LENGTH, type HashMany, INNER, LEAF, NONE, type Ref } from './arena.js'
import { bitOf, firstDifference, SAME } from './bits.js'
import type { Trace } from './reader.js'

const FORMAT = 1
const CLOSED_TAG = 0
const LEAF_TAG = 1
const BARE_TAG = 2
const INNER_TAG = 3
const MAX_BIT = 8 * MAX_KEY_LENGTH - 1

/** The proof of what a trace opened of the tree under `root`. */
export function encodeProof(nodes: Arena, root: Ref, trace: Trace): Uint8Array {
  const out = new Writer(1024).u8(FORMAT)
  if (root === NONE) return out.finish()
  nodes.hashView(root) // so that every node below has one
  let lastKey: Uint8Array = new Uint8Array(0)
  let spelledOut = 0
  const pending: (readonly [Ref, number])[] = [[root, -1]]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const [ref, parentBit] = next
    if (ref !== root && !trace.nodes.has(ref)) {
      out.varint(CLOSED_TAG).varint(nodes.count(ref)).raw(nodes.hashView(ref))
    } else if (nodes.kind(ref) === INNER) {
      const bit = nodes.bit(ref)
      out.varint(INNER_TAG + bit - parentBit - 1)
      pending.push([nodes.right(ref), bit], [nodes.left(ref), bit])
    } else {
      const key = nodes.key(ref)
      const shared = sharedLength(lastKey, key)
      const hasValue = trace.values.has(ref)
      out.varint(hasValue ? LEAF_TAG : BARE_TAG).varint(shared).bytes(key.subarray(shared))
      if (hasValue) out.bytes(nodes.valueView(ref))
      else out.raw(nodes.valueHash(ref))
      lastKey = key
      spelledOut += shared
    }
    if (out.length + spelledOut > MAX_PROOF_LENGTH) {
      throw new SealError('too-large', `Expected reads whose proof takes at most ${MAX_PROOF_LENGTH} bytes: read in parts.`, { max: MAX_PROOF_LENGTH })
    }
  }
  return out.finish()
}

/** The part of a tree that a proof opens, in an arena of its own; checked against the trusted root. Throws `bad-proof`, `bad-encoding` or `too-large`. */
export function decodeProof(hash: Sha256, root: Uint8Array, proof: Uint8Array, hashMany?: HashMany): { readonly nodes: Arena; readonly root: Ref } {
  if (proof.length > MAX_PROOF_LENGTH) throw tooLong(proof.length)
  const input = new Bytes(proof)
  if (input.u8() !== FORMAT) throw input.bad(`Expected read proof format ${FORMAT}`)
  const nodes = new Arena(hash, Math.ceil(proof.length / 18), hashMany) // of a point proof; of others a beginning
  const found = input.remaining === 0 ? NONE : new Decoder(nodes, proof, input).decode()
  input.end()
  if (!nodes.hasHash(found, root)) throw new SealError('bad-proof', 'Expected a proof of the trusted state root, found one of another.')
  return { nodes, root: found }
}

/** The opened nodes under `root`, values counted, that are not in the trace: what a proof carries for nothing. */
export function countUnused(nodes: Arena, root: Ref, trace: Trace): number {
  if (root === NONE) return 0
  let unused = 0
  const pending = [root]
  for (let ref = pending.pop(); ref !== undefined; ref = pending.pop()) {
    const kind = nodes.kind(ref)
    if (kind !== INNER && kind !== LEAF && kind !== BARE) continue
    if (ref !== root && !trace.nodes.has(ref)) unused++
    if (kind === LEAF && !trace.values.has(ref)) unused++
    if (kind === INNER) pending.push(nodes.left(ref), nodes.right(ref))
  }
  return unused
}

/** Inner nodes that wait for their children: bits strictly increase, so there are at most 2,040. */
class Decoder {
  readonly #nodes: Arena
  readonly #proof: Uint8Array
  readonly #input: Bytes
  readonly #bits: number[] = []
  /** The left child of each, once it is known. */
  readonly #lefts: Ref[] = []
  #lastKey: Uint8Array | undefined
  /** The bit of the lowest common ancestor of the last leaf and what comes now. */
  #meeting = SAME
  #spelledOut = 0

  constructor(nodes: Arena, proof: Uint8Array, input: Bytes) {
    this.#nodes = nodes
    this.#proof = proof
    this.#input = input
  }

  decode(): Ref {
    const bits = this.#bits
    const lefts = this.#lefts
    for (;;) {
      let ref = this.#node()
      if (ref === NONE) continue
      for (;;) {
        const top = bits.length - 1
        if (top < 0) return ref
        const bit = bits[top] as number
        const left = lefts[top] as Ref
        if (left === NONE) {
          lefts[top] = ref
          this.#meeting = Math.min(this.#meeting, bit)
          break
        }
        if (this.#nodes.count(left) + this.#nodes.count(ref) > MAX_COUNT) throw badProof('counts that add up to less than 2^48')
        ref = this.#nodes.inner(bit, left, ref)
        bits.pop()
        lefts.pop()
      }
    }
  }

  /** One node without its children: a finished one, or NONE for an inner node, which now waits. */
  #node(): Ref {
    const input = this.#input
    const tag = input.varint(INNER_TAG + MAX_BIT)
    if (tag === LEAF_TAG || tag === BARE_TAG) return this.#leaf(tag)
    if (tag === CLOSED_TAG) {
      if (this.#bits.length === 0) throw badProof('an open root')
      const count = input.varint(MAX_COUNT)
      if (count === 0) throw badProof('a closed node of at least one leaf')
      return this.#nodes.closed(count, this.#proof, input.skip(HASH_LENGTH))
    }
    const bit = (this.#bits[this.#bits.length - 1] ?? -1) + 1 + tag - INNER_TAG
    if (bit > MAX_BIT) throw badProof(`bits of at most ${MAX_BIT}`)
    this.#bits.push(bit)
    this.#lefts.push(NONE)
    return NONE
  }

  #leaf(tag: typeof LEAF_TAG | typeof BARE_TAG): Ref {
    const input = this.#input
    const shared = input.varint(this.#lastKey?.length ?? 0)
    const suffix = input.bytes(MAX_KEY_LENGTH - shared)
    const key = new Uint8Array(shared + suffix.length)
    if (this.#lastKey !== undefined) key.set(this.#lastKey.subarray(0, shared))
    key.set(suffix, shared)
    this.#spelledOut += shared
    if (input.offset + this.#spelledOut > MAX_PROOF_LENGTH) throw tooLong(input.offset + this.#spelledOut)
    this.#checkPlace(key, shared)
    this.#lastKey = key
    this.#meeting = SAME
    return tag === LEAF_TAG ? this.#nodes.leaf(key, input.bytes(MAX_VALUE_LENGTH)) : this.#nodes.leaf(key, input.fixed(HASH_LENGTH), BARE)
  }

  /** Under every node that waits, the key is on the side it came by. Above the meeting with the last leaf, that one's key has shown it. */
  #checkPlace(key: Uint8Array, shared: number): void {
    const last = this.#lastKey
    if (last !== undefined) {
      if (sharedLength(last, key) !== shared) throw badProof('keys that share as much as they say')
      if (firstDifference(last, key) !== this.#meeting) throw badProof('neighbours that differ first where their paths part')
    }
    const from = last === undefined ? 0 : this.#meeting
    for (let i = this.#bits.length - 1; i >= 0; i--) {
      const bit = this.#bits[i] as number
      if (bit < from) break
      if (bit >= 8 * key.length || bitOf(key, bit) !== (this.#lefts[i] === NONE ? 0 : 1)) throw badProof('a key that agrees with its path')
    }
  }
}

function sharedLength(a: Uint8Array, b: Uint8Array): number {
  let length = 0
  while (length < a.length && length < b.length && a[length] === b[length]) length++
  return length
}

function badProof(expected: string): SealError {
  return new SealError('bad-proof', `Expected a read proof with ${expected}.`)
}

function tooLong(found: number): SealError {
  return new SealError('too-large', `Expected a read proof of at most ${MAX_PROOF_LENGTH} bytes.`, { found, max: MAX_PROOF_LENGTH })
}
