/**
 * The journal: the log and the named values in append-only files, one write and at most one fsync for all the commits that wait.
 *
 * Everything that changes files goes through one queue, so at any time one thing is being written. State in memory moves only when
 * a write is durable. Three ends of a failed write:
 *   1. nothing of it can have counted, or it was cut off again, durably: `absent`, and the journal goes on;
 *   2. an fsync failed, or the cutting off did: `unknown`. Linux drops the error after telling it once, and what is in memory may not
 *      be on disk, so trying again proves nothing. The journal takes no more commits; opening again reads, writes and syncs the end.
 *   3. commits that waited behind it were built on it: `absent`.
 */
import { giveRoom } from '../../codec/room.js'
import { isSealError, SealError } from '../../errors.js'
import { type Bounds, checkBatch } from '../batch.js'
import type { Batch } from '../store.js'
import { type Directory, discard, type OpenFile } from './directory.js'
import { errorCode } from './lock.js'
import { fileName, type Manifest, type PackedEntry, writeManifest } from './manifest.js'
import type { Positions } from './positions.js'
import { Segment } from './segment.js'
import type { Sealing } from '../sealing.js'
import { type BatchPlaces, type EncodedGroup, encodeCheckpoint, encodeGroup, encodeMark, type ValuePlace } from './writer.js'

export interface JournalOptions {
  readonly directory: Directory
  readonly fsync: boolean
  /** A file longer than this is closed and another begun. */
  readonly segmentLength: number
}

/** A file of records alone, with what the manifest says of it. */
export interface Packed {
  readonly entry: PackedEntry
  readonly segment: Segment
}

interface Commit {
  readonly batch: Batch
  readonly after: Bounds
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

type Job = Commit | (() => Promise<void>)

/** Commits are written together up to about so many bytes. */
const GROUP_LENGTH = 32 << 20

export class Journal {
  readonly options: JournalOptions
  readonly positions: Positions
  /** Names in plain, secrets open. */
  readonly values: Map<string, Uint8Array>
  /** Where they lie in the active file, as they are stored. */
  valuePlaces: Map<string, ValuePlace>
  /** Bytes of all files that `places` covers. */
  covered: number
  manifest: Manifest
  sealing: Sealing | undefined
  packed: readonly Packed[]
  /** Files of batches that are no longer written to. */
  closed: readonly Segment[]
  active: Segment
  private file: OpenFile
  private chain: number
  /** The active file ends in a bare group frame. */
  private clean: boolean
  private nextNumber: number
  /** The bounds once everything in the queue is done. */
  private projected: Bounds
  private readonly queue: Job[] = []
  private running: Promise<void> | undefined
  private broken: SealError | undefined

  constructor(options: JournalOptions, start: {
    readonly manifest: Manifest; readonly sealing: Sealing | undefined; readonly positions: Positions; readonly values: Map<string, Uint8Array>
    readonly valuePlaces: Map<string, ValuePlace>; readonly covered: number; readonly active: OpenFile; readonly length: number; readonly chain: number; readonly clean: boolean; readonly nextNumber: number
  }) {
    const { directory } = options
    const toSegment = ({ number, length }: { number: number; length: number }): Segment =>
      new Segment(number, fileName(number), length, () => directory.open(fileName(number), 'read'))
    this.options = options
    this.positions = start.positions
    this.values = start.values
    this.valuePlaces = start.valuePlaces
    this.covered = start.covered
    this.manifest = start.manifest
    this.sealing = start.sealing
    this.packed = start.manifest.packed.map((entry) => ({ entry, segment: toSegment(entry) }))
    this.closed = start.manifest.journal.slice(0, -1).map(toSegment)
    this.active = toSegment({ number: start.manifest.journal.at(-1)?.number ?? 0, length: start.length })
    this.file = start.active
    this.chain = start.chain
    this.clean = start.clean
    this.nextNumber = start.nextNumber
    this.projected = this.bounds
  }

  /** No more commits: the outcome of one is unknown. */
  get isBroken(): boolean {
    return this.broken !== undefined
  }

  /** The active file holds its checkpoint alone. */
  get isFresh(): boolean {
    return this.active.length === this.manifest.journal.at(-1)?.length
  }

  get segments(): readonly Segment[] {
    return [...this.packed.map(({ segment }) => segment), ...this.closed, this.active]
  }

