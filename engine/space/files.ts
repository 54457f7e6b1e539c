/**
 * Files of a space: photos, documents, whatever is too long for a row. What applications call; sealed here, verified here. Content comes from this device, else
 * from whoever `source` asks, who is believed in nothing.
 */
import { expected, expectObject, expectText } from '../arguments.js'
import { concatBytes, decodeHex, encodeHex, encodeUtf8 } from '../codec/bytes.js'
import { isSealError, SealError } from '../errors.js'
import { FILE_CHUNK_LENGTH, MAX_FILE_NAME_LENGTH, MAX_FILE_TYPE_LENGTH } from '../limits.js'
import type { LogProof } from '../log/merkle.js'
import { FILE_ID_LENGTH } from '../state/keys.js'
import type { FileEntries } from './file-entries.js'
import { chunkCount, readFile, type FileRecord, verifyChunk } from './file-record.js'
import { FileSealer } from './file-sealer.js'
import type { FileShelf } from './file-shelf.js'
import { openChunk, openFileContent } from './seal-file.js'
import { whileOpen } from './settle.js'
import type { Space } from './space.js'
import type { FileView, MemberId } from './types.js'

/** A file as the space has it. */
export interface FileInfo {
  /** 64 hex digits: a hash of content, name and type, so that it can never be of anything else. Keep it in a column. */
  readonly id: string
  /** Undefined, both, if this device can't open them. */
  readonly name: string | undefined
  readonly type: string | undefined
  /** Bytes. */
  readonly length: number
  /** Member that put it; index of the entry that wrote it last. */
  readonly author: MemberId
  readonly version: number
  /** All of its content is on this device. */
  readonly local: boolean
}

/** What is said of a file as it is put, and of its putting. */
export interface PutFileOptions {
  /** At most 255 bytes of UTF-8. Default: ''. */
  readonly name?: string
  /** A media type, at most 127 bytes. Default: 'application/octet-stream'. */
  readonly type?: string
  /** Told after each chunk: bytes sealed so far. */
  readonly onProgress?: (done: number) => void
  /** Until the file is written into the space; what was sealed is removed again. */
  readonly signal?: AbortSignal
}

/** Bytes `[from, to)`; by default all. */
export interface ByteRange {
  readonly from?: number
  readonly to?: number
}

/** A file, to be read. */
export interface OpenFile {
  readonly id: string
  readonly name: string
  readonly type: string
  readonly length: number
  /** The content, each piece verified before it is given; fetched as it is read, a few chunks ahead. A range fetches the chunks that it lies in. */
  stream(range?: ByteRange): AsyncIterableIterator<Uint8Array>
  /** All of it, in memory. */
  bytes(): Promise<Uint8Array>
}

/** What the parts of a space's files need of those around them. */
export interface FileParts {
  readonly random: (length: number) => Uint8Array
  readonly source: ChunkSource
  /** Which chunks whoever `source` asks says to have. Throws `unavailable` if nobody can be asked. */
  readonly holds: (id: Uint8Array) => Promise<(number: number) => boolean>
  /** A file that was put here is in the log: a relay may lack its content. */
  readonly onLanded: () => void
  /** Resolves when nothing is on its way to the relay. */
  readonly carried: () => Promise<void>
}

/** Who has chunks: net's part. Throws `unavailable` if it has not got that one, or can't be asked. */
export type ChunkSource = (id: Uint8Array, number: number) => Promise<{ readonly chunk: Uint8Array; readonly proof: LogProof }>

/** Chunks fetched at once, ahead of who reads. */
const AHEAD = 8
/** Chunks that the relay has to show before what is here may go. */
const SAMPLES = 3

/**
 * Files of a space: `space.files`.
 *
 * @example
 * const { id } = await space.files.put(new Uint8Array([1, 2, 3]), { name: 'three.bin' })
 * console.log((await (await space.files.get(id)).bytes()).length) // 3
 */
export class Files {
  readonly #space: Space
  readonly #shelf: FileShelf
  readonly #entries: FileEntries
  readonly #random: (length: number) => Uint8Array
  readonly #source: ChunkSource
  readonly #holds: FileParts['holds']
  /** Resolves when nothing is on its way to the relay. */
  readonly #carried: () => Promise<void>

  constructor(space: Space, shelf: FileShelf, entries: FileEntries, { random, source, holds, carried }: FileParts) {
    this.#space = space
    this.#shelf = shelf
    this.#entries = entries
    this.#random = random
    this.#source = source
    this.#holds = holds
    this.#carried = carried
  }

