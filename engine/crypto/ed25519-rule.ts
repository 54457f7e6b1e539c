/**
 * The consensus rule for Ed25519 signatures and keys: strict RFC 8032 with the cofactored equation.
 *
 * A signature (R ‖ S) by A on M is valid if and only if
 *   1. A and R are canonical encodings of curve points (y < p, and no sign bit where x = 0), and S < L;
 *   2. A is not of small order (8·A ≠ 0); R may be;
 *   3. 8·S·B = 8·R + 8·H(R ‖ A ‖ M)·A, H being SHA-512 over the bytes as received.
 * That is noble's `zip215: false`. OpenSSL checks the equation without the cofactor, which implies (3), and compares R by its
 * canonical encoding; but it accepts non-canonical and small-order A. libsodium checks with the cofactor but refuses R of small order.
 * So a provider checks `plausibleSignature` first, then takes a native "accept", and has our kernel, or noble, look again after a native "reject".
 */
import { encodeHex } from '../codec/bytes.js'
import { GROUP_ORDER, littleEndian } from './scalar.js'

export const SIGNATURE_LENGTH = 64
export const PUBLIC_KEY_LENGTH = 32
export const SEED_LENGTH = 32

/** Points of order 1, 2, 4 and 8: their canonical encodings, sign bit cleared. */
const SMALL_ORDER_Y: ReadonlySet<string> = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000', // order 4
  '0100000000000000000000000000000000000000000000000000000000000000', // order 1
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', // order 2
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05', // order 8
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a', // order 8
])

/** Rules 1 (but for "on the curve") and 2: all that can be told from the bytes alone. */
export function plausibleSignature(signature: Uint8Array, publicKey: Uint8Array): boolean {
  return (
    signature.length === SIGNATURE_LENGTH &&
    publicKey.length === PUBLIC_KEY_LENGTH &&
    canonicalY(publicKey, 0) &&
    !smallOrder(publicKey) &&
    canonicalY(signature, 0) &&
    !negativeZero(signature) &&
    canonicalS(signature)
  )
}

/** True if the 255-bit y at `at` is below p = 2²⁵⁵ − 19. */
export function canonicalY(bytes: Uint8Array, at: number): boolean {
  if (((bytes[at + 31] as number) & 0x7f) !== 0x7f) return true
  for (let i = 30; i > 0; i--) if (bytes[at + i] !== 0xff) return true
  return (bytes[at] as number) < 0xed
}

/** True for the eight points of small order, and for the two encodings of x = 0 with a sign bit (both of small order). */
export function smallOrder(publicKey: Uint8Array): boolean {
  const first = publicKey[0] as number
  if (first !== 0 && first !== 1 && first !== 0xec && first !== 0x26 && first !== 0xc7) return false
  const y = publicKey.slice()
  y[31] = (y[31] as number) & 0x7f
  return SMALL_ORDER_Y.has(encodeHex(y))
}

/** A sign bit where x = 0 (y is 1 or −1), as a canonical R never has; libsodium would decode it. */
function negativeZero(bytes: Uint8Array): boolean {
  const top = bytes[31] as number
  if (top !== 0x80 && top !== 0xff) return false
  for (let i = 1; i < 31; i++) if (bytes[i] !== (top === 0x80 ? 0 : 0xff)) return false
  return bytes[0] === (top === 0x80 ? 1 : 0xec)
}

function canonicalS(signature: Uint8Array): boolean {
  // L is just above 2²⁵²: the top byte decides but in one case of sixteen million.
  const top = signature[63] as number
  if (top < 0x10) return true
  return top === 0x10 && littleEndian(signature.subarray(32, 64)) < GROUP_ORDER
}
