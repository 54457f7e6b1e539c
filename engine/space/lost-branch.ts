/**
 * A lost branch (PROTOCOL.md §9.3): entries that a relay signed and lost, as the state records them once an admin has accepted it. Their leaves are
 * named, so what is a head of that branch can be computed, and nothing else passes for one.
 */
import { equalBytes } from '../codec/bytes.js'
import { decodeCanonical, encodeCanonical, type Reader, type Writer } from '../codec/canonical.js'
import type { Sha256 } from '../crypto/provider.js'
import { MAX_LOST_ENTRIES } from '../limits.js'
import { appendLeaf, frontierRoot, type Frontier, peakCount } from '../log/frontier.js'
import type { StateReader } from '../state/context.js'
import { KEY_KIND, MAX_ID } from '../state/keys.js'
import type { Head } from './types.js'

/** The entries of a branch after the last that it has in common with the one that is kept. */
export interface BranchTail {
  /** The frontier of the common entries. */
  readonly common: Frontier
  readonly leaves: readonly Uint8Array[]
}

export interface LostBranch extends BranchTail {
  /** The entry that accepted it, and its author's device. */
  readonly index: number
  readonly device: number
  readonly head: Head
}

export function writeTail(w: Writer, { common, leaves }: BranchTail): void {
  w.varint(common.size)
  for (const peak of common.peaks) w.fixed(peak, 32)
  w.list(leaves, MAX_LOST_ENTRIES, (x, leaf) => void x.fixed(leaf, 32))
}

export function readTail(r: Reader): BranchTail {
  const size = r.varint()
  const peaks = Array.from({ length: peakCount(size) }, () => r.fixed(32).slice())
  return { common: { size, peaks }, leaves: r.list(MAX_LOST_ENTRIES, (x) => x.fixed(32).slice(), 32) }
}

/** The log root after the first `count` of the leaves. */
export function tailRoot(hash: Sha256, { common, leaves }: BranchTail, count: number): Uint8Array {
  let frontier = common
  for (const leaf of leaves.slice(0, count)) frontier = appendLeaf(hash, frontier, leaf)
  return frontierRoot(hash, frontier)
}

export function encodeLostBranch(branch: LostBranch): Uint8Array {
  return encodeCanonical(branch, (w, b) => {
    w.varint(b.index).varint(b.device).varint(b.head.size).fixed(b.head.stateRoot, 32)
    writeTail(w, b)
  })
}

export function readLostBranches(state: Pick<StateReader, 'scan'>): readonly LostBranch[] {
  const found: LostBranch[] = []
  for (const { key, value } of state.scan(Uint8Array.of(KEY_KIND.lostBranch), Uint8Array.of(KEY_KIND.lostBranch + 1))) {
    found.push(decodeCanonical(value, (r) => {
      const index = r.varint()
      const device = r.varint(MAX_ID)
      const head = { size: r.varint(), logRoot: key.slice(1), stateRoot: r.fixed(32).slice() }
      return { index, device, head, ...readTail(r) }
    }))
  }
  return found
}

/** True if a head lies on the branch, after what it has in common with the kept one. */
export function isLost(hash: Sha256, branch: LostBranch, head: Pick<Head, 'size' | 'logRoot'>): boolean {
  const { common, head: { size } } = branch
  return head.size > common.size && head.size <= size && equalBytes(tailRoot(hash, branch, head.size - common.size), head.logRoot)
}
