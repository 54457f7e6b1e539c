/**
 * A file as the state holds it (PROTOCOL.md §8.7), and what everybody can say of one without a secret: its id, its chunks, and whether bytes are one of
 * them. The content lies beside the log; the record binds every byte of it, its order and its end.
 */
import { concatBytes } from '../codec/bytes.js'
import { Reader, Writer } from '../codec/canonical.js'
import { hashLabelled, LABELS } from '../crypto/labels.js'
import type { Sha256 } from '../crypto/provider.js'
import { SealError } from '../errors.js'
import { FILE_CHUNK_LENGTH, MAX_CHUNK_PROOF_HASHES, MAX_FILE_LENGTH, MAX_SEALED_CHUNK_LENGTH } from '../limits.js'
import { leafHash, type LogProof, verifyInclusion } from '../log/merkle.js'
import type { StateReader } from '../state/context.js'
import { FILE_ID_LENGTH, fileKey, filesPrefix, MAX_ID, prefixEnd } from '../state/keys.js'

/** What never changes of a file: all of it is in its id. */
export interface FileFacts {
  /** Bytes of plaintext. */
  readonly length: number
  /** RFC 9162 root over the sealed chunks. */
  readonly root: Uint8Array
  /** To the file's key, name and type: whoever seals those again can't give others. */
  readonly commitment: Uint8Array
}

export interface FileRecord extends FileFacts {
  /** Index of the entry that last wrote it. */
  readonly version: number
  /** Member that put it; member and device that sealed it last. */
  readonly creator: number
  readonly member: number
  readonly device: number
  /** Epoch of the sealed value. */
  readonly epoch: number
  readonly sealed: Uint8Array
}

const TAG_LENGTH = MAX_SEALED_CHUNK_LENGTH - FILE_CHUNK_LENGTH

export function encodeFile(file: FileRecord): Uint8Array {
  const w = new Writer(768).varint(file.version).varint(file.creator).varint(file.member).varint(file.device).varint(file.epoch)
  return w.varint(file.length).fixed(file.root, 32).fixed(file.commitment, 32).raw(file.sealed).finish()
}

/** Arrays are views into `bytes`. */
export function decodeFile(bytes: Uint8Array): FileRecord {
  const r = new Reader(bytes)
  const by = { version: r.varint(), creator: r.varint(MAX_ID), member: r.varint(MAX_ID), device: r.varint(MAX_ID), epoch: r.varint(MAX_ID) }
  return { ...by, length: r.varint(MAX_FILE_LENGTH), root: r.fixed(32), commitment: r.fixed(32), sealed: r.fixed(r.remaining) }
}

/** 32 bytes: H(label ‖ space ‖ commitment ‖ length ‖ root). Who has it knows which bytes, under which name, whoever may write. */
export function fileIdOf(crypto: Sha256, spaceId: Uint8Array, { length, root, commitment }: FileFacts): Uint8Array {
  return hashLabelled(crypto, LABELS.fileId, new Writer().fixed(spaceId, 32).fixed(commitment, 32).varint(length).fixed(root, 32).finish())
}

/** A file's record, if it is there. */
export function readFile(state: Pick<StateReader, 'get'>, id: Uint8Array): FileRecord | undefined {
  const bytes = state.get(fileKey(id))
  return bytes && decodeFile(bytes)
}

export interface StoredFile extends FileRecord {
  readonly id: Uint8Array
}

/** Every file of a state, by id; those after `after` alone, if it is an id. */
export function* storedFiles(state: Pick<StateReader, 'scan'>, after?: Uint8Array): IterableIterator<StoredFile> {
  const lo = after?.length === FILE_ID_LENGTH ? concatBytes(fileKey(after), Uint8Array.of(0)) : filesPrefix()
  for (const { key, value } of state.scan(lo, prefixEnd(filesPrefix()))) yield { id: key.slice(1, 1 + FILE_ID_LENGTH), ...decodeFile(value) }
}

/** How many chunks a file of that length has: an empty one has one, of nothing. */
export function chunkCount(length: number): number {
  return Math.max(1, Math.ceil(length / FILE_CHUNK_LENGTH))
}

/** Bytes of a sealed chunk. */
export function sealedChunkLength(length: number, number: number): number {
  return Math.min(FILE_CHUNK_LENGTH, length - number * FILE_CHUNK_LENGTH) + TAG_LENGTH
}

declare const verified: unique symbol
/** A sealed chunk of this very file, at this very place. */
export type VerifiedChunk = Uint8Array & { readonly [verified]: 'chunk' }

/** That `sealed` is chunk `number` of the file. Throws `bad-proof`. */
export function verifyChunk(crypto: Sha256, file: FileFacts, number: number, sealed: Uint8Array, proof: LogProof): VerifiedChunk {
  const size = chunkCount(file.length)
  const refused = (expected: string): SealError => new SealError('bad-proof', `Chunk of a file refused. Expected ${expected}.`, { number, chunks: size, length: sealed.length })
  if (!Number.isInteger(number) || number < 0 || number >= size) throw refused(`a number below ${size}`)
  if (sealed.length !== sealedChunkLength(file.length, number)) throw refused(`${sealedChunkLength(file.length, number)} bytes`)
  if (proof.length > MAX_CHUNK_PROOF_HASHES) throw refused('a shorter proof')
  verifyInclusion(crypto, { index: number, size, leaf: leafHash(crypto, sealed), proof, root: file.root })
  return sealed as VerifiedChunk
}
