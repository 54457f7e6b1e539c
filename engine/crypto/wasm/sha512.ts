/** SHA-512 (FIPS 180-4) as WebAssembly, for what is no secret: blocks into a state, and the state as a digest. Padding is the caller's. */
import { type Code, doWhile, each, Frame, type Function, I32, I64, i32, i64, type Local, V128, v128 } from './assembler.js'
import { type HashForm, type Lanes, rootConstants, rounds } from './sha256.js'

export interface Hash512Layout {
  /** 80 round constants, then the 8 words that hashing starts from. */
  readonly constants: number
  /** 64 bytes. */
  readonly state: number
}

const FORM: HashForm = { big: [[14, 18, 41], [28, 34, 39]], small: [[1, 8, 7], [19, 61, 6]], width: 8, rounds: 80 }
const at = (address: number): Code => i32.const(address)
/** Big-endian words of eight bytes to words, or back. */
const swapped = (a: Code): Code => v128.shuffle(a, a, [7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8])

export const hash512Constants = (): BigUint64Array => BigUint64Array.from(rootConstants(80, 64))

/** `hashBlocks(from, end)`: whole blocks into the state. `hashStart()`, `hashEnd(to)`: the state to begin with, and 64 bytes of digest. */
export function hash512Functions({ constants, state }: Hash512Layout): readonly Function[] {
  const frame = new Frame(2)
  const [from, end] = [frame.param(0), frame.param(1)]
  const [working, words, spare] = [frame.several(8, I64), frame.several(16, I64), frame.several(3, I64)]
  const two = frame.local(V128)
  const operators: Lanes = {
    add: i64.add, and: i64.and, xor: i64.xor, rotateRight: (a, n) => i64.rotateRight(a, i64.const(n)), shiftRight: (a, n) => i64.shiftRight(a, i64.const(n)),
    constant: (round, i) => i64.load(round, constants + 8 * i),
  }
  const word = (i: number): Local => words[i] as Local
  const body = doWhile(
    each(8, (i) => (working[i] as Local).set(i64.load(at(state), 8 * i)))
    + each(8, (i) => two.set(swapped(v128.load(from.get, 16 * i))) + each(2, (half) => word(2 * i + half).set(v128.half(two.get, half))))
    + rounds(FORM, operators, working, words, spare, frame.local(I32))
    + each(8, (i) => i64.store(at(state), i64.add(i64.load(at(state), 8 * i), (working[i] as Local).get), 8 * i)),
    i32.lessThan(from.tee(i32.add(from.get, at(128))), end.get),
  )
  const to = new Frame(1).param(0)
  return [
    { name: 'hashBlocks', params: 2, locals: frame.locals, body },
    { name: 'hashStart', params: 0, locals: [], body: each(4, (i) => v128.store(at(state), v128.load(at(constants + 640), 16 * i), 16 * i)) },
    { name: 'hashEnd', params: 1, locals: [], body: each(4, (i) => v128.store(to.get, swapped(v128.load(at(state), 16 * i)), 16 * i)) },
  ]
}
