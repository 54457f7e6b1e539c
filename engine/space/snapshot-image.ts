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
import { SealError } from '../errors.js'
import { readFrontier, writeFrontier } from '../log/frontier.js'
import { LogTree } from '../log/tree.js'
import { Arena, type ArenaImage } from '../state/arena.js'
import type { ApplyEnv } from '../state/context.js'
import { StateTree } from '../state/tree.js'
import type { Store, StoredSnapshot } from '../store/store.js'
import { Follower, type HeldState } from './follower.js'
import { decodeHead, encodeHead } from './persist.js'
import type { Head } from './types.js'

export const IMAGE_VERSION = 4
const TAG = 16
const SALT = 16
const LEAVES_PER_CHUNK = 32_768
const CHUNK_BYTES = 1024 * 1024
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
    if (length < CHUNK_BYTES) continue
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
  const meta = stored.meta.subarray(0, Math.max(0, stored.meta.length - TAG))
  const m = new Reader(meta, 1)
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
  const log = new LogTree(env.crypto, start)
  const taker = new ImageTaker()
  const aside: Uint8Array[] = []
  let number = 0
  for await (const chunk of stored.chunks) {
    const part = open(++number, chunk)
    if (log.size < head.size) for (let at = 0; at < part.length; at += 32) log.append(part.subarray(at, at + 32))
    else if (taker.image === undefined) taker.take(part)
    else aside.push(part)
  }
  const image = taker.image
  if (number !== count || log.size !== head.size || image === undefined) throw notOurs(head)
  const { tree, version } = StateTree.restore(env.crypto, image)
  if (tree.count(version) !== rows || !equalBytes(tree.root(version), head.stateRoot) || !equalBytes(log.root(), head.logRoot)) throw notOurs(head)
  return { follower: Follower.resume(env, tree, version, log), aside }
}

/** Puts the parts of an image together, in their order. */
class ImageTaker {
  #index: { readonly root: number; readonly slots: number; readonly slabs: readonly { readonly blockLength: number; readonly used: number }[] } | undefined
  readonly #words: Uint32Array[] = []
  readonly #slabs: ArenaImage['slabs'][number][] = []
  #slots = 0

  take(part: Uint8Array): void {
    if (this.#index === undefined) this.#index = readIndex(part)
    else if (this.#slots < this.#index.slots) this.#takeWords(part)
    else this.#takeSlabs(part, this.#index.slabs)
  }

  get image(): ArenaImage | undefined {
    const index = this.#index
    if (index === undefined || this.#slots !== index.slots || this.#slabs.length !== index.slabs.length) return undefined
    return { root: index.root, slots: index.slots, words: this.#words, slabs: this.#slabs }
  }

  #takeWords(part: Uint8Array): void {
    const aligned = part.byteOffset % 4 === 0 ? part : part.slice()
    const words = new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength >> 2)
    const perChunk = Arena.slotsPerChunk * Arena.wordsPerSlot
    for (let at = 0; at < words.length; at += perChunk) this.#words.push(words.subarray(at, at + perChunk))
    this.#slots += words.length / Arena.wordsPerSlot
  }

  #takeSlabs(part: Uint8Array, slabs: readonly { readonly blockLength: number; readonly used: number }[]): void {
    for (let at = 0; at < part.length;) {
      const next = slabs[this.#slabs.length]
      if (next === undefined) return
      const end = at + next.blockLength * next.used
      this.#slabs.push({ ...next, bytes: part.subarray(at, end) })
      at = end
    }
  }
}

function readIndex(part: Uint8Array): { readonly root: number; readonly slots: number; readonly slabs: readonly { readonly blockLength: number; readonly used: number }[] } {
  const r = new Reader(part)
  const index = { root: r.varint(), slots: r.varint(), slabs: r.list(MAX_SLABS, (x) => ({ blockLength: x.varint(), used: x.varint() }), 2) }
  r.end()
  return index
}

function notOurs({ size }: Head): SealError {
  return new SealError('store-corrupt', `The stored snapshot of size ${size} is not as this device wrote it.`, { size })
}
