/**
 * Many Ed25519 signatures verified at once, on our WebAssembly kernel: the verdict is the rule's (ed25519-rule.ts) of every one of them, but with probability 2⁻¹²⁸. Public data only: variable time.
 *
 * For signatures (Rᵢ, sᵢ) by Aᵢ, hᵢ = SHA-512(Rᵢ ‖ Aᵢ ‖ Mᵢ), and weights zᵢ below 2¹²⁸, all are good if and only if  8 · (Σ zᵢ sᵢ · B − Σ zᵢ · Rᵢ − Σ zᵢ hᵢ · Aᵢ) = O
 * (Bernstein, Duif, Lange, Schwabe, Yang, "High-speed high-security signatures", 2012, §5; that only the cofactored equation may be batched: Chalkias, Garillot, Nikolaenko, "Taming the many EdDSAs", 2020).
 * - What the rule says of bytes alone (canonical y and S, no sign bit where x = 0, A not of small order) is checked one by one, by the same function; that A and R are points, by decoding each.
 * - Let Eᵢ = 8 · (sᵢ B − Rᵢ − hᵢ Aᵢ): the rule wants Eᵢ = O. Eight times any point lies in the subgroup of prime order L, whatever components of small order R and A have, and there sᵢ and hᵢ count modulo L:
 *   so Σ zᵢ Eᵢ is that sum, computed with any representatives, and O if all Eᵢ are. That is no approximation: good signatures are never refused.
 * - If some Eₖ is not O, it generates that subgroup: whatever the other weights are, at most one zₖ below 2¹²⁸ < L makes the sum O. Two errors that cancel would have to fit weights they don't know.
 * - Weights come from a hash of all signatures, keys and hᵢ of the batch, so a verdict stays a function of its input. Changing anything changes all weights; who tries 2ⁿ batches finds a wrong one with probability
 *   2ⁿ⁻¹²⁸, as he would find a collision of hashes.
 * One signature alone has weight 1, and so no probability about it.
 */
import { LITTLE_ENDIAN } from '../../codec/bytes.js'
import { plausibleSignature } from '../ed25519-rule.js'
import { labelPrefix, LABELS } from '../labels.js'
import type { SignedMessage } from '../provider.js'
import { encodeScalar, GROUP_ORDER, littleEndian } from '../scalar.js'
import { assemble } from './assembler.js'
import { DOUBLE, edwardsConstants, edwardsFunctions, POINT, TABLE_COUNT } from './edwards.js'
import { exportsOf } from './instance.js'
import { addProduct, FACTOR_WORDS, SUM_WORDS } from './scalars.js'
import { hash512Constants, hash512Functions } from './sha512.js'

/** Most signatures at once: what doublings cost is small by then, and tables stay in a processor's second cache. */
export const LARGEST_BATCH = 128

const TABLE = TABLE_COUNT * POINT
/** Of a key or the base point there is a table of 2¹²⁸ times it, too: numbers are no longer than weights, and doublings half as many. */
const KEY_TABLES = 2 * TABLE
const HASH = { constants: 0, state: 704 }
export const POINTS = { constants: 768, point: 1280, work: 1440 }
/** Two encodings to decode, a weight, a long factor, and what is hashed, from there to `HASHED_END`. */
const [ENCODED, WEIGHT, FACTOR, HASHED, HASHED_END] = [2560, 2624, 2656, 2816, 2816 + 1024]
/** Sums by which keys are multiplied, the base point's first; tables: the base point's, those of nonces, those of keys. */
const SUMS = HASHED_END
const TABLES = SUMS + 4 * SUM_WORDS * (LARGEST_BATCH + 1)
const NONCES = TABLES + KEY_TABLES
const KEYS = NONCES + TABLE * LARGEST_BATCH
const STEPS = KEYS + KEY_TABLES * LARGEST_BATCH
/** Bits of windows of odd digits: of 1, 3, 5, 7 and their negatives. */
const WINDOW = 4
const WINDOW_MASK = 15
/** Of 128, and a carry. */
const BITS = 129
const MOST_STEPS = 1 + (3 * LARGEST_BATCH + 2) * Math.ceil(BITS / WINDOW)
const STEPS_END = STEPS + 4 * (MOST_STEPS + BITS + 3)
/** RFC 8032 §5.1: y of the base point is 4/5. */
const BASE = new Uint8Array(32).fill(0x66)
BASE[0] = 0x58

export interface Ed25519Kernel {
  /** The verdicts' conjunction: true of none. At most `LARGEST_BATCH`. */
  verify(items: readonly SignedMessage[]): boolean
}

export interface Ed25519Exports {
  readonly memory: WebAssembly.Memory
  decode(from: number): number
  take(lane: number): void
  table(to: number): void
  sum(from: number, end: number): void
  isIdentity(): number
  hashStart(): void
  hashBlocks(from: number, end: number): void
  hashEnd(to: number): void
  addProduct(to: number, a: number, b: number): void
}

let made: Ed25519Kernel | undefined | null = null

/** Undefined where `loadKernels` is. Made when it is first asked for: many processes never verify. */
export function loadEd25519(): Ed25519Kernel | undefined {
  if (made === null) made = instantiate()
  return made
}

