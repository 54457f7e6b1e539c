/** One verdict on every signature, whatever the provider: the consensus rule of ed25519-rule.ts. */
import { createPublicKey, verify } from 'node:crypto'
import { ed25519 } from '@noble/curves/ed25519.js'
import { sha512 } from '@noble/hashes/sha2.js'
import { describe, expect, it } from 'vitest'
import { concatBytes, encodeHex, equalBytes } from '../../engine/codec/bytes.js'
import { LABELS } from '../../engine/crypto/labels.js'
import type { CryptoProvider } from '../../engine/crypto/provider.js'
import { encodeScalar, GROUP_ORDER, littleEndian, modOrder, reduceScalar } from '../../engine/crypto/scalar.js'
import { admitSigningKey, signBytes, verifySignature } from '../../engine/crypto/sign.js'
import { nobleVerifier } from '../../engine/crypto/verifier.js'
import { fixture, flipped, hasFixtures, hex, PROVIDERS, seeded, utf8 } from './support.js'

const random = seeded('ed25519')
const { Point } = ed25519
type EdwardsPoint = typeof Point.BASE

/** Everything that the tests below have asked: asked again on another thread at the end. */
const asked: { readonly signature: Uint8Array; readonly message: Uint8Array; readonly publicKey: Uint8Array; readonly good: boolean }[] = []

/** One answer of all providers and of the verifier's bundle, or a failed test. */
function verdict(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean {
  const verdicts = [...PROVIDERS, nobleVerifier].map((provider) => provider.verifyEd25519(signature, message, publicKey))
  expect(new Set(verdicts).size, encodeHex(signature)).toBe(1)
  const good = verdicts[0] as boolean
  asked.push({ signature, message, publicKey, good })
  return good
}

/** What OpenSSL alone says, to show that a case is one where it differs. */
function openssl(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean {
  const key = createPublicKey({ key: Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), publicKey]), format: 'der', type: 'spki' })
  return verify(null, message, key, signature)
}

/** The points of small order: multiples of one of order 8. */
const TORSION: readonly EdwardsPoint[] = (() => {
  const generator = Point.fromBytes(hex('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a'))
  const points = [Point.ZERO]
  for (let i = 1; i < 8; i++) points.push((points[i - 1] as EdwardsPoint).add(generator))
  return points
})()

/** A signature by A = a·B + T on M, with R = r·B + U: valid under the cofactored equation for any torsion points T and U. */
function mixedOrder(message: Uint8Array, torsionA: EdwardsPoint, torsionR: EdwardsPoint, r = reduceScalar(random(64))) {
  const a = reduceScalar(random(64))
  const publicKey = Point.BASE.multiply(a).add(torsionA).toBytes()
  const encodedR = (r === 0n ? Point.ZERO : Point.BASE.multiply(r)).add(torsionR).toBytes()
  const k = reduceScalar(sha512(concatBytes(encodedR, publicKey, message)))
  return { publicKey, signature: concatBytes(encodedR, encodeScalar(modOrder(r + k * a))) }
}

