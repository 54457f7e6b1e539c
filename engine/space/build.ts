/**
 * From a draft to a signed record: the author's half of PROTOCOL.md §6 and §8. Randomness and time come in from outside; nothing here decides
 * anything: whether the record is any good, `apply` says.
 */
import { concatBytes } from '../codec/bytes.js'
import { encodeTuplePrefix } from '../codec/tuple.js'
import { type Signer } from '../crypto/provider.js'
import { SealError } from '../errors.js'
import { metaOf } from '../group/roster.js'
import { type ApplyEnv, type StateReader } from '../state/context.js'
import { indexPrefix, KEY_KIND, keyId, objectKey, prefixEnd, ROW_PREFIX_LENGTH, rowPrefix, rowStateKey } from '../state/keys.js'
import { atLeast, type MemberRole } from '../state/roster.js'
import { decodeObject, decodeObjectOf, type ObjectRecord } from './catalog.js'
import { signEntry, type ReadClaim } from './entry.js'
import { type Op } from './ops/index.js'
import { type PutRowOp, type ResealRowOp } from './ops/row.js'
import { decodeRow, type RowRecord } from './row-record.js'
import { liveEpochs } from './rows.js'
import { nonceSource, publicObject, RowSealer, type RowContent, type Secrets } from './seal-row.js'
import { type CatalogChange, type CatalogObject, type Draft, type Head, type Read, type RowChange, type RowImage, type TableShape } from './types.js'

/** What a draft is built on: the state it was made at (pending entries applied), and who makes it. */
export interface Workbench {
  readonly env: ApplyEnv
  readonly state: StateReader
  readonly device: number
  readonly role: MemberRole
  readonly secrets: Secrets
  readonly random: (length: number) => Uint8Array
  /** From `nonceSource`, of who writes many drafts. */
  readonly nonce?: () => Uint8Array
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
  return { ops: builder.ops(), reads: builder.reads(), epoch: builder.epoch }
}

/** The signed record. */
export function buildRecord(env: ApplyEnv, by: Authorship, ops: readonly Op[], reads: readonly ReadClaim[] = []): Uint8Array {
  const { base, device, devicePrev, epoch, time } = by
  return signEntry({ spaceId: env.spaceId, base, device, devicePrev, epoch, time, adopted: by.adopted ?? false, reads, ops }, by.signer)
}

/**
 * Ops that give everything sealed before `cut` the current epoch, at most `limit` of them; none left: `forget(cut)` will not be refused for
 * rows or catalog. What doesn't open can't be re-sealed: it is named in `stuck` and has to be deleted.
 */
export function buildReseal(bench: Workbench, cut: number, limit: number): { readonly ops: readonly Op[]; readonly stuck: readonly Uint8Array[] } {
  return new DraftBuilder(bench, { catalog: [], rows: [], reads: [] }).reseal(cut, limit)
}

interface Table {
  readonly shape: TableShape
  readonly generation: number
  /** Undefined: created by this draft. */
  readonly record: ObjectRecord | undefined
}

class DraftBuilder {
  readonly epoch: number
  private readonly bench: Workbench
  private readonly draft: Draft
  private readonly sealer: RowSealer
  private readonly generation: number
  private readonly tables = new Map<number, Table>()
  private readonly nonce: () => Uint8Array

  constructor(bench: Workbench, draft: Draft) {
    this.bench = bench
    this.draft = draft
    this.sealer = new RowSealer(bench.env, bench.secrets)
    const meta = metaOf(bench.state)
    this.epoch = meta.epoch
    this.generation = meta.generation
    this.nonce = bench.nonce ?? nonceSource(bench.random)
  }

  ops(): Op[] {
    const ops: Op[] = []
    const grown: number[] = []
    for (const change of this.draft.catalog) {
      if (change.kind === 'replace' && this.gainsIndex(change.object)) grown.push(change.object.id)
      ops.push(this.catalogOp(change))
    }
    for (const change of this.draft.rows) ops.push(this.rowOp(change))
    for (const table of new Set(grown)) ops.push(...this.backfill(table))
    return ops
  }

  reads(): ReadClaim[] {
    const { state } = this.bench
    return this.draft.reads.flatMap((read) => this.prefixes(read)).map((prefix) => ({ prefix, root: state.subtreeRoot(prefix) }))
  }

  reseal(cut: number, limit: number): { ops: Op[]; stuck: Uint8Array[] } {
    const { state } = this.bench
    const ops: Op[] = []
    const stuck: Uint8Array[] = []
    for (const { key, value } of state.scan(Uint8Array.of(KEY_KIND.object), Uint8Array.of(KEY_KIND.object + 1))) {
      const record = decodeObject(value)
      if (ops.length >= limit) break
      if (record.epoch >= cut) continue
      const object = this.sealer.openObject(keyId(key), record)
      if (typeof object === 'string') stuck.push(key)
      else ops.push({ op: 'reseal-object', id: object.id, sealed: this.sealObject(object) })
    }
    for (const { key, value } of state.scan(Uint8Array.of(KEY_KIND.object), Uint8Array.of(KEY_KIND.object + 1))) {
      const record = decodeObject(value)
      const id = keyId(key)
      if (!record.table || ops.length >= limit || liveEpochs(state, id, 1, cut).length === 0) continue
      for (const row of state.scan(rowPrefix(id), prefixEnd(rowPrefix(id)))) {
        if (ops.length >= limit) break
        const old = decodeRow(row.value)
        if (old.epoch >= cut) continue
        const op = this.resealRow(id, this.table(id), row.key.slice(ROW_PREFIX_LENGTH), old)
        if (op) ops.push(op)
        else stuck.push(row.key)
      }
    }
    return { ops, stuck }
  }

