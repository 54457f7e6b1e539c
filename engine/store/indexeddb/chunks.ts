/** Chunks in IndexedDB: `[group, number] → bytes`, a transaction each, so that each is whole, durable, and of who holds the store. */
import type { SealError } from '../../errors.js'
import { checkChunkName, checkStoredChunk, type ChunkStore } from '../chunks.js'
import { fromStored, readOwnState, toStored, transact, whole } from './database.js'

export function indexedDbChunks(database: IDBDatabase, owner: Uint8Array, toFailure: (error: unknown) => SealError): ChunkStore {
  const reading = async <T>(work: (files: IDBObjectStore) => Promise<T>): Promise<T> => {
    try {
      return await transact(database, ['files'], 'readonly', (transaction) => work(transaction.objectStore('files')))
    } catch (error) {
      throw toFailure(error)
    }
  }
  const writing = async (work: (files: IDBObjectStore) => void): Promise<void> => {
    try {
      await transact(database, ['files', 'state'], 'readwrite', async (transaction) => {
        await readOwnState(transaction, owner)
        work(transaction.objectStore('files'))
      })
    } catch (error) {
      throw toFailure(error)
    }
  }
  const keysOf = async (range?: IDBKeyRange): Promise<readonly (readonly [string, number])[]> =>
    (await reading((files) => whole(files.getAllKeys(range)))) as unknown as readonly (readonly [string, number])[]
  return {
    groups: async () => {
      const counts = new Map<string, number>()
      for (const [group] of await keysOf()) counts.set(group, (counts.get(group) ?? 0) + 1)
      return counts
    },
    numbers: async (group) => {
      checkChunkName(group)
      return (await keysOf(rangeOf(group))).map(([, number]) => number)
    },
    get: async (group, number) => {
      checkChunkName(group, number)
      const found: unknown = await reading((files) => whole(files.get([group, number])))
      return found === undefined ? undefined : fromStored(found, 'files', number)
    },
    put: async (group, number, bytes) => {
      checkStoredChunk(group, number, bytes)
      await writing((files) => void files.put(toStored(bytes), [group, number]))
    },
    sync: async () => undefined, // each transaction is durable when it resolves
    remove: async (group) => {
      checkChunkName(group)
      await writing((files) => void files.delete(rangeOf(group)))
    },
  }
}

/** An array sorts after every number. */
function rangeOf(group: string): IDBKeyRange {
  return IDBKeyRange.bound([group], [group, []])
}
