/** Derivation of secrets: HKDF-SHA-256 (RFC 5869) with an empty salt and `info = label ‖ 0x00 ‖ context` (PROTOCOL.md §3.3). */
import { Writer } from '../codec/canonical.js'
import { EMPTY_BYTES } from '../codec/bytes.js'
import { SealError } from '../errors.js'
import { type Label, labelled, LABELS } from './labels.js'
import type { Derivation } from './provider.js'

export const SECRET_LENGTH = 32

/** A secret for one purpose and context. The context is canonical bytes; `length` is in bytes. */
export function deriveSecret(crypto: Derivation, secret: Uint8Array, label: Label, context: Uint8Array = EMPTY_BYTES, length: number = SECRET_LENGTH): Uint8Array {
  if (secret.length < SECRET_LENGTH) throw new SealError('bad-argument', 'Expected a secret of 32 bytes or more to derive from.', { length: secret.length })
  return crypto.hkdfSha256(secret, EMPTY_BYTES, labelled(label, context), length)
}

/** What follows from an epoch's S. */
export interface EpochSecrets {
  /** D: the root of table keys and of whatever else is sealed under the epoch. */
  readonly data: Uint8Array
  /** L: opens the history link, which carries D and L of the epoch before. */
  readonly link: Uint8Array
}

/** `secret` is S, as `openDelivery` and `openGrant` give it. */
export function deriveEpochSecrets(crypto: Derivation, secret: Uint8Array, space: Uint8Array, epoch: number): EpochSecrets {
  const context = new Writer().fixed(space, 32).varint(epoch).finish()
  return { data: deriveSecret(crypto, secret, LABELS.epochData, context), link: deriveSecret(crypto, secret, LABELS.epochLink, context) }
}

/** The data key of one table in one epoch, from that epoch's D. Hold on to it: deriving costs as much as sealing a row. */
export function deriveTableKey(crypto: Derivation, data: Uint8Array, table: number): Uint8Array {
  return deriveSecret(crypto, data, LABELS.tableData, new Writer().varint(table).finish())
}
