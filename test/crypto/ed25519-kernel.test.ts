/** Field and points of the Ed25519 kernel against bigints and noble: at the bounds of what words may hold, and over everything a decoder meets. */
import { createHash } from 'node:crypto'
import { ed25519 } from '@noble/curves/ed25519.js'
import { describe, expect, it } from 'vitest'
import { encodeHex } from '../../engine/codec/bytes.js'
import { littleEndian } from '../../engine/crypto/scalar.js'
import { DOUBLE, POINT } from '../../engine/crypto/wasm/edwards.js'
import { ed25519Code, type Ed25519Exports, POINTS } from '../../engine/crypto/wasm/ed25519.js'
import { P, PAIR, pairOf } from '../../engine/crypto/wasm/field.js'
import { exportsOf } from '../../engine/crypto/wasm/instance.js'
import { hash512Constants } from '../../engine/crypto/wasm/sha512.js'
import { FACTOR_WORDS, SUM_WORDS } from '../../engine/crypto/wasm/scalars.js'
import { fixture, hasFixtures, hex, seeded, type Wycheproof } from './support.js'

type Three = (to: number, a: number, b: number) => void
/** What only tests call, too. */
interface Kernel extends Ed25519Exports {
  readonly multiply: Three
  readonly square: Three
  unpack(to: number, from: number): void
  pack(to: number, a: number): void
  isZero(a: number): number
  double(): void
}

const kernel = exportsOf(ed25519Code()) as unknown as Kernel
const memory = new Uint8Array(kernel.memory.buffer)
const words = new Uint32Array(kernel.memory.buffer)
const random = seeded('ed25519 kernel')
const { Point } = ed25519
type EdwardsPoint = typeof Point.BASE

const [A, B, C, BYTES, TABLE, STEPS] = [16_384, 16_384 + PAIR, 16_384 + 2 * PAIR, 20_480, 24_576, 32_768]
const wordIndex = (i: number): number => 4 * (i >> 1) + 2 * (i & 1)
const wordsOf = (at: number, lane: number): readonly number[] => Array.from({ length: 10 }, (_, i) => words[at / 4 + wordIndex(i) + lane] as number)
const valueOf = (all: readonly number[]): bigint => all.reduce((sum, word, i) => sum + (BigInt(word) << BigInt(Math.ceil(25.5 * i))), 0n)
const value = (at: number, lane: number): bigint => valueOf(wordsOf(at, lane))
const place = (at: number, a: readonly number[], b: readonly number[]): void => {
  for (const [lane, all] of [a, b].entries()) all.forEach((word, i) => { words[at / 4 + wordIndex(i) + lane] = word })
}
const U = 2 ** 26 + 2 ** 19
/** The widest words of a number n wide. */
const widest = (n: number): readonly number[] => Array.from({ length: 10 }, (_, i) => Math.floor((n * U) / (1 + (i & 1))))
const isOneWide = (all: readonly number[]): boolean => all.every((word, i) => word <= ((i & 1) === 0 ? U : U / 2))

const BOUNDARIES = [
  0n, 1n, 2n, 18n, 19n, 20n, 37n, 38n, P - 20n, P - 19n, P - 2n, P - 1n, P, P + 1n, P + 17n, P + 18n, 2n ** 254n, 2n ** 255n - 1n, 2n ** 255n - 2n,
  ...Array.from({ length: 10 }, (_, i) => 1n << BigInt(Math.ceil(25.5 * i))), ...Array.from({ length: 10 }, (_, i) => (1n << BigInt(Math.ceil(25.5 * i))) - 1n), (P - 1n) / 2n, (P + 1n) / 2n,
]
const numbers = (count: number): readonly bigint[] => Array.from({ length: count }, () => littleEndian(random(32)) & (2n ** 255n - 1n))

