/**
 * A batch of signatures has the verdict that each has alone, all of them together: of noble's, the reference's. What libraries differ in, what cancels where weights are known, and where a batch begins and ends.
 */
import { ed25519 } from '@noble/curves/ed25519.js'
import { sha512 } from '@noble/hashes/sha2.js'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { concatBytes, encodeHex } from '../../engine/codec/bytes.js'
import { verifyExactly } from '../../engine/crypto/ed25519-exact.js'
import { nobleProvider } from '../../engine/crypto/noble.js'
import type { CryptoProvider, SignedMessage } from '../../engine/crypto/provider.js'
import { encodeScalar, GROUP_ORDER, littleEndian, modOrder, reduceScalar } from '../../engine/crypto/scalar.js'
import { goodTogether } from '../../engine/crypto/verify-many.js'
import { type Ed25519Kernel, loadEd25519 } from '../../engine/crypto/wasm/ed25519.js'
import { ALL_PROVIDERS, fixture, flipped, hasFixtures, hex, seeded, utf8, type Wycheproof } from './support.js'

const random = seeded('ed25519 batch')
const { Point } = ed25519
type EdwardsPoint = typeof Point.BASE
const kernel = loadEd25519() as Ed25519Kernel
const alone = ({ signature, message, publicKey }: SignedMessage): boolean => nobleProvider.verifyEd25519(signature, message, publicKey)
const node = ALL_PROVIDERS.find(([title]) => title === 'node with kernels')?.[1] as CryptoProvider
const signers = Array.from({ length: 5 }, () => node.signer(random(32)))
const signed = (i: number, message = random(100 + 3 * i)): SignedMessage => {
  const signer = signers[i % signers.length] as (typeof signers)[number]
  return { signature: signer.sign(message), message, publicKey: signer.publicKey }
}
const GOOD: readonly SignedMessage[] = Array.from({ length: 130 }, (_, i) => signed(i))
const hashOf = (encodedR: Uint8Array, publicKey: Uint8Array, message: Uint8Array): bigint => reduceScalar(sha512(concatBytes(encodedR, publicKey, message)))

const TORSION: readonly EdwardsPoint[] = (() => {
  const generator = Point.fromHex('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a')
  return Array.from({ length: 8 }, (_, i) => (i === 0 ? Point.ZERO : generator.multiplyUnsafe(BigInt(i))))
})()
/** By A = a·B + T with R = r·B + U + D: good for any T and U of small order while D is none. */
function crafted({ torsionA = Point.ZERO, torsionR = Point.ZERO, error = Point.ZERO, offset = 0n, r = reduceScalar(random(64)), a = reduceScalar(random(64)), message = random(40) }: {
  readonly torsionA?: EdwardsPoint; readonly torsionR?: EdwardsPoint; readonly error?: EdwardsPoint; readonly offset?: bigint; readonly r?: bigint; readonly a?: bigint; readonly message?: Uint8Array
}): SignedMessage {
  const publicKey = Point.BASE.multiply(a).add(torsionA).toBytes()
  const encodedR = (r === 0n ? Point.ZERO : Point.BASE.multiply(r)).add(torsionR).add(error).toBytes()
  return { message, publicKey, signature: concatBytes(encodedR, encodeScalar(modOrder(r + hashOf(encodedR, publicKey, message) * a + offset))) }
}
/** 8 · Σ (s·B − R − h·A), without weights. */
function plainSum(items: readonly SignedMessage[]): EdwardsPoint {
  return items.reduce((sum, { signature, message, publicKey }) => {
    const [encodedR, s] = [signature.subarray(0, 32), littleEndian(signature.subarray(32))]
    return sum.add(Point.BASE.multiplyUnsafe(s)).subtract(Point.fromBytes(encodedR)).subtract(Point.fromBytes(publicKey).multiplyUnsafe(hashOf(encodedR, publicKey, message)))
  }, Point.ZERO).clearCofactor()
}

