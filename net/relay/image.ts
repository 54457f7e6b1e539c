/**
 * When a relay writes the image of a space, so that its next start costs what reading the image does, and the entries after it: once enough has come
 * that replaying it would cost more than a fraction of writing the image did, and before it lets go of the space. An image is a shortcut only: what
 * fails here is told and tried again later, and an image that is damaged, of another log or ahead of this one is refused (`findImage`).
 */
import { isSealError, SealError } from '../../engine/errors.js'
import { RING_SIZE } from '../../engine/limits.js'
import type { FormerHead, Ledger } from './ledger.js'
import type { RelayJudge } from './relay.js'
import type { RelayLog } from './store.js'

/** After so many entries, or bytes of them, if that is a fair part of the image's length; at the end a sixteenth will do. */
export interface ImageRule { readonly entries: number; readonly bytes: number }

/** What an entry costs beside its bytes. */
const ENTRY_BYTES = 256
const PART = 8
const AT_THE_END = 16
/** Without a rest: when there is four times as much as would do. */
const OVERDUE = 1 / 4
/** Milliseconds without anything to judge: those who wait for an answer, or read what was stored, come first. */
const REST = 50
/** How much of the log's end is compared with an image, at most. */
const TAIL_BYTES = 8 * 1024 * 1024

export interface ImagesOptions {
  readonly ledger: Ledger
  readonly log: RelayLog
  readonly rule: ImageRule
  /** Whatever image lies there is of no use. */
  readonly replace: boolean
  /** The ledger is where the durable log ends, and nothing is under way. */
  readonly isIdle: () => boolean
  readonly onFailed: (error: unknown) => void
}

export class Images {
  readonly #options: ImagesOptions
  #entries = 0
  #bytes = 0
  /** Of the last image, as far as known. */
  #length = 0
  #replace: boolean
  #writing: Promise<void> | undefined
  #rest: ReturnType<typeof setTimeout> | undefined

  constructor(options: ImagesOptions) {
    this.#options = options
    this.#replace = options.replace
  }

  /** So much was followed since, beyond the image that the ledger began with. */
  grown(entries: number, bytes: number): void {
    this.#entries += entries
    this.#bytes += bytes
  }

  /** To be called when the ledger is where the durable log ends: now, or when there has been a rest. `steps`: former heads, to be given back at the next start. */
  consider(steps: readonly FormerHead[]): void {
    if (this.#writing !== undefined || !this.#isDue(1)) return
    if (this.#isDue(OVERDUE)) this.#start(steps)
    else if (this.#rest) this.#rest.refresh()
    else this.#rest = setTimeout(() => this.#rested(steps), REST)
  }

  #rested(steps: readonly FormerHead[]): void {
    this.#rest = undefined
    // Otherwise whoever works considers it when that is done.
    if (this.#writing === undefined && this.#options.isIdle() && this.#isDue(1)) this.#start(steps)
  }

  /** The last chance: likewise, and waits for what is being written. */
  async finish(steps: readonly FormerHead[]): Promise<void> {
    this.end()
    await this.#writing
    if (this.#isDue(AT_THE_END)) this.#start(steps)
    await this.#writing
  }

  /** None is begun any more. */
  end(): void {
    clearTimeout(this.#rest)
    this.#rest = undefined
  }

  #isDue(divisor: number): boolean {
    const { entries, bytes } = this.#options.rule
    if (divisor * this.#entries < entries && divisor * this.#bytes < bytes) return false
    return divisor * PART * (this.#bytes + ENTRY_BYTES * this.#entries) >= this.#length
  }

  #start(steps: readonly FormerHead[]): void {
    const { ledger, log, onFailed } = this.#options
    const since = { entries: this.#entries, bytes: this.#bytes }
    this.#entries = 0
    this.#bytes = 0
    const { size } = ledger.head
    // The ledger is taken as it is now, whatever happens to it meanwhile.
    const image = ledger.image(steps)
    this.#writing = (async () => {
      try {
        // Another process may just have done it.
        const at = this.#replace ? undefined : await ledger.imagedAt(log)
        if (at !== undefined && at <= size && at > size - since.entries / 2) return image.discard()
        this.#length = await image.write(log)
        this.#replace = false
      } catch (error) {
        onFailed(error)
      } finally {
        this.#writing = undefined
      }
    })()
  }
}

export interface FoundImage { readonly ledger: Ledger; readonly steps: readonly FormerHead[] }

/** The ledger of the stored image, if there is one. Throws `store-corrupt` for one that was not written by this relay of this very log. */
export async function findImage(judge: RelayJudge, space: Uint8Array, log: RelayLog): Promise<FoundImage | undefined> {
  let found: FoundImage | undefined
  try {
    found = await judge.resume(space, log)
  } catch (error) {
    if (!isSealError(error) || !(error.family === 'hostile' || ['store-corrupt', 'bad-argument', 'key-too-long'].includes(error.code))) throw error
    throw new SealError('store-corrupt', `The image of a space can’t be used: ${error.message}`, {}, { cause: error })
  }
  if (found !== undefined) await checkLog(found.ledger, log)
  return found
}

/**
 * That the image is of this log: its first record and its last ones, up to as many as there are bases to build on. An entry that was applied names
 * the history up to one of those, so two logs that part earlier have no end in common.
 */
async function checkLog(ledger: Ledger, log: RelayLog): Promise<void> {
  const { size } = ledger.head
  const held = await log.refresh()
  if (size > held) throw new SealError('store-corrupt', `The image of a space is of ${size} entries; its log has ${held}.`, { size, held })
  const compare = async (from: number, count: number): Promise<number> => {
    const records = await log.read(from, count, TAIL_BYTES)
    if (records.length === 0 || !ledger.follows(from, records)) throw new SealError('store-corrupt', `The image of a space is of another log: entry ${from} differs.`, { size, from })
    return records.reduce((bytes, { length }) => bytes + length, 0)
  }
  await compare(0, 1)
  let bytes = 0
  for (let to = size, count = 1; to > 0 && to > size - RING_SIZE && bytes < TAIL_BYTES; count *= 2) {
    const from = Math.max(0, to - count)
    bytes += await compare(from, to - from)
    to = from
  }
}
