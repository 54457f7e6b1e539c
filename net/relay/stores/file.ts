/**
 * Relay store in files: one engine file store per space (append-only segments, group commit, torn-tail recovery; engine/store/file), one for
 * the relay's own values. One process per directory: the stores' locks see to it. Node only.
 *
 *     <directory>/relay/            the relay's key
 *     <directory>/spaces/<hex id>/  one space: its log, an image of its state, chunks of its files
 */
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { decodeHex, encodeHex } from '../../../engine/codec/bytes.js'
import { fileStore, type FileStoreOptions } from '../../../engine/store/file/file.js'
import type { ChunkStore } from '../../../engine/store/chunks.js'
import type { Store, StoredSnapshot } from '../../../engine/store/store.js'
import type { RelayLog, RelayStore } from '../store.js'

/** Most records fetched from a segment in one read while looking for as many as fit. */
const READ_AHEAD = 256

/** What a relay keeps, in a directory, of one process at a time. Nothing is acknowledged before the disk has it (`fsync`). */
export function fileRelayStore(path: string, options: Partial<FileStoreOptions> = {}): RelayStore {
  const directory = resolve(path) // spaces are opened later, when the process may be elsewhere
  const spacesDirectory = join(directory, 'spaces')
  mkdirSync(spacesDirectory, { recursive: true, mode: 0o700 })
  const own = fileStore(join(directory, 'relay'), options).open()
  // A failed open is reported by the first call that needs it.
  own.catch(() => undefined)
  const logs = new Map<string, Promise<StoreLog>>()
  const logOf = (name: string): Promise<StoreLog> => {
    const known = logs.get(name)
    if (known) return known
    const opening = fileStore(join(spacesDirectory, name), options).open().then((store) => new StoreLog(store, () => logs.delete(name)))
    logs.set(name, opening)
    opening.catch(() => logs.delete(name))
    return opening
  }
  return {
    spaces: () => Promise.resolve(readdirSync(spacesDirectory).filter((name) => /^[0-9a-f]{64}$/.test(name)).map(decodeHex)),
    found: async (space, genesis) => {
      await (await logOf(encodeHex(space))).append(0, [genesis]) // or it is 'taken'
    },
    open: async (space) => {
      const name = encodeHex(space)
      // A space that was never founded leaves no directory behind, however often it is asked for.
      if (!logs.has(name) && !existsSync(join(spacesDirectory, name))) return undefined
      const log = await logOf(name)
      if ((await log.refresh()) > 0) return log
      await log.close() // a founding that was interrupted
      return undefined
    },
    setOnce: async (name, value) => {
      const store = await own
      const kept = store.get(name)
      if (kept) return kept
      await store.commit({ put: [[name, Uint8Array.from(value)]] })
      return value
    },
    get: async (name) => (await own).get(name),
    close: async () => {
      for (const opening of [...logs.values()]) await (await opening).close()
      await (await own).close()
    },
  }
}

class StoreLog implements RelayLog {
  onGrowth: () => void = () => undefined // this process is the only one
  readonly #store: Store
  readonly #closed: () => void
  /** One append after the other: the store's size says only what is durable. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(store: Store, closed: () => void) {
    this.#store = store
    this.#closed = closed
  }

  get chunks(): ChunkStore {
    return this.#store.chunks
  }

  append(at: number, records: readonly Uint8Array[]): Promise<'stored' | 'taken'> {
    const appending = this.#last.then(() => this.#append(at, records))
    this.#last = appending.catch(() => undefined) // reported to whoever appended that
    return appending
  }

  async #append(at: number, records: readonly Uint8Array[]): Promise<'stored' | 'taken'> {
    if (at !== this.#store.size) return 'taken'
    await this.#store.commit({ at, append: records })
    return 'stored'
  }

  /** Reads ahead by what the records so far were long: entries may have 32 MiB each, so never many unseen ones at once. */
  async read(from: number, limit: number, maxBytes: number): Promise<readonly Uint8Array[]> {
    const end = Math.min(this.#store.size, from + limit)
    const taken: Uint8Array[] = []
    let bytes = 0
    for (let count = 1; from + taken.length < end;) {
      const at = from + taken.length
      for (const record of await this.#store.read(at, Math.min(end, at + count))) {
        if (taken.length > 0 && bytes + record.length > maxBytes) return taken
        taken.push(record)
        bytes += record.length
      }
      const average = Math.max(1, bytes / taken.length)
      count = Math.max(1, Math.min(READ_AHEAD, 2 * count, Math.floor((maxBytes - bytes) / average)))
    }
    return taken
  }

  refresh(): Promise<number> {
    return Promise.resolve(this.#store.size)
  }

  writeSnapshot(meta: Uint8Array, chunks: Iterable<Uint8Array>): Promise<void> {
    return this.#store.writeSnapshot(meta, chunks)
  }

  readSnapshot(): Promise<StoredSnapshot | undefined> {
    return this.#store.readSnapshot()
  }

  async close(): Promise<void> {
    await this.#store.close()
    this.#closed()
  }
}
