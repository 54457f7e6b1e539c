/**
 * Rows and catalog objects, sealed and opened (PROTOCOL.md §8), and the tokens that stand for their keys. The only file of the state machine's
 * floor that touches secrets.
 *
 * What is sealed of a row carries, beside query's body, the values behind its tokens: so whoever opens it can tell a token that lies (the
 * row would hide from searches), and a new epoch or blinding generation needs nobody else's help.
 */
import { EMPTY_BYTES, equalBytes } from '../codec/bytes.js'
import { decodeCanonical, Reader, Writer } from '../codec/canonical.js'
import { encodeTuple } from '../codec/tuple.js'
import { readValue, writeValue, type SqlValue } from '../codec/value.js'
import { encodeSealContext, NONCE_LENGTH, openValue, sealValue } from '../crypto/aead.js'
import { openValues, sealValues, blindTokens } from '../crypto/aead-batch.js'
import { blindToken, deriveBlindKey } from '../crypto/blind.js'
import { labelPrefix, LABELS } from '../crypto/labels.js'
import { isSealError } from '../errors.js'
import { MAX_INDEXES, MAX_POLICIES, MAX_VALUE_LENGTH } from '../limits.js'
import { type ApplyEnv } from '../state/context.js'
import { generationByte, MAX_INDEX_ID, objectKey, ROW_PREFIX_LENGTH, rowPrefix, rowStateKey, TOKEN_LENGTH } from '../state/keys.js'
import { generationOf } from './blinded.js'
import { OpenedRow } from './opened-row.js'
import { type ObjectRecord, type PublicObject } from './catalog.js'
import { type IndexToken, type RowRecord } from './row-record.js'
import { type CatalogObject, type IndexShape, type RowView, type TableShape, type UnopenedRow } from './types.js'

/** What of a keyring is needed here; `Keyring` has it. Each throws `no-secret`. */
export interface Secrets {
  tableKey(epoch: number, table: number): Uint8Array
  dataSecret(epoch: number): Uint8Array
  blinding(generation: number): Uint8Array
  derived(name: string, derive: () => Uint8Array): Uint8Array
}

/** Key values of a blinded table are limited by their number only: SQLite's limit on the columns of an index. */
export const MAX_KEY_VALUES = 64
/** Owner of what belongs to no table: keys of names and catalog objects. */
const NO_TABLE = 0

/** The values that a row's tokens stand for, and query's body. */
export interface RowContent {
  /** Of a blinded key; empty if the key is plain. */
  readonly key: readonly SqlValue[]
  /** For each blind index, in the table's order. */
  readonly blind: readonly { readonly index: number; readonly values: readonly SqlValue[] }[]
  readonly body: Uint8Array
}

/** A row as the state has it. `stateKey` is the whole key. */
export interface StoredRow { readonly stateKey: Uint8Array; readonly row: RowRecord }

/** Makes tokens and sealed values. */
export class RowSealer {
  private readonly env: ApplyEnv
  private readonly secrets: Secrets
  /** The AAD of the last row, to be used again with another key. */
  private frame: { readonly table: number; readonly epoch: number; readonly device: number; readonly keyLength: number; readonly keyAt: number; readonly aad: Uint8Array } | undefined

  /** Under which the secret of the last row key was asked for: a text takes longer to make than to find. */
  private rowName: { readonly table: number; readonly generation: number; readonly name: string } | undefined

  constructor(env: ApplyEnv, secrets: Secrets) {
    this.env = env
    this.secrets = secrets
  }

  /** The row part of a state key. Throws `key-too-long`, `no-secret`. */
  rowKey(table: number, shape: Pick<TableShape, 'key'>, generation: number, key: readonly SqlValue[]): Uint8Array {
    if (shape.key === 'plain') return encodeTuple(key, rowPrefix(table)).subarray(ROW_PREFIX_LENGTH)
    return ofGeneration(generation, blindToken(this.env.crypto, this.rowSecret(table, generation), encodeEqual(key)))
  }

  /** `rowKey` of many that are blinded; `equal(i)` is `encodeEqual` of a key. */
  rowTokens(table: number, generation: number, count: number, equal: (i: number) => Uint8Array): Uint8Array[] {
    const tokens = blindTokens(this.env.crypto, this.rowSecret(table, generation), count, equal)
    for (const token of tokens) ofGeneration(generation, token)
    return tokens
  }

