/** Our WebAssembly kernels against noble and OpenSSL, by length, place and neighbour; and what they leave behind. */
import { createCipheriv, createHash, createHmac } from 'node:crypto'
import { chacha20 } from '@noble/ciphers/chacha.js'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { concatBytes, encodeHex } from '../../engine/codec/bytes.js'
import { nobleProvider } from '../../engine/crypto/noble.js'
import { nodeProvider } from '../../engine/crypto/node.js'
import { withKernels } from '../../engine/crypto/with-kernels.js'
import { hashConstants } from '../../engine/crypto/wasm/sha256.js'
import { type Kernels, loadKernels, LONGEST_AAD, LONGEST_MESSAGE, LONGEST_TEXT, SEALING } from '../../engine/crypto/wasm/kernels.js'
import { VALUES } from '../../engine/crypto/wasm/values.js'
import { flipped, hex, seeded, utf8 } from './support.js'

const kernels = loadKernels() as Kernels
const [KEY, NONCE] = [new Uint8Array(32).fill(1), new Uint8Array(12).fill(2)]
const random = seeded('kernels')
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const LENGTHS = [...Array.from({ length: 1101 }, (_, i) => i), 2047, 4000, LONGEST_MESSAGE - 9, LONGEST_MESSAGE - 1, LONGEST_MESSAGE]
const POOL = random(8192)
/** `length` bytes from somewhere, with something else before and behind. */
const somewhere = (length: number): Uint8Array => POOL.subarray((length * 37) % 4000, ((length * 37) % 4000) + length)

describe('SHA-256', () => {
  it('has the constants of FIPS 180-4', () => {
    const constants = [...hashConstants()].map((word) => word.toString(16).padStart(8, '0'))
    expect(constants.slice(0, 3)).toEqual(['428a2f98', '71374491', 'b5c0fbcf'])
    expect(constants.slice(61)).toEqual(['a4506ceb', 'bef9a3f7', 'c67178f2', '6a09e667', 'bb67ae85', '3c6ef372', 'a54ff53a', '510e527f', '9b05688c', '1f83d9ab', '5be0cd19'])
  })

  it('is OpenSSL’s for every length, from anywhere to anywhere', () => {
    const wrong = LENGTHS.filter((length) => {
      const start = (length * 13) % 90
      const input = concatBytes(random(start), somewhere(length), random(length % 7))
      const out = new Uint8Array(80).fill(0xaa)
      kernels.hashInto(input, start, start + length, out, length % 48)
      const at = length % 48
      return encodeHex(out) !== 'aa'.repeat(at) + sha256(somewhere(length)) + 'aa'.repeat(48 - at)
    })
    expect(wrong).toEqual([])
  })

  it('of four at a time too, whatever their lengths: each alone in the others’ company', () => {
    const { lanes } = kernels
    const longest = lanes.longest
    const digest = (lane: number): string => encodeHex(new Uint8Array(lanes.digests.slice(8 * lane, 8 * lane + 8).buffer))
    const wrong: string[] = []
    for (let round = 0; round <= 3 * longest; round++) {
      // Every length in every lane; now all alike, now far apart.
      const lengths = [0, 1, 2, 3].map((lane) => (round <= longest ? round : (round * ([1, 7, 64, 131][lane] as number) + 59 * lane)) % (longest + 1))
      const messages = lengths.map((length, lane) => POOL.subarray(lane * 97, lane * 97 + length))
      messages.forEach((message, lane) => { lanes.bytes.set(message, lane * lanes.stride) })
      lanes.hash(...(lengths as [number, number, number, number]))
      messages.forEach((message, lane) => { if (digest(lane) !== sha256(message)) wrong.push(`${lengths.join()} in ${lane}`) })
    }
    expect(wrong).toEqual([])
  })
})

describe('HMAC', () => {
  it('is OpenSSL’s for every length of key and message, the key kept or not', () => {
    const wrong: number[] = []
    for (const length of LENGTHS) {
      const key = POOL.slice(length % 500, (length % 500) + (length % 150))
      const expected = createHmac('sha256', key).update(somewhere(length)).digest('hex')
      for (const kept of [false, true, true, false]) if (encodeHex(kernels.hmac(key, somewhere(length), kept)) !== expected) wrong.push(length)
    }
    expect(wrong).toEqual([])
  })

  it('notices that a kept key has other bytes now', () => {
    const key = random(32)
    const before = kernels.hmac(key, random(3), true)
    key.fill(0)
    const message = random(20)
    const expected = createHmac('sha256', new Uint8Array(32)).update(message).digest('hex')
    expect(encodeHex(kernels.hmac(key, message, true))).toBe(expected)
    expect(encodeHex(before)).not.toBe(expected)
  })
})

