/**
 * A row as the state holds it (PROTOCOL.md §8), and the index entries that belong to it. No secret is needed here: every verifier keeps
 * plain indexes and follows blind tokens.
 */
import { copyPooled } from '../codec/bytes.js'
import { Reader, Writer } from '../codec/canonical.js'
import { encodeTuple } from '../codec/tuple.js'
import { readValue, writeValue, type SqlValue } from '../codec/value.js'
import { SealError } from '../errors.js'
import { MAX_INDEXES, MAX_KEY_LENGTH, MAX_PLAIN_COLUMNS, MAX_VALUE_LENGTH } from '../limits.js'
import { indexPrefix, MAX_ID, MAX_INDEX_ID, TOKEN_LENGTH } from '../state/keys.js'
import { type IndexShape, type TableShape } from './types.js'

export interface RowRecord {
  /** Index of the entry that last wrote it. */
  readonly version: number
  /** Member that inserted it; member and device that last wrote it. */
  readonly creator: number
  readonly member: number
  readonly device: number
  /** Epoch of the sealed value. */
  readonly epoch: number
  /** In the table's order at the time of writing: columns added since are missing and read as NULL. */
  readonly plain: readonly SqlValue[]
  /** One for each blind index that the table had then. */
  readonly tokens: readonly IndexToken[]
  readonly sealed: Uint8Array
}

export interface IndexToken {
  readonly index: number
  readonly token: Uint8Array
}

const scratch = new Writer(1_024)

export function encodeRow(row: RowRecord): Uint8Array {
  return copyPooled(encodedRow(row))
}

/** For the state, which copies it: valid until the next call. */
export function encodedRow(row: RowRecord): Uint8Array {
  const w = scratch.reset()
  w.varint(row.version).varint(row.creator).varint(row.member).varint(row.device).varint(row.epoch)
  writePlain(w, row.plain)
  writeTokens(w, row.tokens)
  return w.raw(row.sealed).view()
}

/** Blobs, tokens and `sealed` are views into `bytes`. */
export function decodeRow(bytes: Uint8Array): RowRecord {
  const r = new Reader(bytes)
  const version = r.varint()
  const creator = r.varint(MAX_ID)
  const member = r.varint(MAX_ID)
  const device = r.varint(MAX_ID)
  const epoch = r.varint(MAX_ID)
  const plain = readPlain(r)
  const tokens = readTokens(r)
  return { version, creator, member, device, epoch, plain, tokens, sealed: r.fixed(r.remaining) }
}

export function writePlain(w: Writer, plain: readonly SqlValue[]): void {
  w.varint(plain.length)
  for (const value of plain) writeValue(w, value)
}

export function readPlain(r: Reader): SqlValue[] {
  return r.list(MAX_PLAIN_COLUMNS, readPlainValue)
}

function readPlainValue(r: Reader): SqlValue {
  return readValue(r, MAX_VALUE_LENGTH)
}

function readToken(r: Reader): IndexToken {
  return { index: r.varint(MAX_INDEX_ID), token: r.fixed(TOKEN_LENGTH) }
}

export function writeTokens(w: Writer, tokens: readonly IndexToken[]): void {
  w.varint(tokens.length)
  for (const { index, token } of tokens) w.varint(index).fixed(token, TOKEN_LENGTH)
}

export function readTokens(r: Reader): IndexToken[] {
  return r.list(MAX_INDEXES, readToken, TOKEN_LENGTH + 1)
}

/** One entry of one index: its key holds the value, its value names the row. */
export interface IndexEntry {
  readonly key: Uint8Array
  readonly rowKey: Uint8Array
  /** True: the key is the value alone, so a second row with it is a collision. */
  readonly unique: boolean
}

/**
 * The index entries of a row: exactly one for each index of the table, so that an index is complete just when it has as many entries as
 * the table has rows. A unique index's key is the value alone; a value with a NULL in it is never a duplicate, so the row key follows,
 * as in an index that isn't unique. Throws `key-too-long`.
 */
export function indexEntries(table: number, shape: Pick<TableShape, 'plain' | 'indexes'>, rowKey: Uint8Array, row: Pick<RowRecord, 'plain' | 'tokens'>): IndexEntry[] {
  const entries: IndexEntry[] = []
  for (const index of shape.indexes) {
    const prefix = indexPrefix(table, index.id)
    if (index.kind === 'blind') {
      const found = row.tokens.find((t) => t.index === index.id)
      // A row older than the index has no token for it (and is rewritten by the entry that adds the index).
      if (found !== undefined) entries.push({ key: join(prefix, found.token, index.unique ? undefined : rowKey), rowKey, unique: index.unique })
    } else {
      const values = plainIndexValues(shape, index, row.plain)
      const unique = index.unique && !values.includes(null)
      const value = encodeTuple(values, prefix)
      entries.push({ key: unique ? value : join(value, rowKey), rowKey, unique })
    }
  }
  return entries
}

export function plainIndexValues(shape: Pick<TableShape, 'plain'>, index: IndexShape, plain: readonly SqlValue[]): SqlValue[] {
  return index.columns.map((id) => plain[shape.plain.findIndex((c) => c.id === id)] ?? null)
}

function join(a: Uint8Array, b: Uint8Array, c?: Uint8Array): Uint8Array {
  const length = a.length + b.length + (c?.length ?? 0)
  if (length > MAX_KEY_LENGTH) throw new SealError('key-too-long', `Expected an index entry of at most ${MAX_KEY_LENGTH} bytes.`, { found: length, max: MAX_KEY_LENGTH })
  const out = new Uint8Array(length)
  out.set(a)
  out.set(b, a.length)
  if (c) out.set(c, a.length + b.length)
  return out
}
