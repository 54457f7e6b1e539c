/**
 * Version 4 of the stored snapshot (PROTOCOL.md §9.1): the state tree as it lies in memory, with its hashes. Taking it up costs what reading it does,
 * so it must be known to be this device's own: every part carries a tag under a key that only the device can derive.
 *
 *     meta    4 ‖ head ‖ rows ‖ start ‖ chunks ‖ salt(16) ‖ tag(16)
 *     chunks  leaf hashes; root, slots and the table of slabs; words of nodes; bytes of slabs. Each ‖ tag(16)
 */
import { concatBytes, EMPTY_BYTES, equalBytes } from '../codec/bytes.js'
import { Reader, Writer } from '../codec/canonical.js'
import { hashLabelled, LABELS } from '../crypto/labels.js'
import type { CryptoProvider, Signer } from '../crypto/provider.js'
import { signBytes } from '../crypto/sign.js'
import { isSealError, SealError } from '../errors.js'
import { type Frontier, readFrontier, writeFrontier } from '../log/frontier.js'
import { LogTree } from '../log/tree.js'
import { Arena, type ArenaImage } from '../state/arena.js'
import type { ApplyEnv } from '../state/context.js'
import type { SlabShape } from '../state/records.js'
import { StateTree } from '../state/tree.js'
import type { Store, StoredSnapshot } from '../store/store.js'
import { Follower, type HeldState } from './follower.js'
import { decodeHead, encodeHead } from './persist.js'
import type { Head } from './types.js'

export const IMAGE_VERSION = 4
const TAG = 16
const SALT = 16
const LEAVES_PER_CHUNK = 32_768
/** A part is read at once: of what is asked for first, six or seven. A chunk of nodes fills one. */
const PART_BYTES = 192 * 1024
/** Smaller images are read whole. */
const LAZY_FROM = 4 << 20
const MAX_HEAD = 128
const MAX_SLABS = 2 ** 20

/** How a device authenticates its own snapshots: XChaCha20-Poly1305 over nothing, with the part as associated data and a nonce used once. */
export interface SnapshotTags {
  /** Of part `number`; 0 is the meta. */
  tag(salt: Uint8Array, number: number, part: Uint8Array): Uint8Array
}
export interface SnapshotSeal extends SnapshotTags {
  salt(): Uint8Array
}

/** The key is the hash of a signature that is made for nothing else and never leaves here (Ed25519 is deterministic). */
export function snapshotTags(crypto: CryptoProvider, signer: Signer, spaceId: Uint8Array): SnapshotTags {
  let key: Uint8Array | undefined
  return {
    tag(salt, number, part) {
      key ??= hashLabelled(crypto, LABELS.storedSnapshot, signBytes(signer, LABELS.storedSnapshot, spaceId))
      const nonce = new Uint8Array(24)
      nonce.set(salt)
      new DataView(nonce.buffer).setUint32(20, number)
      return crypto.xchachaSeal(key, nonce, part, EMPTY_BYTES)
    },
  }
}

export function snapshotSeal({ crypto, random }: { readonly crypto: CryptoProvider; readonly random: (length: number) => Uint8Array }, signer: Signer, spaceId: Uint8Array): SnapshotSeal {
  return { ...snapshotTags(crypto, signer, spaceId), salt: () => random(SALT) }
}

export interface ImageOptions {
  /** Parts of the writer's own, at the end. */
  readonly aside?: readonly Uint8Array[]
  /** Waited for every few thousand nodes. Default: the image is taken at once. */
  readonly pause?: () => Promise<void>
}

/** The image of `held`, which stays claimed by the caller until this resolves; what is written meanwhile is not in it. Returns its length in bytes. */
export async function writeImage(store: Pick<Store, 'writeSnapshot'>, seal: SnapshotSeal, head: Head, held: HeldState, log: LogTree, { aside = [], pause }: ImageOptions = {}): Promise<number> {
  const imaging = held.tree.state.imaging()
  let step = imaging.next()
  for (; step.done !== true; step = imaging.next()) await pause?.()
  const image = step.value
  const parts = [
    ...leafParts(head, log), [indexPart(image)], ...grouped(image.words.map((words) => new Uint8Array(words.buffer, words.byteOffset, words.byteLength))),
    ...grouped(image.slabs.map(({ bytes }) => bytes)), ...aside.map((part) => [part]),
  ]
  const salt = seal.salt()
  const rows = held.tree.count(EMPTY_BYTES)
  const w = new Writer(512).u8(IMAGE_VERSION).bytes(encodeHead(head), MAX_HEAD).varint(rows)
  writeFrontier(w, log.frontier(log.start))
  const meta = w.varint(parts.length).fixed(salt, SALT).finish()
  await store.writeSnapshot(concatBytes(meta, seal.tag(salt, 0, meta)), tagged(parts, salt, seal))
  return parts.reduce((sum, pieces) => pieces.reduce((length, piece) => length + piece.length, sum), 0)
}

