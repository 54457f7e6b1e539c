/**
 * What of files lies on this device: sealed chunks in the store, and under which name each file's are. A chunk that was fetched is kept until its file is gone from
 * the verified state. What was put here has an intent beside it until the log has it:
 *
 *     secret/file/<id>   put here and not known to have landed: where its chunks are, and what its entry is made of, should it have to be made again
 *     file/<id>          put here and landed: where its chunks are
 *
 * Without either, a file's chunks are under its id. The order of a put is chunks, intent, entry: what a crash leaves of it is swept up, or put into the log.
 */
import { decodeHex, encodeHex } from '../codec/bytes.js'
import { decodeCanonical, encodeCanonical } from '../codec/canonical.js'
import { SealError } from '../errors.js'
import { FILE_CONTENT_LENGTH, MAX_FILE_LENGTH } from '../limits.js'
import { leafHash, type LogProof } from '../log/merkle.js'
import { LogTree } from '../log/tree.js'
import type { ChunkStore } from '../store/chunks.js'
import type { Batch, Store } from '../store/store.js'
import { chunkCount, type FileFacts, sealedChunkLength, type VerifiedChunk } from './file-record.js'
import type { ApplyEnv } from '../state/context.js'

/** What is kept of a put until it has landed. */
export interface PutIntent {
  /** Where its chunks are. */
  readonly group: string
  readonly facts: FileFacts
  /** `FileSealer.content`. */
  readonly content: Uint8Array
}

/** A file that is here whole, to be given to a relay chunk by chunk, each with its proof. */
export interface Upload {
  readonly count: number
  chunk(number: number): Promise<{ readonly chunk: Uint8Array; readonly proof: LogProof }>
}

const INTENT = 'secret/file/'
const PLACE = 'file/'
const VERSION = 1

export class FileShelf {
  readonly #env: ApplyEnv
  readonly #store: Store
  /** Groups that are being filled. */
  readonly #filling = new Set<string>()

  constructor(env: ApplyEnv, store: Store) {
    this.#env = env
    this.#store = store
  }

  // ---- what is put here ------------------------------------------------------------------------------------------------------------

  /** Keep sealed chunks as they come, under `group`, a fresh name; durable when it resolves. If it throws, nothing is left. */
  async fill(group: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    this.#filling.add(group)
    try {
      let number = 0
      for await (const chunk of chunks) await this.#chunks.put(group, number++, chunk)
      await this.#chunks.sync()
    } catch (error) {
      this.#filling.delete(group)
      await this.#chunks.remove(group)
      throw error
    }
  }

  /** From here on it will be in the log, or its user is told. */
  async intend(id: Uint8Array, intent: PutIntent): Promise<void> {
    await this.#store.commit({ put: [[INTENT + encodeHex(id), encodeIntent(intent)]] })
    this.#filling.delete(intent.group)
  }

  intents(): readonly Uint8Array[] {
    return this.#store.names(INTENT).map((name) => decodeHex(name.slice(INTENT.length)))
  }

  intent(id: Uint8Array): PutIntent | undefined {
    const bytes = this.#store.get(INTENT + encodeHex(id))
    return bytes && decodeIntent(bytes)
  }

  /** The log has it. */
  async landed(id: Uint8Array): Promise<void> {
    const intent = this.intent(id)
    if (intent) await this.#commit([[INTENT + encodeHex(id), null], [PLACE + encodeHex(id), decodeHex(intent.group)]])
  }

  /** It can't be put into the log. */
  async giveUp(id: Uint8Array): Promise<void> {
    const intent = this.intent(id)
    if (!intent) return
    await this.#commit([[INTENT + encodeHex(id), null]])
    await this.#chunks.remove(intent.group)
  }

  // ---- what is held ----------------------------------------------------------------------------------------------------------------

  /** A sealed chunk as it lies here, or none; that it opens is for the caller to see. */
  async read(id: Uint8Array, file: FileFacts, number: number): Promise<Uint8Array | undefined> {
    const chunk = await this.#chunks.get(this.#groupOf(id), number)
    return chunk?.length === sealedChunkLength(file.length, number) ? chunk : undefined
  }

