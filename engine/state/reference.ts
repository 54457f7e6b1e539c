/**
 * The slow twin: a sorted array and the definitions of PROTOCOL.md §5, word for word. Tests hold the tree against it.
 */
import { compareBytes, concatBytes, equalBytes } from '../codec/bytes.js'
import type { Sha256 } from '../crypto/provider.js'
import { bitOf } from './bits.js'
import type { Edit } from './edits.js'
import type { Change } from './diff.js'
import type { Range, Row, ScanOptions } from './read.js'
import type { State } from './view.js'

export class ReferenceState implements State {
  readonly rows: readonly Row[]
  readonly #hash: Sha256

  constructor(hash: Sha256, rows: readonly Row[] = []) {
    this.#hash = hash
    this.rows = [...rows].sort((a, b) => compareBytes(a.key, b.key))
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.rows.find((row) => equalBytes(row.key, key))?.value
  }

  has(key: Uint8Array): boolean {
    return this.get(key) !== undefined
  }

  *scan({ reverse = false, limit = Infinity, ...range }: ScanOptions = {}): IterableIterator<Row> {
    const rows = this.rows.filter((row) => isWithin(row.key, range))
    yield* (reverse ? rows.reverse() : rows).slice(0, limit)
  }

  count(range: Range = {}): number {
    return this.rows.filter((row) => isWithin(row.key, range)).length
  }

  rank(key: Uint8Array): number {
    return this.count({ hi: key })
  }

  nth(n: number): Row | undefined {
    return this.rows[n]
  }

  root(): Uint8Array {
    return this.#hashOf(this.rows)
  }

  subtreeRoot(prefix: Uint8Array): Uint8Array {
    return this.#hashOf(this.rows.filter((row) => equalBytes(row.key.subarray(0, prefix.length), prefix)))
  }

  apply(edits: readonly Edit[]): ReferenceState {
    const rows = this.rows.filter((row) => !edits.some((edit) => equalBytes(edit.key, row.key)))
    for (const { key, value } of edits) if (value !== null) rows.push({ key, value })
    return new ReferenceState(this.#hash, rows)
  }

  changesTo(after: ReferenceState, range: Range = {}): readonly Change[] {
    const keys = [...this.rows, ...after.rows.filter((row) => !this.has(row.key))].map((row) => row.key).sort(compareBytes)
    return keys.flatMap((key) => {
      const [old, now] = [this.get(key), after.get(key)]
      if (!isWithin(key, range) || (old !== undefined && now !== undefined && equalBytes(old, now))) return []
      return [{ key, ...(old === undefined ? {} : { before: old }), ...(now === undefined ? {} : { after: now }) }]
    })
  }

  #hashOf(rows: readonly Row[]): Uint8Array {
    const [first] = rows
    if (first === undefined) return this.#hash.sha256(Uint8Array.of(0x12))
    if (rows.length === 1) return this.#hash.sha256(concatBytes(Uint8Array.of(0x10), first.key, this.#hash.sha256(first.value)))
    let bit = 0
    while (rows.every((row) => bitOf(row.key, bit) === bitOf(first.key, bit))) bit++
    const left = rows.filter((row) => bitOf(row.key, bit) === 0)
    const right = rows.filter((row) => bitOf(row.key, bit) === 1)
    const head = Uint8Array.of(0x11, bit >> 8, bit & 255, ...u48(left.length), ...u48(right.length))
    return this.#hash.sha256(concatBytes(head, this.#hashOf(left), this.#hashOf(right)))
  }
}

function isWithin(key: Uint8Array, { lo, hi }: Range): boolean {
  return (lo === undefined || compareBytes(lo, key) <= 0) && (hi === undefined || compareBytes(key, hi) < 0)
}

function u48(n: number): number[] {
  return [40, 32, 24, 16, 8, 0].map((shift) => Math.floor(n / 2 ** shift) % 256)
}
