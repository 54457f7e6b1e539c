/** Values sealed, opened and blinded by fours: the same bytes as one by one, the same accepted and refused, and nothing secret left behind. */
import { describe, expect, it } from 'vitest'
import { concatBytes, encodeHex } from '../../engine/codec/bytes.js'
import { openValue, SEALED_OVERHEAD, type Sealing, sealValue } from '../../engine/crypto/aead.js'
import { blindTokens, openValues, sealValues } from '../../engine/crypto/aead-batch.js'
import { blindToken } from '../../engine/crypto/blind.js'
import { nobleProvider } from '../../engine/crypto/noble.js'
import { nodeProvider } from '../../engine/crypto/node.js'
import { isSealError } from '../../engine/errors.js'
import { type Kernels, loadKernels } from '../../engine/crypto/wasm/kernels.js'
import { withKernels } from '../../engine/crypto/with-kernels.js'
import { flipped, seeded } from './support.js'

const kernels = loadKernels() as Kernels
const { longestText, longestAad } = kernels.values
const random = seeded('batch')
const crypto = withKernels(nodeProvider)
const EPOCH = 0x01020304
/** Lengths that differ a lot from those beside them, and those at each limit. */
const lengthsOf = (longest: number): number[] => [
  ...Array.from({ length: 150 }, (_, i) => i), ...Array.from({ length: 150 }, (_, i) => (i * 397) % (longest + 1)),
  longest - 1, longest, longest + 1, 0, longest, 1, longest + 1, 3 * longest, 64, 63, 65, 128, 191, 192, 193, 256,
]

interface Value { readonly nonce: Uint8Array; readonly aad: Uint8Array; readonly plaintext: Uint8Array }
const valuesOf = (lengths: readonly number[]): Value[] =>
  lengths.map((length, i) => ({ nonce: random(24), aad: random(i % 7 === 0 ? (i * 89) % (longestAad + 3) : 90 + (i % 40)), plaintext: random(length) }))
/** What is taken is copied: it does not last. */
const sealAll = (provider: Sealing, key: Uint8Array, epoch: number, count: number, value: (i: number) => Value): Uint8Array[] => {
  const all: Uint8Array[] = []
  sealValues(provider, key, epoch, count, value, (i, sealed) => { all[i] = sealed.slice() })
  return all
}
const outcome = (work: () => Uint8Array): string => {
  try {
    return encodeHex(work())
  } catch (error) {
    if (isSealError(error)) return `${error.code} ${JSON.stringify(error.facts)}`
    throw error
  }
}

describe.each([['node', nodeProvider], ['noble', nobleProvider]])('over %s', (_, provider) => {
  const lanes = withKernels(provider)

  it('seals what one by one is sealed, whatever the lengths', () => {
    const key = random(32)
    for (const part of [valuesOf(lengthsOf(longestText)), valuesOf([200]), valuesOf([5, 3000]), valuesOf([1, 2, 3]), []]) {
      const sealed = sealAll(lanes, key, EPOCH, part.length, (i) => part[i] as Value)
      const alone = part.map(({ nonce, aad, plaintext }) => sealValue(provider, key, EPOCH, nonce, aad, plaintext))
      expect(sealed.map(encodeHex)).toEqual(alone.map(encodeHex))
      const opened = openValues(lanes, key, EPOCH, part.length, (i) => ({ aad: (part[i] as Value).aad, sealed: alone[i] as Uint8Array }))
      expect(opened.map((each) => encodeHex(each as Uint8Array))).toEqual(part.map(({ plaintext }) => encodeHex(plaintext)))
    }
  })

  it('opens nothing else, says of each why, and opens what lies beside it', () => {
    const key = random(32)
    const other = random(32)
    const values = valuesOf(Array.from({ length: 240 }, (_, i) => (i * 61) % 400))
    const hostile = values.map(({ nonce, aad, plaintext }, i) => {
      const sealed = sealValue(provider, i % 12 === 11 ? other : key, EPOCH, nonce, aad, plaintext)
      const last = sealed.length - 1
      switch (i % 12) {
        case 1: return { aad: new Uint8Array(0), sealed }
        case 2: return { aad, sealed: flipped(sealed, 3) } // epoch
        case 3: return { aad, sealed: flipped(sealed, 5 + (i % 24), 1 << (i & 7)) } // nonce
        case 4: return { aad, sealed: flipped(sealed, 29 + (i % 32), 1 << (i & 7)) } // commitment
        case 5: return { aad, sealed: flipped(sealed, last - (i % 16), 1 << (i & 7)) } // tag
        case 6: return { aad, sealed: plaintext.length === 0 ? flipped(sealed, last) : flipped(sealed, 61 + (i % plaintext.length)) }
        case 7: return { aad: flipped(aad, i % aad.length), sealed }
        case 8: return { aad, sealed: sealed.subarray(0, i % 24 === 8 ? SEALED_OVERHEAD - 1 : last) }
        case 9: return { aad, sealed: concatBytes(sealed, Uint8Array.of(0)) }
        case 10: return { aad: concatBytes(aad, Uint8Array.of(0)), sealed }
        default: return { aad, sealed }
      }
    })
    const alone = hostile.map(({ aad, sealed }) => outcome(() => openValue(provider, key, EPOCH, aad, sealed)))
    const together = openValues(lanes, key, EPOCH, hostile.length, (i) => hostile[i] as { aad: Uint8Array; sealed: Uint8Array })
      .map((opened) => outcome(() => { if (opened instanceof Uint8Array) return opened; throw opened }))
    expect(together).toEqual(alone)
    // Every kind of damage is refused somewhere, and what is whole is not.
    expect(alone.filter((each) => each.startsWith('open-failed')).length).toBe(220)
  })

  it('throws for a version that is not ours, as one by one', () => {
    const [key, parts] = [random(32), valuesOf([10, 20])]
    const sealed = parts.map(({ nonce, aad, plaintext }) => sealValue(provider, key, EPOCH, nonce, aad, plaintext))
    const open = (): unknown => openValues(lanes, key, EPOCH, 2, (i) => ({ aad: (parts[i] as Value).aad, sealed: i === 1 ? flipped(sealed[i] as Uint8Array, 0) : (sealed[i] as Uint8Array) }))
    expect(open).toThrowError(expect.objectContaining({ code: 'unsupported-version' }))
  })

  it('a value that one subkey and tag open, but for its commitment, is refused: tags commit to no key', () => {
    const key = random(32)
    const parts = valuesOf([10, 10, 10, 10])
    const all = parts.map(({ nonce, aad, plaintext }) => sealValue(provider, key, EPOCH, nonce, aad, plaintext))
    // Another's commitment; all else is as it was made.
    const forged = all.map((sealed, i) => concatBytes(sealed.subarray(0, 29), (all[(i + 1) % 4] as Uint8Array).subarray(29, 61), sealed.subarray(61)))
    const opened = openValues(lanes, key, EPOCH, 4, (i) => ({ aad: (parts[i] as Value).aad, sealed: forged[i] as Uint8Array }))
    expect(opened.map((each) => outcome(() => { if (each instanceof Uint8Array) return each; throw each }))).toEqual(all.map(({ length }) => `open-failed {"reason":"commitment","length":${length}}`))
  })

  it('blinds as one by one', () => {
    const key = random(32)
    const messages = lengthsOf(kernels.hmacLanes.longest).map(random)
    for (const part of [messages, messages.slice(0, 3), messages.slice(200, 201), []]) {
      expect(blindTokens(lanes, key, part.length, (i) => part[i] as Uint8Array).map(encodeHex)).toEqual(part.map((message) => encodeHex(blindToken(provider, key, message))))
    }
  })
})

