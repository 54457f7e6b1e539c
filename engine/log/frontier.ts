/**
 * The frontier of the log: the roots of the full subtrees that a log of some size consists of (one for each set bit of the size,
 * largest first). It is all that is needed to append and to know every root from there on. RFC 9162 §2.1.1, "compact range".
 *
 * A plain immutable value: old ones stay valid, and share their hashes with new ones.
 */
import { type Reader, type Writer } from '../codec/canonical.js'
import { type Sha256 } from '../crypto/provider.js'
import { SealError } from '../errors.js'
import { MAX_COUNT } from '../limits.js'
import { EMPTY_LOG_ROOT, HASH_LENGTH, nodeHash, peaksRoot } from './merkle.js'

export interface Frontier {
  readonly size: number
  /** Roots of full subtrees, left to right, so largest first. */
  readonly peaks: readonly Uint8Array[]
}

export const EMPTY_FRONTIER: Frontier = { size: 0, peaks: [] }

/** The frontier after one more leaf. Keeps `leaf` (32 bytes, already hashed). One hash on average. */
export function appendLeaf(hash: Sha256, frontier: Frontier, leaf: Uint8Array): Frontier {
  if (leaf.length !== HASH_LENGTH) throw new SealError('bad-argument', 'Expected a leaf hash of 32 bytes.', { found: leaf.length })
  if (frontier.size >= MAX_COUNT) throw new SealError('too-large', 'Expected a log below 2^48 leaves.', { size: frontier.size })
  const peaks = frontier.peaks.slice()
  let carry = leaf
  for (let rest = frontier.size; rest % 2 === 1; rest = (rest - 1) / 2) carry = nodeHash(hash, peaks.pop() as Uint8Array, carry)
  peaks.push(carry)
  return { size: frontier.size + 1, peaks }
}

/** The log's root: one hash less than it has peaks. */
export function frontierRoot(hash: Sha256, frontier: Frontier): Uint8Array {
  return frontier.peaks.length === 0 ? EMPTY_LOG_ROOT : peaksRoot(hash, frontier.peaks)
}

/** Size, then 32 bytes for each peak: their number follows from the size. */
export function writeFrontier(writer: Writer, frontier: Frontier): void {
  if (frontier.peaks.length !== peakCount(frontier.size)) throw new SealError('bad-value', 'Expected one peak for each set bit of the size.', { size: frontier.size })
  writer.varint(frontier.size)
  for (const peak of frontier.peaks) writer.fixed(peak, HASH_LENGTH)
}

/** Copies, so that the value outlives the input. That the peaks are the log's own is for the caller to check, by the root. */
export function readFrontier(reader: Reader): Frontier {
  const size = reader.varint()
  const peaks: Uint8Array[] = []
  for (let left = peakCount(size); left > 0; left--) peaks.push(reader.fixed(HASH_LENGTH).slice())
  return { size, peaks }
}

/** Set bits of a size. */
export function peakCount(size: number): number {
  let count = 0
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) count += rest % 2
  return count
}
