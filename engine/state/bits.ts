/** Bits of keys: bit i is counted from the start, the most significant bit of byte 0 first. A key reads as 0 past its end. */

/** What `firstDifference` says of equal keys: beyond any bit. */
export const SAME = 0x7fff_ffff
/** What `firstDifference` says if one key begins the other. */
export const BEGINS = -1

export function bitOf(key: Uint8Array, bit: number): 0 | 1 {
  const at = bit >>> 3
  return at < key.length ? ((((key[at] as number) >>> (7 - (bit & 7))) & 1) as 0 | 1) : 0
}

/** The first bit in which two keys differ within the shorter of them, `SAME`, or `BEGINS`. The second lies in `b` at `[start, start + length)`. */
export function firstDifference(a: Uint8Array, b: Uint8Array, start = 0, length = b.length): number {
  const shorter = a.length < length ? a.length : length
  for (let i = 0; i < shorter; i++) {
    const difference = (a[i] as number) ^ (b[start + i] as number)
    if (difference !== 0) return (i << 3) + Math.clz32(difference) - 24
  }
  return a.length === length ? SAME : BEGINS
}

/** The first bit in which two keys differ, both read as 0 past their ends; `SAME` if none. */
export function firstPaddedDifference(a: Uint8Array, b: Uint8Array, start: number, length: number): number {
  const longer = a.length > length ? a.length : length
  for (let i = 0; i < longer; i++) {
    const difference = (i < a.length ? (a[i] as number) : 0) ^ (i < length ? (b[start + i] as number) : 0)
    if (difference !== 0) return (i << 3) + Math.clz32(difference) - 24
  }
  return SAME
}
