/**
 * The state tree (PROTOCOL.md §5): a binary Merkle radix tree over prefix-free keys, in versions that share structure.
 *
 * Every version that `apply`, `build` or `retain` returns is the caller's, to be released once; `empty` is nobody's. Bytes that go in are
 * copied, bytes that come out are copies (several to a block: `copyPooled`). Hashing waits until a root is asked for, but for that of rows loaded in bulk.
 *
 * @example
 * const tree = new StateTree(nodeProvider)
 * const one = tree.apply(tree.empty, [{ key: encodeUtf8('a'), value: encodeUtf8('1') }])
 * tree.get(one, encodeUtf8('a')) // '1'
 */
import type { Sha256 } from '../crypto/provider.js'
import { Arena, type ImageSource } from './arena.js'
import { changesOf, type Change } from './diff.js'
import { buildSorted } from './build.js'
import { applyEdits } from './edit.js'
import type { Edit, EditBatch } from './edits.js'
import { hashLevels } from './levels.js'
import { readGet, type Range, type Row, type ScanOptions } from './read.js'
import { Reader } from './reader.js'
import { recordRun, type Recorded } from './record.js'
import { EMPTY_VERSION, StateView, Versions, type Version } from './view.js'

export interface TreeStats {
  readonly versions: number
  /** Nodes alive, and the bytes that node chunks take. */
  readonly nodes: number
  readonly nodeBytes: number
  /** Bytes of keys and values alive, and of the slabs they lie in. */
  readonly contentBytes: number
  readonly recordBytes: number
  /** Hashes computed so far. */
  readonly hashes: number
}

export class StateTree {
  readonly empty: Version = EMPTY_VERSION
  readonly #nodes: Arena
  readonly #reader: Reader
  readonly #versions = new Versions()

  constructor(hash: Sha256, nodes: Arena = new Arena(hash, undefined, hashLevels), reader: Reader = new Reader(nodes)) {
    this.#nodes = nodes
    this.#reader = reader
  }

  /** For a tree of another kind (partial.ts). */
  protected get versions(): Versions {
    return this.#versions
  }

  /** A version to read and edit, as an object. It is the same claim: release either, once. */
  at(version: Version): StateView {
    this.#versions.rootOf(version)
    return new StateView(this.#versions, this.#reader, version)
  }

  get(version: Version, key: Uint8Array): Uint8Array | undefined {
    return readGet(this.#reader, this.#versions.rootOf(version), key)
  }

  has(version: Version, key: Uint8Array): boolean {
    return this.at(version).has(key)
  }

  /** The rows of a range in order. `released` if the version goes while it runs. */
  scan(version: Version, options: ScanOptions = {}): IterableIterator<Row> {
    return this.at(version).scan(options)
  }

  count(version: Version, range: Range = {}): number {
    return this.at(version).count(range)
  }

  rank(version: Version, key: Uint8Array): number {
    return this.at(version).rank(key)
  }

  nth(version: Version, n: number): Row | undefined {
    return this.at(version).nth(n)
  }

  root(version: Version): Uint8Array {
    return this.#nodes.hash(this.#versions.rootOf(version))
  }

  subtreeRoot(version: Version, prefix: Uint8Array): Uint8Array {
    return this.at(version).subtreeRoot(prefix)
  }

  /** What changed from `before` to `after`, in order; takes time by the changes, not by the sizes. */
  *diff(before: Version, after: Version, range: Range = {}): IterableIterator<Change> {
    for (const change of changesOf(this.#reader, this.#versions.rootOf(before), this.#versions.rootOf(after), range)) {
      yield change
      this.#versions.rootOf(before)
      this.#versions.rootOf(after)
    }
  }

  /** A batch in any order. `bad-argument`: a key twice, or keys that begin one another; `key-too-long`. On an error nothing has changed. */
  apply(version: Version, edits: readonly Edit[] | EditBatch): Version {
    return this.#versions.adopt(applyEdits(this.#reader, this.#versions.rootOf(version), edits))
  }

  /** A version of just these rows, which must come in ascending order of their keys: the way to load many. */
  build(rows: Iterable<Row>): Version {
    return this.#versions.adopt(buildSorted(this.#nodes, rows))
  }

  /** A tree of one version. What the source gives passes into its ownership and is believed: it has to authenticate it. */
  static restore(hash: Sha256, root: number, source: ImageSource): { readonly tree: StateTree; readonly version: Version } {
    const tree = new StateTree(hash, Arena.restore(hash, source, hashLevels))
    return { tree, version: tree.#versions.adopt(root) }
  }

  /** Run reads and edits over a version and keep a proof of what they opened. The states that `program` makes are gone when it returns. */
  record<T>(version: Version, program: (state: StateView) => T): Recorded<T> {
    return recordRun(this.#nodes, this.#versions.rootOf(version), program)
  }

  /** A second claim on the same state, released on its own. */
  retain(version: Version): Version {
    return this.#versions.adopt(this.#nodes.retain(this.#versions.rootOf(version)))
  }

  /** Give a version up: what only it held is freed. Using it afterwards, or releasing it twice, is `released`. */
  release(version: Version): void {
    if (version !== EMPTY_VERSION) this.#nodes.release(this.#versions.remove(version))
  }

  stats(): TreeStats {
    const { liveNodes, nodeBytes, contentBytes, recordBytes, hashes } = this.#nodes
    return { versions: this.#versions.count, nodes: liveNodes, nodeBytes, contentBytes, recordBytes, hashes }
  }
}
