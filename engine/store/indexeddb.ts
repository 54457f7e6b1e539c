/**
 * The IndexedDB store, for browsers. A write is one transaction with `durability: 'strict'`, so the database makes it atomic, and
 * overlapping commits share one. A transaction that fails did nothing: the outcome is never unknown.
 *
 *   log       index → record            values   name → value
 *   chunks    [generation, n] → chunk   state    where the log stands, which snapshot counts, whose the store is
 *   files     [group, n] → chunk of a file
 *
 * One writer: see `indexeddb/lock.ts`. An overtaken tab can't write, and learns of it by `store-locked`.
 * Not promised: that the browser keeps the data (ask for `navigator.storage.persist()`), or notices damage to it.
 */
import { SealError } from '../errors.js'
import { type Bounds, checkBatch, checkRange } from './batch.js'
import { whileOpen } from './chunks.js'
import { indexedDbChunks } from './indexeddb/chunks.js'
import { fromStored, openDatabase, readOwnState, readState, type State, toStored, transact, whole, writeState } from './indexeddb/database.js'
import { takeWebLock } from './indexeddb/lock.js'
import { Snapshots } from './indexeddb/snapshot.js'
import { createSealing, isSecret, randomBytes, type Sealing, type SealingChoice, toSealingOptions, unlockSealing } from './sealing.js'
import type { Batch, Store, StoreLocation } from './store.js'

/** Under what the store's secrets are sealed. */
export type IndexedDbStoreOptions = SealingChoice

/**
 * A store in the browser's IndexedDB, of one tab at a time.
 *
 * @example
 * const space = await createSpace({ store: indexedDbStore('team'), relay, profile })
 */
export function indexedDbStore(name: string, options: IndexedDbStoreOptions = {}): StoreLocation {
  return { open: ({ existing = false } = {}) => openIndexedDb(name, options, existing) }
}

interface Commit {
  readonly batch: Batch
  readonly after: Bounds
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Commits share a transaction up to so many of them. */
const GROUP_COUNT = 256
/** Records are read so many at a time. */
const READ_COUNT = 4096

async function openIndexedDb(name: string, options: IndexedDbStoreOptions, existing: boolean): Promise<Store> {
  const unlock = toSealingOptions(options)
  const random = options.random ?? randomBytes
  const release = await takeWebLock(name)
  let database: IDBDatabase | undefined
  try {
    database = await openDatabase(name, existing)
    const owner = random(16)
    const { state, stored } = await takeOver(database, owner, random(16))
    let sealing = unlockSealing(state.storeId, state.seal, unlock)
    const values = new Map([...stored].map(([key, value]) => [key, sealing && isSecret(key) ? sealing.open(key, value) : value]))
    if (unlock && !sealing) {
      const created = createSealing(state.storeId, unlock)
      sealing = created.sealing
      await sealValues(database, owner, { ...state, seal: created.header }, values, sealing)
    }
    const snapshots = new Snapshots(database, owner, state.snapshot?.generation ?? 0)
    await snapshots.sweep(state.snapshot?.generation)
    return toStore({ database, owner, sealing, values, bounds: { first: state.first, size: state.size } }, snapshots, release)
  } catch (error) {
    database?.close()
    await release()
    throw toFailure(error)
  }
}

/** Read everything that is held in memory, and put our mark. */
async function takeOver(database: IDBDatabase, owner: Uint8Array, storeId: Uint8Array): Promise<{ state: State; stored: Map<string, Uint8Array> }> {
  return transact(database, ['state', 'values'], 'readwrite', async (transaction) => {
    const found = await readState(transaction)
    const state: State = found ? { ...found, owner } : { version: 1, storeId, owner, first: 0, size: 0, seal: undefined, snapshot: undefined }
    writeState(transaction, state)
    const names = await whole(transaction.objectStore('values').getAllKeys())
    const values: unknown[] = await whole(transaction.objectStore('values').getAll())
    return { state, stored: new Map(names.map((name, i) => [String(name), fromStored(values[i], 'values', i)])) }
  })
}

async function sealValues(database: IDBDatabase, owner: Uint8Array, state: State, values: ReadonlyMap<string, Uint8Array>, sealing: Sealing): Promise<void> {
  await transact(database, ['state', 'values'], 'readwrite', async (transaction) => {
    await readOwnState(transaction, owner)
    writeState(transaction, { ...state, owner })
    for (const [name, value] of values) if (isSecret(name)) transaction.objectStore('values').put(sealing.seal(name, value), name)
  })
}

interface Opened {
  readonly database: IDBDatabase
  readonly owner: Uint8Array
  readonly sealing: Sealing | undefined
  readonly values: Map<string, Uint8Array>
  bounds: Bounds
}

function toStore(opened: Opened, snapshots: Snapshots, release: () => Promise<void>): Store {
  const { database, values } = opened
  const queue = new CommitQueue(opened)
  const chunks = indexedDbChunks(database, opened.owner, toFailure)
  let closing: Promise<void> | undefined
  let background: Promise<unknown> = Promise.resolve()
  database.onversionchange = () => database.close() // someone deletes the database: later calls fail with store-failed
  const check = (): void => {
    if (closing) throw new SealError('store-closed', 'This store was closed.')
  }
  const close = async (): Promise<void> => {
    await background
    await queue.idle()
    database.close()
    await release()
  }
  const alive = (): Opened => {
    check()
    return opened
  }
  return {
    get size() {
      return alive().bounds.size
    },
    get first() {
      return alive().bounds.first
    },
    get: (name) => alive() && values.get(name),
    names: (prefix) => {
      check()
      return [...values.keys()].filter((name) => name.startsWith(prefix)).sort()
    },
    commit: async (batch) => {
      check()
      return queue.commit(batch)
    },
    read: async (from, to) => {
      checkRange(alive().bounds, from, to)
      return readRecords(database, from, to).catch(rethrow)
    },
    writeSnapshot: async (meta, chunks) => {
      check()
      const result = background.then(() => writeSnapshot(snapshots, meta, chunks))
      background = result.catch(() => undefined) // its caller has it
      return result
    },
    readSnapshot: async () => {
      check()
      return snapshots.read().catch(rethrow)
    },
    chunks: whileOpen(check, () => chunks),
    compact: async () => check(), // the database does it by itself
    close: () => (closing ??= close()),
    [Symbol.asyncDispose]: () => (closing ??= close()),
  }
}

/** An error of the chunks' source passes through. */
async function writeSnapshot(snapshots: Snapshots, meta: Uint8Array, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
  let source: { readonly error: unknown } | undefined
  const guarded = async function* (): AsyncGenerator<Uint8Array> {
    const iterator = (async function* () {
      yield* chunks
    })()
    for (;;) {
      const step = await iterator.next().catch((error: unknown) => {
        source = { error }
        throw error
      })
      if (step.done === true) return
      yield step.value
    }
  }
  try {
    await snapshots.write(meta, guarded())
  } catch (error) {
    throw source ? source.error : toFailure(error)
  }
}

async function readRecords(database: IDBDatabase, from: number, to: number): Promise<Uint8Array[]> {
  const out: Uint8Array[] = []
  for (let at = from; at < to; at += READ_COUNT) {
    const end = Math.min(to, at + READ_COUNT)
    const range = IDBKeyRange.bound(at, end, false, true)
    const [keys, found] = await transact(database, ['log'], 'readonly', async (transaction): Promise<[IDBValidKey[], unknown[]]> => {
      const log = transaction.objectStore('log')
      return [await whole(log.getAllKeys(range)), await whole(log.getAll(range))]
    })
    for (let i = 0; i < end - at; i++) out.push(fromStored(keys[i] === at + i ? found[i] : undefined, 'log', at + i))
  }
  return out
}

/** Overlapping commits share a transaction. What failed is rejected together with what was built on it. */
class CommitQueue {
  private readonly opened: Opened
  private projected: Bounds
  private waiting: Commit[] = []
  private running: Promise<void> | undefined
  constructor(opened: Opened) {
    this.opened = opened
    this.projected = opened.bounds
  }

