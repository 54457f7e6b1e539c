/**
 * Poly1305 (RFC 8439 §2.5) of whole blocks, for chacha-short.ts.
 *
 * Numbers are doubles of which every operation is exact: h and r are 6 limbs of 22 bits (the last of 20), 2¹³² = 20 modulo 2¹³⁰ − 5, and a limb
 * of a product is below 2²³·2²² + 5·(2²³·20·2²²) < 2⁵² before its carry.
 */

const LOW = 0x3fffff
const BASE = 2 ** 22
const DOWN = 2 ** -22
const TOP = 2 ** 20
const TOP_DOWN = 2 ** -20

/** The tag of the first `count` words of `message`, whole blocks, under the key in the first 8 words of `key`, to `tag`. Words are little-endian. */
export function poly1305(key: Uint32Array, message: Uint32Array, count: number, tag: Uint32Array): void {
  // r, clamped.
  const c0 = (key[0] as number) & 0x0fffffff, c1 = (key[1] as number) & 0x0ffffffc, c2 = (key[2] as number) & 0x0ffffffc, c3 = (key[3] as number) & 0x0ffffffc
  const r0 = c0 & LOW, r1 = ((c0 >>> 22) | (c1 << 10)) & LOW, r2 = ((c1 >>> 12) | (c2 << 20)) & LOW
  const r3 = (c2 >>> 2) & LOW, r4 = ((c2 >>> 24) | (c3 << 8)) & LOW, r5 = c3 >>> 14
  const s1 = 20 * r1, s2 = 20 * r2, s3 = 20 * r3, s4 = 20 * r4, s5 = 20 * r5
  let h0 = 0, h1 = 0, h2 = 0, h3 = 0, h4 = 0, h5 = 0
  for (let i = 0; i < count; i += 4) {
    const w0 = message[i] as number, w1 = message[i + 1] as number, w2 = message[i + 2] as number, w3 = message[i + 3] as number
    h0 += w0 & LOW
    h1 += ((w0 >>> 22) | (w1 << 10)) & LOW
    h2 += ((w1 >>> 12) | (w2 << 20)) & LOW
    h3 += (w2 >>> 2) & LOW
    h4 += ((w2 >>> 24) | (w3 << 8)) & LOW
    h5 += (w3 >>> 14) | 0x40000 // bit 128: a full block
    const d0 = h0 * r0 + h1 * s5 + h2 * s4 + h3 * s3 + h4 * s2 + h5 * s1
    let d1 = h0 * r1 + h1 * r0 + h2 * s5 + h3 * s4 + h4 * s3 + h5 * s2
    let d2 = h0 * r2 + h1 * r1 + h2 * r0 + h3 * s5 + h4 * s4 + h5 * s3
    let d3 = h0 * r3 + h1 * r2 + h2 * r1 + h3 * r0 + h4 * s5 + h5 * s4
    let d4 = h0 * r4 + h1 * r3 + h2 * r2 + h3 * r1 + h4 * r0 + h5 * s5
    let d5 = h0 * r5 + h1 * r4 + h2 * r3 + h3 * r2 + h4 * r1 + h5 * r0
    let c = Math.floor(d0 * DOWN); h0 = d0 - c * BASE; d1 += c
    c = Math.floor(d1 * DOWN); h1 = d1 - c * BASE; d2 += c
    c = Math.floor(d2 * DOWN); h2 = d2 - c * BASE; d3 += c
    c = Math.floor(d3 * DOWN); h3 = d3 - c * BASE; d4 += c
    c = Math.floor(d4 * DOWN); h4 = d4 - c * BASE; d5 += c
    c = Math.floor(d5 * TOP_DOWN); h5 = d5 - c * TOP; h0 += 5 * c
    c = Math.floor(h0 * DOWN); h0 -= c * BASE; h1 += c
  }
  // All carries: limbs of 22 bits, the last of 20. Twice, since the first round may carry around.
  for (let i = 0; i < 2; i++) {
    let c = Math.floor(h1 * DOWN); h1 -= c * BASE; h2 += c
    c = Math.floor(h2 * DOWN); h2 -= c * BASE; h3 += c
    c = Math.floor(h3 * DOWN); h3 -= c * BASE; h4 += c
    c = Math.floor(h4 * DOWN); h4 -= c * BASE; h5 += c
    c = Math.floor(h5 * TOP_DOWN); h5 -= c * TOP; h0 += 5 * c
    c = Math.floor(h0 * DOWN); h0 -= c * BASE; h1 += c
  }
  // h + 5 − 2¹³⁰ if that is not negative: h modulo 2¹³⁰ − 5.
  let g0 = h0 + 5
  let c = g0 >>> 22; g0 &= LOW
  let g1 = h1 + c; c = g1 >>> 22; g1 &= LOW
  let g2 = h2 + c; c = g2 >>> 22; g2 &= LOW
  let g3 = h3 + c; c = g3 >>> 22; g3 &= LOW
  let g4 = h4 + c; c = g4 >>> 22; g4 &= LOW
  const g5 = h5 + c - TOP
  const keep = g5 >> 31
  const f0 = (h0 & keep) | (g0 & ~keep), f1 = (h1 & keep) | (g1 & ~keep), f2 = (h2 & keep) | (g2 & ~keep)
  const f3 = (h3 & keep) | (g3 & ~keep), f4 = (h4 & keep) | (g4 & ~keep), f5 = (h5 & keep) | (g5 & ~keep)
  // To words, plus s, modulo 2¹²⁸.
  let t = ((f0 | (f1 << 22)) >>> 0) + (key[4] as number)
  tag[0] = t
  t = (((f1 >>> 10) | (f2 << 12)) >>> 0) + (key[5] as number) + Math.floor(t / 2 ** 32)
  tag[1] = t
  t = (((f2 >>> 20) | (f3 << 2) | (f4 << 24)) >>> 0) + (key[6] as number) + Math.floor(t / 2 ** 32)
  tag[2] = t
  t = (((f4 >>> 8) | (f5 << 14)) >>> 0) + (key[7] as number) + Math.floor(t / 2 ** 32)
  tag[3] = t
}
