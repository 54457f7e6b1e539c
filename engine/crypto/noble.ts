/**
 * The reference provider: the noble family, everywhere JavaScript runs. It also answers for the others where their platform has
 * no such thing (ristretto255 in Node) and where they must be asked twice (Ed25519 rejections, noble-core.ts).
 * Non-promises, as noble's own: bigint arithmetic is not constant time, and secrets can't be wiped from a JavaScript heap.
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { hmac } from '@noble/hashes/hmac.js'
import { hkdf } from '@noble/hashes/hkdf.js'
import { argon2id } from '@noble/hashes/argon2.js'
import { ristretto255, x25519 } from '@noble/curves/ed25519.js'
import { mulAddUnsafe, pippenger } from '@noble/curves/abstract/curve.js'
import { SealError } from '../errors.js'
import { agreementBy } from './agreement.js'
import { checkArgon2 } from './checks.js'
import { checkHkdfLength } from './hmac.js'
import { nobleCiphers, nobleHash, nobleSignatures } from './noble-core.js'
import type { Agreement, CryptoProvider, Derivation, Group, GroupPoint, Scalar } from './provider.js'

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

export const nobleAgreement: Agreement = agreementBy((secret) => x25519.getPublicKey(secret), (secret, publicKey) => x25519.getSharedSecret(secret, publicKey))

type Point = InstanceType<typeof ristretto255.Point>
const Point = ristretto255.Point
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
