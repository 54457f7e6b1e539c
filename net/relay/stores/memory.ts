/** Relay store in memory: for tests and experiments. Two relays may share one store, as two processes share a database. */
import { encodeHex } from '../../../engine/codec/bytes.js'
import { type ChunkStore, memoryChunks } from '../../../engine/store/chunks.js'
import type { StoredSnapshot } from '../../../engine/store/store.js'
import type { RelayLog, RelayStore } from '../store.js'

interface Shared {
  readonly id: Uint8Array
  readonly records: Uint8Array[]
  readonly logs: Set<MemoryLog>
  readonly chunks: ChunkStore
  image?: { readonly meta: Uint8Array; readonly chunks: readonly Uint8Array[] }
}

/** What a relay keeps, in memory: gone with the process. */
export function memoryRelayStore(): RelayStore {
  const spaces = new Map<string, Shared>()
  const values = new Map<string, Uint8Array>()
  return {
    spaces: () => Promise.resolve([...spaces.values()].map(({ id }) => id)),
    found: (space, genesis) => {
      const name = encodeHex(space)
      if (!spaces.has(name)) spaces.set(name, { id: new Uint8Array(space), records: [new Uint8Array(genesis)], logs: new Set(), chunks: memoryChunks() })
      return Promise.resolve()
    },
    open: (space) => {
      const shared = spaces.get(encodeHex(space))
      return Promise.resolve(shared && new MemoryLog(shared))
    },
    setOnce: (name, value) => {
      const kept = values.get(name) ?? new Uint8Array(value)
      values.set(name, kept)
      return Promise.resolve(kept)
    },
    get: (name) => Promise.resolve(values.get(name)),
    close: () => Promise.resolve(),
  }
}

class MemoryLog implements RelayLog {
  onGrowth: () => void = () => undefined
  readonly #shared: Shared

  constructor(shared: Shared) {
    this.#shared = shared
    shared.logs.add(this)
  }

  get chunks(): ChunkStore {
    return this.#shared.chunks
  }

  append(at: number, records: readonly Uint8Array[]): Promise<'stored' | 'taken'> {
    const { records: held, logs } = this.#shared
    if (at !== held.length) return Promise.resolve('taken')
    for (const record of records) held.push(new Uint8Array(record))
    for (const log of logs) if (log !== this) queueMicrotask(() => log.onGrowth())
    return Promise.resolve('stored')
  }

  read(from: number, limit: number, maxBytes: number): Promise<readonly Uint8Array[]> {
    const { records: held } = this.#shared
    const taken: Uint8Array[] = []
    let bytes = 0
    for (let i = from; i < held.length && taken.length < limit; i++) {
      const record = held[i] as Uint8Array
      if (taken.length > 0 && bytes + record.length > maxBytes) break
      taken.push(record)
      bytes += record.length
    }
    return Promise.resolve(taken)
  }

  refresh(): Promise<number> {
    return Promise.resolve(this.#shared.records.length)
  }

  writeSnapshot(meta: Uint8Array, chunks: Iterable<Uint8Array>): Promise<void> {
    this.#shared.image = { meta: meta.slice(), chunks: Array.from(chunks, (chunk) => chunk.slice()) }
    return Promise.resolve()
  }

  readSnapshot(): Promise<StoredSnapshot | undefined> {
    const { image } = this.#shared
    return Promise.resolve(image && { meta: image.meta.slice(), chunks: copies(image.chunks) })
  }

  close(): Promise<void> {
    this.#shared.logs.delete(this)
    return Promise.resolve()
  }
}

async function* copies(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield chunk.slice()
}