describe('field', () => {
  it('multiplies and squares two at a time, at the boundaries and anywhere', () => {
    const all = [...BOUNDARIES, ...numbers(60)]
    const wrong: bigint[] = []
    for (const [i, a] of all.entries()) {
      for (const [j, b] of all.entries()) {
        const other = all[(i + 7 * j) % all.length] as bigint
        words.set(pairOf(a, other), A / 4)
        words.set(pairOf(b, a), B / 4)
        kernel.multiply(C, A, B)
        if (value(C, 0) % P !== (a * b) % P || value(C, 1) % P !== (other * a) % P || !isOneWide(wordsOf(C, 0)) || !isOneWide(wordsOf(C, 1))) wrong.push(a, b)
      }
      words.set(pairOf(a, all[(i * 5) % all.length] as bigint), A / 4)
      kernel.square(C, A, 1)
      if (value(C, 0) % P !== (a * a) % P || value(C, 1) % P !== (all[(i * 5) % all.length] as bigint) ** 2n % P || !isOneWide(wordsOf(C, 0))) wrong.push(a)
    }
    expect(wrong).toEqual([])
  })

  it('holds the widest words that it promises to take, together and each alone', () => {
    for (const [n, m] of [[30, 1], [10, 3], [15, 2], [5, 3], [1, 3]] as const) {
      const [f, g] = [widest(n), widest(m)]
      // All words, then all but one.
      for (let without = -1; without < 10; without++) {
        const f2 = f.map((word, i) => (i === without ? 0 : word))
        place(A, f, f2)
        place(B, g, g)
        kernel.multiply(C, A, B)
        for (const [lane, left] of [f, f2].entries()) {
          expect(value(C, lane) % P, `${n} · ${m}, without ${without}`).toBe((valueOf(left) * valueOf(g)) % P)
          expect(isOneWide(wordsOf(C, lane))).toBe(true)
        }
      }
    }
    for (let without = -1; without < 10; without++) {
      const f = widest(3).map((word, i) => (i === without ? 0 : word))
      place(A, f, widest(3))
      kernel.square(C, A, 1)
      expect(value(C, 0) % P).toBe(valueOf(f) ** 2n % P)
      expect(value(C, 1) % P).toBe(valueOf(widest(3)) ** 2n % P)
      expect(isOneWide(wordsOf(C, 0)) && isOneWide(wordsOf(C, 1))).toBe(true)
    }
  })

  it('would fail here if a column could overflow: one and a half times the promise does', () => {
    place(A, widest(17), widest(17))
    place(B, widest(3), widest(3))
    kernel.multiply(C, A, B)
    expect(value(C, 0) % P).not.toBe((valueOf(widest(17)) * valueOf(widest(3))) % P)
  })

  it('squares again and again', () => {
    const a = numbers(1)[0] as bigint
    words.set(pairOf(a, 3n), A / 4)
    kernel.square(C, A, 100)
    let expected = a
    for (let i = 0; i < 100; i++) expected = (expected * expected) % P
    expect(value(C, 0) % P).toBe(expected)
  })

  it('unpacks 255 bits, and packs what it is modulo p, of words of any width', () => {
    for (const n of [...BOUNDARIES, ...numbers(200)]) {
      for (const lane of [0, 1]) {
        for (let i = 0; i < 32; i++) memory[BYTES + i] = Number((n >> BigInt(8 * i)) & 0xffn)
        memory[BYTES + 31] = (memory[BYTES + 31] as number) | 0x80
        kernel.unpack(A + 4 * lane, BYTES)
        expect(value(A, lane)).toBe(n)
        kernel.pack(BYTES, A + 4 * lane)
        expect(littleEndian(memory.slice(BYTES, BYTES + 32))).toBe(n % P)
        expect(kernel.isZero(A + 4 * lane)).toBe(n % P === 0n ? 1 : 0)
      }
    }
    const ends = [widest(30), Array.from({ length: 10 }, () => 0xffffffff), Array.from({ length: 10 }, (_, i) => (i === 9 ? 0xffffffff : 0))]
    for (let k = 0; k < 60; k++) ends.push(Array.from({ length: 10 }, () => Number(littleEndian(random(4)))))
    // Multiples of p, in words that overlap.
    for (let times = 0; times < 60; times++) ends.push(wordsOf(placed(pairOf(P, 0n)), 0).map((word) => word * times))
    for (const all of ends) {
      place(A, all, all)
      kernel.pack(BYTES, A)
      expect(littleEndian(memory.slice(BYTES, BYTES + 32))).toBe(valueOf(all) % P)
    }
  })
})

