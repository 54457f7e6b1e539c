/**
 * Reading rows and the catalog out of a state, opened (PROTOCOL.md §8). Everything goes through `StateReader`, so it runs the same over a whole
 * tree, a recording one and a proof. A row that does not open is given out as such, with its author: never dropped.
 */
import { concatBytes } from '../codec/bytes.js'
import { encodeTuplePrefix, tupleRange } from '../codec/tuple.js'
import { type SqlValue } from '../codec/value.js'
import { isSealError, SealError } from '../errors.js'
import { metaOf } from '../group/roster.js'
import { type StateReader } from '../state/context.js'
import { indexPrefix, KEY_KIND, liveKey, objectKey, prefixEnd, rowPrefix, ROW_PREFIX_LENGTH, rowStateKey } from '../state/keys.js'
import { blindedPrefixes, generationOf, olderGeneration } from './blinded.js'
import { decodeObject, decodeObjectOf, type ObjectRecord, storedObjects } from './catalog.js'
import { decodeRow } from './row-record.js'
import { type RowSealer, type StoredRow, viewRow, viewRows } from './seal-row.js'
import { type CatalogObject, type RowRange, type RowView, type UnopenedRow } from './types.js'

/** A catalog object that does not open, and who wrote it last. */
export interface UnopenedObject {
  readonly id: number
  readonly device: number
  readonly version: number
  readonly reason: string
}

/** All catalog objects by id. */
export function readCatalog(state: StateReader, sealer: RowSealer): { readonly objects: readonly CatalogObject[]; readonly unopened: readonly UnopenedObject[] } {
  const objects: CatalogObject[] = []
  const unopened: UnopenedObject[] = []
  for (const { id, value } of storedObjects(state)) {
    const record = decodeObject(value)
    const object = sealer.openObject(id, record)
    if (typeof object === 'string') unopened.push({ id, device: record.device, version: record.version, reason: object })
    else objects.push(object)
  }
  return { objects, unopened }
}

/** Root of the subtree of the catalog: changes with any DDL or policy. */
export function catalogTag(state: StateReader): Uint8Array {
  return state.subtreeRoot(Uint8Array.of(KEY_KIND.object))
}

/** Root of the subtree of a table's rows. */
export function tableTag(state: StateReader, table: number): Uint8Array {
  return state.subtreeRoot(rowPrefix(table))
}

export function countRows(state: StateReader, table: number): number {
  return state.count(rowPrefix(table), prefixEnd(rowPrefix(table)))
}

/** The record of a table; throws `bad-argument` if there is none with that id. */
export function readTable(state: StateReader, table: number): ObjectRecord {
  const bytes = state.get(objectKey(table))
  const record = bytes === undefined ? undefined : decodeObjectOf(table, bytes)
  if (record?.table === undefined) throw new SealError('bad-argument', 'Expected the id of a table.', { table })
  return record
}

/** Epochs in `[from, to]` under which `owner` has live sealed values. */
export function liveEpochs(state: StateReader, owner: number, from: number, to: number): number[] {
  const epochs: number[] = []
  for (let epoch = from; epoch <= to; epoch++) if (state.get(liveKey(epoch, owner)) !== undefined) epochs.push(epoch)
  return epochs
}

/** How many rows are opened at once: first as many as lanes that seal (aead-batch.ts), then more, for whoever goes on asking. */
const AT_ONCE = 4
const MOST_AT_ONCE = 64