it('refuses what one by one refuses to seal', () => {
  const [value] = valuesOf([10]) as [Value]
  const seal = (key: Uint8Array, epoch: number, nonce: Uint8Array): string => outcome(() => sealAll(crypto, key, epoch, 2, () => ({ ...value, nonce }))[1] as Uint8Array)
  expect(seal(random(31), 1, value.nonce)).toContain('bad-argument')
  expect(seal(random(32), -1, value.nonce)).toContain('bad-argument')
  expect(seal(random(32), 1, random(12))).toContain('bad-argument')
})

describe('memory', () => {
  const inMemory = (secret: Uint8Array): boolean => secret.length > 0 && Buffer.from(kernels.memory.buffer).indexOf(secret) >= 0

  it('holds nothing of keys, key stream or texts afterwards', () => {
    for (const count of [2, 4, 7]) {
      const key = random(32)
      const values = valuesOf(Array.from({ length: count }, (_, i) => 20 + 131 * i))
      const zeros = values.map(({ plaintext }) => new Uint8Array(plaintext.length + 128))
      // Text of zeros is sealed as the key stream itself.
      const streams = values.map(({ nonce, aad }, i) => sealValue(nodeProvider, key, EPOCH, nonce, aad, zeros[i] as Uint8Array))
      const subkeys = values.map(({ nonce }) => nodeProvider.hchacha20(key, nonce.subarray(0, 16)))
      const check = (what: string): void => {
        expect(inMemory(key.subarray(0, 8)), what).toBe(false)
        values.forEach(({ plaintext }, i) => {
          expect(inMemory(plaintext.subarray(0, 12)) || inMemory(plaintext.subarray(-12)), what).toBe(false)
          const stream = (streams[i] as Uint8Array).subarray(61, -16)
          for (let at = 0; at + 8 <= stream.length; at += 8) expect(inMemory(stream.subarray(at, at + 8)), `${what}: key stream from ${at}`).toBe(false)
          for (let at = 0; at < 32; at += 8) expect(inMemory((subkeys[i] as Uint8Array).subarray(at, at + 8)), `${what}: subkey`).toBe(false)
        })
      }
      const sealed = sealAll(crypto, key, EPOCH, count, (i) => values[i] as Value)
      check('sealing')
      const toOpen = (i: number) => ({ aad: (values[i] as Value).aad, sealed: sealed[i] as Uint8Array })
      openValues(crypto, key, EPOCH, count, toOpen)
      check('opening')
      openValues(crypto, key, EPOCH, count, (i) => ({ ...toOpen(i), sealed: flipped(toOpen(i).sealed, 70) }))
      check('refusing')
    }
  })

  it('nor of keys and messages that were blinded, or placed and then given up', () => {
    const key = random(32)
    const messages = [20, 60, 100, 300, 12].map(random)
    const tokens = blindTokens(crypto, key, 5, (i) => messages[i] as Uint8Array)
    const given = (): void => { blindTokens(crypto, key, 3, (i) => { if (i === 2) throw new Error('no more'); return messages[i] as Uint8Array }) }
    expect(given).toThrow('no more')
    for (const secret of [key, ...messages, ...tokens]) expect(inMemory(secret.subarray(0, 12))).toBe(false)
  })

  it('what was placed in a lane has no part in the next call', () => {
    const key = random(32)
    const [long, short] = valuesOf([longestText, 3]) as [Value, Value]
    sealAll(crypto, key, EPOCH, 4, () => long)
    for (const count of [1, 2, 3]) {
      expect(sealAll(crypto, key, EPOCH, count, () => short).map(encodeHex)).toEqual(Array.from({ length: count }, () => encodeHex(sealValue(nodeProvider, key, EPOCH, short.nonce, short.aad, short.plaintext))))
    }
  })
})
