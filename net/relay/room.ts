/**
 * One space in the relay: its ledger (what is true), its log (what is stored) and the sessions that listen. Appending is a pipeline:
 * whatever has queued up while the last group was being stored is judged in order, stored as one group, then announced. Nothing is
 * announced or acknowledged before it is durable.
 */
import { equalBytes } from '../../engine/codec/bytes.js'
import { isSealError, SealError } from '../../engine/errors.js'
import { MAX_BATCH_RECORDS } from '../../engine/limits.js'
import type { Head } from '../../engine/space/types.js'
import { encodeMessage } from '../messages.js'
import { Images, type ImageRule } from './image.js'
import { RoomFiles } from './files.js'
import type { FormerHead, Ledger } from './ledger.js'
import { type Looked, Looking } from './looking.js'
import type { RelayLog } from './store.js'

/** What was decided about one record: its index, or why it was refused. */
export type Placement = { readonly kind: 'stored'; readonly index: number } | { readonly kind: 'refused'; readonly reason: string }

export interface RoomListener {
  /** `frame`: records from `from` that became durable together, with the relay's note for the size they lead to. Encoded once for all. */
  announce(frame: Uint8Array, from: number): void
  presence(frame: Uint8Array): void
}

export interface RoomOptions {
  readonly ledger: Ledger
  readonly log: RelayLog
  /** Sign a checkpoint for a head. */
  readonly sign: (head: Head) => Uint8Array
  /** The store failed in a way after which only opening the log again tells what it holds. */
  readonly onBroken: (error: unknown) => void
  readonly images: { readonly rule: ImageRule; readonly replace: boolean; readonly onFailed: (error: unknown) => void }
  /** Former heads that came with the ledger's image. */
  readonly steps?: readonly FormerHead[]
  readonly maxFileBytes: number
}

/** Records of one group: bounded, so that one flood doesn't hold up the others for long. */
const MAX_GROUP = 1_000
const MAX_GROUP_BYTES = 4 * 1024 * 1024
/** Records judged in one turn of the event loop, some milliseconds: others are served in between, and what comes in is looked at meanwhile. */
const MAX_TURN = 128
/** Heads are remembered this often: a client that has much to catch up gets there in verified steps, each bounded. */
const STEP_RECORDS = 4_096
const STEP_BYTES = 8 * 1024 * 1024

/** Records that came together and are answered together, in the order of their coming. */
interface Job {
  readonly placements: Placement[]
  left: number
  readonly resolve: (placements: readonly Placement[]) => void
  readonly reject: (error: unknown) => void
}
interface Waiting extends Looked { readonly restored: boolean; readonly job: Job }

export class Room {
  readonly ledger: Ledger
  readonly listeners = new Set<RoomListener>()
  readonly files: RoomFiles
  readonly #options: RoomOptions
  readonly #log: RelayLog
  #queue: Waiting[] = []
  #working: Promise<void> | undefined
  /** Others may have stored something that the ledger has not followed. */
  #stale = true
  #note: { readonly size: number; readonly bytes: Uint8Array } | undefined
  /** Former heads to catch up to, ascending, and what was stored since the last. */
  readonly #steps: FormerHead[]
  readonly #images: Images
  readonly #looking: Looking
  #sinceStep = 0
  #started = false
  #closed = false
  #broken = false
  #head: Head