function* tagged(parts: readonly (readonly Uint8Array[])[], salt: Uint8Array, seal: SnapshotSeal): Iterable<Uint8Array> {
  for (const [i, pieces] of parts.entries()) {
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0)
    const chunk = new Uint8Array(length + TAG)
    let at = 0
    for (const piece of pieces) {
      chunk.set(piece, at)
      at += piece.length
    }
    chunk.set(seal.tag(salt, i + 1, chunk.subarray(0, length)), length)
    yield chunk
  }
}

function* leafParts(head: Head, log: LogTree): Iterable<Uint8Array[]> {
  for (let from = log.start; from < head.size; from += LEAVES_PER_CHUNK) {
    const to = Math.min(head.size, from + LEAVES_PER_CHUNK)
    const part = new Uint8Array((to - from) * 32)
    for (let i = from; i < to; i++) part.set(log.leaf(i), (i - from) * 32)
    yield [part]
  }
}

function indexPart({ root, slots, slabs }: ArenaImage): Uint8Array {
  return new Writer(1_024).varint(root).varint(slots).list(slabs, MAX_SLABS, (w, { blockLength, used }) => w.varint(blockLength).varint(used)).finish()
}

/** Pieces in order, several to a part. */
function* grouped(pieces: readonly Uint8Array[]): Iterable<Uint8Array[]> {
  let part: Uint8Array[] = []
  let length = 0
  for (const piece of pieces) {
    part.push(piece)
    length += piece.length
    if (length < PART_BYTES) continue
    yield part
    part = []
    length = 0
  }
  if (part.length > 0) yield part
}

/** What a stored snapshot says it is of, if it is an image. Not verified. */
export function imageHead(stored: StoredSnapshot | undefined): Head | undefined {
  return stored?.meta[0] === IMAGE_VERSION ? decodeHead(new Reader(stored.meta, 1).bytes(MAX_HEAD)) : undefined
}

export interface ReadImage { readonly follower: Follower; readonly aside: readonly Uint8Array[] }

/** A follower at the image's head, and what its writer put beside it. Throws `store-corrupt` for anything but what this device wrote. */
export async function readImage(stored: StoredSnapshot, env: ApplyEnv, seal: SnapshotTags): Promise<ReadImage> {
  const image = openImage(stored, seal)
  const { head } = image
  const log = new LogTree(env.crypto, image.start)
  const parts: Uint8Array[] = []
  let number = 0
  for await (const chunk of stored.chunks) {
    const part = image.open(++number, chunk)
    if (log.size < head.size) appendLeaves(log, part)
    else parts.push(part)
  }
  const [first, ...rest] = parts
  if (number !== image.count || first === undefined) throw notOurs(head)
  const index = readIndex(first)
  const places = placesOf(index, rest.map(({ length }) => length))
  if (places === undefined) throw notOurs(head)
  const pieces = new Pieces(places, (part) => rest[part] as Uint8Array)
  const words = Math.ceil(index.slots / Arena.slotsPerChunk)
  return { follower: followerOf(image, env, log, index, pieces), aside: rest.slice(1 + (places.at(-1)?.part ?? words)) }
}

/**
 * The same, but a part is read, and its tag compared, when something reads what is in it. Undefined if the image is not worth it, or it can't be had so.
 * A part that is not what was written is `store-corrupt` to whoever asks for it, and `onDamaged` is told.
 */
export async function readImageLazily(stored: StoredSnapshot, env: ApplyEnv, seal: SnapshotTags, onDamaged: () => void): Promise<Follower | undefined> {
  const image = openImage(stored, seal)
  const { head } = image
  const direct = await stored.direct?.()
  if (direct === undefined || direct.lengths.reduce((sum, length) => sum + length, 0) < LAZY_FROM) return undefined
  if (direct.lengths.length !== image.count) throw notOurs(head)
  let number = 0
  const next = (): Uint8Array => {
    number++
    return image.open(number, direct.read(number - 1))
  }
  const log = new LogTree(env.crypto, image.start)
  while (log.size < head.size && number < image.count) appendLeaves(log, next())
  const index = number < image.count ? readIndex(next()) : undefined
  const first = number
  const places = index && placesOf(index, direct.lengths.slice(first).map((length) => length - TAG))
  if (index === undefined || places === undefined || first + 1 + (places.at(-1)?.part ?? 0) !== image.count) throw notOurs(head)
  const pieces = new Pieces(places, (part) => {
    try {
      return image.open(first + part + 1, direct.read(first + part))
    } catch (error) {
      if (isSealError(error, 'store-corrupt')) onDamaged()
      throw error
    }
  })
  return followerOf(image, env, log, index, pieces)
}

