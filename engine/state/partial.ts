/**
 * A tree of which only a part is here: the nodes of proofs of one root after the other, the rest closed. It is read and edited like any other; what needs
 * a closed node is `out-of-scope`, and the error can be asked which node that was and what to ask whoever has the whole tree. A proof that comes in answer
 * is grafted on: nodes open where they lie, in every version that shares them. Nothing enters it but by a proof of a root that it has.
 *
 * @example
 * const { tree, version } = PartialTree.open(hash, root, proof)
 * try { tree.get(version, key) } catch (error) { ask(tree.missedBy(error)) } // then tree.graft(version, answer), and again
 */
import type { Sha256 } from '../crypto/provider.js'
import { isSealError, SealError } from '../errors.js'
import { MAX_KEY_LENGTH } from '../limits.js'
import { Arena, BARE, CLOSED, INNER, type Kind, LEAF, NONE, type Ref } from './arena.js'
import { bitOf } from './bits.js'
import type { Change } from './diff.js'
import { type Edit, EditBatch } from './edits.js'
import { hashLevels } from './levels.js'
import { decodeProof } from './proof.js'
import type { Query } from './queries.js'
import { findSubtree, type Range, type Row, type ScanOptions } from './read.js'
import { Reader } from './reader.js'
import { StateTree } from './tree.js'
import { StateView, type Version, type Versions } from './view.js'

/** What a read lacked. */
export interface Missed {
  /** The closed node, or bare leaf, that it needed open. */
  readonly node: Ref
  readonly kind: Kind
  /** What it was, as queries of the whole state: a guess if the version it ran on has edits. */
  readonly queries: readonly Query[]
  /** Whose bits led there, if it was one key's. */
  readonly key?: Uint8Array | undefined
}

/** Rows that a scan asks for at first; then four times what it had. */
const SCAN_AHEAD = 1_024

/** Notes which node was not there. */
class NotingReader extends Reader {
  missing: Ref = NONE

  override open(ref: Ref): Kind {
    if (this.nodes.kind(ref) === CLOSED) this.missing = ref
    return super.open(ref)
  }

  override value(leaf: Ref): Uint8Array {
    if (this.nodes.kind(leaf) === BARE) this.missing = leaf
    return super.value(leaf)
  }
}

export class PartialTree extends StateTree {
  readonly #hash: Sha256
  readonly #nodes: Arena
  readonly #reader: NotingReader
  readonly #missed = new WeakMap<Error, Missed>()

  private constructor(hash: Sha256, nodes: Arena) {
    const reader = new NotingReader(nodes)
    super(hash, nodes, reader)
    this.#hash = hash
    this.#nodes = nodes
    this.#reader = reader
  }

  /** What a proof of `root` opens, as a version of a tree that can grow. Throws `bad-proof`, `bad-encoding` or `too-large`. */
  static open(hash: Sha256, root: Uint8Array, proof: Uint8Array): { readonly tree: PartialTree; readonly version: Version } {
    const part = decodeProof(hash, root, proof, hashLevels)
    const tree = new PartialTree(hash, part.nodes)
    return { tree, version: tree.versions.adopt(part.root) }
  }

  /** One with nothing in it, to be filled by edits. */
  static empty(hash: Sha256): PartialTree {
    return new PartialTree(hash, new Arena(hash, undefined, hashLevels))
  }

