/** Relay store in memory: for tests and experiments. Two relays may share one store, as two processes share a database. */
import { encodeHex } from '../../../engine/codec/bytes.js'
import type { RelayLog, RelayStore } from '../store.js'

interface Shared { readonly records: Uint8Array[]; readonly logs: Set<MemoryLog> }

export function memoryRelayStore(): RelayStore {
  const spaces = new Map<string, { readonly id: Uint8Array; readonly shared: Shared }>()
  const values = new Map<string, Uint8Array>()
  return {
    spaces: () => Promise.resolve([...spaces.values()].filter(({ shared }) => shared.records.length > 0).map(({ id }) => id)),
    open: (space) => {
      const name = encodeHex(space)
      const known = spaces.get(name) ?? { id: Uint8Array.from(space), shared: { records: [], logs: new Set() } }
      spaces.set(name, known)
      return Promise.resolve(new MemoryLog(known.shared))
    },
    setOnce: (name, value) => {
      const kept = values.get(name) ?? Uint8Array.from(value)
      values.set(name, kept)
      return Promise.resolve(kept)
    },
    get: (name) => Promise.resolve(values.get(name)),
    close: () => Promise.resolve(),
  }
}

class MemoryLog implements RelayLog {
  onGrowth: (size: number) => void = () => undefined
  readonly #shared: Shared
  #size: number

  constructor(shared: Shared) {
    this.#shared = shared
    this.#size = shared.records.length
    shared.logs.add(this)
  }

  get size(): number {
    return this.#size
  }

  append(at: number, records: readonly Uint8Array[]): Promise<'stored' | 'taken'> {
    const { records: held, logs } = this.#shared
    if (at !== held.length) return Promise.resolve('taken')
    for (const record of records) held.push(Uint8Array.from(record))
    this.#size = held.length
    for (const log of logs) if (log !== this) queueMicrotask(() => log.onGrowth(held.length))
    return Promise.resolve('stored')
  }

  read(from: number, limit: number, maxBytes: number): Promise<readonly Uint8Array[]> {
    return Promise.resolve(takeWithin(this.#shared.records, from, limit, maxBytes))
  }

  refresh(): Promise<number> {
    this.#size = this.#shared.records.length
    return Promise.resolve(this.#size)
  }

  close(): Promise<void> {
    this.#shared.logs.delete(this)
    return Promise.resolve()
  }
}

/** Records of `held` from `from` on: at least one if there is one, at most `limit`, about `maxBytes`. */
export function takeWithin(held: readonly Uint8Array[], from: number, limit: number, maxBytes: number): readonly Uint8Array[] {
  const taken: Uint8Array[] = []
  let bytes = 0
  for (let i = from; i < held.length && taken.length < limit; i++) {
    const record = held[i] as Uint8Array
    if (taken.length > 0 && bytes + record.length > maxBytes) break
    taken.push(record)
    bytes += record.length
  }
  return taken
}
