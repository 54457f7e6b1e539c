/**
 * Snapshots in IndexedDB: chunks under a new generation, which counts once the state record names it. An older generation goes away
 * when nobody reads it any more, or when the store is opened next.
 */
import { SealError } from '../../errors.js'
import { checkChunk } from '../batch.js'
import type { StoredSnapshot } from '../store.js'
import { fromStored, readOwnState, readState, toStored, transact, whole, writeState } from './database.js'

/** Chunks are written together up to so many bytes. */
const WRITE_LENGTH = 4 << 20

export class Snapshots {
  private readonly database: IDBDatabase
  private readonly owner: Uint8Array
  private nextGeneration: number
  private readonly readers = new Map<number, number>()
  constructor(database: IDBDatabase, owner: Uint8Array, current: number) {
    this.database = database
    this.owner = owner
    this.nextGeneration = current + 1
  }

  /** One at a time. */
  async write(meta: Uint8Array, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
    checkChunk(meta)
    const generation = this.nextGeneration++
    let count = 0
    let waiting: Uint8Array[] = []
    let length = 0
    const flush = async (): Promise<void> => {
      const from = count - waiting.length
      const parts = waiting
      waiting = []
      length = 0
      await transact(this.database, ['chunks', 'state'], 'readwrite', async (transaction) => {
        await readOwnState(transaction, this.owner)
        parts.forEach((part, i) => transaction.objectStore('chunks').put(part, [generation, from + i]))
      })
    }
    let old: number | undefined
    try {
      for await (const chunk of chunks) {
        waiting.push(toStored(checkChunk(chunk)))
        length += chunk.length
        count++
        if (length >= WRITE_LENGTH) await flush()
      }
      await flush()
      await transact(this.database, ['state'], 'readwrite', async (transaction) => {
        const state = await readOwnState(transaction, this.owner)
        old = state.snapshot?.generation
        writeState(transaction, { ...state, snapshot: { generation, count, meta: toStored(meta) } })
      })
    } catch (error) {
      await this.remove(generation).catch(() => undefined) // the next opening removes it
      throw error
    }
    if (old !== undefined && !this.readers.has(old)) await this.remove(old)
  }

  async read(): Promise<StoredSnapshot | undefined> {
    const state = await transact(this.database, ['state'], 'readonly', readState)
    const snapshot = state?.snapshot
    if (!snapshot) return undefined
    return { meta: snapshot.meta, chunks: { [Symbol.asyncIterator]: () => this.chunks(snapshot.generation, snapshot.count) } }
  }

  /** Remove the chunks of every generation but the current one: after a crash. */
  async sweep(current: number | undefined): Promise<void> {
    await transact(this.database, ['chunks'], 'readwrite', async (transaction) => {
      const store = transaction.objectStore('chunks')
      if (current === undefined) store.clear()
      else {
        store.delete(IDBKeyRange.upperBound([current], true))
        store.delete(IDBKeyRange.lowerBound([current + 1]))
      }
    })
  }

  private async *chunks(generation: number, count: number): AsyncGenerator<Uint8Array> {
    const state = await transact(this.database, ['state'], 'readonly', readState)
    if (state?.snapshot?.generation !== generation && !this.readers.has(generation)) {
      throw new SealError('bad-argument', 'Another snapshot replaced this one before its chunks were read.')
    }
    this.readers.set(generation, (this.readers.get(generation) ?? 0) + 1)
    try {
      for (let i = 0; i < count; i++) {
        const found: unknown = await transact(this.database, ['chunks'], 'readonly', (transaction) => whole(transaction.objectStore('chunks').get([generation, i])))
        yield fromStored(found, 'chunks', i)
      }
    } finally {
      await this.leave(generation)
    }
  }

  private async leave(generation: number): Promise<void> {
    const left = (this.readers.get(generation) ?? 1) - 1
    if (left > 0) {
      this.readers.set(generation, left)
      return
    }
    this.readers.delete(generation)
    const state = await transact(this.database, ['state'], 'readonly', readState)
    if (state?.snapshot?.generation !== generation) await this.remove(generation)
  }

  private async remove(generation: number): Promise<void> {
    await transact(this.database, ['chunks'], 'readwrite', async (transaction) => {
      transaction.objectStore('chunks').delete(IDBKeyRange.bound([generation], [generation + 1], false, true))
    })
  }
}