  override at(version: Version): StateView {
    this.versions.rootOf(version)
    return new PartialView(this, this.versions, this.#reader, version)
  }

  override *diff(before: Version, after: Version, range: Range = {}): IterableIterator<Change> {
    try {
      yield* super.diff(before, after, range)
    } catch (error) {
      throw this.noted(error, [])
    }
  }

  /** What the read lacked that threw this, or what it was thrown for. */
  missedBy(error: unknown): Missed | undefined {
    for (let each = error; each instanceof Error; each = each.cause) {
      const missed = this.#missed.get(each)
      if (missed !== undefined) return missed
    }
    return undefined
  }

  /** For views of this tree: the error, with what it was about. */
  noted(error: unknown, queries: readonly Query[], key?: Uint8Array): unknown {
    if (isSealError(error, 'out-of-scope') && !this.#missed.has(error)) {
      const node = this.#reader.missing
      this.#missed.set(error, { node, kind: this.#nodes.kind(node), queries, key })
    }
    return error
  }

  /** Nothing has come of it since. */
  isMissing({ node, kind }: Missed): boolean {
    return this.#nodes.kind(node) === kind
  }

  /**
   * The query of the state `version` that opens the node that was missed, and what the key's bits lead to below it. Undefined if it is no node of that state
   * any more.
   */
  placeOf(version: Version, { node, key }: Missed): Query | undefined {
    const nodes = this.#nodes
    const above = this.#pathTo(this.versions.rootOf(version), node)
    if (above === undefined) return undefined
    if (nodes.kind(node) === BARE) return { kind: 'get', key: nodes.key(node) }
    if (key !== undefined) return { kind: 'has', key: steered(key, above) }
    let before = 0
    for (const { parent, right } of above) if (right) before += nodes.count(nodes.left(parent))
    return { kind: 'nth', n: before }
  }

  /** Open what a proof of that version's root opens. Throws `bad-proof`, `bad-encoding` or `too-large`; then nothing has changed. */
  graft(version: Version, proof: Uint8Array): void {
    const nodes = this.#nodes
    const start = this.versions.rootOf(version)
    const part = decodeProof(this.#hash, nodes.hash(start), proof, hashLevels)
    const pending: (readonly [Ref, Ref])[] = start === NONE ? [] : [[start, part.root]]
    for (let pair = pending.pop(); pair !== undefined; pair = pending.pop()) {
      const [ref, source] = pair
      const kind = part.nodes.kind(source)
      const here = nodes.kind(ref)
      if (kind === CLOSED || here === LEAF) continue
      if (here === CLOSED || (here === BARE && kind === LEAF)) nodes.openAs(ref, part.nodes, source)
      if (kind === INNER) pending.push([nodes.left(ref), part.nodes.left(source)], [nodes.right(ref), part.nodes.right(source)])
    }
  }

  /**
   * Let go of what is known below a prefix, in every version that shares it. No read may be under way; and versions with edits on this one that are yet to
   * be read lose their way back to it (`placeOf`).
   */
  forget(version: Version, prefix: Uint8Array): void {
    let node: Ref
    try {
      node = findSubtree(new Reader(this.#nodes), this.versions.rootOf(version), prefix)
    } catch (error) {
      if (!isSealError(error, 'out-of-scope')) throw error
      return
    }
    if (node !== NONE && this.#nodes.kind(node) === INNER) this.#nodes.close(node)
  }

  #pathTo(root: Ref, node: Ref): readonly Step[] | undefined {
    const nodes = this.#nodes
    const above: Step[] = []
    const pending: (readonly [Ref, number, Step | undefined])[] = root === NONE ? [] : [[root, 0, undefined]]
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const [ref, depth, step] = next
      above.length = Math.max(0, depth - 1)
      if (step !== undefined) above.push(step)
      if (ref === node) return above
      if (nodes.kind(ref) !== INNER) continue
      const bit = nodes.bit(ref)
      pending.push([nodes.right(ref), depth + 1, { parent: ref, bit, right: true }], [nodes.left(ref), depth + 1, { parent: ref, bit, right: false }])
    }
    return undefined
  }
}

interface Step { readonly parent: Ref; readonly bit: number; readonly right: boolean }

/** The key, with the bits that lead along a path. */
function steered(key: Uint8Array, path: readonly Step[]): Uint8Array {
  const steered = new Uint8Array(Math.max(key.length, ...path.filter(({ right }) => right).map(({ bit }) => (bit >>> 3) + 1)))
  if (steered.length > MAX_KEY_LENGTH + 1) throw new SealError('invariant', 'A path of the state is longer than its keys. Please report this.')
  steered.set(key)
  for (const { bit, right } of path) {
    const at = bit >>> 3
    if (at < steered.length && (bitOf(steered, bit) === 1) !== right) steered[at] = (steered[at] as number) ^ (0x80 >>> (bit & 7))
  }
  return steered
}

/** A view whose errors tell what they lacked. */
class PartialView extends StateView {
  readonly #tree: PartialTree
  readonly #versions: Versions
  readonly #reader: Reader

  constructor(tree: PartialTree, versions: Versions, reader: Reader, version: Version) {
    super(versions, reader, version)
    this.#tree = tree
    this.#versions = versions
    this.#reader = reader
  }

  override get(key: Uint8Array): Uint8Array | undefined {
    return this.#noting({ kind: 'get', key }, key, () => super.get(key))
  }

  override has(key: Uint8Array): boolean {
    return this.#noting({ kind: 'has', key }, key, () => super.has(key))
  }

  override *scan(options: ScanOptions = {}): IterableIterator<Row> {
    let count = 0
    let last: Uint8Array | undefined
    try {
      for (const row of super.scan(options)) {
        count++
        last = row.key
        yield row
      }
    } catch (error) {
      const { lo, hi, reverse = false, limit = Infinity } = options
      const from = last === undefined ? (reverse ? hi : lo) : reverse ? last : justAfter(last)
      const range = reverse ? { lo, hi: from } : { lo: from, hi }
      throw this.#tree.noted(error, [{ kind: 'scan', ...range, reverse, limit: Math.min(limit - count, Math.max(SCAN_AHEAD, 4 * count)) }])
    }
  }

  override count(range: Range = {}): number {
    return this.#noting({ kind: 'count', ...range }, undefined, () => super.count(range))
  }

  override rank(key: Uint8Array): number {
    return this.#noting({ kind: 'rank', key }, key, () => super.rank(key))
  }

  override nth(n: number): Row | undefined {
    return this.#noting({ kind: 'nth', n }, undefined, () => super.nth(n))
  }

  override subtreeRoot(prefix: Uint8Array): Uint8Array {
    return this.#noting({ kind: 'subtreeRoot', prefix }, prefix, () => super.subtreeRoot(prefix))
  }

  override apply(edits: readonly Edit[] | EditBatch): StateView {
    try {
      return this.#again(super.apply(edits))
    } catch (error) {
      const keys = edits instanceof EditBatch ? edits.keys() : edits.map(({ key }) => key)
      throw this.#tree.noted(error, keys.map((key): Query => ({ kind: 'has', key })), keys.length === 1 ? keys[0] : undefined)
    }
  }

  override without(prefix: Uint8Array): StateView {
    return this.#noting({ kind: 'subtreeRoot', prefix }, prefix, () => this.#again(super.without(prefix)))
  }

  /** The claim is on the version, whichever object has it. */
  #again({ version }: StateView): StateView {
    return new PartialView(this.#tree, this.#versions, this.#reader, version)
  }

  #noting<T>(query: Query, key: Uint8Array | undefined, read: () => T): T {
    try {
      return read()
    } catch (error) {
      throw this.#tree.noted(error, [query], key)
    }
  }
}

function justAfter(key: Uint8Array): Uint8Array {
  const after = new Uint8Array(key.length + 1)
  after.set(key)
  return after
}

