/**
 * The stored snapshot: every row of the verified state at one size, with the log's leaf hashes, so that opening need not replay the log.
 * What is read back must give the state root and log root in its meta, which the verified head's log contains; else it is left alone and
 * the log is replayed.
 *
 *     meta    version ‖ head ‖ row count ‖ frontier that the log begins at   (canonical)
 *     chunks  leaf hashes, 32 bytes each, then rows: key ‖ value             (canonical, a list per chunk)
 *
 * Version 4, which a device writes that has its key at hand, holds the tree as it lies in memory instead of the rows, and each part is authenticated
 * (snapshot-image.ts): nothing is hashed or built again, and what nobody asks for need not be read.
 */
import { Reader, Writer } from '../codec/canonical.js'
import { equalBytes, LITTLE_ENDIAN } from '../codec/bytes.js'
import { isSealError, SealError } from '../errors.js'
import { MAX_KEY_LENGTH, MAX_VALUE_LENGTH } from '../limits.js'
import { readFrontier, writeFrontier } from '../log/frontier.js'
import { LogTree } from '../log/tree.js'
import type { ApplyEnv } from '../state/context.js'
import type { Row } from '../state/read.js'
import { StateTree } from '../state/tree.js'
import type { Store } from '../store/store.js'
import { Follower, type HeldState } from './follower.js'
import { decodeHead, encodeHead, NAMES } from './persist.js'
import type { Head, View } from './types.js'
import { IMAGE_VERSION, readImage, readImageLazily, type SnapshotSeal, type SnapshotTags, writeImage } from './snapshot-image.js'
import type { SpaceView } from './view.js'

const VERSION = 2
const CHUNK_BYTES = 256 * 1024
const LEAVES_PER_CHUNK = 8_192
const MAX_HEAD = 128

/** Write the state of `held` (whose head is `head`) as the store's snapshot. Rows are read as they are written; the state stays held by the caller. */
export async function writeStoredSnapshot(store: Store, head: Head, held: HeldState, log: LogTree, seal?: SnapshotSeal): Promise<void> {
  if (seal !== undefined && LITTLE_ENDIAN) return void (await writeImage(store, seal, head, held, log))
  const count = held.tree.count(new Uint8Array(0))
  const meta = new Writer(96).u8(VERSION).bytes(encodeHead(head), MAX_HEAD).varint(count)
  writeFrontier(meta, log.frontier(log.start))
  await store.writeSnapshot(meta.finish(), chunks(head, held, log))
}

function* chunks(head: Head, held: HeldState, log: LogTree): Iterable<Uint8Array> {
  for (let from = log.start; from < head.size; from += LEAVES_PER_CHUNK) {
    const to = Math.min(head.size, from + LEAVES_PER_CHUNK)
    const w = new Writer((to - from) * 32)
    for (let i = from; i < to; i++) w.fixed(log.leaf(i), 32)
    yield w.finish()
  }
  let w = new Writer(CHUNK_BYTES + 4096)
  for (const { key, value } of held.tree.scan(new Uint8Array(0))) {
    w.bytes(key, MAX_KEY_LENGTH).bytes(value, MAX_VALUE_LENGTH)
    if (w.length < CHUNK_BYTES) continue
    yield w.finish()
    w = new Writer(CHUNK_BYTES + 4096)
  }
  if (w.length > 0) yield w.finish()
}

/**
 * A follower at the snapshot's head; undefined if there is no snapshot. Throws `store-corrupt` if it is not what its meta says. With `onDamaged`, parts of a large
 * image may be read when something asks for them; then, that is told to whoever asks for what is damaged, and `onDamaged` is called.
 */
