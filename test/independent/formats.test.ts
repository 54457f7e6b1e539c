/** PROTOCOL.md is enough for keys and sealed values, too: what was written from its text alone gives the bytes of the vectors and of the engine, and refuses alike. */
import { readFileSync } from 'node:fs'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareBytes } from '../../engine/codec/bytes.js'
import { decodeTuple, encodeTuple } from '../../engine/codec/tuple.js'
import { openValue, sealValue } from '../../engine/crypto/aead.js'
import { loadProvider } from '../../engine/crypto/load.js'
import {
  aadOf, type BoxContext, classRangeOf, decodeKey, encodeKey, epochSecrets, hashOf, open, openBox, openDisclosed, rangeOf, seal, type SealContext, subkeyOf, tableKey, tokenOf, type Value,
} from './formats.mjs'
import { importsOf } from './imports.js'

type Hex = string
type Hexed<T> = { readonly [K in keyof T]: T[K] extends Buffer ? Hex : T[K] }
type Described = { readonly null: true } | { readonly integer: string } | { readonly real: Hex } | { readonly text: string } | { readonly blob: Hex }
interface Ranged { readonly prefix: Hex; readonly values: readonly Described[]; readonly lo: Hex; readonly hi: Hex }
interface TupleVectors {
  readonly ascending: readonly { readonly value: Described; readonly key: Hex }[]
  readonly tuples: readonly { readonly prefix: Hex; readonly values: readonly Described[]; readonly key: Hex }[]
  readonly oneKey: readonly { readonly values: readonly Described[]; readonly keys: readonly Hex[] }[]
  readonly range: readonly Ranged[]
  readonly classRange: readonly (Ranged & { readonly class: string })[]
  readonly longest: { readonly text: string; readonly key: Hex }
  readonly refused: readonly { readonly key: Hex }[]
}
interface CryptoVectors {
  readonly hashing: { readonly label: string; readonly bytes: Hex; readonly hash: Hex }
  readonly derivation: {
    readonly secret: Hex; readonly space: Hex; readonly epoch: number; readonly data: Hex; readonly link: Hex; readonly table: number; readonly tableKey: Hex
    readonly blinding: { readonly secret: Hex; readonly value: Hex; readonly tokens: readonly { readonly scope: Readonly<Record<string, number | string>>; readonly token: Hex }[] }
  }
  readonly sealed: { readonly key: Hex; readonly nonce: Hex; readonly context: Hexed<SealContext>; readonly aad: Hex; readonly plaintext: Hex; readonly subkey: Hex; readonly sealed: Hex }
  readonly keyBox: { readonly context: Hexed<BoxContext>; readonly secret: Hex; readonly plaintext: Hex; readonly box: Hex }
}

const vectors = <T>(name: string): T => JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), 'utf8')) as T
const hex = (text: Hex): Buffer => Buffer.from(text, 'hex')
const toHex = (bytes: Uint8Array): Hex => Buffer.from(bytes).toString('hex')
const NONE = Buffer.alloc(0)

function valueOf(described: Described): Value {
  if ('integer' in described) return BigInt(described.integer)
  if ('real' in described) return hex(described.real).readDoubleBE()
  if ('text' in described) return described.text
  return 'blob' in described ? hex(described.blob) : null
}
const valuesOf = (described: readonly Described[]): Value[] => described.map(valueOf)

it('imports nothing of the engine', () => {
  expect(importsOf('./formats.mjs')).toEqual(['node:crypto'])
})

describe('keys', () => {
  const { ascending, tuples, oneKey, range, classRange, longest, refused } = vectors<TupleVectors>('tuple')

  it('are those of the vectors, and what is none is refused', () => {
    for (const { value, key } of ascending) expect(toHex(encodeKey(NONE, [valueOf(value)]))).toBe(key)
    for (const { prefix, values, key } of tuples) expect(toHex(encodeKey(hex(prefix), valuesOf(values)))).toBe(key)
    for (const { values, keys } of oneKey) expect(values.map((value) => toHex(encodeKey(NONE, [valueOf(value)])))).toEqual(keys)
    for (const { prefix, values, lo, hi } of range) expect(rangeOf(hex(prefix), valuesOf(values))).toEqual({ lo: hex(lo), hi: hex(hi) })
    for (const { class: type, prefix, values, lo, hi } of classRange) expect(classRangeOf(type, hex(prefix), valuesOf(values))).toEqual({ lo: hex(lo), hi: hex(hi) })
    expect(toHex(encodeKey(NONE, [longest.text]))).toBe(longest.key)
    expect(() => encodeKey(NONE, [`${longest.text}a`])).toThrow()
    for (const { key } of refused) expect(() => decodeKey(NONE, hex(key)), key).toThrow()
    for (const { key } of ascending) expect(toHex(encodeKey(NONE, decodeKey(NONE, hex(key))))).toBe(key)
  })

  const anyValue = fc.oneof(
    fc.constant(null), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.integer().map(BigInt), fc.double({ noNaN: true }), fc.integer().map((n) => n / 4),
    fc.string({ unit: 'grapheme', maxLength: 8 }), fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes)),
  )

  it('are those of the engine for any values, in the same order', () => {
    fc.assert(fc.property(fc.array(anyValue, { maxLength: 4 }), fc.array(anyValue, { maxLength: 4 }), (a, b) => {
      const [ours, theirs] = [encodeTuple(a), encodeTuple(b)]
      expect([encodeKey(NONE, a), encodeKey(NONE, b)].map(toHex)).toEqual([ours, theirs].map(toHex))
      expect(Math.sign(Buffer.compare(encodeKey(NONE, a), encodeKey(NONE, b)))).toBe(Math.sign(compareBytes(ours, theirs)))
    }), { numRuns: 500 })
  })

  it('are accepted and refused as by the engine, whole or with a byte changed, added or taken away', () => {
    const accepts = (decode: () => unknown): boolean => {
      try {
        decode()
        return true
      } catch {
        return false
      }
    }
    fc.assert(fc.property(fc.array(anyValue, { minLength: 1, maxLength: 3 }), fc.nat(), fc.integer({ min: 0, max: 255 }), fc.integer({ min: 0, max: 2 }), (values, at, byte, how) => {
      const key = [...encodeTuple(values)]
      key.splice(at % key.length, how === 1 ? 0 : 1, ...(how === 2 ? [] : [byte]))
      const changed = Buffer.from(key)
      expect(accepts(() => decodeKey(NONE, changed)), toHex(changed)).toBe(accepts(() => decodeTuple(changed)))
    }), { numRuns: 2000 })
  })
})

