/**
 * Arithmetic modulo p = 2²⁵⁵ − 19 as WebAssembly, two numbers at a time in the lanes of vectors, for what is no secret: variable time.
 *
 * A number is ten words of 26 and 25 bits in turn, word i weighing 2^⌈25.5 i⌉ (Bernstein, Curve25519, 2006). A **pair** (a, b) is five vectors a₂ₖ b₂ₖ a₂ₖ₊₁ b₂ₖ₊₁, 80 bytes. Words may be wider than
 * that: let a number be **n wide** if its even words are at most n · u and its odd ones n · u / 2, where u = 2²⁶ + 2¹⁹.
 *
 * `multiply` takes an n wide and an m wide one with n · m ≤ 30 and m ≤ 3, `square` one of n ≤ 3; what comes out is 1 wide. For 19 · 3 · u < 2³², so words stay words. The widest column is the lowest:
 * one product of even words, four of them times 19 and five of odd words times 38, (1 + 76 + 47.5) · n · m · u² < 124.5 · 30 · 2⁵²·⁰³ < 2⁶³·⁹, and a carry below 2³⁹. The last carry, below 2³⁹,
 * comes back 19 times to word 0, which is then below 2⁴³·³, and from there to word 1: below 2²⁵ + 2¹⁸ = u / 2.
 * Sums are as wide as both together. A difference adds 2p, whose words are above those of a number 1 wide and less than 2 wide: it is 2 wider than what is taken from.
 */
import { call, type Code, doWhile, each, Frame, type Function, I32, I64, i32, i64, type Local, V128, v128 } from './assembler.js'

export const P = 2n ** 255n - 19n
/** Bytes of a pair. */
export const PAIR = 80

const WORDS = 10
const VECTORS = 5
const bitsOf = (i: number): number => 26 - (i & 1)
const at = (address: number): Code => i32.const(address)

/** The words of two numbers below 2²⁵⁵, as a pair. */
export function pairOf(a: bigint, b: bigint): Uint32Array {
  const words = new Uint32Array(PAIR / 4)
  for (const [lane, n] of [a, b].entries()) {
    for (let i = 0; i < WORDS; i++) words[4 * (i >> 1) + 2 * (i & 1) + lane] = Number((n >> BigInt(bitAt(i))) & (2n ** BigInt(bitsOf(i)) - 1n))
  }
  return words
}
/** Where word i begins. */
const bitAt = (i: number): number => Math.ceil(25.5 * i)

/** How many functions, which come first in the module. */
export const FIELD_FUNCTIONS = 5
const PACK = 3

/** `spare`: 32 bytes. */
export function fieldFunctions(spare: number): readonly Function[] {
  return [multiply(), square(), unpack(), pack(), isZero(spare)]
}

const operand = (address: number | Code): Code => (typeof address === 'number' ? at(address) : address)
export const multiplied = (to: number | Code, a: number | Code, b: number | Code): Code => call(0, operand(to), operand(a), operand(b))
/** Squared `times` times. */
export const squared = (to: number | Code, a: number | Code, times: number): Code => call(1, operand(to), operand(a), at(times))
/** Of one lane: its address is that of the pair, and four more for the second. */
export const unpacked = (to: Code, from: Code): Code => call(2, to, from)
export const packed = (to: number, a: Code): Code => call(PACK, at(to), a)
export const zeroAt = (a: Code): Code => call(4, a)

const loaded = (pair: readonly Local[], from: Local): Code => each(VECTORS, (k) => (pair[k] as Local).set(v128.load(from.get, 16 * k)))
const stored = (columns: readonly Local[], to: Local): Code =>
  each(VECTORS, (k) => v128.store(to.get, v128.shuffleWords((columns[2 * k] as Local).get, (columns[2 * k + 1] as Local).get, [0, 2, 4, 6]), 16 * k))

const ODD = v128.of([0, 0, 0xffffffff, 0xffffffff])
const doubledOdd = (a: Code): Code => v128.add(a, v128.and(a, ODD))
const turned = (a: Code): Code => v128.shuffleWords(a, a, [2, 3, 0, 1])
const nineteenfold = (a: Code): Code => v128.multiply(a, v128.of([19, 19, 19, 19]))

