/**
 * ChaCha20 (RFC 8439) and HChaCha20 (draft-irtf-cfrg-xchacha-03) as WebAssembly: four blocks of key stream in the lanes of vectors, or one in its rows.
 * Sums, exclusive ors and rotations only.
 */
import { type Code, doWhile, each, Frame, type Function, I32, i32, type Local, transpose, V128, v128 } from './assembler.js'

export interface ChachaLayout {
  /** 32 bytes. */
  readonly key: number
  /** Counter and nonce: 16 bytes. HChaCha20's nonce takes the counter's place, too. */
  readonly nonce: number
  /** Key stream from counter 0 on, in runs of 256 bytes. */
  readonly stream: number
  /** 32 bytes: the subkey that HChaCha20 gives. */
  readonly subkey: number
}

const at = (address: number): Code => i32.const(address)
/** "expand 32-byte k" */
export const SIGMA: readonly number[] = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574]

/** By 16 bits, a shuffle is two instructions; other rotations are three as shifts, and more as shuffles. */
function rotateLeft(a: Local, n: number): Code {
  if (n === 16) return v128.shuffle(a.get, a.get, [2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13])
  return v128.or(v128.shiftLeft(a.get, n), v128.shiftRight(a.get, 32 - n))
}

function quarterRound(a: Local, b: Local, c: Local, d: Local): Code {
  const half = (n: number, m: number): Code =>
    a.set(v128.add(a.get, b.get)) + d.set(v128.xor(d.get, a.get)) + d.set(rotateLeft(d, n))
    + c.set(v128.add(c.get, d.get)) + b.set(v128.xor(b.get, c.get)) + b.set(rotateLeft(b, m))
  return half(16, 12) + half(8, 7)
}

/** `code` ten times. */
function tenTimes(counter: Local, code: Code): Code {
  return counter.set(at(10)) + doWhile(code, counter.tee(i32.subtract(counter.get, at(1))))
}

/** The twenty rounds of a state whose words lie in 16 variables, one block a lane. */
export function twentyRounds(state: readonly Local[], counter: Local): Code {
  const quarter = (a: number, b: number, c: number, d: number): Code => quarterRound(state[a] as Local, state[b] as Local, state[c] as Local, state[d] as Local)
  return tenTimes(counter, each(4, (i) => quarter(i, 4 + i, 8 + i, 12 + i)) + each(4, (i) => quarter(i, 4 + ((i + 1) & 3), 8 + ((i + 2) & 3), 12 + ((i + 3) & 3))))
}

/** (end): key stream up to there or a little further, four blocks at a time. */
export function keyStream({ key, nonce, stream }: ChachaLayout): Function {
  const frame = new Frame(1)
  const state = frame.several(16, V128)
  const spare = frame.several(4, V128)
  const counters = frame.local(V128)
  const [to, rounds] = [frame.local(I32), frame.local(I32)]
  const word = (i: number): Local => state[i] as Local
  const start = (i: number): Code => {
    if (i < 4) return v128.splat(at(SIGMA[i] as number))
    if (i < 12) return v128.loadSplat(at(0), key + 4 * (i - 4))
    return i === 12 ? counters.get : v128.loadSplat(at(0), nonce + 4 * (i - 12))
  }
  const stored = (row: number): Code => {
    const words = state.slice(4 * row, 4 * row + 4)
    return transpose(words, spare) + each(4, (lane) => v128.store(to.get, (words[lane] as Local).get, 64 * lane + 16 * row))
  }
  const body = to.set(at(stream))
    + counters.set(v128.of([0, 1, 2, 3]))
    + doWhile(
      each(16, (i) => word(i).set(start(i)))
      + twentyRounds(state, rounds)
      + each(16, (i) => word(i).set(v128.add(word(i).get, start(i))))
      + each(4, stored)
      + counters.set(v128.add(counters.get, v128.splat(at(4)))),
      i32.lessThan(to.tee(i32.add(to.get, at(256))), frame.param(0).get),
    )
  return { params: 1, locals: frame.locals, body }
}

/** The first and last row of the permuted state, without the addition that ends a block. Clears key and nonce. */
export function hchacha({ key, nonce, subkey }: ChachaLayout): Function {
  const frame = new Frame(0)
  const [a, b, c, d] = [frame.local(V128), frame.local(V128), frame.local(V128), frame.local(V128)]
  const rounds = frame.local(I32)
  const turn = (row: Local, by: number): Code => row.set(v128.shuffleWords(row.get, row.get, [0, 1, 2, 3].map((i) => (i + by) & 3)))
  return {
    name: 'hchacha', params: 0, locals: frame.locals,
    body: a.set(v128.of(SIGMA)) + b.set(v128.load(at(key))) + c.set(v128.load(at(key), 16)) + d.set(v128.load(at(nonce)))
      + tenTimes(rounds, quarterRound(a, b, c, d) + turn(b, 1) + turn(c, 2) + turn(d, 3) + quarterRound(a, b, c, d) + turn(b, 3) + turn(c, 2) + turn(d, 1))
      + v128.store(at(subkey), a.get) + v128.store(at(subkey), d.get, 16)
      + v128.store(at(key), v128.zero) + v128.store(at(key), v128.zero, 16) + v128.store(at(nonce), v128.zero),
  }
}
