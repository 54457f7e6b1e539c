/**
 * IndexedDB with promises: the schema, transactions that are durable when they resolve, and the state record that every one of them
 * checks before it writes.
 */
import { equalBytes } from '../../codec/bytes.js'
import { SealError } from '../../errors.js'
import type { SealHeader } from '../sealing.js'

export type StoreName = 'log' | 'values' | 'chunks' | 'state' | 'files'

/** The one record of `state`. */
export interface State {
  readonly version: 1
  readonly storeId: Uint8Array
  /** The mark of whoever opened the store last. */
  readonly owner: Uint8Array
  readonly first: number
  readonly size: number
  readonly seal: SealHeader | undefined
  readonly snapshot: { readonly generation: number; readonly count: number; readonly meta: Uint8Array } | undefined
}

/** 2: with `files`. */
const SCHEMA_VERSION = 2
const STATE_KEY = 'state'

/** `existing`: throws `bad-argument` if there is none, and makes none. */
export function openDatabase(name: string, existing: boolean): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(name, SCHEMA_VERSION)
    opening.onupgradeneeded = ({ oldVersion }) => {
      if (existing && oldVersion === 0) {
        reject(new SealError('bad-argument', `There is no store named ${name}.`))
        return opening.transaction?.abort()
      }
      const held = opening.result.objectStoreNames
      for (const store of ['log', 'values', 'chunks', 'state', 'files'] satisfies StoreName[]) if (!held.contains(store)) opening.result.createObjectStore(store)
    }
    opening.onsuccess = () => resolve(opening.result)
    opening.onerror = () => reject(opening.error ?? new DOMException('The database did not open.'))
    opening.onblocked = () => reject(new DOMException('Another tab keeps an older version of the database open.'))
  })
}

/** Run `work` in one transaction. Resolves when it is durable; if `work` or the transaction fails, nothing was done. */
export async function transact<T>(database: IDBDatabase, names: readonly StoreName[], mode: IDBTransactionMode, work: (transaction: IDBTransaction) => Promise<T>): Promise<T> {
  const transaction = database.transaction(names, mode, { durability: 'strict' })
  const finished = new Promise<void>((resolve, reject) => {
    transaction.oncomplete = () => resolve()
    transaction.onabort = () => reject(transaction.error ?? new DOMException('The transaction was aborted.', 'AbortError'))
  })
  let result: T
  try {
    result = await work(transaction)
  } catch (error) {
    abort(transaction)
    await finished.catch(() => undefined)
    throw error instanceof SealError ? error : (transaction.error ?? error) // its own reason, if it ended by itself: a full disk
  }
  await finished
  return result
}

/** The result of a request, within a transaction. */
export function whole<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error ?? new DOMException('A request failed.'))
  })
}

export async function readState(transaction: IDBTransaction): Promise<State | undefined> {
  const found: unknown = await whole(transaction.objectStore('state').get(STATE_KEY))
  if (found === undefined) return undefined
  if (!isState(found)) throw new SealError('unsupported-version', 'Expected the state of a store of version 1.')
  return found
}

/** The state, if the store is still ours. Throws `store-locked`. */
export async function readOwnState(transaction: IDBTransaction, owner: Uint8Array): Promise<State> {
  const state = await readState(transaction)
  if (state && equalBytes(state.owner, owner)) return state
  throw new SealError('store-locked', 'Another tab has opened this store since.', { overtaken: true })
}

export function writeState(transaction: IDBTransaction, state: State): void {
  transaction.objectStore('state').put(state, STATE_KEY)
}

/** Bytes for storing: a structured clone of a view would copy the whole buffer behind it. */
export function toStored(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice()
}

/** A stored value is what was put there, or the database is not ours. */
export function fromStored(found: unknown, place: string, at: number): Uint8Array {
  if (found instanceof Uint8Array) return found
  throw new SealError('store-corrupt', `Stored bytes are missing: in ${place}, at ${at}.`, { file: place, offset: at, problem: 'no bytes' })
}

function abort(transaction: IDBTransaction): void {
  try {
    transaction.abort()
  } catch (error) {
    if (!(error instanceof DOMException && error.name === 'InvalidStateError')) throw error // it has ended by itself
  }
}

function isState(found: unknown): found is State {
  return typeof found === 'object' && found !== null && 'version' in found && found.version === 1 && 'owner' in found && found.owner instanceof Uint8Array
}