/** What is multiplied by: vectors, the same with even and odd words in each other's places, and 19 times both. */
function factors(frame: Frame, from: readonly Local[]): { readonly made: Code; readonly straight: (l: number) => Code; readonly crossed: (l: number) => Code } {
  const [crossed, straight19, crossed19] = [frame.several(VECTORS, V128), frame.several(VECTORS, V128), frame.several(VECTORS, V128)]
  const of = (list: readonly Local[], l: number): Local => list[l] as Local
  const made = each(VECTORS, (l) => of(crossed, l).set(turned(of(from, l).get)) + of(straight19, l).set(nineteenfold(of(from, l).get)) + of(crossed19, l).set(turned(of(straight19, l).get)))
  return {
    made,
    straight: (l) => (l < VECTORS ? of(from, l) : of(straight19, l - VECTORS)).get,
    crossed: (l) => (l < VECTORS ? of(crossed, l) : of(crossed19, l - VECTORS)).get,
  }
}

const sumOf = (terms: readonly Code[]): Code => terms.slice(1).reduce((sum, term) => v128.add64(sum, term), terms[0] as Code)

/** Columns, each the sum of its terms, carried into words. */
function carried(columns: readonly Local[], terms: (column: number) => readonly Code[], carry: Local): Code {
  const column = (i: number): Local => columns[i] as Local
  const into = (i: number): Code => carry.set(v128.shiftRight64(column(i).get, bitsOf(i))) + column(i).set(v128.and(column(i).get, v128.of([2 ** bitsOf(i) - 1, 0, 2 ** bitsOf(i) - 1, 0])))
  const nineteen = v128.add64(v128.add64(v128.shiftLeft64(carry.get, 4), v128.shiftLeft64(carry.get, 1)), carry.get)
  return each(WORDS, (i) => column(i).set(i === 0 ? sumOf(terms(i)) : v128.add64(sumOf(terms(i)), carry.get)) + into(i))
    + column(0).set(v128.add64(column(0).get, nineteen)) + into(0) + column(1).set(v128.add64(column(1).get, carry.get))
}

/** Pairs of vectors k of one side and l of the other, counted past four where 19 times, of which some product is in the column: even or odd words with each other in 2m, one of each in 2m + 1. */
const meeting = (m: number): readonly (readonly [number, number])[] => Array.from({ length: VECTORS }, (_, k) => [k, m - k < 0 ? m - k + 2 * VECTORS : m - k] as const)

/** (to, a, b) */
function multiply(): Function {
  const frame = new Frame(3)
  const [to, a, b] = [frame.param(0), frame.param(1), frame.param(2)]
  const [f, twice, g, columns] = [frame.several(VECTORS, V128), frame.several(VECTORS, V128), frame.several(VECTORS, V128), frame.several(WORDS, V128)]
  const { made, straight, crossed } = factors(frame, g)
  const [one, two] = [(k: number): Code => (f[k] as Local).get, (k: number): Code => (twice[k] as Local).get]
  const terms = (column: number): readonly Code[] => {
    const m = column >> 1
    if ((column & 1) === 1) return meeting(m).flatMap(([k, l]) => [v128.low(one(k), crossed(l)), v128.high(one(k), crossed(l))])
    return [...meeting(m).map(([k, l]) => v128.low(one(k), straight(l))), ...meeting(m - 1).map(([k, l]) => v128.high(two(k), straight(l)))]
  }
  const body = loaded(f, a) + loaded(g, b) + each(VECTORS, (k) => (twice[k] as Local).set(doubledOdd(one(k)))) + made
    + carried(columns, terms, frame.local(V128)) + stored(columns, to)
  return { name: 'multiply', params: 3, locals: frame.locals, body }
}

