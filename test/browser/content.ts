/** Content of files, the same in the page and in the test. */

/** Bytes without a period that a chunk could hide. */
export function bytesOf(length: number, seed: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 7) * 17 + seed) & 0xff)
}
