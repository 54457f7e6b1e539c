/**
 * Poly1305 (RFC 8439 §2.5) of whole blocks as WebAssembly, in 64-bit integers.
 *
 * h and r are words of 32 bits, the fifth of h a few bits. By its clamping, words of r are below 2²⁸, and all but the first divisible by four, so that
 * 2¹²⁸ · r = 5/4 · r modulo 2¹³⁰ − 5 word by word. Between blocks carries wait: h0 is below 2.1 · 2³², h1 to h3 below 2³², h4 below 4. With a block added, a sum of
 * products is below (3.1 + 3 · 2 · 5/4) · 2⁶⁰ < 2⁶⁴.
 */
import { type Code, doWhile, each, Frame, type Function, I64, i32, i64, type Local, when } from './assembler.js'

export interface PolyLayout {
  /** 32 bytes: r, then s. */
  readonly polyKey: number
  /** h, 5 × 8 bytes, zero to begin with. */
  readonly sum: number
  /** 16 bytes. */
  readonly tag: number
}

const at = (address: number): Code => i32.const(address)
const low = (a: Code): Code => i64.and(a, i64.const(0xffffffff))
const high = (a: Code): Code => i64.shiftRight(a, i64.const(32))
const variables = (frame: Frame, count: number): ((i: number) => Local) => {
  const all = frame.several(count, I64)
  return (i) => all[i] as Local
}

/** (from, end): takes the blocks of `[from, end)`, if there are any, into the sum. */
export function polyBlocks({ polyKey, sum }: PolyLayout): Function {
  const frame = new Frame(2)
  const [from, end] = [frame.param(0), frame.param(1)]
  const h = variables(frame, 5)
  const r = variables(frame, 4)
  /** 5/4 of r. */
  const s = variables(frame, 4)
  const d = variables(frame, 4)
  const over = frame.local(I64)
  const product = (i: number): Code => {
    let total = i64.multiply(h(0).get, r(i).get)
    for (let j = 1; j < 4; j++) total = i64.add(total, i64.multiply(h(j).get, (j <= i ? r(i - j) : s(4 + i - j)).get))
    return i === 0 ? total : i64.add(total, i64.multiply(h(4).get, s(i).get))
  }
  const block = each(4, (i) => h(i).set(i64.add(h(i).get, i64.load32(from.get, 4 * i))))
    + h(4).set(i64.add(h(4).get, i64.const(1))) // bit 128: a full block
    + each(4, (i) => d(i).set(product(i)))
    + each(3, (i) => d(i + 1).set(i64.add(d(i + 1).get, high(d(i).get))))
    + over.set(i64.add(i64.multiply(h(4).get, r(0).get), high(d(3).get)))
    + h(4).set(i64.and(over.get, i64.const(3)))
    // What lies above bit 130 comes back five times.
    + h(0).set(i64.add(low(d(0).get), i64.multiply(i64.shiftRight(over.get, i64.const(2)), i64.const(5))))
    + each(3, (i) => h(i + 1).set(low(d(i + 1).get)))
  const body = each(5, (i) => h(i).set(i64.load(at(sum), 8 * i)))
    + each(4, (i) => r(i).set(i64.and(i64.load32(at(polyKey), 4 * i), i64.const(i === 0 ? 0x0fffffff : 0x0ffffffc))))
    + each(3, (i) => s(i + 1).set(i64.add(r(i + 1).get, i64.shiftRight(r(i + 1).get, i64.const(2)))))
    + when(i32.lessThan(from.get, end.get), doWhile(block, i32.lessThan(from.tee(i32.add(from.get, at(16))), end.get)))
    + each(5, (i) => i64.store(at(sum), h(i).get, 8 * i))
  return { params: 2, locals: frame.locals, body }
}

/** The tag of the sum; clears it. */
export function polyTag({ polyKey, sum, tag }: PolyLayout): Function {
  const frame = new Frame(0)
  const h = variables(frame, 5)
  /** h + 5: past 2¹³⁰ if h is not less than the prime. */
  const g = variables(frame, 5)
  const [keep, t] = [frame.local(I64), frame.local(I64)]
  const carried = (of: (i: number) => Local): Code => each(4, (i) => of(i + 1).set(i64.add(of(i + 1).get, high(of(i).get))) + of(i).set(low(of(i).get)))
  const chosen = (i: number): Code => i64.or(i64.and(h(i).get, keep.get), i64.and(g(i).get, i64.xor(keep.get, i64.const(-1))))
  const body = each(5, (i) => h(i).set(i64.load(at(sum), 8 * i)) + i64.store(at(sum), i64.const(0), 8 * i))
    + carried(h)
    + each(5, (i) => g(i).set(i === 0 ? i64.add(h(0).get, i64.const(5)) : h(i).get))
    + carried(g)
    // All ones if h is less: it is below 2¹³⁰ + 2³⁴, so there is nothing to take off but the prime, once.
    + keep.set(i64.subtract(i64.shiftRight(g(4).get, i64.const(2)), i64.const(1)))
    + each(4, (i) => t.set(i64.add(i64.add(chosen(i), i64.load32(at(polyKey), 16 + 4 * i)), i === 0 ? i64.const(0) : high(t.get))) + i64.store32(at(tag), t.get, 4 * i))
  return { params: 0, locals: frame.locals, body }
}
