/**
 * The log's Merkle tree hashes and the checking of its proofs: RFC 9162 §2.1 (the tree of RFC 6962), SHA-256.
 *
 * Proofs are made by tree.ts, heads grown by frontier.ts; reference.ts has the recursive definitions that tests compare with.
 * Verification throws `bad-proof` or returns a value of a type that is minted here only.
 */
import { equalBytes } from '../codec/bytes.js'
import { type Reader, type Writer } from '../codec/canonical.js'
import { giveRoom, takeRoom } from '../codec/room.js'
import { type Sha256 } from '../crypto/provider.js'
import { SealError } from '../errors.js'
import { MAX_COUNT, MAX_LOG_PROOF_HASHES } from '../limits.js'

export const HASH_LENGTH = 32
/** H() of nothing: the root of the empty log (RFC 9162 §2.1.1). */
export const EMPTY_LOG_ROOT: Uint8Array = Uint8Array.from([
  0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
  0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
])

/** Hashes from the leaf's (or the smaller tree's) side up. */
export type LogProof = readonly Uint8Array[]

declare const verified: unique symbol

/** The leaf at `index` of the log of `size` leaves and this root has this hash. */
export interface VerifiedInclusion {
  readonly index: number
  readonly size: number
  readonly leaf: Uint8Array
  readonly root: Uint8Array
  readonly [verified]: 'inclusion'
}

/** The log of `size2` leaves and `root2` begins with the log of `size1` leaves and `root1`. */
export interface VerifiedConsistency {
  readonly size1: number
  readonly root1: Uint8Array
  readonly size2: number
  readonly root2: Uint8Array
  readonly [verified]: 'consistency'
}

/** H(0x00 ‖ data). */
export function leafHash(hash: Sha256, data: Uint8Array): Uint8Array {
  const out = new Uint8Array(HASH_LENGTH)
  const input = data.length < leaf.length ? leaf : takeRoom(1 + data.length)
  input[0] = 0
  input.set(data, 1)
  hash.sha256Into(input, 0, 1 + data.length, out, 0)
  if (input !== leaf) giveRoom(input)
  return out
}

/** H(0x01 ‖ left ‖ right). */
export function nodeHash(hash: Sha256, left: Uint8Array, right: Uint8Array): Uint8Array {
  const out = new Uint8Array(HASH_LENGTH)
  node.set(left, 1)
  node.set(right, 1 + HASH_LENGTH)
  hash.sha256Into(node, 0, node.length, out, 0)
  return out
}

/** The root over full subtrees, largest first: each with all that come after it. At least one. */
export function peaksRoot(hash: Sha256, peaks: readonly Uint8Array[]): Uint8Array {
  const root = (peaks[peaks.length - 1] as Uint8Array).slice()
  for (let i = peaks.length - 2; i >= 0; i--) {
    node.set(peaks[i] as Uint8Array, 1)
    node.set(root, 1 + HASH_LENGTH)
    hash.sha256Into(node, 0, node.length, root, 0)
  }
  return root
}

/** Check an inclusion proof (RFC 9162 §2.1.3.2). Throws `bad-proof`. */
export function verifyInclusion(
  hash: Sha256,
  claim: { readonly index: number; readonly size: number; readonly leaf: Uint8Array; readonly proof: LogProof; readonly root: Uint8Array },
): VerifiedInclusion {
  const { index, size, leaf, proof, root } = claim
  if (!isCount(size) || !isCount(index) || index >= size) throw badProof('Expected an index below the size', claim)
  checkHashes(proof, claim)
  if (leaf.length !== HASH_LENGTH) throw badProof('Expected a leaf hash of 32 bytes', claim)

  let fn = index
  let sn = size - 1
  let running = leaf
  for (const sibling of proof) {
    if (sn === 0) throw badProof('Expected fewer hashes', claim)
    if (isOdd(fn) || fn === sn) {
      running = nodeHash(hash, sibling, running)
      while (!isOdd(fn) && fn !== 0) {
        fn = half(fn)
        sn = half(sn)
      }
    } else running = nodeHash(hash, running, sibling)
    fn = half(fn)
    sn = half(sn)
  }
  if (sn !== 0) throw badProof('Expected more hashes', claim)
  if (!equalBytes(running, root)) throw badProof('Expected the proof to give the root', claim)
  return { index, size, leaf, root } as VerifiedInclusion
}