interface Named { readonly name: string; readonly item: SignedMessage }
function vectors(): readonly Named[] {
  interface Group { readonly publicKey: { readonly pk: string } }
  interface Case { readonly msg: string; readonly sig: string }
  const wycheproof = fixture<Wycheproof<Case, Group>>('ed25519_test.json').testGroups.flatMap((group) => group.tests.map((test) => (
    { name: `Wycheproof ${test.tcId}`, item: { signature: hex(test.sig), message: hex(test.msg), publicKey: hex(group.publicKey.pk) } })))
  const speccheck = fixture<readonly { readonly message: string; readonly pub_key: string; readonly signature: string }[]>('speccheck-cases.json').map((c, i) => (
    { name: `speccheck ${i}`, item: { signature: hex(c.signature), message: hex(c.message), publicKey: hex(c.pub_key) } }))
  return [...wycheproof, ...speccheck]
}
const [FIRST] = GOOD as readonly [SignedMessage]

/** What differs from a good signature in one respect, and signatures on which libraries differ. */
const VARIANTS: readonly Named[] = [
  ...Array.from({ length: 64 }, (_, at) => ({ name: `signature byte ${at}`, item: { ...FIRST, signature: flipped(FIRST.signature, at, 1 << (at & 7)) } })),
  ...Array.from({ length: 32 }, (_, at) => ({ name: `key byte ${at}`, item: { ...FIRST, publicKey: flipped(FIRST.publicKey, at, 1 << (at & 7)) } })),
  { name: 'top bit of R', item: { ...FIRST, signature: flipped(FIRST.signature, 31, 0x80) } }, { name: 'top bit of A', item: { ...FIRST, publicKey: flipped(FIRST.publicKey, 31, 0x80) } },
  { name: 'message', item: { ...FIRST, message: flipped(FIRST.message, 7) } }, { name: 'no message', item: { ...FIRST, message: new Uint8Array(0) } },
  { name: 'under another key', item: { ...FIRST, publicKey: (GOOD[1] as SignedMessage).publicKey } },
  { name: 'S + L', item: { ...FIRST, signature: concatBytes(FIRST.signature.subarray(0, 32), encodeScalar(littleEndian(FIRST.signature.subarray(32)) + GROUP_ORDER)) } },
  { name: 'S + 1', item: crafted({ offset: 1n }) }, { name: 'R + B', item: crafted({ error: Point.BASE }) }, { name: 'R + B + T', item: crafted({ error: Point.BASE.add(TORSION[1] as EdwardsPoint) }) },
  ...[0, 1, 31, 33, 64].map((length) => ({ name: `key of ${length}`, item: { ...FIRST, publicKey: random(length) } })), ...[0, 63, 65].map((length) => ({ name: `signature of ${length}`, item: { ...FIRST, signature: random(length) } })),
  ...TORSION.flatMap((torsionA, i) => TORSION.map((torsionR, j) => ({ name: `torsion ${i}, ${j}`, item: crafted({ torsionA, torsionR }) }))),
  ...TORSION.map((torsionR, i) => ({ name: `R small ${i}`, item: crafted({ torsionR, r: 0n }) })),
  ...TORSION.map((small, i) => ({ name: `A small ${i}`, item: { message: utf8('any'), publicKey: small.toBytes(), signature: new Uint8Array(64).fill(0).fill(1, 0, 1) } })),
  // Not canonical, each hashed as it is written: R of x = 0 with a sign, of y ≥ p.
  ...['01' + '00'.repeat(30) + '80', 'ec' + 'ff'.repeat(31), 'ee' + 'ff'.repeat(30) + '7f', 'ee' + 'ff'.repeat(31), 'ed' + 'ff'.repeat(30) + '7f', 'ed' + 'ff'.repeat(31)].map((encoded) => {
    const a = reduceScalar(random(64))
    const [publicKey, message] = [Point.BASE.multiply(a).toBytes(), utf8('R written otherwise')]
    return { name: `R ${encoded.slice(0, 4)}`, item: { publicKey, message, signature: concatBytes(hex(encoded), encodeScalar(modOrder(hashOf(hex(encoded), publicKey, message) * a))) } }
  }),
]