/** Rows of a range; in the order of the key, or of the index. Opened as they are asked for, a few of a whole table ahead of it. `tableOf`: for a caller that keeps the records of tables. */
export function* readRows(
  state: StateReader, sealer: RowSealer, table: number, range: RowRange = { kind: 'all' }, tableOf = (id: number): ObjectRecord => readTable(state, id),
): IterableIterator<RowView | UnopenedRow> {
  const record = tableOf(table)
  const taken = takenKeys(state, sealer, table, record)
  if (taken === undefined && (range.kind === 'all' || range.kind === 'key-range')) {
    let few: StoredRow[] = []
    let atOnce = AT_ONCE
    for (const { key, value } of rowEntries(state, sealer, table, record, range)) {
      few.push({ stateKey: key, row: decodeRow(value) })
      if (few.length < atOnce) continue
      for (const row of viewRows(sealer, table, record, few)) yield row
      few = []
      atOnce = Math.min(MOST_AT_ONCE, 2 * atOnce)
    }
    for (const row of viewRows(sealer, table, record, few)) yield row
    return
  }
  for (const { key, value } of rowEntries(state, sealer, table, record, range)) yield viewRow(sealer, table, record, key, decodeRow(value), taken?.(key))
}

/** One row by its row key, as a change names it. */
export function readRow(state: StateReader, sealer: RowSealer, table: number, rowKey: Uint8Array, record?: ObjectRecord): RowView | UnopenedRow | undefined {
  const key = rowStateKey(table, rowKey)
  const value = state.get(key)
  if (value === undefined) return undefined
  const object = record ?? readTable(state, table)
  return viewRow(sealer, table, object, key, decodeRow(value), takenKeys(state, sealer, table, object)?.(key))
}

/**
 * While rows lie under two generations of keys (PROTOCOL.md §8.6), the older one is the row and one of the same key under the newer, which an honest author does not
 * write, isn't: for the state key of a row, whether an older row has its key. Undefined if there is nothing to ask.
 */
function takenKeys(state: StateReader, sealer: RowSealer, table: number, record: ObjectRecord): ((stateKey: Uint8Array) => ((key: readonly SqlValue[]) => boolean) | undefined) | undefined {
  const older = olderGeneration(state, record)
  const prefix = older === undefined ? undefined : blindedPrefixes(table, record, older).rows
  if (older === undefined || prefix === undefined || state.count(prefix, prefixEnd(prefix)) === 0) return undefined
  const taken = (key: readonly SqlValue[]): boolean => state.get(rowStateKey(table, sealer.rowKey(table, { key: 'blinded' }, older, key))) !== undefined
  return (stateKey) => (generationOf(record.generation, stateKey, ROW_PREFIX_LENGTH) === older ? undefined : taken)
}

/**
 * The row that `takenKeys` kept out for one that is gone now: itself unchanged, but given out from here on. `stateKey` and `value` are those of the row that went,
 * in a state whose table was `before`.
 */
export function freedRow(state: StateReader, sealer: RowSealer, table: number, before: ObjectRecord, record: ObjectRecord, stateKey: Uint8Array, value: Uint8Array): Uint8Array | undefined {
  if (record.table?.key !== 'blinded' || generationOf(record.generation, stateKey, ROW_PREFIX_LENGTH) === record.generation) return undefined
  const content = before.table && sealer.openRowAt(table, before, before.table, stateKey, decodeRow(value))
  if (content === undefined || typeof content === 'string') return undefined
  const rowKey = sealer.rowKey(table, record.table, record.generation, content.key)
  return state.get(rowStateKey(table, rowKey)) === undefined ? undefined : rowKey
}

interface Stored { readonly key: Uint8Array; readonly value: Uint8Array }

function* rowEntries(state: StateReader, sealer: RowSealer, table: number, record: ObjectRecord, range: RowRange): IterableIterator<Stored> {
  const prefix = rowPrefix(table)
  switch (range.kind) {
    case 'all':
      yield* state.scan(prefix, prefixEnd(prefix))
      return
    case 'key': {
      const older = record.table?.key === 'blinded' ? olderGeneration(state, record) : undefined
      for (const generation of older === undefined ? [record.generation] : [older, record.generation]) {
        const key = keyOf(sealer, table, record, generation, range.key)
        const value = key && state.get(key)
        if (key === undefined || value === undefined) continue
        yield { key, value }
        return
      }
      return
    }
    case 'key-range': {
      if (record.table?.key !== 'plain') throw needsPlain(table)
      yield* state.scan(range.lo ? tupleRange(range.lo, prefix).lo : prefix, range.hi ? tupleRange(range.hi, prefix).lo : prefixEnd(prefix))
      return
    }
    case 'index':
    case 'index-range':
      yield* throughIndex(state, sealer, table, record, range)
      return
    default:
      throw new SealError('bad-argument', 'Expected a range of rows.')
  }
}

