/**
 * Our WebAssembly kernels in their one instance: short messages hashed, authenticated and sealed at a fraction of what crossing into a native library,
 * or noble, costs. What goes in is copied into one page of memory, and what is secret is wiped from it before a call returns. All is synchronous and
 * nothing calls back: nothing can be entered twice.
 */
import { equalBytes, LITTLE_ENDIAN } from '../../codec/bytes.js'
import { VALUE_FORM } from '../aead.js'
import type { HashLanes, HmacLanes, ValueLanes } from '../provider.js'
import { assemble } from './assembler.js'
import { exportsOf } from './instance.js'
import { POLY_BLOCKS, POLY_TAG, SEALING_FUNCTIONS, sealingFunctions, type SealingLayout } from './sealing.js'
import { HASH_FUNCTIONS, HASH_LANES, hashConstants, hashFunctions, type HashLayout } from './sha256.js'
import { valueFunctions } from './value-lanes.js'
import { place, VALUES, type ValueExports, valueLanesOf } from './values.js'

/** Bytes of the longest message that is hashed in one lane of four. */
export const LONGEST_LANE = 480
/** Bytes of the longest message otherwise. */
export const LONGEST_MESSAGE = 4096

export const HASHING: HashLayout = { constants: 0, state: 512, outer: 640, keyed: 768, digests: 896, lanes: 1025, stride: LONGEST_LANE + 96, message: 4096 }
/** Bytes of the longest AAD and text that are sealed. */
export const LONGEST_AAD = 1024
export const LONGEST_TEXT = 16_384
export const SEALING: SealingLayout = { key: 8448, nonce: 8480, subkey: 8512, tag: 8544, sum: 8560, aad: 8704, stream: 10_240, text: 27_648 }

