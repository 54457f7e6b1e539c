/**
 * One state to read and edit: over a whole tree, over a tree that records what is read, or over the nodes of a proof. Code that takes a
 * `State` can't tell which, and that is the point: prover and verifier run the same program.
 */
import { SealError } from '../errors.js'
import { type ArenaImage, NONE, type Ref } from './arena.js'
import { applyEdits, pruneSubtree } from './edit.js'
import type { Edit, EditBatch } from './edits.js'
import { find, findSubtree, leavesOf, readCount, readGet, readNth, readRank, type Range, type Row, type ScanOptions } from './read.js'
import { Reader } from './reader.js'

/** What can be asked of a state. Bytes that come out are copies. Over a proof, what it doesn't cover throws `out-of-scope`. */
export interface StateReader {
  get(key: Uint8Array): Uint8Array | undefined
  has(key: Uint8Array): boolean
  /** The rows of a range in order, read as they are asked for. */
  scan(options?: ScanOptions): IterableIterator<Row>
  count(range?: Range): number
  /** The number of keys before `key`. */
  rank(key: Uint8Array): number
  /** Row `n` in order, from 0. */
  nth(n: number): Row | undefined
  root(): Uint8Array
  /** The root that a tree of only the keys with that prefix would have: equal means nothing under it has changed. */
  subtreeRoot(prefix: Uint8Array): Uint8Array
}

export interface State extends StateReader {
  /** The state after a batch of edits in any order; this one stays as it is. */
  apply(edits: readonly Edit[] | EditBatch): State
}

declare const versionBrand: unique symbol
/** One immutable state in one tree. */
export type Version = number & { readonly [versionBrand]: true }

export const EMPTY_VERSION = 0 as Version

/** The versions of one arena that somebody holds, and their roots. Numbers are not used twice, so a released one is always known as such. */
export class Versions {
  readonly #roots = new Map<Version, Ref>([[EMPTY_VERSION, NONE]])
  #next = 1

  get count(): number {
    return this.#roots.size - 1
  }

  rootOf(version: Version): Ref {
    const root = this.#roots.get(version)
    if (root === undefined) throw new SealError('released', 'This version of the state was released.', { version })
    return root
  }

  /** Takes over the caller's reference. */
  adopt(root: Ref): Version {
    const version = this.#next++ as Version
    this.#roots.set(version, root)
    return version
  }

  /** The root, whose reference the caller now has to drop. */
  remove(version: Version): Ref {
    const root = this.rootOf(version)
    this.#roots.delete(version)
    return root
  }

  removeAll(): readonly Ref[] {
    const roots = [...this.#roots.values()]
    this.#roots.clear()
    return roots
  }
}

export class StateView implements State {
  readonly version: Version
  readonly #versions: Versions
  readonly #reader: Reader

  constructor(versions: Versions, reader: Reader, version: Version) {
    this.#versions = versions
    this.#reader = reader
    this.version = version
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return readGet(this.#reader, this.#root(), key)
  }

  has(key: Uint8Array): boolean {
    return find(this.#reader, this.#root(), key) !== NONE
  }

  *scan(options: ScanOptions = {}): IterableIterator<Row> {
    const reader = this.#reader
    for (const leaf of leavesOf(reader, this.#root(), options)) {
      yield { key: reader.nodes.key(leaf), value: reader.value(leaf) }
      this.#root() // throws if it was released in the meantime
    }
  }

  count(range: Range = {}): number {
    return readCount(this.#reader, this.#root(), range)
  }

  rank(key: Uint8Array): number {
    return readRank(this.#reader, this.#root(), key)
  }

  nth(n: number): Row | undefined {
    return readNth(this.#reader, this.#root(), n)
  }

  root(): Uint8Array {
    return this.#reader.nodes.hash(this.#root())
  }

  subtreeRoot(prefix: Uint8Array): Uint8Array {
    return this.#reader.nodes.hash(findSubtree(this.#reader, this.#root(), prefix))
  }

  /** A new version, the caller's to release. */
  apply(edits: readonly Edit[] | EditBatch): StateView {
    const root = applyEdits(this.#reader, this.#root(), edits)
    return new StateView(this.#versions, this.#reader, this.#versions.adopt(root))
  }

  /** The state without any key that begins with `prefix`: a new version, the caller's to release. Costs one path. */
  without(prefix: Uint8Array): StateView {
    const root = pruneSubtree(this.#reader, this.#root(), prefix)
    return new StateView(this.#versions, this.#reader, this.#versions.adopt(root))
  }

  /** The same state, read without leaving a trace. */
  untraced(): StateView {
    return new StateView(this.#versions, new Reader(this.#reader.nodes), this.version)
  }

  /** The tree as it lies in memory, by and by; the version must stay until the end. See `StateTree.restore`. */
  imaging(): Generator<void, ArenaImage, undefined> {
    return this.#reader.nodes.imaging(this.#root())
  }

  release(): void {
    if (this.version !== EMPTY_VERSION) this.#reader.nodes.release(this.#versions.remove(this.version))
  }

  #root(): Ref {
    return this.#versions.rootOf(this.version)
  }
}
