/**
 * The state while an entry is applied: edits so far over the state before it. Point reads look into the edits first; a range read
 * first hands to the tree the edits that lie in its way. Nothing reaches the caller's state until `finish`.
 */
import { compareBytes } from '../codec/bytes.js'
import { type StateEdit, type StateEntry, type StateView } from '../state/context.js'
import { prefixEnd, ROW_PREFIX_LENGTH } from '../state/keys.js'

export class Overlay {
  /** The state before the entry. */
  readonly before: StateView
  private tree: StateView
  /** Every point edit of the entry by key, handed to the tree or not. */
  private readonly edits = new Map<string, Uint8Array | undefined>()
  private pending = new Map<string, StateEdit>()
  /** Versions between `before` and the last one, to be released. */
  private readonly between: StateView[] = []
  /** Kind and id (or the whole key, if shorter) of pending edits: whether a range read needs them. */
  private readonly pendingPrefixes = new Set<string>()

  constructor(before: StateView) {
    this.before = before
    this.tree = before
  }

  get(key: Uint8Array): Uint8Array | undefined {
    const name = keyName(key)
    const edit = this.edits.get(name)
    if (edit !== undefined || this.edits.has(name)) return edit
    return this.tree.get(key)
  }

  put(key: Uint8Array, value: Uint8Array | undefined): void {
    const name = keyName(key)
    this.edits.set(name, value)
    this.pending.set(name, { key, value })
    this.pendingPrefixes.add(keyName(key.subarray(0, ROW_PREFIX_LENGTH)))
  }

  /** True if this entry has put or deleted the key itself. */
  touched(key: Uint8Array): boolean {
    return this.edits.has(keyName(key))
  }

  deletePrefix(prefix: Uint8Array): void {
    const name = keyName(prefix)
    for (const key of this.edits.keys()) if (key.startsWith(name)) this.edits.set(key, undefined)
    this.flush()
    this.advance(this.tree.without(prefix))
  }

  scan(lo: Uint8Array, hi?: Uint8Array): Iterable<StateEntry> {
    if (this.inTheWay(lo, hi)) this.flush()
    return this.tree.scan(lo, hi)
  }

  count(lo: Uint8Array, hi?: Uint8Array): number {
    if (this.inTheWay(lo, hi)) this.flush()
    return this.tree.count(lo, hi)
  }

  /** The state with every edit applied; the caller's to release. */
  finish(): StateView {
    this.flush()
    const result = this.tree
    for (const version of this.between) if (version !== result) version.release()
    return result
  }

  /** Give up everything. */
  discard(): void {
    for (const version of this.between) version.release()
  }

  private flush(): void {
    if (this.pending.size === 0) return
    this.advance(this.tree.apply([...this.pending.values()]))
    this.pending = new Map()
    this.pendingPrefixes.clear()
  }

  private advance(next: StateView): void {
    this.tree = next
    // Kept until the end: a scan over an earlier version may still be running.
    this.between.push(this.tree)
  }

  /** A range within one kind and id needs only edits there; any other range, all of them. */
  private inTheWay(lo: Uint8Array, hi: Uint8Array | undefined): boolean {
    if (this.pending.size === 0) return false
    const start = lo.subarray(0, ROW_PREFIX_LENGTH)
    const end = prefixEnd(start)
    const within = lo.length >= ROW_PREFIX_LENGTH && hi !== undefined && end !== undefined && compareBytes(hi, end) <= 0
    return !within || this.pendingPrefixes.has(keyName(start))
  }
}

/** One character a byte: a Map key. */
export function keyName(key: Uint8Array): string {
  return String.fromCharCode.apply(null, key as unknown as number[])
}

