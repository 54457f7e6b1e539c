/**
 * The reference provider: the noble family, everywhere JavaScript runs. It also answers for the others where their platform has
 * no such thing (ristretto255 in Node) and where they must be asked twice (Ed25519 rejections).
 * Non-promises, as noble's own: bigint arithmetic is not constant time, and secrets can't be wiped from a JavaScript heap.
 */
import { sha256, sha512 } from '@noble/hashes/sha2.js'
import { hmac } from '@noble/hashes/hmac.js'
import { hkdf } from '@noble/hashes/hkdf.js'
import { argon2id } from '@noble/hashes/argon2.js'
import { chacha20poly1305, hchacha, xchacha20poly1305 } from '@noble/ciphers/chacha.js'
import { ed25519, ristretto255, x25519 } from '@noble/curves/ed25519.js'
import { mulAddUnsafe, pippenger } from '@noble/curves/abstract/curve.js'
import { concatBytes } from '../codec/bytes.js'
import { SealError } from '../errors.js'
import { checkArgon2, checkLength, openFailed } from './checks.js'
import { plausibleSignature, SEED_LENGTH } from './ed25519-rule.js'
import { checkHkdfLength } from './hmac.js'
import type { Agreement, Ciphers, CryptoProvider, Derivation, Group, GroupPoint, Scalar, Sha256, Signatures } from './provider.js'
import { encodeScalar, reduceScalar } from './scalar.js'

export const nobleHash: Sha256 = {
  sha256: (data) => sha256(data),
  sha256Into: (input, start, end, out, at) => {
    sha256.create().update(input.subarray(start, end)).digestInto(out.subarray(at, at + 32))
  },
}

export const nobleDerivation: Derivation = {
  hmacSha256: (key, message) => hmac(sha256, key, message),
  hkdfSha256: (ikm, salt, info, length) => {
    checkHkdfLength(length)
    return hkdf(sha256, ikm, salt, info, length)
  },
  argon2id: (password, salt, cost, length) => {
    checkArgon2(salt, cost, length)
    return argon2id(password, salt, { m: cost.memoryKib, t: cost.passes, p: 1, dkLen: length, maxmem: cost.memoryKib * 1024 + 1024 * 1024 })
  },
}

export const nobleSignatures: Signatures = {
  signer: (seed) => {
    checkLength(seed, SEED_LENGTH, 'Ed25519 seed')
    const { prefix, scalar, pointBytes } = ed25519.utils.getExtendedPublicKey(seed)
    const publicKey = pointBytes.slice()
    return {
      publicKey,
      sign: (message) => {
        const r = reduceScalar(sha512(concatBytes(prefix, message)))
        const encodedR = ed25519.Point.BASE.multiply(r).toBytes()
        const k = reduceScalar(sha512(concatBytes(encodedR, pointBytes, message)))
        return concatBytes(encodedR, encodeScalar(ed25519.Point.Fn.create(r + k * scalar)))
      },
    }
  },
  verifyEd25519: (signature, message, publicKey) =>
    plausibleSignature(signature, publicKey) && ed25519.verify(signature, message, publicKey, { zip215: false }),
}

/** True if `bytes` are a canonical encoding of a point of the Edwards curve. */
export function isEdwardsPoint(bytes: Uint8Array): boolean {
  return bytes.length === 32 && ed25519.utils.isValidPublicKey(bytes, false)
}

export const nobleCiphers: Ciphers = {
  chachaSeal: (key, nonce, aad, plaintext) => {
    checkLength(key, 32, 'key')
    checkLength(nonce, 12, 'nonce')
    return chacha20poly1305(key, nonce, aad).encrypt(plaintext)
  },
  chachaOpen: (key, nonce, aad, sealed) => {
    checkLength(key, 32, 'key')
    checkLength(nonce, 12, 'nonce')
    return opening(sealed, () => chacha20poly1305(key, nonce, aad).decrypt(sealed))
  },
  hchacha20: (key, nonce) => {
    checkLength(key, 32, 'key')
    checkLength(nonce, 16, 'nonce')
    const out = new Uint32Array(8)
    hchacha(SIGMA, words(key, 8), words(nonce, 4), out)
    return bytesOf(out)
  },
  xchachaSeal: (key, nonce, aad, plaintext) => {
    checkLength(key, 32, 'key')
    checkLength(nonce, 24, 'nonce')
    return xchacha20poly1305(key, nonce, aad).encrypt(plaintext)
  },
  xchachaOpen: (key, nonce, aad, sealed) => {
    checkLength(key, 32, 'key')
    checkLength(nonce, 24, 'nonce')
    return opening(sealed, () => xchacha20poly1305(key, nonce, aad).decrypt(sealed))
  },
}

