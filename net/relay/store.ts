/**
 * The relay's store port: ordered records per space, and a few named values of the relay itself (its key). Implementations: memory, file,
 * PostgreSQL (several relay processes on one database). One conformance suite (`test/net/relay-store.conformance.ts`) runs on all.
 */

export interface RelayStore {
  /** Ids of the spaces that have records. */
  spaces(): Promise<readonly Uint8Array[]>
  /** The log of a space; empty if it has none yet. One object per space and process. */
  open(space: Uint8Array): Promise<RelayLog>
  /** Named values of the relay, e.g. `signer`. Set once: a second `set` of a name keeps and returns the first value, whoever came first. */
  setOnce(name: string, value: Uint8Array): Promise<Uint8Array>
  get(name: string): Promise<Uint8Array | undefined>
  close(): Promise<void>
}

export interface RelayLog {
  /** Records that this process knows of; `refresh` asks the store. */
  readonly size: number
  /**
   * Store `records` at `[at, at + records.length)`, all or none. `stored` once durable; `taken` if another process has stored there:
   * then `refresh`, read what came first, and try again. Throws `store-failed` (retry): nothing is stored, or the log must be refreshed.
   */
  append(at: number, records: readonly Uint8Array[]): Promise<'stored' | 'taken'>
  /** Records from `from`, at least one if there is one, at most `limit` records and about `maxBytes` bytes. */
  read(from: number, limit: number, maxBytes: number): Promise<readonly Uint8Array[]>
  /** The size as the store knows it now. */
  refresh(): Promise<number>
  /** Called when another process stored records here. */
  onGrowth: (size: number) => void
  close(): Promise<void>
}
