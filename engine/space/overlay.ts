/**
 * The state while an entry is applied: edits so far over the state before it. Point reads look into the edits first; a range read
 * first hands to the tree the edits that lie in its way. Nothing reaches the caller's state until `finish`.
 */
import { compareBytes } from '../codec/bytes.js'
import { type StateEntry, type StateView } from '../state/context.js'
import { EditBatch } from '../state/edits.js'
import { prefixEnd, ROW_PREFIX_LENGTH } from '../state/keys.js'

const NONE = -1

export class Overlay {
  /** The state before the entry. */
  readonly before: StateView
  private tree: StateView
  /** Every point edit of the entry; of one key, the last counts. */
  private readonly edits: EditBatch
  /** So many of them the tree has. */
  private flushed = 0
  /** By kind and id of their keys. */
  private readonly places = new Map<number, Place>()
  /** For each edit, the one before in its place. */
  private readonly earlier: number[] = []
  /** Edits by their keys: of the places that are not in order. */
  private names: Map<string, number> | undefined
  /** Versions between `before` and the last one, to be released. */
  private readonly between: StateView[] = []
  private lastKey: Uint8Array | undefined
  private lastEdit = NONE
  private lastPlace: Place | undefined

  /** `expected`: about how many bytes will be put, if they are many. */
  constructor(before: StateView, expected = 0) {
    this.edits = new EditBatch(expected)
    this.before = before
    this.tree = before
  }

  get(key: Uint8Array): Uint8Array | undefined {
    const edit = this.find(key)
    return edit === NONE ? this.tree.get(key) : this.edits.value(edit) ?? undefined
  }

  put(key: Uint8Array, value: Uint8Array | undefined): void {
    const known = this.find(key)
    if (known >= this.flushed) {
      this.edits.replace(known, value ?? null)
      return
    }
    const edit = this.edits.add(key, value ?? null)
    const place = this.placeOf(key)
    this.earlier.push(place.last)
    place.last = edit
    if (!place.ordered) this.names?.set(keyName(key), edit)
    this.lastEdit = edit
  }

  /** True if this entry has put or deleted the key itself. */
  touched(key: Uint8Array): boolean {
    return this.find(key) !== NONE
  }

  deletePrefix(prefix: Uint8Array): void {
    this.flush()
    for (let edit = 0; edit < this.edits.length; edit++) if (this.edits.keyBegins(edit, prefix)) this.edits.drop(edit)
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

  /** The state with every edit applied; the caller's to release. The last that is asked, as `discard` is. */
  finish(): StateView {
    this.flush()
    const result = this.tree
    for (const version of this.between) if (version !== result) version.release()
    this.edits.giveBack()
    return result
  }

  /** Give up everything. */
  discard(): void {
    for (const version of this.between) version.release()
    this.edits.giveBack()
  }

  private flush(): void {
    if (this.flushed === this.edits.length) return
    this.advance(this.tree.apply(this.flushed === 0 ? this.edits : this.edits.from(this.flushed)))
    this.flushed = this.edits.length
  }

  private advance(next: StateView): void {
    this.tree = next
    // Kept until the end: a scan over an earlier version may still be running.
    this.between.push(this.tree)
  }

  /** The last edit of that key, or NONE. An op asks for the same key several times in a row. */
  private find(key: Uint8Array): number {
    if (key === this.lastKey) return this.lastEdit
    const place = this.placeOf(key)
    this.lastKey = key
    this.lastEdit = this.findIn(place, key)
    return this.lastEdit
  }

  /** Ops of a bulk come in the order of their keys, each behind the last: then nothing need be looked up, and no key have a name. */
  private findIn(place: Place, key: Uint8Array): number {
    if (place.last === NONE) return NONE
    if (place.ordered) {
      const order = this.edits.compareTo(place.last, key)
      if (order <= 0) return order === 0 ? place.last : NONE
      place.ordered = false
      const names = (this.names ??= new Map())
      for (let edit = place.last; edit !== NONE; edit = this.earlier[edit] as number) {
        const name = keyName(this.edits.key(edit))
        if (!names.has(name)) names.set(name, edit)
      }
    }
    return this.names?.get(keyName(key)) ?? NONE
  }

  private placeOf(key: Uint8Array): Place {
    const id = placeId(key)
    if (this.lastPlace?.id === id) return this.lastPlace
    let place = this.places.get(id)
    if (place === undefined) this.places.set(id, (place = { id, ordered: true, last: NONE }))
    this.lastPlace = place
    return place
  }

  /** A range within one kind and id needs only edits there; any other range, all of them. */
  private inTheWay(lo: Uint8Array, hi: Uint8Array | undefined): boolean {
    if (this.flushed === this.edits.length) return false
    const start = lo.subarray(0, ROW_PREFIX_LENGTH)
    const end = prefixEnd(start)
    const within = lo.length >= ROW_PREFIX_LENGTH && hi !== undefined && end !== undefined && compareBytes(hi, end) <= 0
    const last = within ? this.places.get(placeId(start))?.last ?? NONE : Infinity
    return last >= this.flushed
  }
}

/** Edits of one kind and id. */
interface Place {
  readonly id: number
  /** Their keys ascend, each last one is the greatest: none of them has a name. */
  ordered: boolean
  last: number
}

/** Kind and id of a key as one number; a shorter key reads as 0 past its end, which no range within an id begins with. */
function placeId(key: Uint8Array): number {
  const id = (((key[1] ?? 0) << 24) | ((key[2] ?? 0) << 16) | ((key[3] ?? 0) << 8) | (key[4] ?? 0)) >>> 0
  return (key[0] ?? 0) * 0x1_0000_0000 + id
}

/** One character a byte: a Map key. */
export function keyName(key: Uint8Array): string {
  return String.fromCharCode.apply(null, key as unknown as number[])
}
