/**
 * Checkpoints: C2SP tlog-checkpoint (c2sp.org/tlog-checkpoint). A note whose text is origin, size, root and extension lines.
 *
 * A space's checkpoint has one extension line, the root of its state (`formatStateLine`). `openCheckpoint` is the one place that
 * mints a VerifiedCheckpoint; parsing alone proves nothing. Cosignatures of witnesses are in cosignature.ts.
 */
import { decodeBase64, encodeBase64, encodeHex, equalBytes } from '../codec/bytes.js'
import { type Sha256, type Signatures, type Signer } from '../crypto/provider.js'
import { isSealError, SealError } from '../errors.js'
import { MAX_COUNT } from '../limits.js'
import { type CosignatureVerifier, timestampOf } from './cosignature.js'
import { EMPTY_LOG_ROOT, HASH_LENGTH } from './merkle.js'
import { formatNote, NOTE_ALGORITHM, noteKeyId, type NoteSigner, type NoteVerifier, parseNote, signNote, verifyNote } from './note.js'

export interface Checkpoint {
  /** Which log: one line, not empty. */
  readonly origin: string
  readonly size: number
  readonly root: Uint8Array
  /** Further lines, none empty. */
  readonly extensions: readonly string[]
}

/** A witness's statement: as of `timestamp` (seconds since 1970) this was the largest head of this log that it knew. */
export interface Cosignature {
  readonly name: string
  readonly keyId: Uint8Array
  readonly timestamp: bigint
}

declare const verified: unique symbol

/** A checkpoint of the expected log, signed by the log's key, with the cosignatures of known witnesses. */
export interface VerifiedCheckpoint extends Checkpoint {
  /** The note as received: evidence if it ever contradicts another. */
  readonly note: Uint8Array
  readonly cosignatures: readonly Cosignature[]
  readonly [verified]: 'checkpoint'
}

/** The origin line of a space's log. */
export function originOfSpace(spaceId: Uint8Array): string {
  if (spaceId.length !== HASH_LENGTH) throw new SealError('bad-value', 'Expected a space id of 32 bytes.', { found: spaceId.length })
  return `sealdb/v1/space/${encodeHex(spaceId)}`
}

/** The extension line that holds the state root. */
export function formatStateLine(stateRoot: Uint8Array): string {
  if (stateRoot.length !== HASH_LENGTH) throw new SealError('bad-value', 'Expected a state root of 32 bytes.', { found: stateRoot.length })
  return `${STATE_LINE}${encodeBase64(stateRoot)}`
}

/** The state root of a space's checkpoint, whose only extension line it is. Throws `bad-checkpoint`. */
export function parseStateLine(checkpoint: Checkpoint): Uint8Array {
  const [line, ...more] = checkpoint.extensions
  if (line === undefined || more.length > 0 || !line.startsWith(STATE_LINE)) throw bad('Expected one extension line, the state root')
  return parseHash(line.slice(STATE_LINE.length))
}

/** The note text. Throws `bad-value` for what could not be parsed back. */
export function formatCheckpoint(checkpoint: Checkpoint): string {
  const { origin, size, root, extensions } = checkpoint
  if (!Number.isInteger(size) || size < 0 || size > MAX_COUNT || root.length !== HASH_LENGTH) throw new SealError('bad-value', 'Expected a size and a root of 32 bytes.', { size })
  const lines = [origin, String(size), encodeBase64(root), ...extensions]
  if (lines.some((line) => line === '' || line.includes('\n'))) throw new SealError('bad-value', 'Expected lines that are not empty and hold no newline.')
  return lines.map((line) => `${line}\n`).join('')
}

