/**
 * From a draft to a signed record: the author's half of PROTOCOL.md §6 and §8. Randomness and time come in from outside; nothing here decides
 * anything: whether the record is any good, `apply` says.
 */
import { concatBytes, EMPTY_BYTES } from '../codec/bytes.js'
import { encodeTuplePrefix } from '../codec/tuple.js'
import { type SqlValue } from '../codec/value.js'
import { type Signer } from '../crypto/provider.js'
import { SealError } from '../errors.js'
import { MAX_OPS } from '../limits.js'
import { metaOf } from '../group/roster.js'
import { type ApplyEnv, type StateReader } from '../state/context.js'
import { generationPrefix, indexPrefix, KEY_KIND, keyId, objectKey, prefixEnd, ROW_PREFIX_LENGTH, rowPrefix, rowStateKey, TOKEN_LENGTH } from '../state/keys.js'
import { atLeast, type MemberRole } from '../state/roster.js'
import { olderGeneration } from './blinded.js'
import { decodeObject, decodeObjectOf, type ObjectRecord } from './catalog.js'
import { signEntry, type ReadClaim } from './entry.js'
import { KeyList } from './key-list.js'
import { FEW_OPS, type Ops, type OpTaker, OpWriter, tooMany } from './ops/encoded.js'
import { type Op } from './ops/index.js'
import { type PutRowOp, type ResealRowOp } from './ops/row.js'
import { PackedRows } from './packed-rows.js'
import { decodeRow, type IndexToken, type RowRecord } from './row-record.js'
import { liveEpochs } from './rows.js'
import { nonceSource, publicObject, RowSealer, type RowContent, type Secrets } from './seal-row.js'
import { type CatalogChange, type CatalogObject, type Draft, type Head, type Read, type RowImage, type TableShape } from './types.js'

/** What a draft is built on: the state it was made at (pending entries applied), and who makes it. */
export interface Workbench {
  readonly env: ApplyEnv
  readonly state: StateReader
  readonly device: number
  readonly role: MemberRole
  readonly secrets: Secrets
  readonly random: (length: number) => Uint8Array
  /** Of who writes many drafts: from `nonceSource`, and what seals rows, with `secrets`. */
  readonly nonce?: () => Uint8Array
  readonly sealer?: RowSealer
}

/** The chain that a record joins. */
export interface Authorship {
  readonly signer: Signer
  /** The verified head: what the record cosigns. */
  readonly base: Head
  readonly device: number
  readonly devicePrev: Uint8Array
  readonly epoch: number
  readonly time: number
  readonly adopted?: boolean
}

/** Canonical ops and declared reads of a draft. Throws `no-secret`, `key-too-long`, `bad-value`, `bad-argument`. */
export function buildDraft(bench: Workbench, draft: Draft): { readonly ops: readonly Op[]; readonly reads: readonly ReadClaim[]; readonly epoch: number } {
  const builder = new DraftBuilder(bench, draft)
  const ops: Op[] = []
  builder.giveOps({ copies: false, add: (op) => { ops.push(op) } })
  return { ops, reads: builder.reads(), epoch: builder.epoch }
}

/** The same, to be signed: many ops are encoded one by one as they are made. */
export function encodeDraft(bench: Workbench, draft: Draft): { readonly ops: Ops; readonly reads: readonly ReadClaim[] } {
  const count = draft.catalog.length + draft.rows.length
  if (count <= FEW_OPS) return buildDraft(bench, draft)
  const builder = new DraftBuilder(bench, draft)
  const ops = new OpWriter(count)
  builder.giveOps(ops)
  return { ops: ops.finish(), reads: builder.reads() }
}

/** The signed record. */
export function buildRecord(env: ApplyEnv, by: Authorship, ops: Ops, reads: readonly ReadClaim[] = []): Uint8Array {
  const { base, device, devicePrev, epoch, time } = by
  return signEntry({ spaceId: env.spaceId, base, device, devicePrev, epoch, time, adopted: by.adopted ?? false, reads, ops }, by.signer)
}

/** Reads that pin keys of the older generation, one by one; beyond them the whole of it is pinned. Of the reads of an entry a draft may declare the rest. */
const MAX_OLDER_READS = 1_024

