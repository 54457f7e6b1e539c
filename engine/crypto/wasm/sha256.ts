/**
 * SHA-256 (FIPS 180-4) as WebAssembly: one message, HMAC from kept midstates, and four of either in the lanes of vectors. Sums, shifts and masks only.
 */
import { call, clearTo, type Code, doWhile, each, Frame, type Function, I32, i32, type Local, select, transpose, V128, v128 } from './assembler.js'

/** Where things lie. */
export interface HashLayout {
  /** 64 round constants, then the 8 words that hashing starts from, as `hashConstants` gives them. */
  readonly constants: number
  /** 4 × 32 bytes of work. */
  readonly state: number
  /** 128 bytes: the last blocks of an HMAC. */
  readonly outer: number
  /** 2 × 32 bytes: the midstates of an HMAC key. */
  readonly keyed: number
  /** What is hashed, with 128 bytes of room behind it. */
  readonly message: number
  /** 4 messages, one every `stride` bytes, with 80 bytes of room behind each. The second byte of a word: see `HashLanes`. */
  readonly lanes: number
  readonly stride: number
  /** 4 × 32 bytes. */
  readonly digests: number
}

/** How many functions `hashFunctions` gives. */
export const HASH_FUNCTIONS = 8
/** Where among them `hashLanes` is. */
export const HASH_LANES = 6

/** `hash(length)`, `hmac(length)`, `hmacKey()`, `hashLanes(length × 4)` and `hmacLanes(the same)` over the layout. `first`: their first index in the module. */
export function hashFunctions(layout: HashLayout, first: number): readonly Function[] {
  const [compressAt, padAt, lanesAt] = [first, first + 1, first + 5]
  return [
    compress(layout), pad(), hash(layout, compressAt, padAt), hmac(layout, compressAt, padAt), hmacKey(layout, compressAt),
    lanesFrom(layout, padAt), hashLanes(layout, lanesAt), hmacLanes(layout, lanesAt),
  ]
}

/** FIPS 180-4 §4.2.2, §5.3.3. */
export function hashConstants(): Uint32Array {
  return Uint32Array.from(rootConstants(64, 32), Number)
}

/** The first bits of the fractional parts of cube roots of the first `rounds` primes, then of square roots of the first eight; exact, whatever `**` rounds to. */
export function rootConstants(rounds: number, bits: number): readonly bigint[] {
  const primes: number[] = []
  for (let n = 2; primes.length < rounds; n++) if (primes.every((prime) => n % prime !== 0)) primes.push(n)
  const fraction = (n: number, power: bigint): bigint => {
    const scaled = BigInt(n) << (BigInt(bits) * power)
    let root = BigInt(Math.floor(n ** (1 / Number(power)) * 2 ** bits))
    // One step of Newton's from where a double ends, then a step or none.
    root -= (root ** power - scaled) / (power * root ** (power - 1n))
    while (root ** power > scaled) root--
    while ((root + 1n) ** power <= scaled) root++
    return BigInt.asUintN(bits, root)
  }
  return [...primes.map((prime) => fraction(prime, 3n)), ...primes.slice(0, 8).map((prime) => fraction(prime, 2n))]
}

const at = (address: number): Code => i32.const(address)
const SWAPPED: readonly number[] = [3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12]
/** Big-endian words of memory to words, or back. */
const swapped = (a: Code): Code => v128.shuffle(a, a, SWAPPED)

/** By how much each sum of SHA-256 turns its word (FIPS 180-4 §4.1.2), the last of the small ones a shift; and the bytes of a word. */
export const FORM_256: HashForm = { big: [[6, 11, 25], [2, 13, 22]], small: [[7, 18, 3], [17, 19, 10]], width: 4, rounds: 64 }

type Turns = readonly [number, number, number]
export interface HashForm {
  readonly big: readonly [Turns, Turns]
  readonly small: readonly [Turns, Turns]
  readonly width: number
  readonly rounds: number
}

/** Words and what to do with them: in one lane or in four. */
export interface Lanes {
  readonly add: (a: Code, b: Code) => Code
  readonly and: (a: Code, b: Code) => Code
  readonly xor: (a: Code, b: Code) => Code
  readonly rotateRight: (a: Code, n: number) => Code
  readonly shiftRight: (a: Code, n: number) => Code
  readonly constant: (round: Code, i: number) => Code
}

