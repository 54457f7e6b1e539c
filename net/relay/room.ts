/**
 * One space in the relay: its ledger (what is true), its log (what is stored) and the sessions that listen. Appending is a pipeline:
 * whatever has queued up while the last group was being stored is judged in order, stored as one group, then announced. Nothing is
 * announced or acknowledged before it is durable.
 */
import { isSealError, SealError } from '../../engine/errors.js'
import { MAX_BATCH_RECORDS } from '../../engine/limits.js'
import type { Head } from '../../engine/space/types.js'
import type { Ledger } from './ledger.js'
import type { RelayLog } from './store.js'

/** What was decided about one record: its index, or why it was refused. */
export type Placement = { readonly kind: 'stored'; readonly index: number } | { readonly kind: 'refused'; readonly reason: string }

/** A group of records that became durable together. */
export interface Announcement { readonly from: number; readonly records: readonly Uint8Array[]; readonly note: Uint8Array }

export interface RoomOptions {
  readonly ledger: Ledger
  readonly log: RelayLog
  /** Sign a checkpoint for a head. */
  readonly sign: (head: Head) => Uint8Array
  readonly announce: (announcement: Announcement) => void
}

/** Records of one group: bounded, so that one flood doesn't hold up the others for long. */
const MAX_GROUP = 1_000
const MAX_GROUP_BYTES = 4 * 1024 * 1024

interface Waiting { readonly record: Uint8Array; readonly resolve: (placement: Placement) => void; readonly reject: (error: unknown) => void }

export class Room {
  readonly ledger: Ledger
  readonly #log: RelayLog
  readonly #sign: (head: Head) => Uint8Array
  readonly #announce: (announcement: Announcement) => void
  #queue: Waiting[] = []
  #working: Promise<void> | undefined
  #note: { readonly size: number; readonly bytes: Uint8Array } | undefined
  #closed = false

  constructor(options: RoomOptions) {
    this.ledger = options.ledger
    this.#log = options.log
    this.#sign = options.sign
    this.#announce = options.announce
    this.#log.onGrowth = () => this.#wake()
  }

  /** Read what the store holds beyond the ledger. Call once before use. */
  async start(): Promise<void> {
    await this.#catchUp()
  }

  get size(): number {
    return this.ledger.head.size
  }

  /** The relay's signed checkpoint for the present head. */
  note(): Uint8Array {
    const { head } = this.ledger
    if (this.#note?.size !== head.size) this.#note = { size: head.size, bytes: this.#sign(head) }
    return this.#note.bytes
  }

  /** Resolves, one placement per record, when all that were taken are durable. */
  async append(records: readonly Uint8Array[]): Promise<readonly Placement[]> {
    if (this.#closed) throw new SealError('disconnected', 'The relay is shutting down; connect again.')
    const placements = records.map((record) => new Promise<Placement>((resolve, reject) => this.#queue.push({ record, resolve, reject })))
    this.#wake()
    return Promise.all(placements)
  }

  async read(from: number, limit: number, maxBytes: number): Promise<readonly Uint8Array[]> {
    const until = Math.min(this.size - from, limit, MAX_BATCH_RECORDS)
    return until <= 0 ? [] : this.#log.read(from, until, maxBytes)
  }

  /** Resolves when nothing is queued or being stored any more. */
  async drain(): Promise<void> {
    this.#closed = true
    while (this.#working) await this.#working
    await this.#log.close()
  }

  #wake(): void {
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined
      if (this.#queue.length > 0) this.#wake()
    })
  }

  async #work(): Promise<void> {
    // Let everything that arrives in this turn of the event loop join the group.
    await new Promise<void>((resolve) => setImmediate(resolve))
    try {
      await this.#catchUp()
      while (this.#queue.length > 0) await this.#storeGroup()
    } catch (error) {
      for (const waiting of this.#queue.splice(0)) waiting.reject(error)
    }
  }

  async #storeGroup(): Promise<void> {
    const group = this.#takeGroup()
    const from = this.size
    const mark = this.ledger.mark()
    const taken: Waiting[] = []
    const refused: (readonly [Waiting, string])[] = []
    for (const waiting of group) {
      const outcome = this.ledger.advance(waiting.record)
      if (outcome.kind === 'taken') taken.push(waiting)
      else refused.push([waiting, outcome.reason])
    }
    const records = taken.map(({ record }) => record)
    let stored: 'stored' | 'taken' = 'stored'
    try {
      if (records.length > 0) stored = await this.#log.append(from, records)
    } catch (error) {
      this.ledger.reset(mark)
      for (const waiting of group) waiting.reject(error)
      if (!isSealError(error)) throw error
      await this.#catchUp()
      return
    }
    if (stored === 'taken') {
      // Another relay process was first: follow its records, then judge these again after them.
      this.ledger.reset(mark)
      this.#queue.unshift(...group)
      await this.#catchUp()
      return
    }
    this.ledger.unmark(mark)
    if (records.length > 0) this.#announce({ from, records, note: this.note() })
    taken.forEach((waiting, i) => waiting.resolve({ kind: 'stored', index: from + i }))
    for (const [waiting, reason] of refused) waiting.resolve({ kind: 'refused', reason })
  }

  #takeGroup(): Waiting[] {
    let bytes = 0
    let count = 0
    while (count < this.#queue.length && count < MAX_GROUP && (count === 0 || bytes < MAX_GROUP_BYTES)) bytes += (this.#queue[count++] as Waiting).record.length
    return this.#queue.splice(0, count)
  }

  /** Follow what the store holds beyond the ledger (another process, or a start), announcing it. */
  async #catchUp(): Promise<void> {
    const size = await this.#log.refresh()
    while (this.size < size) {
      const from = this.size
      const records = await this.#log.read(from, Math.min(size - from, MAX_GROUP), MAX_GROUP_BYTES)
      if (records.length === 0) throw new SealError('store-corrupt', `The relay's store has ${size} records but gives none at ${from}.`, { size, from })
      for (const record of records) this.ledger.follow(record)
      this.#announce({ from, records, note: this.note() })
    }
  }
}