  /** Keep a chunk that was fetched: if it gets lost it is fetched again, so nobody waits for the disk. */
  keep(id: Uint8Array, number: number, chunk: VerifiedChunk): Promise<void> {
    return this.#chunks.put(this.#groupOf(id), number, chunk)
  }

  /** Let go of what is here of a file that others have. */
  async release(id: Uint8Array): Promise<void> {
    await this.#chunks.remove(this.#groupOf(id))
    await this.#chunks.sync()
  }

  /** Of which files all chunks are here. */
  async whole(files: Iterable<{ readonly id: Uint8Array; readonly length: number }>): Promise<ReadonlySet<string>> {
    const held = await this.#chunks.groups()
    const whole = new Set<string>()
    for (const { id, length } of files) if (held.get(this.#groupOf(id)) === chunkCount(length)) whole.add(encodeHex(id))
    return whole
  }

  /** Undefined if not all of it is here as it was sealed. */
  async upload(id: Uint8Array, file: FileFacts): Promise<Upload | undefined> {
    const count = chunkCount(file.length)
    if (!(await this.whole([{ id, length: file.length }])).has(encodeHex(id))) return undefined
    const tree = new LogTree(this.#env.crypto)
    for (let number = 0; number < count; number++) {
      const chunk = await this.read(id, file, number)
      if (chunk === undefined) return undefined
      tree.append(leafHash(this.#env.crypto, chunk))
    }
    if (encodeHex(tree.root()) !== encodeHex(file.root)) return undefined
    return {
      count,
      chunk: async (number) => {
        const chunk = await this.read(id, file, number)
        if (chunk === undefined) throw new SealError('unavailable', 'A chunk of this file is not here any more.', { reason: 'gone', number })
        return { chunk, proof: tree.inclusionProof(number) }
      },
    }
  }

  /** Remove the chunks of files that are gone. `has`: still in a state that counts. */
  async sweep(has: (id: Uint8Array) => Promise<boolean>): Promise<void> {
    const gone: Uint8Array[] = []
    const kept = new Set<string>()
    const groups = await this.#chunks.groups()
    for (const name of this.#store.names(PLACE)) {
      const id = decodeHex(name.slice(PLACE.length))
      if (await has(id)) kept.add(this.#groupOf(id))
      else gone.push(id)
    }
    for (const group of groups.keys()) {
      if (kept.has(group) || (group.length === 64 && (await has(decodeHex(group))))) continue
      // Being put now, or put and on its way: looked at last, with nothing in between.
      if (this.#filling.has(group) || this.intents().some((id) => this.#groupOf(id) === group)) continue
      if (this.#store.names(PLACE).some((name) => !gone.some((id) => PLACE + encodeHex(id) === name) && encodeHex(this.#store.get(name) as Uint8Array) === group)) continue
      await this.#chunks.remove(group)
    }
    if (gone.length > 0) await this.#commit(gone.map((id) => [PLACE + encodeHex(id), null]))
    await this.#chunks.sync()
  }

  get #chunks(): ChunkStore {
    return this.#store.chunks
  }

  #groupOf(id: Uint8Array): string {
    const name = encodeHex(id)
    const place = this.#store.get(PLACE + name)
    return place ? encodeHex(place) : (this.intent(id)?.group ?? name)
  }

  #commit(put: NonNullable<Batch['put']>): Promise<void> {
    return this.#store.commit({ put })
  }
}

function encodeIntent({ group, facts, content }: PutIntent): Uint8Array {
  return encodeCanonical(facts, (w, { length, root, commitment }) => {
    w.u8(VERSION).bytes(decodeHex(group)).varint(length).fixed(root, 32).fixed(commitment, 32).fixed(content, FILE_CONTENT_LENGTH)
  })
}

function decodeIntent(bytes: Uint8Array): PutIntent {
  return decodeCanonical(bytes, (r) => {
    const version = r.u8()
    if (version !== VERSION) throw new SealError('unsupported-version', `Expected a stored file of version ${VERSION}.`, { version })
    const group = encodeHex(r.bytes(32))
    return { group, facts: { length: r.varint(MAX_FILE_LENGTH), root: r.fixed(32).slice(), commitment: r.fixed(32).slice() }, content: r.fixed(FILE_CONTENT_LENGTH).slice() }
  })
}