interface OpenedImage {
  readonly head: Head
  readonly rows: number
  readonly start: Frontier
  readonly count: number
  /** The part of a chunk, if its tag is this device's. */
  open(number: number, chunk: Uint8Array): Uint8Array
}

function openImage(stored: StoredSnapshot, seal: SnapshotTags): OpenedImage {
  const m = new Reader(stored.meta.subarray(0, Math.max(0, stored.meta.length - TAG)), 1)
  const head = decodeHead(m.bytes(MAX_HEAD))
  const rows = m.varint()
  const start = readFrontier(m)
  const count = m.varint()
  const salt = m.fixed(SALT)
  m.end()
  const open = (number: number, chunk: Uint8Array): Uint8Array => {
    const at = Math.max(0, chunk.length - TAG)
    const part = chunk.subarray(0, at)
    if (!equalBytes(seal.tag(salt, number, part), chunk.subarray(at))) throw notOurs(head)
    return part
  }
  open(0, stored.meta)
  return { head, rows, start, count, open }
}

function appendLeaves(log: LogTree, part: Uint8Array): void {
  for (let at = 0; at < part.length; at += 32) log.append(part.subarray(at, at + 32))
}

/** Of which the rows' count, the root node and the log are those of the head. */
function followerOf({ head, rows }: OpenedImage, env: ApplyEnv, log: LogTree, index: ImageIndex, pieces: Pieces): Follower {
  if (log.size !== head.size || !equalBytes(log.root(), head.logRoot)) throw notOurs(head)
  const chunks = Math.ceil(index.slots / Arena.slotsPerChunk)
  const words = (chunk: number): Uint32Array => {
    const bytes = pieces.take(chunk)
    const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice()
    return new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength >> 2)
  }
  const { tree, version } = StateTree.restore(env.crypto, index.root, { slots: index.slots, slabs: index.slabs, words, slab: (number) => pieces.take(chunks + number) })
  if (tree.count(version) !== rows || !equalBytes(tree.root(version), head.stateRoot)) throw notOurs(head)
  return Follower.resume(env, tree, version, log)
}

interface Place { readonly part: number; readonly at: number; readonly length: number }

/** Where chunks of nodes lie, then slabs; a piece lies in one part. Undefined if they do not fill parts of those lengths. */
function placesOf({ slots, slabs }: ImageIndex, lengths: readonly number[]): readonly Place[] | undefined {
  const places: Place[] = []
  let part = 0
  let at = 0
  const add = (length: number): boolean => {
    places.push({ part, at, length })
    at += length
    if (at > (lengths[part] ?? -1)) return false
    if (at < (lengths[part] as number)) return true
    part++
    at = 0
    return true
  }
  for (let left = slots; left > 0; left -= Arena.slotsPerChunk) if (!add(Math.min(left, Arena.slotsPerChunk) * Arena.wordsPerSlot * 4)) return undefined
  if (at > 0) return undefined // slabs begin a part of their own
  for (const { blockLength, used } of slabs) if (!add(blockLength * used)) return undefined
  return at === 0 ? places : undefined
}

/** Pieces of parts; a part is read when the first of its pieces is asked for, and let go of with the last. */
class Pieces {
  readonly #places: readonly Place[]
  readonly #read: (part: number) => Uint8Array
  /** Pieces of each part that are not taken. */
  readonly #left: number[] = []
  readonly #parts = new Map<number, Uint8Array>()

  constructor(places: readonly Place[], read: (part: number) => Uint8Array) {
    this.#places = places
    this.#read = read
    for (const { part } of places) this.#left[part] = (this.#left[part] ?? 0) + 1
  }

  take(number: number): Uint8Array {
    const { part, at, length } = this.#places[number] as Place
    const bytes = this.#parts.get(part) ?? this.#read(part)
    const left = (this.#left[part] as number) - 1
    this.#left[part] = left
    if (left > 0) this.#parts.set(part, bytes)
    else this.#parts.delete(part)
    return bytes.subarray(at, at + length)
  }
}

interface ImageIndex {
  readonly root: number
  readonly slots: number
  readonly slabs: readonly SlabShape[]
}

function readIndex(part: Uint8Array): ImageIndex {
  const r = new Reader(part)
  const index = { root: r.varint(), slots: r.varint(), slabs: r.list(MAX_SLABS, (x) => ({ blockLength: x.varint(), used: x.varint() }), 2) }
  r.end()
  return index
}

function notOurs({ size }: Head): SealError {
  return new SealError('store-corrupt', `The stored snapshot of size ${size} is not as this device wrote it.`, { size })
}