  /**
   * Seal a file into the space. Resolves when it is durable here; its content goes to the relay afterwards, over as many connections and restarts as it takes.
   * It is written before the rows that name it, so whoever sees such a row has the file's entry. Throws `rejected` (role) for readers, `bad-argument` for a name
   * or type that is too long or a file over 4 GiB, and what `content` throws; then nothing is left.
   *
   * @example
   * const photo = await space.files.put(new Uint8Array(3_000_000), { name: 'harbour.jpg', type: 'image/jpeg' })
   * await space.exec('CREATE TABLE photo (id INTEGER PRIMARY KEY, file TEXT NOT NULL)')
   * await space.sql`INSERT INTO photo (file) VALUES (${photo.id})`
   */
  async put(content: Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>, { name = '', type = 'application/octet-stream', onProgress, signal }: PutFileOptions = {}): Promise<FileInfo> {
    checkText(name, 'name', MAX_FILE_NAME_LENGTH)
    checkText(type, 'type', MAX_FILE_TYPE_LENGTH)
    expectObject(content, 'the content of a file as bytes (Uint8Array), or a stream of such')
    if (!(Symbol.iterator in content || Symbol.asyncIterator in content)) throw expected('the content of a file as bytes (Uint8Array), or a stream of such', content)
    this.#entries.mustWrite()
    signal?.throwIfAborted()
    const sealer = new FileSealer(this.#space.env, { key: this.#random(32), name, type })
    const group = encodeHex(this.#random(16))
    let facts: ReturnType<FileSealer['end']>['facts'] | undefined
    await this.#shelf.fill(group, (async function* () {
      for await (const bytes of content instanceof Uint8Array ? [content] : content) {
        if (!(bytes instanceof Uint8Array)) throw expected('the content of a file in pieces of bytes (Uint8Array)', bytes)
        for (const chunk of sealer.write(bytes)) {
          yield chunk
          signal?.throwIfAborted()
          onProgress?.(sealer.written)
        }
      }
      const end = sealer.end()
      facts = end.facts
      yield end.chunk
      signal?.throwIfAborted()
      onProgress?.(sealer.written)
    })())
    if (facts === undefined) throw new SealError('invariant', 'A file was kept but not sealed to its end.')
    const { id, version } = await this.#entries.put({ group, facts, content: sealer.content })
    return { id: encodeHex(id), name, type, length: facts.length, author: this.#space.me.member, version, local: true }
  }

