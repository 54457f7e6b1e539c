/**
 * Points of edwards25519 as WebAssembly, for what is no secret: decoding (RFC 8032 §5.1.3), tables of multiples, and a sum of multiples as a list of steps.
 *
 * A point is x, y, z, t with x / z, y / z on the curve and t = x · y / z (Hisil, Wong, Carter, Dawson, "Twisted Edwards Curves Revisited", 2008), as pairs (x, y) and (z, t) of field.ts. The formulas are
 * complete: they hold for all points, of small order, equal or opposite too. A **ready** point is what is added: (y − x, y + x), at most 3 wide, and (2z, 2d · t). There is one point that everything
 * happens to; its numbers are products, so 1 wide, but for x as decoded, which may be 2 wide and has words of at most 2p's.
 */
import { call, type Code, doWhile, each, Frame, type Function, I32, i32, v128, when } from './assembler.js'
import { FIELD_FUNCTIONS, fieldFunctions, multiplied, P, packed, PAIR, pairOf, squared, unpacked, wordAt, zeroAt } from './field.js'

export interface EdwardsLayout {
  /** `edwardsConstants`. */
  readonly constants: number
  /** The point. */
  readonly point: number
  /** Twelve pairs of work. */
  readonly work: number
}

/** RFC 8032 §5.1: −121665 / 121666, and 2^((p − 1) / 4). */
const D = 37095705934669439343138083508754565189542113879843219016388785533085940283555n
const ROOT_OF_MINUS_ONE = 19681161376707505956807079304988542015446066515923890162744021073123829784752n

/** Bytes of a point, and of one ready to be added. */
export const POINT = 2 * PAIR
/** Odd multiples in a table: of 1, 3, 5, 7. */
export const TABLE_COUNT = 4
/** A step of `sum` that is no address: the point is doubled. */
export const DOUBLE = 0

export function edwardsConstants(): Uint32Array {
  return Uint32Array.from([pairOf(1n, 1n), pairOf(D, D), pairOf(2n, (2n * D) % P), pairOf(ROOT_OF_MINUS_ONE, ROOT_OF_MINUS_ONE), pairOf(0n, 1n), pairOf(1n, 0n)].flatMap((pair) => [...pair]))
}

const at = (address: number): Code => i32.const(address)
const lane = (code: Code, index: 0 | 1): Code => v128.shuffleWords(code, code, index === 0 ? [0, 0, 2, 2] : [1, 1, 3, 3])
const turned = (code: Code): Code => v128.shuffleWords(code, code, [1, 0, 3, 2])
/** A lane of each as a pair. */
const together = (a: Code, i: 0 | 1, b: Code, j: 0 | 1): Code => v128.shuffleWords(a, b, [i, 4 + j, 2 + i, 6 + j])
const FIRST = v128.of([0xffffffff, 0, 0xffffffff, 0])
const TWICE_P = pairOf(P, P).map((word) => 2 * word)
/** 2p for both lanes, or for the first. */
const twiceP = (k: number, both: boolean): Code => v128.of([...TWICE_P.subarray(4 * k, 4 * k + 4)].map((word, i) => (both || (i & 1) === 0 ? word : 0)))

/** Of (a, b), each 1 wide: (a − b, a + b) `from` 0, (b − a, b + a) from 1. */
function crossed(pair: Code, k: number, from: 0 | 1): Code {
  const other = lane(pair, from === 0 ? 1 : 0)
  return v128.add(lane(pair, from), v128.add(v128.subtract(v128.xor(other, FIRST), FIRST), twiceP(k, false)))
}

/**
 * After those of field.ts: `decode(from)`: two times 32 bytes; bit i of the answer: there is a point i, its y taken modulo p, its sign bit ignored where x = 0. `take(i)`: it becomes the point. `table(to)`:
 * of the point, which is lost. `sum(from, end)`: each step is the address of a ready point, plus one if it is taken off, or `DOUBLE`; the point begins as the identity. `isIdentity()`.
 */
