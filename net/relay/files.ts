/**
 * Files in the relay: chunks of what its state names, each with the proof that it is one. It takes nothing else, whoever brings it, gives back what it took, and
 * drops what the state no longer names. It learns of each file its length, and when which device fetches it; no name, no type, no byte of content.
 */
import { decodeHex, encodeHex } from '../../engine/codec/bytes.js'
import { Reader, Writer } from '../../engine/codec/canonical.js'
import { isSealError } from '../../engine/errors.js'
import { MAX_SEALED_CHUNK_LENGTH, MAX_WANTED_FILES } from '../../engine/limits.js'
import { type LogProof, readLogProof, writeLogProof } from '../../engine/log/merkle.js'
import { chunkCount } from '../../engine/space/file-record.js'
import type { ChunkStore } from '../../engine/store/chunks.js'
import type { Ledger } from './ledger.js'

/** Why a chunk is not taken, or not given. */
export type FileRefusal = 'no-file' | 'no-chunk' | 'bad-chunk' | 'quota'

export interface Piece {
  readonly chunk: Uint8Array
  readonly proof: LogProof
}

export class RoomFiles {
  readonly #ledger: Ledger
  readonly #chunks: ChunkStore
  /** Most bytes of chunks of this space. */
  readonly #quota: number
  /** Chunks that this process knows of, for the quota. Others may have stored more: it is theirs to count, too. */
  #held: Promise<{ count: number; readonly files: Map<string, Promise<Set<number>>> }> | undefined
  /** Chunks that were found to be damaged: wanted again. */
  readonly #damaged = new Map<string, Set<number>>()
  #syncing: Promise<void> | undefined
  #next: Promise<void> | undefined
  #sweeping: Promise<void> = Promise.resolve()
  #swept = false
  #closed = false

  constructor(ledger: Ledger, chunks: ChunkStore, quota: number) {
    this.#ledger = ledger
    this.#chunks = chunks
    this.#quota = quota
  }

