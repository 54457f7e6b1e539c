/** HMAC (RFC 2104) and HKDF (RFC 5869) over any SHA-256: two one-shot hashes beat `createHmac` and sodium's streaming calls. */
import { SealError } from '../errors.js'
import type { Derivation, Sha256 } from './provider.js'

const BLOCK_LENGTH = 64
const HASH_LENGTH = 32

export function hmacWith(sha256: Sha256['sha256']): Derivation['hmacSha256'] {
  return (key, message) => {
    const short = key.length > BLOCK_LENGTH ? sha256(key) : key
    const inner = new Uint8Array(BLOCK_LENGTH + message.length).fill(0x36, 0, BLOCK_LENGTH)
    const outer = new Uint8Array(BLOCK_LENGTH + HASH_LENGTH).fill(0x5c, 0, BLOCK_LENGTH)
    for (let i = 0; i < short.length; i++) {
      const byte = short[i] as number
      inner[i] = 0x36 ^ byte
      outer[i] = 0x5c ^ byte
    }
    inner.set(message, BLOCK_LENGTH)
    outer.set(sha256(inner), BLOCK_LENGTH)
    return sha256(outer)
  }
}

export function hkdfWith(hmac: Derivation['hmacSha256']): Derivation['hkdfSha256'] {
  return (ikm, salt, info, length) => {
    checkHkdfLength(length)
    const prk = hmac(salt.length === 0 ? new Uint8Array(HASH_LENGTH) : salt, ikm)
    const out = new Uint8Array(length)
    let block = new Uint8Array(0)
    for (let i = 1, at = 0; at < length; i++, at += HASH_LENGTH) {
      const input = new Uint8Array(block.length + info.length + 1)
      input.set(block)
      input.set(info, block.length)
      input[input.length - 1] = i
      block = new Uint8Array(hmac(prk, input))
      out.set(block.subarray(0, Math.min(HASH_LENGTH, length - at)), at)
    }
    return out
  }
}

/** RFC 5869 §2.3: L ≤ 255 · HashLen. */
export function checkHkdfLength(length: number): void {
  if (Number.isInteger(length) && length >= 1 && length <= 255 * HASH_LENGTH) return
  throw new SealError('bad-argument', 'Expected an HKDF output of 1 to 8160 bytes.', { length })
}
