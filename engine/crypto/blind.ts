/**
 * Blinding: keyed tokens that stand for a value in the state tree, equal for equal values under one key (PROTOCOL.md §3.5). Row keys
 * and names use the blinding generation; blind index tokens are keyed by the epoch of the last write too. Who holds the blinding
 * secret can test guesses.
 */
import { Writer } from '../codec/canonical.js'
import { deriveSecret } from './kdf.js'
import { LABELS } from './labels.js'
import type { Derivation } from './provider.js'

/** Bytes of a token: 2⁻⁶⁴ chance that any two of 2³² values share one. */
export const BLIND_TOKEN_LENGTH = 16

/** What a token is for; each gives an independent key. */
export type BlindScope =
  | { readonly kind: 'row'; readonly table: number }
  | { readonly kind: 'index'; readonly table: number; readonly index: number; readonly epoch: number }
  | { readonly kind: 'name' }

/** `secret` is the blinding secret of one generation. Hold on to the result: one per table, or per index and epoch. */
export function deriveBlindKey(crypto: Derivation, secret: Uint8Array, space: Uint8Array, scope: BlindScope): Uint8Array {
  const context = new Writer().fixed(space, 32)
  switch (scope.kind) {
    case 'row':
      return deriveSecret(crypto, secret, LABELS.blindRow, context.varint(scope.table).finish())
    case 'index':
      return deriveSecret(crypto, secret, LABELS.blindIndex, context.varint(scope.table).varint(scope.index).varint(scope.epoch).finish())
    case 'name':
      return deriveSecret(crypto, secret, LABELS.blindName, context.finish())
  }
}

/** The 16-byte token of `value`, the canonical or tuple encoding of what is blinded. */
export function blindToken(crypto: Derivation, blindKey: Uint8Array, value: Uint8Array): Uint8Array {
  return crypto.hmacSha256(blindKey, value).slice(0, BLIND_TOKEN_LENGTH)
}
