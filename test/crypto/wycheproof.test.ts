/** Wycheproof on every provider: https://github.com/C2SP/wycheproof. Skipped, visibly, where the fixtures are absent. */
import { describe, expect, it } from 'vitest'
import { concatBytes, encodeHex } from '../../engine/codec/bytes.js'
import { isSealError } from '../../engine/errors.js'
import type { CryptoProvider } from '../../engine/crypto/provider.js'
import { nobleVerifier } from '../../engine/crypto/verifier.js'
import { ALL_PROVIDERS, fixture, hasFixtures, hex, PROVIDERS, type Wycheproof } from './support.js'

const VERIFIERS: readonly { readonly name: string; readonly verifyEd25519: CryptoProvider['verifyEd25519'] }[] = [...PROVIDERS, { ...nobleVerifier, name: 'verifier' }]

describe.skipIf(!hasFixtures).each(VERIFIERS)('Wycheproof: $name', ({ verifyEd25519 }) => {
  it('Ed25519', () => {
    interface Group { readonly publicKey: { readonly pk: string } }
    interface Case { readonly msg: string; readonly sig: string }
    const wrong: number[] = []
    for (const group of fixture<Wycheproof<Case, Group>>('ed25519_test.json').testGroups) {
      for (const test of group.tests) {
        if (verifyEd25519(hex(test.sig), hex(test.msg), hex(group.publicKey.pk)) !== (test.result === 'valid')) wrong.push(test.tcId)
      }
    }
    expect(wrong).toEqual([])
  })
})

describe.skipIf(!hasFixtures).each(ALL_PROVIDERS)('Wycheproof: %s', (_, crypto) => {
  it('X25519', () => {
    interface Case { readonly public: string; readonly private: string; readonly shared: string }
    for (const group of fixture<Wycheproof<Case>>('x25519_test.json').testGroups) {
      for (const test of group.tests) {
        // "Acceptable" are non-canonical, twist and small-order keys: all agree but where the secret is zero, which all refuse.
        const agree = () => encodeHex(crypto.x25519(hex(test.private), hex(test.public)))
        if (/^0*$/.test(test.shared)) expect(agree, `${test.tcId}`).toThrowError(expect.objectContaining({ code: 'bad-key' }))
        else expect(agree(), `${test.tcId}`).toBe(test.shared)
      }
    }
  })

  it('XChaCha20-Poly1305', () => {
    interface Group { readonly ivSize: number }
    interface Case { readonly key: string; readonly iv: string; readonly aad: string; readonly msg: string; readonly ct: string; readonly tag: string }
    for (const group of fixture<Wycheproof<Case, Group>>('xchacha20_poly1305_test.json').testGroups) {
      for (const test of group.tests) {
        const sealed = concatBytes(hex(test.ct), hex(test.tag))
        const open = () => encodeHex(crypto.xchachaOpen(hex(test.key), hex(test.iv), hex(test.aad), sealed))
        if (group.ivSize !== 192) expect(open, `${test.tcId}`).toThrowError(expect.objectContaining({ code: 'bad-argument' }))
        else if (test.result === 'invalid') expect(open, `${test.tcId}`).toThrowError(expect.objectContaining({ code: 'open-failed' }))
        else {
          expect(open(), `${test.tcId}`).toBe(test.msg)
          expect(encodeHex(crypto.xchachaSeal(hex(test.key), hex(test.iv), hex(test.aad), hex(test.msg)))).toBe(encodeHex(sealed))
        }
      }
    }
  })

  it('HKDF-SHA-256', () => {
    interface Case { readonly ikm: string; readonly salt: string; readonly info: string; readonly size: number; readonly okm: string }
    for (const group of fixture<Wycheproof<Case>>('hkdf_sha256_test.json').testGroups) {
      for (const test of group.tests) {
        const derive = () => encodeHex(crypto.hkdfSha256(hex(test.ikm), hex(test.salt), hex(test.info), test.size))
        if (test.result === 'invalid') expect(derive).toThrowError(expect.objectContaining({ code: 'bad-argument' }))
        else expect(derive(), `${test.tcId}`).toBe(test.okm)
      }
    }
  })

  it('HMAC-SHA-256', () => {
    interface Group { readonly tagSize: number }
    interface Case { readonly key: string; readonly msg: string; readonly tag: string }
    for (const group of fixture<Wycheproof<Case, Group>>('hmac_sha256_test.json').testGroups) {
      for (const test of group.tests) {
        const tag = encodeHex(crypto.hmacSha256(hex(test.key), hex(test.msg))).slice(0, group.tagSize / 4)
        expect(tag === test.tag, `${test.tcId}`).toBe(test.result === 'valid')
      }
    }
  })
})

it('reports what it throws as SealErrors', () => {
  try {
    PROVIDERS[0]?.xchachaOpen(new Uint8Array(32), new Uint8Array(24), new Uint8Array(0), new Uint8Array(15))
    expect.unreachable()
  } catch (error) {
    expect(isSealError(error, 'open-failed')).toBe(true)
  }
})