  private rowSecret(table: number, generation: number): Uint8Array {
    if (this.rowName?.table !== table || this.rowName.generation !== generation) this.rowName = { table, generation, name: `row/${table}/${generation}` }
    return this.secrets.derived(this.rowName.name, () => deriveBlindKey(this.env.crypto, this.secrets.blinding(generation), this.env.spaceId, { kind: 'row', table }))
  }

  nameToken(generation: number, name: string): Uint8Array {
    const secret = this.secrets.derived(`name/${generation}`, () => deriveBlindKey(this.env.crypto, this.secrets.blinding(generation), this.env.spaceId, { kind: 'name' }))
    return ofGeneration(generation, blindToken(this.env.crypto, secret, encodeEqual([name])))
  }

  /**
   * The token of an index value, none if there is a NULL in it (which equals nothing). A unique index is keyed by the blinding secret alone, since
   * its tokens must be comparable across epochs; any other by the data secret of the epoch, so that who was removed can't test guesses.
   */
  indexToken(table: number, index: IndexShape, generation: number, epoch: number, values: readonly SqlValue[]): Uint8Array | undefined {
    if (values.includes(null)) return undefined
    const name = index.unique ? `unique/${table}/${index.id}/${generation}` : `index/${table}/${index.id}/${epoch}`
    const secret = this.secrets.derived(name, () => {
      const base = index.unique ? this.secrets.blinding(generation) : this.secrets.dataSecret(epoch)
      return deriveBlindKey(this.env.crypto, base, this.env.spaceId, { kind: 'index', table, index: index.id, epoch: index.unique ? 0 : epoch })
    })
    const token = blindToken(this.env.crypto, secret, encodeEqual(values))
    return index.unique ? ofGeneration(generation, token) : token
  }

  /** Tokens of a row for the table's blind indexes. A value with a NULL gets a random one: outsiders don't see which are NULL. */
  tokens(table: number, shape: TableShapeLike, generation: number, epoch: number, blind: RowContent['blind'], random: (length: number) => Uint8Array): IndexToken[] {
    const tokens: IndexToken[] = []
    for (const index of shape.indexes) {
      if (index.kind !== 'blind') continue
      const found = blind.find((b) => b.index === index.id)
      const token = found && this.indexToken(table, index, generation, epoch, found.values)
      tokens.push({ index: index.id, token: token ?? (index.unique ? ofGeneration(generation, random(TOKEN_LENGTH)) : random(TOKEN_LENGTH)) })
    }
    return tokens
  }

  /** `nonce`: 24 random bytes. */
  sealRow(table: number, rowKey: Uint8Array, epoch: number, device: number, nonce: Uint8Array, content: RowContent): Uint8Array {
    const aad = this.contextOfRow(table, rowKey, epoch, device)
    return sealValue(this.env.crypto, this.secrets.tableKey(epoch, table), epoch, nonce, aad, encodeContent(content))
  }

  /** `sealRow` of many, whose content is encoded already; `take` as for `sealValues`. */
  sealRows(
    table: number, epoch: number, device: number, nonce: () => Uint8Array, count: number,
    row: (i: number) => { readonly rowKey: Uint8Array; readonly content: Uint8Array }, take: (i: number, sealed: Uint8Array) => void,
  ): void {
    sealValues(this.env.crypto, this.secrets.tableKey(epoch, table), epoch, count, (i) => {
      const { rowKey, content } = row(i)
      return { nonce: nonce(), aad: this.contextOfRow(table, rowKey, epoch, device), plaintext: content }
    }, take)
  }

  /** What is inside, if it opens and its tokens are those of its values; else why not. */
  openRow(table: number, record: Pick<ObjectRecord, 'generation'>, shape: TableShapeLike, rowKey: Uint8Array, row: RowRecord): RowContent | string {
    return this.openRowAt(table, record, shape, rowStateKey(table, rowKey), row)
  }