/** The module, with its functions by name. */
export function ed25519Code(): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(POINTS.point)
  data.set(new Uint8Array(hash512Constants().buffer))
  data.set(new Uint8Array(edwardsConstants().buffer), POINTS.constants)
  return assemble([...edwardsFunctions(POINTS), ...hash512Functions(HASH), addProduct()], Math.ceil(STEPS_END / 65_536), data)
}

function instantiate(): Ed25519Kernel | undefined {
  if (!LITTLE_ENDIAN) return undefined
  const exports = exportsOf(ed25519Code()) as unknown as Ed25519Exports | undefined
  return exports && kernelOf(exports)
}

function kernelOf(exports: Ed25519Exports): Ed25519Kernel {
  const memory = new Uint8Array(exports.memory.buffer)
  const words = new Uint32Array(exports.memory.buffer)
  const hash = hashing(memory, exports)
  const keys = new KeyTables(memory, exports)
  const steps = new Steps()
  keys.make(BASE, TABLES)

  /** Adds weight times the factor to the sum numbered so. */
  const grow = (sum: number): void => exports.addProduct(SUMS + 4 * SUM_WORDS * sum, WEIGHT, FACTOR)
  const factor = (bytes: Uint8Array): void => {
    memory.fill(0, FACTOR, FACTOR + 4 * FACTOR_WORDS)
    memory.set(bytes, FACTOR)
  }

  const verify = (items: readonly SignedMessage[]): boolean => {
    if (items.length === 0) return true
    if (!items.every(({ signature, publicKey }) => plausibleSignature(signature, publicKey))) return false
    const places = keys.place(items.map(({ publicKey }) => publicKey))
    if (places === undefined || !decodeNonces(items)) return false
    const hashes = items.map(({ signature, message, publicKey }) => hash([signature.subarray(0, 32), publicKey, message]))
    const weights = items.length === 1 ? [ONE] : weightsOf(items, hashes)
    memory.fill(0, SUMS, TABLES)
    for (const [i, { signature }] of items.entries()) {
      memory.set(weights[i] as Uint8Array, WEIGHT)
      steps.add(NONCES + TABLE * i, words, WEIGHT / 4)
      factor(signature.subarray(32))
      grow(0)
      factor(hashes[i] as Uint8Array)
      grow(1 + (places[i] as number))
    }
    const count = Math.max(...places) + 1
    for (let sum = 0; sum <= count; sum++) {
      const at = SUMS + 4 * SUM_WORDS * sum
      const rest = littleEndian(memory.subarray(at, at + 4 * SUM_WORDS)) % GROUP_ORDER
      memory.set(encodeScalar(sum === 0 ? (GROUP_ORDER - rest) % GROUP_ORDER : rest), at)
      const tables = sum === 0 ? TABLES : KEYS + KEY_TABLES * (sum - 1)
      for (let half = 0; half < 2; half++) steps.add(tables + TABLE * half, words, at / 4 + 4 * half)
    }
    exports.sum(STEPS, steps.write(words))
    return exports.isIdentity() === 1
  }

  const decodeNonces = (items: readonly SignedMessage[]): boolean => {
    for (let i = 0; i < items.length; i += 2) {
      for (let lane = 0; lane < 2; lane++) memory.set((items[i + lane] ?? (items[i] as SignedMessage)).signature.subarray(0, 32), ENCODED + 32 * lane)
      if (exports.decode(ENCODED) !== 3) return false
      for (let lane = 0; lane < 2 && i + lane < items.length; lane++) {
        exports.take(lane)
        exports.table(NONCES + TABLE * (i + lane))
      }
    }
    return true
  }

  const weightsOf = (items: readonly SignedMessage[], hashes: readonly Uint8Array[]): readonly Uint8Array[] => {
    const seed = hash([PREFIX, ...items.flatMap(({ signature, publicKey }, i) => [signature, publicKey, hashes[i] as Uint8Array])])
    const weights: Uint8Array[] = []
    for (let i = 0; i < items.length; i += 4) {
      const four = hash([PREFIX, seed, Uint8Array.of(i)])
      for (let quarter = 0; quarter < 4; quarter++) weights.push(four.subarray(16 * quarter, 16 * quarter + 16))
    }
    return weights
  }

  return { verify }
}

const ONE = Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
const PREFIX = labelPrefix(LABELS.signatureBatch)

