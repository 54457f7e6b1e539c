/** What a session serves from states: chunks of snapshots for newcomers, pages of reads. */
import { isSealError } from '../../engine/errors.js'
import type { Page } from '../../engine/state/pages.js'
import type { MessageOf } from '../messages.js'
import type { ReadableState, RelaySnapshot } from './ledger.js'
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

/** The state that a connection reads at: it stays as long as the connection reads there, however the log goes on. */
export class Reading {
  #state: ReadableState | undefined

  /** Undefined: no state of that size is at hand. Throws what `readQueries` does for malformed queries. */
  page(room: Room, size: number, queries: Uint8Array): Page | undefined {
    if (this.#state?.size !== size) {
      this.end()
      // A link may be anchored where nothing is durable yet.
      this.#state = size <= room.size ? room.ledger.readable(size) : undefined
    }
    return this.#state?.page(queries)
  }

  end(): void {
    this.#state?.release()
    this.#state = undefined
  }
}
