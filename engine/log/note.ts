/**
 * Signed notes: C2SP signed-note (c2sp.org/signed-note). Text, a blank line, signature lines "— name base64(key id ‖ signature)".
 *
 * Knows no algorithm: signers and verifiers come in through the two ports below. What a note says is for checkpoint.ts.
 */
import { concatBytes, decodeBase64, decodeUtf8, encodeBase64, encodeHex, encodeUtf8, decodeHex } from '../codec/bytes.js'
import { type Sha256 } from '../crypto/provider.js'
import { isSealError, SealError } from '../errors.js'
import { MAX_NOTE_LENGTH, MAX_NOTE_SIGNATURES } from '../limits.js'

/** Signature type bytes of the specification that this engine speaks. */
export const NOTE_ALGORITHM = { ed25519: 0x01, cosignature: 0x04 } as const
const KEY_ID_LENGTH = 4
const ED25519_PUBLIC_KEY_LENGTH = 32

/** A key and how to sign with it. `keyId` has 4 bytes. */
export interface NoteSigner {
  readonly name: string
  readonly keyId: Uint8Array
  /** What follows the key id in a signature line, for this text. */
  sign(text: Uint8Array): Uint8Array
}

/** A key and how to check it. Name and key id together say which signatures are its. */
export interface NoteVerifier {
  readonly name: string
  readonly keyId: Uint8Array
  verify(text: Uint8Array, signature: Uint8Array): boolean
}

export interface NoteSignature {
  readonly name: string
  readonly keyId: Uint8Array
  readonly signature: Uint8Array
}

/** A well-formed note; nothing in it is verified. `text` ends in a newline. */
export interface Note {
  readonly text: string
  readonly signatures: readonly NoteSignature[]
}

declare const verified: unique symbol

/** A note that carries a valid signature of every verifier in `verifiedBy`, at least one; `signatures` holds just those, one each, in order. */
export interface VerifiedNote extends Note {
  readonly verifiedBy: readonly NoteVerifier[]
  readonly [verified]: 'note'
}

/** The note as bytes. Throws `bad-value` if it could not be parsed back. */
export function formatNote(note: Note): Uint8Array {
  checkText(note.text, 'bad-value')
  if (note.signatures.length === 0) throw new SealError('bad-value', 'Expected at least one signature.')
  if (note.signatures.length > MAX_NOTE_SIGNATURES) throw new SealError('too-large', 'Expected fewer signatures.', { found: note.signatures.length })
  let out = `${note.text}\n`
  for (const { name, keyId, signature } of note.signatures) {
    checkName(name, 'bad-value')
    if (keyId.length !== KEY_ID_LENGTH || signature.length === 0) throw new SealError('bad-value', 'Expected a key id of 4 bytes and a signature.')
    out += `${DASH}${name} ${encodeBase64(concatBytes(keyId, signature))}\n`
  }
  const bytes = encodeUtf8(out)
  if (bytes.length > MAX_NOTE_LENGTH) throw new SealError('too-large', `Expected a note of at most ${MAX_NOTE_LENGTH} bytes.`, { found: bytes.length })
  return bytes
}

/** Strict: canonical base64, no control characters, no empty names. Throws `too-large`, `bad-checkpoint`. */
export function parseNote(bytes: Uint8Array): Note {
  if (bytes.length > MAX_NOTE_LENGTH) {
    throw new SealError('too-large', `Expected a note of at most ${MAX_NOTE_LENGTH} bytes, got ${bytes.length}.`, { found: bytes.length, max: MAX_NOTE_LENGTH })
  }
  const whole = strictly('UTF-8', () => decodeUtf8(bytes))
  // The last empty line separates: the text may hold empty lines itself.
  const separator = whole.lastIndexOf('\n\n')
  if (separator < 0) throw malformed('Expected an empty line before the signatures')
  const text = whole.slice(0, separator + 1)
  checkText(text, 'bad-checkpoint')
  const lines = whole.slice(separator + 2).split('\n')
  if (lines.pop() !== '' || lines.length === 0) throw malformed('Expected signature lines, each ending in a newline')
  if (lines.length > MAX_NOTE_SIGNATURES) throw new SealError('too-large', `Expected at most ${MAX_NOTE_SIGNATURES} signatures.`, { found: lines.length })
  return { text, signatures: lines.map(parseSignatureLine) }
}

/** Text and signatures of these signers, with `others` (of the same text) before them. */
export function signNote(text: string, signers: readonly NoteSigner[], others: readonly NoteSignature[] = []): Note {
  checkText(text, 'bad-value')
  const message = encodeUtf8(text)
  return { text, signatures: [...others, ...signers.map((s) => ({ name: s.name, keyId: s.keyId, signature: s.sign(message) }))] }
}

/**
 * Check a note against the keys that are known. Signatures of other keys are ignored, as the specification demands; a wrong signature of a
 * known key refuses the note, and so does the absence of any (`bad-signature`). A second signature of one key is ignored, unlooked at.
 */