  /** Resolves when the chunk is durable. */
  async put(id: Uint8Array, number: number, { chunk, proof }: Piece): Promise<'taken' | FileRefusal> {
    if (this.#ledger.file(id) === undefined) return 'no-file'
    if (!this.#ledger.isChunk(id, number, chunk, proof)) return 'bad-chunk'
    const held = await this.#readHeld()
    const name = encodeHex(id)
    const reading = held.files.get(name) ?? this.#chunks.numbers(name).then((found) => new Set(found))
    held.files.set(name, reading)
    const numbers = await reading.catch((error: unknown) => {
      held.files.delete(name)
      throw error
    })
    if (!numbers.has(number)) {
      if ((held.count + 1) * MAX_SEALED_CHUNK_LENGTH > this.#quota) return 'quota'
      held.count++
      numbers.add(number)
    }
    try {
      await this.#chunks.put(name, number, encodePiece({ chunk, proof }))
      await this.#sync()
      if (this.#damaged.get(name)?.delete(number) === true && this.#damaged.get(name)?.size === 0) this.#damaged.delete(name)
    } catch (error) {
      if (numbers.delete(number)) held.count--
      throw error
    }
    if (this.#ledger.file(id) !== undefined) return 'taken'
    await this.#drop(name) // deleted meanwhile
    return 'no-file'
  }

  /** A chunk as it was taken. One that the disk has damaged counts as none: whoever has it may bring it again. */
  async get(id: Uint8Array, number: number): Promise<Piece | 'no-file' | 'no-chunk'> {
    if (this.#ledger.file(id) === undefined) return 'no-file'
    const bytes = await this.#chunks.get(encodeHex(id), number)
    const piece = bytes && decodePiece(bytes)
    if (piece && this.#ledger.isChunk(id, number, piece.chunk, piece.proof)) return piece
    if (bytes) this.#damaged.set(encodeHex(id), (this.#damaged.get(encodeHex(id)) ?? new Set()).add(number))
    return 'no-chunk'
  }

  /** One bit for each chunk of the file, lowest first, set if it is here and whole. Empty: no such file. */
  async bitmap(id: Uint8Array): Promise<Uint8Array> {
    const file = this.#ledger.file(id)
    if (file === undefined) return new Uint8Array(0)
    const bits = new Uint8Array(Math.ceil(chunkCount(file.length) / 8))
    const damaged = this.#damaged.get(encodeHex(id))
    for (const number of await this.#chunks.numbers(encodeHex(id))) if (number < 8 * bits.length && damaged?.has(number) !== true) bits[number >> 3] = (bits[number >> 3] as number) | (1 << (number & 7))
    return bits
  }

  /** Ids of files of which chunks are missing, from after `after` on, in the order of ids. */
  async wanted(after: Uint8Array): Promise<readonly Uint8Array[]> {
    const held = await this.#chunks.groups()
    const wanted: Uint8Array[] = []
    for (const { id, length } of this.#ledger.files(after)) {
      const name = encodeHex(id)
      if ((held.get(name) ?? 0) - (this.#damaged.get(name)?.size ?? 0) < chunkCount(length)) wanted.push(id)
      if (wanted.length === MAX_WANTED_FILES) break
    }
    return wanted
  }

  /** The log went on: what it deleted goes. Once in a life, what was left by a process that died before it did. */
  followed(): void {
    const deleted = this.#ledger.takeDeletedFiles()
    if (deleted.length === 0 && this.#swept) return
    const first = !this.#swept
    this.#swept = true
    this.#sweeping = this.#sweeping.then(async () => {
      if (this.#closed) return
      for (const id of deleted) if (this.#ledger.file(id) === undefined) await this.#drop(encodeHex(id))
      if (first) for (const name of (await this.#chunks.groups()).keys()) if (!this.#isNamed(name)) await this.#drop(name)
    }).catch(() => { this.#swept = false }) // the disk failed: the next entry looks again, at everything
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#sweeping
    await this.#next
    await this.#syncing
  }

  #isNamed(name: string): boolean {
    return name.length === 64 && this.#ledger.file(decodeHex(name)) !== undefined
  }

  async #drop(name: string): Promise<void> {
    const held = await this.#readHeld()
    held.count -= (await held.files.get(name))?.size ?? (await this.#chunks.numbers(name)).length
    held.files.delete(name)
    this.#damaged.delete(name)
    await this.#chunks.remove(name)
  }

  #readHeld(): Promise<{ count: number; readonly files: Map<string, Promise<Set<number>>> }> {
    return (this.#held ??= this.#chunks.groups().then((groups) => ({ count: [...groups.values()].reduce((sum, n) => sum + n, 0), files: new Map<string, Promise<Set<number>>>() })).catch((error: unknown) => {
      this.#held = undefined
      throw error
    }))
  }

  /** One sync at a time, and one for all that came while it ran. */
  #sync(): Promise<void> {
    const run = (): Promise<void> => {
      this.#next = undefined
      const syncing = this.#chunks.sync().finally(() => { if (this.#syncing === syncing) this.#syncing = undefined })
      return (this.#syncing = syncing)
    }
    if (this.#syncing === undefined) return run()
    return (this.#next ??= this.#syncing.catch(() => undefined).then(run)) // whoever waits for that one has its error
  }
}

function encodePiece({ chunk, proof }: Piece): Uint8Array {
  const w = new Writer(chunk.length + 512)
  writeLogProof(w, proof)
  return w.raw(chunk).finish()
}

function decodePiece(bytes: Uint8Array): Piece | undefined {
  try {
    const r = new Reader(bytes)
    const proof = readLogProof(r)
    return { proof, chunk: r.fixed(r.remaining) }
  } catch (error) {
    if (isSealError(error)) return undefined // damaged
    throw error
  }
}
