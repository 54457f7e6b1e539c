/**
 * The memory store: durable as long as its location object lives, so a test can close and open it again. For tests, servers that
 * keep nothing, and as the slow twin of the other stores.
 */
import { SealError } from '../errors.js'
import { type Bounds, checkBatch, checkChunk, checkRange, EMPTY_BOUNDS } from './batch.js'
import { type ChunkStore, memoryChunks, whileOpen } from './chunks.js'
import type { Batch, Store, StoredSnapshot, StoreLocation } from './store.js'

/**
 * A store in memory: for tests, and for what may be gone when the process ends. Opened again, it holds what it held.
 *
 * @example
 * const store = await memoryStore().open()
 */
export function memoryStore(): StoreLocation {
  const contents: Contents = { bounds: EMPTY_BOUNDS, records: [], values: new Map(), snapshot: undefined, chunks: memoryChunks(), open: false }
  return {
    open: async () => {
      if (contents.open) throw new SealError('store-locked', 'This memory store is open already.')
      contents.open = true
      return openMemory(contents)
    },
  }
}

interface Contents {
  bounds: Bounds
  /** `records[0]` has index `bounds.first`. */
  records: Uint8Array[]
  readonly values: Map<string, Uint8Array>
  snapshot: { readonly meta: Uint8Array; readonly chunks: readonly Uint8Array[] } | undefined
  readonly chunks: ChunkStore
  open: boolean
}

function openMemory(contents: Contents): Store {
  let closed = false
  const alive = (): Contents => {
    if (closed) throw new SealError('store-closed', 'This store was closed.')
    return contents
  }
  const close = async (): Promise<void> => {
    if (!closed) contents.open = false
    closed = true
  }
  return {
    get size() {
      return alive().bounds.size
    },
    get first() {
      return alive().bounds.first
    },
    get: (name) => alive().values.get(name),
    names: (prefix) => [...alive().values.keys()].filter((name) => name.startsWith(prefix)).sort(),
    commit: async (batch) => applyBatch(alive(), batch),
    read: async (from, to) => {
      const { bounds, records } = alive()
      checkRange(bounds, from, to)
      return records.slice(from - bounds.first, to - bounds.first)
    },
    writeSnapshot: async (meta, chunks) => {
      alive()
      const held: Uint8Array[] = []
      checkChunk(meta)
      for await (const chunk of chunks) held.push(checkChunk(chunk).slice())
      alive().snapshot = { meta: meta.slice(), chunks: held }
    },
    readSnapshot: async () => {
      const { snapshot } = alive()
      return snapshot && toStoredSnapshot(snapshot.meta, snapshot.chunks)
    },
    chunks: whileOpen(alive, () => contents.chunks),
    compact: async () => {
      alive()
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

function applyBatch(contents: Contents, batch: Batch): void {
  const before = contents.bounds
  const after = checkBatch(before, batch)
  if (batch.keep) contents.records = contents.records.slice(clamp(batch.keep[0], before), clamp(batch.keep[1], before))
  for (const record of batch.append ?? []) contents.records.push(record)
  for (const [name, value] of batch.put ?? []) {
    if (value === null) contents.values.delete(name)
    else contents.values.set(name, value)
  }
  contents.bounds = after
}

/** Position of an index in `records`; an index outside the bounds (a restart elsewhere) falls on an end. */
function clamp(index: number, { first, size }: Bounds): number {
  return Math.min(Math.max(index, first), size) - first
}

function toStoredSnapshot(meta: Uint8Array, chunks: readonly Uint8Array[]): StoredSnapshot {
  return {
    meta,
    chunks: (async function* () {
      for (const chunk of chunks) yield chunk.slice()
    })(),
  }
}
