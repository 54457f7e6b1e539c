/**
 * The chunk port: pieces of files, kept beside the log because they are large and can be had again. Client and relay stores have one each: memory, files,
 * IndexedDB, PostgreSQL; all pass one suite (test/store/chunks.conformance.ts).
 *
 * A chunk is there as it was put, or not there: a process that dies while putting leaves nothing of it. What a medium did to it later is for the reader to
 * find out, who knows its hash.
 */
import { SealError } from '../errors.js'
import { MAX_FILE_CHUNKS, MAX_STORED_CHUNK_LENGTH } from '../limits.js'

/** Chunks by group (1 to 32 bytes in lower-case hex: a file's id, say) and number. */
export interface ChunkStore {
  /** The groups that have chunks, and how many each. */
  groups(): Promise<ReadonlyMap<string, number>>
  /** The numbers of a group's chunks, ascending. */
  numbers(group: string): Promise<readonly number[]>
  /** The caller's own. */
  get(group: string, number: number): Promise<Uint8Array | undefined>
  /** Replaces. Whole, whatever happens; durable after `sync`. */
  put(group: string, number: number, bytes: Uint8Array): Promise<void>
  /** Resolves when all that was put before is durable. */
  sync(): Promise<void>
  /** Every chunk of a group; nothing if there is none. */
  remove(group: string): Promise<void>
}

/** Throws `bad-argument`. */
export function checkChunkName(group: string, number = 0): void {
  if (!/^(?:[0-9a-f]{2}){1,32}$/.test(group) || !Number.isInteger(number) || number < 0 || number >= MAX_FILE_CHUNKS) {
    throw new SealError('bad-argument', 'Expected a group, 1 to 32 bytes in lower-case hex, and the number of a chunk.', { group: group.slice(0, 80), number })
  }
}

/** Throws `bad-argument`, `too-large`. */
export function checkStoredChunk(group: string, number: number, bytes: Uint8Array): void {
  checkChunkName(group, number)
  if (bytes.length > MAX_STORED_CHUNK_LENGTH) throw new SealError('too-large', `Expected a chunk of at most ${MAX_STORED_CHUNK_LENGTH} bytes.`, { length: bytes.length, max: MAX_STORED_CHUNK_LENGTH })
}

/** Chunks in memory. */
export function memoryChunks(): ChunkStore {
  const groups = new Map<string, Map<number, Uint8Array>>()
  return {
    groups: async () => new Map([...groups].map(([group, chunks]) => [group, chunks.size])),
    numbers: async (group) => {
      checkChunkName(group)
      return [...(groups.get(group)?.keys() ?? [])].sort((a, b) => a - b)
    },
    get: async (group, number) => {
      checkChunkName(group, number)
      return groups.get(group)?.get(number)?.slice()
    },
    put: async (group, number, bytes) => {
      checkStoredChunk(group, number, bytes)
      const chunks = groups.get(group) ?? new Map<number, Uint8Array>()
      groups.set(group, chunks.set(number, bytes.slice()))
    },
    sync: async () => undefined,
    remove: async (group) => {
      checkChunkName(group)
      groups.delete(group)
    },
  }
}

/** The same, each call after `alive`, which throws when the store was closed. */
export function whileOpen(alive: () => unknown, chunks: () => ChunkStore): ChunkStore {
  const open = async (): Promise<ChunkStore> => {
    alive()
    return chunks()
  }
  return {
    groups: async () => (await open()).groups(),
    numbers: async (group) => (await open()).numbers(group),
    get: async (group, number) => (await open()).get(group, number),
    put: async (group, number, bytes) => (await open()).put(group, number, bytes),
    sync: async () => (await open()).sync(),
    remove: async (group) => (await open()).remove(group),
  }
}