/**
 * The rounds (FIPS 180-4 §6.2.2, steps 1 and 3) of variables `a` … `h` and the 16 words of the schedule, which starts out as the block: sixteen, and as
 * many again as there are. `spare`: three more. `round` counts bytes of round constants.
 */
export function rounds(
  { big, small, width, rounds: count }: HashForm, { add, and, xor, rotateRight, shiftRight, constant }: Lanes,
  working: readonly Local[], words: readonly Local[], spare: readonly Local[], round: Local,
): Code {
  const xorAll = (a: Code, b: Code, c: Code): Code => xor(xor(a, b), c)
  const spin = (a: Code, [n, m, l]: Turns): Code => xorAll(rotateRight(a, n), rotateRight(a, m), rotateRight(a, l))
  const slide = (a: Code, [n, m, l]: Turns): Code => xorAll(rotateRight(a, n), rotateRight(a, m), shiftRight(a, l))
  const sum = spare[2] as Local
  const one = (i: number): Code => {
    // Instead of moving on, the variables change their names.
    const [a, b, c, d, e, f, g, h] = working.map((_, letter) => working[(letter - i) & 7]) as unknown as readonly [Local, Local, Local, Local, Local, Local, Local, Local]
    const [ab, bc] = [spare[i & 1], spare[(i + 1) & 1]] as [Local, Local]
    const choice = xor(g.get, and(e.get, xor(f.get, g.get)))
    return (i === 0 ? bc.set(xor(b.get, c.get)) : '')
      + sum.set(add(add(add(add(h.get, constant(round.get, i)), (words[i] as Local).get), choice), spin(e.get, big[0])))
      + d.set(add(d.get, sum.get))
      // The majority of a, b and c, from what the round before has computed of it.
      + ab.set(xor(a.get, b.get)) + h.set(add(add(sum.get, xor(b.get, and(ab.get, bc.get))), spin(a.get, big[1])))
  }
  const schedule = (i: number): Code => {
    const word = (back: number): Code => (words[(i - back) & 15] as Local).get
    return (words[i] as Local).set(add(add(word(16), word(7)), add(slide(word(15), small[0]), slide(word(2), small[1]))))
  }
  const all = Array.from({ length: 16 }, (_, i) => one(i))
  return round.set(at(0)) + all.join('') + round.set(at(16 * width))
    + doWhile(each(16, (i) => schedule(i) + (all[i] as Code)), i32.lessThan(round.tee(i32.add(round.get, at(16 * width))), at(count * width)))
}

/** (state, from, end): whole blocks from `from` into the 8 words at `state`. */
function compress({ constants }: HashLayout): Function {
  const frame = new Frame(3)
  const [state, from, end] = [frame.param(0), frame.param(1), frame.param(2)]
  const working = frame.several(8, I32)
  const words = frame.several(16, I32)
  const spare = frame.several(3, I32)
  const four = frame.local(V128)
  const lanes: Lanes = {
    add: i32.add, and: i32.and, xor: i32.xor, rotateRight: (a, n) => i32.rotateRight(a, i32.const(n)), shiftRight: (a, n) => i32.shiftRight(a, i32.const(n)),
    constant: (round, i) => i32.load(round, constants + 4 * i),
  }
  const wordAt = (i: number): Local => words[i] as Local
  const body = doWhile(
    each(8, (i) => (working[i] as Local).set(i32.load(state.get, 4 * i)))
    + each(4, (i) => four.set(swapped(v128.load(from.get, 16 * i))) + each(4, (lane) => wordAt(4 * i + lane).set(v128.lane(four.get, lane))))
    + rounds(FORM_256, lanes, working, words, spare, frame.local(I32))
    + each(8, (i) => i32.store(state.get, i32.add(i32.load(state.get, 4 * i), (working[i] as Local).get), 4 * i)),
    i32.lessThan(from.tee(i32.add(from.get, at(64))), end.get),
  )
  return { params: 3, locals: frame.locals, body }
}

