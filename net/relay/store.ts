/**
 * The relay's store port: ordered records per space, and a few named values of the relay itself (its key). Implementations: memory, file,
 * PostgreSQL (several relay processes on one database). One conformance suite (`test/net/relay-store.conformance.ts`) runs on all.
 */
import type { ChunkStore } from '../../engine/store/chunks.js'
import type { StoredSnapshot } from '../../engine/store/store.js'

/** What a relay keeps: `memoryRelayStore`, `fileRelayStore`, `postgresRelayStore`, or your own. */
export interface RelayStore {
  /** Ids of the spaces that have records. */
  spaces(): Promise<readonly Uint8Array[]>
  /** Store the first record of a space; nothing if it has one. The caller has checked that it is the genesis of that space. */
  found(space: Uint8Array, genesis: Uint8Array): Promise<void>
  /** The log of a space, or undefined if it was never founded: asking leaves no trace. Close it before opening it again. */
  open(space: Uint8Array): Promise<RelayLog | undefined>
  /** Named values of the relay, e.g. `signer`. Set once: a second call for a name keeps and returns the first value, whoever came first. */
  setOnce(name: string, value: Uint8Array): Promise<Uint8Array>
  get(name: string): Promise<Uint8Array | undefined>
  close(): Promise<void>
}

export interface RelayLog {
  /**
   * Store `records` at `[at, at + records.length)`, all or none. `stored` once durable; `taken` if another process has stored there:
   * then `refresh`, read what came first, and try again. Throws `store-failed` (retry): stored or not; whoever opens the log again finds out.
   */
  append(at: number, records: readonly Uint8Array[]): Promise<'stored' | 'taken'>
  /** Records from `from`, at least one if there is one, at most `limit` records and about `maxBytes` bytes. */
  read(from: number, limit: number, maxBytes: number): Promise<readonly Uint8Array[]>
  /** The size as the store knows it now. */
  refresh(): Promise<number>
  /**
   * Replace the space's image, whole or not at all, whatever happens meanwhile; `image.ts` says what is in it. Throws `store-failed` if it was
   * not: another process may be at it. The log goes on.
   */
  writeSnapshot(meta: Uint8Array, chunks: Iterable<Uint8Array>): Promise<void>
  /** The image, chunks as they were written, or `store-corrupt`. Replaced by another process before its chunks are asked for: `bad-argument`. */
  readSnapshot(): Promise<StoredSnapshot | undefined>
  /** Chunks of the space's files, by file id, each with its proof (files.ts). Processes that share a store share them. */
  readonly chunks: ChunkStore
  /** Called when another process has stored records here, or may have. */
  onGrowth: () => void
  close(): Promise<void>
}