describe('Ed25519', () => {
  it('signs the same and verifies, between any two providers', () => {
    for (let i = 0; i < 20; i++) {
      const seed = random(32)
      const message = random(3 * i)
      const signers = PROVIDERS.map((provider) => provider.signer(seed))
      const signatures = signers.map((signer) => encodeHex(signer.sign(message)))
      expect(new Set(signatures).size).toBe(1)
      expect(new Set(signers.map((signer) => encodeHex(signer.publicKey))).size).toBe(1)
      const [signer] = signers as [(typeof signers)[number]]
      expect(verdict(signer.sign(message), message, signer.publicKey)).toBe(true)
      expect(verdict(signer.sign(message), concatBytes(message, Uint8Array.of(0)), signer.publicKey)).toBe(false)
    }
  })

  it('RFC 8032 §7.1, test 2', () => {
    const publicKey = hex('3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c')
    for (const provider of PROVIDERS) {
      const signer = provider.signer(hex('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb'))
      expect(signer.publicKey).toEqual(publicKey)
      expect(encodeHex(signer.sign(Uint8Array.of(0x72)))).toBe(
        '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
      )
    }
  })

  it('refuses every flipped bit of signature and key', () => {
    const signer = (PROVIDERS[1] as CryptoProvider).signer(random(32))
    const message = utf8('a message')
    const signature = signer.sign(message)
    for (let bit = 0; bit < 512; bit += 3) expect(verdict(flipped(signature, bit >> 3, 1 << (bit & 7)), message, signer.publicKey)).toBe(false)
    for (let bit = 0; bit < 256; bit += 5) expect(verdict(signature, message, flipped(signer.publicKey, bit >> 3, 1 << (bit & 7)))).toBe(false)
  })

  it('answers false, never throws, for any lengths', () => {
    const signer = (PROVIDERS[0] as CryptoProvider).signer(random(32))
    const signature = signer.sign(new Uint8Array(0))
    for (const length of [0, 1, 31, 32, 63, 65, 128]) {
      expect(verdict(random(length), new Uint8Array(0), signer.publicKey)).toBe(false)
      if (length !== 32) expect(verdict(signature, new Uint8Array(0), random(length))).toBe(false)
    }
  })

  it('accepts keys and nonces of mixed order, on which libraries differ', () => {
    const message = utf8('mixed order')
    let differing = 0
    for (const torsionA of TORSION) {
      for (const torsionR of TORSION) {
        const { publicKey, signature } = mixedOrder(message, torsionA, torsionR)
        expect(verdict(signature, message, publicKey)).toBe(true)
        if (!openssl(signature, message, publicKey)) differing += 1
      }
    }
    expect(differing).toBeGreaterThan(20)
  })

  it('accepts R of small order, also the identity', () => {
    const message = utf8('small R')
    for (const torsionR of TORSION) {
      const { publicKey, signature } = mixedOrder(message, Point.ZERO, torsionR, 0n)
      expect(verdict(signature, message, publicKey)).toBe(true)
    }
  })

  it('refuses R = identity or −1 with a sign bit, and R with y ≥ p', () => {
    const message = utf8('R written otherwise')
    const a = reduceScalar(random(64))
    const publicKey = Point.BASE.multiply(a).toBytes()
    // Each decodes, in a lax library, to a point of small order; S fits the bytes as they are hashed.
    const encodings = ['01' + '00'.repeat(30) + '80', 'ec' + 'ff'.repeat(31), 'ee' + 'ff'.repeat(30) + '7f', 'ee' + 'ff'.repeat(31), 'ed' + 'ff'.repeat(30) + '7f']
    for (const encoded of encodings) {
      const k = reduceScalar(sha512(concatBytes(hex(encoded), publicKey, message)))
      const signature = concatBytes(hex(encoded), encodeScalar(modOrder(k * a)))
      expect(verdict(signature, message, publicKey), encoded).toBe(false)
      expect(ed25519.verify(signature, message, publicKey, { zip215: true }), encoded).toBe(true)
    }
  })

  it('refuses keys of small order in every encoding, where the equation holds and OpenSSL says yes', () => {
    // A small: 8·k·A = 0, so S = 0 and R = 0 satisfy the cofactored equation for every message.
    const signature = concatBytes(Point.ZERO.toBytes(), new Uint8Array(32))
    let accepted = 0
    const encodings = [...TORSION.map((point) => encodeHex(point.toBytes())), '01' + '00'.repeat(30) + '80', 'ec' + 'ff'.repeat(31), 'ee' + 'ff'.repeat(30) + '7f', 'ee' + 'ff'.repeat(31), 'ed' + 'ff'.repeat(30) + '7f', 'ed' + 'ff'.repeat(31)]
    for (const encoded of encodings) {
      const publicKey = hex(encoded)
      for (let i = 0; i < 16; i++) {
        const message = Uint8Array.of(i)
        expect(verdict(signature, message, publicKey), encoded).toBe(false)
        if (openssl(signature, message, publicKey)) accepted += 1
        expect(ed25519.verify(signature, message, publicKey, { zip215: true }), encoded).toBe(true)
      }
      expect(() => admitSigningKey(publicKey), encoded).toThrowError(expect.objectContaining({ code: 'bad-key' }))
    }
    expect(accepted).toBeGreaterThan(0)
  })

  it('refuses S + L', () => {
    const signer = (PROVIDERS[2] as CryptoProvider).signer(random(32))
    const message = utf8('malleable')
    const signature = signer.sign(message)
    const again = concatBytes(signature.subarray(0, 32), encodeScalar(littleEndian(signature.subarray(32)) + GROUP_ORDER))
    expect(verdict(signature, message, signer.publicKey)).toBe(true)
    expect(verdict(again, message, signer.publicKey)).toBe(false)
  })

  it.skipIf(!hasFixtures)('gives the twelve speccheck cases one verdict each', () => {
    interface Case { readonly message: string; readonly pub_key: string; readonly signature: string }
    const verdicts = fixture<readonly Case[]>('speccheck-cases.json').map((c) => verdict(hex(c.signature), hex(c.message), hex(c.pub_key)))
    // 0–1: A small. 2: R small. 3: A mixed, both equations. 4: A and R mixed, cofactored only. 5: cofactored, k reduced only after · 8.
    // 6–7: S ≥ L. 8–9: R not canonical. 10–11: A not canonical and small.
    expect(verdicts).toEqual([false, false, true, true, true, true, false, false, false, false, false, false])
  })

  it('says yes on another thread to nothing that the rule refuses, and to most of what it takes', async () => {
    const { verifyEd25519Aside } = PROVIDERS.find(({ name }) => name === 'node') as CryptoProvider
    const answers = await Promise.all(asked.map(async ({ signature, message, publicKey }) => verifyEd25519Aside?.(signature, message, publicKey)))
    expect(asked.filter(({ good }, i) => answers[i] !== false && !good)).toEqual([])
    expect(answers.filter((answer) => answer === true).length).toBeGreaterThan(30)
  })
})

