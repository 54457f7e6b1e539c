/**
 * Grant of a running epoch's secret S from a holder j to a newcomer Q (PROTOCOL.md §3.8): anybody can check that Q gets the S that
 * j's own pair (C0, C) holds, and j's key P alone could have made it.
 *
 *   grant = D0 ‖ D1 ‖ T0 ‖ T1 ‖ T2 ‖ z1 ‖ z2           D0 = tG, D1 = S + tQ
 *   proof of (t, p) with  D0 = tG,  P = pG,  D1 − C = tQ − p·C0:
 *   T0 = αG, T1 = βG, T2 = αQ − β·C0     c = H(u, T0, T1, T2)     z1 = α + ct, z2 = β + cp
 *   z1·G = T0 + c·D0,  z2·G = T1 + c·P,  z1·Q − z2·C0 = T2 + c(D1 − C)
 */
import { Writer } from '../codec/canonical.js'
import { equalBytes } from '../codec/bytes.js'
import { SealError } from '../errors.js'
import { type EpochSecret, openPair, type Pair } from './delivery.js'
import { hashLabelled, LABELS } from './labels.js'
import type { CryptoProvider, GroupPoint, Scalar } from './provider.js'
import { encodeScalar, modOrder } from './scalar.js'
import {
  type AgreementKey, badAgreementKey, badProof, decodeAgreementKey, encodeProof, hashToScalar, nonceScalar, type ProofContext, ProofReader,
  type RandomSource, writeProofContext,
} from './transcript.js'

declare const verified: unique symbol

/** Bytes of a grant. */
export const GRANT_LENGTH = 7 * 32

/** Who grants from what to whom: all from the state, none of it sent. */
export interface GrantStatement {
  /** P, the agreement key of the granter. */
  readonly granter: Uint8Array
  /** The granter's own pair for the epoch. */
  readonly pair: Pair
  /** Q, the agreement key of the newcomer, who has proved possession of it. */
  readonly recipient: Uint8Array
}

/** A grant that was checked; `pair` is what the newcomer opens, keeps in the state and grants from in turn. */
export interface VerifiedGrant {
  readonly [verified]: true
  readonly context: ProofContext
  readonly statement: GrantStatement
  readonly pair: Pair
}

/** `key` is the granter's. Throws `bad-argument` if it is not, `bad-key` for a recipient that may not be one. */
export function proveGrant(crypto: CryptoProvider, context: ProofContext, statement: GrantStatement, key: AgreementKey, random: RandomSource): Uint8Array {
  const { group } = crypto
  if (!equalBytes(statement.granter, key.publicKey)) throw new SealError('bad-argument', "Expected the granter's agreement key.")
  const points = decodeStatement(crypto, statement)
  const s = openPair(crypto, statement.pair, key)
  const t = nonceScalar(crypto, random, s, encodeStatement(context, statement), 2)
  const d0 = group.multiplyBase(t)
  const d1 = group.addPoints(group.decodePoint(s), group.multiply(t, points.recipient))
  const u = transcript(crypto, context, statement, group.encodePoint(d0), group.encodePoint(d1))
  const alpha = nonceScalar(crypto, random, encodeScalar(t), u, 3)
  const beta = nonceScalar(crypto, random, encodeScalar(key.secret), u, 4)
  const t0 = group.multiplyBase(alpha)
  const t1 = group.multiplyBase(beta)
  const t2 = group.subtractPoints(group.multiply(alpha, points.recipient), group.multiply(beta, points.c0))
  const c = challenge(crypto, u, group.encodePoint(t0), group.encodePoint(t1), group.encodePoint(t2))
  return encodeProof(crypto, d0, d1, t0, t1, t2, modOrder(alpha + c * t), modOrder(beta + c * key.secret))
}

/** Throws `bad-proof` for the grant, `bad-key` for the granter's or recipient's key. */
export function verifyGrant(crypto: CryptoProvider, context: ProofContext, statement: GrantStatement, grant: Uint8Array): VerifiedGrant {
  const { group } = crypto
  const reader = new ProofReader(crypto, grant, 7)
  const points = decodeStatement(crypto, statement)
  const [d0, pointD0] = reader.both()
  const [d1, pointD1] = reader.both()
  if (group.equalPoints(pointD0, group.identity)) throw badProof('identity')
  const [t0, pointT0] = reader.both()
  const [t1, pointT1] = reader.both()
  const [t2, pointT2] = reader.both()
  const z1 = reader.scalar()
  const z2 = reader.scalar()

  const c = challenge(crypto, transcript(crypto, context, statement, d0, d1), t0, t1, t2)
  const minusC = modOrder(-c)
  const holds = (scalars: readonly Scalar[], of: readonly GroupPoint[], right: GroupPoint) => group.equalPoints(group.multiplySum(scalars, of), right)
  if (!holds([z1, minusC], [group.base, pointD0], pointT0)) throw badProof('first equation')
  if (!holds([z2, minusC], [group.base, points.granter], pointT1)) throw badProof('second equation')
  const difference = group.subtractPoints(pointD1, points.c)
  if (!holds([z1, modOrder(-z2), minusC], [points.recipient, points.c0, difference], pointT2)) throw badProof('third equation')
  // The only place where a grant becomes a verified one.
  return { context, statement, pair: { c0: d0, c: d1 } } as unknown as VerifiedGrant
}

/** The newcomer opens it. Throws `bad-argument` if the key is not the recipient's. */
export function openGrant(crypto: CryptoProvider, grant: VerifiedGrant, key: AgreementKey): EpochSecret {
  if (!equalBytes(grant.statement.recipient, key.publicKey)) throw new SealError('bad-argument', "Expected the recipient's agreement key.")
  return openPair(crypto, grant.pair, key)
}

function decodeStatement(crypto: CryptoProvider, statement: GrantStatement) {
  if (equalBytes(statement.granter, statement.recipient)) throw badAgreementKey('repeated')
  return {
    granter: decodeAgreementKey(crypto, statement.granter),
    recipient: decodeAgreementKey(crypto, statement.recipient),
    c0: crypto.group.decodePoint(statement.pair.c0),
    c: crypto.group.decodePoint(statement.pair.c),
  }
}

function encodeStatement(context: ProofContext, statement: GrantStatement): Uint8Array {
  const writer = writeProofContext(new Writer(), context).fixed(statement.granter, 32)
  return writer.fixed(statement.pair.c0, 32).fixed(statement.pair.c, 32).fixed(statement.recipient, 32).finish()
}

/** u = H(label, space, epoch, author, base, P, C0, C, Q, G, D0, D1). */
function transcript(crypto: CryptoProvider, context: ProofContext, statement: GrantStatement, d0: Uint8Array, d1: Uint8Array): Uint8Array {
  return hashLabelled(crypto, LABELS.grant, encodeStatement(context, statement), crypto.group.encodePoint(crypto.group.base), d0, d1)
}

function challenge(crypto: CryptoProvider, u: Uint8Array, t0: Uint8Array, t1: Uint8Array, t2: Uint8Array): Scalar {
  return hashToScalar(crypto, LABELS.grantChallenge, u, t0, t1, t2)
}