/** (from, length, before) → end: pads the message of `length` bytes at `from`, which comes after `before` bytes. */
function pad(): Function {
  const frame = new Frame(3)
  const [from, length, before] = [frame.param(0), frame.param(1), frame.param(2)]
  const [tail, end, bits] = [frame.local(I32), frame.local(I32), frame.local(I32)]
  const body = tail.set(i32.add(from.get, length.get))
    + i32.store8(tail.get, at(0x80))
    + each(4, (i) => v128.store(tail.get, v128.zero, 1 + 16 * i))
    + end.set(i32.add(from.get, i32.and(i32.add(length.get, at(8 + 64)), at(-64))))
    // A length in bits has 64 of them; 32 are enough for what has room here.
    + bits.set(i32.shiftLeft(i32.add(length.get, before.get), at(3)))
    + i32.store(i32.subtract(end.get, at(8)), at(0))
    + i32.store(i32.subtract(end.get, at(4)), byteSwapped(bits.get))
    + end.get
  return { params: 3, returns: I32, locals: frame.locals, body }
}

/** In 32 bits. */
function byteSwapped(a: Code): Code {
  return i32.or(i32.and(i32.rotateLeft(a, at(8)), at(0x00ff00ff)), i32.and(i32.rotateRight(a, at(8)), at(0xff00ff00 | 0)))
}

const clear = (from: number, length: number): Code => each(length / 16, (i) => v128.store(at(from), v128.zero, 16 * i))
const copy32 = (from: number, to: number): Code => each(2, (i) => v128.store(at(to), v128.load(at(from), 16 * i), 16 * i))
const copySwapped32 = (from: number, to: number): Code => each(2, (i) => v128.store(at(to), swapped(v128.load(at(from), 16 * i)), 16 * i))

function hash({ constants, state, message, digests }: HashLayout, compressAt: number, padAt: number): Function {
  const frame = new Frame(1)
  const [end, from] = [frame.local(I32), frame.local(I32)]
  const body = end.set(call(padAt, at(message), frame.param(0).get, at(0)))
    + copy32(constants + 256, state)
    + call(compressAt, at(state), at(message), end.get)
    + copySwapped32(state, digests)
    + from.set(at(message)) + clearTo(from, end.get) + clear(state, 32)
  return { name: 'hash', params: 1, locals: frame.locals, body }
}

function hmac({ state, outer, keyed, message, digests }: HashLayout, compressAt: number, padAt: number): Function {
  const frame = new Frame(1)
  const [end, from] = [frame.local(I32), frame.local(I32)]
  const body = end.set(call(padAt, at(message), frame.param(0).get, at(64)))
    + copy32(keyed, state)
    + call(compressAt, at(state), at(message), end.get)
    + from.set(at(message)) + clearTo(from, end.get)
    + copySwapped32(state, outer)
    + end.set(call(padAt, at(outer), at(32), at(64)))
    + copy32(keyed + 32, state)
    + call(compressAt, at(state), at(outer), end.get)
    + copySwapped32(state, digests)
    + clear(outer, 64) + clear(keyed, 64) + clear(state, 32)
  return { name: 'hmac', params: 1, locals: frame.locals, body }
}

/** The midstates of the key at `message`, 64 bytes, which are cleared. */
function hmacKey({ constants, keyed, message }: HashLayout, compressAt: number): Function {
  const mixed = (byte: number): Code => each(4, (i) => v128.store(at(message), v128.xor(v128.load(at(message), 16 * i), v128.splat(at(byte * 0x01010101))), 16 * i))
  const midstate = (to: number): Code => copy32(constants + 256, to) + call(compressAt, at(to), at(message), at(message + 64))
  return { name: 'hmacKey', params: 0, locals: [], body: mixed(0x36) + midstate(keyed) + mixed(0x36 ^ 0x5c) + midstate(keyed + 32) + clear(message, 64) }
}

function hashLanes({ constants }: HashLayout, lanesAt: number): Function {
  const { params, ...frame } = fourLengths()
  return { name: 'hashLanes', params: 4, locals: frame.locals, body: call(lanesAt, at(constants + 256), at(0), ...params) }
}

