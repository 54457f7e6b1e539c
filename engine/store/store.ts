/**
 * The store port: what is durable for one space on one device. A log of records, small named values, and one state snapshot.
 *
 * The store believes nothing and understands nothing: it gives back the bytes it was given or says that it can't. What they mean,
 * and whether they are true, is for the floors above. Implementations: `memory`, `file` (Node), `indexeddb` (browsers); all pass
 * the same conformance suite (test/store/conformance.ts).
 *
 * Not promised: that a disk image copied or restored behind our back is noticed, or that deleted bytes are gone from the medium.
 */

import type { ChunkStore } from './chunks.js'

/**
 * One atomic change: all of it becomes durable, or none. Applied in this order: `keep`, `append`, `put`.
 * Every array passes into the ownership of the store: don't change it afterwards.
 */
export interface Batch {
  /** The log's size before `keep`, counting commits under way. Another size is `bad-argument`, and nothing happens. Required with `append`. */
  readonly at?: number
  /**
   * Of the log, keep only the records `[lo, hi)`. Forget old bodies: `[n, size]`; go back: `[first, n]`; start over from a snapshot
   * at size n: `[n, n]`, where n may lie anywhere. Otherwise the range must lie within `[first, size)`.
   */
  readonly keep?: readonly [lo: number, hi: number]
  /** Records for the end of the log. */
  readonly append?: readonly Uint8Array[]
  /** Named values to set, or to delete with `null`; of one name twice, the last counts. */
  readonly put?: readonly (readonly [name: string, value: Uint8Array | null])[]
}

/** A state snapshot as it was written: the chunks arrive verified, in order and complete, or the iteration throws `store-corrupt`. They are the caller's own. */
export interface StoredSnapshot {
  readonly meta: Uint8Array
  readonly chunks: AsyncIterable<Uint8Array>
  /** Where single chunks can be had at once. Throws as an iteration of `chunks` that begins then. */
  readonly direct?: () => Promise<DirectChunks>
}

/** Chunks as they lie there, not checked: for a reader who can tell by himself whether one is what was written. Of this snapshot, even when another replaces it. */
export interface DirectChunks {
  /** In bytes, by their own word. */
  readonly lengths: readonly number[]
  /** The caller's own. Throws `store-failed`; `store-closed` once the store is. */
  read(number: number): Uint8Array
}

/**
 * An open store. One at a time per place. After `close` everything but `close` throws `store-closed`.
 *
 * @example
 * await store.commit({ at: store.size, append: [entry], put: [['head', head]] })
 */
export interface Store extends AsyncDisposable {
  /** Index of the next record: how long the log is, whether or not the oldest bodies are still here. */
  readonly size: number
  /** Lowest index still held; equal to `size` when there is none. */
  readonly first: number
  /** A named value as of the last durable commit. From memory. Not to be changed. */
  get(name: string): Uint8Array | undefined
  /** Names that begin with `prefix`, ascending by UTF-16 code units. */
  names(prefix: string): readonly string[]
  /**
   * Resolves when the batch is durable (as far as the store was asked to make it), and only then do `size`, `get` and `read` show it.
   * Calls that overlap are written together, in order. `store-failed`: see its fact `outcome` — `absent` (not stored, the store goes
   * on) or `unknown` (stored or not; the store takes no more commits, and whoever opens it again finds out).
   */
  commit(batch: Batch): Promise<void>
  /** The records `[from, to)`, which must all be held. Throws `store-corrupt` with the exact place if one isn't what was written. */
  read(from: number, to: number): Promise<readonly Uint8Array[]>
  /** Replace the snapshot as a whole: after a crash there is the old one or the new one. Commits go on meanwhile. */
  writeSnapshot(meta: Uint8Array, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void>
  /**
   * The snapshot, or undefined if none was ever written. An iteration of its chunks goes to its end even if another snapshot replaces
   * it meanwhile; one that begins after that may throw `bad-argument`.
   */
  readSnapshot(): Promise<StoredSnapshot | undefined>
  /** Pieces of files: kept apart from the log, and not part of what a commit makes durable. */
  readonly chunks: ChunkStore
  /** Give back the space of replaced values and forgotten records. Commits go on meanwhile. */
  compact(): Promise<void>
  /** Waits for the commits under way. Calling it again is fine. */
  close(): Promise<void>
}

/** `existing`: one that is not there is not made. */
export interface StoreOpening { readonly existing?: boolean }

/** Where a store lives, as an application names it. `open` throws `store-locked` while it is open already, here or in another process, and `bad-argument` for one that should exist. */
export interface StoreLocation {
  open(opening?: StoreOpening): Promise<Store>
}