export const nobleAgreement: Agreement = {
  x25519PublicKey: (secret) => {
    checkLength(secret, 32, 'X25519 secret')
    return x25519.getPublicKey(secret)
  },
  x25519: (secret, publicKey) => {
    checkLength(secret, 32, 'X25519 secret')
    checkLength(publicKey, 32, 'X25519 public key')
    try {
      return x25519.getSharedSecret(secret, publicKey)
    } catch (cause) {
      // noble throws for one reason once the lengths are right: the shared secret is all zero.
      throw new SealError('bad-key', 'Expected a contributory X25519 public key, found one of small order.', {}, { cause })
    }
  },
}

type Point = InstanceType<typeof ristretto255.Point>
const { Point } = ristretto255
/** Where pippenger overtakes interleaved wNAF (measured for 128-bit scalars, 2 cores). */
const PIPPENGER_FROM = 1000

const asPoint = (point: GroupPoint): Point => point as unknown as Point
const asGroup = (point: Point): GroupPoint => point as unknown as GroupPoint

export const nobleGroup: Group = {
  base: asGroup(Point.BASE),
  identity: asGroup(Point.ZERO),
  decodePoint: (bytes) => {
    try {
      return asGroup(Point.fromBytes(bytes))
    } catch (cause) {
      throw new SealError('bad-encoding', 'Expected a canonical ristretto255 element.', { length: bytes.length }, { cause })
    }
  },
  encodePoint: (point) => asPoint(point).toBytes(),
  equalPoints: (a, b) => asPoint(a).equals(asPoint(b)),
  addPoints: (a, b) => asGroup(asPoint(a).add(asPoint(b))),
  subtractPoints: (a, b) => asGroup(asPoint(a).subtract(asPoint(b))),
  multiply: (scalar, point) => {
    // noble refuses 0 in constant-time multiplication, and multiplying the identity is not worth a ladder.
    if (scalar === 0n || asPoint(point).is0()) return nobleGroup.identity
    return asGroup(asPoint(point).multiply(scalar))
  },
  multiplyBase: (scalar) => (scalar === 0n ? nobleGroup.identity : asGroup(Point.BASE.multiply(scalar))),
  multiplySum: (scalars, points) => {
    const keptScalars: Scalar[] = []
    const keptPoints: Point[] = []
    points.forEach((point, i) => {
      const scalar = scalars[i] as Scalar
      if (scalar === 0n || asPoint(point).is0()) return
      keptScalars.push(scalar)
      keptPoints.push(asPoint(point))
    })
    if (keptPoints.length === 0) return nobleGroup.identity
    const sum = keptPoints.length < PIPPENGER_FROM ? mulAddUnsafe : pippenger
    return asGroup(sum(Point, keptPoints, keptScalars))
  },
}

export const nobleProvider: CryptoProvider = {
  name: 'noble',
  ...nobleHash,
  ...nobleDerivation,
  ...nobleSignatures,
  ...nobleCiphers,
  ...nobleAgreement,
  group: nobleGroup,
}

// "expand 32-byte k" as little-endian words (RFC 8439 §2.3).
const SIGMA = new Uint32Array([0x61707865, 0x3320646e, 0x79622d32, 0x6b206574])

function words(bytes: Uint8Array, count: number): Uint32Array {
  const out = new Uint32Array(count)
  for (let i = 0; i < count; i++) {
    const at = 4 * i
    out[i] = (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24)
  }
  return out
}

function bytesOf(wordArray: Uint32Array): Uint8Array {
  const out = new Uint8Array(4 * wordArray.length)
  wordArray.forEach((word, i) => {
    out[4 * i] = word
    out[4 * i + 1] = word >>> 8
    out[4 * i + 2] = word >>> 16
    out[4 * i + 3] = word >>> 24
  })
  return out
}

function opening(sealed: Uint8Array, open: () => Uint8Array): Uint8Array {
  if (sealed.length < 16) throw openFailed(sealed.length)
  try {
    return open()
  } catch (cause) {
    throw openFailed(sealed.length, cause)
  }
}
