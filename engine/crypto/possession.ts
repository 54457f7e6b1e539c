/**
 * Proof of possession of a signing and an agreement key together (PROTOCOL.md §3.9). No key is admitted without: with P2 = −P1, of which
 * nobody knows the secret, C1 + C2 = 2S, and a delivery would publish its secret.
 *
 *   possession = signature(64) ‖ K ‖ z      K = kG, c = H(u, K), z = k + cp: zG = K + cP (Schnorr, for the agreement key P)
 *   u = H(label, space, kind, admitter, id, role, signing key, P, base); the signature is over the same under its own label.
 */
import { Writer } from '../codec/canonical.js'
import { concatBytes, equalBytes } from '../codec/bytes.js'
import { SealError } from '../errors.js'
import { hashLabelled, LABELS } from './labels.js'
import type { CryptoProvider, Signer } from './provider.js'
import { encodeScalar, modOrder } from './scalar.js'
import { admitSigningKey, signBytes, type SigningKey, verifySignature } from './sign.js'
import {
  type AgreementKey, badProof, decodeAgreementKey, encodeProof, hashToScalar, nonceScalar, type ProofBase, ProofReader, type RandomSource,
  writeBase,
} from './transcript.js'

declare const verified: unique symbol

/** Bytes of a proof of possession. */
export const POSSESSION_LENGTH = 128

/** How the keys come in. `agreement`: a device that is in already publishes a fresh agreement key. */
export const POSSESSION_KINDS = ['genesis', 'device', 'invitation', 'acceptance', 'agreement'] as const
export type PossessionKind = (typeof POSSESSION_KINDS)[number]

/** Which admission a proof is for, and no other. */
export interface PossessionContext {
  /** 32 bytes; in a genesis 32 zero bytes. */
  readonly space: Uint8Array
  readonly kind: PossessionKind
  /** The signing public key of who admits: a device, or the invitation that is accepted; in a genesis the key itself. */
  readonly admitter: Uint8Array
  /** Id of the device or invitation that the keys are for, or of the invitation accepted, if known beforehand; else 0. */
  readonly id: number
  /** The role that comes with the admission. */
  readonly role: string
  readonly base: ProofBase
}

/** Keys whose owner proved to hold both secrets. */
export interface PossessedKeys {
  readonly [verified]: true
  readonly context: PossessionContext
  readonly signing: SigningKey
  readonly agreement: Uint8Array
}

/** 128 bytes. */
export function provePossession(crypto: CryptoProvider, context: PossessionContext, signer: Signer, key: AgreementKey, random: RandomSource): Uint8Array {
  const statement = encodeStatement(context, signer.publicKey, key.publicKey)
  const u = hashLabelled(crypto, LABELS.possessionAgreement, statement)
  const k = nonceScalar(crypto, random, encodeScalar(key.secret), u, 5)
  const commit = crypto.group.encodePoint(crypto.group.multiplyBase(k))
  const c = hashToScalar(crypto, LABELS.possessionChallenge, u, commit)
  return concatBytes(signBytes(signer, LABELS.possessionSigning, statement), commit, encodeProof(crypto, modOrder(k + c * key.secret)))
}

/** Throws `bad-key` for a key that may not be admitted, `bad-proof` for a proof that isn't one of both keys in this context. */
export function verifyPossession(
  crypto: CryptoProvider, context: PossessionContext, signing: Uint8Array, agreement: Uint8Array, proof: Uint8Array,
): PossessedKeys {
  const { group } = crypto
  if (proof.length !== POSSESSION_LENGTH) throw badProof('length')
  const signingKey = admitSigningKey(signing)
  const point = decodeAgreementKey(crypto, agreement)
  const statement = encodeStatement(context, signing, agreement)
  if (!verifySignature(crypto, LABELS.possessionSigning, statement, proof.subarray(0, 64), signing)) throw badProof('signature')
  const reader = new ProofReader(crypto, proof.subarray(64), 2)
  const [commit, commitPoint] = reader.both()
  const z = reader.scalar()
  const c = hashToScalar(crypto, LABELS.possessionChallenge, hashLabelled(crypto, LABELS.possessionAgreement, statement), commit)
  if (!group.equalPoints(group.multiplySum([z, modOrder(-c)], [group.base, point]), commitPoint)) throw badProof('equation')
  // The only place where keys become possessed ones.
  return { context, signing: signingKey, agreement: agreement.slice() } as unknown as PossessedKeys
}

function encodeStatement(context: PossessionContext, signing: Uint8Array, agreement: Uint8Array): Uint8Array {
  if (context.kind === 'genesis' && !equalBytes(context.admitter, signing)) {
    throw new SealError('bad-argument', 'Expected the founder to admit itself in a genesis.')
  }
  const writer = new Writer().fixed(context.space, 32).u8(POSSESSION_KINDS.indexOf(context.kind)).fixed(context.admitter, 32)
  writer.varint(context.id).text(context.role, 32).fixed(signing, 32).fixed(agreement, 32)
  return writeBase(writer, context.base).finish()
}
