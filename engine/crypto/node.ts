/**
 * The default provider in Node: native where node:crypto has the primitive and is quicker, noble for the rest.
 *
 * Measured on Node 20 for 64 to 110 bytes: `crypto.hash(…, 'binary')` of a view and a loop over its characters takes 0.6 µs into a
 * given place, a Buffer result 1.5 µs, `createHash` 1.9 µs. (A *string* argument would be quicker still, but it is hashed as UTF-8:
 * wrong for bytes from 0x80.) A native cipher takes 7 to 10 µs to set up: short messages are for the kernels (with-kernels.ts).
 */
import {
  createCipheriv, createDecipheriv, createPrivateKey, createPublicKey, diffieHellman, hash, type KeyObject, sign, verify,
} from 'node:crypto'
import { agreementBy } from './agreement.js'
import { checkLength, openFailed } from './checks.js'
import { verifyExactly } from './ed25519-exact.js'
import { plausibleSignature, SEED_LENGTH } from './ed25519-rule.js'
import { hkdfWith, hmacWith } from './hmac.js'
import { nobleCiphers } from './noble-core.js'
import { nobleDerivation, nobleGroup } from './noble.js'
import type { Agreement, Ciphers, CryptoProvider, Derivation, Sha256, Signatures } from './provider.js'
import { xchachaFrom } from './xchacha.js'

const nodeHash: Sha256 = {
  sha256: (data) => {
    const digest = hash('sha256', data, 'binary')
    const out = new Uint8Array(32)
    for (let i = 0; i < 32; i++) out[i] = digest.charCodeAt(i)
    return out
  },
  sha256Into: (input, start, end, out, at) => {
    const digest = hash('sha256', start === 0 && end === input.length ? input : input.subarray(start, end), 'binary')
    for (let i = 0; i < 32; i++) out[at + i] = digest.charCodeAt(i)
  },
}

const hmacSha256 = hmacWith(nodeHash)

const nodeDerivation: Derivation = {
  hmacSha256,
  hkdfSha256: hkdfWith(hmacSha256),
  argon2id: nobleDerivation.argon2id,
}

// RFC 8410: everything in front of the 32 bytes.
const ED25519_SPKI = fromHex('302a300506032b6570032100')
const ED25519_PKCS8 = fromHex('302e020100300506032b657004220420')
const X25519_SPKI = fromHex('302a300506032b656e032100')
const X25519_PKCS8 = fromHex('302e020100300506032b656e04220420')

/** Preparing a key costs as much as half a verification, and a space has few devices. Oldest out first. */
const KEY_CACHE_COUNT = 1024
const publicKeys = new Map<string, KeyObject>()

const nodeSignatures: Signatures = {
  signer: (seed) => {
    checkLength(seed, SEED_LENGTH, 'Ed25519 seed')
    const key = privateKeyOf(ED25519_PKCS8, seed)
    return { publicKey: rawPublicKey(key), sign: (message) => toBytes(sign(null, message, key)) }
  },
  verifyEd25519: (signature, message, publicKey) => {
    if (!plausibleSignature(signature, publicKey)) return false
    // Native accept implies the rule; native reject does not imply its opposite (mixed order): see ed25519-rule.ts.
    return verify(null, message, cachedPublicKey(publicKey), signature) || verifyExactly(signature, message, publicKey)
  },
  verifyEd25519Aside: (signature, message, publicKey) =>
    new Promise((resolve) => {
      if (!plausibleSignature(signature, publicKey)) resolve(false)
      else verify(null, message, cachedPublicKey(publicKey), signature, (error, good) => resolve(error === null && good))
    }),
}

/**
 * V8 keeps arrays of up to 64 bytes inside its heap, and moving a fresh one out for a native call costs a microsecond and more: copies
 * of key and nonce wait outside. Both are read before the call that takes them returns.
 */
const KEY = new Uint8Array(new ArrayBuffer(32))
const NONCE = new Uint8Array(new ArrayBuffer(12))

const nodeChacha: Pick<Ciphers, 'chachaSeal' | 'chachaOpen' | 'hchacha20'> = {
  chachaSeal: (key, nonce, aad, plaintext, room = 0) => {
    checkLength(key, 32, 'key')
    checkLength(nonce, 12, 'nonce')
    const sealed = new Uint8Array(room + plaintext.length + 16)
    const cipher = createCipheriv('chacha20-poly1305', outside(KEY, key), outside(NONCE, nonce), { authTagLength: 16 })
    cipher.setAAD(aad, { plaintextLength: plaintext.length })
    const body = cipher.update(plaintext)
    cipher.final()
    sealed.set(body, room)
    sealed.set(cipher.getAuthTag(), room + plaintext.length)
    return sealed
  },
  chachaOpen: (key, nonce, aad, sealed) => {
    checkLength(key, 32, 'key')
    checkLength(nonce, 12, 'nonce')
    const length = sealed.length - 16
    if (length < 0) throw openFailed(sealed.length)
    const decipher = createDecipheriv('chacha20-poly1305', outside(KEY, key), outside(NONCE, nonce), { authTagLength: 16 })
    decipher.setAAD(aad, { plaintextLength: length })
    decipher.setAuthTag(sealed.subarray(length))
    const plaintext = decipher.update(sealed.subarray(0, length))
    try {
      decipher.final()
    } catch (cause) {
      throw openFailed(sealed.length, cause)
    }
    return toBytes(plaintext)
  },
  hchacha20: nobleCiphers.hchacha20,
}

const nodeAgreement: Agreement = agreementBy(
  (secret) => rawPublicKey(privateKeyOf(X25519_PKCS8, secret)),
  (secret, publicKey) => toBytes(diffieHellman({ privateKey: privateKeyOf(X25519_PKCS8, secret), publicKey: publicKeyOf(X25519_SPKI, publicKey) })),
)

export const nodeProvider: CryptoProvider = {
  name: 'node',
  ...nodeHash,
  ...nodeDerivation,
  ...nodeSignatures,
  ...xchachaFrom(nodeChacha),
  ...nodeAgreement,
  group: nobleGroup,
}

function outside(place: Uint8Array, bytes: Uint8Array): Uint8Array {
  place.set(bytes)
  return place
}

function cachedPublicKey(publicKey: Uint8Array): KeyObject {
  const name = Buffer.from(publicKey.buffer, publicKey.byteOffset, publicKey.length).toString('latin1')
  const known = publicKeys.get(name)
  if (known !== undefined) return known
  const key = publicKeyOf(ED25519_SPKI, publicKey)
  if (publicKeys.size >= KEY_CACHE_COUNT) {
    const oldest = publicKeys.keys().next()
    if (oldest.done !== true) publicKeys.delete(oldest.value)
  }
  publicKeys.set(name, key)
  return key
}

function publicKeyOf(prefix: Buffer, raw: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([prefix, raw]), format: 'der', type: 'spki' })
}

function privateKeyOf(prefix: Buffer, raw: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([prefix, raw]), format: 'der', type: 'pkcs8' })
}

function rawPublicKey(key: KeyObject): Uint8Array {
  return new Uint8Array(createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32))
}

/** Buffers stay inside: a plain view of the same bytes, or a copy where they lie in Node's shared pool. */
function toBytes(buffer: Buffer): Uint8Array {
  return buffer.length === buffer.buffer.byteLength ? new Uint8Array(buffer.buffer) : new Uint8Array(buffer)
}

function fromHex(hex: string): Buffer {
  return Buffer.from(hex, 'hex')
}
