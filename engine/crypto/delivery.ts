/**
 * Verifiable delivery of an epoch's secret S to n recipients (PROTOCOL.md §3.7): anybody can check that every recipient gets the same S.
 *
 *   delivery = C0 ‖ C1 … Cn ‖ A ‖ B ‖ z        C0 = rG, Ci = S + r·Pi
 *   u  = H(label, space, epoch, author, base, G, C0, all Pi, all Ci)      wi = 128 bits of H(u, i), i ≥ 2
 *   X  = Σ wi(Pi − P1), Y = Σ wi(Ci − C1)      c = H(u, X, Y, A, B)       zG = A + cC0, zX = B + cY
 *
 * The proof shows Y = rX for r = log C0; with random weights so is every Ci − C1 = r(Pi − P1): Ci − r·Pi is one point. Soundness 2⁻¹²⁸.
 * Recipients aren't sent: they are the caller's, in the caller's order, and have proved possession of their keys (possession.ts).
 */
import { Writer } from '../codec/canonical.js'
import { encodeHex } from '../codec/bytes.js'
import { SealError } from '../errors.js'
import { MAX_RECIPIENTS } from '../limits.js'
import { checkLength } from './checks.js'
import { hashLabelled, LABELS } from './labels.js'
import type { CryptoProvider, GroupPoint, Scalar } from './provider.js'
import { encodeScalar, modOrder } from './scalar.js'
import {
  type AgreementKey, badAgreementKey, badProof, decodeAgreementKey, hashToScalar, nonceScalar, type ProofContext, ProofReader,
  type RandomSource, writeProofContext,
} from './transcript.js'

declare const verified: unique symbol
declare const epochSecret: unique symbol

/** S: the secret of an epoch, a ristretto255 element in its 32-byte encoding. `deriveEpochSecrets` says what follows from it. */
export type EpochSecret = Uint8Array & { readonly [epochSecret]: true }

/** (C0, C) with C0 = rG and C = S + rP, 32 bytes each: what the holder of P opens. */
export interface Pair {
  readonly c0: Uint8Array
  readonly c: Uint8Array
}

/** A delivery that was checked. Pair i belongs to recipient i. */
export interface VerifiedDelivery {
  readonly [verified]: true
  readonly context: ProofContext
  readonly recipients: readonly Uint8Array[]
  readonly pairs: readonly Pair[]
}

/** Bytes of a delivery to `count` recipients. */
export function deliveryLength(count: number): number {
  return 32 * (count + 4)
}

/** A fresh S. */
export function newEpochSecret(crypto: CryptoProvider, random: RandomSource): EpochSecret {
  const seed = random(64)
  checkLength(seed, 64, 'random bytes')
  return crypto.group.encodePoint(crypto.group.multiplyBase(hashToScalar(crypto, LABELS.epochSecret, seed))) as EpochSecret
}

/** Throws `bad-key` for a recipient that may not be one, `bad-argument` for none, `too-large` beyond MAX_RECIPIENTS. */
export function proveDelivery(
  crypto: CryptoProvider, context: ProofContext, recipients: readonly Uint8Array[], secret: EpochSecret, random: RandomSource,
): Uint8Array {
  const { group } = crypto
  const keys = decodeRecipients(crypto, recipients)
  const s = group.decodePoint(secret)
  const header = writeProofContext(new Writer(), context).finish()
  const r = nonceScalar(crypto, random, secret, header, 0)
  const c0 = group.encodePoint(group.multiplyBase(r))
  const ciphertexts = keys.map((key) => group.encodePoint(group.addPoints(s, group.multiply(r, key))))
  const u = transcript(crypto, context, c0, recipients, ciphertexts)
  const x = weighted(crypto, deriveWeights(crypto, u, keys.length), keys)
  // The prover knows r, so Y needs no sum of its own.
  const y = group.multiply(r, x)
  const a = nonceScalar(crypto, random, encodeScalar(r), u, 1)
  const commitA = group.encodePoint(group.multiplyBase(a))
  const commitB = group.encodePoint(group.multiply(a, x))
  const c = challenge(crypto, u, group.encodePoint(x), group.encodePoint(y), commitA, commitB)
  const writer = new Writer(deliveryLength(keys.length)).raw(c0)
  for (const ciphertext of ciphertexts) writer.raw(ciphertext)
  return writer.raw(commitA).raw(commitB).raw(encodeScalar(modOrder(a + c * r))).finish()
}

