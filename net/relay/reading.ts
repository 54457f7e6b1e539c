/** What a session serves from states: chunks of snapshots for newcomers, pages of reads. */
import { isSealError } from '../../engine/errors.js'
import type { Page } from '../../engine/state/pages.js'
import type { MessageOf } from '../messages.js'
import type { ReadableState, RelaySnapshot, Retrace } from './ledger.js'
import { MAX_WITNESS_BYTES, MAX_WITNESS_RECORDS, MAX_WITNESS_REPLAY } from '../../engine/limits.js'
import type { Head } from '../../engine/space/types.js'
import type { Room } from './room.js'

export function snapshotOf(room: Room, size: number): RelaySnapshot | undefined {
  return size <= room.size ? room.ledger.snapshot(size) : undefined
}

/** Rows that are not there, or more than a chunk holds: no such chunk. The newcomer has a manifest from elsewhere, and replays the log. */
export function chunkOf(snapshot: RelaySnapshot | undefined, { from, count }: MessageOf<'rows'>): Uint8Array | undefined {
  try {
    return snapshot?.rows(from, count)
  } catch (error) {
    if (isSealError(error, 'bad-argument') || isSealError(error, 'too-large')) return undefined
    throw error
  }
}

const NOTHING = new Uint8Array(0)
/** Records of one slice of a retrace: others are served in between. */
const RETRACE_SLICE = 200

/** The state that a connection reads at: it stays as long as the connection reads there, however the log goes on. */
export class Reading {
  #state: ReadableState | undefined
  /** For who is far behind: the state that the next witness is of. */
  #retrace: Retrace | undefined
  /** The state is one of its. */
  #retraced = false
  #ended = false

  /** Undefined: no state of that size is at hand. Throws what `readQueries` does for malformed queries. */
  page(room: Room, size: number, queries: Uint8Array): Page | undefined {
    return this.#at(room, size)?.page(queries)
  }

  /**
   * The records from `from` on, up to `until`, and their witness: what they open of the state before them, and the head they lead to. Undefined: that state is
   * not to be had, or only by going back further than is reasonable. A witness is left out if it is too long: what it says can be read.
   */
  async witness(room: Room, from: number, limit: number, until: number): Promise<{ readonly records: readonly Uint8Array[]; readonly head: Head; readonly witness: Uint8Array } | undefined> {
    const state = this.#at(room, from) ?? (await this.#goBack(room, from, until))
    if (state === undefined || this.#ended) return undefined
    const records = await room.records(from, Math.min(until - from, limit, MAX_WITNESS_RECORDS), MAX_WITNESS_BYTES)
    if (this.#ended || this.#state !== state) return undefined
    const made = witnessOf(state, records)
    if (!this.#retraced) this.#endRetrace() // it has caught up with what the ledger keeps
    else if (this.#retrace?.size === from) this.#retrace.follow(made.records) // else it was asked for again
    return made
  }

  end(): void {
    this.#ended = true
    this.#leave()
    this.#endRetrace()
  }

  #at(room: Room, size: number): ReadableState | undefined {
    if (this.#state?.size === size) return this.#state
    this.#leave()
    // A link may be anchored where nothing is durable yet.
    if (size <= room.size) this.#state = room.ledger.readable(size)
    this.#retraced = this.#state === undefined && this.#retrace?.size === size
    if (this.#retraced) this.#state = this.#retrace?.readable()
    return this.#state
  }

  async #goBack(room: Room, size: number, until: number): Promise<ReadableState | undefined> {
    if (size > until) return undefined
    this.#endRetrace()
    const retrace = (this.#retrace = room.ledger.retrace(size))
    if (size - retrace.size > MAX_WITNESS_REPLAY) return undefined
    while (retrace.size < size) {
      const records = await room.records(retrace.size, Math.min(size - retrace.size, RETRACE_SLICE), MAX_WITNESS_BYTES)
      if (records.length === 0 || this.#retrace !== retrace) return undefined
      retrace.follow(records)
      await new Promise((resolve) => setImmediate(resolve))
      if (this.#retrace !== retrace) return undefined
    }
    return this.#at(room, size)
  }

  #endRetrace(): void {
    this.#retrace?.release()
    this.#retrace = undefined
  }

  #leave(): void {
    this.#state?.release()
    this.#state = undefined
  }
}

/** Of as many of the records as a message takes. */
function witnessOf(state: ReadableState, records: readonly Uint8Array[]): { readonly records: readonly Uint8Array[]; readonly head: Head; readonly witness: Uint8Array } {
  for (let count = records.length; ; count = Math.ceil(count / 2)) {
    const some = records.slice(0, count)
    const recorded = state.witness(some)
    if (recorded !== undefined) return { records: some, head: recorded.head, witness: recorded.witness }
    if (count <= 1) return { records: some, head: state.headAfter(some), witness: NOTHING }
  }
}