describe.each([['of the vectors', hasFixtures ? vectors() : []], ['and of what differs in one respect', VARIANTS]] as const)('every verdict %s', (title, all) => {
  const verdicts = all.map(({ item }) => alone(item))
  const wrong = (verdict: (item: SignedMessage, i: number) => boolean): readonly string[] => all.filter(({ item }, i) => verdict(item, i) !== verdicts[i]).map(({ name }) => name)

  it.skipIf(all.length === 0)('is noble’s: alone, and exactly', () => {
    expect(wrong((item) => kernel.verify([item]))).toEqual([])
    expect(wrong(({ signature, message, publicKey }) => verifyExactly(signature, message, publicKey))).toEqual([])
    expect(new Set(verdicts)).toEqual(new Set([true, false]))
  })

  it.skipIf(all.length === 0)('is noble’s among five good ones, at every place', () => {
    for (let place = 0; place <= 5; place++) expect(wrong((item) => kernel.verify([...GOOD.slice(0, place), item, ...GOOD.slice(place, 5)])), `${place}`).toEqual([])
  })

  it.skipIf(all.length === 0)('is the conjunction of any hundred', () => {
    const good = all.filter((_, i) => verdicts[i]).map(({ item }) => item)
    for (let from = 0; from < good.length; from += 100) expect(kernel.verify(good.slice(from, from + 100))).toBe(true)
    for (let i = 0; i < all.length; i += 9) expect(kernel.verify([...good.slice(i % 40, (i % 40) + 30), (all[i] as Named).item, ...good.slice(0, 40)])).toBe(verdicts[i])
  })

  it.skipIf(all.length === 0).each(ALL_PROVIDERS)(`is noble’s by %s`, (_, crypto) => {
    expect(wrong((item) => crypto.verifyEd25519Batch?.([...GOOD.slice(0, 3), item]) ?? alone(item))).toEqual([])
    expect(wrong(({ signature, message, publicKey }) => crypto.verifyEd25519(signature, message, publicKey))).toEqual([])
    expect(title.length).toBeGreaterThan(0)
  })
})

describe('a batch', () => {
  it('of none is good; of 1 to 130 good ones too, and not with a bad one at either end or anywhere', () => {
    for (const [, crypto] of ALL_PROVIDERS) expect(crypto.verifyEd25519Batch?.([]) ?? true).toBe(true)
    const bad = { ...signed(3), message: utf8('another') }
    for (let size = 1; size <= 130; size++) {
      const items = GOOD.slice(0, size)
      expect(node.verifyEd25519Batch?.(items), `${size}`).toBe(true)
      for (const at of new Set([0, size - 1, (size * 37) % size])) expect(node.verifyEd25519Batch?.([...items.slice(0, at), bad, ...items.slice(at + 1)]), `${size}, ${at}`).toBe(false)
    }
  })

  it('may hold the same twice, and many keys, once each, more than are kept', () => {
    expect(kernel.verify([FIRST, FIRST, FIRST])).toBe(true)
    const bad = crafted({ offset: 5n })
    expect(kernel.verify([bad, bad])).toBe(false)
    for (let round = 0; round < 9; round++) {
      const items = Array.from({ length: 128 }, (_, i) => { const signer = node.signer(random(32)); const message = random(i); return { signature: signer.sign(message), message, publicKey: signer.publicKey } })
      expect(kernel.verify(items)).toBe(true)
      expect(kernel.verify([...items.slice(1), bad])).toBe(false)
    }
    expect(kernel.verify(GOOD.slice(0, 9))).toBe(true)
  })

  it('does not mistake equal keys for one array, or an array that has changed for what it was', () => {
    const key = FIRST.publicKey.slice()
    expect(kernel.verify([FIRST, { ...FIRST, publicKey: key }])).toBe(true)
    key.set((GOOD[1] as SignedMessage).publicKey)
    expect(kernel.verify([FIRST, { ...FIRST, publicKey: key }])).toBe(false)
    expect(kernel.verify([{ ...(GOOD[1] as SignedMessage), publicKey: key }])).toBe(true)
  })

  it('hashes messages of every length, and long ones in pieces', () => {
    for (const length of [...Array.from({ length: 270 }, (_, i) => i), ...Array.from({ length: 40 }, (_, i) => 940 + i), 1964, 4096, 8191, 8192, 8193, 20_000]) {
      const item = signed(length, new Uint8Array(length).fill(length))
      expect(kernel.verify([item]), `${length}`).toBe(true)
      expect(node.verifyEd25519Batch?.([FIRST, item])).toBe(true)
      if (length > 0) expect(node.verifyEd25519Batch?.([FIRST, { ...item, message: flipped(item.message, length - 1) }]), `${length}`).toBe(false)
    }
  })

  it('is not fooled by errors that cancel, as they do without weights', () => {
    const error = Point.BASE.multiply(reduceScalar(random(64)))
    const offset = reduceScalar(random(64))
    const pairs = [
      [crafted({ error }), crafted({ error: error.negate() })], [crafted({ offset }), crafted({ offset: GROUP_ORDER - offset })],
      [crafted({ error: Point.BASE }), crafted({ offset: 1n })], [crafted({ offset: 1n }), crafted({ offset: 1n }), crafted({ offset: GROUP_ORDER - 2n })],
    ]
    for (const items of pairs) {
      expect(plainSum(items).is0()).toBe(true)
      expect(items.map(alone)).toEqual(items.map(() => false))
      expect(kernel.verify(items)).toBe(false)
      expect(kernel.verify([...GOOD.slice(0, 20), ...items, ...GOOD.slice(20, 40)])).toBe(false)
    }
  })

  it('is a function of its input', () => {
    const bad = [...GOOD.slice(0, 7), crafted({ offset: 1n })]
    for (let i = 0; i < 5; i++) expect([kernel.verify(GOOD.slice(0, 7)), kernel.verify(bad)]).toEqual([true, false])
  })
})

