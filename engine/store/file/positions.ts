/**
 * Where each record of the log lies: packed typed arrays, 12 bytes a record. File number 0 means nowhere: a record that a file
 * no longer here held, and that a later file drops.
 */
import { invariant } from '../../errors.js'
import type { Bounds } from '../batch.js'

export interface Position {
  readonly file: number
  /** Of its frame. */
  readonly at: number
  /** Of the whole frame. */
  readonly length: number
}

export class Positions {
  private base = 0
  private count = 0
  private files = new Uint32Array(1024)
  private ats = new Uint32Array(1024)
  private lengths = new Uint32Array(1024)

  get first(): number {
    return this.base
  }

  get size(): number {
    return this.base + this.count
  }

  fileOf(index: number): number {
    return this.files[this.slot(index)] as number
  }

  get(index: number): Position {
    const slot = this.slot(index)
    return { file: this.files[slot] as number, at: this.ats[slot] as number, length: this.lengths[slot] as number }
  }

  /** Of the records `[from, to)`. */
  range(from: number, to: number): Position[] {
    const positions: Position[] = []
    for (let index = from; index < to; index++) positions.push(this.get(index))
    return positions
  }

  append(file: number, at: number, length: number): void {
    invariant(at <= 0xffffffff, 'a file of the store is under 4 GiB')
    if (this.count === this.files.length) this.resize(0, this.count * 2)
    this.files[this.count] = file
    this.ats[this.count] = at
    this.lengths[this.count] = length
    this.count++
  }

  /** The record was copied. Does nothing if it is gone meanwhile, or replaced. */
  move(index: number, from: Position, to: Position): void {
    if (index < this.first || index >= this.size) return
    const slot = this.slot(index)
    if (this.files[slot] !== from.file || this.ats[slot] !== from.at) return
    this.files[slot] = to.file
    this.ats[slot] = to.at
    this.lengths[slot] = to.length
  }

  /** Hold exactly `[first, size)`: what lies outside is dropped, what is new lies nowhere. */
  reshape({ first, size }: Bounds): void {
    const keptFrom = Math.max(first, this.first)
    const keptTo = Math.max(keptFrom, Math.min(size, this.size))
    if (first === this.first && keptTo === size) this.count = size - first
    else if (keptFrom === keptTo) this.clear(size - first)
    else this.resize(keptFrom - this.base, size - first, keptFrom - first, keptTo - keptFrom)
    this.base = first
    this.count = size - first
  }

  /** Three words a record: file, place, length. To be written before anything else happens. */
  words(): readonly Uint32Array[] {
    return [this.files, this.ats, this.lengths].map((all) => all.subarray(0, this.count))
  }

  /** The same taken up again; the arrays pass into the ownership of these positions. */
  static of(first: number, [files, ats, lengths]: readonly [Uint32Array<ArrayBuffer>, Uint32Array<ArrayBuffer>, Uint32Array<ArrayBuffer>]): Positions {
    const positions = new Positions()
    positions.base = first
    positions.count = files.length
    positions.files = files
    positions.ats = ats
    positions.lengths = lengths
    if (files.length < 1024) positions.resize(0, 1024)
    return positions
  }

  private clear(count: number): void {
    this.files = new Uint32Array(Math.max(1024, count))
    this.ats = new Uint32Array(this.files.length)
    this.lengths = new Uint32Array(this.files.length)
  }

  /** Move `kept` slots from `from` to `to` in new arrays with room for `capacity`. */
  private resize(from: number, capacity: number, to = 0, kept = this.count): void {
    const copy = (old: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> => {
      const grown = new Uint32Array(Math.max(1024, capacity))
      grown.set(old.subarray(from, from + kept), to)
      return grown
    }
    this.files = copy(this.files)
    this.ats = copy(this.ats)
    this.lengths = copy(this.lengths)
  }

  private slot(index: number): number {
    invariant(index >= this.first && index < this.size, 'a record that is held')
    return index - this.base
  }
}
