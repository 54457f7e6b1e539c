/**
 * Chunks as small files in a directory beside the log, `<group>.<number>`, private to their owner. Each is written under a passing name and renamed, so it is
 * whole or not there; `sync` makes it durable. After a power failure a chunk that was not synced may be there empty or damaged: its reader sees that by its hash.
 */
import { SealError } from '../../errors.js'
import { checkChunkName, checkStoredChunk, type ChunkStore } from '../chunks.js'
import type { Directory } from './directory.js'
import { failure } from './journal.js'

/** Files synced at once: the disk takes them together. */
const SYNC_AT_ONCE = 8
const NAME = /^((?:[0-9a-f]{2}){1,32})\.(\d{1,15})$/

/** The directory is made when there is something to keep. `fsync`: as of the store. */
export function fileChunks(directory: Directory, fsync: boolean): ChunkStore {
  return new FileChunks(directory, fsync)
}

class FileChunks implements ChunkStore {
  readonly #directory: Directory
  readonly #fsync: boolean
  #index: Promise<Map<string, Set<number>>> | undefined
  #made: Promise<void> | undefined
  #unsynced = new Set<string>()
  #removed = false
  #passing = 0

  constructor(directory: Directory, fsync: boolean) {
    this.#directory = directory
    this.#fsync = fsync
  }

  async groups(): Promise<ReadonlyMap<string, number>> {
    return new Map([...(await this.#read())].map(([group, numbers]) => [group, numbers.size]))
  }

  async numbers(group: string): Promise<readonly number[]> {
    checkChunkName(group)
    return [...((await this.#read()).get(group) ?? [])].sort((a, b) => a - b)
  }

  async get(group: string, number: number): Promise<Uint8Array | undefined> {
    checkChunkName(group, number)
    if ((await this.#read()).get(group)?.has(number) !== true) return undefined
    return this.#guard('absent', 'reading a chunk', async () => {
      const file = await this.#directory.open(nameOf(group, number), 'read')
      try {
        const bytes = new Uint8Array(await file.length())
        return bytes.subarray(0, await file.read(bytes, 0))
      } finally {
        await file.close()
      }
    })
  }

  async put(group: string, number: number, bytes: Uint8Array): Promise<void> {
    checkStoredChunk(group, number, bytes)
    const index = await this.#read()
    await this.#make()
    const passing = `${this.#passing++}.tmp`
    await this.#guard('absent', 'writing a chunk', async () => {
      const file = await this.#directory.open(passing, 'create')
      try {
        await file.write(bytes, 0)
      } finally {
        await file.close()
      }
      await this.#directory.rename(passing, nameOf(group, number))
    })
    const numbers = index.get(group)
    if (numbers) numbers.add(number)
    else index.set(group, new Set([number]))
    this.#unsynced.add(nameOf(group, number))
  }

  async sync(): Promise<void> {
    const names = [...this.#unsynced]
    if (!this.#fsync || (names.length === 0 && !this.#removed)) return
    await this.#guard('unknown', 'syncing chunks', async () => {
      const next = names.values()
      await Promise.all(Array.from({ length: SYNC_AT_ONCE }, async () => {
        for (const name of next) await this.#syncOne(name)
      }))
      await this.#directory.sync()
    })
    for (const name of names) this.#unsynced.delete(name)
    this.#removed = false
  }

  async remove(group: string): Promise<void> {
    checkChunkName(group)
    const index = await this.#read()
    const numbers = [...(index.get(group) ?? [])]
    index.delete(group)
    for (const number of numbers) {
      this.#unsynced.delete(nameOf(group, number))
      await this.#guard('unknown', 'removing a chunk', () => this.#directory.remove(nameOf(group, number)))
    }
    this.#removed = true
  }

  async #syncOne(name: string): Promise<void> {
    if (!this.#unsynced.has(name)) return // removed meanwhile
    const file = await this.#directory.open(name, 'update')
    try {
      await file.sync()
    } finally {
      await file.close()
    }
  }

  /** Listed once; what an interrupted put left goes. */
  #read(): Promise<Map<string, Set<number>>> {
    return (this.#index ??= this.#list().catch((error: unknown) => {
      this.#index = undefined
      throw error
    }))
  }

  async #list(): Promise<Map<string, Set<number>>> {
    const index = new Map<string, Set<number>>()
    for (const name of await this.#names()) {
      const [, group, number] = NAME.exec(name) ?? []
      if (group === undefined) {
        if (name.endsWith('.tmp')) await this.#guard('unknown', 'removing a chunk', () => this.#directory.remove(name))
        continue
      }
      const numbers = index.get(group)
      if (numbers) numbers.add(Number(number))
      else index.set(group, new Set([Number(number)]))
    }
    return index
  }

  async #names(): Promise<readonly string[]> {
    try {
      return await this.#directory.list()
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [] // nothing was kept yet
      throw failure('absent', 'listing chunks', error)
    }
  }

  #make(): Promise<void> {
    return (this.#made ??= this.#guard('absent', 'making a directory', () => this.#directory.make()).catch((error: unknown) => {
      this.#made = undefined
      throw error
    }))
  }

  async #guard<T>(outcome: 'absent' | 'unknown', doing: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw error instanceof SealError ? error : failure(outcome, doing, error)
    }
  }
}

function nameOf(group: string, number: number): string {
  return `${group}.${number}`
}
