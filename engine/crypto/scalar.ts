/**
 * Scalars of ristretto255 and Ed25519: integers modulo L = 2²⁵² + 27742317777372353535851937790883648493, 32 bytes
 * little-endian (RFC 9496 §4.4). Arithmetic is on bigints and so not constant time, as in noble: see the non-promises in PROTOCOL.md.
 */
import { SealError } from '../errors.js'
import { encodeHex } from '../codec/bytes.js'
import type { Scalar } from './provider.js'

/** The group order. */
export const GROUP_ORDER = 2n ** 252n + 27742317777372353535851937790883648493n
export const SCALAR_LENGTH = 32

/** Throws `bad-encoding` unless `bytes` are 32 and below L. */
export function decodeScalar(bytes: Uint8Array): Scalar {
  const value = bytes.length === SCALAR_LENGTH ? littleEndian(bytes) : GROUP_ORDER
  if (value >= GROUP_ORDER) throw new SealError('bad-encoding', 'Expected a canonical 32-byte scalar.', { length: bytes.length })
  return value
}

export function encodeScalar(scalar: Scalar): Uint8Array {
  const out = new Uint8Array(SCALAR_LENGTH)
  const view = new DataView(out.buffer)
  for (let i = 0; i < 4; i++) view.setBigUint64(8 * i, (scalar >> BigInt(64 * i)) & 0xffffffffffffffffn, true)
  return out
}

/** 64 uniform bytes, little-endian, reduced modulo L: bias below 2⁻²⁵⁰. */
export function reduceScalar(wide: Uint8Array): Scalar {
  if (wide.length !== 64) throw new SealError('bad-argument', 'Expected 64 bytes to reduce to a scalar.', { length: wide.length })
  return littleEndian(wide) % GROUP_ORDER
}

/** Any integer modulo L, in [0, L). */
export function modOrder(value: bigint): Scalar {
  const rest = value % GROUP_ORDER
  return rest < 0n ? rest + GROUP_ORDER : rest
}

/** Unsigned little-endian integer of any length. */
export function littleEndian(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt('0x' + encodeHex(bytes.slice().reverse()))
}