/** Strict inverse of `formatCheckpoint`. Verifies nothing. Throws `bad-checkpoint`. */
export function parseCheckpoint(text: string): Checkpoint {
  const lines = text.split('\n')
  if (lines.pop() !== '' || lines.includes('')) throw bad('Expected lines that are not empty, each ending in a newline')
  const [origin, sizeText, rootText, ...extensions] = lines
  if (origin === undefined || sizeText === undefined || rootText === undefined) throw bad('Expected origin, size and root')
  if (!/^(0|[1-9][0-9]{0,14})$/.test(sizeText) || Number(sizeText) > MAX_COUNT) throw bad('Expected a decimal size below 2^48 without leading zeros')
  const size = Number(sizeText)
  const root = parseHash(rootText)
  if (size === 0 && !equalBytes(root, EMPTY_LOG_ROOT)) throw bad('Expected the root of the empty log at size 0')
  return { origin, size, root, extensions }
}

/** A signed checkpoint, as bytes. */
export function signCheckpoint(checkpoint: Checkpoint, signers: readonly NoteSigner[]): Uint8Array {
  return formatNote(signNote(formatCheckpoint(checkpoint), signers))
}

/** The same note with one more signature, behind those it has (which are kept, known or not). Throws like `parseNote`. */
export function cosignCheckpoint(note: Uint8Array, signer: NoteSigner): Uint8Array {
  const { text, signatures } = parseNote(note)
  parseCheckpoint(text)
  return formatNote(signNote(text, [signer], signatures))
}

/**
 * Open a checkpoint of the log `origin`: the log's own signature must be there and valid, and so must every signature of a witness in
 * `witnesses` that is there; signatures of other keys are ignored. Throws `too-large`, `bad-checkpoint`, `bad-signature`.
 */
export function openCheckpoint(
  note: Uint8Array,
  origin: string,
  log: NoteVerifier,
  witnesses: readonly CosignatureVerifier[] = [],
): VerifiedCheckpoint {
  const parsed = parseNote(note)
  const checkpoint = parseCheckpoint(parsed.text)
  // Before any signature: a note of another log is refused for being one.
  if (checkpoint.origin !== origin) throw bad('Expected a checkpoint of another log', { expected: origin })
  const { verifiedBy, signatures } = verifyNote(parsed, [log, ...witnesses])
  if (!verifiedBy.includes(log)) throw new SealError('bad-signature', `Expected a signature of ${log.name}, found only witnesses.`, { name: log.name })
  const cosignatures = signatures
    .filter((_, i) => verifiedBy[i] !== log)
    .map(({ name, keyId, signature }): Cosignature => ({ name, keyId, timestamp: timestampOf(signature) }))
  return { ...checkpoint, note: note.slice(), cosignatures } as unknown as VerifiedCheckpoint
}

/** The log's signer: Ed25519 over the note text (signature type 0x01). */
export function checkpointSigner(hash: Sha256, name: string, signer: Signer): NoteSigner {
  return { name, keyId: noteKeyId(hash, name, NOTE_ALGORITHM.ed25519, signer.publicKey), sign: (text) => signer.sign(text) }
}

/** What checks a relay's signature on checkpoints: `name` and its Ed25519 `publicKey`, as the space pins them. */
export function checkpointVerifier(crypto: Sha256 & Pick<Signatures, 'verifyEd25519'>, name: string, publicKey: Uint8Array): NoteVerifier {
  const keyId = noteKeyId(crypto, name, NOTE_ALGORITHM.ed25519, publicKey)
  return { name, keyId, verify: (text, signature) => crypto.verifyEd25519(signature, text, publicKey) }
}

const STATE_LINE = 'sealdb-state-v1 '

function parseHash(text: string): Uint8Array {
  // Before decoding, 44 digits; after it, 32 bytes: they could be 31 or 33.
  const bytes = text.length === 44 ? decodeStrictly(text) : undefined
  if (bytes?.length !== HASH_LENGTH) throw bad('Expected 32 bytes of base64')
  return bytes
}

function decodeStrictly(text: string): Uint8Array {
  try {
    return decodeBase64(text)
  } catch (cause) {
    if (!isSealError(cause)) throw cause
    throw bad('Expected canonical base64')
  }
}

function bad(message: string, facts: Readonly<Record<string, string>> = {}): SealError {
  return new SealError('bad-checkpoint', `Not a checkpoint. ${message}.`, facts)
}