describe('secrets and what is sealed', () => {
  const { hashing, derivation, sealed: vector, keyBox } = vectors<CryptoVectors>('crypto')

  it('hashes under labels, derives, blinds', () => {
    expect(toHex(hashOf(hashing.label, hex(hashing.bytes)))).toBe(hashing.hash)
    const { data, link } = epochSecrets(hex(derivation.secret), hex(derivation.space), derivation.epoch)
    expect([data, link, tableKey(data, derivation.table)].map(toHex)).toEqual([derivation.data, derivation.link, derivation.tableKey])
    for (const { scope: { kind, ...numbers }, token } of derivation.blinding.tokens) {
      const found = tokenOf(hex(derivation.blinding.secret), hex(derivation.space), `blind-${kind}`, Object.values(numbers) as number[], hex(derivation.blinding.value))
      expect(toHex(found)).toBe(token)
    }
  })

  const context = { ...vector.context, space: hex(vector.context.space), key: hex(vector.context.key) }
  const [key, nonce, aad, sealed] = [hex(vector.key), hex(vector.nonce), hex(vector.aad), hex(vector.sealed)]

  it('seals and opens the vector, with key or subkey, and nothing that is changed', () => {
    expect(toHex(aadOf(context))).toBe(vector.aad)
    expect(toHex(subkeyOf(key, nonce))).toBe(vector.subkey)
    expect(toHex(seal(key, context.epoch, nonce, aad, hex(vector.plaintext)))).toBe(vector.sealed)
    expect(toHex(open(key, context.epoch, aad, sealed))).toBe(vector.plaintext)
    expect(toHex(openDisclosed(hex(vector.subkey), context.epoch, aad, sealed))).toBe(vector.plaintext)
    for (let at = 0; at < sealed.length; at++) {
      const changed = Buffer.from(sealed)
      changed[at]! ^= 1 << (at & 7)
      expect(() => open(key, context.epoch, aad, changed), `byte ${at}`).toThrow()
    }
    expect(() => open(key, context.epoch, aadOf({ ...context, device: 8 }), sealed)).toThrow()
    expect(() => open(key, context.epoch + 1, aad, sealed)).toThrow()
    expect(() => openDisclosed(key, context.epoch, aad, sealed)).toThrow()
  })

  it('seals what the engine opens, and the other way round, with every provider', async () => {
    for (const name of ['noble', 'node', 'sodium'] as const) {
      const crypto = await loadProvider(name)
      for (const length of [0, 1, 16, 63, 200, 1000, 5000]) {
        const [plaintext, other] = [Buffer.alloc(length, length), Buffer.from(hashOf('nonce', Buffer.from(`${name} ${length}`)).subarray(0, 24))]
        const theirs = seal(key, 7, other, aad, plaintext)
        expect(toHex(sealValue(crypto, key, 7, other, aad, plaintext))).toBe(toHex(theirs))
        expect(toHex(openValue(crypto, key, 7, aad, theirs))).toBe(toHex(plaintext))
      }
    }
  })

  it('opens the key box, and none that is changed or for another', () => {
    const { secret, plaintext, box } = keyBox
    const of = { ...keyBox.context, space: hex(keyBox.context.space), recipient: hex(keyBox.context.recipient), creator: hex(keyBox.context.creator) }
    expect(toHex(openBox(of, hex(secret), hex(box)))).toBe(plaintext)
    expect(() => openBox({ ...of, epoch: of.epoch + 1 }, hex(secret), hex(box))).toThrow()
    for (let at = 0; at < hex(box).length; at += 3) {
      const changed = hex(box)
      changed[at]! ^= 1
      expect(() => openBox(of, hex(secret), changed), `byte ${at}`).toThrow()
    }
  })
})
