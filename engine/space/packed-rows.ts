/**
 * The rows that a draft changes, packed: of each its key's values and what is to be sealed of it, one behind the other in one array, and five words. Ten thousand
 * changes are a few arrays, not sixty thousand objects that the collector carries along until an entry has been made of them.
 */
import { EMPTY_BYTES } from '../codec/bytes.js'
import { Reader, Writer } from '../codec/canonical.js'
import { giveRoom, takeRoom } from '../codec/room.js'
import { readValue, writeValue, type SqlValue } from '../codec/value.js'
import { encodeEqual, MAX_KEY_VALUES, type RowContent, writeBlind } from './seal-row.js'
import type { RowChange, TableShape } from './types.js'

/** Of each row: its table, its kind and flags, where the values of its key begin and end, where the row ends. */
const WORDS = 5
const FIRST_ROWS = 4
const KINDS = ['insert', 'update', 'delete'] as const
const KIND = 3
/** The key is sealed with the row, since nobody can tell it from its token. */
const SEALED_KEY = 4
/** There is a REAL in the key: one may equal an INTEGER. */
const REAL_KEY = 8
/** About what a row takes, where nobody knows better. */
const ROW_BYTES = 384

export type Kind = RowChange['kind']

/** What of a row is not sealed, and what its tokens are made of. Lists in the order of the table's shape. */
export interface Beside {
  readonly plain: readonly SqlValue[]
  readonly blind: RowContent['blind']
}

const NOTHING_BESIDE: Beside = { plain: [], blind: [] }

export class PackedRows {
  #room: Uint8Array
  readonly #writer: Writer
  #words = new Int32Array(FIRST_ROWS * WORDS)
  #length = 0
  /** Of the rows that have any. */
  readonly #beside = new Map<number, Beside>()

  /** `expected`: about how many rows there will be, if they are many. */
  constructor(expected = 0) {
    this.#room = expected < 2 * FIRST_ROWS ? EMPTY_BYTES : takeRoom(ROW_BYTES * expected)
    this.#writer = new Writer(this.#room.length === 0 ? 1_024 : this.#room)
  }

  get length(): number {
    return this.#length
  }

  /** A row that is written, `key` canonical: its body goes to the writer that is returned; then `end`. Who fails between gives up all of them. */
  put(kind: 'insert' | 'update', table: number, key: readonly SqlValue[], keyIs: TableShape['key'], plain: Beside['plain'], blind: Beside['blind']): Writer {
    const index = this.#begin(kind, table, key, keyIs)
    if (plain.length > 0 || blind.length > 0) this.#beside.set(index, { plain, blind })
    if (keyIs !== 'blinded') this.#writer.u8(0)
    return writeBlind(this.#writer, blind)
  }

  end(): void {
    this.#words[this.#length * WORDS - 1] = this.#writer.length
  }

  delete(table: number, key: readonly SqlValue[]): void {
    this.#begin('delete', table, key, 'plain')
    this.end()
  }

  #begin(kind: Kind, table: number, key: readonly SqlValue[], keyIs: TableShape['key']): number {
    const writer = this.#writer
    const index = this.#length++
    const at = index * WORDS
    if (this.#words.length < at + WORDS) {
      const grown = new Int32Array(4 * this.#words.length)
      grown.set(this.#words)
      this.#words = grown
    }
    const from = writer.length
    const sealed = keyIs === 'blinded'
    // As in `RowContent`: a list of so few values that their number takes a byte.
    if (sealed) writer.list(key, MAX_KEY_VALUES, writeValue)
    else for (const value of key) writeValue(writer, value)
    this.#words[at] = table
    this.#words[at + 1] = KINDS.indexOf(kind) | (sealed ? SEALED_KEY : 0) | (key.some(isReal) ? REAL_KEY : 0)
    this.#words[at + 2] = sealed ? from + 1 : from
    this.#words[at + 3] = writer.length
    return index
  }

  /** Nobody looks at any of them again, nor at a view of one. */
  giveBack(): void {
    if (this.#room.length > 0) giveRoom(this.#room)
    this.#room = EMPTY_BYTES
    this.#length = 0
  }

  table(index: number): number {
    return this.#word(index, 0)
  }

  kind(index: number): Kind {
    return KINDS[this.#word(index, 1) & KIND] as Kind
  }

  beside(index: number): Beside {
    return this.#beside.size === 0 ? NOTHING_BESIDE : this.#beside.get(index) ?? NOTHING_BESIDE
  }

  key(index: number): SqlValue[] {
    const reader = new Reader(this.#writer.view(), this.#word(index, 2), this.#word(index, 3))
    const values: SqlValue[] = []
    while (reader.remaining > 0) values.push(readValue(reader))
    return values
  }

  /** `encodeEqual` of the key; valid until the next call. */
  equalKey(index: number): Uint8Array {
    return (this.#word(index, 1) & REAL_KEY) !== 0 ? encodeEqual(this.key(index)) : this.#writer.view(this.#word(index, 2), this.#word(index, 3))
  }

  /** `RowContent`, encoded: what is sealed of a row that is written. A view. */
  content(index: number): Uint8Array {
    return this.#writer.view((this.#word(index, 1) & SEALED_KEY) !== 0 ? this.#word(index, 2) - 1 : this.#word(index, 3), this.#word(index, 4))
  }

  #word(index: number, which: number): number {
    return this.#words[index * WORDS + which] as number
  }
}

function isReal(value: SqlValue): boolean {
  return typeof value === 'number'
}
