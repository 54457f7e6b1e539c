/**
 * Ops on rows (PROTOCOL.md §6, §8): insert, update, delete; reseal, which gives a row a new epoch and nothing else, and rekey, which gives its key a new
 * generation of the blinding secret, too.
 *
 * Each checks in the protocol's order: conflicts (is the row there, has it or its table changed since the author's base), then policies,
 * then the op's own rules.
 */
import { type Reader, type Writer } from '../../codec/canonical.js'
import { decodeTuple } from '../../codec/tuple.js'
import { type SqlValue } from '../../codec/value.js'
import { compareBytes, equalBytes } from '../../codec/bytes.js'
import { isSealError } from '../../errors.js'
import { MAX_KEY_LENGTH, MAX_VALUE_LENGTH } from '../../limits.js'
import { Reject, requireOr } from '../../state/context.js'
import { generationByte, MAX_ID, ROW_PREFIX_LENGTH, rowStateKey, TOKEN_LENGTH } from '../../state/keys.js'
import { checkPlain } from '../catalog.js'
import { type SpaceContext, type SpaceOpCodec, type TableEntry } from '../context.js'
import { allows, type PublicShape } from '../policy.js'
import { decodeRow, encodedRow, indexEntries, readPlain, readTokens, writePlain, writeTokens, type IndexToken, type RowRecord } from '../row-record.js'
import { checkSealed } from '../sealed.js'

export interface PutRowOp {
  readonly op: 'insert' | 'update'
  readonly table: number
  /** A closed tuple, or a token of 16 bytes. */
  readonly rowKey: Uint8Array
  readonly plain: readonly SqlValue[]
  /** One for each blind index of the table, in its order. */
  readonly tokens: readonly IndexToken[]
  readonly sealed: Uint8Array
}
export interface DeleteRowOp { readonly op: 'delete'; readonly table: number; readonly rowKey: Uint8Array }
export interface ResealRowOp { readonly op: 'reseal'; readonly table: number; readonly rowKey: Uint8Array; readonly tokens: readonly IndexToken[]; readonly sealed: Uint8Array }

/** Ops that write rows, what belongs to them, and nothing else. */
export function isRowOp(op: string): boolean {
  return op === 'insert' || op === 'update' || op === 'delete' || op === 'reseal' || op === 'rekey'
}

/** The row leaves `rowKey`, which is of the older generation, for `newKey`: both are of the same values, as its author says. */
export interface RekeyRowOp {
  readonly op: 'rekey'
  readonly table: number
  readonly rowKey: Uint8Array
  readonly newKey: Uint8Array
  readonly tokens: readonly IndexToken[]
  readonly sealed: Uint8Array
}

/** What a row op's sealed value and its frame may take of a state value. */
const MAX_ROW_KEY_LENGTH = MAX_KEY_LENGTH - ROW_PREFIX_LENGTH

export const insertRow: SpaceOpCodec<PutRowOp> = { tag: 0x01, name: 'insert', role: 'writer', write: writePut, read: (r) => readPut(r, 'insert'), skip: skipPut, apply: put }
export const updateRow: SpaceOpCodec<PutRowOp> = { tag: 0x02, name: 'update', role: 'writer', write: writePut, read: (r) => readPut(r, 'update'), skip: skipPut, apply: put }

export const deleteRow: SpaceOpCodec<DeleteRowOp> = {
  tag: 0x03,
  name: 'delete',
  role: 'writer',
  write: writeTarget,
  read: (r) => ({ op: 'delete', ...readTarget(r) }),
  apply(ctx, op) {
    const { table, key, old } = target(ctx, op, true)
    const verdict = allows(ctx.world, table.shape, 'delete', old)
    if (verdict !== 'allowed') throw new Reject('policy', verdict)
    for (const entry of heldEntries(ctx, op.table, table.shape, op.rowKey, old)) ctx.releaseIndex(entry)
    ctx.live(old.epoch, op.table, -1)
    ctx.delete(key)
  },
}

export const resealRow: SpaceOpCodec<ResealRowOp> = {
  tag: 0x04,
  name: 'reseal',
  role: 'admin',
  write(w, op) {
    writeTarget(w, op)
    writeTokens(w, op.tokens)
    w.bytes(op.sealed, MAX_VALUE_LENGTH)
  },
  read: (r) => ({ op: 'reseal', ...readTarget(r), tokens: readTokens(r), sealed: r.bytes(MAX_VALUE_LENGTH) }),
  apply(ctx, op) {
    const { table, key, old } = target(ctx, op, true)
    checkSameValues(ctx, table, op, old)
    store(ctx, table, key, op.rowKey, op, old.plain, old)
  },
}