function openssl(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Uint8Array {
  const cipher = createCipheriv('chacha20-poly1305', key, nonce, { authTagLength: 16 }).setAAD(aad, { plaintextLength: plaintext.length })
  return concatBytes(cipher.update(plaintext), cipher.final(), cipher.getAuthTag())
}

function seal(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Uint8Array {
  const out = new Uint8Array(plaintext.length + 16)
  kernels.seal(key, nonce, aad, plaintext, out, 0)
  return out
}

describe('Poly1305 of whole blocks: the carries of RFC 8439 appendix A.3', () => {
  const s = (half: string) => half.padEnd(32, '0')
  const r4 = '01000000000000000400000000000000'
  const blocks = [s('e33594d7505e43b9'), '3394d7505e4379cd0100000000000000', s('')]
  it.each([
    ['all zero', s(''), s(''), s('').repeat(4), s('')],
    ['2^130 − 5 falls out', s('02'), s(''), 'ff'.repeat(16), s('03')],
    ['s carries out of 2^128', s('02'), 'ff'.repeat(16), s('02'), s('03')],
    ['h just below p', s('01'), s(''), 'ff'.repeat(16) + 'f0' + 'ff'.repeat(15) + s('11'), s('05')],
    ['h is p', s('01'), s(''), 'ff'.repeat(16) + 'fb' + 'fe'.repeat(15) + '01'.repeat(16), s('')],
    ['−1', s('02'), s(''), 'fd' + 'ff'.repeat(15), 'fa' + 'ff'.repeat(15)],
    ['4 blocks', r4, s(''), [...blocks, s('01')].join(''), '14000000000000005500000000000000'],
    ['3 blocks', r4, s(''), blocks.join(''), s('13')],
  ])('%s', (_, r, half, message, tag) => {
    expect(encodeHex(kernels.poly1305(hex(r + half), hex(message)))).toBe(tag)
  })

  it('is the sum that its definition says, for extreme keys and blocks', () => {
    const number = (bytes: Uint8Array): bigint => bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
    const prime = (1n << 130n) - 5n
    const extremes = [0x00, 0xff, 0xfb, 0x80, 0x7f, 0x01]
    const wrong: string[] = []
    for (let i = 0; i < 3000; i++) {
      const mixed = (length: number): Uint8Array => {
        const kind = random(1)[0] as number
        if (kind < 80) return random(length)
        // Runs of extreme bytes, where carries run far.
        const bytes = new Uint8Array(length)
        for (let at = 0; at < length; at += 1 + (kind & 15)) bytes.fill(extremes[(kind + at * 7) % extremes.length] as number, at)
        return bytes
      }
      const [key, blocks] = [mixed(32), mixed(16 * (1 + (i % 9)))]
      const r = number(key.subarray(0, 16)) & 0x0ffffffc0ffffffc0ffffffc0fffffffn
      let sum = 0n
      for (let at = 0; at < blocks.length; at += 16) sum = ((sum + number(blocks.subarray(at, at + 16)) + (1n << 128n)) * r) % prime
      const tag = (sum + number(key.subarray(16))) & ((1n << 128n) - 1n)
      if (number(kernels.poly1305(key, blocks)) !== tag) wrong.push(`${encodeHex(key)} ${encodeHex(blocks)}`)
    }
    expect(wrong).toEqual([])
  })
})

describe('ChaCha20-Poly1305', () => {
  it('RFC 8439 §2.8.2', () => {
    const text = utf8('Ladies and Gentlemen of the class of \'99: If I could offer you only one tip for the future, sunscreen would be it.')
    const key = Uint8Array.from({ length: 32 }, (_, i) => 0x80 + i)
    const sealed = seal(key, hex('070000004041424344454647'), hex('50515253c0c1c2c3c4c5c6c7'), text)
    expect(encodeHex(sealed.subarray(0, 16))).toBe('d31a8d34648e60db7b86afbc53ef7ec2')
    expect(encodeHex(sealed.subarray(text.length))).toBe('1ae10b594f09e26a7e902ecbd0600691')
  })

  it('is OpenSSL’s for every length, of random and of extreme bytes, and takes no changed one', () => {
    const wrong: string[] = []
    for (const length of [...LENGTHS, 10_000, LONGEST_TEXT - 1, LONGEST_TEXT]) {
      for (const fill of length <= 300 ? (['random', 0x00, 0xff] as const) : (['random'] as const)) {
        const bytes = (count: number) => (fill === 'random' ? random(count) : new Uint8Array(count).fill(fill))
        const [key, nonce, aad, text] = [random(32), random(12), bytes(length % 5 === 0 ? (length * 7) % (LONGEST_AAD + 1) : length % 97), bytes(length)]
        const sealed = seal(key, nonce, aad, text)
        if (encodeHex(sealed) !== encodeHex(openssl(key, nonce, aad, text))) wrong.push(`${length} ${fill}: OpenSSL`)
        if (encodeHex(kernels.open(key, nonce, aad, sealed) ?? Uint8Array.of(0)) !== encodeHex(text)) wrong.push(`${length} ${fill}: does not open`)
        const at = (length * 31) % sealed.length
        if (kernels.open(key, nonce, aad, flipped(sealed, at, 1 << (length & 7))) !== undefined) wrong.push(`${length} ${fill}: forged at ${at}`)
        if (kernels.open(key, nonce, concatBytes(aad.subarray(1), Uint8Array.of(0)), sealed) !== undefined && aad.length > 0 && fill !== 0) wrong.push(`${length} ${fill}: other AAD`)
      }
    }
    expect(wrong).toEqual([])
  })

  it('through the provider, meets what it stands before at the limits', () => {
    for (const provider of [nobleProvider, nodeProvider]) {
      const crypto = withKernels(provider)
      for (const aadLength of [0, LONGEST_AAD, LONGEST_AAD + 1]) {
        for (const length of [4079, 4080, 4081, 4096, 4097, LONGEST_TEXT - 16, LONGEST_TEXT - 15, LONGEST_TEXT, LONGEST_TEXT + 1]) {
          const [key, nonce, aad, text] = [random(32), random(12), random(aadLength), random(length)]
          const sealed = crypto.chachaSeal(key, nonce, aad, text, 3)
          expect(encodeHex(sealed)).toBe('000000' + encodeHex(openssl(key, nonce, aad, text)))
          expect(encodeHex(crypto.chachaOpen(key, nonce, aad, sealed.subarray(3)))).toBe(encodeHex(text))
          expect(() => crypto.chachaOpen(key, nonce, aad, flipped(sealed.subarray(3), length))).toThrowError(expect.objectContaining({ code: 'open-failed' }))
        }
      }
      expect(() => crypto.chachaOpen(random(32), random(12), random(0), random(15))).toThrowError(expect.objectContaining({ code: 'open-failed' }))
    }
  })
})

it('HChaCha20 is noble’s', () => {
  for (let i = 0; i < 300; i++) {
    const [key, nonce] = [random(32), random(16)]
    expect(encodeHex(kernels.hchacha20(key, nonce))).toBe(encodeHex(nobleProvider.hchacha20(key, nonce)))
  }
})

describe('memory', () => {
  it('holds nothing of key, message or digest afterwards', () => {
    const before = kernels.memory.slice()
    kernels.hashInto(random(300), 0, 300, new Uint8Array(32), 0)
    kernels.hashInto(random(LONGEST_MESSAGE), 0, LONGEST_MESSAGE, new Uint8Array(32), 0)
    for (const kept of [true, false]) {
      kernels.hmac(random(32), random(100), kept)
      kernels.hmac(random(100), random(1000), kept)
    }
    expect(sha256(kernels.memory)).toBe(sha256(before))
  })

  it('holds nothing of key, key stream or text afterwards: AAD, ciphertext and tag at most', () => {
    for (const length of [0, 1, 15, 16, 17, 190, 192, 193, 1000, LONGEST_TEXT]) {
      const [key, nonce, aad, text] = [random(32), random(12), random(length % 40), random(length)]
      const sealed = seal(key, nonce, aad, text)
      const stream = openssl(key, nonce, new Uint8Array(0), new Uint8Array(length + 64)).subarray(0, length + 64)
      const oneTimeKey = chacha20(key, nonce, new Uint8Array(32), undefined, 0)
      const secrets = { key, nonce, oneTimeKey, subkey: nobleProvider.hchacha20(key, concatBytes(nonce, nonce.subarray(0, 4))), text, stream, end: stream.subarray(length) }
      const check = (what: string): void => {
        for (const [name, secret] of Object.entries(secrets)) {
          const found = secret.length === 0 ? -1 : Buffer.from(kernels.memory.buffer).indexOf(secret.subarray(0, 16))
          // A short text may stand there by chance.
          if (secret.length >= 12) expect(found, `${name} of ${length} after ${what}`).toBe(-1)
        }
      }
      check('sealing')
      kernels.open(key, nonce, aad, sealed)
      check('opening')
      expect(kernels.open(key, nonce, aad, flipped(sealed, length))).toBeUndefined()
      check('refusing')
      kernels.hchacha20(key, concatBytes(nonce, nonce.subarray(0, 4)))
      check('HChaCha20')
    }
    // After a text was opened not even ciphertext is left, and nowhere but at AAD and tag is anything.
    kernels.open(KEY, NONCE, new Uint8Array(0), seal(KEY, NONCE, new Uint8Array(0), new Uint8Array(LONGEST_TEXT)))
    const { aad, tag } = SEALING
    const left = [...kernels.memory.subarray(0, VALUES.key).entries()].filter(([at, byte]) => byte !== 0 && at >= 8448 && !(at >= aad && at < aad + LONGEST_AAD) && !(at >= tag && at < tag + 16))
    expect(left).toEqual([])
  })
})

describe('without WebAssembly', () => {
  afterEach(() => {
    vi.unstubAllGlobals()
    vi.resetModules()
  })

  it.each([
    ['at all', undefined],
    ['from bytes', { Module: class { constructor() { throw new EvalError('wasm-unsafe-eval') } } }],
  ])('%s, a provider stays as it is', async (_, instead) => {
    vi.resetModules()
    vi.stubGlobal('WebAssembly', instead)
    const fresh = await import('../../engine/crypto/with-kernels.js')
    for (const provider of [nobleProvider, nodeProvider]) expect(fresh.withKernels(provider)).toBe(provider)
  })

  it('is what those miss who have it', () => {
    expect(withKernels(nobleProvider)).not.toBe(nobleProvider)
  })
})
