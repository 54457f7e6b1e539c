/**
 * Earlier states (AS OF): the log replayed to a size. The entries are compared with the verified log's root at that size; their signatures need
 * not be checked again as long as all of them were good (`soundTo`), or where the state that comes out is one that the ring of heads names.
 * Else they are: an entry with a bad signature was ignored then, and must be now. The last few are kept and replayed further from. Who does not
 * have the first entries begins at the stored snapshot: history starts there.
 */
import { equalBytes } from '../codec/bytes.js'
import { SealError } from '../errors.js'
import type { StateTree } from '../state/tree.js'
import type { Store } from '../store/store.js'
import { RING_SIZE } from '../limits.js'
import { isKnownHead } from './apply.js'
import { Follower, type HeldState } from './follower.js'
import { readStoredSnapshot } from './snapshot.js'
import type { Verdict } from './types.js'

const KEPT = 4
const BATCH = 1_000

export class HistoryReader {
  readonly #live: Follower
  readonly #store: Store
  #soundTo: number
  #closed = false
  /** Least recently used first; each leads to what was verified. */
  readonly #kept: Follower[] = []

  constructor(live: Follower, store: Store, soundTo: number) {
    this.#live = live
    this.#store = store
    this.#soundTo = soundTo
  }

  /** The live log went on with these verdicts. */
  followed(verdicts: readonly Verdict[]): void {
    const before = this.#live.head.size - verdicts.length // after the fact: the live log has them
    if (this.#soundTo < before) return
    const bad = verdicts.findIndex((verdict) => verdict.kind === 'ignored' && verdict.code === 'signature')
    this.#soundTo = before + (bad < 0 ? verdicts.length : bad)
  }

  /** The state after `size` entries, on a claim of the caller's. Throws `out-of-scope` if history starts later here. */
  async at(size: number): Promise<{ readonly states: StateTree; readonly held: HeldState }> {
    // Taken out while in use, so that two reads never drive the same one.
    const follower = this.#take(size) ?? (await this.#fromStart(size))
    try {
      return await this.#replay(follower, size, size <= this.#soundTo || this.#isInRing(size) ? 'trusted' : 'check')
    } catch (error) {
      follower.release()
      if (!(error instanceof Mistrusted)) throw error
    }
    return this.#replay(await this.#fromStart(size), size, 'check')
  }

  close(): void {
    this.#closed = true
    for (const follower of this.#kept.splice(0)) follower.release()
  }

  async #replay(follower: Follower, size: number, signature: 'trusted' | 'check'): Promise<{ readonly states: StateTree; readonly held: HeldState }> {
    for (let from = follower.head.size; from < size; from += BATCH) {
      for (const record of await this.#store.read(from, Math.min(size, from + BATCH))) follower.follow(record, signature)
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

  #take(size: number): Follower | undefined {
    let best = -1
    for (const [i, { head }] of this.#kept.entries()) if (head.size <= size && head.size > (this.#kept[best]?.head.size ?? -1)) best = i
    return best < 0 ? undefined : this.#kept.splice(best, 1)[0]
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
    const snapshot = await readStoredSnapshot(this.#store, this.#live.env)
    if (snapshot !== undefined && snapshot.head.size <= size) return snapshot
    const first = snapshot?.head.size ?? this.#store.size
    snapshot?.release()
    throw new SealError('out-of-scope', `History starts at ${first} here: the entries before are not held, so earlier states can’t be recomputed.`, { first, size })
  }
}

/** Replayed without signatures, it led elsewhere: some signature is bad. */
class Mistrusted extends Error {}
