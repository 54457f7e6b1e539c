/**
 * Bytes: comparison, concatenation, hex, base64url and strict UTF-8. Nothing here knows a format.
 */
import { SealError } from '../errors.js'

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
export const EMPTY_BYTES = new Uint8Array(0)

/** Equality in time independent of content (not of length). */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= (a[i] as number) ^ (b[i] as number)
  return difference === 0
}

/** How this machine lays out the words of a typed array. */
export const LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1

/** Lexicographic order of unsigned bytes, a prefix before what it begins: <0, 0, >0. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const difference = (a[i] as number) - (b[i] as number)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  const out = new Uint8Array(length)
  let offset = 0
  for (const part of parts) {
    out.set(part, offset)
    offset += part.length
  }
  return out
}

/**
 * `bytes.slice(start, end)` out of a block that many share, at a third of its price: for what is soon let go, since the last of them keeps the block.
 * Its `buffer` holds others' bytes, too: not for what a structured clone or a transfer takes.
 */
export function copyPooled(bytes: Uint8Array, start = 0, end = bytes.length): Uint8Array {
  const length = end - start
  // Small ones lie in the heap of V8 and cost little.
  if (length <= 64 || length > POOL_LENGTH >> 3) return bytes.slice(start, end)
  if (pooled + length > POOL_LENGTH) {
    pool = new Uint8Array(POOL_LENGTH)
    pooled = 0
  }
  pool.set(length === bytes.length ? bytes : bytes.subarray(start, end), pooled)
  pooled += length
  return new Uint8Array(pool.buffer, pooled - length, length)
}
const POOL_LENGTH = 1 << 14
let pool = new Uint8Array(0)
let pooled = POOL_LENGTH

/** UTF-8 of a string. Throws `bad-value` on an unpaired surrogate: such a string has no UTF-8. */
export function encodeUtf8(text: string): Uint8Array {
  if (!text.isWellFormed()) throw new SealError('bad-value', 'Expected well-formed Unicode text, found an unpaired surrogate.')
  return encoder.encode(text)
}

/** Strict UTF-8. Throws `bad-encoding`; never substitutes. */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch (cause) {
    throw new SealError('bad-encoding', 'Expected valid UTF-8.', { length: bytes.length }, { cause })
  }
}

const HEX = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'))

export function encodeHex(bytes: Uint8Array): string {
  let out = ''
  for (const byte of bytes) out += HEX[byte] as string
  return out
}

/** Lower- or upper-case hex, even length. Throws `bad-encoding`. */
export function decodeHex(text: string): Uint8Array {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) throw new SealError('bad-encoding', 'Expected an even number of hexadecimal digits.', { length: text.length })
  const out = new Uint8Array(text.length / 2)
  for (let i = 0; i < out.length; i++) out[i] = parseInt(text.slice(2 * i, 2 * i + 2), 16)
  return out
}

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const BASE64URL = BASE64.slice(0, 62) + '-_'

/** RFC 4648 §4, with padding. */
export function encodeBase64(bytes: Uint8Array): string {
  const text = encodeWith(BASE64, bytes)
  return text.padEnd(Math.ceil(text.length / 4) * 4, '=')
}

/** RFC 4648 §5, without padding. */
export function encodeBase64url(bytes: Uint8Array): string {
  return encodeWith(BASE64URL, bytes)
}

/** Strict RFC 4648 §4: padding required, unused bits zero. Throws `bad-encoding`. */
export function decodeBase64(text: string): Uint8Array {
  const bare = text.replace(/={1,2}$/, '')
  const out = decodeWith(BASE64, bare)
  if (encodeBase64(out) !== text) throw new SealError('bad-encoding', 'Expected canonical padded base64.', { length: text.length })
  return out
}

/** Strict RFC 4648 §5 without padding: unused bits zero. Throws `bad-encoding`. */
export function decodeBase64url(text: string): Uint8Array {
  const out = decodeWith(BASE64URL, text)
  if (encodeBase64url(out) !== text) throw new SealError('bad-encoding', 'Expected canonical unpadded base64url.', { length: text.length })
  return out
}

function encodeWith(alphabet: string, bytes: Uint8Array): string {
  let out = ''
  for (let i = 0; i < bytes.length; i += 3) {
    const b = ((bytes[i] as number) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0)
    const digits = Math.min(bytes.length - i, 3) + 1
    for (let d = 0; d < digits; d++) out += alphabet[(b >> (18 - 6 * d)) & 63] as string
  }
  return out
}

function decodeWith(alphabet: string, text: string): Uint8Array {
  const out = new Uint8Array(Math.floor((text.length * 6) / 8))
  let bits = 0
  let held = 0
  let offset = 0
  for (const digit of text) {
    const value = alphabet.indexOf(digit)
    if (value < 0) throw new SealError('bad-encoding', 'Expected base64 digits.', { length: text.length })
    held = ((held << 6) | value) & 0xffff
    bits += 6
    if (bits >= 8) {
      bits -= 8
      out[offset++] = (held >> bits) & 255
    }
  }
  return out
}
