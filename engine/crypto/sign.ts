/** Domain-separated Ed25519: what is signed is `label ‖ 0x00 ‖ bytes`, and which public keys may ever sign (PROTOCOL.md §3.2). */
import { SealError } from '../errors.js'
import { canonicalY, PUBLIC_KEY_LENGTH, smallOrder } from './ed25519-rule.js'
import { type Label, labelled } from './labels.js'
import { isEdwardsPoint } from './noble-core.js'
import type { Signatures, Signer } from './provider.js'

declare const admitted: unique symbol
/** An Ed25519 public key that may be admitted: canonical, on the curve, not of small order. */
export type SigningKey = Uint8Array & { readonly [admitted]: true }

/** 64 bytes. */
export function signBytes(signer: Signer, label: Label, bytes: Uint8Array): Uint8Array {
  return signer.sign(labelled(label, bytes))
}

/** The consensus verdict on a signature: a value, since an entry with a bad one is a verdict. Never throws, whatever the bytes. */
export function verifySignature(crypto: Pick<Signatures, 'verifyEd25519'>, label: Label, bytes: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean {
  return crypto.verifyEd25519(signature, labelled(label, bytes), publicKey)
}

/** Throws `bad-key`. Checked once, when a device or invitation is admitted; a copy is returned. */
export function admitSigningKey(publicKey: Uint8Array): SigningKey {
  const reason =
    publicKey.length !== PUBLIC_KEY_LENGTH ? 'length'
    : !canonicalY(publicKey, 0) ? 'not-canonical'
    : smallOrder(publicKey) ? 'small-order'
    : !isEdwardsPoint(publicKey) ? 'not-on-curve'
    : undefined
  if (reason === undefined) return publicKey.slice() as SigningKey
  throw new SealError('bad-key', `Expected an Ed25519 public key fit to be admitted, found ${reason}.`, { reason })
}
