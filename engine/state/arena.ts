/**
 * The nodes of one family of trees that share structure, packed: 52 bytes a node in typed arrays, keys and values in `Records`. What a way down
 * looks at lies close together, four nodes to a cache line; references and hashes lie apart.
 *
 * Nodes never change but for their memoised hash, and are counted by who refers to them (parents and versions); at 0 a node goes, and with it
 * what only it referred to. Whole chunks that fall empty are given back. A closed node is known by hash and count only: it stands for what a
 * proof leaves out. Nothing here checks that a node may be opened; `Reader` does.
 *
 * Shape of a node, 4 words: 0 high count (16 bits), hashed (1), kind (3), bit or key length (12) · 1 left or record · 2 right or value length · 3 low count.
 * Besides: 1 word of references (free: next free slot + 1), 8 of hash.
 *
 * Over 400 lines: allocating, counting and hashing share one layout of words, which nothing else may know.
 */
import { copyPooled, EMPTY_BYTES, equalBytes } from '../codec/bytes.js'
import type { HashLanes, Sha256 } from '../crypto/provider.js'
import { invariant } from '../errors.js'
import { bitOf, firstDifference, firstPaddedDifference } from './bits.js'
import { zeroBytes } from './pool.js'
import { Records, type SlabImage, type SlabShape } from './records.js'

/** A node. Valid as long as something refers to it. */
export type Ref = number

/** No node: the empty tree. */
export const NONE: Ref = 0

export const INNER = 0
export const LEAF = 1
/** A leaf of which the value's hash is known, not the value. */
export const BARE = 2
export const CLOSED = 3
export type Kind = typeof INNER | typeof LEAF | typeof BARE | typeof CLOSED

export const HASH_LENGTH = 32

const SHAPE = 4
const HASH_WORDS = 8
const WORDS = SHAPE + 1 + HASH_WORDS
const CHUNK = 4096
const SLOT = CHUNK - 1
const FIRST_CHUNK = 32
const HASHED = 1 << 15
/** 0 of an inner node. */
const KIND_BITS = 7 << 12
/** Nodes of an image between two breaths: some milliseconds. */
const COPIED_AT_ONCE = 8_192

const LEAF_TAG = 0x10
const INNER_TAG = 0x11
const EMPTY_TAG = 0x12

/** What is hashed, for a moment; as a lane of `HashLanes`, it begins at the second byte of a word. */
const scratchWhole = new Uint32Array(new ArrayBuffer(1 + 1 + 255 + HASH_LENGTH + 3))
const scratch = new Uint8Array(scratchWhole.buffer, 1)
const scratchWords = new DataView(scratchWhole.buffer, 1)
/** Views of the scratch by length: making one costs a fifth of hashing it. */
const messages: (Uint8Array | undefined)[] = []

const NO_WORDS = new Uint32Array(0)

interface Chunk {
  readonly id: number
  refs: Uint32Array
  /** The bytes of the hashes. */
  bytes: Uint8Array
  slots: number
  live: number
  used: number
  free: number
  open: boolean
}

/** Computes the missing hashes under a node, which is one of them (levels.ts). */
export type HashMany = (nodes: Arena, lanes: HashLanes, root: Ref) => void

/** A tree alone in its arena, as it lies there: to be written down and taken up again as it is (image.ts). */
export interface ArenaImage {
  readonly root: Ref
  /** Slots, the one of NONE included. */
  readonly slots: number
  /** Of each chunk the words in use; all but the last are full. */
  readonly words: readonly Uint32Array[]
  readonly slabs: readonly SlabImage[]
}

/** The same, to be taken up: parts are asked for when something reads them, once each, and pass into the arena's ownership. What throws then, throws there. */
export interface ImageSource {
  readonly slots: number
  readonly slabs: readonly SlabShape[]
  words(chunk: number): Uint32Array
  slab(number: number): Uint8Array
}

