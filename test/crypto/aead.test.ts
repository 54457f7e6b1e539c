import { describe, expect, it } from 'vitest'
import { concatBytes, encodeHex } from '../../engine/codec/bytes.js'
import {
  discloseSubkey, encodeSealContext, NONCE_LENGTH, openDisclosed, openValue, SEALED_OVERHEAD, type SealContext, sealedEpoch, sealValue,
} from '../../engine/crypto/aead.js'
import { LABELS } from '../../engine/crypto/labels.js'
import type { CryptoProvider } from '../../engine/crypto/provider.js'
import { flipped, PROVIDERS, seeded, utf8 } from './support.js'

const random = seeded('aead')
const [noble] = PROVIDERS as [CryptoProvider]
const key = random(32)
const nonce = random(NONCE_LENGTH)
const context: SealContext = { label: LABELS.sealedRow, space: random(32), table: 3, key: utf8('key'), epoch: 258, device: 12, columns: [1, 2, 9] }
const aad = encodeSealContext(context)
const plaintext = utf8('a row of a table')
const sealed = sealValue(noble, key, 258, nonce, aad, plaintext)

const fails = (run: () => unknown, reason?: string) =>
  expect(run).toThrowError(expect.objectContaining(reason === undefined ? { code: 'open-failed' } : { code: 'open-failed', facts: expect.objectContaining({ reason }) as unknown }))

describe.each(PROVIDERS)('a sealed value: $name', (crypto) => {
  it('has the specified layout and is the same from any provider', () => {
    expect(encodeHex(sealValue(crypto, key, 258, nonce, aad, plaintext))).toBe(encodeHex(sealed))
    expect(sealed.length).toBe(plaintext.length + SEALED_OVERHEAD)
    expect(encodeHex(sealed.subarray(0, 5))).toBe('0100000102')
    expect(sealed.subarray(5, 29)).toEqual(nonce)
    const subkey = crypto.hchacha20(key, nonce.subarray(0, 16))
    const commitment = crypto.sha256(concatBytes(utf8('sealdb/v1/seal-commitment\0'), subkey, nonce, crypto.sha256(aad)))
    expect(sealed.subarray(29, 61)).toEqual(commitment)
    expect(sealed.subarray(61)).toEqual(crypto.xchachaSeal(key, nonce, aad, plaintext))
  })

  it('opens under its key, epoch and AAD, also when empty, long or a view into something larger', () => {
    expect(openValue(crypto, key, 258, aad, sealed)).toEqual(plaintext)
    for (const length of [0, 1, 63, 64, 65, 5000]) {
      const value = random(length)
      const made = sealValue(crypto, key, 0xffffffff, nonce, new Uint8Array(0), value)
      const within = concatBytes(Uint8Array.of(9, 9, 9), made, Uint8Array.of(9)).subarray(3, 3 + made.length)
      expect(sealedEpoch(within)).toBe(0xffffffff)
      expect(openValue(crypto, key, 0xffffffff, new Uint8Array(0), within)).toEqual(value)
    }
  })

  it('refuses every flipped byte and every shorter or longer value', () => {
    for (let at = 0; at < sealed.length; at++) {
      const run = () => openValue(crypto, key, 258, aad, flipped(sealed, at, 1 << (at & 7)))
      if (at === 0) expect(run).toThrowError(expect.objectContaining({ code: 'unsupported-version' }))
      else fails(run)
    }
    for (let length = 0; length < sealed.length; length++) fails(() => openValue(crypto, key, 258, aad, sealed.subarray(0, length)))
    fails(() => openValue(crypto, key, 258, aad, concatBytes(sealed, Uint8Array.of(0))))
  })

  it('refuses another key or subkey by the commitment, another epoch by its number', () => {
    fails(() => openValue(crypto, random(32), 258, aad, sealed), 'commitment')
    fails(() => openDisclosed(crypto, random(32), 258, aad, sealed), 'commitment')
    fails(() => openValue(crypto, key, 257, aad, sealed), 'epoch')
  })

  it('refuses a value made to open under two keys: Poly1305 would not notice, the commitment does', () => {
    // A correct ciphertext under another subkey, with the commitment of the first left in place.
    const other = random(32)
    const forged = concatBytes(sealed.subarray(0, 61), crypto.xchachaSeal(other, nonce, aad, plaintext))
    fails(() => openValue(crypto, other, 258, aad, forged), 'commitment')
  })

  it('is disclosed by one subkey, which opens no other value of the same key', () => {
    const subkey = discloseSubkey(crypto, key, sealed)
    expect(openDisclosed(crypto, subkey, 258, aad, sealed)).toEqual(plaintext)
    const next = sealValue(crypto, key, 258, random(24), aad, plaintext)
    fails(() => openDisclosed(crypto, subkey, 258, aad, next), 'commitment')
    fails(() => openDisclosed(crypto, subkey, 258, encodeSealContext({ ...context, device: 13 }), sealed), 'commitment')
  })

  const elsewhere: readonly (readonly [string, Partial<SealContext>])[] = [
    ['label', { label: LABELS.sealedName }], ['space', { space: random(32) }], ['table', { table: 12 }], ['key', { key: utf8('kez') }],
    ['epoch', { epoch: 259 }], ['device', { device: 3 }], ['table and device swapped', { table: 12, device: 3 }], ['columns', { columns: [1, 2] }],
    ['key and columns', { key: utf8('ke'), columns: [1, 2, 9, 11] }], ['other column', { columns: [1, 2, 10] }],
  ]
  it.each(elsewhere)('does not open with another %s in its AAD', (_, change) => {
    fails(() => openValue(crypto, key, 258, encodeSealContext({ ...context, ...change }), sealed), 'commitment')
  })

  it('refuses arguments of wrong shape', () => {
    const bad = expect.objectContaining({ code: 'bad-argument' }) as Error
    expect(() => sealValue(crypto, random(31), 1, nonce, aad, plaintext)).toThrowError(bad)
    expect(() => sealValue(crypto, key, 1, random(12), aad, plaintext)).toThrowError(bad)
    for (const epoch of [-1, 1.5, 2 ** 32]) expect(() => sealValue(crypto, key, epoch, nonce, aad, plaintext)).toThrowError(bad)
    expect(() => openDisclosed(crypto, random(16), 258, aad, sealed)).toThrowError(bad)
    expect(() => encodeSealContext({ ...context, columns: [2, 1] })).toThrowError(bad)
    expect(() => encodeSealContext({ ...context, columns: [1, 1] })).toThrowError(bad)
  })
})
