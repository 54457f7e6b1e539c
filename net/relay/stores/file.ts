/**
 * Relay store in files: one engine file store per space (append-only segments, group commit, torn-tail recovery; engine/store/file), one for
 * the relay's own values. One process per directory: the stores' locks see to it. Node only.
 *
 *     <directory>/relay/            the relay's key
 *     <directory>/spaces/<hex id>/  one space
 */
import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { decodeHex, encodeHex } from '../../../engine/codec/bytes.js'
import { fileStore, type FileStoreOptions } from '../../../engine/store/file/file.js'
import type { Store } from '../../../engine/store/store.js'
import type { RelayLog, RelayStore } from '../store.js'
import { takeWithin } from './memory.js'

/** Records fetched from a segment in one read while looking for as many as fit. */
const READ_AHEAD = 256

export function fileRelayStore(directory: string, options: Partial<FileStoreOptions> = {}): RelayStore {
  const spacesDirectory = join(directory, 'spaces')
  mkdirSync(spacesDirectory, { recursive: true, mode: 0o700 })
  const own = fileStore(join(directory, 'relay'), options).open()
  // A failed open is reported by the first call that needs it.
  own.catch(() => undefined)
  const open = new Map<string, Promise<StoreLog>>()
  return {
    spaces: () => Promise.resolve(readdirSync(spacesDirectory).filter((name) => /^[0-9a-f]{64}$/.test(name)).map(decodeHex)),
    open: async (space) => {
      const name = encodeHex(space)
      const opening = open.get(name) ?? fileStore(join(spacesDirectory, name), options).open().then((store) => new StoreLog(store, () => open.delete(name)))
      open.set(name, opening)
      opening.catch(() => open.delete(name))
      return opening
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
      for (const opening of [...open.values()]) await (await opening).close()
      await (await own).close()
    },
  }
}

class StoreLog implements RelayLog {
  onGrowth: (size: number) => void = () => undefined // this process is the only one
  readonly #store: Store
  readonly #closed: () => void

  constructor(store: Store, closed: () => void) {
    this.#store = store
    this.#closed = closed
  }

  get size(): number {
    return this.#store.size
  }

  async append(at: number, records: readonly Uint8Array[]): Promise<'stored' | 'taken'> {
    if (at !== this.#store.size) return 'taken'
    await this.#store.commit({ at, append: records })
    return 'stored'
  }

  async read(from: number, limit: number, maxBytes: number): Promise<readonly Uint8Array[]> {
    const end = Math.min(this.#store.size, from + limit)
    const records: Uint8Array[] = []
    let bytes = 0
    for (let at = from; at < end && (at === from || bytes < maxBytes); at += READ_AHEAD) {
      const some = await this.#store.read(at, Math.min(end, at + READ_AHEAD))
      for (const record of some) bytes += record.length
      records.push(...some)
    }
    return takeWithin(records, 0, limit, maxBytes)
  }

  refresh(): Promise<number> {
    return Promise.resolve(this.#store.size)
  }

  async close(): Promise<void> {
    this.#closed()
    await this.#store.close()
  }
}