export const rekeyRow: SpaceOpCodec<RekeyRowOp> = {
  tag: 0x05,
  name: 'rekey',
  role: 'admin',
  write(w, op) {
    writeTarget(w, op)
    w.fixed(op.newKey, TOKEN_LENGTH)
    writeTokens(w, op.tokens)
    w.bytes(op.sealed, MAX_VALUE_LENGTH)
  },
  read: (r) => ({ op: 'rekey', ...readTarget(r), newKey: r.fixed(TOKEN_LENGTH), tokens: readTokens(r), sealed: r.bytes(MAX_VALUE_LENGTH) }),
  apply(ctx, op) {
    const { table, key, old } = target(ctx, op, true)
    const now = generationByte(table.record.generation)
    requireOr(table.shape.key === 'blinded' && op.rowKey[0] !== now && op.newKey[0] === now, 'rule', 'row-key')
    const newKey = rowStateKey(op.table, op.newKey)
    requireOr(!ctx.touched(newKey), 'rule', 'repeated-key')
    requireOr(ctx.get(newKey) === undefined, 'conflict', 'present')
    checkSameValues(ctx, table, op, old)
    ctx.delete(key)
    store(ctx, table, newKey, op.newKey, op, old.plain, old)
  },
}

/** A unique token does not depend on the epoch: the same value has the same one, but for the generation's. */
function checkSameValues(ctx: SpaceContext, { shape }: TableEntry, op: ResealRowOp | RekeyRowOp, old: RowRecord): void {
  for (const { index, token } of op.tokens) {
    const before = old.tokens.find((t) => t.index === index)
    const unique = shape.indexes.some((i) => i.id === index && i.unique && i.kind === 'blind') && !ctx.newIndexes(op.table).has(index)
    if (unique && before && before.token[0] === token[0]) requireOr(equalBytes(before.token, token), 'rule', 'reseal-token')
  }
}

function put(ctx: SpaceContext, op: PutRowOp): void {
  const update = op.op === 'update'
  const { table, key, old } = target(ctx, op, update)
  const creator = old?.creator ?? ctx.author.member
  const verdict = allows(ctx.world, table.shape, op.op, old, { plain: op.plain, creator })
  if (verdict !== 'allowed') throw new Reject('policy', verdict)
  checkPlain(table.shape, op.plain)
  if (!old) checkRowKey(table, op.rowKey)
  store(ctx, table, key, op.rowKey, op, op.plain, old)
}

interface Target<Old> { readonly table: TableEntry; readonly key: Uint8Array; readonly old: Old }

/** The table and the row as they are; conflicts. */
function target(ctx: SpaceContext, op: { readonly table: number; readonly rowKey: Uint8Array }, present: true): Target<RowRecord>
function target(ctx: SpaceContext, op: { readonly table: number; readonly rowKey: Uint8Array }, present: boolean): Target<RowRecord | undefined>
function target(ctx: SpaceContext, op: { readonly table: number; readonly rowKey: Uint8Array }, present: boolean): Target<RowRecord | undefined> {
  ctx.rowsWritten = true
  const table = ctx.table(op.table)
  requireOr(table !== undefined, 'conflict', 'table')
  requireOr(isSettled(ctx, table.record), 'conflict', 'catalog-version')
  const key = rowStateKey(op.table, op.rowKey)
  requireOr(!ctx.touched(key), 'rule', 'repeated-key')
  const bytes = ctx.get(key)
  if (bytes === undefined) {
    requireOr(!present, 'conflict', 'absent')
    return { table, key, old: undefined }
  }
  requireOr(present, 'conflict', 'present')
  const old = decodeRow(bytes)
  requireOr(isSettled(ctx, old), 'conflict', 'row-version')
  return { table, key, old }
}

/** Unchanged since the author's base, but for what the author's own device did: that it knows. */
function isSettled(ctx: SpaceContext, record: { readonly version: number; readonly device: number }): boolean {
  return record.version < ctx.entry.base.size || record.device === ctx.author.device
}

