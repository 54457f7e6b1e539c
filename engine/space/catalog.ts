/**
 * The public part of the catalog (PROTOCOL.md §8): what every verifier keeps of a table, index, view or trigger, and which changes of a
 * table's shape keep its rows meaningful. Names, column names and DDL text are sealed; opening them is rows.ts' and view.ts' matter.
 */
import { equalBytes } from '../codec/bytes.js'
import { decodeCanonical, encodeCanonical, Reader, type Writer } from '../codec/canonical.js'
import { type SqlValue } from '../codec/value.js'
import { MAX_INDEXES, MAX_PLAIN_COLUMNS, MAX_POLICIES } from '../limits.js'
import { Reject, requireOr, type StateReader } from '../state/context.js'
import { KEY_KIND, keyId, MAX_ID, MAX_INDEX_ID, TOKEN_LENGTH } from '../state/keys.js'
import { type PublicShape } from './policy.js'
import { readPolicy, writePolicy } from './policy-codec.js'
import { type CatalogObject, type IndexShape, type PlainColumn, type PlainType, type PolicyExpression } from './types.js'

const KINDS: readonly CatalogObject['kind'][] = ['table', 'view', 'trigger', 'index', 'other']
const TYPES: readonly PlainType[] = ['integer', 'real', 'text', 'blob', 'any']

/** What an op says of an object; what the state adds lies in `ObjectRecord`. */
export interface PublicObject {
  readonly kind: CatalogObject['kind']
  readonly parent: number | undefined
  readonly table: PublicShape | undefined
}

export interface ObjectRecord extends PublicObject {
  /** Index of the entry that last changed it, and the device that wrote that. */
  readonly version: number
  readonly device: number
  /** Member that created it. */
  readonly creator: number
  /** Generation of the blinding secret that its name token and, for a table, its row keys and unique tokens use. */
  readonly generation: number
  readonly nameToken: Uint8Array
  readonly epoch: number
  readonly sealed: Uint8Array
}

export function encodeObject(object: ObjectRecord): Uint8Array {
  return encodeCanonical(object, (w, o) => {
    w.varint(o.version).varint(o.device).varint(o.creator).varint(o.generation).varint(o.epoch).fixed(o.nameToken, TOKEN_LENGTH)
    writePublicObject(w, o)
    w.bytes(o.sealed)
  })
}

/** Of each id the record decoded last: every entry asks for its tables, and they seldom change. */
const decoded = new Map<number, { readonly bytes: Uint8Array; readonly record: ObjectRecord }>()
const MAX_DECODED = 256

/** As `decodeObject`, for what is asked for often. */
export function decodeObjectOf(id: number, bytes: Uint8Array): ObjectRecord {
  const known = decoded.get(id)
  if (known !== undefined && equalBytes(known.bytes, bytes)) return known.record
  const record = decodeObject(bytes)
  if (decoded.size >= MAX_DECODED) decoded.clear()
  decoded.set(id, { bytes: bytes.slice(), record })
  return record
}

export function decodeObject(bytes: Uint8Array): ObjectRecord {
  return decodeCanonical(bytes, (r) => {
    const version = r.varint()
    const device = r.varint(MAX_ID)
    const creator = r.varint(MAX_ID)
    const generation = r.varint(MAX_ID)
    const epoch = r.varint(MAX_ID)
    const nameToken = r.fixed(TOKEN_LENGTH).slice()
    return { version, device, creator, generation, epoch, nameToken, ...readPublicObject(r), sealed: r.copyBytes(bytes.length) }
  })
}

/** Every object as it lies in a state, by id: for `decodeObject`, or `parentOf`. */
export function* storedObjects(state: Pick<StateReader, 'scan'>): IterableIterator<{ readonly id: number; readonly key: Uint8Array; readonly value: Uint8Array }> {
  for (const { key, value } of state.scan(Uint8Array.of(KEY_KIND.object), Uint8Array.of(KEY_KIND.object + 1))) yield { id: keyId(key), key, value }
}

/** Only the parent: a drop asks every object, whatever is sealed in it. */
export function parentOf(bytes: Uint8Array): number | undefined {
  const r = new Reader(bytes)
  for (let i = 0; i < 5; i++) r.varint()
  r.fixed(TOKEN_LENGTH)
  r.u8()
  return r.optional((x) => x.varint(MAX_ID))
}

export function writePublicObject(w: Writer, object: PublicObject): void {
  w.u8(KINDS.indexOf(object.kind))
  w.optional(object.parent, (x, parent) => x.varint(parent))
  w.optional(object.table, writeShape)
}

export function readPublicObject(r: Reader): PublicObject {
  const kind = KINDS[r.u8()]
  if (kind === undefined) throw r.bad('Expected a kind of catalog object')
  return { kind, parent: r.optional((x) => x.varint(MAX_ID)), table: r.optional(readShape) }
}

function writeShape(w: Writer, shape: PublicShape): void {
  w.bool(shape.key === 'blinded')
  w.list(shape.plain, MAX_PLAIN_COLUMNS, (x, c: PlainColumn) => x.varint(c.id).u8(TYPES.indexOf(c.type)).bool(c.notNull))
  w.list(shape.indexes, MAX_INDEXES, (x, i: IndexShape) => {
    x.varint(i.id).bool(i.kind === 'plain').bool(i.unique)
    x.list(i.columns, MAX_INDEXES, (y, c) => y.varint(c))
  })
  w.list(shape.policies, MAX_POLICIES, writePolicy)
}

