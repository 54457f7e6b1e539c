/**
 * Earlier states (AS OF): the log replayed to a size. What is replayed is compared with the verified log's root at that size, so signatures
 * need not be checked again. The last few are kept and replayed further from.
 */
import { equalBytes } from '../codec/bytes.js'
import { SealError } from '../errors.js'
import type { StateTree } from '../state/tree.js'
import type { Store } from '../store/store.js'
import { Follower, type HeldState } from './follower.js'

const KEPT = 4
const BATCH = 1_000

export class HistoryReader {
  readonly #live: Follower
  readonly #store: Store
  /** Least recently used first. */
  #kept: Follower[] = []

  constructor(live: Follower, store: Store) {
    this.#live = live
    this.#store = store
  }

  /** The state after `size` entries, on a claim of the caller's. Throws `out-of-scope` if the log before it is not here any more. */
  async at(size: number): Promise<{ readonly states: StateTree; readonly held: HeldState }> {
    const follower = await this.#nearest(size)
    for (let from = follower.head.size; from < size; from += BATCH) {
      for (const record of await this.#store.read(from, Math.min(size, from + BATCH))) follower.follow(record, 'trusted')
    }
    if (!equalBytes(follower.head.logRoot, this.#live.log.root(size))) {
      throw new SealError('store-corrupt', `The stored entries up to ${size} are not the ones that were verified.`, { size })
    }
    return { states: follower.states, held: follower.hold() }
  }

  close(): void {
    for (const follower of this.#kept.splice(0)) follower.release()
  }

  async #nearest(size: number): Promise<Follower> {
    // One is taken out while in use, so that two reads never drive the same one.
    const at = this.#kept.reduce((best, follower, i) => (follower.head.size <= size && follower.head.size > (this.#kept[best]?.head.size ?? -1) ? i : best), -1)
    const follower = at >= 0 ? (this.#kept.splice(at, 1)[0] as Follower) : await this.#fromGenesis()
    this.#kept.push(follower)
    if (this.#kept.length > KEPT) this.#kept.shift()?.release()
    return follower
  }

  async #fromGenesis(): Promise<Follower> {
    if (this.#store.first > 0) {
      throw new SealError('out-of-scope', `The entries before ${this.#store.first} are not held here, so earlier states can’t be recomputed.`, { first: this.#store.first })
    }
    const [genesis] = await this.#store.read(0, 1)
    return Follower.found(this.#live.env.crypto, genesis as Uint8Array)
  }
}
