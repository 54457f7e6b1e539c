/** Small arrays from shared pages: an array of its own costs a microsecond, several times what a small proof does with it. */

const PAGE = 16 * 1024
/** Larger ones have memory of their own. What is kept keeps its page. */
const LARGEST = 4 * 1024

let page = new ArrayBuffer(PAGE)
let used = 0

/** `length` zero bytes, aligned for words. Never handed out twice. */
export function zeroBytes(length: number): Uint8Array {
  if (length > LARGEST) return new Uint8Array(length)
  if (used + length > PAGE) {
    page = new ArrayBuffer(PAGE)
    used = 0
  }
  const bytes = new Uint8Array(page, used, length)
  used += (length + 7) & ~7
  return bytes
}