  constructor(options: RoomOptions) {
    this.#options = options
    this.ledger = options.ledger
    this.#head = options.ledger.head // of the genesis, or of an image: both are of what is stored
    this.#steps = [...(options.steps ?? [])]
    this.#log = options.log
    this.files = new RoomFiles(options.ledger, options.log.chunks, options.maxFileBytes)
    this.ledger.keep()
    this.#looking = new Looking((records) => options.ledger.aside(records), () => options.ledger.looksAhead)
    this.#images = new Images({ ...options.images, ledger: options.ledger, log: options.log, isIdle: () => !this.#closed && this.#queue.length === 0 && this.#working === undefined })
    this.#log.onGrowth = () => {
      this.#stale = true
      this.#wake()
    }
  }

  /** Follow what other processes have stored by now: their word of it may be on its way still. */
  async look(): Promise<void> {
    this.#stale = true
    this.#wake()
    await this.#working
  }

  /** Read what the store holds beyond the ledger. Call once before use. */
  async start(): Promise<void> {
    await this.#catchUp()
    this.#started = true
    this.files.followed()
  }

  /** Of what is durable: while a group is being stored the ledger is ahead of it, and nobody is told of that. */
  get size(): number {
    return this.#head.size
  }
  get head(): Head {
    return this.#head
  }
  /** The relay has let go of it: find it again. */
  get closed(): boolean {
    return this.#closed
  }
  /** Nobody listens and nothing is under way. */
  get idle(): boolean {
    return this.listeners.size === 0 && this.#queue.length === 0 && this.#working === undefined
  }

  /** The relay's signed checkpoint for the durable head. */
  note(): Uint8Array {
    const head = this.#head
    if (this.#note?.size !== head.size) this.#note = { size: head.size, bytes: this.#options.sign(head) }
    return this.#note.bytes
  }

  /** Resolves, one placement per record, when all that were taken are durable. `sender`: a name for whoever brings them. */
  async append(records: readonly Uint8Array[], sender: string, restored = false): Promise<readonly Placement[]> {
    if (this.#closed) throw new SealError('disconnected', 'The relay is closing this space; connect again.')
    if (records.length === 0) return []
    return new Promise((resolve, reject) => this.#take(records, sender, restored, { placements: [], left: records.length, resolve, reject }))
  }

  /** A note for a former head of this space. */
  noteFor(head: Head): Uint8Array {
    return head.size === this.size ? this.note() : this.#options.sign(head)
  }

  /** Records from `from`, and a note for the next step that they lead to or towards. `until`: as if the log ended there. */
  async read(from: number, limit: number, maxBytes: number, until: Head = this.#head): Promise<{ readonly records: readonly Uint8Array[]; readonly note: Uint8Array }> {
    const [step, parting] = [this.#steps.find(({ size }) => size > from), this.ledger.partingAfter(from)]
    const next = step && parting ? (step.size < parting.size ? step : parting) : step ?? parting
    const last = until.size < this.size ? until : this.#head
    const end = next && next.size < last.size ? this.ledger.headAt(next.size, next.stateRoot) : last
    const count = Math.min(end.size - from, limit, MAX_BATCH_RECORDS)
    return { records: count <= 0 ? [] : await this.#log.read(from, count, maxBytes), note: this.noteFor(end) }
  }

  /** Records from `from` on, without a note. */
  async records(from: number, count: number, maxBytes: number): Promise<readonly Uint8Array[]> {
    return count <= 0 ? [] : this.#log.read(from, count, maxBytes)
  }

  /** How many of `records` are held, byte for byte, from `from` on; undefined if other ones are. */
  async holds(from: number, records: readonly Uint8Array[], maxBytes: number): Promise<number | undefined> {
    const end = Math.min(records.length, this.size - from)
    for (let at = 0; at < end;) {
      const held = await this.#log.read(from + at, end - at, maxBytes)
      if (held.length === 0 || !held.every((record, i) => equalBytes(record, records[at + i] as Uint8Array))) return undefined
      at += held.length
    }
    return Math.max(0, end)
  }

  /** Takes nothing more; resolves when nothing is queued or being stored any more. */
  async close(): Promise<void> {
    this.#closed = true
    while (this.#working) await this.#working
    // After a failure the ledger may be ahead of the log, or behind it.
    if (this.#broken) this.#images.end()
    else await this.#images.finish(this.#steps)
    await this.files.close()
    await this.#log.close()
  }

  #take(records: readonly Uint8Array[], sender: string, restored: boolean, job: Job): void {
    for (const record of records) {
      const waiting: Waiting = { record, sender, restored, job, look: 'waiting', aside: undefined }
      this.#queue.push(waiting)
      this.#looking.came(waiting)
    }
    this.#looking.ahead()
    this.#wake()
  }

  #wake(): void {
    if (this.#closed && this.#queue.length === 0) return
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined
      if (this.#queue.length > 0 || (this.#stale && !this.#closed)) this.#wake()
    })
  }

  async #work(): Promise<void> {
    // Let everything that arrives in this turn of the event loop join the group.
    await turn()
    try {
      do {
        if (this.#stale) await this.#catchUp()
        if (this.#queue.length > 0) await this.#storeGroup(this.#takeGroup())
      } while (this.#queue.length > 0 || this.#stale)
    } catch (error) {
      // What was being stored may be there or not: nobody is told anything, and the space is opened afresh.
      this.#closed = true
      this.#broken = true
      for (const { job } of this.#queue.splice(0)) job.reject(error)
      this.#looking.drop()
      this.#options.onBroken(error)
    }
  }

  async #storeGroup(group: readonly Waiting[]): Promise<void> {
    const from = this.size
    const mark = this.ledger.mark()
    const decided: (readonly [Waiting, Placement])[] = []
    const records: Uint8Array[] = []
    let announcement: Announcement | undefined
    try {
      for (const [i, waiting] of group.entries()) {
        if (i % MAX_TURN === MAX_TURN - 1) await turn()
        const look = this.#looking.before(waiting)
        if (look !== undefined) await look
        const outcome = this.ledger.advance(waiting.record, waiting.restored, waiting.aside)
        decided.push([waiting, outcome.kind === 'taken' ? { kind: 'stored', index: from + records.length } : outcome])
        if (outcome.kind === 'taken') records.push(waiting.record)
        else if (outcome.forged) this.#looking.sentBad(waiting.sender)
      }
      let stored: 'stored' | 'taken' = 'stored'
      if (records.length > 0) [stored, announcement] = await Promise.all([this.#log.append(from, records), this.#announcementOf(from, records)])
      if (stored === 'taken') {
        // Another relay process was first: follow its records, then judge these again after them.
        this.ledger.reset(mark)
        this.#queue.unshift(...group)
        this.#stale = true
        return
      }
    } catch (error) {
      this.ledger.reset(mark)
      for (const { job } of group) job.reject(error)
      // A full disk, say: nothing was stored, and the log goes on as before.
      if (isSealError(error, 'store-failed') && error.facts.outcome === 'absent') return
      throw error
    }
    this.ledger.unmark(mark)
    this.#grown(from, records, announcement)
    for (const [{ job }, placement] of decided) {
      job.placements.push(placement)
      if (--job.left === 0) job.resolve(job.placements)
    }
    this.#images.consider(this.#steps)
  }

  #takeGroup(): Waiting[] {
    let bytes = 0
    let count = 0
    for (const { record } of this.#queue) {
      bytes += record.length
      // One long record makes a group of its own: an announcement always fits into a frame.
      if (count === MAX_GROUP || (count > 0 && bytes > MAX_GROUP_BYTES)) break
      count++
    }
    return this.#queue.splice(0, count)
  }

  /** Follow what the store holds beyond the ledger (another process, or a start), announcing it. */
  async #catchUp(): Promise<void> {
    this.#stale = false
    const size = await this.#log.refresh()
    while (this.size < size) {
      const from = this.size
      const records = await this.#log.read(from, Math.min(size - from, MAX_GROUP), MAX_GROUP_BYTES)
      if (records.length === 0) throw new SealError('store-corrupt', `The relay's store has ${size} records but gives none at ${from}.`, { size, from })
      const aside = await this.ledger.aside(records)
      records.forEach((record, i) => this.ledger.follow(record, aside[i]))
      this.#grown(from, records)
    }
    this.#images.consider(this.#steps)
  }

  /** Durable and followed: remember the head now and then, and tell whoever listens. */
  #grown(from: number, records: readonly Uint8Array[], prepared?: Announcement): void {
    if (records.length === 0) return
    let bytes = 0
    for (const { length } of records) bytes += length
    this.#sinceStep += bytes
    this.#images.grown(records.length, bytes)
    this.#head = this.ledger.head
    this.ledger.keep()
    if (this.#started) this.files.followed()
    const { size, stateRoot } = this.#head
    if (size - (this.#steps.at(-1)?.size ?? 0) >= STEP_RECORDS || this.#sinceStep >= STEP_BYTES) {
      this.#steps.push({ size, stateRoot })
      this.#sinceStep = 0
    }
    if (prepared) this.#note = { size, bytes: prepared.note }
    if (this.listeners.size === 0) return
    const frame = prepared?.frame ?? announced(from, records, this.note())
    for (const listener of [...this.listeners]) listener.announce(frame, from)
  }

  /** What is told when these are durable, made while the disk is at it. Until then nobody sees it: the ledger is ahead, and may have to go back. */
  async #announcementOf(from: number, records: readonly Uint8Array[]): Promise<Announcement | undefined> {
    if (this.listeners.size === 0) return undefined
    const { head } = this.ledger
    await turn()
    const note = this.#options.sign(head)
    return { note, frame: announced(from, records, note) }
  }
}

interface Announcement { readonly note: Uint8Array; readonly frame: Uint8Array }

/** The event loop's: everything that has arrived is served. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

function announced(from: number, records: readonly Uint8Array[], note: Uint8Array): Uint8Array {
  return encodeMessage({ kind: 'entries', request: 0, from, records, note })
}