  /** The same, by the whole state key. */
  openRowAt(table: number, record: Pick<ObjectRecord, 'generation'>, shape: TableShapeLike, stateKey: Uint8Array, row: RowRecord): RowContent | string {
    const content = orCode(() => {
      const aad = this.rowContext(table, stateKey, row.epoch, row.device)
      return decodeContent(openValue(this.env.crypto, this.secrets.tableKey(row.epoch, table), row.epoch, aad, row.sealed))
    })
    if (typeof content === 'string') return content
    if (shape.key === 'blinded') {
      const generation = generationOf(record.generation, stateKey, ROW_PREFIX_LENGTH)
      if (generation === undefined || !endsWith(stateKey, this.rowKey(table, shape, generation, content.key))) return 'key-token'
    }
    return this.hasOtherToken(table, record, shape, row, content) ? 'index-token' : content
  }

  /** `openRowAt` of many. */
  openRowsAt(table: number, record: Pick<ObjectRecord, 'generation'>, shape: TableShapeLike, rows: readonly StoredRow[]): (RowContent | string)[] {
    const contents: (RowContent | string)[] = []
    const generationAt = (i: number): number | undefined => (shape.key === 'blinded' ? generationOf(record.generation, (rows[i] as StoredRow).stateKey, ROW_PREFIX_LENGTH) : undefined)
    for (let from = 0, end = 0; from < rows.length; from = end) {
      const { epoch } = (rows[from] as StoredRow).row
      const generation = generationAt(from)
      while (rows[end]?.row.epoch === epoch && generationAt(end) === generation) end++
      const run = end - from === rows.length ? rows : rows.slice(from, end)
      for (const content of this.openRun(table, record, shape, run, epoch, generation)) contents.push(content)
    }
    return contents
  }

  /** Rows of one epoch, whose keys are of one generation: of none that could be if it is undefined and the table is blinded. */
  private openRun(
    table: number, record: Pick<ObjectRecord, 'generation'>, shape: TableShapeLike, rows: readonly StoredRow[], epoch: number, generation: number | undefined,
  ): (RowContent | string)[] {
    const opened = orCode(() => openValues(this.env.crypto, this.secrets.tableKey(epoch, table), epoch, rows.length, (i) => {
      const { stateKey, row } = rows[i] as StoredRow
      return { aad: this.rowContext(table, stateKey, epoch, row.device), sealed: row.sealed }
    }))
    if (typeof opened === 'string') return rows.map(() => opened)
    const contents = opened.map((plaintext) => (plaintext instanceof Uint8Array ? orCode(() => decodeContent(plaintext)) : plaintext.code))
    const keys: (readonly SqlValue[])[] = []
    for (const content of contents) if (typeof content !== 'string') keys.push(content.key)
    const tokens = generation === undefined ? [] : this.rowTokens(table, generation, keys.length, (i) => encodeEqual(keys[i] as readonly SqlValue[]))
    let at = 0
    return contents.map((content, i) => {
      if (typeof content === 'string') return content
      const { stateKey, row } = rows[i] as StoredRow
      const token = tokens[at++]
      if (shape.key === 'blinded' && (token === undefined || !endsWith(stateKey, token))) return 'key-token'
      return this.hasOtherToken(table, record, shape, row, content) ? 'index-token' : content
    })
  }

  private hasOtherToken(table: number, record: Pick<ObjectRecord, 'generation'>, shape: TableShapeLike, row: RowRecord, content: RowContent): boolean {
    for (const { index, token } of row.tokens) {
      const now = shape.indexes.find((i) => i.id === index && i.kind === 'blind')
      if (now === undefined) continue // an index that is gone
      const values = content.blind.find((b) => b.index === index)?.values
      if (values === undefined) return true
      const expected = this.indexToken(table, now, generationOf(record.generation, token) ?? record.generation, row.epoch, values)
      if (expected !== undefined && !equalBytes(expected, token)) return true
    }
    return false
  }

  sealObject(id: number, epoch: number, device: number, nonce: Uint8Array, object: Pick<CatalogObject, 'sealed' | 'table'>): Uint8Array {
    const w = new Writer().list(object.table?.policies ?? [], MAX_POLICIES, (x, policy) => x.bytes(policy.name)).bytes(object.sealed)
    return sealValue(this.env.crypto, this.secrets.tableKey(epoch, NO_TABLE), epoch, nonce, this.objectContext(id, epoch, device), w.finish())
  }

