/**
 * Key boxes: a secret sealed to one X25519 key. HPKE (RFC 9180) in base mode, single shot, suite exactly
 * DHKEM(X25519, HKDF-SHA256) 0x0020, HKDF-SHA256 0x0001, ChaCha20Poly1305 0x0003. (Not XChaCha: its key and nonce are derived anew for
 * each box, so a longer nonce would add nothing and leave the standard.) Vectors: RFC 9180 A.2.1.
 *
 * A box names its type, version, space, epoch, recipient and creator; all are in HPKE's `info` and compared on opening. Who the creator
 * is, is proved by the signed entry that the box lies in, not by the box: base mode authenticates no sender.
 */
import { Reader, Writer } from '../codec/canonical.js'
import { concatBytes, EMPTY_BYTES, encodeUtf8, equalBytes } from '../codec/bytes.js'
import { SealError } from '../errors.js'
import { checkLength } from './checks.js'
import { labelled, LABELS } from './labels.js'
import type { CryptoProvider } from './provider.js'

type Hpke = Pick<CryptoProvider, 'hmacSha256' | 'x25519' | 'x25519PublicKey' | 'chachaSeal' | 'chachaOpen'>

export const KEY_BOX_VERSION = 1
/** What a box holds. */
export const KEY_BOX_TYPES = ['epoch-secret', 'blinding-secret', 'file-secret', 'recovery'] as const
export type KeyBoxType = (typeof KEY_BOX_TYPES)[number]

/** What a box is bound to. */
export interface KeyBoxContext {
  readonly type: KeyBoxType
  /** 32 bytes. */
  readonly space: Uint8Array
  readonly epoch: number
  /** The X25519 public key that opens it. */
  readonly recipient: Uint8Array
  /** The Ed25519 public key of who made it. */
  readonly creator: Uint8Array
}

const ENC_LENGTH = 32

/** `header ‖ enc(32) ‖ ciphertext ‖ tag(16)`. `seed`: 32 random bytes, used for no other box. Throws `bad-key` for a small-order recipient. */
export function sealKeyBox(crypto: Hpke, context: KeyBoxContext, seed: Uint8Array, plaintext: Uint8Array): Uint8Array {
  const header = encodeHeader(context)
  return concatBytes(header, sealHpke(crypto, context.recipient, labelled(LABELS.keyBox, header), EMPTY_BYTES, seed, plaintext))
}

/**
 * Open a box that must have this context, with the recipient's X25519 secret. Throws `open-failed`, with the first field that differs
 * as its reason; `bad-encoding` for bytes that aren't a box; `unsupported-version`.
 */
export function openKeyBox(crypto: Hpke, context: KeyBoxContext, secret: Uint8Array, box: Uint8Array): Uint8Array {
  if (!equalBytes(crypto.x25519PublicKey(secret), context.recipient)) throw new SealError('bad-argument', "Expected the recipient's secret.")
  const reader = new Reader(box)
  const found = readHeader(reader)
  const header = box.subarray(0, reader.offset)
  if (found.type !== context.type) throw differs('type')
  if (!equalBytes(found.space, context.space)) throw differs('space')
  if (found.epoch !== context.epoch) throw differs('epoch')
  if (!equalBytes(found.recipient, context.recipient)) throw differs('recipient')
  if (!equalBytes(found.creator, context.creator)) throw differs('creator')
  return openHpke(crypto, secret, labelled(LABELS.keyBox, header), EMPTY_BYTES, box.subarray(reader.offset))
}

/** What a box says about itself: to find it by, proved only by opening. Throws `bad-encoding`, `unsupported-version`. */
export function peekKeyBox(box: Uint8Array): KeyBoxContext {
  return readHeader(new Reader(box))
}

/** HPKE base-mode single shot (RFC 9180 §6.1): enc ‖ ciphertext. `seed` is DeriveKeyPair's ikm. */
export function sealHpke(crypto: Hpke, recipient: Uint8Array, info: Uint8Array, aad: Uint8Array, seed: Uint8Array, plaintext: Uint8Array): Uint8Array {
  checkLength(seed, 32, 'seed')
  const ephemeral = labeledExpand(crypto, KEM, labeledExtract(crypto, KEM, EMPTY_BYTES, 'dkp_prk', seed), 'sk', EMPTY_BYTES, 32)
  const enc = crypto.x25519PublicKey(ephemeral)
  const { key, nonce } = schedule(crypto, crypto.x25519(ephemeral, recipient), concatBytes(enc, recipient), info)
  return concatBytes(enc, crypto.chachaSeal(key, nonce, aad, plaintext))
}