function* throughIndex(state: StateReader, sealer: RowSealer, table: number, record: ObjectRecord, range: IndexRange): IterableIterator<Stored> {
  for (const key of keysThrough(state, sealer, table, record, range)) {
    const value = state.get(key)
    if (value === undefined) throw new SealError('invariant', 'An index names a row that is not there. Please report this.', { table, index: range.index })
    yield { key, value }
  }
}

type IndexRange = Extract<RowRange, { kind: 'index' | 'index-range' }>

/** Programs that together read a range, none waiting for another: whoever holds no rows fetches what all of them lack at once. */
export function rowReaders(state: StateReader, sealer: RowSealer, table: number, range: RowRange): readonly (() => unknown)[] {
  if (range.kind !== 'index' && range.kind !== 'index-range') return [() => [...rowEntries(state, sealer, table, readTable(state, table), range)].length]
  return [...keysThrough(state, sealer, table, readTable(state, table), range)].map((key) => () => state.get(key))
}

/** The state keys of rows, in the order of the index. */
function* keysThrough(state: StateReader, sealer: RowSealer, table: number, record: ObjectRecord, range: IndexRange): IterableIterator<Uint8Array> {
  const index = record.table?.indexes.find((i) => i.id === range.index)
  if (index === undefined) throw new SealError('bad-argument', 'Expected the id of an index of the table.', { table, index: range.index })
  const prefix = indexPrefix(table, index.id)
  const follow = function* (lo: Uint8Array, hi: Uint8Array | undefined): IterableIterator<Uint8Array> {
    for (const entry of state.scan(lo, hi)) yield rowStateKey(table, entry.value)
  }
  if (range.kind === 'index-range') {
    if (index.kind !== 'plain') throw needsPlain(table)
    yield* follow(range.lo ? tupleRange(range.lo, prefix).lo : prefix, range.hi ? tupleRange(range.hi, prefix).lo : prefixEnd(prefix))
  } else if (index.kind === 'plain') {
    // NULL equals nothing.
    if (range.values.includes(null)) return
    const start = orNone(() => encodeTuplePrefix(range.values, prefix))
    if (start) yield* follow(start, prefixEnd(start))
  } else {
    const { epoch, firstEpoch } = metaOf(state)
    const older = index.unique ? olderGeneration(state, record) : undefined
    for (const generation of older === undefined ? [record.generation] : [older, record.generation]) {
      for (const e of index.unique ? [epoch] : liveEpochs(state, table, firstEpoch, epoch)) {
        const token = sealer.indexToken(table, index, generation, e, range.values)
        if (token === undefined) return
        const start = concatBytes(prefix, token)
        yield* follow(start, prefixEnd(start))
      }
    }
  }
}

function keyOf(sealer: RowSealer, table: number, record: ObjectRecord, generation: number, key: readonly SqlValue[]): Uint8Array | undefined {
  return orNone(() => rowStateKey(table, sealer.rowKey(table, { key: record.table?.key ?? 'plain' }, generation, key)))
}

/** No stored key is too long, so nothing is there under one that is. */
function orNone(make: () => Uint8Array): Uint8Array | undefined {
  try {
    return make()
  } catch (error) {
    if (isSealError(error, 'key-too-long')) return undefined
    throw error
  }
}

function needsPlain(table: number): SealError {
  return new SealError('bad-argument', 'A range needs a plaintext key or index; a blinded one is found by equality only.', { table })
}

/** The row keys among changed state keys of a table: `tree.diff` over `rowPrefix(table)` gives them. */
export function rowKeyOf(stateKey: Uint8Array): Uint8Array {
  return stateKey.slice(ROW_PREFIX_LENGTH)
}