export function edwardsFunctions({ constants, point, work }: EdwardsLayout): readonly Function[] {
  const pairs = (from: number, count: number): readonly number[] => Array.from({ length: count }, (_, i) => from + PAIR * i)
  const [one, d, readiness, root, identity] = pairs(constants, 6) as [number, number, number, number, number]
  const [xy, zt] = [point, point + PAIR]
  const [a, b, c, e, f, g] = pairs(work, 6) as [number, number, number, number, number, number]
  const [decodedX, decodedY, decodedT, twice] = pairs(work + 6 * PAIR, 4) as [number, number, number, number]
  const [spare, more] = [work + 10 * PAIR, work + 10 * PAIR + PAIR]
  const [doubleAt, addAt, readyAt, laneAt] = [0, 1, 2, 3].map((i) => FIELD_FUNCTIONS + i) as [number, number, number, number]
  const fill = (to: Code | number, make: (k: number) => Code): Code => each(PAIR / 16, (k) => v128.store(typeof to === 'number' ? at(to) : to, make(k), 16 * k))
  const of = (pair: number) => (k: number): Code => v128.load(at(pair), 16 * k)
  const copy = (to: number, from: number): Code => fill(to, of(from))

  /** Hisil et al. §3.3, with 2xy for what they make of (x + y)²: (2 · z², 2xy) = (c, e), g = y² − x², h = x² + y², f = c − g; 2, 2, 3, 2 and 5 wide. */
  const double = (): Function => ({
    name: 'double', params: 0, locals: [],
    body: squared(a, xy, 1)
      + fill(b, (k) => together(of(zt)(k), 0, of(xy)(k), 0)) + fill(c, (k) => together(of(zt)(k), 0, of(xy)(k), 1)) + multiplied(b, b, c)
      + fill(b, (k) => v128.add(of(b)(k), of(b)(k)))
      + fill(c, (k) => v128.add(crossed(of(a)(k), k, 0), v128.and(of(b)(k), FIRST))) // (f, h)
      + fill(e, (k) => together(of(b)(k), 1, crossed(of(a)(k), k, 1), 0)) // (e, g)
      + multiplied(xy, c, e) + fill(e, (k) => turned(of(e)(k))) + multiplied(zt, c, e),
  })

  /** (ready, less): Hisil et al. §3.1; e is 3 wide, h 2, f and g 3. To take a point off is to add its (y + x, y − x) and (2z, −2d · t). */
  const addReady = (): Function => {
    const frame = new Frame(2)
    const [ready, less] = [frame.param(0), frame.param(1)]
    const body = multiplied(b, zt, i32.add(ready.get, at(PAIR))) // 2z · z, 2d · t · t
      + fill(f, (k) => crossed(of(b)(k), k, 0)) // (f, g)
      + when(less.get, fill(f, (k) => turned(of(f)(k))) + fill(g, (k) => turned(v128.load(ready.get, 16 * k))) + ready.set(at(g)))
      + fill(a, (k) => crossed(of(xy)(k), k, 1)) + multiplied(a, a, ready.get)
      + fill(e, (k) => crossed(of(a)(k), k, 1)) // (e, h)
      + multiplied(xy, e, f)
      + fill(a, (k) => together(of(f)(k), 0, of(e)(k), 0)) + fill(b, (k) => together(of(f)(k), 1, of(e)(k), 1)) + multiplied(zt, a, b)
    return { name: 'addReady', params: 2, locals: frame.locals, body }
  }

  /** (to) */
  const ready = (): Function => {
    const to = new Frame(1).param(0)
    return { params: 1, locals: [], body: fill(to.get, (k) => crossed(of(xy)(k), k, 1)) + multiplied(i32.add(to.get, at(PAIR)), zt, at(readiness)) }
  }

  const table = (): Function => {
    const to = new Frame(1).param(0)
    return {
      name: 'table', params: 1, locals: [],
      body: call(readyAt, to.get) + call(doubleAt) + call(readyAt, at(twice))
        + each(TABLE_COUNT - 1, (i) => call(addAt, i === 0 ? to.get : at(twice), at(0)) + call(readyAt, i32.add(to.get, at(POINT * (i + 1))))),
    }
  }

  /** RFC 8032 §5.1.3: with u = y² − 1 and v = d · y² + 1, x = u · v³ · (u · v⁷)^((p − 5) / 8). */
  const decode = (): Function => {
    const from = new Frame(1).param(0)
    const [x, y, t, yy, u, v, s] = [decodedX, decodedY, decodedT, a, b, c, e]
    const second = i32.add(from.get, at(32))
    const lessOne = (k: number): Code => (k === 0 ? v128.of([TWICE_P[0] as number - 1, TWICE_P[1] as number - 1, TWICE_P[2] as number, TWICE_P[3] as number]) : twiceP(k, true))
    const body = unpacked(at(y), from.get) + unpacked(at(y + 4), second)
      + squared(yy, y, 1) + fill(u, (k) => v128.add(of(yy)(k), lessOne(k))) + multiplied(v, yy, d) + fill(v, (k) => v128.add(of(v)(k), of(one)(k)))
      + squared(s, v, 1) + multiplied(x, s, v) + multiplied(x, x, u) // u · v³
      + squared(s, s, 1) + multiplied(s, s, x) + power(s, [f, g, spare]) + multiplied(x, x, f)
      + squared(s, x, 1) + multiplied(s, s, v) // v · x²: u or −u if there is a point
      + fill(u, (k) => v128.add(v128.add(of(s)(k), of(yy)(k)), lessOne(k))) // v · x² + u
      + fill(v, (k) => v128.subtract(v128.add(v128.add(of(s)(k), of(one)(k)), twiceP(k, true)), of(yy)(k))) // v · x² − u
      + i32.or(call(laneAt, at(0), from.get), i32.shiftLeft(call(laneAt, at(4), second), at(1)))
      + multiplied(t, x, y)
    return { name: 'decode', params: 1, returns: I32, locals: [], body }
  }

  /** (lane, from) → 1 if there is a point: x times √−1 if v · x² = −u, with the sign of the 32 bytes. */
  const decodeLane = (): Function => {
    const frame = new Frame(2)
    const [place, from, bad] = [frame.param(0), frame.param(1), frame.local(I32)]
    const inLane = (pair: number): Code => i32.add(place.get, at(pair))
    const parity = packed(f, inLane(decodedX)) + i32.and(i32.load(at(f)), at(1))
    const rooted = copy(f, one) + each(10, (i) => i32.store(inLane(f), i32.load(inLane(root), wordAt(i)), wordAt(i))) + multiplied(decodedX, decodedX, f)
    const body = bad.set(i32.isZero(zeroAt(inLane(c))))
      + when(bad.get, rooted + bad.set(i32.isZero(zeroAt(inLane(b)))))
      + when(i32.xor(parity, i32.shiftRight(i32.load(from.get, 28), at(31))), each(10, (i) =>
        i32.store(inLane(decodedX), i32.subtract(at(TWICE_P[wordAt(i) / 4] as number), i32.load(inLane(decodedX), wordAt(i))), wordAt(i))))
      + i32.isZero(bad.get)
    return { params: 2, returns: I32, locals: frame.locals, body }
  }

  /** s to the power of (p − 5) / 8 = 2²⁵² − 3, in q. Most lines double how many ones the exponent has. */
  const power = (s: number, [q, r, w]: readonly [number, number, number]): Code => {
    /** `other` is not `to`. */
    const longer = (to: number, from: number, by: number, other: number): Code => squared(to, from, by) + multiplied(to, to, other)
    return squared(q, s, 1) + longer(r, q, 2, s) + multiplied(q, q, r) // 2, 9, 11
      + longer(q, q, 1, r) // 2⁵ − 1
      + longer(r, q, 5, q) // 2¹⁰ − 1
      + longer(q, r, 10, r) // 2²⁰ − 1
      + longer(w, q, 20, q) // 2⁴⁰ − 1
      + longer(q, w, 10, r) // 2⁵⁰ − 1
      + longer(r, q, 50, q) // 2¹⁰⁰ − 1
      + longer(w, r, 100, r) // 2²⁰⁰ − 1
      + longer(r, w, 50, q) // 2²⁵⁰ − 1
      + longer(q, r, 2, s)
  }

  /** (i) */
  const take = (): Function => {
    const index = new Frame(1).param(0)
    const taken = (i: 0 | 1): Code => fill(xy, (k) => together(of(decodedX)(k), i, of(decodedY)(k), i)) + fill(zt, (k) => together(of(one)(k), 0, of(decodedT)(k), i))
    return { name: 'take', params: 1, locals: [], body: taken(0) + when(index.get, taken(1)) }
  }

  const sum = (): Function => {
    const frame = new Frame(2)
    const [from, end, step] = [frame.param(0), frame.param(1), frame.local(I32)]
    const taken = call(addAt, i32.and(step.get, at(-2)), i32.and(step.get, at(1)))
    const body = copy(xy, identity) + copy(zt, identity + PAIR)
      + doWhile(
        step.set(i32.load(from.get)) + when(step.get, taken) + when(i32.isZero(step.get), call(doubleAt)),
        i32.lessThan(from.tee(i32.add(from.get, at(4))), end.get),
      )
    return { name: 'sum', params: 2, locals: frame.locals, body }
  }

  const isIdentity: Function = {
    name: 'isIdentity', params: 0, returns: I32, locals: [],
    // x = 0 and y − z = 0
    body: fill(a, (k) => v128.subtract(v128.add(turned(of(xy)(k)), twiceP(k, true)), of(zt)(k))) + i32.and(zeroAt(at(xy)), zeroAt(at(a))),
  }

  return [...fieldFunctions(more), double(), addReady(), ready(), decodeLane(), table(), decode(), take(), sum(), isIdentity]
}
