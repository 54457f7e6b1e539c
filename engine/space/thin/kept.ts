/**
 * What a thin client keeps of the log and the state (PROTOCOL.md §10): the frontier, and the kernel, a proof of all that is not of rows: the group, the
 * catalog, the counters. Whatever follows the head reads the kernel all the time, so it is here whenever the space is open; rows come when they are asked for.
 */
import { equalBytes } from '../../codec/bytes.js'
import { Reader, Writer } from '../../codec/canonical.js'
import { isSealError, SealError } from '../../errors.js'
import { MAX_PROOF_LENGTH } from '../../limits.js'
import { frontierRoot, readFrontier, writeFrontier, type Frontier } from '../../log/frontier.js'
import { LogTree } from '../../log/tree.js'
import type { ApplyEnv, StateReader } from '../../state/context.js'
import { KEY_KIND } from '../../state/keys.js'
import { PartialTree } from '../../state/partial.js'
import type { Query } from '../../state/queries.js'
import type { Version } from '../../state/view.js'
import { Follower } from '../follower.js'
import type { Head } from '../types.js'

const VERSION = 1

/** Everything but the ring of heads, rows and index entries. */
const KERNEL = [[KEY_KIND.protocol, KEY_KIND.ring], [KEY_KIND.ring + 1, KEY_KIND.row]].map(([lo, hi]) => ({ lo: Uint8Array.of(lo as number), hi: Uint8Array.of(hi as number) }))

/** The kernel as queries: what a newcomer asks for first. */
export const KERNEL_QUERIES: readonly Query[] = KERNEL.map((range) => ({ kind: 'scan', ...range }))

/** Below these lie rows and index entries: what may be let go of. */
export const ROW_PREFIXES: readonly Uint8Array[] = [Uint8Array.of(KEY_KIND.row), Uint8Array.of(KEY_KIND.index)]

/** Reads the kernel through, and throws `out-of-scope` if any of it is not here. */
export function readKernel(tree: Pick<StateReader, 'scan'>): void {
  for (const { lo, hi } of KERNEL) for (const row of tree.scan(lo, hi)) void row
}

/** At the follower's state, of which the kernel is here. */
export function encodeKept({ states, state }: Follower): Uint8Array {
  const { proof } = states.record(state.tree.state.version, (tree) => { readKernel({ scan: (lo, hi) => tree.scan({ lo, hi }) }) })
  const w = new Writer(proof.length + 128).u8(VERSION)
  writeFrontier(w, state.log)
  return w.bytes(proof, MAX_PROOF_LENGTH).finish()
}

/** A follower at `head`, its state here in part. Throws `store-corrupt` for anything but what was kept of that head. */
export function resumeKept(env: ApplyEnv, head: Head, bytes: Uint8Array): { readonly follower: Follower; readonly tree: PartialTree } {
  try {
    const r = new Reader(bytes)
    if (r.u8() !== VERSION) throw r.bad(`Expected version ${VERSION} of what a thin client keeps`)
    const log = readFrontier(r)
    const proof = r.bytes(MAX_PROOF_LENGTH)
    r.end()
    return resumeAt(env, head, log, PartialTree.open(env.crypto, head.stateRoot, proof))
  } catch (error) {
    if (!isSealError(error) || (error.family !== 'hostile' && error.code !== 'out-of-scope')) throw error
    throw new SealError('store-corrupt', 'What this store keeps of the state is not of its verified head. Restore it from a copy, or join again.', { size: head.size }, { cause: error })
  }
}

/** A follower at a trusted head, from the log's frontier and a state that has the kernel. Throws `bad-proof`, `out-of-scope` for one that has less. */
export function resumeAt(env: ApplyEnv, head: Head, log: Frontier, { tree, version }: { readonly tree: PartialTree; readonly version: Version }): { readonly follower: Follower; readonly tree: PartialTree } {
  if (log.size !== head.size || !equalBytes(frontierRoot(env.crypto, log), head.logRoot)) throw new SealError('bad-proof', 'Expected the frontier of the trusted head.', { size: head.size, found: log.size })
  const follower = Follower.resume(env, tree, version, new LogTree(env.crypto, log))
  readKernel(follower.state.tree)
  return { follower, tree }
}
