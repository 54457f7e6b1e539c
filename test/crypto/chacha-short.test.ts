/** Our own ChaCha20-Poly1305 for short messages: the RFC's vectors, and the same as noble and OpenSSL say on either side of its limit. */
import { createCipheriv } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { concatBytes, encodeHex } from '../../engine/codec/bytes.js'
import { hchacha20Short, openShort, sealShort, SHORT_MESSAGES } from '../../engine/crypto/chacha-short.js'
import { nobleProvider } from '../../engine/crypto/noble.js'
import { nodeProvider } from '../../engine/crypto/node.js'
import { poly1305 } from '../../engine/crypto/poly1305-short.js'
import { flipped, hex, seeded, utf8 } from './support.js'

const random = seeded('short')

function seal(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Uint8Array {
  const out = new Uint8Array(plaintext.length + 16)
  sealShort(key, nonce, aad, plaintext, out, 0)
  return out
}

function openssl(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Uint8Array {
  const cipher = createCipheriv('chacha20-poly1305', key, nonce, { authTagLength: 16 }).setAAD(aad, { plaintextLength: plaintext.length })
  return concatBytes(cipher.update(plaintext), cipher.final(), cipher.getAuthTag())
}

function mac(key: string, message: string): string {
  const words = (bytes: Uint8Array) => new Uint32Array(bytes.slice().buffer)
  const tag = new Uint32Array(4)
  poly1305(words(hex(key)), words(hex(message)), message.length / 8, tag)
  return encodeHex(new Uint8Array(tag.buffer))
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
    expect(mac(r + half, message)).toBe(tag)
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

  it('is noble’s and OpenSSL’s for every length, of random and of extreme bytes, and takes no changed one', () => {
    const wrong: string[] = []
    for (let length = 0; length <= 300; length++) {
      for (const fill of ['random', 0x00, 0xff] as const) {
        const bytes = (count: number) => (fill === 'random' ? random(count) : new Uint8Array(count).fill(fill))
        const [key, nonce, aad, text] = [random(32), random(12), bytes((length * 7) % 97), bytes(length)]
        const sealed = seal(key, nonce, aad, text)
        if (encodeHex(sealed) !== encodeHex(openssl(key, nonce, aad, text))) wrong.push(`${length} ${fill}: OpenSSL`)
        if (encodeHex(sealed) !== encodeHex(nobleProvider.chachaSeal(key, nonce, aad, text))) wrong.push(`${length} ${fill}: noble`)
        if (encodeHex(openShort(key, nonce, aad, sealed) ?? Uint8Array.of(0)) !== encodeHex(text)) wrong.push(`${length} ${fill}: does not open`)
        const at = (length * 31) % sealed.length
        if (openShort(key, nonce, aad, flipped(sealed, at, 1 << (length & 7))) !== undefined) wrong.push(`${length} ${fill}: forged at ${at}`)
        if (openShort(key, nonce, concatBytes(aad, Uint8Array.of(0)), sealed) !== undefined) wrong.push(`${length} ${fill}: other AAD`)
      }
    }
    expect(wrong).toEqual([])
  })

  it('through the provider, meets the native cipher at its limit', () => {
    for (const aadLength of [0, 90]) {
      for (const total of [SHORT_MESSAGES - 1, SHORT_MESSAGES, SHORT_MESSAGES + 1]) {
        const [key, nonce, aad, text] = [random(32), random(12), random(aadLength), random(total - aadLength)]
        const sealed = nodeProvider.chachaSeal(key, nonce, aad, text, 3)
        expect(encodeHex(sealed)).toBe('000000' + encodeHex(openssl(key, nonce, aad, text)))
        expect(nodeProvider.chachaOpen(key, nonce, aad, sealed.subarray(3))).toEqual(text)
      }
    }
  })

  it('leaves nothing of one message for the next', () => {
    const [key, nonce] = [random(32), random(12)]
    const before = seal(key, nonce, utf8('a'), utf8('b'))
    seal(random(32), random(12), random(500), random(500))
    openShort(random(32), random(12), random(500), random(500))
    expect(seal(key, nonce, utf8('a'), utf8('b'))).toEqual(before)
  })
})

it('HChaCha20 is noble’s', () => {
  for (let i = 0; i < 200; i++) {
    const [key, nonce] = [random(32), random(16)]
    expect(encodeHex(hchacha20Short(key, nonce))).toBe(encodeHex(nobleProvider.hchacha20(key, nonce)))
  }
})
