/**
 * The rest of a thin client's state, which is elsewhere. A program that reads the state runs over what is here; what it lacks is asked of the source, proved
 * against the verified head, put where it belongs, and the program runs again. So what it sees is what a replica would see, or it is told that it can't be had.
 */
import type { Sha256 } from '../../crypto/provider.js'
import { isSealError, SealError } from '../../errors.js'
import { MAX_REMOTE_BYTES, MAX_REMOTE_NODES, MAX_REMOTE_ROUNDS } from '../../limits.js'
import { verifyPage, type Page } from '../../state/pages.js'
import type { Missed, PartialTree } from '../../state/partial.js'
import type { Query } from '../../state/queries.js'
import type { Version } from '../../state/view.js'
import type { Head } from '../types.js'
import { ROW_PREFIXES } from './kept.js'

/** Who has the whole state. Believed in nothing. */
export interface NodeSource {
  /** A page of the state under `head`. Throws `relay-refused` (`gone`: that state is no longer to be had there), `disconnected`. */
  page(head: Head, queries: readonly Query[]): Promise<Page>
}

/** What query needs of a space whose rows are elsewhere. */
export interface RemoteRows {
  /** Rows that a statement may read of a table that it names no range of. */
  readonly maxRows: number
  /** Run a program that reads this space's views, and may be run again, until all that it reads is here. */
  reach<T>(program: () => T | Promise<T>): Promise<T>
  /** The same for several that don't wait for each other: what they lack is asked for together. */
  reachAll(programs: readonly (() => unknown)[]): Promise<void>
  /** Fetch what the read lacked that threw this. False if it is not about that. */
  supply(error: unknown): Promise<boolean>
  /** What has been fetched so far. */
  readonly counters: RemoteCounters
}

/** What a thin client has fetched since it was opened: rounds of questions, pages of answers, bytes of their proofs. */
export interface RemoteCounters { readonly rounds: number; readonly pages: number; readonly bytes: number }

/** The verified state, claimed for the time of a fetch. */
export interface Claimed { readonly head: Head; readonly version: Version; release(): void }

/** `locked`: under the space's lock the head can't move, so nothing is gained by waiting for it. */
export type Hold = 'locked' | 'free'

const QUERIES_AT_ONCE = 500
/** How long a read waits for a connection that is being made. */
const WAIT = 15_000

export class RemoteState implements RemoteRows {
  readonly maxRows: number
  readonly #hash: Sha256
  readonly #tree: PartialTree
  readonly #claim: () => Claimed
  readonly #moved: () => Promise<void>
  #source: NodeSource | undefined
  #expected = false
  #waiting: (() => void)[] = []
  readonly #counters = { rounds: 0, pages: 0, bytes: 0 }

  /** `claim` gives the verified state; `moved` resolves when there is another, or after a while. */
  constructor(hash: Sha256, tree: PartialTree, claim: () => Claimed, moved: () => Promise<void>, maxRows: number) {
    this.#hash = hash
    this.#tree = tree
    this.#claim = claim
    this.#moved = moved
    this.maxRows = maxRows
  }

  get counters(): RemoteCounters {
    return { ...this.#counters }
  }

  /** Who is asked from now on; `expected`: there will be somebody. */
  connect(source: NodeSource | undefined, expected: boolean): void {
    this.#source = source
    this.#expected = expected
    if (source === undefined && expected) return
    for (const wake of this.#waiting.splice(0)) wake()
  }

  async reach<T>(program: () => T | Promise<T>, hold: Hold = 'free'): Promise<T> {
    for (let round = 1; ; round++) {
      try {
        return await program()
      } catch (error) {
        if (round === MAX_REMOTE_ROUNDS || !(await this.supply(error, hold))) throw error
      }
    }
  }

  async reachAll(programs: readonly (() => unknown)[], hold: Hold = 'free'): Promise<void> {
    let left = programs
    for (let round = 1; left.length > 0; round++) {
      const missed: Missed[] = []
      left = left.filter((program) => {
        try {
          program()
          return false
        } catch (error) {
          const found = this.#tree.missedBy(error)
          if (found === undefined || round === MAX_REMOTE_ROUNDS) throw error
          missed.push(found)
          return true
        }
      })
      if (missed.length > 0) await this.#supplyAll(missed, hold)
    }
  }

  async supply(error: unknown, hold: Hold = 'free'): Promise<boolean> {
    const missed = this.#tree.missedBy(error)
    if (missed === undefined) return false
    await this.#supplyAll([missed], hold)
    return true
  }

  /** A witness: a proof of the verified state. Throws `bad-proof`, `bad-encoding`, `too-large`. */
  graft(witness: Uint8Array): void {
    this.#holding((claimed) => {
      this.#tree.graft(claimed.version, witness)
    })
  }