/** Throws `open-failed`. */
export function openHpke(crypto: Hpke, secret: Uint8Array, info: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Uint8Array {
  if (sealed.length < ENC_LENGTH) throw differs('length')
  const enc = sealed.subarray(0, ENC_LENGTH)
  const { key, nonce } = schedule(crypto, agreeOrFail(crypto, secret, enc), concatBytes(enc, crypto.x25519PublicKey(secret)), info)
  return crypto.chachaOpen(key, nonce, aad, sealed.subarray(ENC_LENGTH))
}

const KEM = concatBytes(encodeUtf8('KEM'), Uint8Array.of(0x00, 0x20))
const SUITE = concatBytes(encodeUtf8('HPKE'), Uint8Array.of(0x00, 0x20, 0x00, 0x01, 0x00, 0x03))
const HPKE_V1 = encodeUtf8('HPKE-v1')
const MODE_BASE = Uint8Array.of(0)

/** ExtractAndExpand (§4.1), then KeySchedule (§5.1) without a pre-shared key; the nonce is that of sequence number 0. */
function schedule(crypto: Hpke, dh: Uint8Array, kemContext: Uint8Array, info: Uint8Array) {
  const shared = labeledExpand(crypto, KEM, labeledExtract(crypto, KEM, EMPTY_BYTES, 'eae_prk', dh), 'shared_secret', kemContext, 32)
  const pskIdHash = labeledExtract(crypto, SUITE, EMPTY_BYTES, 'psk_id_hash', EMPTY_BYTES)
  const context = concatBytes(MODE_BASE, pskIdHash, labeledExtract(crypto, SUITE, EMPTY_BYTES, 'info_hash', info))
  const secret = labeledExtract(crypto, SUITE, shared, 'secret', EMPTY_BYTES)
  return { key: labeledExpand(crypto, SUITE, secret, 'key', context, 32), nonce: labeledExpand(crypto, SUITE, secret, 'base_nonce', context, 12) }
}

/** §4: HKDF-Extract. An empty salt is an HMAC key of zeros, as an empty key is. */
function labeledExtract(crypto: Hpke, suite: Uint8Array, salt: Uint8Array, label: string, ikm: Uint8Array): Uint8Array {
  return crypto.hmacSha256(salt, concatBytes(HPKE_V1, suite, encodeUtf8(label), ikm))
}

/** §4: HKDF-Expand; `length` is at most 32 everywhere here, so there is one block. */
function labeledExpand(crypto: Hpke, suite: Uint8Array, prk: Uint8Array, label: string, info: Uint8Array, length: number): Uint8Array {
  return crypto.hmacSha256(prk, concatBytes(Uint8Array.of(0, length), HPKE_V1, suite, encodeUtf8(label), info, Uint8Array.of(1))).slice(0, length)
}

/** A small-order `enc` is the sender's fault: the box does not open. */
function agreeOrFail(crypto: Hpke, secret: Uint8Array, enc: Uint8Array): Uint8Array {
  try {
    return crypto.x25519(secret, enc)
  } catch (cause) {
    if (cause instanceof SealError && cause.code === 'bad-key') throw new SealError('open-failed', 'Expected a contributory key in a box.', { reason: 'enc' }, { cause })
    throw cause
  }
}

function encodeHeader(context: KeyBoxContext): Uint8Array {
  const writer = new Writer().u8(KEY_BOX_VERSION).u8(KEY_BOX_TYPES.indexOf(context.type)).fixed(context.space, 32)
  return writer.varint(context.epoch).fixed(context.recipient, 32).fixed(context.creator, 32).finish()
}

function readHeader(reader: Reader): KeyBoxContext {
  const version = reader.u8()
  if (version !== KEY_BOX_VERSION) throw new SealError('unsupported-version', 'Expected a key box of version 1.', { version })
  const type = KEY_BOX_TYPES[reader.u8()]
  if (type === undefined) throw reader.bad('Expected a known type of key box')
  return { type, space: reader.fixed(32), epoch: reader.varint(), recipient: reader.fixed(32), creator: reader.fixed(32) }
}

function differs(reason: string): SealError {
  return new SealError('open-failed', `Expected a key box for this place; its ${reason} differs.`, { reason })
}