/** Of four messages under one key, whose midstates are `keyed`. All that is secret goes, but for the digests. */
function hmacLanes({ state, keyed, lanes, stride, digests }: HashLayout, lanesAt: number): Function {
  const { params, locals, from } = fourLengths()
  const cleared = (lane: number): Code => from.set(at(lanes + lane * stride)) + clearTo(from, i32.add(at(lanes + lane * stride), i32.and(i32.add(params[lane] as Code, at(8 + 64)), at(-64))))
  const body = call(lanesAt, at(keyed), at(64), ...params)
    + each(4, (lane) => cleared(lane) + copy32(digests + 32 * lane, lanes + lane * stride))
    + call(lanesAt, at(keyed + 32), at(64), ...params.map(() => at(32)))
    + each(4, (lane) => clear(lanes + lane * stride, 64)) + clear(keyed, 64) + clear(state, 128)
  return { name: 'hmacLanes', params: 4, locals, body }
}

function fourLengths(): { readonly params: readonly Code[]; readonly locals: Frame['locals']; readonly from: Local } {
  const frame = new Frame(4)
  const from = frame.local(I32)
  return { params: [0, 1, 2, 3].map((lane) => frame.param(lane).get), locals: frame.locals, from }
}

/** (midstate, before, length × 4): four messages of any lengths, which come after `before` bytes, at the price of the longest: a lane that is done keeps its state. */
function lanesFrom({ constants, state, lanes, stride, digests }: HashLayout, padAt: number): Function {
  const frame = new Frame(6)
  const [midstate, before] = [frame.param(0), frame.param(1)]
  const working = frame.several(8, V128)
  const words = frame.several(16, V128)
  const spare = frame.several(3, V128)
  const four = frame.several(4, V128)
  const [left, now] = [frame.local(V128), frame.local(V128)]
  const [from, blocks, most] = [frame.local(I32), frame.local(I32), frame.local(I32)]
  const operators: Lanes = {
    add: v128.add, and: v128.and, xor: v128.xor, shiftRight: v128.shiftRight,
    rotateRight: (a, n) => v128.or(v128.shiftRight(a, n), v128.shiftLeft(a, 32 - n)),
    // From memory in one step; a constant in the code takes five.
    constant: (round, i) => v128.loadSplat(round, constants + 4 * i),
  }
  const letter = (i: number): Local => working[i] as Local
  const chained = (i: number): Code => v128.load(at(state), 16 * i)
  const started = (lane: number): Code => {
    const end = call(padAt, at(lanes + lane * stride), frame.param(2 + lane).get, before.get)
    return blocks.set(i32.shiftRight(i32.subtract(end, at(lanes + lane * stride)), at(6)))
      + left.set(v128.withLane(left.get, lane, blocks.get))
      + most.set(select(blocks.get, most.get, i32.lessThan(most.get, blocks.get)))
  }
  const loaded = (i: number): Code => {
    const rows = words.slice(4 * i, 4 * i + 4)
    return each(4, (lane) => (rows[lane] as Local).set(swapped(v128.load(from.get, lanes + lane * stride + 16 * i)))) + transpose(rows, four)
  }
  const stored = (half: number): Code => {
    const rows = working.slice(4 * half, 4 * half + 4)
    return transpose(rows, four) + each(4, (lane) => v128.store(at(digests), swapped((rows[lane] as Local).get), 32 * lane + 16 * half))
  }
  const body = each(4, started)
    + each(8, (i) => v128.store(at(state), v128.loadSplat(midstate.get, 4 * i), 16 * i))
    + doWhile(
      each(4, loaded)
      + each(8, (i) => letter(i).set(chained(i)))
      + rounds(FORM_256, operators, working, words, spare, frame.local(I32))
      + now.set(v128.lessThan(v128.zero, left.get))
      + each(8, (i) => v128.store(at(state), v128.add(chained(i), v128.and(letter(i).get, now.get)), 16 * i))
      + left.set(v128.add(left.get, now.get)) // minus one where there was work to do
      + from.set(i32.add(from.get, at(64))),
      most.tee(i32.subtract(most.get, at(1))),
    )
    + each(8, (i) => letter(i).set(chained(i))) + each(2, stored)
  return { params: 6, locals: frame.locals, body }
}