/**
 * Check a consistency proof (RFC 9162 §2.1.4.2). Equal sizes need equal roots and an empty proof. Size 0 is refused: every log
 * continues the empty one, so there is nothing to prove and nothing would be known. Throws `bad-proof`.
 */
export function verifyConsistency(
  hash: Sha256,
  claim: {
    readonly size1: number
    readonly root1: Uint8Array
    readonly size2: number
    readonly root2: Uint8Array
    readonly proof: LogProof
  },
): VerifiedConsistency {
  const { size1, root1, size2, root2, proof } = claim
  if (!isCount(size1) || !isCount(size2) || size1 === 0 || size1 > size2) throw badProof('Expected 0 < size1 ≤ size2', claim)
  checkHashes(proof, claim)
  const result = { size1, root1, size2, root2 } as VerifiedConsistency
  if (size1 === size2) {
    if (proof.length !== 0 || !equalBytes(root1, root2)) throw badProof('Expected equal roots and no hashes at equal sizes', claim)
    return result
  }

  let fn = size1 - 1
  let sn = size2 - 1
  while (isOdd(fn)) {
    fn = half(fn)
    sn = half(sn)
  }
  // fn = 0 here says that size1 is a power of two: the smaller root is itself a node of the larger tree and is left out of the proof.
  const start = fn === 0 ? root1 : proof[0]
  if (start?.length !== HASH_LENGTH) throw badProof('Expected more hashes', claim)
  let fr = start
  let sr = start
  for (let i = fn === 0 ? 0 : 1; i < proof.length; i++) {
    const sibling = proof[i] as Uint8Array
    if (sn === 0) throw badProof('Expected fewer hashes', claim)
    if (isOdd(fn) || fn === sn) {
      fr = nodeHash(hash, sibling, fr)
      sr = nodeHash(hash, sibling, sr)
      while (!isOdd(fn) && fn !== 0) {
        fn = half(fn)
        sn = half(sn)
      }
    } else sr = nodeHash(hash, sr, sibling)
    fn = half(fn)
    sn = half(sn)
  }
  if (sn !== 0) throw badProof('Expected more hashes', claim)
  if (!equalBytes(fr, root1)) throw badProof('Expected the proof to give the smaller root', claim)
  if (!equalBytes(sr, root2)) throw badProof('Expected the proof to give the larger root', claim)
  return result
}

/** Count, then 32 bytes each. */
export function writeLogProof(writer: Writer, proof: LogProof): void {
  writer.list(proof, MAX_LOG_PROOF_HASHES, (w, sibling) => w.fixed(sibling, HASH_LENGTH))
}

/** Views into the input. Throws `bad-encoding`, `too-large`. */
export function readLogProof(reader: Reader): LogProof {
  return reader.list(MAX_LOG_PROOF_HASHES, (r) => r.fixed(HASH_LENGTH), HASH_LENGTH)
}

// Sizes have 48 bits, bit operators 32.
const isOdd = (n: number): boolean => n % 2 === 1
const half = (n: number): number => Math.floor(n / 2)

const node = new Uint8Array(1 + 2 * HASH_LENGTH)
node[0] = 0x01
/** Most entries fit: memory of its own costs more than the hash. */
const leaf = new Uint8Array(4_096)

function isCount(n: number): boolean {
  return Number.isInteger(n) && n >= 0 && n <= MAX_COUNT
}

function checkHashes(proof: LogProof, claim: Claim): void {
  if (proof.length > MAX_LOG_PROOF_HASHES) throw badProof('Expected fewer hashes', claim)
  for (const sibling of proof) if (sibling.length !== HASH_LENGTH) throw badProof('Expected hashes of 32 bytes', claim)
}

interface Claim {
  readonly index?: number
  readonly size?: number
  readonly size1?: number
  readonly size2?: number
  readonly proof: LogProof
}

function badProof(expected: string, { index, size, size1, size2, proof }: Claim): SealError {
  return new SealError('bad-proof', `Log proof refused. ${expected}.`, { index, size, size1, size2, hashes: proof.length })
}