function store(ctx: SpaceContext, table: TableEntry, key: Uint8Array, rowKey: Uint8Array, op: PutRowOp | ResealRowOp | RekeyRowOp, plain: readonly SqlValue[], old: RowRecord | undefined): void {
  const { shape, record } = table
  const { author, entry } = ctx
  requireOr(ctx.epochDelivered, 'rule', 'epoch-void')
  checkSealed(op.sealed, entry.epoch)
  let position = 0
  for (const index of shape.indexes) {
    if (index.kind !== 'blind') continue
    const given = op.tokens[position++]
    requireOr(given?.index === index.id && (!index.unique || given.token[0] === generationByte(record.generation)), 'rule', 'tokens')
  }
  requireOr(position === op.tokens.length, 'rule', 'tokens')
  const creator = old?.creator ?? author.member
  const row: RowRecord = { version: ctx.index, creator, member: author.member, device: author.device, epoch: entry.epoch, plain, tokens: op.tokens, sealed: op.sealed }
  const value = encodedRow(row)
  requireOr(value.length <= MAX_VALUE_LENGTH, 'rule', 'too-large')
  if (shape.indexes.length > 0) reindex(ctx, old ? heldEntries(ctx, op.table, shape, op.rowKey, old) : [], entriesOf(op.table, shape, rowKey, row))
  if (old) ctx.live(old.epoch, op.table, -1)
  ctx.live(entry.epoch, op.table, 1)
  ctx.put(key, value)
}

/** Entries that stay are left alone, unique ones too: nobody else can claim them meanwhile, since they stay claimed in the state. A rekeyed row's name another key. */
function reindex(ctx: SpaceContext, before: ReturnType<typeof entriesOf>, after: ReturnType<typeof entriesOf>): void {
  const same = (a: (typeof before)[number]) => (b: (typeof before)[number]): boolean => compareBytes(a.key, b.key) === 0 && equalBytes(a.rowKey, b.rowKey)
  for (const entry of before) if (!after.some(same(entry))) ctx.releaseIndex(entry)
  for (const entry of after) if (!before.some(same(entry))) ctx.claimIndex(entry)
}

/** What the state holds for a row as it was: nothing in an index that this entry adds. */
function heldEntries(ctx: SpaceContext, table: number, shape: PublicShape, rowKey: Uint8Array, row: RowRecord): ReturnType<typeof indexEntries> {
  const added = ctx.newIndexes(table)
  return entriesOf(table, added.size === 0 ? shape : { ...shape, indexes: shape.indexes.filter((i) => !added.has(i.id)) }, rowKey, row)
}

function entriesOf(table: number, shape: PublicShape, rowKey: Uint8Array, row: Pick<RowRecord, 'plain' | 'tokens'>): ReturnType<typeof indexEntries> {
  try {
    return indexEntries(table, shape, rowKey, row)
  } catch (error) {
    if (isSealError(error, 'key-too-long')) throw new Reject('rule', 'key-too-long')
    throw error
  }
}

/** Keys of one table are all tokens, or all closed tuples: otherwise one could begin another. */
function checkRowKey({ shape, record }: TableEntry, rowKey: Uint8Array): void {
  if (shape.key === 'blinded') {
    requireOr(rowKey.length === TOKEN_LENGTH && rowKey[0] === generationByte(record.generation), 'rule', 'row-key')
    return
  }
  try {
    requireOr(decodeTuple(rowKey).length > 0, 'rule', 'row-key')
  } catch (error) {
    if (isSealError(error)) throw new Reject('rule', 'row-key')
    throw error
  }
}

function writeTarget(w: Writer, op: { readonly table: number; readonly rowKey: Uint8Array }): void {
  w.varint(op.table).bytes(op.rowKey, MAX_ROW_KEY_LENGTH)
}

function readTarget(r: Reader): { table: number; rowKey: Uint8Array } {
  return { table: r.varint(MAX_ID), rowKey: r.bytes(MAX_ROW_KEY_LENGTH) }
}

function writePut(w: Writer, op: PutRowOp): void {
  writeTarget(w, op)
  writePlain(w, op.plain)
  writeTokens(w, op.tokens)
  w.bytes(op.sealed, MAX_VALUE_LENGTH)
}

function readPut(r: Reader, op: 'insert' | 'update'): PutRowOp {
  return { op, table: r.varint(MAX_ID), rowKey: r.bytes(MAX_ROW_KEY_LENGTH), plain: readPlain(r), tokens: readTokens(r), sealed: r.bytes(MAX_VALUE_LENGTH) }
}

function skipPut(r: Reader): void {
  r.varint(MAX_ID)
  r.skip(r.varint(MAX_ROW_KEY_LENGTH))
  readPlain(r)
  readTokens(r)
  r.skip(r.varint(MAX_VALUE_LENGTH))
}
