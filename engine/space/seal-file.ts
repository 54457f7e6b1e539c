/**
 * Sealing and opening files (PROTOCOL.md §8.7): a fresh key for each, under which its chunks are sealed, and that key, the name and the type in a sealed value
 * of the state. The holders' side of `file-record.ts`.
 */
import { equalBytes } from '../codec/bytes.js'
import { Reader, Writer } from '../codec/canonical.js'
import { encodeSealContext, openValue, sealValue } from '../crypto/aead.js'
import { hashLabelled, labelPrefix, LABELS } from '../crypto/labels.js'
import { isSealError, SealError } from '../errors.js'
import { FILE_CONTENT_LENGTH, MAX_FILE_NAME_LENGTH, MAX_FILE_TYPE_LENGTH } from '../limits.js'
import type { ApplyEnv } from '../state/context.js'
import { fileKey } from '../state/keys.js'
import { chunkCount, type FileFacts, type FileRecord, type StoredFile } from './file-record.js'
import type { Secrets } from './seal-row.js'
import type { FileView } from './types.js'

/** What is sealed of a file in the state. */
export interface FileContent {
  /** 32 random bytes, used for this file's chunks and nothing else. */
  readonly key: Uint8Array
  readonly name: string
  readonly type: string
}

/** Keys of files, like those of names and catalog, are derived for table 0. */
const NO_TABLE = 0

/** Throws `too-large` for a name or type over its limit, `bad-value` for text that is none. */
export function encodeFileContent({ key, name, type }: FileContent): Uint8Array {
  const w = new Writer(FILE_CONTENT_LENGTH).fixed(key, 32).text(name, MAX_FILE_NAME_LENGTH).text(type, MAX_FILE_TYPE_LENGTH)
  return w.raw(new Uint8Array(FILE_CONTENT_LENGTH - w.length)).finish()
}

/** Throws `bad-encoding`, `too-large`. */
export function decodeFileContent(bytes: Uint8Array): FileContent {
  const r = new Reader(bytes)
  const content = { key: r.fixed(32).slice(), name: r.text(MAX_FILE_NAME_LENGTH), type: r.text(MAX_FILE_TYPE_LENGTH) }
  if (bytes.length !== FILE_CONTENT_LENGTH || r.fixed(r.remaining).some((byte) => byte !== 0)) throw r.bad('Expected zeros to the end')
  return content
}

/** H(label ‖ content): there is a random key in it, so it tells nothing. */
export function commitFileContent({ crypto }: ApplyEnv, content: Uint8Array): Uint8Array {
  return hashLabelled(crypto, LABELS.fileContent, content)
}

/** `nonce`: 24 random bytes. Throws `no-secret`. */
export function sealFileContent(env: ApplyEnv, secrets: Pick<Secrets, 'tableKey'>, id: Uint8Array, epoch: number, device: number, nonce: Uint8Array, content: Uint8Array): Uint8Array {
  return sealValue(env.crypto, secrets.tableKey(epoch, NO_TABLE), epoch, nonce, boxContext(env, id, epoch, device), content)
}

/**
 * The content of a file's sealed value. Throws `open-failed` if it does not open, or to something else than was committed to when the file was put; `no-secret`.
 */
export function openFileContent(env: ApplyEnv, secrets: Pick<Secrets, 'tableKey'>, id: Uint8Array, file: FileRecord): FileContent {
  const bytes = openValue(env.crypto, secrets.tableKey(file.epoch, NO_TABLE), file.epoch, boxContext(env, id, file.epoch, file.device), file.sealed)
  if (!equalBytes(commitFileContent(env, bytes), file.commitment)) {
    throw new SealError('open-failed', 'The sealed key of a file is not the one that the file was put with.', { reason: 'content', device: file.device })
  }
  return decodeFileContent(bytes)
}

/** What a member sees of a file without its content. */
export function viewFile(env: ApplyEnv, secrets: Pick<Secrets, 'tableKey'>, file: StoredFile): FileView {
  const { id, length, creator, version } = file
  try {
    const { name, type } = openFileContent(env, secrets, id, file)
    return { id, name, type, length, creator, version }
  } catch (error) {
    // Not for this device, or its author sealed it wrongly: who that was the state says.
    if (isSealError(error) && (error.family === 'hostile' || error.code === 'no-secret')) return { id, name: undefined, type: undefined, length, creator, version }
    throw error
  }
}

/** Sealed, once: no other plaintext may ever take this place under this key. */
export function sealChunk(env: ApplyEnv, key: Uint8Array, commitment: Uint8Array, number: number, last: boolean, plaintext: Uint8Array): Uint8Array {
  return env.crypto.xchachaSeal(key, chunkNonce(number), chunkContext(env, commitment, number, last), plaintext)
}

/** Throws `open-failed`. */
export function openChunk(env: ApplyEnv, key: Uint8Array, file: FileFacts, number: number, sealed: Uint8Array): Uint8Array {
  return env.crypto.xchachaOpen(key, chunkNonce(number), chunkContext(env, file.commitment, number, number === chunkCount(file.length) - 1), sealed)
}

/** The file's key is used for nothing else, and once for each number. */
function chunkNonce(number: number): Uint8Array {
  const nonce = new Uint8Array(24)
  new DataView(nonce.buffer).setUint32(20, number)
  return nonce
}

function chunkContext({ spaceId }: ApplyEnv, commitment: Uint8Array, number: number, last: boolean): Uint8Array {
  return new Writer(128).raw(labelPrefix(LABELS.fileChunk)).fixed(spaceId, 32).fixed(commitment, 32).varint(number).bool(last).finish()
}

function boxContext({ spaceId }: ApplyEnv, id: Uint8Array, epoch: number, device: number): Uint8Array {
  return encodeSealContext({ label: LABELS.sealedFile, space: spaceId, table: NO_TABLE, key: fileKey(id), epoch, device, columns: [] })
}
