/**
 * What every proof about group keys binds, and how its challenges and nonces are made (PROTOCOL.md §3.6): Fiat–Shamir over
 * canonical transcripts, strong form (all public values of the statement are hashed).
 */
import type { Writer } from '../codec/canonical.js'
import { concatBytes } from '../codec/bytes.js'
import { invariant, SealError } from '../errors.js'
import { checkLength } from './checks.js'
import { hashLabelled, type Label, LABELS } from './labels.js'
import type { CryptoProvider, GroupPoint, Scalar, Sha256 } from './provider.js'
import { decodeScalar, encodeScalar, reduceScalar } from './scalar.js'

/** `length` fresh random bytes, from the rim. */
export type RandomSource = (length: number) => Uint8Array

/** The head that an entry's author had verified: the entry's `base`. */
export interface ProofBase {
  readonly size: number
  readonly logRoot: Uint8Array
  readonly stateRoot: Uint8Array
}

/** What a delivery or grant is bound to, so that it proves nothing anywhere else. */
export interface ProofContext {
  /** 32 bytes; in a genesis, which its own space id can't contain, 32 zero bytes. */
  readonly space: Uint8Array
  /** The epoch whose secret is delivered. */
  readonly epoch: number
  /** The Ed25519 public key that signs the entry: of a device, or of an invitation in a join. */
  readonly author: Uint8Array
  readonly base: ProofBase
}

export function writeProofContext(writer: Writer, context: ProofContext): Writer {
  return writeBase(writer.fixed(context.space, 32).varint(context.epoch).fixed(context.author, 32), context.base)
}

export function writeBase(writer: Writer, base: ProofBase): Writer {
  return writer.varint(base.size).fixed(base.logRoot, 32).fixed(base.stateRoot, 32)
}

/** H(label ‖ 0x00 ‖ 0x00 ‖ data) ‖ H(label ‖ 0x00 ‖ 0x01 ‖ data), 64 bytes little-endian, modulo L. */
export function hashToScalar(crypto: Sha256, label: Label, ...data: readonly Uint8Array[]): Scalar {
  const half = (which: number) => hashLabelled(crypto, label, Uint8Array.of(which), ...data)
  return reduceScalar(concatBytes(half(0), half(1)))
}

/** A proof's nonce from fresh randomness, the secret and the statement: a broken random source alone does not reveal the secret. */
export function nonceScalar(crypto: Sha256, random: RandomSource, secret: Uint8Array, statement: Uint8Array, which: number): Scalar {
  const fresh = random(32)
  checkLength(fresh, 32, 'random bytes')
  checkLength(secret, 32, 'secret')
  const nonce = hashToScalar(crypto, LABELS.proofNonce, Uint8Array.of(which), fresh, secret, statement)
  invariant(nonce !== 0n, 'a nonce is zero')
  return nonce
}

/** A ristretto255 key pair for agreement. */
export interface AgreementKey {
  readonly secret: Scalar
  /** 32 bytes. */
  readonly publicKey: Uint8Array
}

/** From a 32-byte seed. */
export function agreementKey(crypto: CryptoProvider, seed: Uint8Array): AgreementKey {
  checkLength(seed, 32, 'agreement seed')
  const secret = hashToScalar(crypto, LABELS.agreementKey, seed)
  invariant(secret !== 0n, 'an agreement secret is zero')
  return { secret, publicKey: crypto.group.encodePoint(crypto.group.multiplyBase(secret)) }
}

/** Throws `bad-key` unless `bytes` are a canonical ristretto255 element other than the identity (P = 0 would publish S). */
export function decodeAgreementKey(crypto: CryptoProvider, bytes: Uint8Array): GroupPoint {
  const point = decodePointOr(crypto, bytes, () => badAgreementKey('not-canonical'))
  if (crypto.group.equalPoints(point, crypto.group.identity)) throw badAgreementKey('identity')
  return point
}

export function badAgreementKey(reason: string): SealError {
  return new SealError('bad-key', `Expected an agreement key fit to receive a secret, found ${reason}.`, { reason })
}

export function badProof(reason: string): SealError {
  return new SealError('bad-proof', `Expected a proof that verifies; refused for its ${reason}.`, { reason })
}

/** Reads the 32-byte parts of a proof. Whatever is not canonical is `bad-proof`. */
export class ProofReader {
  private readonly crypto: CryptoProvider
  private readonly bytes: Uint8Array
  private at = 0

  /** Throws `bad-proof` unless there are exactly `parts` of them. */
  constructor(crypto: CryptoProvider, bytes: Uint8Array, parts: number) {
    if (bytes.length !== 32 * parts) throw badProof('length')
    this.crypto = crypto
    this.bytes = bytes
  }

  /** A copy of the next part, to be hashed or kept. */
  raw(): Uint8Array {
    this.at += 32
    return this.bytes.slice(this.at - 32, this.at)
  }

  /** A point and its encoding. */
  both(): readonly [Uint8Array, GroupPoint] {
    const bytes = this.raw()
    return [bytes, decodePointOr(this.crypto, bytes, () => badProof('encoding'))]
  }

  scalar(): Scalar {
    const bytes = this.raw()
    try {
      return decodeScalar(bytes)
    } catch (cause) {
      throw asReason(cause, () => badProof('encoding'))
    }
  }
}

/** 32 bytes of a point or scalar each, in order. */
export function encodeProof(crypto: CryptoProvider, ...parts: readonly (GroupPoint | Scalar)[]): Uint8Array {
  return concatBytes(...parts.map((part) => (typeof part === 'bigint' ? encodeScalar(part) : crypto.group.encodePoint(part))))
}

function decodePointOr(crypto: CryptoProvider, bytes: Uint8Array, refusal: () => SealError): GroupPoint {
  try {
    return crypto.group.decodePoint(bytes)
  } catch (cause) {
    throw asReason(cause, refusal)
  }
}

/** A `bad-encoding` becomes the refusal of the proof or key it lies in; anything else stays what it is. */
function asReason(cause: unknown, refusal: () => SealError): unknown {
  return cause instanceof SealError && cause.code === 'bad-encoding' ? refusal() : cause
}