export async function readStoredSnapshot(store: Store, env: ApplyEnv, seal?: SnapshotTags, onDamaged?: () => void): Promise<Follower | undefined> {
  const stored = await store.readSnapshot()
  if (!stored) return undefined
  try {
    if (stored.meta[0] === IMAGE_VERSION) {
      if (!seal || !LITTLE_ENDIAN) return undefined
      return (onDamaged && (await readImageLazily(stored, env, seal, onDamaged))) ?? (await readImage(stored, env, seal)).follower
    }
    const m = new Reader(stored.meta)
    const version = m.u8()
    if (version !== VERSION) return undefined // another version's snapshot is only a missing shortcut
    const head = decodeHead(m.bytes(MAX_HEAD))
    const rowCount = m.varint()
    const start = readFrontier(m)
    m.end()
    const log = new LogTree(env.crypto, start)
    const rows: Row[] = []
    for await (const chunk of stored.chunks) {
      const r = new Reader(chunk)
      if (log.size < head.size) while (r.remaining > 0) log.append(r.fixed(32))
      else while (r.remaining > 0) rows.push({ key: r.bytes(MAX_KEY_LENGTH), value: r.bytes(MAX_VALUE_LENGTH) })
    }
    const states = new StateTree(env.crypto)
    const root = states.build(rows)
    const sound = rows.length === rowCount && log.size === head.size && equalBytes(states.root(root), head.stateRoot) && equalBytes(log.root(), head.logRoot)
    if (!sound) throw new SealError('store-corrupt', `The stored snapshot of size ${head.size} is not what it says it is.`, { size: head.size })
    return Follower.resume(env, states, root, log)
  } catch (error) {
    // Malformed, over a limit, or rows that no tree gives in this order.
    if (isSealError(error) && (error.family === 'hostile' || error.code === 'bad-argument' || error.code === 'key-too-long')) throw new SealError('store-corrupt', 'The stored snapshot is malformed.', {}, { cause: error })
    throw error
  }
}

/** Writes the stored snapshot when enough has happened since the last one, so that opening stays quick. */
export class Snapshots {
  readonly #space: Snapshottable
  #last: { readonly size: number; readonly rows: number } | undefined

  constructor(space: Snapshottable) {
    this.#space = space
  }

  /** Call after the verified head moved. */
  async afterChange(): Promise<void> {
    if (this.#space.head.size - (await this.#lastOne()).size >= SNAPSHOT_EVERY) await this.#write()
  }

  /** Before closing: a smaller gain is worth it then. A few entries may hold a hundred thousand rows, so those count as well. */
  async finish(): Promise<void> {
    const last = await this.#lastOne()
    if (this.#space.head.size - last.size >= SNAPSHOT_AT_CLOSE || this.#rows() - last.rows >= SNAPSHOT_ROWS_AT_CLOSE) await this.#write()
  }

  async #lastOne(): Promise<{ readonly size: number; readonly rows: number }> {
    return (this.#last ??= await this.#stored())
  }

  /** A damaged one, of which opening has told, counts as none: the next takes its place. */
  async #stored(): Promise<{ readonly size: number; readonly rows: number }> {
    try {
      const { store } = this.#space
      const stored = store.get(NAMES.distrusted) === undefined ? await store.readSnapshot() : undefined
      if (!stored) return NO_SNAPSHOT
      const m = new Reader(stored.meta)
      const version = m.u8()
      return version === VERSION || version === IMAGE_VERSION ? { size: decodeHead(m.bytes(MAX_HEAD)).size, rows: m.varint() } : NO_SNAPSHOT
    } catch (error) {
      if (!isSealError(error) || (error.code !== 'store-corrupt' && error.family !== 'hostile')) throw error
      return NO_SNAPSHOT
    }
  }

  /** Of the whole verified state. */
  #rows(): number {
    return (this.#space.verified as SpaceView).held.tree.count(new Uint8Array(0))
  }

  async #write(): Promise<void> {
    const { head, log, store } = this.#space
    const view = this.#space.verified.retain()
    try {
      // The view is of this head: nothing was awaited in between.
      await writeStoredSnapshot(store, head, (view as SpaceView).held, log, this.#space.snapshotSeal)
      if (store.get(NAMES.distrusted) !== undefined) await store.commit({ put: [[NAMES.distrusted, null]] })
      this.#last = { size: head.size, rows: (view as SpaceView).held.tree.count(new Uint8Array(0)) }
    } catch (error) {
      // The image that was opened is damaged in what nobody had read yet. Whoever reads it is told, and the next opening (open.ts).
      if (!isSealError(error, 'store-corrupt')) throw error
    } finally {
      view.release()
    }
  }
}

const NO_SNAPSHOT = { size: 0, rows: 0 }

/** Entries between two snapshots, and at closing. */
const SNAPSHOT_EVERY = 5_000
const SNAPSHOT_AT_CLOSE = 200
/** Rows of the state, more than there were then: replaying them costs some ten times what reading them does. */
const SNAPSHOT_ROWS_AT_CLOSE = 5_000

export interface Snapshottable {
  readonly head: Head
  readonly log: LogTree
  readonly store: Store
  readonly verified: View
  readonly snapshotSeal: SnapshotSeal
}