  /** Let go of rows if there are many here. Nothing may be reading, nothing be pending. */
  trim(): void {
    const { nodes, contentBytes } = this.#tree.stats()
    if (nodes < MAX_REMOTE_NODES / 2 && contentBytes < MAX_REMOTE_BYTES / 2) return
    this.#holding(({ version }) => {
      for (const prefix of ROW_PREFIXES) this.#tree.forget(version, prefix)
    })
  }

  #holding(work: (claimed: Claimed) => void): void {
    const claimed = this.#claim()
    try {
      work(claimed)
    } finally {
      claimed.release()
    }
  }

  async #supplyAll(all: readonly Missed[], hold: Hold): Promise<void> {
    this.#counters.rounds++
    const claimed = this.#claim()
    try {
      await this.#fetch(claimed, all.flatMap(({ queries }) => queries), hold)
      const places: Query[] = []
      for (const missed of all) {
        if (!this.#tree.isMissing(missed)) continue
        const place = this.#tree.placeOf(claimed.version, missed)
        if (place === undefined) throw new SealError('stale-view', 'This read was of a state that others have gone beyond, and its rows are not here; run it again.')
        places.push(place)
      }
      await this.#fetch(claimed, places, hold)
    } finally {
      claimed.release()
    }
  }

  async #fetch(claimed: Claimed, queries: readonly Query[], hold: Hold): Promise<void> {
    for (let at = 0; at < queries.length; at += QUERIES_AT_ONCE) {
      for (let rest = queries.slice(at, at + QUERIES_AT_ONCE); rest.length > 0;) {
        const page = await this.#page(claimed.head, rest, hold)
        const verified = verifyPage(this.#hash, claimed.head.stateRoot, rest, page)
        this.#tree.graft(claimed.version, page.proof)
        this.#counters.pages++
        this.#counters.bytes += page.proof.length
        rest = [...verified.rest]
        this.#checkSize()
      }
    }
  }

  async #page(head: Head, queries: readonly Query[], hold: Hold): Promise<Page> {
    const source = this.#source ?? (await this.#connected())
    try {
      return await source.page(head, queries)
    } catch (error) {
      if (!isSealError(error, 'relay-refused') || error.facts.code !== 'gone') throw error
      if (hold === 'free') await this.#moved()
      throw new SealError('stale-view', 'The relay no longer has the state that this read is of; run it again on the newer one.', {}, { cause: error })
    }
  }

  async #connected(): Promise<NodeSource> {
    if (this.#expected) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, WAIT)
        this.#waiting.push(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    }
    if (this.#source !== undefined) return this.#source
    throw new SealError('disconnected', 'This thin client holds no rows, and no relay is connected that it could ask: connect, or join as a replica to work offline.')
  }

  #checkSize(): void {
    const { nodes, contentBytes } = this.#tree.stats()
    if (nodes <= MAX_REMOTE_NODES && contentBytes <= MAX_REMOTE_BYTES) return
    this.trim()
    throw new SealError('out-of-scope', 'This takes more rows than a thin client holds at a time: name a key or an indexed value in WHERE, or join as a replica.', { nodes, bytes: contentBytes })
  }
}