export interface Table {
  readonly shape: TableShape
  readonly generation: number
  /** Undefined: created by this draft. */
  readonly record: ObjectRecord | undefined
  /** While the space is re-blinded: rows may lie under this generation, too. */
  readonly older: number | undefined
}

/** One draft's ops and reads. build-steps.ts makes others of the same parts. */
export class DraftBuilder {
  readonly epoch: number
  protected readonly bench: Workbench
  private readonly draft: Draft
  protected readonly sealer: RowSealer
  protected readonly generation: number
  private readonly tables = new Map<number, Table>()
  /** Keys of the older generation that what is written must not have under it (PROTOCOL.md §8.6), by the prefix that holds them all. */
  private readonly olderKeys = new Map<string, { readonly prefix: Uint8Array; readonly keys: Uint8Array[] }>()
  /** Rows that ops so far write, while two generations are alive. */
  private readonly written = new Set<string>()
  private readonly nonce: () => Uint8Array

  constructor(bench: Workbench, draft: Draft) {
    this.bench = bench
    this.draft = draft
    this.sealer = bench.sealer ?? new RowSealer(bench.env, bench.secrets)
    const meta = metaOf(bench.state)
    this.epoch = meta.epoch
    this.generation = meta.generation
    this.nonce = bench.nonce ?? nonceSource(bench.random)
  }

  /** Hands out the ops, once; then there are `reads`. */
  giveOps(to: OpTaker): void {
    const { catalog, rows: { length } } = this.draft
    if (catalog.length + length > MAX_OPS) throw tooMany(catalog.length + length)
    const grown: number[] = []
    for (const change of catalog) {
      if (change.kind === 'replace' && this.gainsIndex(change.object)) grown.push(change.object.id)
      to.add(this.catalogOp(change))
    }
    const noting = olderGeneration(this.bench.state, { generation: this.generation }) === undefined ? to : { copies: to.copies, add: (op: Op) => { to.add(this.noted(op)) } }
    const rows = this.packed()
    for (let from = 0, end = 0; from < rows.length; from = end) {
      const id = rows.table(from)
      while (end < rows.length && rows.table(end) === id) end++
      this.giveRowOps(id, rows, from, end, noting)
    }
    for (const table of new Set(grown)) for (const op of this.backfill(table)) noting.add(op)
    this.checkOlder()
    if (rows !== this.draft.rows) rows.giveBack()
  }

  /** The draft's changes, or the same packed. */
  private packed(): PackedRows {
    const { rows } = this.draft
    if (rows instanceof PackedRows) return rows
    const packed = new PackedRows(rows.length)
    for (const change of rows) {
      const { kind, table, key } = change
      if (kind === 'delete') packed.delete(table, key)
      else {
        const { shape } = this.table(table)
        packed.put(kind, table, key, shape.key, change.row.plain, blindValues(shape, change.row)).raw(change.row.body)
        packed.end()
      }
    }
    return packed
  }

  private noted(op: Op): Op {
    if ('rowKey' in op) this.written.add(`${op.table}/${String(op.rowKey)}`)
    return op
  }

  /** What the verdict can't see: a unique value that a row which the draft leaves alone has under the older generation. */
  private checkOlder(): void {
    if (this.olderKeys.size === 0) return
    for (const { keys } of this.olderKeys.values()) {
      for (const key of keys) {
        const holder = key[0] === KEY_KIND.index ? this.bench.state.get(key) : undefined
        if (holder === undefined || this.written.has(`${keyId(key)}/${String(holder)}`)) continue
        throw new SealError('rejected', 'The space refuses this: conflict (unique).', { kind: 'rejected', code: 'conflict', detail: 'unique' })
      }
    }
  }

  reads(): ReadClaim[] {
    const { state } = this.bench
    return [...this.draft.reads.flatMap((read) => this.prefixes(read)), ...this.olderReads()].map((prefix) => ({ prefix, root: state.subtreeRoot(prefix) }))
  }

  private olderReads(): Uint8Array[] {
    const all = [...this.olderKeys.values()]
    const few = all.reduce((sum, { keys }) => sum + keys.length, 0) <= MAX_OLDER_READS
    return all.flatMap(({ prefix, keys }) => (few ? keys : [prefix]))
  }