  /** Bytes of all files that `places` does not cover. */
  get uncovered(): number {
    return this.segments.reduce((sum, { length }) => sum + length, 0) - this.covered
  }

  /** The active file's chain at its end. */
  get activeChain(): number {
    return this.chain
  }

  get bounds(): Bounds {
    return { first: this.positions.first, size: this.positions.size }
  }

  readonly segmentOf = (number: number): Segment => {
    const found = this.segments.findLast((segment) => segment.number === number)
    if (!found) throw new SealError('invariant', `Internal invariant broken: file ${number} of the store is known. Please report this.`)
    return found
  }

  commit(batch: Batch): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.broken) throw this.refusal()
      this.projected = checkBatch(this.projected, batch)
      this.push({ batch, after: this.projected, resolve, reject })
    })
  }

  /** Run `work` when no write is under way, and let none begin until it is done. */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.push(async () => {
        try {
          if (this.broken) throw this.refusal()
          resolve(await work())
        } catch (error) {
          reject(error)
        }
      })
    })
  }

  /** A number no file has had. */
  takeNumber(): number {
    return this.nextNumber++
  }

  /** Begin a new active file with a checkpoint of the values. Only within `exclusive`, or before a group. */
  async roll(change: Partial<Pick<Manifest, 'seal'>> = {}): Promise<void> {
    const { directory } = this.options
    const number = this.takeNumber()
    const name = fileName(number)
    const { storeId } = this.manifest
    const checkpoint = encodeCheckpoint(storeId, number, this.bounds, this.values, this.sealing)
    let file: OpenFile | undefined
    await this.syncActive()
    try {
      file = await directory.open(name, 'create')
      await file.write(checkpoint.bytes, 0)
      await file.sync()
      await directory.sync()
      const journal = [...this.closed, this.active, { number, length: checkpoint.end }].map(({ number, length }) => ({ number, length }))
      await this.replaceManifest({ ...this.manifest, ...change, journal })
    } catch (error) {
      await file?.close()
      if (!this.broken) await discard(directory, [name])
      throw this.failed(error)
    }
    await this.file.close()
    this.closed = [...this.closed, this.active]
    this.active = new Segment(number, name, checkpoint.end, () => directory.open(name, 'read'))
    this.file = file
    this.chain = checkpoint.chain
    this.valuePlaces = new Map(checkpoint.places[0]?.values)
    this.clean = true
  }

  /** Only within `exclusive`. Throws `store-failed`; if the outcome is unknown the journal stops. */
  async replaceManifest(manifest: Manifest): Promise<void> {
    let renaming = false
    try {
      await writeManifest(this.options.directory, manifest, () => (renaming = true))
    } catch (error) {
      if (renaming) this.broken = failure('unknown', 'replacing the manifest', error)
      throw this.broken ?? failure('absent', 'replacing the manifest', error)
    }
    this.manifest = manifest
  }

  /** After this the journal must not be used. */
  async close(): Promise<void> {
    while (this.running) await this.running
    try {
      if (!this.broken && !this.clean) await this.mark()
    } finally {
      await this.file.close()
      for (const segment of this.segments) await segment.retire()
    }
  }

  /** `error` as `store-failed` with outcome absent, unless it has a code already. */
  failed(error: unknown): SealError {
    return isSealError(error) ? error : failure('absent', 'writing', error)
  }

  private push(job: Job): void {
    this.queue.push(job)
    this.running ??= this.drain()
  }

  private async drain(): Promise<void> {
    await Promise.resolve() // calls made in one go share a write
    for (let job = this.queue.shift(); job; job = this.queue.shift()) {
      if (typeof job === 'function') await job()
      else await this.writeGroup([job, ...this.takeCommits(job)])
    }
    this.running = undefined
  }

  /** More commits for the same write. */
  private takeCommits(first: Commit): Commit[] {
    const out: Commit[] = []
    for (let length = batchLength(first.batch); length < GROUP_LENGTH; ) {
      const next = this.queue[0]
      if (next === undefined || typeof next === 'function') break
      this.queue.shift()
      out.push(next)
      length += batchLength(next.batch)
    }
    return out
  }

  private async writeGroup(commits: readonly Commit[]): Promise<void> {
    try {
      const full = commits.filter(({ batch }) => !isEmpty(batch))
      if (full.length > 0) await this.writeBatches(full)
    } catch (error) {
      this.rejectCommits(commits, error)
      return
    }
    for (const { resolve } of commits) resolve()
  }

  private async writeBatches(commits: readonly Commit[]): Promise<void> {
    if (this.broken) throw this.refusal()
    if (this.active.length - (this.manifest.journal.at(-1)?.length ?? 0) > this.options.segmentLength) await this.roll()
    const group = encodeGroup(this.active.length, this.chain, this.manifest.storeId, commits.map(({ batch }) => batch), this.sealing)
    await this.writeDurably(group)
    if (group.room !== undefined) giveRoom(group.room)
    this.clean = false
    commits.forEach(({ batch, after }, i) => this.apply(batch, after, group.places[i] as BatchPlaces))
  }

  private async writeDurably(group: EncodedGroup): Promise<void> {
    try {
      await this.file.write(group.bytes, this.active.length)
    } catch (error) {
      throw await this.cutBack(error)
    }
    if (this.options.fsync) await this.syncActive()
    this.active.length = group.end
    this.chain = group.chain
  }

  /** Whatever is in the active file, also of a store that does not sync. Only within `exclusive`. */
  async makeDurable(): Promise<void> {
    if (!this.options.fsync) await this.syncActive()
  }

  private async syncActive(): Promise<void> {
    try {
      await this.file.sync()
    } catch (error) {
      this.broken = failure('unknown', 'fsync', error)
      throw this.broken
    }
  }

  /** Part of a write may be there. If it can be taken away for good, nothing has happened. */
  private async cutBack(cause: unknown): Promise<SealError> {
    try {
      await this.file.truncate(this.active.length)
      await this.file.sync()
      return failure('absent', 'writing', cause)
    } catch {
      this.broken = failure('unknown', 'writing, and cutting off what was written,', cause)
      return this.broken
    }
  }

  private apply({ append = [], put = [] }: Batch, after: Bounds, { records, values }: BatchPlaces): void {
    this.positions.reshape({ first: after.first, size: after.size - append.length })
    for (let i = 0; i < records.length; i += 2) this.positions.append(this.active.number, records[i] as number, records[i + 1] as number)
    for (const [name, place] of values) this.valuePlaces.set(name, place)
    for (const [name, value] of put) {
      if (value === null) this.values.delete(name)
      else this.values.set(name, value)
    }
    for (const [name] of put) if (!this.values.has(name)) this.valuePlaces.delete(name)
  }

  /** These, and all that wait behind them, for they were checked as if these would succeed. */
  private rejectCommits(commits: readonly Commit[], error: unknown): void {
    const waiting = this.queue.filter((job) => typeof job !== 'function')
    const others = this.queue.filter((job) => typeof job === 'function')
    this.queue.splice(0, Infinity, ...others)
    this.projected = this.bounds
    for (const { reject } of commits) reject(error)
    const behind = new SealError('store-failed', 'A commit before this one failed.', { outcome: 'absent', reopen: this.broken !== undefined }, { cause: error })
    for (const { reject } of waiting) reject(behind)
  }

  /** Say that everything so far is durable, which it is: so damage to it later is not taken for a torn write. */
  private async mark(): Promise<void> {
    const group = encodeMark(this.active.length, this.chain, this.manifest.storeId)
    try {
      await this.file.sync()
      await this.file.write(group.bytes, this.active.length)
      await this.file.sync()
    } catch (error) {
      throw failure('absent', 'closing', error) // every commit was durable as far as asked; only the mark is missing
    }
    this.active.length = group.end
    this.clean = true
  }

  private refusal(): SealError {
    return new SealError('store-failed', 'An earlier write failed with unknown outcome: open the store again.', { outcome: 'absent', reopen: true }, { cause: this.broken })
  }
}

export function failure(outcome: 'absent' | 'unknown', step: string, cause: unknown): SealError {
  const errno = errorCode(cause)
  return new SealError('store-failed', `The store's disk failed at ${step}${errno === undefined ? '' : ` (${errno})`}.`, { outcome, step, errno, reopen: outcome === 'unknown' }, { cause })
}

function isEmpty({ keep, append = [], put = [] }: Batch): boolean {
  return keep === undefined && append.length === 0 && put.length === 0
}

function batchLength({ append = [], put = [] }: Batch): number {
  let length = 0
  for (const record of append) length += record.length
  for (const [, value] of put) length += value?.length ?? 0
  return length
}
