/**
 * The provider over libsodium, once that is there (sodium.ts).
 *
 * A group element is its canonical encoding here: libsodium decodes and encodes in every call. It throws where a result would be
 * the identity, and for zero scalars; our rule does not, so those cases never reach it.
 */
import { SealError } from '../errors.js'
import { equalBytes } from '../codec/bytes.js'
import { agreementBy } from './agreement.js'
import { checkArgon2, checkLength, openFailed } from './checks.js'
import { verifyExactly } from './ed25519-exact.js'
import { plausibleSignature, SEED_LENGTH } from './ed25519-rule.js'
import { hkdfWith, hmacWith } from './hmac.js'
import { nobleHash } from './noble-core.js'
import type { Ciphers, CryptoProvider, Derivation, Group, GroupPoint, Scalar, Signatures } from './provider.js'
import { encodeScalar } from './scalar.js'
import type { Sodium } from './sodium.js'
import { xchachaFrom } from './xchacha.js'

export function sodiumProvider(sodium: Sodium): CryptoProvider {
  return {
    name: 'sodium',
    // Copies in and out of WebAssembly cost more than they save on short input: noble hashes.
    ...nobleHash,
    ...derivation(sodium),
    ...signatures(sodium),
    ...ciphers(sodium),
    ...agreementBy((secret) => sodium.crypto_scalarmult_base(secret), (secret, publicKey) => sodium.crypto_scalarmult(secret, publicKey)),
    group: group(sodium),
  }
}

function derivation(sodium: Sodium): Derivation {
  const hmacSha256 = hmacWith(nobleHash)
  return {
    hmacSha256,
    hkdfSha256: hkdfWith(hmacSha256),
    argon2id: (password, salt, cost, length) => {
      checkArgon2(salt, cost, length)
      return sodium.crypto_pwhash(length, password, salt, cost.passes, cost.memoryKib * 1024, sodium.crypto_pwhash_ALG_ARGON2ID13)
    },
  }
}

function signatures(sodium: Sodium): Signatures {
  return {
    signer: (seed) => {
      checkLength(seed, SEED_LENGTH, 'Ed25519 seed')
      const { publicKey, privateKey } = sodium.crypto_sign_seed_keypair(seed)
      return { publicKey, sign: (message) => sodium.crypto_sign_detached(message, privateKey) }
    },
    verifyEd25519: (signature, message, publicKey) => {
      if (!plausibleSignature(signature, publicKey)) return false
      // libsodium also refuses R of small order, which the rule allows: its "no" is not final.
      return sodium.crypto_sign_verify_detached(signature, message, publicKey) || verifyExactly(signature, message, publicKey)
    },
  }
}

function ciphers(sodium: Sodium): Ciphers {
  return xchachaFrom({
    chachaSeal: (key, nonce, aad, plaintext, room = 0) => {
      checkLength(key, 32, 'key')
      checkLength(nonce, 12, 'nonce')
      const body = sodium.crypto_aead_chacha20poly1305_ietf_encrypt(plaintext, aad, null, nonce, key)
      if (room === 0) return body
      const sealed = new Uint8Array(room + body.length)
      sealed.set(body, room)
      return sealed
    },
    chachaOpen: (key, nonce, aad, sealed) => {
      checkLength(key, 32, 'key')
      checkLength(nonce, 12, 'nonce')
      if (sealed.length < 16) throw openFailed(sealed.length)
      try {
        return sodium.crypto_aead_chacha20poly1305_ietf_decrypt(null, sealed, aad, nonce, key)
      } catch (cause) {
        throw openFailed(sealed.length, cause)
      }
    },
    hchacha20: (key, nonce) => {
      checkLength(key, 32, 'key')
      checkLength(nonce, 16, 'nonce')
      return sodium.crypto_core_hchacha20(nonce, key, null)
    },
  })
}

const asBytes = (point: GroupPoint): Uint8Array => point as unknown as Uint8Array
const asPoint = (bytes: Uint8Array): GroupPoint => bytes as unknown as GroupPoint
const IDENTITY = new Uint8Array(32)

function group(sodium: Sodium): Group {
  const isIdentity = (point: GroupPoint) => equalBytes(asBytes(point), IDENTITY)
  const multiply = (scalar: Scalar, point: GroupPoint): GroupPoint => {
    if (scalar === 0n || isIdentity(point)) return asPoint(IDENTITY)
    return asPoint(sodium.crypto_scalarmult_ristretto255(encodeScalar(scalar), asBytes(point)))
  }
  const multiplyBase = (scalar: Scalar): GroupPoint =>
    asPoint(scalar === 0n ? IDENTITY : sodium.crypto_scalarmult_ristretto255_base(encodeScalar(scalar)))
  const addPoints = (a: GroupPoint, b: GroupPoint): GroupPoint => asPoint(sodium.crypto_core_ristretto255_add(asBytes(a), asBytes(b)))
  return {
    base: multiplyBase(1n),
    identity: asPoint(IDENTITY),
    decodePoint: (bytes) => {
      if (bytes.length !== 32 || !sodium.crypto_core_ristretto255_is_valid_point(bytes)) {
        throw new SealError('bad-encoding', 'Expected a canonical ristretto255 element.', { length: bytes.length })
      }
      return asPoint(bytes.slice())
    },
    encodePoint: (point) => asBytes(point).slice(),
    equalPoints: (a, b) => equalBytes(asBytes(a), asBytes(b)),
    addPoints,
    subtractPoints: (a, b) => asPoint(sodium.crypto_core_ristretto255_sub(asBytes(a), asBytes(b))),
    multiply,
    multiplyBase,
    multiplySum: (scalars, points) => points.reduce((sum, point, i) => addPoints(sum, multiply(scalars[i] as Scalar, point)), asPoint(IDENTITY)),
  }
}