  /** The whole object, or why it doesn't open. */
  openObject(id: number, record: ObjectRecord): CatalogObject | string {
    try {
      const aad = this.objectContext(id, record.epoch, record.device)
      const plaintext = openValue(this.env.crypto, this.secrets.tableKey(record.epoch, NO_TABLE), record.epoch, aad, record.sealed)
      const inner = decodeObjectContent(plaintext)
      const { table, kind, parent } = record
      if (inner.names.length !== (table?.policies.length ?? 0)) return 'policy-names'
      const shape = table && { ...table, policies: table.policies.map((policy, i) => ({ ...policy, name: inner.names[i] ?? EMPTY_BYTES })) }
      return { id, kind, sealed: inner.sealed, ...(parent !== undefined && { parent }), ...(shape && { table: shape }) }
    } catch (error) {
      if (isSealError(error) && (error.family === 'hostile' || error.code === 'no-secret')) return error.code
      throw error
    }
  }

  /** `encodeSealContext` of a row. Rows of one table, epoch and device differ in the key alone, and this is done for each. Valid until the next call. */
  private rowContext(table: number, key: Uint8Array, epoch: number, device: number): Uint8Array {
    let frame = this.frame
    if (frame?.table !== table || frame.epoch !== epoch || frame.device !== device || frame.keyLength !== key.length) {
      const aad = encodeSealContext({ label: LABELS.sealedRow, space: this.env.spaceId, table, key, epoch, device, columns: [] })
      const keyAt = labelPrefix(LABELS.sealedRow).length + 32 + new Writer().varint(table).varint(key.length).length
      this.frame = frame = { table, epoch, device, keyLength: key.length, keyAt, aad }
    } else frame.aad.set(key, frame.keyAt)
    return frame.aad
  }

  /** The same, by the row's part of the state key alone: the rest of it is its table's. */
  private contextOfRow(table: number, rowKey: Uint8Array, epoch: number, device: number): Uint8Array {
    const { frame } = this
    if (frame?.table !== table || frame.epoch !== epoch || frame.device !== device || frame.keyLength !== ROW_PREFIX_LENGTH + rowKey.length) {
      return this.rowContext(table, rowStateKey(table, rowKey), epoch, device)
    }
    frame.aad.set(rowKey, frame.keyAt + ROW_PREFIX_LENGTH)
    return frame.aad
  }

  private objectContext(id: number, epoch: number, device: number): Uint8Array {
    return encodeSealContext({ label: LABELS.sealedCatalog, space: this.env.spaceId, table: NO_TABLE, key: objectKey(id), epoch, device, columns: [] })
  }

}

/** The AAD of a row (`key` is its whole state key), and of a catalog object. */
export function rowSealContext(space: Uint8Array, table: number, key: Uint8Array, epoch: number, device: number): Uint8Array {
  return encodeSealContext({ label: LABELS.sealedRow, space, table, key, epoch, device, columns: [] })
}
export function objectSealContext(space: Uint8Array, id: number, epoch: number, device: number): Uint8Array {
  return encodeSealContext({ label: LABELS.sealedCatalog, space, table: NO_TABLE, key: objectKey(id), epoch, device, columns: [] })
}

type TableShapeLike = Pick<TableShape, 'key' | 'indexes'>

/**
 * A stored row, opened: what reads give out. `stateKey` is the whole key, the caller's own: the row's key is a view of it. `taken`: whether an older row
 * has the key of one that opens.
 */
export function viewRow(sealer: RowSealer, table: number, record: ObjectRecord, stateKey: Uint8Array, row: RowRecord, taken?: (key: readonly SqlValue[]) => boolean): RowView | UnopenedRow {
  const content = record.table === undefined ? 'no-table' : sealer.openRowAt(table, record, record.table, stateKey, row)
  return viewOf(table, record.table, { stateKey, row }, content, taken)
}

/** Rows of one table that no older one can have the keys of. */
export function viewRows(sealer: RowSealer, table: number, record: ObjectRecord, rows: readonly StoredRow[]): (RowView | UnopenedRow)[] {
  const contents = record.table && sealer.openRowsAt(table, record, record.table, rows)
  return rows.map((row, i) => viewOf(table, record.table, row, contents?.[i] ?? 'no-table'))
}