describe('many of a few signers', () => {
  const counting = (): { readonly crypto: CryptoProvider; readonly looked: number[] } => {
    const looked: number[] = []
    return { looked, crypto: { ...node, verifyEd25519Batch: (items) => { looked.push(items.length); return node.verifyEd25519Batch?.(items) ?? false } } }
  }
  it('are good together, and where one is bad only its signer’s are in doubt', () => {
    const { crypto, looked } = counting()
    expect(goodTogether(crypto, GOOD)).toEqual(GOOD.map(() => true))
    expect(looked).toEqual([128, 2])
    const bad = { ...(GOOD[12] as SignedMessage), message: utf8('another') }
    const items = GOOD.slice(0, 100).map((item, i) => (i === 12 ? bad : item))
    expect(goodTogether(crypto, items)).toEqual(items.map((_, i) => i % 5 !== 2))
    // No more than two looks at each.
    expect(looked.slice(2)).toEqual([100, 20, 20, 20, 20, 20])
  })
  it('says nothing of one signer’s with a bad one, of too few, or where nothing is quicker together', () => {
    const { crypto, looked } = counting()
    const own = GOOD.filter((_, i) => i % 5 === 0)
    expect(goodTogether(crypto, [...own, { ...FIRST, message: utf8('x') }])).toEqual(Array.from({ length: own.length + 1 }, () => false))
    expect(looked).toEqual([27])
    expect(goodTogether(crypto, GOOD.slice(0, 3))).toEqual([false, false, false])
    expect(goodTogether(nobleProvider, GOOD.slice(0, 10))).toEqual(Array.from({ length: 10 }, () => false))
    expect(goodTogether(crypto, [])).toEqual([])
    expect(encodeHex(FIRST.publicKey)).toHaveLength(64)
  })
})

describe('without WebAssembly', () => {
  afterEach(() => {
    vi.unstubAllGlobals()
    vi.resetModules()
  })
  const bad = { ...FIRST, message: utf8('another') }
  const native = globalThis.WebAssembly

  it.each([
    ['at all', undefined],
    ['from bytes', { Module: class { constructor() { throw new EvalError('wasm-unsafe-eval') } } }],
  ])('%s, noble has the exact verdict', async (_, instead) => {
    vi.resetModules()
    vi.stubGlobal('WebAssembly', instead)
    const { verifyExactly: fresh } = await import('../../engine/crypto/ed25519-exact.js')
    expect([FIRST, bad].map(({ signature, message, publicKey }) => fresh(signature, message, publicKey))).toEqual([true, false])
  })

  it('for this one kernel, a batch is its signatures one by one', async () => {
    vi.resetModules()
    let made = 0
    vi.stubGlobal('WebAssembly', { Instance: native.Instance, Module: class { constructor(code: Uint8Array<ArrayBuffer>) { if (made++ > 0) throw new EvalError('memory'); return new native.Module(code) } } })
    const fresh = await import('../../engine/crypto/with-kernels.js')
    const { verifyEd25519Batch } = fresh.withKernels(nobleProvider)
    expect([verifyEd25519Batch?.([FIRST, GOOD[1] as SignedMessage]), verifyEd25519Batch?.([FIRST, bad])]).toEqual([true, false])
    expect(made).toBe(2)
  })
})
