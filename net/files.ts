/**
 * Content of files, to and from the relay. A device brings what it has put as soon as its entry is in the log, and what others have put if they have not after a while:
 * the relay says what it lacks, so there is no queue to lose. What it gives is verified by who asked (engine/space/files.ts); what it takes, by it.
 */
import { encodeHex } from '../engine/codec/bytes.js'
import { isSealError, SealError } from '../engine/errors.js'
import type { LogProof } from '../engine/log/merkle.js'
import type { Upload } from '../engine/space/file-shelf.js'
import { patiently } from './patiently.js'
import type { Rpc } from './rpc.js'

/** What this device has of a file, for a relay that lacks it. */
export interface FileHolder {
  /** Undefined: not all of it is here. `own`: put by this member. */
  upload(id: Uint8Array): Promise<{ readonly own: boolean; readonly upload: () => Promise<Upload | undefined> } | undefined>
}

export interface FileTransferOptions {
  readonly holder: FileHolder
  /** The connection, once it is in step. */
  readonly rpc: () => Rpc | undefined
  /** Milliseconds after which what others have put, and not brought, is brought from here. Default 60,000. */
  readonly othersAfter?: number
  /** The relay takes no more of this space's files; or, hostile, says of them what can't be. */
  readonly onRefused?: (error: SealError) => void
}

const OTHERS_AFTER = 60_000
/** Chunks sent before the first is acknowledged. */
const AHEAD = 8
/** Pages of wanted files that one pass looks at: a million of them. */
const MAX_PAGES = 1_024

export class FileTransfer {
  readonly #options: FileTransferOptions
  #running: Promise<void> | undefined
  #again = false
  /** It is time to bring what others have not. */
  #others = false
  #timer: ReturnType<typeof setTimeout> | undefined
  #stopped = false

  constructor(options: FileTransferOptions) {
    this.#options = options
  }

  /** A sealed chunk, unverified. Throws `unavailable`: no relay is reached, or it has not got that. */
  async fetch(id: Uint8Array, number: number): Promise<{ readonly chunk: Uint8Array; readonly proof: LogProof }> {
    try {
      const { chunk, proof } = await patiently(() => this.#rpc().call({ kind: 'chunk', file: id, number }, 'chunkIs'))
      return { chunk, proof }
    } catch (error) {
      if (isSealError(error, 'disconnected')) throw offline(error)
      if (!isSealError(error, 'relay-refused') || (error.facts.code !== 'no-chunk' && error.facts.code !== 'no-file')) throw error
      throw new SealError('unavailable', 'This content is not here, and the relay has not got it yet: the device that put it has to connect.', { reason: 'not-uploaded', number }, { cause: error })
    }
  }

  /** Which chunks of a file the relay says to have. Throws `unavailable` if it is not reached. */
  async holds(id: Uint8Array): Promise<(number: number) => boolean> {
    try {
      return hasBit((await this.#heldChunks(id)).bits)
    } catch (error) {
      throw isSealError(error, 'disconnected') ? offline(error) : error
    }
  }

  /** The connection is in step, or a file of this device has landed: bring what the relay lacks. */
  poke(): void {
    if (this.#stopped) return
    this.#start()
    this.#timer ??= this.#later()
  }

  /** Resolves when nothing is on its way. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#running
  }

  /** Resolves when what was to be brought now was, or can't be. */
  async settled(): Promise<void> {
    while (this.#running) await this.#running
  }

  #start(): void {
    this.#again = true
    this.#running ??= this.#run()
  }

  #later(): ReturnType<typeof setTimeout> {
    const timer = setTimeout(() => {
      this.#timer = undefined
      this.#others = true
      this.#start()
    }, this.#options.othersAfter ?? OTHERS_AFTER)
    if (typeof timer === 'object') timer.unref()
    return timer
  }

  async #run(): Promise<void> {
    await Promise.resolve() // whoever started it has taken note of it
    while (this.#again && !this.#stopped) {
      const others = this.#others
      this.#again = false
      this.#others = false
      try {
        await this.#bringAll(others)
      } catch (error) {
        if (!isSealError(error)) throw error
        if (error.code === 'relay-refused' || error.family === 'hostile') this.#options.onRefused?.(error)
        // The next connection asks again.
      }
    }
    this.#running = undefined // with no turn of the event loop since the last look at `again`
  }

  async #bringAll(others: boolean): Promise<void> {
    let after = new Uint8Array(0)
    for (let page = 0; page < MAX_PAGES; page++) {
      const { files } = await this.#rpc().call({ kind: 'wantedFiles', after }, 'wantedAre')
      for (const id of files) {
        if (id.length !== 32 || (after.length > 0 && encodeHex(id) <= encodeHex(after))) throw new SealError('bad-frame', 'The relay named files out of order.')
        const held = await this.#options.holder.upload(id)
        if (held && (held.own || others)) await this.#bring(id, held.upload)
        after = Uint8Array.from(id)
      }
      if (files.length === 0) return
    }
  }

  async #bring(id: Uint8Array, open: () => Promise<Upload | undefined>): Promise<void> {
    const { bits } = await this.#heldChunks(id)
    const isHeld = hasBit(bits)
    const upload = await open()
    if (upload === undefined) return // damaged here: nothing to bring
    const missing = Array.from({ length: upload.count }, (_, number) => number).filter((number) => !isHeld(number)).values()
    let refused: SealError | undefined
    await Promise.all(Array.from({ length: AHEAD }, async () => {
      for (const number of missing) {
        if (refused !== undefined || this.#stopped) return
        try {
          const { chunk, proof } = await upload.chunk(number)
          await patiently(() => this.#rpc().call({ kind: 'bringChunk', file: id, number, proof, chunk }, 'chunkTaken'))
        } catch (error) {
          if (!isSealError(error)) throw error
          refused ??= error
        }
      }
    }))
    // Deleted meanwhile, here or there, is no failure.
    if (refused !== undefined && refused.facts.code !== 'no-file' && refused.code !== 'unavailable') throw refused
  }

  async #heldChunks(file: Uint8Array): Promise<{ readonly bits: Uint8Array }> {
    return this.#rpc().call({ kind: 'heldChunks', file }, 'heldAre')
  }

  #rpc(): Rpc {
    const rpc = this.#options.rpc()
    if (rpc === undefined) throw offline()
    return rpc
  }
}

/** One for each chunk, lowest first. */
const hasBit = (bits: Uint8Array) => (number: number): boolean => ((bits[number >> 3] ?? 0) & (1 << (number & 7))) !== 0

function offline(cause?: unknown): SealError {
  return new SealError('unavailable', 'This content is not on this device, and no relay is connected.', { reason: 'offline' }, { cause })
}