/** (to, a, times) */
function square(): Function {
  const frame = new Frame(3)
  const [to, a, times] = [frame.param(0), frame.param(1), frame.param(2)]
  const [f, twice, g, columns] = [frame.several(VECTORS, V128), frame.several(VECTORS, V128), frame.several(VECTORS, V128), frame.several(WORDS, V128)]
  /** g: f, its odd words doubled. */
  const { made, straight, crossed } = factors(frame, g)
  const [one, two] = [(k: number): Code => (f[k] as Local).get, (k: number): Code => (twice[k] as Local).get]
  const terms = (column: number): readonly Code[] => {
    const m = column >> 1
    if ((column & 1) === 1) return meeting(m).map(([k, l]) => v128.low(one(k), crossed(l)))
    const half = (list: readonly (readonly [number, number])[], product: (a: Code, b: Code) => Code): readonly Code[] =>
      list.filter(([k, l]) => k <= l % VECTORS).map(([k, l]) => product(k === l % VECTORS ? one(k) : two(k), straight(l)))
    return [...half(meeting(m), v128.low), ...half(meeting(m - 1), v128.high)]
  }
  const round = each(VECTORS, (k) => (twice[k] as Local).set(v128.add(one(k), one(k))) + (g[k] as Local).set(doubledOdd(one(k)))) + made + carried(columns, terms, frame.local(V128))
    + each(VECTORS, (k) => (f[k] as Local).set(v128.shuffleWords((columns[2 * k] as Local).get, (columns[2 * k + 1] as Local).get, [0, 2, 4, 6])))
  return {
    name: 'square', params: 3, locals: frame.locals,
    body: loaded(f, a) + doWhile(round, times.tee(i32.subtract(times.get, at(1)))) + each(VECTORS, (k) => v128.store(to.get, one(k), 16 * k)),
  }
}

/** Word i of one lane, from the address of that lane on. */
export const wordAt = (i: number): number => 16 * (i >> 1) + 8 * (i & 1)

/** (to, from): the low 255 bits of 32 bytes into a lane: 1 wide. */
function unpack(): Function {
  const frame = new Frame(2)
  const [to, from] = [frame.param(0), frame.param(1)]
  const body = each(WORDS, (i) => {
    const byte = Math.min(bitAt(i) >> 3, 24)
    const word = i64.and(i64.shiftRight(i64.load(from.get, byte), i64.const(bitAt(i) - 8 * byte)), i64.const(2 ** bitsOf(i) - 1))
    return i64.store32(to.get, word, wordAt(i))
  })
  return { name: 'unpack', params: 2, locals: frame.locals, body }
}

/** (to, a): a lane of any width as the 32 bytes of what it is modulo p, below p. */
function pack(): Function {
  const frame = new Frame(2)
  const [to, a] = [frame.param(0), frame.param(1)]
  const h = frame.several(WORDS, I64)
  const sum = frame.local(I64)
  const word = (i: number): Local => h[i] as Local
  const bits = (i: number): Code => i64.const(bitsOf(i))
  const carry = (into: boolean): Code => each(WORDS, (i) => sum.set(i64.add(sum.get, word(i).get))
    + (into ? word(i).set(i64.and(sum.get, i64.const(2 ** bitsOf(i) - 1))) : '') + sum.set(i64.shiftRight(sum.get, bits(i))))
  const back = sum.set(i64.multiply(sum.get, i64.const(19)))
  const quarter = (q: number): Code => {
    const parts = Array.from({ length: WORDS }, (_, i) => ({ i, shift: bitAt(i) - 64 * q })).filter(({ i, shift }) => shift > -bitsOf(i) && shift < 64)
      .map(({ i, shift }) => (shift < 0 ? i64.shiftRight(word(i).get, i64.const(-shift)) : i64.shiftLeft(word(i).get, i64.const(shift))))
    return i64.store(to.get, parts.slice(1).reduce((all, part) => i64.or(all, part), parts[0] as Code), 8 * q)
  }
  const body = each(WORDS, (i) => word(i).set(i64.load32(a.get, wordAt(i)))) + sum.set(i64.const(0))
    // Below 2²⁵⁵ + 2¹², then below 2²⁵⁵: what carries out of the top leaves less than 2¹² behind.
    + carry(true) + back + carry(true) + back + word(0).set(i64.add(word(0).get, sum.get))
    // Not below p if 19 more carry out of the top: that bit goes, and the 19 stay.
    + sum.set(i64.const(19)) + carry(false) + back + carry(true)
    + each(4, quarter)
  return { name: 'pack', params: 2, locals: frame.locals, body }
}

/** (a): 1 if a lane of any width is 0 modulo p. */
function isZero(spare: number): Function {
  const words = [0, 8, 16, 24].map((offset) => i64.load(at(spare), offset))
  const body = call(PACK, at(spare), new Frame(1).param(0).get) + i64.isZero(words.slice(1).reduce((all, one) => i64.or(all, one), words[0] as Code))
  return { name: 'isZero', params: 1, returns: I32, locals: [], body }
}