function placed(pair: Uint32Array): number {
  words.set(pair, B / 4)
  return B
}

/** The point, affine. */
function point(): readonly [bigint, bigint] {
  const z = power(value(POINTS.point + PAIR, 0) % P, P - 2n)
  const [x, y] = [(value(POINTS.point, 0) * z) % P, (value(POINTS.point, 1) * z) % P]
  expect((value(POINTS.point + PAIR, 1) * z) % P).toBe((x * y) % P)
  for (const at of [POINTS.point, POINTS.point + PAIR]) for (const lane of [0, 1]) expect(wordsOf(at, lane).every((word, i) => word <= (2 * U) / (1 + (i & 1)))).toBe(true)
  return [x, y]
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n
  for (; exponent > 0n; exponent >>= 1n, base = (base * base) % P) if ((exponent & 1n) === 1n) result = (result * base) % P
  return result
}

const affine = (of: EdwardsPoint): readonly [bigint, bigint] => { const { x, y } = of.toAffine(); return [x, y] }
const TORSION_GENERATOR = Point.fromHex('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a')
const TORSION: readonly EdwardsPoint[] = Array.from({ length: 8 }, (_, i) => (i === 0 ? Point.ZERO : TORSION_GENERATOR.multiplyUnsafe(BigInt(i))))

describe('points', () => {
  /** What noble decodes, y not reduced and sign of zero ignored, as the kernel does: the rule's own checks of bytes are elsewhere. */
  const lax = (bytes: Uint8Array): readonly [bigint, bigint] | undefined => {
    try {
      return affine(Point.fromBytes(bytes, true))
    } catch {
      return undefined
    }
  }
  const both = (a: Uint8Array, b: Uint8Array): void => {
    memory.set(a, BYTES)
    memory.set(b, BYTES + 32)
    const found = kernel.decode(BYTES)
    for (const [lane, bytes] of [a, b].entries()) {
      const expected = lax(bytes)
      expect((found >> lane) & 1, encodeHex(bytes)).toBe(expected === undefined ? 0 : 1)
      kernel.take(lane)
      if (expected !== undefined) expect(point(), encodeHex(bytes)).toEqual(expected)
    }
  }
  const encoded = (y: bigint, sign: number): Uint8Array => {
    const bytes = Uint8Array.from({ length: 32 }, (_, i) => Number((y >> BigInt(8 * i)) & 0xffn))
    bytes[31] = (bytes[31] as number) | (sign << 7)
    return bytes
  }

  it('decodes what noble does, to the same: any bytes, y at the boundaries and above p, both signs, small order', () => {
    const all = [
      ...BOUNDARIES.filter((y) => y < 2n ** 255n).flatMap((y) => [encoded(y, 0), encoded(y, 1)]),
      ...Array.from({ length: 19 }, (_, i) => encoded(P + BigInt(i), i & 1)), ...TORSION.map((one) => one.toBytes()),
      ...Array.from({ length: 300 }, () => random(32)),
    ]
    all.forEach((bytes, i) => both(bytes, all[(i * 11 + 1) % all.length] as Uint8Array))
  })

  it.skipIf(!hasFixtures)('decodes what noble does in all vectors', () => {
    interface Group { readonly publicKey: { readonly pk: string }; readonly tests: readonly { readonly sig: string }[] }
    const keys = fixture<Wycheproof<{ readonly sig: string }, Group>>('ed25519_test.json').testGroups.flatMap((group) => [group.publicKey.pk, ...group.tests.map(({ sig }) => sig)])
    const cases = fixture<readonly { readonly pub_key: string; readonly signature: string }[]>('speccheck-cases.json').flatMap(({ pub_key: key, signature }) => [key, signature])
    const all = [...keys, ...cases].filter((text) => text.length >= 64).map((text) => hex(text.slice(0, 64)))
    expect(all.length).toBeGreaterThan(150)
    all.forEach((bytes, i) => both(bytes, all[(i + 1) % all.length] as Uint8Array))
  })

  const ready = (of: EdwardsPoint, at: number): void => {
    memory.set(of.toBytes(), BYTES)
    memory.set(of.toBytes(), BYTES + 32)
    expect(kernel.decode(BYTES)).toBe(3)
    kernel.take(1)
    kernel.table(at)
  }
  const run = (steps: readonly number[]): void => {
    words.set(steps, STEPS / 4)
    kernel.sum(STEPS, STEPS + 4 * steps.length)
  }

  it('adds, takes off and doubles any two, equal, opposite and of small order', () => {
    const some = [Point.BASE, Point.BASE.negate(), Point.BASE.double(), Point.BASE.add(TORSION_GENERATOR), Point.BASE.multiply(123456789n), ...TORSION]
    for (const p of some) {
      for (const q of some) {
        ready(p, TABLE)
        ready(q, TABLE + 4 * POINT)
        const multiple = (of: EdwardsPoint, times: number): EdwardsPoint => of.multiplyUnsafe(BigInt(times))
        const results: readonly (readonly [readonly number[], EdwardsPoint])[] = [
          [[TABLE], p], [[TABLE + 1], p.negate()], [[TABLE, DOUBLE], p.double()], [[TABLE, TABLE + 4 * POINT], p.add(q)], [[TABLE, TABLE + 4 * POINT + 1], p.subtract(q)],
          [[TABLE + 3 * POINT, DOUBLE, TABLE + 5 * POINT + 1, DOUBLE], multiple(p, 28).subtract(multiple(q, 6))], [[TABLE + 2 * POINT, TABLE + POINT], multiple(p, 8)],
        ]
        for (const [steps, expected] of results) {
          run(steps)
          expect(point()).toEqual(affine(expected))
          expect(kernel.isIdentity()).toBe(expected.is0() ? 1 : 0)
        }
      }
    }
  })

  it('is not taken in by (0, −1): the point of order two is no identity', () => {
    ready(TORSION[4] as EdwardsPoint, TABLE)
    run([TABLE])
    expect(point()).toEqual([0n, P - 1n])
    expect(kernel.isIdentity()).toBe(0)
  })
})

