/** ChaCha20-Poly1305 (RFC 8439 §2.8) as WebAssembly, of chacha.ts and poly1305.ts. */
import { call, clearTo, type Code, doWhile, each, Frame, type Function, I32, I64, i32, i64, type Local, v128, when } from './assembler.js'
import { type ChachaLayout, hchacha, keyStream } from './chacha.js'
import { polyBlocks, polyTag } from './poly1305.js'

export interface SealingLayout extends ChachaLayout {
  /** AAD, with 16 bytes of room behind it. */
  readonly aad: number
  /** What is sealed or opened, with 32 bytes of room behind it: for the tag, and for what fills a block. */
  readonly text: number
  /** Poly1305's running sum: 40 bytes, zero in between. */
  readonly sum: number
  readonly tag: number
}

const at = (address: number): Code => i32.const(address)

/** How many functions `sealingFunctions` gives, and where among them `polyBlocks` and `polyTag` are. */
export const SEALING_FUNCTIONS = 10
export const [POLY_BLOCKS, POLY_TAG] = [1, 2]

/** `hchacha()`, `seal(length of AAD, of text)`, `open(the same) → 1 if authentic`, `poly1305(length of text)`. `first`: their first index in the module. */
export function sealingFunctions(layout: SealingLayout, first: number): readonly Function[] {
  const { key, nonce, stream, aad, text, sum, tag } = layout
  const poly = { polyKey: stream, sum, tag }
  const [streamAt, blocksAt, tagAt, authenticateAt, mixAt, wipeAt] = [0, 1, 2, 3, 4, 5].map((i) => first + i) as [number, number, number, number, number, number]
  const started = (length: Local): Code => call(streamAt, i32.add(length.get, at(stream + 64)))

  /** The tag of AAD and text under the key at the start of the stream. */
  const authenticate = (): Function => {
    const frame = new Frame(2)
    const end = frame.local(I32)
    const part = (from: number, length: Local): Code => end.set(i32.add(length.get, at(from))) + v128.store(end.get, v128.zero)
      + call(blocksAt, at(from), end.get)
    const body = part(aad, frame.param(0)) + part(text, frame.param(1))
      // Their lengths, for a moment where the tag will be.
      + each(2, (i) => i64.store(at(tag), i64.extend(frame.param(i).get), 8 * i)) + call(blocksAt, at(tag), at(tag + 16))
      + call(tagAt)
    return { params: 2, locals: frame.locals, body }
  }

  /** (length): text with key stream, up to a whole block. */
  const mix = (): Function => {
    const frame = new Frame(1)
    const i = frame.local(I32)
    const one = v128.store(i.get, v128.xor(v128.load(i.get, text), v128.load(i.get, stream + 64)), text)
    return { params: 1, locals: frame.locals, body: when(frame.param(0).get, doWhile(one, i32.lessThan(i.tee(i32.add(i.get, at(16))), frame.param(0).get))) }
  }

  /** (length): everything secret but the text. */
  const wipe = (): Function => {
    const frame = new Frame(1)
    const from = frame.local(I32)
    // Key stream comes in runs of 256 bytes.
    const end = i32.add(i32.and(i32.add(frame.param(0).get, at(64 + 255)), at(-256)), at(stream))
    const body = from.set(at(stream)) + clearTo(from, end) + each(2, (i) => v128.store(at(key), v128.zero, 16 * i)) + v128.store(at(nonce), v128.zero)
    return { params: 1, locals: frame.locals, body }
  }

  const seal = (): Function => {
    const frame = new Frame(2)
    const length = frame.param(1)
    const body = started(length) + call(mixAt, length.get) + call(authenticateAt, frame.param(0).get, length.get)
      + v128.store(length.get, v128.load(at(tag)), text) + call(wipeAt, length.get)
    return { name: 'seal', params: 2, locals: frame.locals, body }
  }

  const open = (): Function => {
    const frame = new Frame(2)
    const length = frame.param(1)
    const given = frame.several(2, I64)
    const authentic = frame.local(I32)
    const differs = (i: number): Code => i64.xor((given[i] as Local).get, i64.load(at(tag), 8 * i))
    const body = each(2, (i) => (given[i] as Local).set(i64.load(length.get, text + 8 * i)))
      + started(length) + call(authenticateAt, frame.param(0).get, length.get)
      + when(authentic.tee(i64.isZero(i64.or(differs(0), differs(1)))), call(mixAt, length.get))
      + call(wipeAt, length.get) + authentic.get
    return { name: 'open', params: 2, returns: I32, locals: frame.locals, body }
  }

  const polyOnly = (): Function => {
    const frame = new Frame(1)
    return { name: 'poly1305', params: 1, locals: frame.locals, body: call(blocksAt, at(text), i32.add(frame.param(0).get, at(text))) + call(tagAt) }
  }

  return [keyStream(layout), polyBlocks(poly), polyTag(poly), authenticate(), mix(), wipe(), seal(), open(), hchacha(layout), polyOnly()]
}