export class Arena {
  /** H(0x12), the root of the empty tree. */
  readonly emptyHash: Uint8Array
  /** Hashes computed so far. */
  hashes = 0
  liveNodes = 0
  nodeBytes = 0
  readonly #hash: Sha256
  readonly #hashMany: HashMany | undefined
  readonly #records = new Records()
  readonly #chunks: (Chunk | undefined)[] = []
  /** By chunk, for a step less on the way to them. */
  readonly #shapes: (Uint32Array | undefined)[] = []
  readonly #hashWords: (Uint32Array | undefined)[] = []
  /** Of chunks that nobody has read yet, which are not here. */
  #source: ImageSource | undefined
  readonly #vacant: number[] = []
  readonly #open: Chunk[] = []

  /** `expected`: about how many nodes it will have, to begin with. `hashMany` is used where the hash has lanes; without it, no verifier has to carry it. */
  constructor(hash: Sha256, expected = FIRST_CHUNK, hashMany?: HashMany) {
    this.#hash = hash
    this.#hashMany = hash.lanes === undefined ? undefined : hashMany
    this.emptyHash = emptyHashOf(hash)
    this.#addChunk(Math.min(CHUNK, expected + 1))
    this.#allocate() // slot 0 is NONE
    this.liveNodes = 0
  }

  get recordBytes(): number {
    return this.#records.capacityBytes
  }

  get contentBytes(): number {
    return this.#records.liveBytes
  }

  // What a node says

