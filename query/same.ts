/** Plain data as a text of its own, to compare it by. */
import { encodeHex } from '../engine/codec/bytes.js'

/**
 * Equal for equal data whose properties were made in one order, and for no other. What JSON lacks or mixes up (integers, bytes, infinities) is an object of one property, its kind.
 *
 * @example
 * sameText([1n, '1', 1]) === '[{"n":"1"},"1",1]'
 */
export function sameText(data: unknown): string {
  return JSON.stringify(data, (_, value: unknown) => {
    if (typeof value === 'bigint') return { n: `${value}` }
    if (value instanceof Uint8Array) return { x: encodeHex(value) }
    return typeof value === 'number' && !Number.isFinite(value) ? { r: `${value}` } : value
  }) ?? ''
}
