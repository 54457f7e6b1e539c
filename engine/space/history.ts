/**
 * Earlier states (AS OF). Versions of the state share structure, so the last `MARKED` that this process verified are simply still there; older ones
 * are the log replayed, from the nearest state below that is held. The entries are compared with the verified log's root at that size; their
 * signatures need not be checked again as long as all of them were good (`soundTo`), or where the state that comes out is one that the ring of
 * heads names. Else they are: an entry with a bad signature was ignored then, and must be now. The last few replays are kept. Who does not have the
 * first entries begins at the stored snapshot: history starts there.
 */
import { equalBytes } from '../codec/bytes.js'
import { SealError } from '../errors.js'
import { LogTree } from '../log/tree.js'
import { viewOf } from '../state/adapt.js'
import type { StateTree, TreeStats } from '../state/tree.js'
import type { Store } from '../store/store.js'
import { RING_SIZE } from '../limits.js'
import { isKnownHead } from './apply.js'
import { Follower, type HeldState } from './follower.js'
import { readStoredSnapshot } from './snapshot.js'
import type { SnapshotTags } from './snapshot-image.js'
import type { Verdict } from './types.js'

const KEPT = 4
const BATCH = 1_000
/** Verified states that stay readable at no cost but what has changed since. */
const MARKED = 64
/** They may double what the tree holds, and take this much more; past it all but the newest go, and what is left is the new measure. */
const SPARE_NODES = 100_000
const SPARE_BYTES = 32 << 20

export class HistoryReader {
  readonly #live: Follower
  readonly #store: Store
  readonly #tags: SnapshotTags | undefined
  #soundTo: number
  #closed = false
  /** Replays. Least recently used first; each leads to what was verified. */
  readonly #kept: Follower[] = []
  /** Past and present states of the live follower, ascending. */
  readonly #marks: HeldState[]
  /** Of the live tree, when all it held was one mark. */
  #alone: Weight

  constructor(live: Follower, store: Store, soundTo: number, tags?: SnapshotTags) {
    this.#tags = tags
    this.#live = live
    this.#store = store
    this.#soundTo = soundTo
    this.#marks = [live.hold()]
    this.#alone = live.states.stats()
  }

  /** The live log went on with these verdicts; what it has come to is verified. */
  followed(verdicts: readonly Verdict[]): void {
    this.#mark()
    const before = this.#live.head.size - verdicts.length // after the fact: the live log has them
    if (this.#soundTo < before) return
    const bad = verdicts.findIndex((verdict) => verdict.kind === 'ignored' && verdict.code === 'signature')
    this.#soundTo = before + (bad < 0 ? verdicts.length : bad)
  }

  /** The state after `size` entries, on a claim of the caller's. Throws `out-of-scope` if history starts later here. */
  async at(size: number): Promise<{ readonly states: StateTree; readonly held: HeldState }> {
    const mark = this.#marks.findLast((held) => held.log.size <= size)
    if (mark?.log.size === size) return { states: this.#live.states, held: this.#retained(mark) }
    // Taken out while in use, so that two reads never drive the same one.
    const follower = this.#take(size, mark) ?? (await this.#fromStart(size))
    try {
      return await this.#replay(follower, size, size <= this.#soundTo || this.#isInRing(size) ? 'trusted' : 'check')
    } catch (error) {
      follower.release()
      if (!(error instanceof Mistrusted)) throw error
    }
    return this.#replay(await this.#fromStart(size), size, 'check')
  }

  /** Versions of the live tree that are held here. */
  get claims(): number {
    return this.#marks.length + this.#kept.filter(({ states }) => states === this.#live.states).length
  }

  /** The live log is another one from `size` on. */
  rebranched(size: number): void {
    for (const follower of this.#kept.splice(0)) follower.release()
    while ((this.#marks.at(-1)?.log.size ?? 0) > size) this.#marks.pop()?.tree.release()
    this.#mark()
    this.#soundTo = Math.min(this.#soundTo, size)
  }

  close(): void {
    this.#closed = true
    for (const held of [...this.#kept.splice(0), ...this.#marks.splice(0).map(({ tree }) => tree)]) held.release()
  }

  #mark(): void {
    if (this.#closed) return
    this.#marks.push(this.#live.hold())
    if (this.#marks.length > MARKED) this.#marks.shift()?.tree.release()
    const { nodes, contentBytes } = this.#live.states.stats()
    if (nodes <= 2 * this.#alone.nodes + SPARE_NODES && contentBytes <= 2 * this.#alone.contentBytes + SPARE_BYTES) return
    for (const held of this.#marks.splice(0, this.#marks.length - 1)) held.tree.release()
    this.#alone = this.#live.states.stats()
  }

  async #replay(follower: Follower, size: number, signature: 'trusted' | 'check'): Promise<{ readonly states: StateTree; readonly held: HeldState }> {
    for (let from = follower.head.size; from < size; from += BATCH) {
      follower.followAll(await this.#store.read(from, Math.min(size, from + BATCH)), signature)
    }
    if (!equalBytes(follower.head.logRoot, this.#live.log.root(size))) {
      throw new SealError('store-corrupt', `The stored entries up to ${size} are not the ones that were verified.`, { size })
    }
    if (size > this.#soundTo && (signature === 'trusted' || this.#isInRing(size)) && !this.#isVerified(follower)) {
      if (signature === 'trusted') throw new Mistrusted()
      throw new SealError('store-corrupt', `The stored entries up to ${size} lead to another state than the one that was verified.`, { size })
    }
    const held = { states: follower.states, held: follower.hold() }
    this.#putBack(follower)
    return held
  }

  #isInRing(size: number): boolean {
    return this.#live.head.size - size < RING_SIZE
  }

  #isVerified(follower: Follower): boolean {
    return isKnownHead(this.#live.env, this.#live.state.tree, this.#live.head, follower.head)
  }

  /** The held state nearest below `size`, to be driven on. */
  #take(size: number, mark: HeldState | undefined): Follower | undefined {
    let best = -1
    for (const [i, { head }] of this.#kept.entries()) {
      if (head.size <= size && head.size > Math.max(mark?.log.size ?? 0, this.#kept[best]?.head.size ?? 0)) best = i
    }
    if (best >= 0) return this.#kept.splice(best, 1)[0]
    if (mark === undefined) return undefined
    const { env, states } = this.#live
    return Follower.resume(env, states, states.retain(mark.tree.state.version), new LogTree(env.crypto, mark.log))
  }

  #retained({ tree, log }: HeldState): HeldState {
    const { states } = this.#live
    return { tree: viewOf(states.at(states.retain(tree.state.version))), log }
  }

  #putBack(follower: Follower): void {
    this.#kept.push(follower)
    if (this.#closed || this.#kept.length > KEPT) this.#kept.shift()?.release()
  }

  async #fromStart(size: number): Promise<Follower> {
    if (this.#store.first === 0) {
      const [genesis] = await this.#store.read(0, 1)
      return Follower.found(this.#live.env.crypto, genesis as Uint8Array)
    }
    const snapshot = await readStoredSnapshot(this.#store, this.#live.env, this.#tags)
    if (snapshot !== undefined && snapshot.head.size <= size) return snapshot
    const first = snapshot?.head.size ?? this.#store.size
    snapshot?.release()
    throw new SealError('out-of-scope', `History starts at ${first} here: the entries before are not held, so earlier states can’t be recomputed.`, { first, size })
  }
}

type Weight = Pick<TreeStats, 'nodes' | 'contentBytes'>

/** Replayed without signatures, it led elsewhere: some signature is bad. */
class Mistrusted extends Error {}