  private pinOlder(place: Uint8Array, generation: number, token: Uint8Array): void {
    const prefix = generationPrefix(place, generation)
    const pinned = this.olderKeys.get(String(prefix)) ?? { prefix, keys: [] }
    this.olderKeys.set(String(prefix), pinned)
    pinned.keys.push(concatBytes(place, token))
  }

  private catalogOp(change: CatalogChange): Op {
    if (change.kind === 'drop') return { op: 'drop', id: change.id }
    const { object } = change
    const before = this.bench.state.get(objectKey(object.id))
    const record = before === undefined ? undefined : decodeObject(before)
    const generation = record?.generation ?? this.tables.get(object.id)?.generation ?? this.generation
    if (object.table) this.tables.set(object.id, { shape: object.table, generation, record, older: record && olderGeneration(this.bench.state, record) })
    const sealed = this.sealObject(object)
    const older = change.name === undefined ? undefined : olderGeneration(this.bench.state, { generation: this.generation })
    if (older !== undefined && change.name !== undefined) {
      // An object of the older generation keeps its names there: the other one is where they must not be.
      const other = generation === older ? this.generation : older
      this.pinOlder(Uint8Array.of(KEY_KIND.name), other, this.sealer.nameToken(other, change.name))
    }
    if (change.kind === 'create') {
      return { op: 'create', id: object.id, object: publicObject(object), nameToken: this.sealer.nameToken(this.generation, change.name), sealed }
    }
    const nameToken = change.name === undefined ? undefined : this.sealer.nameToken(generation, change.name)
    return { op: 'replace', id: object.id, object: publicObject(object), nameToken, sealed }
  }

  /** Of changes of one table: their tokens and their seals are made by fours. */
  private giveRowOps(id: number, rows: PackedRows, from: number, end: number, to: OpTaker): void {
    const table = this.table(id)
    const { shape } = table
    const keys = this.rowKeysOf(id, table, rows, from, end)
    const tokens = shape.indexes.length === 0 ? undefined : this.tokensOf(id, table, rows, from, end)
    // In the order of their keys, the tree is read and written from one end to the other. Policies may look at what comes before.
    const guarded = shape.policies.length > 0 || (table.record?.table?.policies.length ?? 0) > 0
    const order = guarded ? keys.numbers() : keys.inOrder()
    const puts = order.filter((i) => rows.kind(from + i) !== 'delete')
    let given = 0
    const give = (i: number, sealed: Uint8Array): void => {
      const kind = rows.kind(from + i)
      const rowKey = keys.at(i)
      given++
      if (kind === 'delete') to.add({ op: 'delete', table: id, rowKey })
      else to.add({ op: kind, table: id, rowKey, plain: rows.beside(from + i).plain, tokens: tokens?.[i] ?? NONE, sealed: to.copies ? sealed : sealed.slice() })
    }
    const giveDeletes = (before: number | undefined): void => { while (given < order.length && order[given] !== before) give(order[given] as number, EMPTY_BYTES) }
    const row = (n: number): { readonly rowKey: Uint8Array; readonly content: Uint8Array } => {
      const i = puts[n] as number
      return { rowKey: keys.at(i), content: rows.content(from + i) }
    }
    this.sealer.sealRows(id, this.epoch, this.bench.device, this.nonce, puts.length, row, (n, sealed) => {
      const i = puts[n] as number
      giveDeletes(i)
      give(i, sealed)
    })
    giveDeletes(undefined)
  }

  private tokensOf(id: number, table: Table, rows: PackedRows, from: number, end: number): PutRowOp['tokens'][] {
    return Array.from({ length: end - from }, (_, i) => (rows.kind(from + i) === 'delete' ? NONE : this.tokensToPut(id, table, rows.beside(from + i))))
  }

  private rowKeysOf(id: number, table: Table, rows: PackedRows, from: number, end: number): KeyList {
    const { shape, generation, older } = table
    const keys = new KeyList(new Uint8Array(TOKEN_LENGTH * (end - from)))
    if (older !== undefined || shape.key === 'plain') {
      for (let i = from; i < end; i++) keys.add(this.rowKeyOf(id, table, rows.key(i), rows.kind(i) === 'insert'))
      return keys
    }
    for (let start = from; start < end; start += BLINDED_AT_ONCE) {
      const count = Math.min(BLINDED_AT_ONCE, end - start)
      for (const key of this.sealer.rowTokens(id, generation, count, (i) => rows.equalKey(start + i))) keys.add(key)
    }
    return keys
  }

