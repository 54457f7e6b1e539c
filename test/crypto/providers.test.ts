/** What every provider must do alike: the conformance suite of the crypto port, beside the standards' own vectors. */
import { createHash, hkdfSync } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { describe, expect, it } from 'vitest'
import { concatBytes, encodeHex } from '../../engine/codec/bytes.js'
import { blindToken, deriveBlindKey } from '../../engine/crypto/blind.js'
import { deriveEpochSecrets, deriveSecret, deriveTableKey } from '../../engine/crypto/kdf.js'
import { hashLabelled, LABELS } from '../../engine/crypto/labels.js'
import { loadProvider } from '../../engine/crypto/load.js'
import type { CryptoProvider } from '../../engine/crypto/provider.js'
import { defaultProvider as browserProvider } from '../../engine/crypto/default-browser.js'
import { ALL_PROVIDERS, flipped, hex, PROVIDERS, seeded, utf8 } from './support.js'

const bad = expect.objectContaining({ code: 'bad-argument' }) as Error

describe.each(ALL_PROVIDERS)('provider %s', (_, crypto) => {
  const random = seeded('providers')

  it('hashes every length around the block size, in place and out of place', () => {
    for (let length = 0; length < 200; length++) {
      const input = random(length)
      const expected = createHash('sha256').update(input).digest('hex')
      expect(encodeHex(crypto.sha256(input))).toBe(expected)
      const within = concatBytes(random(5), input, random(7))
      const out = new Uint8Array(48).fill(0xaa)
      crypto.sha256Into(within, 5, 5 + length, out, 9)
      expect(encodeHex(out)).toBe('aa'.repeat(9) + expected + 'aa'.repeat(7))
    }
    const same = random(64)
    const expected = crypto.sha256(same)
    crypto.sha256Into(same, 0, 64, same, 32)
    expect(same.subarray(32)).toEqual(expected)
  })

  it('returns fresh plain Uint8Arrays, not views of pools or Buffers', () => {
    const signer = crypto.signer(random(32))
    const results = [
      crypto.sha256(random(3)), crypto.hmacSha256(random(3), random(3)), crypto.hkdfSha256(random(32), random(0), random(0), 40), signer.publicKey,
      signer.sign(random(3)), crypto.chachaSeal(random(32), random(12), random(0), random(5)), crypto.hchacha20(random(32), random(16)),
      crypto.x25519PublicKey(random(32)), crypto.x25519(random(32), crypto.x25519PublicKey(random(32))), crypto.group.encodePoint(crypto.group.base),
      crypto.chachaOpen(hex('00'.repeat(32)), new Uint8Array(12), random(0), crypto.chachaSeal(new Uint8Array(32), new Uint8Array(12), random(0), utf8('x'))),
    ]
    for (const result of results) {
      expect(Object.getPrototypeOf(result)).toBe(Uint8Array.prototype)
      expect(result.buffer.byteLength).toBe(result.length)
    }
  })

  it('takes any byte, 0x80 and above too: no text lies in between', () => {
    const all = Uint8Array.from({ length: 256 }, (_, i) => i)
    expect(encodeHex(crypto.sha256(all))).toBe('40aff2e9d2d8922e47afd4648e6967497158785fbd1da870e7110266bf944880')
  })

  it('seals the same as the reference', () => {
    const [noble] = PROVIDERS as [CryptoProvider]
    for (const length of [0, 1, 15, 16, 17, 64, 333]) {
      const [key, nonce, nonce24, aad, plaintext] = [random(32), random(12), random(24), random(length % 40), random(length)] as const
      const sealed = crypto.chachaSeal(key, nonce, aad, plaintext)
      expect(sealed).toEqual(noble.chachaSeal(key, nonce, aad, plaintext))
      expect(crypto.xchachaSeal(key, nonce24, aad, plaintext)).toEqual(noble.xchachaSeal(key, nonce24, aad, plaintext))
      expect(crypto.chachaOpen(key, nonce, aad, sealed)).toEqual(plaintext)
      for (const at of [0, sealed.length - 1]) {
        expect(() => crypto.chachaOpen(key, nonce, aad, flipped(sealed, at))).toThrowError(expect.objectContaining({ code: 'open-failed' }))
      }
      expect(() => crypto.chachaOpen(key, nonce, concatBytes(aad, Uint8Array.of(0)), sealed)).toThrowError(expect.objectContaining({ code: 'open-failed' }))
    }
  })

  it('HChaCha20: draft-irtf-cfrg-xchacha-03 §2.2.1', () => {
    const key = Uint8Array.from({ length: 32 }, (_, i) => i)
    expect(encodeHex(crypto.hchacha20(key, hex('000000090000004a0000000031415927')))).toBe('82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc')
  })

  it('Argon2id: the cost of RFC 9106 counts, and all agree', () => {
    const derive = (memoryKib: number, passes: number) => encodeHex(crypto.argon2id(utf8('pass'), new Uint8Array(16).fill(2), { memoryKib, passes }, 32))
    expect(derive(64, 2)).toBe(encodeHex((PROVIDERS[0] as CryptoProvider).argon2id(utf8('pass'), new Uint8Array(16).fill(2), { memoryKib: 64, passes: 2 }, 32)))
    expect(derive(64, 3)).not.toBe(derive(64, 2))
    expect(derive(72, 2)).not.toBe(derive(64, 2))
    for (const [memoryKib, passes] of [[7, 1], [64, 0], [2 ** 22, 1], [64.5, 1]] as const) expect(() => derive(memoryKib, passes)).toThrowError(bad)
    expect(() => crypto.argon2id(utf8('pass'), new Uint8Array(8), { memoryKib: 64, passes: 1 }, 32)).toThrowError(bad)
  })

  it('refuses wrong lengths alike', () => {
    const calls = [
      () => crypto.signer(random(31)), () => crypto.chachaSeal(random(31), random(12), random(0), random(0)),
      () => crypto.chachaSeal(random(32), random(8), random(0), random(0)), () => crypto.chachaOpen(random(32), random(24), random(0), random(16)),
      () => crypto.xchachaSeal(random(32), random(12), random(0), random(0)), () => crypto.xchachaSeal(random(16), random(24), random(0), random(0)),
      () => crypto.xchachaOpen(random(32), random(23), random(0), random(16)), () => crypto.hchacha20(random(32), random(24)),
      () => crypto.hchacha20(random(31), random(16)), () => crypto.x25519(random(31), random(32)), () => crypto.x25519(random(32), random(33)),
      () => crypto.x25519PublicKey(random(0)), () => crypto.hkdfSha256(random(32), random(0), random(0), 0),
      () => crypto.hkdfSha256(random(32), random(0), random(0), 8161), () => crypto.hkdfSha256(random(32), random(0), random(0), 1.5),
    ]
    for (const call of calls) expect(call).toThrowError(bad)
    expect(crypto.hkdfSha256(random(32), random(0), random(0), 8160).length).toBe(8160)
  })

  it('does not change its input', () => {
    const inputs = [random(32), random(24), random(40), random(100)] as const
    const before = inputs.map(encodeHex)
    const [key, nonce, aad, text] = inputs
    crypto.xchachaOpen(key, nonce, aad, crypto.xchachaSeal(key, nonce, aad, text))
    crypto.x25519(key, crypto.x25519PublicKey(key))
    crypto.hmacSha256(key, text)
    crypto.signer(key).sign(text)
    crypto.group.decodePoint(crypto.group.encodePoint(crypto.group.base))
    expect(inputs.map(encodeHex)).toEqual(before)
  })

  it('derives: info is label ‖ 0 ‖ context, labels and contexts apart', () => {
    const secret = random(32)
    const expected = new Uint8Array(hkdfSync('sha256', secret, '', 'sealdb/v1/table-data\0\x07', 32))
    expect(deriveSecret(crypto, secret, LABELS.tableData, Uint8Array.of(7))).toEqual(expected)
    expect(deriveTableKey(crypto, secret, 7)).toEqual(expected)
    expect(deriveTableKey(crypto, secret, 8)).not.toEqual(expected)
    expect(deriveSecret(crypto, secret, LABELS.presenceData, Uint8Array.of(7))).not.toEqual(expected)
    expect(() => deriveSecret(crypto, random(16), LABELS.tableData)).toThrowError(bad)
    const space = random(32)
    const { data, link } = deriveEpochSecrets(crypto, secret, space, 1)
    for (const other of [link, deriveEpochSecrets(crypto, secret, space, 2).data, deriveEpochSecrets(crypto, secret, random(32), 1).data]) expect(other).not.toEqual(data)
  })

  it('blinds: equal values give equal tokens under one scope and no other', () => {
    const [secret, space] = [random(32), random(32)]
    const scopes = [
      { kind: 'row', table: 1 }, { kind: 'row', table: 2 }, { kind: 'index', table: 1, index: 1, epoch: 1 }, { kind: 'index', table: 1, index: 2, epoch: 1 },
      { kind: 'index', table: 1, index: 1, epoch: 2 }, { kind: 'name' },
    ] as const
    const tokens = scopes.map((scope) => encodeHex(blindToken(crypto, deriveBlindKey(crypto, secret, space, scope), utf8('value'))))
    expect(new Set(tokens).size).toBe(scopes.length)
    expect(tokens.every((token) => token.length === 32)).toBe(true)
    const key = deriveBlindKey(crypto, secret, space, scopes[0])
    expect(encodeHex(blindToken(crypto, key, utf8('value')))).toBe(tokens[0])
    expect(encodeHex(blindToken(crypto, key, utf8('valuf')))).not.toBe(tokens[0])
    expect(encodeHex(blindToken(crypto, deriveBlindKey(crypto, random(32), space, scopes[0]), utf8('value')))).not.toBe(tokens[0])
  })
})

