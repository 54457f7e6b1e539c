/** A file as it is sealed: bytes go in as they come, sealed chunks come out, one at a time is held. Afterwards it knows what the state must say of the file. */
import { SealError } from '../errors.js'
import { FILE_CHUNK_LENGTH, MAX_FILE_LENGTH } from '../limits.js'
import { leafHash } from '../log/merkle.js'
import { LogTree } from '../log/tree.js'
import type { ApplyEnv } from '../state/context.js'
import type { FileFacts } from './file-record.js'
import { commitFileContent, encodeFileContent, type FileContent, sealChunk } from './seal-file.js'

export class FileSealer {
  /** What the state holds sealed: kept by who may have to put the file again. */
  readonly content: Uint8Array
  readonly #env: ApplyEnv
  readonly #key: Uint8Array
  readonly #commitment: Uint8Array
  readonly #tree: LogTree
  readonly #chunk = new Uint8Array(FILE_CHUNK_LENGTH)
  #filled = 0
  #length = 0

  /** `content.key`: fresh for this file. Throws `too-large` for a name or type that is too long, `bad-value` for one that is no text. */
  constructor(env: ApplyEnv, content: FileContent) {
    this.content = encodeFileContent(content)
    this.#env = env
    this.#key = content.key
    this.#commitment = commitFileContent(env, this.content)
    this.#tree = new LogTree(env.crypto)
  }

  /** Bytes that are in sealed chunks. */
  get written(): number {
    return Math.min(this.#length, this.#tree.size * FILE_CHUNK_LENGTH)
  }

  /** Sealed chunks that are full now. A full one is held back until more comes: the last is sealed as the last. Throws `bad-argument` beyond the longest file. */
  *write(bytes: Uint8Array): IterableIterator<Uint8Array> {
    if (this.#length + bytes.length > MAX_FILE_LENGTH) throw new SealError('bad-argument', `Expected a file of at most ${MAX_FILE_LENGTH} bytes.`, { max: MAX_FILE_LENGTH })
    this.#length += bytes.length
    for (let at = 0; at < bytes.length; ) {
      if (this.#filled === FILE_CHUNK_LENGTH) yield this.#seal(false)
      const part = bytes.subarray(at, at + FILE_CHUNK_LENGTH - this.#filled)
      this.#chunk.set(part, this.#filled)
      this.#filled += part.length
      at += part.length
    }
  }

  /** The last chunk. Nothing can be written after it. */
  end(): { readonly chunk: Uint8Array; readonly facts: FileFacts } {
    const chunk = this.#seal(true)
    return { chunk, facts: { length: this.#length, root: this.#tree.root(), commitment: this.#commitment } }
  }

  #seal(last: boolean): Uint8Array {
    const { crypto } = this.#env
    const sealed = sealChunk(this.#env, this.#key, this.#commitment, this.#tree.size, last, this.#chunk.subarray(0, this.#filled))
    this.#tree.append(leafHash(crypto, sealed))
    this.#chunk.fill(0)
    this.#filled = 0
    return sealed
  }
}