  /** Where the row lies, or, while two generations are alive, would lie. `pin`: it must not be there under the older one either. */
  private rowKeyOf(id: number, { shape, generation, older }: Table, key: readonly SqlValue[], pin = false): Uint8Array {
    if (older !== undefined && shape.key === 'blinded') {
      const rowKey = this.sealer.rowKey(id, shape, older, key)
      if (this.bench.state.get(rowStateKey(id, rowKey)) !== undefined) return rowKey
      if (pin) this.pinOlder(rowPrefix(id), older, rowKey)
    }
    return this.sealer.rowKey(id, shape, generation, key)
  }

  private putOp(op: 'insert' | 'update', id: number, table: Table, rowKey: Uint8Array, plain: RowImage['plain'], content: RowContent): PutRowOp {
    return { op, table: id, rowKey, plain, tokens: this.tokensToPut(id, table, content), sealed: this.seal(id, rowKey, content) }
  }

  private tokensToPut(id: number, table: Table, content: Pick<RowContent, 'blind'>): PutRowOp['tokens'] {
    if (table.older !== undefined) this.pinValues(id, table, table.older, content)
    return this.tokens(id, table, content)
  }

  private pinValues(id: number, { shape }: Table, older: number, { blind }: Pick<RowContent, 'blind'>): void {
    for (const index of shape.indexes) {
      const values = index.unique && index.kind === 'blind' ? blind.find((b) => b.index === index.id)?.values : undefined
      const token = values && this.sealer.indexToken(id, index, older, this.epoch, values)
      if (token) this.pinOlder(indexPrefix(id, index.id), older, token)
    }
  }

  private tokens(id: number, { shape, generation }: Table, { blind }: Pick<RowContent, 'blind'>): PutRowOp['tokens'] {
    return this.sealer.tokens(id, shape, generation, this.epoch, blind, this.bench.random)
  }

  private seal(id: number, rowKey: Uint8Array, content: RowContent): Uint8Array {
    return this.sealer.sealRow(id, rowKey, this.epoch, this.bench.device, this.nonce(), content)
  }

  protected sealObject(object: CatalogObject): Uint8Array {
    return this.sealer.sealObject(object.id, this.epoch, this.bench.device, this.nonce(), object)
  }

  protected resealRow(id: number, table: Table, rowKey: Uint8Array, old: RowRecord): ResealRowOp | undefined {
    const content = this.openOld(id, table, rowKey, old)
    return content && this.resealOp(id, table, rowKey, old, content)
  }

  /** Unique tokens stay, those that stand for NULL too: they don't depend on the epoch. Those of the older generation go. */
  protected resealOp(id: number, table: Table, rowKey: Uint8Array, old: RowRecord, content: RowContent): ResealRowOp {
    const tokens = this.tokens(id, table, content)
    const unique = new Set(table.shape.indexes.filter((i) => i.unique && table.record?.table?.indexes.some((o) => o.id === i.id)).map((i) => i.id))
    const stays = (token: IndexToken): IndexToken | undefined =>
      unique.has(token.index) ? old.tokens.find((o) => o.index === token.index && o.token[0] === token.token[0]) : undefined
    return { op: 'reseal', table: id, rowKey, tokens: tokens.map((token) => stays(token) ?? token), sealed: this.seal(id, rowKey, content) }
  }

  protected openOld(id: number, table: Table, rowKey: Uint8Array, old: RowRecord): RowContent | undefined {
    if (table.record?.table === undefined) return undefined
    const content = this.sealer.openRow(id, table.record, table.record.table, rowKey, old)
    return typeof content === 'string' ? undefined : content
  }

