/** Our WebAssembly kernels against noble and OpenSSL, by length, place and neighbour; and what they leave behind. */
import { createHash, createHmac } from 'node:crypto'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { concatBytes, encodeHex } from '../../engine/codec/bytes.js'
import { nobleProvider } from '../../engine/crypto/noble.js'
import { nodeProvider } from '../../engine/crypto/node.js'
import { withKernels } from '../../engine/crypto/with-kernels.js'
import { hashConstants } from '../../engine/crypto/wasm/sha256.js'
import { type Kernels, loadKernels, LONGEST_MESSAGE } from '../../engine/crypto/wasm/kernels.js'
import { seeded } from './support.js'

const kernels = loadKernels() as Kernels
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
