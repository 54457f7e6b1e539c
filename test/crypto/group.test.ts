/** ristretto255 on every provider: RFC 9496 vectors, our rule for zero and the identity, and noble against sodium at random. */
import { describe, expect, it } from 'vitest'
import { encodeHex } from '../../engine/codec/bytes.js'
import type { GroupPoint, Scalar } from '../../engine/crypto/provider.js'
import { decodeScalar, encodeScalar, GROUP_ORDER, modOrder, reduceScalar } from '../../engine/crypto/scalar.js'
import { fixture, hasFixtures, hex, PROVIDERS, seeded } from './support.js'

interface Rfc9496 {
  readonly smallMultiples: readonly string[]
  readonly badEncodings: readonly string[]
}

describe.each(PROVIDERS)('ristretto255: $name', ({ group }) => {
  const encode = (point: GroupPoint) => encodeHex(group.encodePoint(point))
  const zero = '00'.repeat(32)

  it.skipIf(!hasFixtures)('RFC 9496 appendix A', () => {
    const { smallMultiples, badEncodings } = fixture<Rfc9496>('rfc9496-ristretto255.json')
    let sum = group.identity
    smallMultiples.forEach((expected, i) => {
      expect(encode(group.multiplyBase(BigInt(i)))).toBe(expected)
      expect(encode(group.multiply(BigInt(i), group.base))).toBe(expected)
      expect(encode(sum)).toBe(expected)
      expect(encode(group.decodePoint(hex(expected)))).toBe(expected)
      sum = group.addPoints(sum, group.base)
    })
    for (const bad of badEncodings) expect(() => group.decodePoint(hex(bad)), bad).toThrowError(expect.objectContaining({ code: 'bad-encoding' }))
  })

  it('zero scalars and the identity are ordinary operands', () => {
    const p = group.multiplyBase(12345n)
    const { identity } = group
    expect(encode(identity)).toBe(zero)
    expect(group.equalPoints(group.decodePoint(hex(zero)), identity)).toBe(true)
    const identities = [
      group.multiplyBase(0n), group.multiply(0n, p), group.multiply(7n, identity), group.multiply(0n, identity), group.subtractPoints(p, p),
      group.subtractPoints(identity, identity), group.addPoints(identity, identity), group.addPoints(p, group.subtractPoints(identity, p)),
      group.multiplySum([], []), group.multiplySum([0n, 0n], [p, group.base]), group.multiplySum([3n], [identity]),
      group.multiplySum([1n, GROUP_ORDER - 1n], [p, p]),
    ]
    for (const point of identities) {
      expect(encode(point)).toBe(zero)
      expect(group.equalPoints(point, identity)).toBe(true)
    }
    expect(encode(group.addPoints(identity, p))).toBe(encode(p))
    expect(encode(group.subtractPoints(p, identity))).toBe(encode(p))
    expect(encode(group.multiply(1n, p))).toBe(encode(p))
    expect(encode(group.multiplySum([0n, 1n, 5n], [p, p, identity]))).toBe(encode(p))
    expect(encode(group.multiply(GROUP_ORDER - 1n, p))).toBe(encode(group.subtractPoints(identity, p)))
    expect(group.equalPoints(p, identity)).toBe(false)
  })

  it('decodes 32 bytes only', () => {
    for (const length of [0, 31, 33]) expect(() => group.decodePoint(new Uint8Array(length))).toThrowError(expect.objectContaining({ code: 'bad-encoding' }))
  })

  it('agrees with the reference on random operands', () => {
    const random = seeded('group')
    const reference = (PROVIDERS[0] as (typeof PROVIDERS)[number]).group
    const both = (run: (g: typeof group) => GroupPoint) => expect(encode(run(group))).toBe(encodeHex(reference.encodePoint(run(reference))))
    for (let i = 0; i < 12; i++) {
      const scalars: readonly Scalar[] = Array.from({ length: i }, (_, j) => (j % 2 === 0 ? reduceScalar(random(64)) : reduceScalar(random(64)) >> 124n))
      const [a, b] = [reduceScalar(random(64)), reduceScalar(random(64))]
      both((g) => g.multiply(a, g.multiplyBase(b)))
      both((g) => g.multiplyBase(modOrder(a * b)))
      both((g) => g.subtractPoints(g.multiplyBase(a), g.multiplyBase(b)))
      both((g) => g.addPoints(g.decodePoint(reference.encodePoint(reference.multiplyBase(a))), g.multiplyBase(b)))
      both((g) => g.multiplySum(scalars, scalars.map((s) => g.multiplyBase(modOrder(s + 1n)))))
    }
  })
})

describe('scalars', () => {
  it('are canonical, little-endian, 32 bytes', () => {
    expect(encodeHex(encodeScalar(0x0102n))).toBe('0201' + '00'.repeat(30))
    for (const value of [0n, 1n, GROUP_ORDER - 1n, 2n ** 200n + 7n]) expect(decodeScalar(encodeScalar(value))).toBe(value)
    for (const value of [GROUP_ORDER, GROUP_ORDER + 1n, 2n ** 256n - 1n]) {
      expect(() => decodeScalar(encodeScalar(value))).toThrowError(expect.objectContaining({ code: 'bad-encoding' }))
    }
    for (const length of [0, 31, 33]) expect(() => decodeScalar(new Uint8Array(length))).toThrowError(expect.objectContaining({ code: 'bad-encoding' }))
  })

  it('reduce from 64 bytes', () => {
    expect(reduceScalar(new Uint8Array(64))).toBe(0n)
    expect(reduceScalar(new Uint8Array(64).fill(255))).toBe((2n ** 512n - 1n) % GROUP_ORDER)
    expect(() => reduceScalar(new Uint8Array(32))).toThrowError(expect.objectContaining({ code: 'bad-argument' }))
    expect(modOrder(-1n)).toBe(GROUP_ORDER - 1n)
  })
})

describe('many points at once', () => {
  it('crosses the threshold between two algorithms with the same sum', () => {
    const { group } = PROVIDERS[0] as (typeof PROVIDERS)[number]
    // Σ i·(i·G) for i in [1, n] is n(n+1)(2n+1)/6 · G.
    const count = 1001n
    const scalars = Array.from({ length: Number(count) }, (_, i) => BigInt(i + 1))
    let sum = group.identity
    const points = scalars.map(() => (sum = group.addPoints(sum, group.base)))
    const expected = group.multiplyBase((count * (count + 1n) * (2n * count + 1n)) / 6n)
    expect(group.equalPoints(group.multiplySum(scalars, points), expected)).toBe(true)
  })
})
