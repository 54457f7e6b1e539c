/** HMAC (RFC 2104) and HKDF (RFC 5869) over any SHA-256: two one-shot hashes beat `createHmac` and sodium's streaming calls. */
import { SealError } from '../errors.js'
import type { Derivation, Sha256 } from './provider.js'

const BLOCK_LENGTH = 64
const HASH_LENGTH = 32

/** Messages up to here are hashed in place: a fresh array for each costs more than its hash, a fresh view a fifth of it. */
const SCRATCH_LENGTH = 1_024

export function hmacWith({ sha256, sha256Into }: Sha256): Derivation['hmacSha256'] {
  const scratch = new Uint8Array(BLOCK_LENGTH + SCRATCH_LENGTH)
  const views: (Uint8Array | undefined)[] = []
  const outer = new Uint8Array(BLOCK_LENGTH + HASH_LENGTH)
  return (key, message) => {
    const short = key.length > BLOCK_LENGTH ? sha256(key) : key
    const length = BLOCK_LENGTH + message.length
    const inner = length <= scratch.length ? (views[length] ??= scratch.subarray(0, length)) : new Uint8Array(length)
    for (let i = 0; i < short.length; i++) {
      const byte = short[i] as number
      inner[i] = 0x36 ^ byte
      outer[i] = 0x5c ^ byte
    }
    inner.fill(0x36, short.length, BLOCK_LENGTH)
    outer.fill(0x5c, short.length, BLOCK_LENGTH)
    inner.set(message, BLOCK_LENGTH)
    sha256Into(inner, 0, length, outer, BLOCK_LENGTH)
    const tag = sha256(outer)
    inner.fill(0)
    outer.fill(0)
    return tag
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