function viewOf(table: number, shape: ObjectRecord['table'], { stateKey, row }: StoredRow, content: RowContent | string, taken?: (key: readonly SqlValue[]) => boolean): RowView | UnopenedRow {
  const reason = typeof content === 'string' ? content : taken?.(content.key) === true ? 'key-taken' : undefined
  if (reason !== undefined) return { table, rowKey: stateKey.subarray(ROW_PREFIX_LENGTH), author: row.member, device: row.device, version: row.version, reason }
  // Columns added since the row was written are NULL in it.
  const missing = (shape?.plain.length ?? 0) - row.plain.length
  const plain = missing > 0 ? [...row.plain, ...new Array<null>(missing).fill(null)] : row.plain
  return new OpenedRow(table, stateKey, row, content as RowContent, plain)
}

/** The public part of an object as query hands it over. */
export function publicObject(object: CatalogObject): PublicObject {
  const { kind, parent, table } = object
  if (table === undefined) return { kind, parent, table: undefined }
  const policies = table.policies.map(({ command, roles, using, check }) => ({ command, roles, ...(using && { using }), ...(check && { check }) }))
  return { kind, parent, table: { ...table, policies } }
}

/** A fresh token, marked with the generation of the secret that made it. */
function ofGeneration(generation: number, token: Uint8Array): Uint8Array {
  token[0] = generationByte(generation)
  return token
}

/** Equal for values that SQLite calls equal (1 = 1.0), of any length: what tokens are made of. Valid until the next call. */
export function encodeEqual(values: readonly SqlValue[]): Uint8Array {
  const w = equalScratch.reset()
  for (const value of values) writeValue(w, integral(value) ? BigInt(value) : value)
  return w.view()
}
const equalScratch = new Writer(1_024)

const TWO_63 = 2 ** 63
function integral(value: SqlValue): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= -TWO_63 && value < TWO_63
}

/** The code of what went wrong, where somebody else may have caused it or a secret is missing. */
function orCode<T>(open: () => T): T | string {
  try {
    return open()
  } catch (error) {
    if (isSealError(error) && (error.family === 'hostile' || error.code === 'no-secret')) return error.code
    throw error
  }
}

/** The row's part of a state key. */
function endsWith(stateKey: Uint8Array, rowKey: Uint8Array): boolean {
  if (stateKey.length !== ROW_PREFIX_LENGTH + rowKey.length) return false
  for (let i = 0; i < rowKey.length; i++) if (stateKey[ROW_PREFIX_LENGTH + i] !== rowKey[i]) return false
  return true
}

const scratch = new Writer(1_024)

/** Valid until the next call. */
function encodeContent(content: RowContent): Uint8Array {
  const w = scratch.reset()
  w.list(content.key, MAX_KEY_VALUES, (x, value) => writeValue(x, value))
  return writeBlind(w, content.blind).raw(content.body).view()
}

export function writeBlind(w: Writer, blind: RowContent['blind']): Writer {
  return w.list(blind, MAX_INDEXES, (x, b) => {
    x.varint(b.index).list(b.values, MAX_INDEXES, (y, value) => writeValue(y, value))
  })
}

/** What is sealed of a catalog object. */
export function decodeObjectContent(bytes: Uint8Array): { readonly names: readonly Uint8Array[]; readonly sealed: Uint8Array } {
  return decodeCanonical(bytes, (r) => ({ names: r.list(MAX_POLICIES, (x) => x.copyBytes(MAX_VALUE_LENGTH)), sealed: r.copyBytes(MAX_VALUE_LENGTH) }))
}

export function decodeContent(bytes: Uint8Array): RowContent {
  const r = new Reader(bytes)
  const key = r.list(MAX_KEY_VALUES, (x) => readValue(x))
  const blind = r.list(MAX_INDEXES, (x) => ({ index: x.varint(MAX_INDEX_ID), values: x.list(MAX_INDEXES, (y) => readValue(y)) }), 2)
  return { key, blind, body: r.fixed(r.remaining) }
}

/** Nonces, a batch of them out of one call for randomness. */
export function nonceSource(random: (length: number) => Uint8Array): () => Uint8Array {
  const batch = 64
  let bytes: Uint8Array = EMPTY_BYTES
  let next = 0
  return () => {
    if (next === bytes.length) {
      bytes = random(NONCE_LENGTH * batch)
      next = 0
    }
    return bytes.subarray(next, (next += NONCE_LENGTH))
  }
}
