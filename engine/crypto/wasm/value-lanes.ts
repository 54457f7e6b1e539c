/**
 * Sealed values (aead.ts) as WebAssembly, four at a time: subkeys, key stream and hashes in the lanes of vectors, tags one after the other. A value is sealed and
 * opened where it lies, header, commitment and all; its AAD lies in a lane of sha256.ts.
 */
import { call, type Code, doWhile, each, Frame, type Function, I32, I64, i32, i64, type Local, select, transpose, V128, v128, when } from './assembler.js'
import { SIGMA, twentyRounds } from './chacha.js'
import { type HashLayout } from './sha256.js'

/** The form of a sealed value: where its parts begin, and what a commitment begins with. */
export interface ValueForm {
  readonly nonceAt: number
  readonly commitmentAt: number
  readonly textAt: number
  readonly commitmentPrefix: Uint8Array
}

export interface ValueLayout {
  /** 32 bytes: the key of all four, cleared by each call. */
  readonly key: number
  /** Eight vectors: word i of four subkeys. */
  readonly subkeys: number
  /** Two vectors: the last words of four nonces. */
  readonly nonces: number
  /** 8 × 4 bytes: lengths of four AADs, then of four texts. */
  readonly lengths: number
  /** The commitment's prefix, with 16 bytes of room behind it. */
  readonly prefix: number
  /** Four slots, one every `stride` bytes, which are zero in between: 64 bytes for a key of Poly1305, a value, and 64 of room behind it. */
  readonly slots: number
  readonly stride: number
}

/** Functions and places of others: Poly1305's (sealing.ts), and `hashLanes`. */
export interface Others {
  readonly polyKey: number
  readonly tag: number
  readonly blocks: number
  readonly finish: number
  readonly hashLanes: number
}

/** Bytes of a slot before the value. */
export const BEFORE_VALUE = 64
const DIGEST = 32

const at = (address: number): Code => i32.const(address)
const lanesOf = (make: (lane: number) => Code): Code => each(4, make)