describe('labelled signatures', () => {
  const signer = (PROVIDERS[1] as CryptoProvider).signer(random(32))
  const signature = signBytes(signer, LABELS.entry, utf8('bytes'))
  it.each(PROVIDERS)('hold for one label only ($name)', (crypto) => {
    expect(verifySignature(crypto, LABELS.entry, utf8('bytes'), signature, signer.publicKey)).toBe(true)
    expect(verifySignature(crypto, LABELS.acceptance, utf8('bytes'), signature, signer.publicKey)).toBe(false)
    expect(crypto.verifyEd25519(signature, utf8('bytes'), signer.publicKey)).toBe(false)
    expect(crypto.verifyEd25519(signature, utf8('sealdb/v1/entry\0bytes'), signer.publicKey)).toBe(true)
  })
})

describe('admission of a signing key', () => {
  it('takes an honest key and one of mixed order, as a copy', () => {
    const { publicKey } = (PROVIDERS[1] as CryptoProvider).signer(random(32))
    const admitted = admitSigningKey(publicKey)
    expect(equalBytes(admitted, publicKey)).toBe(true)
    expect(admitted).not.toBe(publicKey)
    expect(admitSigningKey(mixedOrder(utf8(''), TORSION[1] as EdwardsPoint, Point.ZERO).publicKey).length).toBe(32)
  })

  it('refuses other lengths, y ≥ p and what is not on the curve', () => {
    const notOnCurve = new Uint8Array(32).fill(0)
    notOnCurve[0] = 2
    const reasons = [new Uint8Array(31), hex('f0' + 'ff'.repeat(30) + '7f'), notOnCurve].map((bytes) => {
      try {
        return admitSigningKey(bytes)
      } catch (error) {
        return (error as { readonly facts: { readonly reason: string } }).facts.reason
      }
    })
    expect(reasons).toEqual(['length', 'not-canonical', 'not-on-curve'])
  })
})