export interface Kernels {
  /** H(input[start, end)) to `out` at `at`. At most `LONGEST_MESSAGE` bytes. */
  hashInto(input: Uint8Array, start: number, end: number, out: Uint8Array, at: number): void
  readonly lanes: HashLanes
  readonly hmacLanes: HmacLanes
  readonly values: ValueLanes
  /** HMAC-SHA-256 of a key and a message of at most `LONGEST_MESSAGE` bytes; of a key that comes again if it is `kept`. */
  hmac(key: Uint8Array, message: Uint8Array, kept: boolean): Uint8Array
  /** `ciphertext ‖ tag` to `out` at `at`. AAD and text no longer than `LONGEST_AAD`, `LONGEST_TEXT`; key and nonce as long as they should be. */
  seal(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, text: Uint8Array, out: Uint8Array, at: number): void
  /** The text, or undefined if the tag is not that of these arguments. `sealed` has at least 16 bytes. */
  open(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Uint8Array | undefined
  hchacha20(key: Uint8Array, nonce: Uint8Array): Uint8Array
  /** The tag of whole blocks: what vectors of Poly1305 alone are held against. */
  poly1305(key: Uint8Array, blocks: Uint8Array): Uint8Array
  /** All of their memory, for tests: nothing secret may stay. */
  readonly memory: Uint8Array
}

interface Exports extends ValueExports {
  readonly memory: WebAssembly.Memory
  hash(length: number): void
  hmacKey(): void
  hmac(length: number): void
  hashLanes(a: number, b: number, c: number, d: number): void
  hmacLanes(a: number, b: number, c: number, d: number): void
  hchacha(): void
  seal(aadLength: number, length: number): void
  open(aadLength: number, length: number): number
  poly1305(length: number): void
}

let made: Kernels | undefined | null = null

/** Undefined where WebAssembly, its vectors, or making a module from bytes are not to be had, and where words lie the other way. */
export function loadKernels(): Kernels | undefined {
  if (made === null) made = instantiate()
  return made
}

function instantiate(): Kernels | undefined {
  if (!LITTLE_ENDIAN) return undefined
  const others = { polyKey: SEALING.stream, tag: SEALING.tag, blocks: HASH_FUNCTIONS + POLY_BLOCKS, finish: HASH_FUNCTIONS + POLY_TAG, hashLanes: HASH_LANES }
  const functions = [
    ...hashFunctions(HASHING, 0), ...sealingFunctions(SEALING, HASH_FUNCTIONS),
    ...valueFunctions(VALUES, HASHING, VALUE_FORM, others, HASH_FUNCTIONS + SEALING_FUNCTIONS),
  ]
  const code = assemble(functions, 1, new Uint8Array(hashConstants().buffer))
  const exports = exportsOf(code) as unknown as Exports | undefined
  return exports && kernelsOf(exports)
}

function kernelsOf(exports: Exports): Kernels {
  const memory = new Uint8Array(exports.memory.buffer)
  const words = new Uint32Array(exports.memory.buffer)
  const { lanes, stride, keyed, digests, message } = HASHING
  const hashInto: Kernels['hashInto'] = (input, start, end, out, to) => {
    place(input, start, end, memory, message)
    exports.hash(end - start)
    takeDigest(out, to)
  }
  const takeDigest = (out: Uint8Array, to: number): void => {
    for (let i = 0; i < 32; i++) out[to + i] = memory[digests + i] as number
    for (let i = 0; i < 8; i++) words[digests / 4 + i] = 0
  }
  const placeInputs = (key: Uint8Array, nonce: Uint8Array, aad: Uint8Array): void => {
    for (let i = 0; i < 32; i++) memory[SEALING.key + i] = key[i] as number
    for (let i = 0; i < 12; i++) memory[SEALING.nonce + 4 + i] = nonce[i] as number
    place(aad, 0, aad.length, memory, SEALING.aad)
  }
  /** Midstates of the key to where `hmac` takes them. */
  const startKey = (key: Uint8Array): void => {
    if (key.length <= 64) memory.set(key, message)
    else hashInto(key, 0, key.length, memory, message)
    exports.hmacKey()
  }
  const midstates = (key: Uint8Array): Uint32Array => {
    const known = keptKeys.get(key)
    if (known !== undefined && equalBytes(known.key, key)) return known.midstates
    startKey(key)
    const made = words.slice(keyed / 4, keyed / 4 + 16)
    keptKeys.set(key, { key: key.slice(), midstates: made })
    return made
  }
  return {
    memory,
    hashInto,
    hmac: (key, text, kept) => {
      if (kept) words.set(midstates(key), keyed / 4)
      else startKey(key)
      place(text, 0, text.length, memory, message)
      exports.hmac(text.length)
      const tag = new Uint8Array(32)
      takeDigest(tag, 0)
      return tag
    },
    seal: (key, nonce, aad, text, out, to) => {
      placeInputs(key, nonce, aad)
      place(text, 0, text.length, memory, SEALING.text)
      exports.seal(aad.length, text.length)
      out.set(memory.subarray(SEALING.text, SEALING.text + text.length + 16), to)
    },
    open: (key, nonce, aad, sealed) => {
      placeInputs(key, nonce, aad)
      place(sealed, 0, sealed.length, memory, SEALING.text)
      const length = sealed.length - 16
      if (exports.open(aad.length, length) === 0) return undefined
      const text = memory.slice(SEALING.text, SEALING.text + length)
      memory.fill(0, SEALING.text, SEALING.text + sealed.length)
      return text
    },
    hchacha20: (key, nonce) => {
      for (let i = 0; i < 32; i++) memory[SEALING.key + i] = key[i] as number
      for (let i = 0; i < 16; i++) memory[SEALING.nonce + i] = nonce[i] as number
      exports.hchacha()
      const subkey = new Uint8Array(32)
      for (let i = 0; i < 32; i++) subkey[i] = memory[SEALING.subkey + i] as number
      for (let i = 0; i < 8; i++) words[SEALING.subkey / 4 + i] = 0
      return subkey
    },
    poly1305: (key, blocks) => {
      memory.set(key, SEALING.stream)
      memory.set(blocks, SEALING.text)
      exports.poly1305(blocks.length)
      memory.fill(0, SEALING.stream, SEALING.stream + 32)
      return memory.slice(SEALING.tag, SEALING.tag + 16)
    },
    lanes: {
      longest: LONGEST_LANE,
      stride,
      bytes: memory.subarray(lanes, lanes + 4 * stride),
      words: new DataView(exports.memory.buffer, lanes, 4 * stride),
      whole: words.subarray((lanes - 1) / 4, (lanes - 1) / 4 + stride),
      digests: words.subarray(digests / 4, digests / 4 + 32),
      hash: exports.hashLanes,
    },
    hmacLanes: hmacLanesOf(memory, words, exports, midstates),
    values: valueLanesOf(memory, words, exports, HASHING),
  }
}

interface KeptKey {
  /** As it was: a key's bytes may have changed since. */
  readonly key: Uint8Array
  readonly midstates: Uint32Array
}

/** Half of a short HMAC is hashing its key. What is kept goes when the key does, and is as secret. */
const keptKeys = new WeakMap<Uint8Array, KeptKey>()

function hmacLanesOf(memory: Uint8Array, words: Uint32Array, exports: Exports, midstates: (key: Uint8Array) => Uint32Array): HmacLanes {
  const { lanes, stride, keyed, digests } = HASHING
  const lengths = [0, 0, 0, 0]
  return {
    longest: LONGEST_LANE,
    place: (lane, message) => {
      lengths[lane] = message.length
      place(message, 0, message.length, memory, lanes + lane * stride)
    },
    hash: (key) => {
      words.set(midstates(key), keyed / 4)
      exports.hmacLanes(lengths[0] as number, lengths[1] as number, lengths[2] as number, lengths[3] as number)
      lengths.fill(0)
    },
    take: (lane, length) => {
      const tag = new Uint8Array(length)
      for (let i = 0; i < length; i++) tag[i] = memory[digests + 32 * lane + i] as number
      return tag
    },
    clear: () => {
      words.fill(0, digests / 4, digests / 4 + 32)
      if (lengths.every((length) => length === 0)) return
      // Placed, and then given up.
      memory.fill(0, lanes, lanes + 4 * stride)
      lengths.fill(0)
    },
  }
}
