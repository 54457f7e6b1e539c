/** Content of files for tests, the same in every process. */

/** Bytes that are different everywhere, and for every seed. */
export function sampleBytes(length: number, seed = 1): Uint8Array {
  const out = new Uint8Array(length)
  let x = Math.imul(seed, 2654435761)
  for (let i = 0; i < length; i++) {
    x = (Math.imul(x, 1664525) + 1013904223) | 0
    out[i] = x >>> 24
  }
  return out
}

/** Lengths of one to four chunks, borders among them. */
export function lengthOf(n: number): number {
  return [1, 131_072, 131_073, 300_000, 524_288][n % 5] as number
}