/** SHA-512 of parts one after the other. */
function hashing(memory: Uint8Array, exports: Ed25519Exports): (parts: readonly Uint8Array[]) => Uint8Array {
  return (parts) => {
    exports.hashStart()
    let [to, length] = [HASHED, 0]
    for (const part of parts) {
      length += part.length
      for (let from = 0; from < part.length;) {
        const next = Math.min(part.length, from + HASHED_END - to)
        memory.set(from === 0 && next === part.length ? part : part.subarray(from, next), to)
        to += next - from
        from = next
        if (to < HASHED_END) continue
        exports.hashBlocks(HASHED, HASHED_END)
        to = HASHED
      }
    }
    // FIPS 180-4 §5.1.2: a one, zeros, and 128 bits of length in bits.
    memory[to] = 0x80
    const tail = HASHED + 128 * Math.ceil((to + 17 - HASHED) / 128)
    if (tail > HASHED_END) {
      memory.fill(0, to + 1, HASHED_END)
      exports.hashBlocks(HASHED, HASHED_END)
      return ended(HASHED, HASHED + 128, length)
    }
    return ended(to + 1, tail, length)
  }

  function ended(from: number, end: number, length: number): Uint8Array {
    memory.fill(0, from, end)
    for (let i = 0, rest = 8 * length; rest > 0; i++, rest = Math.floor(rest / 256)) memory[end - 1 - i] = rest % 256
    exports.hashBlocks(HASHED, end)
    exports.hashEnd(HASHED)
    return memory.slice(HASHED, HASHED + 64)
  }
}

/** Tables of keys' multiples: kept, since a space has few devices. Oldest out first. */
class KeyTables {
  readonly #memory: Uint8Array
  readonly #exports: Ed25519Exports
  readonly #kept = new Map<string, Uint8Array>()

  constructor(memory: Uint8Array, exports: Ed25519Exports) {
    this.#memory = memory
    this.#exports = exports
  }

  /** Puts each key's table in memory, once, and gives their numbers; undefined if one is no point. */
  place(publicKeys: readonly Uint8Array[]): readonly number[] | undefined {
    const placed = new Map<string, number>()
    // A device's key is mostly the same array.
    const seen = new Map<Uint8Array, number>()
    const places: number[] = []
    for (const publicKey of publicKeys) {
      let place = seen.get(publicKey)
      if (place === undefined) {
        const name = String.fromCharCode(...publicKey)
        place = placed.get(name) ?? placed.size
        if (place === placed.size && !this.#load(name, publicKey, KEYS + KEY_TABLES * place)) return undefined
        placed.set(name, place)
        seen.set(publicKey, place)
      }
      places.push(place)
    }
    return places
  }

  #load(name: string, publicKey: Uint8Array, to: number): boolean {
    const known = this.#kept.get(name)
    if (known !== undefined) {
      this.#memory.set(known, to)
      return true
    }
    if (!this.make(publicKey, to)) return false
    if (this.#kept.size >= KEPT_COUNT) for (const oldest of this.#kept.keys()) { this.#kept.delete(oldest); break }
    this.#kept.set(name, this.#memory.slice(to, to + KEY_TABLES))
    return true
  }

  make(publicKey: Uint8Array, to: number): boolean {
    this.#memory.set(publicKey, ENCODED)
    if ((this.#exports.decode(ENCODED) & 1) === 0) return false
    this.#exports.take(0)
    this.#exports.table(to)
    const steps = new Uint32Array(this.#memory.buffer, STEPS, 129).fill(DOUBLE)
    steps[0] = to
    this.#exports.sum(STEPS, STEPS + 4 * 129)
    this.#exports.table(to + TABLE)
    return true
  }
}
const KEPT_COUNT = 1024

/** Doublings and additions, from the highest bit down (Straus 1964), with digits that are odd and few: of any four bits one at most is not zero. */
class Steps {
  /** Of each bit the additions, as a chain of places in the other two; 0 ends it. */
  readonly #first = new Uint16Array(BITS)
  readonly #next = new Uint16Array(MOST_STEPS)
  readonly #step = new Uint32Array(MOST_STEPS)
  #count = 0

  /** Of the number of four words from `from`. */
  add(table: number, words: Uint32Array, from: number): void {
    const [first, next, steps] = [this.#first, this.#next, this.#step]
    let count = this.#count
    let carry = 0
    for (let bit = 0; bit < BITS;) {
      const place = bit >>> 5
      const word = place < 4 ? (words[from + place] as number) : 0
      // Where a bit is not the carry the next digit begins.
      const other = (carry === 0 ? word : ~word) >>> (bit & 31)
      if (other === 0) {
        bit = 32 * (place + 1)
        continue
      }
      bit += 31 - Math.clz32(other & -other)
      const shift = bit & 31
      let digit = word >>> shift
      if (shift > 32 - WINDOW && place < 3) digit |= (words[from + place + 1] as number) << (32 - shift)
      digit = (digit & WINDOW_MASK) + carry
      carry = digit >> (WINDOW - 1)
      count++
      steps[count] = table + POINT * ((carry === 0 ? digit : WINDOW_MASK + 1 - digit) >> 1) + carry
      next[count] = first[bit] as number
      first[bit] = count
      bit += WINDOW
    }
    this.#count = count
  }

  /** Returns the end of what it has written, the three doublings by which all is multiplied by eight included; begins anew. */
  write(words: Uint32Array): number {
    let to = STEPS / 4
    for (let bit = BITS - 1; bit >= 0; bit--) {
      if (to > STEPS / 4) words[to++] = DOUBLE
      for (let at = this.#first[bit] as number; at !== 0; at = this.#next[at] as number) words[to++] = this.#step[at] as number
      this.#first[bit] = 0
    }
    this.#count = 0
    for (let i = 0; i < 3; i++) words[to++] = DOUBLE
    return 4 * to
  }
}
