/**
 * The sealed body of a row: its sealed columns by id, each with its storage class. What the engine seals as it is and no relay ever sees.
 *
 *   body   := 0x01 count column{count}
 *   column := gap value            gap: varint, id − (previous id + 1), so ids ascend and none repeats; value: PROTOCOL.md §1
 *
 * msgpackr was measured and not used: it can't keep INTEGER 5 apart from REAL 5.0, and the canonical codec has a strict decoder already. A column
 * that was added after the row was written is missing here: the reader gives its default. One that was dropped is still here: it is passed over.
 */
import { Reader, type Writer } from '../engine/codec/canonical.js'
import { readValue, writeValue, type SqlValue } from '../engine/codec/value.js'
import { SealError } from '../engine/errors.js'
import { MAX_COLUMNS, MAX_VALUE_LENGTH } from '../engine/limits.js'
import { type ColumnId } from '../engine/space/types.js'

const VERSION = 1

export interface Body {
  /** Ascending. */
  readonly ids: readonly ColumnId[]
  readonly values: readonly SqlValue[]
}

/** Where the values of a row come from, by their places: a statement that stands on it, or `RowOfValues`. */
export interface RowSource {
  value(slot: number): SqlValue
  /** `writeValue` of it. */
  writeTo(writer: Writer, slot: number): void
  row(): readonly SqlValue[]
}

export class RowOfValues implements RowSource {
  readonly #values: readonly SqlValue[]

  constructor(values: readonly SqlValue[]) {
    this.#values = values
  }

  value(slot: number): SqlValue {
    return this.#values[slot] as SqlValue
  }

  writeTo(writer: Writer, slot: number): void {
    writeValue(writer, this.value(slot))
  }

  row(): readonly SqlValue[] {
    return this.#values
  }
}

/**
 * `ids` ascend; `slots` say where in the row their values are, −1 that it is `rowid`. Throws `bad-value` (NaN, over 64 bits, unpaired surrogate, TEXT that isn't
 * UTF-8), `too-large`, `bad-argument` (ids).
 */
export function writeBody(writer: Writer, ids: readonly ColumnId[], slots: readonly number[], row: RowSource, rowid: SqlValue = null): void {
  if (ids.length !== slots.length || ids.length > MAX_COLUMNS) {
    throw new SealError('bad-argument', `Expected as many values as column ids, at most ${MAX_COLUMNS}.`, { ids: ids.length, values: slots.length })
  }
  const start = writer.length
  writer.u8(VERSION).varint(ids.length)
  let next = 0
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i] as ColumnId
    if (!(id >= next)) throw new SealError('bad-argument', 'Expected column ids in ascending order.', { id })
    writer.varint(id - next)
    const slot = slots[i] as number
    if (slot < 0) writeValue(writer, rowid)
    else row.writeTo(writer, slot)
    next = id + 1
  }
  const length = writer.length - start
  if (length > MAX_VALUE_LENGTH) throw new SealError('too-large', `A row has at most ${MAX_VALUE_LENGTH} bytes.`, { length })
}

/** Strict. Blobs are views into `bytes`. Throws `bad-encoding` or `too-large`, nothing else. */
export function decodeBody(bytes: Uint8Array): Body {
  const reader = open(bytes)
  const count = reader.varint(MAX_COLUMNS)
  const ids: ColumnId[] = []
  const values: SqlValue[] = []
  let next = 0
  for (let i = 0; i < count; i++) {
    const id = next + reader.varint()
    ids.push(id)
    values.push(readValue(reader))
    next = id + 1
  }
  reader.end()
  return { ids, values }
}

/** Into a row: the values of the columns `wanted` (ascending ids), in that order; `defaults[i]` where the body has none. As strict as `decodeBody`. */
export function decodeRow(bytes: Uint8Array, wanted: readonly ColumnId[], defaults: readonly SqlValue[]): SqlValue[] {
  const reader = open(bytes)
  const row = defaults.slice(0, wanted.length)
  let next = 0
  let slot = 0
  for (let count = reader.varint(MAX_COLUMNS); count > 0; count--) {
    const id = next + reader.varint()
    const value = readValue(reader)
    while (slot < wanted.length && (wanted[slot] as ColumnId) < id) slot++
    if (wanted[slot] === id) row[slot++] = value
    next = id + 1
  }
  reader.end()
  return row
}

function open(bytes: Uint8Array): Reader {
  if (bytes.length > MAX_VALUE_LENGTH) throw new SealError('too-large', `A row has at most ${MAX_VALUE_LENGTH} bytes.`, { length: bytes.length })
  const reader = new Reader(bytes)
  const version = reader.u8()
  if (version !== VERSION) throw reader.bad('Expected version 1 of a row body', { found: version })
  return reader
}