describe('labels', () => {
  it('are unique, versioned ASCII without a zero byte', () => {
    const all = Object.values(LABELS)
    expect(new Set(all).size).toBe(all.length)
    for (const label of all) expect(label).toMatch(/^sealdb\/v1\/[a-z0-9-]+$/)
  })

  it('stand before a zero byte', () => {
    const [crypto] = PROVIDERS as [CryptoProvider]
    expect(hashLabelled(crypto, LABELS.spaceId, utf8('a'), utf8('b'))).toEqual(crypto.sha256(utf8('sealdb/v1/space-id\0ab')))
  })
})

describe('loading', () => {
  it('by name, and the platform’s own by default', async () => {
    for (const name of ['noble', 'node', 'sodium'] as const) expect((await loadProvider(name)).name).toBe(name)
    expect((await loadProvider()).name).toBe('node')
    expect(browserProvider().name).toBe('noble')
  })

  it('in a browser reaches no module of Node', async () => {
    const entry = fileURLToPath(new URL('../../engine/crypto/load.ts', import.meta.url))
    const bundle = await build({ entryPoints: [entry], bundle: true, write: false, format: 'esm', platform: 'browser', external: ['libsodium-wrappers-sumo'], metafile: true })
    const imports = Object.values(bundle.metafile.outputs).flatMap((output) => output.imports.map(({ path }) => path))
    expect(imports).toEqual(['libsodium-wrappers-sumo'])
  })

  it('keeps verifying after more keys than the cache of prepared ones holds', async () => {
    const node = await loadProvider('node')
    const signer = node.signer(new Uint8Array(32))
    const signature = signer.sign(utf8('m'))
    const garbage = new Uint8Array(64)
    expect(node.verifyEd25519(signature, utf8('m'), signer.publicKey)).toBe(true)
    // A signature that isn't even plausible never fills the cache; an invalid but plausible one may.
    for (let i = 0; i < 1100; i++) expect(node.verifyEd25519(garbage.fill(0xff), utf8('m'), node.sha256(Uint8Array.of(i >> 8, i)))).toBe(false)
    for (let i = 0; i < 1100; i++) {
      const other = node.signer(node.sha256(Uint8Array.of(i >> 8, i)))
      expect(node.verifyEd25519(other.sign(utf8('m')), utf8('m'), other.publicKey)).toBe(true)
    }
    expect(node.verifyEd25519(signature, utf8('m'), signer.publicKey)).toBe(true)
  })
})