  private catalogOp(change: CatalogChange): Op {
    if (change.kind === 'drop') return { op: 'drop', id: change.id }
    const { object } = change
    const before = this.bench.state.get(objectKey(object.id))
    const record = before === undefined ? undefined : decodeObject(before)
    const generation = record?.generation ?? this.tables.get(object.id)?.generation ?? this.generation
    if (object.table) this.tables.set(object.id, { shape: object.table, generation, record })
    const sealed = this.sealObject(object)
    if (change.kind === 'create') {
      return { op: 'create', id: object.id, object: publicObject(object), nameToken: this.sealer.nameToken(this.generation, change.name), sealed }
    }
    const nameToken = change.name === undefined ? undefined : this.sealer.nameToken(generation, change.name)
    return { op: 'replace', id: object.id, object: publicObject(object), nameToken, sealed }
  }

  private rowOp(change: RowChange): Op {
    const table = this.table(change.table)
    const { shape, generation } = table
    const rowKey = this.sealer.rowKey(change.table, shape, generation, change.key)
    if (change.kind === 'delete') return { op: 'delete', table: change.table, rowKey }
    return this.putOp(change.kind, change.table, table, rowKey, change.row.plain, {
      key: shape.key === 'blinded' ? change.key : [],
      blind: blindValues(shape, change.row),
      body: change.row.body,
    })
  }

  private putOp(op: 'insert' | 'update', id: number, table: Table, rowKey: Uint8Array, plain: RowImage['plain'], content: RowContent): PutRowOp {
    return { op, table: id, rowKey, plain, tokens: this.tokens(id, table, content), sealed: this.seal(id, rowKey, content) }
  }

  private tokens(id: number, { shape, generation }: Table, { blind }: RowContent): PutRowOp['tokens'] {
    return this.sealer.tokens(id, shape, generation, this.epoch, blind, this.bench.random)
  }

  private seal(id: number, rowKey: Uint8Array, content: RowContent): Uint8Array {
    return this.sealer.sealRow(id, rowKey, this.epoch, this.bench.device, this.nonce(), content)
  }

  private sealObject(object: CatalogObject): Uint8Array {
    return this.sealer.sealObject(object.id, this.epoch, this.bench.device, this.nonce(), object)
  }

  private resealRow(id: number, table: Table, rowKey: Uint8Array, old: RowRecord): ResealRowOp | undefined {
    const content = this.openOld(id, table, rowKey, old)
    return content && this.resealOp(id, table, rowKey, old, content)
  }

  /** Unique tokens stay, those that stand for NULL too: they don't depend on the epoch. */
  private resealOp(id: number, table: Table, rowKey: Uint8Array, old: RowRecord, content: RowContent): ResealRowOp {
    const tokens = this.tokens(id, table, content)
    const unique = new Set(table.shape.indexes.filter((i) => i.unique && table.record?.table?.indexes.some((o) => o.id === i.id)).map((i) => i.id))
    return { op: 'reseal', table: id, rowKey, tokens: tokens.map((t) => (unique.has(t.index) && old.tokens.find((o) => o.index === t.index)) || t), sealed: this.seal(id, rowKey, content) }
  }

  private openOld(id: number, table: Table, rowKey: Uint8Array, old: RowRecord): RowContent | undefined {
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
    const written = new Set(this.draft.rows.filter((r) => r.table === id).map((r) => String(this.sealer.rowKey(id, table.shape, table.generation, r.key))))
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

  private table(id: number): Table {
    let table = this.tables.get(id)
    if (table === undefined) {
      const record = this.recordOf(id)
      if (record?.table === undefined) throw new SealError('bad-argument', 'Expected the id of a table.', { table: id })
      // Names of policies are of no use here.
      table = { shape: { ...record.table, policies: [] }, generation: record.generation, record }
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
    const { shape, generation } = this.table(read.table)
    if (read.kind === 'row') return [rowStateKey(read.table, this.sealer.rowKey(read.table, shape, generation, read.key))]
    const index = shape.indexes.find((i) => i.id === read.index)
    if (index === undefined) throw new SealError('bad-argument', 'Expected the id of an index of the table.', { table: read.table, index: read.index })
    const prefix = indexPrefix(read.table, index.id)
    if (index.kind === 'plain') return [encodeTuplePrefix(read.values, prefix)]
    // A row with this value may lie under any live epoch's token, and one that comes will lie under the current one's.
    const epochs = index.unique ? [this.epoch] : [...new Set([...liveEpochs(this.bench.state, read.table, 1, this.epoch), this.epoch])]
    return epochs.flatMap((epoch) => {
      const token = this.sealer.indexToken(read.table, index, generation, epoch, read.values)
      return token ? [concatBytes(prefix, token)] : []
    })
  }
}

const NONE: readonly never[] = []

function blindValues(shape: TableShape, row: RowImage): RowContent['blind'] {
  if (shape.indexes.length === 0 && row.blind.length === 0) return NONE
  const blind = shape.indexes.filter((index) => index.kind === 'blind')
  if (blind.length !== row.blind.length) {
    throw new SealError('bad-argument', 'Expected the values of each blind index.', { expected: blind.length, found: row.blind.length })
  }
  return blind.map((index, i) => ({ index: index.id, values: row.blind[i] ?? [] }))
}