  kind(ref: Ref): Kind {
    return ((this.#word(ref, 0) >>> 12) & 7) as Kind
  }

  bit(ref: Ref): number {
    return this.#word(ref, 0) & 0xfff
  }

  left(ref: Ref): Ref {
    return this.#word(ref, 1)
  }

  right(ref: Ref): Ref {
    return this.#word(ref, 2)
  }

  /** The number of leaves under a node, 0 for NONE. */
  count(ref: Ref): number {
    return ref === NONE ? 0 : (this.#word(ref, 0) >>> 16) * 2 ** 32 + this.#word(ref, 3)
  }

  key(leaf: Ref): Uint8Array {
    const record = this.#word(leaf, 1)
    const start = this.#records.startOf(record)
    return this.#records.bytesOf(record).slice(start, start + this.bit(leaf))
  }

  keyLength(leaf: Ref): number {
    return this.bit(leaf)
  }

  /** A copy: released memory serves other records. */
  value(leaf: Ref): Uint8Array {
    const record = this.#word(leaf, 1)
    const start = this.#records.startOf(record) + this.bit(leaf)
    return copyPooled(this.#records.bytesOf(record), start, start + this.#word(leaf, 2))
  }

  /** The same, not a copy: to be used before anything is released. */
  valueView(leaf: Ref): Uint8Array {
    const record = this.#word(leaf, 1)
    const start = this.#records.startOf(record) + this.bit(leaf)
    return this.#records.bytesOf(record).subarray(start, start + this.#word(leaf, 2))
  }

  valueHash(leaf: Ref): Uint8Array {
    return this.kind(leaf) === BARE ? this.value(leaf) : this.#hash.sha256(this.valueView(leaf))
  }

  /** The first node that is not an inner one on the way of a key's bits: a leaf or a closed node. */
  descend(from: Ref, key: Uint8Array): Ref {
    const shapes = this.#shapes
    for (let ref = from; ; ) {
      const shape = shapes[ref >>> 12] ?? this.#shapeOf(ref)
      const at = (ref & SLOT) * SHAPE
      const said = shape[at] as number
      if ((said & KIND_BITS) !== 0) return ref
      ref = shape[at + 1 + bitOf(key, said & 0xfff)] as number
    }
  }

  // Keys of leaves compared with others, in place

  leafBit(leaf: Ref, bit: number): 0 | 1 {
    const record = this.#word(leaf, 1)
    const at = bit >>> 3
    if (at >= this.bit(leaf)) return 0
    return (((this.#records.bytesOf(record)[this.#records.startOf(record) + at] as number) >>> (7 - (bit & 7))) & 1) as 0 | 1
  }

  difference(key: Uint8Array, leaf: Ref): number {
    const record = this.#word(leaf, 1)
    return firstDifference(key, this.#records.bytesOf(record), this.#records.startOf(record), this.bit(leaf))
  }

  paddedDifference(key: Uint8Array, leaf: Ref): number {
    const record = this.#word(leaf, 1)
    return firstPaddedDifference(key, this.#records.bytesOf(record), this.#records.startOf(record), this.bit(leaf))
  }

  /** <0, 0, >0 as `key` comes before, is, or comes after the leaf's. */
  compare(key: Uint8Array, leaf: Ref): number {
    const bit = this.paddedDifference(key, leaf)
    if (bit < 8 * Math.max(key.length, this.bit(leaf))) return bitOf(key, bit) === 1 ? 1 : -1
    return key.length - this.bit(leaf)
  }

  // Making nodes. The maker owns one reference.

  leaf(key: Uint8Array, value: Uint8Array, kind: typeof LEAF | typeof BARE = LEAF): Ref {
    const ref = this.#allocate()
    this.#shape(ref, (kind << 12) | key.length, this.#records.store(key, value), value.length, 1)
    return ref
  }

  /** Takes over the caller's references to both children. */
  inner(bit: number, left: Ref, right: Ref): Ref {
    const count = this.count(left) + this.count(right)
    const ref = this.#allocate()
    this.#shape(ref, (Math.floor(count / 2 ** 32) << 16) | (INNER << 12) | bit, left, right, count)
    return ref
  }

  /** The hash lies in `bytes` at `from`. */
  closed(count: number, bytes: Uint8Array, from: number): Ref {
    const ref = this.#allocate()
    this.#shape(ref, (Math.floor(count / 2 ** 32) << 16) | HASHED | (CLOSED << 12), 0, 0, count)
    const to = this.#bytesOf(ref)
    const start = (ref & SLOT) * HASH_LENGTH
    for (let i = 0; i < HASH_LENGTH; i++) to[start + i] = bytes[from + i] as number
    return ref
  }

  // Opening and closing in place: a node keeps its number, count and hash, so nobody who refers to it sees anything but more or less of it.

  /** Give a closed node, or a bare leaf, the content of `source`, a node of another arena with the same hash: of an inner one the children, closed. */
  openAs(ref: Ref, from: Arena, source: Ref): void {
    const kind = from.kind(source)
    const left = kind === INNER ? this.#closedCopy(from, from.left(source)) : this.#records.store(from.key(source), from.valueView(source))
    const right = kind === INNER ? this.#closedCopy(from, from.right(source)) : from.valueLength(source)
    if (this.kind(ref) === BARE) this.#records.free(this.#word(ref, 1), this.bit(ref) + this.#word(ref, 2))
    this.#shape(ref, (this.#word(ref, 0) & 0xffff8000) | (kind << 12) | from.bit(source), left, right, this.#word(ref, 3))
  }

  /** Let go of what is below an inner node. */
  close(ref: Ref): void {
    this.#hashAll(ref)
    const children = [this.left(ref), this.right(ref)]
    this.#shape(ref, (this.#word(ref, 0) & 0xffff8000) | (CLOSED << 12), 0, 0, this.#word(ref, 3))
    for (const child of children) this.release(child)
  }

  #closedCopy(from: Arena, source: Ref): Ref {
    from.#hashAll(source)
    return this.closed(from.count(source), from.#bytesOf(source), (source & SLOT) * HASH_LENGTH)
  }

  retain(ref: Ref): Ref {
    if (ref === NONE) return ref
    const { refs } = this.#chunkOf(ref)
    const slot = ref & SLOT
    refs[slot] = (refs[slot] as number) + 1
    return ref
  }

  release(ref: Ref): void {
    if (ref === NONE || this.#dropReference(ref) > 0) return
    const dying = [ref]
    for (let node = dying.pop(); node !== undefined; node = dying.pop()) {
      const kind = this.kind(node)
      if (kind === INNER) {
        const left = this.left(node)
        const right = this.right(node)
        if (this.#dropReference(left) === 0) dying.push(left)
        if (this.#dropReference(right) === 0) dying.push(right)
      } else if (kind !== CLOSED) {
        this.#records.free(this.#word(node, 1), this.bit(node) + this.#word(node, 2))
      }
      this.#freeSlot(node)
    }
  }

  // Hashes

  isHashed(ref: Ref): boolean {
    return (this.#word(ref, 0) & HASHED) !== 0
  }

  /** The hash of a node, computing what is missing below it. A copy. */
  hash(ref: Ref): Uint8Array {
    return this.hashView(ref).slice()
  }

  /** The same, not a copy: to be used before the next node is made. */
  hashView(ref: Ref): Uint8Array {
    if (ref === NONE) return this.emptyHash
    this.#hashAll(ref)
    const at = (ref & SLOT) * HASH_LENGTH
    return this.#bytesOf(ref).subarray(at, at + HASH_LENGTH)
  }

  /** True if that is the hash of the node. */
  hasHash(ref: Ref, hash: Uint8Array): boolean {
    if (ref === NONE) return equalBytes(hash, this.emptyHash)
    this.#hashAll(ref)
    const bytes = this.#bytesOf(ref)
    const at = (ref & SLOT) * HASH_LENGTH
    let difference = hash.length ^ HASH_LENGTH
    for (let i = 0; i < HASH_LENGTH; i++) difference |= (bytes[at + i] as number) ^ (hash[i] as number)
    return difference === 0
  }

  /** True if both nodes are the same subtree, as far as is known without hashing. */
  same(a: Ref, b: Ref): boolean {
    return a === b || (a !== NONE && b !== NONE && this.isHashed(a) && this.isHashed(b) && this.#sameHash(a, b))
  }

  #sameHash(a: Ref, b: Ref): boolean {
    const [ours, theirs] = [this.#hashesOf(a), this.#hashesOf(b)]
    const [from, at] = [(a & SLOT) * HASH_WORDS, (b & SLOT) * HASH_WORDS]
    for (let i = 0; i < HASH_WORDS; i++) if (ours[from + i] !== theirs[at + i]) return false
    return true
  }

  /** Where several nodes at once are hashed quicker than one after the other. */
  get lanes(): HashLanes | undefined {
    return this.#hashMany === undefined ? undefined : this.#hash.lanes
  }

  /** The hashes that are missing under a node, and its own. */
  hashNow(ref: Ref): void {
    this.#hashAll(ref)
  }

  /** By a stack of our own: an insider can make paths of 2,040 nodes. */
  #hashAll(root: Ref): void {
    if (this.isHashed(root)) return
    if (this.#hashMany !== undefined && this.#hash.lanes !== undefined) {
      this.#hashMany(this, this.#hash.lanes, root)
      return
    }
    const pending = [root]
    while (pending.length > 0) {
      const ref = pending[pending.length - 1] as Ref
      const waits = pending.length
      if (this.kind(ref) === INNER) {
        if (!this.isHashed(this.right(ref))) pending.push(this.right(ref))
        if (!this.isHashed(this.left(ref))) pending.push(this.left(ref))
      }
      if (pending.length > waits) continue
      this.hashOne(ref)
      pending.pop()
    }
  }

  /** Of a leaf, or an inner node whose children have theirs. */
  hashOne(ref: Ref): void {
    const length = this.kind(ref) === INNER ? this.writeInner(ref, scratchWords, scratchWhole, 0) : this.writeLeaf(ref, scratch, 0)
    const message = (messages[length] ??= scratch.subarray(0, length))
    if (this.kind(ref) === LEAF) {
      this.hashValue(ref, scratch, length - HASH_LENGTH)
      this.hashes++
    }
    this.#hash.sha256Into(message, 0, length, this.#bytesOf(ref), (ref & SLOT) * HASH_LENGTH)
    this.#noteHash(ref)
  }

  hashValue(leaf: Ref, to: Uint8Array, at: number): void {
    this.#hash.sha256Into(this.valueView(leaf), 0, this.valueLength(leaf), to, at)
  }

  /** Takes the hash of a node from 8 words, in the machine's order. */
  keepHash(ref: Ref, digests: Uint32Array, from: number): void {
    const words = this.#hashesOf(ref)
    const at = (ref & SLOT) * HASH_WORDS
    for (let i = 0; i < HASH_WORDS; i++) words[at + i] = digests[from + i] as number
    this.#noteHash(ref)
  }

  #noteHash(ref: Ref): void {
    const shape = this.#shapeOf(ref)
    const at = (ref & SLOT) * SHAPE
    shape[at] = (shape[at] as number) | HASHED
    this.hashes++
  }

  /** What is hashed of an inner node, to `to` from `at`; returns its length. `whole`: the same memory, see `HashLanes`. */
  writeInner(ref: Ref, to: DataView, whole: Uint32Array, at: number): number {
    const shape = this.#shapeOf(ref)
    const node = (ref & SLOT) * SHAPE
    to.setUint32(at, (INNER_TAG << 24) | (((shape[node] as number) & 0xfff) << 8))
    const hashesAt = (at + 16) >>> 2
    this.#writeChild(shape[node + 1] as Ref, to, at + 3, whole, hashesAt)
    this.#writeChild(shape[node + 2] as Ref, to, at + 9, whole, hashesAt + HASH_WORDS)
    return 79
  }

  #writeChild(ref: Ref, to: DataView, count: number, whole: Uint32Array, hash: number): void {
    const shape = this.#shapeOf(ref)
    const node = (ref & SLOT) * SHAPE
    to.setUint16(count, (shape[node] as number) >>> 16)
    to.setUint32(count + 2, shape[node + 3] as number)
    const words = this.#hashesOf(ref)
    const from = (ref & SLOT) * HASH_WORDS
    for (let i = 0; i < HASH_WORDS; i++) whole[hash + i] = words[from + i] as number
  }

  valueLength(leaf: Ref): number {
    return this.#word(leaf, 2)
  }

  /** The same of a leaf; but for a bare one, the hash of its value is still to be filled in at the end. */
  writeLeaf(ref: Ref, to: Uint8Array, at: number): number {
    const record = this.#word(ref, 1)
    const bytes = this.#records.bytesOf(record)
    const start = this.#records.startOf(record)
    const length = this.bit(ref) + (this.kind(ref) === BARE ? HASH_LENGTH : 0)
    to[at] = LEAF_TAG
    for (let i = 0; i < length; i++) to[at + 1 + i] = bytes[start + i] as number
    return 1 + this.bit(ref) + HASH_LENGTH
  }

  // Images

  /** The tree under `root`, hashed, copied into an arena of its own. Stops now and then, to go on when it is asked: `root` must stay held until the end. */
  *imaging(root: Ref): Generator<void, ArenaImage, undefined> {
    this.#hashAll(root)
    const copy = new Arena(this.#hash, 2 * this.count(root))
    const copied = yield* copy.#copyOf(this, root)
    const words = copy.#chunks.map((chunk) => copy.#imageOf(chunk as Chunk))
    return { root: copied, slots: copy.liveNodes + 1, words, slabs: copy.#records.image() }
  }

  static readonly wordsPerSlot = WORDS
  static readonly slotsPerChunk = CHUNK

  /** Shapes, hashes, references, as they lie in memory. */
  #imageOf({ id, refs, used }: Chunk): Uint32Array {
    const words = new Uint32Array(used * WORDS)
    words.set((this.#shapes[id] as Uint32Array).subarray(0, used * SHAPE))
    words.set((this.#hashWords[id] as Uint32Array).subarray(0, used * HASH_WORDS), used * SHAPE)
    words.set(refs.subarray(0, used), used * (SHAPE + HASH_WORDS))
    return words
  }

  /** A chunk that is not here yet. */
  #load(id: number): Chunk {
    invariant(this.#source !== undefined, 'a node of the state tree is in a chunk that is here')
    const words = this.#source.words(id)
    const slots = words.length / WORDS
    const chunk: Chunk = { id, refs: NO_WORDS, bytes: EMPTY_BYTES, slots: 0, live: slots, used: slots, free: 0, open: false }
    this.#place(chunk, words.buffer, words.byteOffset, slots)
    this.#chunks[id] = chunk
    return chunk
  }

  /** The arena of an image. Believed: its source authenticates. */
  static restore(hash: Sha256, source: ImageSource, hashMany?: HashMany): Arena {
    const arena = new Arena(hash, FIRST_CHUNK, hashMany)
    const chunks = Math.ceil(source.slots / CHUNK)
    for (const byChunk of [arena.#chunks, arena.#shapes, arena.#hashWords]) {
      byChunk.length = 0
      byChunk.length = chunks
    }
    arena.nodeBytes = 0
    arena.liveNodes = source.slots - 1
    arena.#source = source
    arena.#records.restore(source)
    // The last one holds the root, and perhaps room.
    const last = arena.#load(chunks - 1)
    last.open = last.slots < CHUNK
    arena.#open.length = 0
    if (last.open) arena.#open.push(last)
    return arena
  }

  /** Children first, by a stack of our own. */
  *#copyOf(from: Arena, root: Ref): Generator<void, Ref, undefined> {
    const pending: Ref[] = [root]
    const made: Ref[] = []
    for (let ref = pending.pop(), steps = 0; ref !== undefined; ref = pending.pop()) {
      if (++steps % COPIED_AT_ONCE === 0) yield
      // A negative one comes back when both its children are made.
      if (ref < 0 || from.kind(ref) !== INNER) {
        const source = Math.abs(ref)
        const right = ref < 0 ? made.pop() as Ref : NONE
        const copy = ref < 0 ? this.inner(from.bit(source), made.pop() as Ref, right) : this.#copyLeaf(from, ref)
        this.#takeHash(from, source, copy)
        made.push(copy)
      } else pending.push(-ref, from.right(ref), from.left(ref))
    }
    return made[0] as Ref
  }

  #copyLeaf(from: Arena, ref: Ref): Ref {
    const record = from.#word(ref, 1)
    const bytes = from.#records.bytesOf(record)
    const start = from.#records.startOf(record)
    const valueAt = start + from.bit(ref)
    return this.leaf(bytes.subarray(start, valueAt), bytes.subarray(valueAt, valueAt + from.#word(ref, 2)))
  }

  #takeHash(from: Arena, source: Ref, copy: Ref): void {
    this.keepHash(copy, from.#hashesOf(source), (source & SLOT) * HASH_WORDS)
    this.hashes-- // not one that was computed
  }

  // Slots

  #word(ref: Ref, index: number): number {
    return this.#shapeOf(ref)[(ref & SLOT) * SHAPE + index] as number
  }

  #shapeOf(ref: Ref): Uint32Array {
    return this.#shapes[ref >>> 12] ?? (this.#load(ref >>> 12), this.#shapes[ref >>> 12] as Uint32Array)
  }

  #hashesOf(ref: Ref): Uint32Array {
    return this.#hashWords[ref >>> 12] ?? (this.#load(ref >>> 12), this.#hashWords[ref >>> 12] as Uint32Array)
  }

  #bytesOf(ref: Ref): Uint8Array {
    return this.#chunkOf(ref).bytes
  }

  #chunkOf(ref: Ref): Chunk {
    return this.#chunks[ref >>> 12] ?? this.#load(ref >>> 12)
  }

  #shape(ref: Ref, said: number, first: number, second: number, count: number): void {
    const shape = this.#shapeOf(ref)
    const at = (ref & SLOT) * SHAPE
    shape[at] = said
    shape[at + 1] = first
    shape[at + 2] = second
    shape[at + 3] = count
  }

  #dropReference(ref: Ref): number {
    const chunk = this.#chunks[ref >>> 12]
    if (chunk === undefined) return 1 // never read, so it takes no memory: nothing is read in order to be given up
    const { refs } = chunk
    const slot = ref & SLOT
    return (refs[slot] = (refs[slot] as number) - 1)
  }

  #allocate(): Ref {
    const chunk = this.#openChunk()
    let slot: number
    if (chunk.free !== 0) {
      slot = chunk.free - 1
      chunk.free = chunk.refs[slot] as number
    } else {
      slot = chunk.used++
    }
    chunk.refs[slot] = 1
    chunk.live++
    this.liveNodes++
    return chunk.id * CHUNK + slot
  }

  #openChunk(): Chunk {
    for (;;) {
      const chunk = this.#open[this.#open.length - 1]
      if (chunk === undefined) return this.#addChunk()
      if (chunk.free !== 0 || chunk.used < chunk.slots) return chunk
      if (chunk.slots > 0 && chunk.slots < CHUNK) {
        this.#resize(chunk, Math.min(CHUNK, 4 * chunk.slots))
        return chunk
      }
      chunk.open = false
      this.#open.pop()
    }
  }

  #addChunk(slots = CHUNK): Chunk {
    const id = this.#vacant.pop() ?? this.#chunks.length
    const chunk: Chunk = { id, refs: NO_WORDS, bytes: EMPTY_BYTES, slots: 0, live: 0, used: 0, free: 0, open: true }
    this.#resize(chunk, slots)
    this.#chunks[id] = chunk
    this.#open.push(chunk)
    return chunk
  }

  /** A tree of a few nodes (a proof) should not pay for a chunk of thousands: the first chunk grows. */
  #resize(chunk: Chunk, slots: number): void {
    const [shape, hashes, refs] = [this.#shapes[chunk.id], this.#hashWords[chunk.id], chunk.refs]
    const { buffer, byteOffset } = zeroBytes(slots * WORDS * 4)
    this.#place(chunk, buffer, byteOffset, slots)
    if (chunk.used === 0 || slots === 0) return
    this.#shapes[chunk.id]?.set(shape as Uint32Array)
    this.#hashWords[chunk.id]?.set(hashes as Uint32Array)
    chunk.refs.set(refs)
  }

  /** Where its shapes lie, then hashes, then references. */
  #place(chunk: Chunk, buffer: ArrayBufferLike, at: number, slots: number): void {
    const hashesAt = at + slots * SHAPE * 4
    this.nodeBytes += (slots - chunk.slots) * WORDS * 4
    this.#shapes[chunk.id] = new Uint32Array(buffer, at, slots * SHAPE)
    this.#hashWords[chunk.id] = new Uint32Array(buffer, hashesAt, slots * HASH_WORDS)
    chunk.refs = new Uint32Array(buffer, hashesAt + slots * HASH_LENGTH, slots)
    chunk.bytes = new Uint8Array(buffer, hashesAt, slots * HASH_LENGTH)
    chunk.slots = slots
  }

  #freeSlot(ref: Ref): void {
    const chunk = this.#chunks[ref >>> 12] as Chunk
    const slot = ref & SLOT
    chunk.live--
    this.liveNodes--
    if (chunk.live === 0 && this.#open[this.#open.length - 1] !== chunk) {
      this.#resize(chunk, 0)
      chunk.free = 0
      chunk.used = 0
      this.#chunks[chunk.id] = undefined
      this.#vacant.push(chunk.id)
      return
    }
    chunk.refs[slot] = chunk.free
    chunk.free = slot + 1
    if (!chunk.open) {
      chunk.open = true
      this.#open.unshift(chunk)
    }
  }
}

/** Proofs make many arenas. */
const emptyHashes = new WeakMap<Sha256, Uint8Array>()

function emptyHashOf(hash: Sha256): Uint8Array {
  const known = emptyHashes.get(hash)
  if (known !== undefined) return known
  const made = hash.sha256(Uint8Array.of(EMPTY_TAG))
  emptyHashes.set(hash, made)
  return made
}