  commit(batch: Batch): Promise<void> {
    return new Promise((resolve, reject) => {
      this.projected = checkBatch(this.projected, batch)
      this.waiting.push({ batch, after: this.projected, resolve, reject })
      this.running ??= this.drain()
    })
  }

  async idle(): Promise<void> {
    while (this.running) await this.running
  }

  private async drain(): Promise<void> {
    await Promise.resolve() // calls made in one go share a transaction
    while (this.waiting.length > 0) {
      const commits = this.waiting.splice(0, GROUP_COUNT)
      try {
        await this.write(commits)
        for (const { resolve } of commits) resolve()
      } catch (error) {
        const behind = this.waiting.splice(0)
        this.projected = this.opened.bounds
        const failure = toFailure(error)
        for (const { reject } of commits) reject(failure)
        for (const { reject } of behind) reject(new SealError('store-failed', 'A commit before this one failed.', { outcome: 'absent' }, { cause: failure }))
      }
    }
    this.running = undefined
  }

  private async write(commits: readonly Commit[]): Promise<void> {
    const { opened } = this
    const { database, owner, sealing, values } = opened
    const after = commits.at(-1)?.after ?? opened.bounds
    await transact(database, ['log', 'values', 'state'], 'readwrite', async (transaction) => {
      const state = await readOwnState(transaction, owner)
      let before = opened.bounds
      for (const { batch, after } of commits) {
        writeLog(transaction.objectStore('log'), before, batch, after)
        for (const [name, value] of batch.put ?? []) {
          if (value === null) transaction.objectStore('values').delete(name)
          else transaction.objectStore('values').put(sealing && isSecret(name) ? sealing.seal(name, value) : toStored(value), name)
        }
        before = after
      }
      writeState(transaction, { ...state, ...after })
    })
    opened.bounds = after
    for (const { batch } of commits) {
      for (const [name, value] of batch.put ?? []) {
        if (value === null) values.delete(name)
        else values.set(name, value)
      }
    }
  }
}

function writeLog(log: IDBObjectStore, before: Bounds, { keep, append = [] }: Batch, after: Bounds): void {
  if (keep && keep[0] === keep[1]) log.clear()
  else if (keep) {
    if (before.first < keep[0]) log.delete(IDBKeyRange.bound(before.first, keep[0], false, true))
    if (keep[1] < before.size) log.delete(IDBKeyRange.bound(keep[1], before.size, false, true))
  }
  append.forEach((record, i) => log.put(toStored(record), after.size - append.length + i))
}

function rethrow(error: unknown): never {
  throw toFailure(error)
}

function toFailure(error: unknown): SealError {
  if (error instanceof SealError) return error
  const name = error instanceof DOMException || error instanceof Error ? error.name : 'unknown'
  return new SealError('store-failed', `The database failed (${name}).`, { outcome: 'absent', name, reopen: name === 'InvalidStateError' }, { cause: error })
}