function readShape(r: Reader): PublicShape {
  const key = r.bool() ? 'blinded' : 'plain'
  const plain = r.list(MAX_PLAIN_COLUMNS, (x): PlainColumn => {
    const id = x.varint(MAX_ID)
    const type = TYPES[x.u8()]
    if (type === undefined) throw x.bad('Expected the type of a plaintext column')
    return { id, type, notNull: x.bool() }
  })
  const indexes = r.list(MAX_INDEXES, (x): IndexShape => ({
    id: x.varint(MAX_INDEX_ID),
    kind: x.bool() ? 'plain' : 'blind',
    unique: x.bool(),
    columns: x.list(MAX_INDEXES, (y) => y.varint(MAX_ID)),
  }))
  return { key, plain, indexes, policies: r.list(MAX_POLICIES, readPolicy) }
}

/** Refuse a shape that contradicts itself: rule(shape) or rule(policy-shape). */
export function checkObject(object: PublicObject): void {
  requireOr((object.kind === 'table') === (object.table !== undefined), 'rule', 'shape')
  if (object.kind === 'table') requireOr(object.parent === undefined, 'rule', 'shape')
  const shape = object.table
  if (shape === undefined) return
  requireOr(ascending(shape.plain.map((c) => c.id)), 'rule', 'shape')
  requireOr(new Set(shape.indexes.map((i) => i.id)).size === shape.indexes.length, 'rule', 'shape')
  const plainIds = new Set(shape.plain.map((c) => c.id))
  for (const index of shape.indexes) {
    requireOr(index.columns.length > 0, 'rule', 'shape')
    if (index.kind === 'plain') for (const id of index.columns) requireOr(plainIds.has(id), 'rule', 'shape')
  }
  for (const policy of shape.policies) for (const e of [policy.using, policy.check]) if (e) checkExpression(e, plainIds, false)
}

/** Own columns must be plaintext ones of this table; EXISTS does not nest, and only inside it is there another row. */
function checkExpression(e: PolicyExpression, plain: ReadonlySet<number>, inside: boolean): void {
  switch (e.kind) {
    case 'column':
      requireOr(e.of === 'other' ? inside : plain.has(e.column), 'rule', 'policy-shape')
      return
    case 'constant': case 'creator': case 'member': case 'role':
      return
    case 'not': case 'is-null': case 'not-null':
      checkExpression(e.value, plain, inside)
      return
    case 'in':
      checkExpression(e.value, plain, inside)
      for (const item of e.list) checkExpression(item, plain, inside)
      return
    case 'exists':
      requireOr(!inside, 'rule', 'policy-shape')
      for (const item of e.prefix) checkExpression(item, plain, false)
      if (e.where) checkExpression(e.where, plain, true)
      return
    default:
      checkExpression(e.left, plain, inside)
      checkExpression(e.right, plain, inside)
  }
}

/**
 * Refuse a replacement that would give old rows another meaning. The key stays; plaintext columns stay where they are (NOT NULL may be
 * dropped) and new ones come after them; an index is what it was, or gone, or new under an id of its own.
 */
export function checkReplacement(old: PublicObject, next: PublicObject): void {
  requireOr(old.kind === next.kind && old.parent === next.parent, 'rule', 'kind-changed')
  if (!old.table || !next.table) return
  requireOr(old.table.key === next.table.key, 'rule', 'key-changed')
  for (const [position, column] of old.table.plain.entries()) {
    const now = next.table.plain[position]
    requireOr(now?.id === column.id && now.type === column.type && (column.notNull || !now.notNull), 'rule', 'column-changed')
  }
  for (const index of old.table.indexes) {
    const now = next.table.indexes.find((i) => i.id === index.id)
    if (now) requireOr(sameIndex(index, now), 'rule', 'index-changed')
  }
}

/** Refuse values that are not what the table's plaintext columns hold. */
export function checkPlain(shape: PublicShape, plain: readonly SqlValue[]): void {
  requireOr(plain.length === shape.plain.length, 'rule', 'plain-count')
  for (let i = 0; i < plain.length; i++) {
    const value = plain[i] as SqlValue
    const column = shape.plain[i] as PlainColumn
    if (value === null) {
      if (column.notNull) throw new Reject('rule', 'not-null')
    } else if (column.type !== 'any' && typeOf(value) !== column.type) throw new Reject('rule', 'plain-type')
  }
}

function typeOf(value: Exclude<SqlValue, null>): PlainType {
  if (typeof value === 'bigint') return 'integer'
  if (typeof value === 'number') return 'real'
  return typeof value === 'string' ? 'text' : 'blob'
}

function sameIndex(a: IndexShape, b: IndexShape): boolean {
  return a.kind === b.kind && a.unique === b.unique && a.columns.length === b.columns.length && a.columns.every((c, i) => c === b.columns[i])
}

function ascending(ids: readonly number[]): boolean {
  return ids.every((id, i) => i === 0 || id > (ids[i - 1] as number))
}