  /**
   * A file by its id. Throws `unavailable` if there is none (it was deleted, or its entry has not arrived), `open-failed` or `no-secret` if it does not open here.
   * Reading throws `unavailable` for content that is not on this device and not to be had now: facts.reason says why (`offline`: no relay is reached;
   * `not-uploaded`: the author's device has not brought it yet), and hostile codes for what is not this file's; what was given before is right.
   *
   * @example
   * const { id } = await space.files.put(new TextEncoder().encode('Ship it.'), { name: 'plan.txt', type: 'text/plain' })
   * const file = await space.files.get(id)
   * console.log(file.name, new TextDecoder().decode(await file.bytes()))
   * for await (const piece of file.stream({ from: 5 })) console.log(piece.length) // 3
   */
  async get(id: string): Promise<OpenFile> {
    const bytes = idBytes(id)
    const record = await this.#record(bytes)
    const { key, name, type } = openFileContent(this.#space.env, this.#space.keyring, bytes, record)
    const stream = (range: ByteRange = {}): AsyncIterableIterator<Uint8Array> => this.#stream(bytes, record, key, range)
    return {
      id, name, type, stream,
      length: record.length,
      bytes: async () => {
        const parts: Uint8Array[] = []
        for await (const part of stream()) parts.push(part)
        return concatBytes(...parts)
      },
    }
  }

  /**
   * Delete a file: nobody opens it any more, and devices and relay drop its content as they learn of it. For who put it, and admins. Throws `unavailable` if
   * there is none, `rejected` (role) for others. Who has kept its key and content keeps reading, until `forget` and beyond.
   *
   * @example
   * const draft = await space.files.put(new Uint8Array(10))
   * await space.files.delete(draft.id)
   */
  async delete(id: string): Promise<void> {
    const bytes = idBytes(id)
    await this.#record(bytes)
    await this.#entries.delete(bytes)
  }

  /**
   * Give back the room that the content of a file takes on this device; it is fetched again as it is read. Only what the relay says to have goes, and of which it has just
   * shown three chunks: that it keeps them is its word. Throws `unavailable` if it can't be asked, or lacks some (facts.reason: `offline`, `only-here`).
   *
   * @example
   * const big = await space.files.put(new Uint8Array(10))
   * await space.files.settled()
   * if (space.connection === 'online') await space.files.release(big.id)
   */
  async release(id: string): Promise<void> {
    const bytes = idBytes(id)
    const file = await this.#record(bytes)
    const count = chunkCount(file.length)
    const holds = await this.#holds(bytes)
    const numbers = Array.from({ length: count }, (_, number) => number)
    if (this.#shelf.intent(bytes) !== undefined || !numbers.every(holds)) throw new SealError('unavailable', 'The relay has not got all of this file: it stays here.', { reason: 'only-here' })
    for (const number of sampled(count, this.#random(4 * SAMPLES))) {
      const { chunk, proof } = await this.#source(bytes, number)
      verifyChunk(this.#space.env.crypto, file, number, chunk, proof)
    }
    await this.#shelf.release(bytes)
  }

  /**
   * Every file, by id. In SQL: `SELECT * FROM sealdb_files`.
   *
   * @example
   * for (const { id, name, length, local } of await space.files.list()) console.log(id, name, length, local)
   */
  async list(): Promise<FileInfo[]> {
    const files = await this.#space.reach(() => this.#space.current.files())
    const whole = await this.#shelf.whole(files)
    return files.map((file) => toInfo(file, whole))
  }

  /**
   * Resolves when what was put here is in the log and its content at the relay, if one is connected: what is left then waits for the next connection. Throws `disconnected` if the
   * space is closed before.
   *
   * @example
   * await space.files.put(new Uint8Array(10))
   * await space.files.settled()
   */
  async settled(): Promise<void> {
    await whileOpen(this.#space, this.#entries.settled().then(() => this.#carried()))
  }

  async #record(id: Uint8Array): Promise<FileRecord> {
    const record = await this.#space.reach(() => readFile(this.#space.currentState, id))
    if (record === undefined) throw new SealError('unavailable', 'There is no such file in this space, or not any more.', { reason: 'no-file' })
    return record
  }

  async *#stream(id: Uint8Array, file: FileRecord, key: Uint8Array, { from = 0, to = file.length }: ByteRange): AsyncGenerator<Uint8Array> {
    if (!Number.isInteger(from) || !Number.isInteger(to) || from < 0 || from > to || to > file.length) {
      throw new SealError('bad-argument', `Expected a range within [0, ${file.length}), got [${from}, ${to}).`, { from, to, length: file.length })
    }
    if (from === to && file.length > 0) return
    const end = Math.min(chunkCount(file.length), Math.max(1, Math.ceil(to / FILE_CHUNK_LENGTH)))
    const coming: Promise<Uint8Array>[] = []
    let next = Math.floor(from / FILE_CHUNK_LENGTH)
    try {
      for (let number = next; number < end; number++) {
        while (next < end && coming.length < AHEAD) coming.push(this.#chunk(id, file, key, next++))
        const plaintext = await (coming.shift() as Promise<Uint8Array>)
        const start = number * FILE_CHUNK_LENGTH
        const part = plaintext.subarray(Math.max(0, from - start), Math.min(plaintext.length, to - start))
        if (part.length > 0) yield part
      }
    } finally {
      await Promise.allSettled(coming) // who reads has left, or learns of the first failure
    }
  }

  /** A chunk that was damaged here is fetched like one that is not here. */
  async #chunk(id: Uint8Array, file: FileRecord, key: Uint8Array, number: number): Promise<Uint8Array> {
    const { env } = this.#space
    const held = await this.#shelf.read(id, file, number)
    if (held !== undefined) {
      try {
        return openChunk(env, key, file, number, held)
      } catch (error) {
        if (!isSealError(error, 'open-failed')) throw error
      }
    }
    const { chunk, proof } = await this.#source(id, number)
    const verified = verifyChunk(env.crypto, file, number, chunk, proof)
    const plaintext = openChunk(env, key, file, number, verified)
    await this.#shelf.keep(id, number, verified)
    return plaintext
  }
}

/** The last chunk, and others by chance. */
function sampled(count: number, random: Uint8Array): ReadonlySet<number> {
  const view = new DataView(random.buffer, random.byteOffset)
  return new Set([count - 1, ...Array.from({ length: SAMPLES - 1 }, (_, i) => view.getUint32(4 * i) % count)])
}

function toInfo({ id, name, type, length, creator, version }: FileView, whole: ReadonlySet<string>): FileInfo {
  const hex = encodeHex(id)
  return { id: hex, name, type, length, author: creator, version, local: whole.has(hex) }
}

/** Throws `bad-argument`. */
export function idBytes(id: string): Uint8Array {
  expectText(id, 'the id of a file as text')
  if (!/^[0-9a-f]{64}$/.test(id)) throw new SealError('bad-argument', `Expected the id of a file, ${2 * FILE_ID_LENGTH} lower-case hex digits.`, { length: id.length })
  return decodeHex(id)
}

function checkText(text: string, what: string, max: number): void {
  expectText(text, `the ${what} of a file as text`)
  if (!text.isWellFormed()) throw new SealError('bad-argument', `Expected the ${what} of a file to be text, found an unpaired surrogate.`)
  const { length } = encodeUtf8(text)
  if (length > max) throw new SealError('bad-argument', `Expected a ${what} of at most ${max} bytes, got ${length}.`, { length, max })
}
