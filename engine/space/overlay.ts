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
  /** Every point edit of the entry by key, handed to the tree or not: the last of each key. */
  private readonly edits = new Map<string, PointEdit>()
  private pending: PointEdit[] = []
  /** Versions between `before` and the last one, to be released. */
  private readonly between: StateView[] = []
  /** Kinds and ids of pending edits: whether a range read needs them. */
  private readonly pendingPlaces = new Set<number>()
  private lastKey: Uint8Array | undefined
  private lastName = ''

  constructor(before: StateView) {
    this.before = before
    this.tree = before
  }

  get(key: Uint8Array): Uint8Array | undefined {
    const edit = this.edits.get(this.nameOf(key))
    return edit === undefined ? this.tree.get(key) : edit.value
  }

  put(key: Uint8Array, value: Uint8Array | undefined): void {
    const name = this.nameOf(key)
    const known = this.edits.get(name)
    if (known?.pending === true) {
      known.value = value
      return
    }
    const edit = { key, value, pending: true }
    this.edits.set(name, edit)
    this.pending.push(edit)
    this.pendingPlaces.add(placeOf(key))
  }

  /** True if this entry has put or deleted the key itself. */
  touched(key: Uint8Array): boolean {
    return this.edits.has(this.nameOf(key))
  }

  deletePrefix(prefix: Uint8Array): void {
    const name = keyName(prefix)
    this.flush()
    for (const [key, edit] of this.edits) if (key.startsWith(name)) edit.value = undefined
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
    if (this.pending.length === 0) return
    this.advance(this.tree.apply(this.pending))
    for (const edit of this.pending) edit.pending = false
    this.pending = []
    this.pendingPlaces.clear()
  }

  private advance(next: StateView): void {
    this.tree = next
    // Kept until the end: a scan over an earlier version may still be running.
    this.between.push(this.tree)
  }

  /** An op asks for the same key several times in a row. */
  private nameOf(key: Uint8Array): string {
    if (key !== this.lastKey) {
      this.lastKey = key
      this.lastName = keyName(key)
    }
    return this.lastName
  }

  /** A range within one kind and id needs only edits there; any other range, all of them. */
  private inTheWay(lo: Uint8Array, hi: Uint8Array | undefined): boolean {
    if (this.pending.length === 0) return false
    const start = lo.subarray(0, ROW_PREFIX_LENGTH)
    const end = prefixEnd(start)
    const within = lo.length >= ROW_PREFIX_LENGTH && hi !== undefined && end !== undefined && compareBytes(hi, end) <= 0
    return !within || this.pendingPlaces.has(placeOf(start))
  }
}

/** `pending`: the tree does not have it yet. */
interface PointEdit extends StateEdit {
  value: Uint8Array | undefined
  pending: boolean
}

/** Kind and id of a key as one number; a shorter key reads as 0 past its end, which no range within an id begins with. */
function placeOf(key: Uint8Array): number {
  const id = (((key[1] ?? 0) << 24) | ((key[2] ?? 0) << 16) | ((key[3] ?? 0) << 8) | (key[4] ?? 0)) >>> 0
  return (key[0] ?? 0) * 0x1_0000_0000 + id
}

/** One character a byte: a Map key. */
export function keyName(key: Uint8Array): string {
  return String.fromCharCode.apply(null, key as unknown as number[])
}

