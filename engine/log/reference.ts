/**
 * The log's Merkle tree as RFC 9162 §2.1 writes it down: recursive, slow, obviously right. For tests to compare with; nothing else
 * may use it.
 */
import { type Sha256 } from '../crypto/provider.js'
import { EMPTY_LOG_ROOT, nodeHash } from './merkle.js'

/** MTH(D[n]) over leaf hashes (§2.1.1). */
export function referenceRoot(hash: Sha256, leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 0) return EMPTY_LOG_ROOT
  if (leaves.length === 1) return leaves[0] as Uint8Array
  const k = split(leaves.length)
  return nodeHash(hash, referenceRoot(hash, leaves.slice(0, k)), referenceRoot(hash, leaves.slice(k)))
}

/** PATH(m, D[n]) (§2.1.3.1). */
export function referenceInclusion(hash: Sha256, m: number, leaves: readonly Uint8Array[]): Uint8Array[] {
  if (leaves.length === 1) return []
  const k = split(leaves.length)
  return m < k
    ? [...referenceInclusion(hash, m, leaves.slice(0, k)), referenceRoot(hash, leaves.slice(k))]
    : [...referenceInclusion(hash, m - k, leaves.slice(k)), referenceRoot(hash, leaves.slice(0, k))]
}

/** PROOF(m, D[n]) (§2.1.4.1). */
export function referenceConsistency(hash: Sha256, m: number, leaves: readonly Uint8Array[]): Uint8Array[] {
  return subproof(hash, m, leaves, true)
}

/** SUBPROOF(m, D[n], b). */
function subproof(hash: Sha256, m: number, leaves: readonly Uint8Array[], whole: boolean): Uint8Array[] {
  if (m === leaves.length) return whole ? [] : [referenceRoot(hash, leaves)]
  const k = split(leaves.length)
  return m <= k
    ? [...subproof(hash, m, leaves.slice(0, k), whole), referenceRoot(hash, leaves.slice(k))]
    : [...subproof(hash, m - k, leaves.slice(k), false), referenceRoot(hash, leaves.slice(0, k))]
}

/** The largest power of two smaller than n. */
function split(n: number): number {
  let k = 1
  while (2 * k < n) k *= 2
  return k
}
