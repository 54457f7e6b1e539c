/** Sums of products of long numbers as WebAssembly: what multiplies one key in a batch of signatures, before it is reduced. */
import { type Code, doWhile, each, Frame, type Function, I32, I64, i32, i64 } from './assembler.js'

/** Words of a sum, and of its longer factors with the zeros behind them. */
export const SUM_WORDS = 24
export const FACTOR_WORDS = 21

/** `addProduct(to, a, b)`: `SUM_WORDS` words at `to` grow by 4 words at `a` times `FACTOR_WORDS` at `b`, of which the last five are zero: what carries stays below 2²¹·³² for the first 2³¹ of them. */
export function addProduct(): Function {
  const frame = new Frame(3)
  const [to, a, b] = [frame.param(0), frame.param(1), frame.param(2)]
  const [j, factor, carry] = [frame.local(I32), frame.local(I64), frame.local(I64)]
  const place = i32.add(to.get, j.get)
  const at = (n: number): Code => i32.const(n)
  const body = each(4, (i) => j.set(at(0)) + carry.set(i64.const(0)) + factor.set(i64.load32(a.get, 4 * i)) + doWhile(
    // (2³² − 1)² + 2 · (2³² − 1) < 2⁶⁴
    carry.set(i64.add(i64.add(i64.multiply(factor.get, i64.load32(i32.add(b.get, j.get))), i64.load32(place, 4 * i)), carry.get))
    + i64.store32(place, carry.get, 4 * i) + carry.set(i64.shiftRight(carry.get, i64.const(32))),
    i32.lessThan(j.tee(i32.add(j.get, at(4))), at(4 * FACTOR_WORDS)),
  ))
  return { name: 'addProduct', params: 3, locals: frame.locals, body }
}