/** Throws `bad-proof` for the delivery, `bad-key` for a recipient, `bad-argument` for none, `too-large` beyond MAX_RECIPIENTS. */
export function verifyDelivery(crypto: CryptoProvider, context: ProofContext, recipients: readonly Uint8Array[], delivery: Uint8Array): VerifiedDelivery {
  const { group } = crypto
  checkCount(recipients)
  const reader = new ProofReader(crypto, delivery, recipients.length + 4)
  const keys = decodeRecipients(crypto, recipients)
  const [c0, pointC0] = reader.both()
  if (group.equalPoints(pointC0, group.identity)) throw badProof('identity')
  const sent = recipients.map(() => reader.both())
  const [encodedA, pointA] = reader.both()
  const [encodedB, pointB] = reader.both()
  const z = reader.scalar()

  const ciphertexts = sent.map(([bytes]) => bytes)
  const u = transcript(crypto, context, c0, recipients, ciphertexts)
  const weights = deriveWeights(crypto, u, keys.length)
  const x = weighted(crypto, weights, keys)
  const y = weighted(crypto, weights, sent.map(([, point]) => point))
  const c = challenge(crypto, u, group.encodePoint(x), group.encodePoint(y), encodedA, encodedB)
  const minusC = modOrder(-c)
  if (!group.equalPoints(group.multiplySum([z, minusC], [group.base, pointC0]), pointA)) throw badProof('first equation')
  if (!group.equalPoints(group.multiplySum([z, minusC], [x, y]), pointB)) throw badProof('second equation')
  // The only place where a delivery becomes a verified one.
  return { context, recipients, pairs: ciphertexts.map((ciphertext) => ({ c0, c: ciphertext })) } as unknown as VerifiedDelivery
}

/** Recipient `index` opens its pair. Throws `bad-argument` if the key is not that recipient's. */
export function openDelivery(crypto: CryptoProvider, delivery: VerifiedDelivery, index: number, key: AgreementKey): EpochSecret {
  const recipient = delivery.recipients[index]
  const pair = delivery.pairs[index]
  if (recipient === undefined || pair === undefined || encodeHex(recipient) !== encodeHex(key.publicKey)) {
    throw new SealError('bad-argument', 'Expected the agreement key of the recipient at this place.', { index, recipients: delivery.pairs.length })
  }
  return openPair(crypto, pair, key)
}

/** S = C − p·C0, of a pair that the verified state keeps. A pair of another key opens to another point: nothing here can tell. */
export function openPair(crypto: CryptoProvider, pair: Pair, key: AgreementKey): EpochSecret {
  const { group } = crypto
  return group.encodePoint(group.subtractPoints(group.decodePoint(pair.c), group.multiply(key.secret, group.decodePoint(pair.c0)))) as EpochSecret
}

function checkCount(recipients: readonly Uint8Array[]): void {
  if (recipients.length === 0) throw new SealError('bad-argument', 'Expected at least one recipient of a delivery.', { recipients: 0 })
  if (recipients.length > MAX_RECIPIENTS) {
    throw new SealError('too-large', `Expected at most ${MAX_RECIPIENTS} recipients of a delivery.`, { recipients: recipients.length })
  }
}

function decodeRecipients(crypto: CryptoProvider, recipients: readonly Uint8Array[]): GroupPoint[] {
  checkCount(recipients)
  if (new Set(recipients.map(encodeHex)).size !== recipients.length) throw badAgreementKey('repeated')
  return recipients.map((bytes) => decodeAgreementKey(crypto, bytes))
}

/** u. Counts and order are fixed by the writer; points are hashed as received, which canonical decoding makes unique. */
function transcript(
  crypto: CryptoProvider, context: ProofContext, c0: Uint8Array, recipients: readonly Uint8Array[], ciphertexts: readonly Uint8Array[],
): Uint8Array {
  const writer = writeProofContext(new Writer(), context).raw(crypto.group.encodePoint(crypto.group.base)).raw(c0)
  writer.list(recipients, MAX_RECIPIENTS, (w, point) => w.fixed(point, 32))
  writer.list(ciphertexts, MAX_RECIPIENTS, (w, point) => w.fixed(point, 32))
  return hashLabelled(crypto, LABELS.delivery, writer.view())
}

/** w2 … wn: the first 16 bytes of H(label ‖ 0x00 ‖ u ‖ u32 i), big-endian. */
function deriveWeights(crypto: CryptoProvider, u: Uint8Array, count: number): Scalar[] {
  const weights: Scalar[] = []
  const index = new Uint8Array(4)
  for (let i = 2; i <= count; i++) {
    new DataView(index.buffer).setUint32(0, i)
    weights.push(BigInt('0x' + encodeHex(hashLabelled(crypto, LABELS.deliveryWeight, u, index).subarray(0, 16))))
  }
  return weights
}

/** Σ wi(pi − p1), i ≥ 2, as Σ wi·pi − (Σ wi)·p1: the scalars stay short. */
function weighted(crypto: CryptoProvider, weights: readonly Scalar[], points: readonly GroupPoint[]): GroupPoint {
  const { group } = crypto
  const first = points[0] as GroupPoint
  const total = weights.reduce((sum, weight) => sum + weight, 0n)
  return group.multiplySum([total, ...weights], [group.subtractPoints(group.identity, first), ...points.slice(1)])
}

function challenge(crypto: CryptoProvider, u: Uint8Array, x: Uint8Array, y: Uint8Array, a: Uint8Array, b: Uint8Array): Scalar {
  return hashToScalar(crypto, LABELS.deliveryChallenge, u, x, y, a, b)
}
