/**
 * ChaCha20-Poly1305 (RFC 8439) and HChaCha20 for short messages, where setting up a native cipher costs five times the work itself. The third
 * implementation beside noble's and OpenSSL's, and held against both (test/crypto/chacha-short.test.ts, Wycheproof through `node`).
 *
 * Without branches or indexes that depend on secrets; beyond that it promises as little as noble does. Everything happens in scratch that is
 * wiped on the way out, so nothing here may be entered twice. Little-endian machines only: see `SHORT_MESSAGES`.
 */
import { poly1305 } from './poly1305-short.js'

/** Bytes of AAD and plaintext up to which this overtakes OpenSSL through node:crypto (measured on Node 20); 0 where words lie the other way. */
export const SHORT_MESSAGES: number = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1 ? 1024 : 0

const BLOCK = 64
const TAG = 16

/** Key stream: the block that keys Poly1305, then what is XORed. */
const stream = new Uint32Array((BLOCK + SHORT_MESSAGES + BLOCK) / 4)
/** What Poly1305 reads: AAD, ciphertext, each padded to 16 bytes, and their lengths. */
const message = new Uint32Array((SHORT_MESSAGES + 4 * TAG) / 4)
const messageBytes = new Uint8Array(message.buffer)
const key32 = new Int32Array(8)
const keyBytes = new Uint8Array(key32.buffer)
/** Counter and nonce, the last row of the state. */
const nonce32 = new Int32Array(4)
const nonceBytes = new Uint8Array(nonce32.buffer)
const tag = new Uint32Array(4)
const tagBytes = new Uint8Array(tag.buffer)

/** `ciphertext ‖ tag` to `out` at `at`. */
export function sealShort(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array, out: Uint8Array, at: number): void {
  const length = plaintext.length
  const from = placeMessage(aad, plaintext, length)
  keyStream(key, nonce, length)
  xorStream(from, length)
  authenticate(aad.length, from, length)
  out.set(messageBytes.subarray(from, from + length), at)
  out.set(tagBytes, at + length)
  wipe(length)
}

/** The plaintext, or undefined if the tag is not that of these arguments. `sealed` has at least 16 bytes. */
export function openShort(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
  const length = sealed.length - TAG
  const from = placeMessage(aad, sealed, length)
  keyStream(key, nonce, length)
  authenticate(aad.length, from, length)
  let difference = 0
  for (let i = 0; i < TAG; i++) difference |= (tagBytes[i] as number) ^ (sealed[length + i] as number)
  let plaintext: Uint8Array | undefined
  if (difference === 0) {
    xorStream(from, length)
    plaintext = messageBytes.slice(from, from + length)
  }
  wipe(length)
  return plaintext
}

/** draft-irtf-cfrg-xchacha-03 §2.2: the first and last row of the permuted state, without the addition that ends a block. */
export function hchacha20Short(key: Uint8Array, nonce: Uint8Array): Uint8Array {
  keyBytes.set(key)
  nonceBytes.set(nonce)
  permute(0)
  const out = new Uint8Array(32)
  for (let i = 0; i < 8; i++) {
    const word = i < 4 ? (stream[i] as number) - (SIGMA[i] as number) : (stream[8 + i] as number) - (nonce32[i - 4] as number)
    out[4 * i] = word
    out[4 * i + 1] = word >>> 8
    out[4 * i + 2] = word >>> 16
    out[4 * i + 3] = word >>> 24
  }
  wipe(0)
  return out
}

// ChaCha20 (RFC 8439 §2.3, §2.4)

/** "expand 32-byte k" */
const SIGMA = Int32Array.of(0x61707865, 0x3320646e, 0x79622d32, 0x6b206574)

/** The block of counter 0, and from counter 1 as many as `length` bytes take. */
function keyStream(key: Uint8Array, nonce: Uint8Array, length: number): void {
  keyBytes.set(key)
  nonceBytes.set(nonce, 4)
  for (let at = 0, counter = 0; at < BLOCK + length; at += BLOCK) {
    nonce32[0] = counter++
    permute(at >>> 2)
  }
}