  /**
   * A new index has an entry for every row, so rows that the draft leaves alone are written again: re-sealed by an admin, updated by anybody
   * else (then policies apply). Only query knows the values of a blind index: it has to update every row itself.
   */
  private backfill(id: number): Op[] {
    const table = this.table(id)
    const rows = this.packed()
    const written = new Set<string>()
    for (let i = 0; i < rows.length; i++) if (rows.table(i) === id) written.add(String(this.rowKeyOf(id, table, rows.key(i))))
    const ops: Op[] = []
    const added = table.shape.indexes.filter((index) => !table.record?.table?.indexes.some((i) => i.id === index.id))
    for (const { key, value } of this.bench.state.scan(rowPrefix(id), prefixEnd(rowPrefix(id)))) {
      const rowKey = key.slice(ROW_PREFIX_LENGTH)
      if (written.has(String(rowKey))) continue
      if (added.some((index) => index.kind === 'blind')) {
        throw new SealError('bad-argument', 'Expected a draft that adds a blind index to update every row of the table.', { table: id })
      }
      const old = decodeRow(value)
      const content = this.openOld(id, table, rowKey, old)
      if (content === undefined) throw new SealError('open-failed', 'A row that does not open stands in the way of an index; delete it first.', { table: id, version: old.version })
      const missing = table.shape.plain.length - old.plain.length
      const plain = missing > 0 ? [...old.plain, ...new Array<null>(missing).fill(null)] : old.plain
      if (atLeast(this.bench.role, 'admin')) ops.push(this.resealOp(id, table, rowKey, old, content))
      else ops.push(this.putOp('update', id, table, rowKey, plain, content))
    }
    return ops
  }

  private gainsIndex(object: CatalogObject): boolean {
    const old = this.tables.get(object.id)?.shape ?? this.recordOf(object.id)?.table
    return object.table?.indexes.some((index) => !old?.indexes.some((i) => i.id === index.id)) ?? false
  }

  protected table(id: number): Table {
    let table = this.tables.get(id)
    if (table === undefined) {
      const record = this.recordOf(id)
      if (record?.table === undefined) throw new SealError('bad-argument', 'Expected the id of a table.', { table: id })
      // Names of policies are of no use here.
      table = { shape: { ...record.table, policies: [] }, generation: record.generation, record, older: olderGeneration(this.bench.state, record) }
      this.tables.set(id, table)
    }
    return table
  }

  private recordOf(id: number): ObjectRecord | undefined {
    const bytes = this.bench.state.get(objectKey(id))
    return bytes === undefined ? undefined : decodeObjectOf(id, bytes)
  }

  private prefixes(read: Read): Uint8Array[] {
    if (read.kind === 'catalog') return [Uint8Array.of(KEY_KIND.object)]
    if (read.kind === 'table') return [rowPrefix(read.table)]
    const { shape, generation, older } = this.table(read.table)
    const generations = older === undefined ? [generation] : [generation, older]
    if (read.kind === 'row') {
      return (shape.key === 'plain' ? [generation] : generations).map((g) => rowStateKey(read.table, this.sealer.rowKey(read.table, shape, g, read.key)))
    }
    const index = shape.indexes.find((i) => i.id === read.index)
    if (index === undefined) throw new SealError('bad-argument', 'Expected the id of an index of the table.', { table: read.table, index: read.index })
    const prefix = indexPrefix(read.table, index.id)
    if (index.kind === 'plain') return [encodeTuplePrefix(read.values, prefix)]
    // A row with this value may lie under any live epoch's token, and one that comes will lie under the current one's.
    const epochs = index.unique ? [this.epoch] : [...new Set([...liveEpochs(this.bench.state, read.table, 1, this.epoch), this.epoch])]
    return (index.unique ? generations : [generation]).flatMap((g) => epochs.flatMap((epoch) => {
      const token = this.sealer.indexToken(read.table, index, g, epoch, read.values)
      return token ? [concatBytes(prefix, token)] : []
    }))
  }
}

const NONE: readonly never[] = []

/** So few that what is made of them on the way is soon gone. */
const BLINDED_AT_ONCE = 256

function blindValues(shape: TableShape, row: RowImage): RowContent['blind'] {
  if (shape.indexes.length === 0 && row.blind.length === 0) return NONE
  const blind = shape.indexes.filter((index) => index.kind === 'blind')
  if (blind.length !== row.blind.length) {
    throw new SealError('bad-argument', 'Expected the values of each blind index.', { expected: blind.length, found: row.blind.length })
  }
  return blind.map((index, i) => ({ index: index.id, values: row.blind[i] ?? [] }))
}