export function verifyNote(note: Note, known: readonly NoteVerifier[]): VerifiedNote {
  const message = encodeUtf8(note.text)
  const verifiedBy: NoteVerifier[] = []
  const signatures: NoteSignature[] = []
  for (const signature of note.signatures) {
    const verifier = known.find((candidate) => sameKey(candidate, signature))
    if (verifier === undefined || verifiedBy.includes(verifier)) continue
    if (!verifier.verify(message, signature.signature)) {
      throw new SealError('bad-signature', `Expected a valid signature of ${verifier.name} on the note.`, { name: verifier.name, keyId: encodeHex(verifier.keyId) })
    }
    verifiedBy.push(verifier)
    signatures.push(signature)
  }
  if (verifiedBy.length === 0) throw new SealError('bad-signature', 'Expected a signature of a known key on the note, found none.', { signatures: note.signatures.length })
  return { text: note.text, signatures, verifiedBy } as unknown as VerifiedNote
}

/** SHA-256(name ‖ 0x0a ‖ algorithm ‖ public key)[:4]. Throws `bad-value` for a name no note can carry. */
export function noteKeyId(hash: Sha256, name: string, algorithm: number, publicKey: Uint8Array): Uint8Array {
  checkName(name, 'bad-value')
  return hash.sha256(concatBytes(encodeUtf8(name), Uint8Array.of(0x0a, algorithm), publicKey)).slice(0, KEY_ID_LENGTH)
}

/** "name+key id+base64(algorithm ‖ public key)": how witnesses and logs publish their keys. */
export function formatVerifierKey(hash: Sha256, name: string, algorithm: number, publicKey: Uint8Array): string {
  return `${name}+${encodeHex(noteKeyId(hash, name, algorithm, publicKey))}+${encodeBase64(concatBytes(Uint8Array.of(algorithm), publicKey))}`
}

/** The parts of a verifier key of an algorithm we speak, its key id recomputed. Throws `bad-encoding`. */
export function parseVerifierKey(hash: Sha256, text: string): { readonly name: string; readonly algorithm: number; readonly publicKey: Uint8Array } {
  if (text.length > MAX_NOTE_LENGTH) throw new SealError('too-large', 'Expected a verifier key.', { found: text.length })
  const first = text.indexOf('+')
  const second = text.indexOf('+', first + 1)
  const name = text.slice(0, first)
  if (first < 0 || second < 0 || !isName(name)) throw badVerifierKey('Expected name+key id+key')
  const keyId = text.slice(first + 1, second)
  if (!/^[0-9a-f]{8}$/.test(keyId)) throw badVerifierKey('Expected a key id of 8 lower-case hexadecimal digits')
  const key = decodeBase64(text.slice(second + 1))
  const algorithm = key[0]
  if ((algorithm !== NOTE_ALGORITHM.ed25519 && algorithm !== NOTE_ALGORITHM.cosignature) || key.length !== 1 + ED25519_PUBLIC_KEY_LENGTH) {
    throw badVerifierKey('Expected an Ed25519 or cosignature/v1 key')
  }
  const publicKey = key.slice(1)
  if (encodeHex(noteKeyId(hash, name, algorithm, publicKey)) !== encodeHex(decodeHex(keyId))) throw badVerifierKey('Expected the key id to be that of the key')
  return { name, algorithm, publicKey }
}

const DASH = '\u2014 '

function parseSignatureLine(line: string): NoteSignature {
  const space = line.indexOf(' ', DASH.length)
  if (!line.startsWith(DASH) || space < 0) throw malformed('Expected a signature line: em dash, name, base64')
  const name = line.slice(DASH.length, space)
  checkName(name, 'bad-checkpoint')
  const bytes = strictly('base64', () => decodeBase64(line.slice(space + 1)))
  if (bytes.length <= KEY_ID_LENGTH) throw malformed('Expected a key id and a signature')
  return { name, keyId: bytes.slice(0, KEY_ID_LENGTH), signature: bytes.slice(KEY_ID_LENGTH) }
}

function sameKey(a: { readonly name: string; readonly keyId: Uint8Array }, b: { readonly name: string; readonly keyId: Uint8Array }): boolean {
  return a.name === b.name && encodeHex(a.keyId) === encodeHex(b.keyId)
}

/** Non-empty, without Unicode spaces, plus signs and control characters. */
function isName(name: string): boolean {
  return name !== '' && name.isWellFormed() && !/[\p{White_Space}+\u0000-\u001f]/u.test(name)
}

function checkName(name: string, code: 'bad-value' | 'bad-checkpoint'): void {
  if (!isName(name)) throw new SealError(code, 'Expected a key name without spaces, plus signs and control characters.')
}

function checkText(text: string, code: 'bad-value' | 'bad-checkpoint'): void {
  if (!text.endsWith('\n') || !text.isWellFormed() || /[\u0000-\u0009\u000b-\u001f]/.test(text)) {
    throw new SealError(code, 'Expected note text that ends in a newline and holds no other control character.')
  }
}

function strictly<T>(what: string, run: () => T): T {
  try {
    return run()
  } catch (cause) {
    if (!isSealError(cause)) throw cause
    throw malformed(`Expected valid ${what}`, cause)
  }
}

function malformed(message: string, cause?: unknown): SealError {
  return new SealError('bad-checkpoint', `Malformed note. ${message}.`, {}, cause === undefined ? undefined : { cause })
}

function badVerifierKey(message: string): SealError {
  return new SealError('bad-encoding', `Malformed verifier key. ${message}.`)
}