describe('long numbers', () => {
  it('add products up', () => {
    const [SUM, SHORT, LONG] = [40_960, 41_984, 43_008]
    memory.fill(0, SUM, LONG + 4 * FACTOR_WORDS)
    let expected = 0n
    for (let i = 0; i < 300; i++) {
      const [short, long] = i < 150 ? [new Uint8Array(16).fill(0xff), new Uint8Array(64).fill(0xff)] : [random(16), random(64)]
      memory.set(short, SHORT)
      memory.set(long, LONG)
      kernel.addProduct(SUM, SHORT, LONG)
      expected += littleEndian(short) * littleEndian(long)
    }
    expect(littleEndian(memory.slice(SUM, SUM + 4 * SUM_WORDS))).toBe(expected)
  })
})

describe('SHA-512', () => {
  it('has the constants of FIPS 180-4', () => {
    const constants = [...hash512Constants()].map((word) => word.toString(16).padStart(16, '0'))
    expect([constants[0], constants[79], constants[80], constants[87]]).toEqual(['428a2f98d728ae22', '6c44198c4a475817', '6a09e667f3bcc908', '5be0cd19137e2179'])
  })

  it('of blocks is OpenSSL’s', () => {
    for (let count = 1; count < 8; count++) {
      // A message that ends so that its padding fills the last block.
      const message = random(128 * count - 17)
      const bits = new Uint8Array(16)
      new DataView(bits.buffer).setUint32(12, 8 * message.length)
      memory.set(Uint8Array.of(...message, 0x80, ...bits), BYTES)
      kernel.hashStart()
      kernel.hashBlocks(BYTES, BYTES + 128)
      if (count > 1) kernel.hashBlocks(BYTES + 128, BYTES + 128 * count)
      kernel.hashEnd(BYTES)
      expect(encodeHex(memory.slice(BYTES, BYTES + 64))).toBe(createHash('sha512').update(message).digest('hex'))
    }
  })
})