/** `sealLanes()` and `openLanes() → 1, 2, 4, 8 for each that is authentic`. `first`: their first index in the module. */
export function valueFunctions(layout: ValueLayout, { lanes, stride: messageStride, digests }: HashLayout, form: ValueForm, others: Others, first: number): readonly Function[] {
  const { key, subkeys, nonces, lengths, prefix, slots, stride } = layout
  const [subkeysAt, mixAt, tagAt, commitAt, wipeAt] = [0, 1, 2, 3, 4].map((i) => first + i) as [number, number, number, number, number]
  const slot = (lane: number): number => slots + lane * stride
  const value = (lane: number): number => slot(lane) + BEFORE_VALUE
  const message = (lane: number): number => lanes + lane * messageStride
  const aadLength = (lane: number): Code => i32.load(at(lengths), 4 * lane)
  const textLength = (lane: number): Code => i32.load(at(lengths), 16 + 4 * lane)
  const text = (lane: number): number => value(lane) + form.textAt
  const copy16 = (from: number, to: number): Code => v128.store(at(to), v128.load(at(from)))
  const clear = (from: number, length: number): Code => each(length / 16, (i) => v128.store(at(from), v128.zero, 16 * i))

  /** HChaCha20 (see `hchacha`), four nonces; and what of the nonces is left for ChaCha20. */
  const deriveSubkeys = (): Function => {
    const frame = new Frame(0)
    const state = frame.several(16, V128)
    const spare = frame.several(4, V128)
    const counter = frame.local(I32)
    const word = (i: number): Local => state[i] as Local
    const last = (half: number): Code => {
      const nonce = (lane: number): Code => i32.load(at(value(lane)), form.nonceAt + 16 + 4 * half)
      let four = v128.splat(nonce(0))
      for (let lane = 1; lane < 4; lane++) four = v128.withLane(four, lane, nonce(lane))
      return v128.store(at(nonces), four, 16 * half)
    }
    const body = each(4, (i) => word(i).set(v128.splat(at(SIGMA[i] as number))))
      + each(8, (i) => word(4 + i).set(v128.loadSplat(at(key), 4 * i)))
      + lanesOf((lane) => word(12 + lane).set(v128.load(at(value(lane)), form.nonceAt))) + transpose(state.slice(12), spare)
      + twentyRounds(state, counter)
      + each(4, (i) => v128.store(at(subkeys), word(i).get, 16 * i) + v128.store(at(subkeys), word(12 + i).get, 64 + 16 * i))
      + each(2, last) + clear(key, 32)
    return { params: 0, locals: frame.locals, body }
  }

  /** (at, counter, end): the blocks of key stream from `counter` on, to what lies from `at` in the first slot, at the same place in the others, up to `end`. */
  const mix = (): Function => {
    const frame = new Frame(3)
    const [to, counter, end] = [frame.param(0), frame.param(1), frame.param(2)]
    const state = frame.several(16, V128)
    const spare = frame.several(4, V128)
    const rounds = frame.local(I32)
    const start = (i: number): Code => {
      if (i < 4) return v128.splat(at(SIGMA[i] as number))
      if (i < 12) return v128.load(at(subkeys), 16 * (i - 4))
      return i === 12 ? v128.splat(counter.get) : i === 13 ? v128.zero : v128.load(at(nonces), 16 * (i - 14))
    }
    const word = (i: number): Local => state[i] as Local
    const mixed = (row: number): Code => {
      const words = state.slice(4 * row, 4 * row + 4)
      const place = (lane: number): number => lane * stride + 16 * row
      return transpose(words, spare) + lanesOf((lane) => v128.store(to.get, v128.xor(v128.load(to.get, place(lane)), (words[lane] as Local).get), place(lane)))
    }
    const block = each(16, (i) => word(i).set(start(i))) + twentyRounds(state, rounds)
      + each(16, (i) => word(i).set(v128.add(word(i).get, start(i)))) + each(4, mixed) + counter.set(i32.add(counter.get, at(1)))
    const body = when(i32.lessThan(to.get, end.get), doWhile(block, i32.lessThan(to.tee(i32.add(to.get, at(64))), end.get)))
    return { params: 3, locals: frame.locals, body }
  }
  const keysOfPoly = call(mixAt, at(slot(0)), at(0), at(slot(0) + 1))
  const mixTexts = (most: Local): Code => most.set(textLength(0)) + each(3, (i) => most.set(select(textLength(1 + i), most.get, i32.lessThan(most.get, textLength(1 + i)))))
    + call(mixAt, at(text(0)), at(1), i32.add(most.get, at(text(0))))

  /** (slot, AAD, its length, length of the text): the tag, at `tag`. */
  const tagOne = (): Function => {
    const frame = new Frame(4)
    const [from, aad, aadBytes, textBytes] = [frame.param(0), frame.param(1), frame.param(2), frame.param(3)]
    const end = frame.local(I32)
    const part = (start: Code, length: Local): Code => end.set(i32.add(start, length.get)) + v128.store(end.get, v128.zero) + call(others.blocks, start, end.get)
    const body = each(2, (i) => v128.store(at(others.polyKey), v128.load(from.get, 16 * i), 16 * i))
      + part(aad.get, aadBytes) + part(i32.add(from.get, at(BEFORE_VALUE + form.textAt)), textBytes)
      + i64.store(at(others.tag), i64.extend(aadBytes.get)) + i64.store(at(others.tag), i64.extend(textBytes.get), 8)
      + call(others.blocks, at(others.tag), at(others.tag + 16)) + call(others.finish)
    return { params: 4, locals: frame.locals, body }
  }
  const tagOf = (lane: number): Code => call(tagAt, at(slot(lane)), at(message(lane)), aadLength(lane), textLength(lane))

  /** The commitments, to where digests are. AADs are lost. */
  const commit = (): Function => {
    const frame = new Frame(0)
    const rows = frame.several(4, V128)
    const spare = frame.several(4, V128)
    const { length } = form.commitmentPrefix
    const subkeyHalf = (half: number): Code => each(4, (i) => (rows[i] as Local).set(v128.load(at(subkeys), 64 * half + 16 * i))) + transpose(rows, spare)
      + lanesOf((lane) => v128.store(at(message(lane)), (rows[lane] as Local).get, length + 16 * half))
    const rest = (lane: number): Code => {
      const [from, to] = [value(lane) + form.nonceAt, message(lane) + length + 32]
      return copy16(from, to) + i64.store(at(to), i64.load(at(from), 16), 16) + each(2, (i) => copy16(digests + DIGEST * lane + 16 * i, to + 24 + 16 * i))
    }
    const hashAll = (lengthOf: (lane: number) => Code): Code => call(others.hashLanes, ...[0, 1, 2, 3].map(lengthOf))
    const body = hashAll(aadLength)
      + lanesOf((lane) => each(Math.ceil(length / 16), (i) => copy16(prefix + 16 * i, message(lane) + 16 * i)))
      + subkeyHalf(0) + subkeyHalf(1) + lanesOf(rest)
      + hashAll(() => at(length + 32 + 24 + DIGEST))
    return { params: 0, locals: frame.locals, body }
  }

  /** All that is secret but texts. */
  const wipe = (): Function => ({
    params: 0, locals: [],
    body: clear(subkeys, 128) + clear(others.polyKey, 32) + lanesOf((lane) => clear(slot(lane), 64) + clear(message(lane), 128)),
  })

  const seal = (): Function => {
    const frame = new Frame(0)
    const most = frame.local(I32)
    const body = call(subkeysAt) + keysOfPoly + mixTexts(most)
      + lanesOf((lane) => tagOf(lane) + v128.store(i32.add(textLength(lane), at(text(lane))), v128.load(at(others.tag))))
      + call(commitAt) + lanesOf((lane) => each(2, (i) => copy16(digests + DIGEST * lane + 16 * i, value(lane) + form.commitmentAt + 16 * i)))
      + call(wipeAt)
    return { name: 'sealLanes', params: 0, locals: frame.locals, body }
  }

  const open = (): Function => {
    const frame = new Frame(0)
    const [most, good, end] = [frame.local(I32), frame.local(I32), frame.local(I32)]
    const given = frame.several(2, I64)
    const bit = (lane: number, same: Code): Code => good.set(i32.or(good.get, i32.shiftLeft(i64.isZero(same), at(lane))))
    const checked = (lane: number): Code => end.set(i32.add(textLength(lane), at(text(lane))))
      + each(2, (i) => (given[i] as Local).set(i64.load(end.get, 8 * i))) + tagOf(lane)
      + bit(lane, each2((i) => i64.xor((given[i] as Local).get, i64.load(at(others.tag), 8 * i))))
    const each2 = (difference: (i: number) => Code): Code => i64.or(difference(0), difference(1))
    const differs = (lane: number, i: number): Code => i64.xor(i64.load(at(digests + DIGEST * lane), 8 * i), i64.load(at(value(lane) + form.commitmentAt), 8 * i))
    const committed = (lane: number): Code => i32.shiftLeft(i64.isZero(i64.or(each2((i) => differs(lane, i)), each2((i) => differs(lane, 2 + i)))), at(lane))
    const all = [0, 1, 2, 3].map(committed)
    const body = call(subkeysAt) + keysOfPoly + lanesOf(checked) + mixTexts(most) + call(commitAt)
      + good.set(i32.and(good.get, all.slice(1).reduce((sum, one) => i32.or(sum, one), all[0] as Code)))
      + call(wipeAt) + good.get
    return { name: 'openLanes', params: 0, returns: I32, locals: frame.locals, body }
  }

  return [deriveSubkeys(), mix(), tagOne(), commit(), wipe(), seal(), open()]
}