/** One block of the key in `key32` and the row in `nonce32`, to `stream` from word `o`. */
function permute(o: number): void {
  const k0 = key32[0] as number, k1 = key32[1] as number, k2 = key32[2] as number, k3 = key32[3] as number
  const k4 = key32[4] as number, k5 = key32[5] as number, k6 = key32[6] as number, k7 = key32[7] as number
  const n0 = nonce32[0] as number, n1 = nonce32[1] as number, n2 = nonce32[2] as number, n3 = nonce32[3] as number
  let a0 = 0x61707865, a1 = 0x3320646e, a2 = 0x79622d32, a3 = 0x6b206574
  let b0 = k0, b1 = k1, b2 = k2, b3 = k3, c0 = k4, c1 = k5, c2 = k6, c3 = k7, d0 = n0, d1 = n1, d2 = n2, d3 = n3
  for (let round = 0; round < 20; round += 2) {
    a0 = (a0 + b0) | 0; d0 ^= a0; d0 = (d0 << 16) | (d0 >>> 16); c0 = (c0 + d0) | 0; b0 ^= c0; b0 = (b0 << 12) | (b0 >>> 20)
    a0 = (a0 + b0) | 0; d0 ^= a0; d0 = (d0 << 8) | (d0 >>> 24); c0 = (c0 + d0) | 0; b0 ^= c0; b0 = (b0 << 7) | (b0 >>> 25)
    a1 = (a1 + b1) | 0; d1 ^= a1; d1 = (d1 << 16) | (d1 >>> 16); c1 = (c1 + d1) | 0; b1 ^= c1; b1 = (b1 << 12) | (b1 >>> 20)
    a1 = (a1 + b1) | 0; d1 ^= a1; d1 = (d1 << 8) | (d1 >>> 24); c1 = (c1 + d1) | 0; b1 ^= c1; b1 = (b1 << 7) | (b1 >>> 25)
    a2 = (a2 + b2) | 0; d2 ^= a2; d2 = (d2 << 16) | (d2 >>> 16); c2 = (c2 + d2) | 0; b2 ^= c2; b2 = (b2 << 12) | (b2 >>> 20)
    a2 = (a2 + b2) | 0; d2 ^= a2; d2 = (d2 << 8) | (d2 >>> 24); c2 = (c2 + d2) | 0; b2 ^= c2; b2 = (b2 << 7) | (b2 >>> 25)
    a3 = (a3 + b3) | 0; d3 ^= a3; d3 = (d3 << 16) | (d3 >>> 16); c3 = (c3 + d3) | 0; b3 ^= c3; b3 = (b3 << 12) | (b3 >>> 20)
    a3 = (a3 + b3) | 0; d3 ^= a3; d3 = (d3 << 8) | (d3 >>> 24); c3 = (c3 + d3) | 0; b3 ^= c3; b3 = (b3 << 7) | (b3 >>> 25)
    a0 = (a0 + b1) | 0; d3 ^= a0; d3 = (d3 << 16) | (d3 >>> 16); c2 = (c2 + d3) | 0; b1 ^= c2; b1 = (b1 << 12) | (b1 >>> 20)
    a0 = (a0 + b1) | 0; d3 ^= a0; d3 = (d3 << 8) | (d3 >>> 24); c2 = (c2 + d3) | 0; b1 ^= c2; b1 = (b1 << 7) | (b1 >>> 25)
    a1 = (a1 + b2) | 0; d0 ^= a1; d0 = (d0 << 16) | (d0 >>> 16); c3 = (c3 + d0) | 0; b2 ^= c3; b2 = (b2 << 12) | (b2 >>> 20)
    a1 = (a1 + b2) | 0; d0 ^= a1; d0 = (d0 << 8) | (d0 >>> 24); c3 = (c3 + d0) | 0; b2 ^= c3; b2 = (b2 << 7) | (b2 >>> 25)
    a2 = (a2 + b3) | 0; d1 ^= a2; d1 = (d1 << 16) | (d1 >>> 16); c0 = (c0 + d1) | 0; b3 ^= c0; b3 = (b3 << 12) | (b3 >>> 20)
    a2 = (a2 + b3) | 0; d1 ^= a2; d1 = (d1 << 8) | (d1 >>> 24); c0 = (c0 + d1) | 0; b3 ^= c0; b3 = (b3 << 7) | (b3 >>> 25)
    a3 = (a3 + b0) | 0; d2 ^= a3; d2 = (d2 << 16) | (d2 >>> 16); c1 = (c1 + d2) | 0; b0 ^= c1; b0 = (b0 << 12) | (b0 >>> 20)
    a3 = (a3 + b0) | 0; d2 ^= a3; d2 = (d2 << 8) | (d2 >>> 24); c1 = (c1 + d2) | 0; b0 ^= c1; b0 = (b0 << 7) | (b0 >>> 25)
  }
  stream[o] = a0 + 0x61707865; stream[o + 1] = a1 + 0x3320646e; stream[o + 2] = a2 + 0x79622d32; stream[o + 3] = a3 + 0x6b206574
  stream[o + 4] = b0 + k0; stream[o + 5] = b1 + k1; stream[o + 6] = b2 + k2; stream[o + 7] = b3 + k3
  stream[o + 8] = c0 + k4; stream[o + 9] = c1 + k5; stream[o + 10] = c2 + k6; stream[o + 11] = c3 + k7
  stream[o + 12] = d0 + n0; stream[o + 13] = d1 + n1; stream[o + 14] = d2 + n2; stream[o + 15] = d3 + n3
}

/** Turns plaintext at `from` of the message into ciphertext, or back; what lies behind it up to a full word changes too. */
function xorStream(from: number, length: number): void {
  const end = (from + length + 3) >>> 2
  for (let i = from >>> 2, s = BLOCK / 4; i < end; i++, s++) message[i] = (message[i] as number) ^ (stream[s] as number)
}

// The message of Poly1305 (RFC 8439 §2.8)

/** Copies AAD and `length` bytes of text to their places; returns that of the text. */
function placeMessage(aad: Uint8Array, text: Uint8Array, length: number): number {
  const from = (aad.length + TAG - 1) & -TAG
  messageBytes.fill(0, aad.length, from)
  messageBytes.set(aad)
  if (text.length === length) messageBytes.set(text, from)
  else messageBytes.set(text.subarray(0, length), from)
  return from
}

/** The tag of AAD and of the ciphertext at `from`, to `tag`. */
function authenticate(aadLength: number, from: number, length: number): void {
  const end = (from + length + TAG - 1) & -TAG
  messageBytes.fill(0, from + length, end)
  const at = end >>> 2
  message[at] = aadLength
  message[at + 1] = 0
  message[at + 2] = length
  message[at + 3] = 0
  poly1305(stream, message, at + 4, tag)
}

/** Keys, key stream and text. The tag is no secret. */
function wipe(length: number): void {
  key32.fill(0)
  stream.fill(0, 0, (2 * BLOCK + length) >>> 2)
  message.fill(0)
}
