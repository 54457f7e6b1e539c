/**
 * One entry being applied: the context that its ops see (PROTOCOL.md §6). Made by apply.ts, thrown away after the verdict.
 */
import { invariant } from '../errors.js'
import { type ApplyEnv, type Author, type EntryFacts, Reject, requireOr, type StateEntry, type StateReader, type StateView } from '../state/context.js'
import { epochKey, indexPrefix, KEY_KIND, keyId, metaKey, objectKey, prefixEnd, rowPrefix } from '../state/keys.js'
import { decodeMeta, encodeMeta, type Meta } from '../state/roster.js'
import { decodeObject, decodeObjectOf, encodeObject, type ObjectRecord, storedObjects } from './catalog.js'
import { isBlindedUnder } from './blinded.js'
import { LiveCounts } from './counts.js'
import { type SpaceContext, type TableEntry } from './context.js'
import { type Facts } from './facts.js'
import { keyName, Overlay } from './overlay.js'
import { codecAt, EncodedOps, everyOp, type Ops } from './ops/encoded.js'
import { isRowOp } from './ops/row.js'
import { type PolicyWorld } from './policy.js'
import { type IndexEntry } from './row-record.js'

/** Counters before there are any. */
const NO_META: Meta = { epoch: 0, firstEpoch: 0, generation: 0, firstGeneration: 0, nextMember: 1, nextDevice: 1, nextInvitation: 1, nextObject: 1, lastFreeRotation: 0 }
const NO_INDEXES: ReadonlySet<number> = new Set()

export interface RunFacts {
  readonly env: ApplyEnv
  readonly index: number
  readonly entry: EntryFacts
  readonly author: Author | undefined
  readonly ops: Ops
  /** Of the state before. */
  readonly facts: Facts
}

export class EntryRun implements SpaceContext {
  readonly env: ApplyEnv
  readonly index: number
  readonly entry: EntryFacts
  readonly before: StateReader
  readonly opCount: number
  readonly world: PolicyWorld
  op = 0
  rowsWritten = false
  catalogOps = 0
  /** Set by the op of a self-signed entry. */
  admittedDevice: number | undefined
  private readonly writer: Author | undefined
  private readonly ops: Ops
  /** If no op changes what they say. */
  private readonly facts: Facts | undefined
  private readonly overlay: Overlay
  private readonly counts: LiveCounts
  private currentMeta: Meta | undefined
  private metaChanged = false
  private delivered: boolean | undefined
  /** These are made when they are needed: most entries have none of them. */
  private objects: Map<number, ObjectRecord | undefined> | undefined
  private tables: Map<number, TableEntry | undefined> | undefined
  private claims: Map<string, { readonly key: Uint8Array; readonly op: number }> | undefined
  private released: Set<string> | undefined
  private added: Map<number, Set<number>> | undefined

  constructor(facts: RunFacts, state: StateView) {
    this.env = facts.env
    this.index = facts.index
    this.entry = facts.entry
    this.writer = facts.author
    this.ops = facts.ops
    this.opCount = facts.ops.length
    this.before = state
    this.facts = everyOp(facts.ops, isRowOp) ? facts.facts : undefined
    this.overlay = new Overlay(state, expectedBytes(facts.ops))
    this.counts = new LiveCounts(this.overlay)
    this.world = {
      member: facts.author?.member ?? 0,
      role: facts.author?.role ?? 'reader',
      steps: 0,
      table: (id) => this.table(id)?.shape,
      get: (key) => this.overlay.get(key),
      scan: (lo, hi) => this.overlay.scan(lo, hi),
    }
  }

  get author(): Author {
    invariant(this.writer !== undefined, 'an op of a self-signed entry asked for its author')
    return this.writer
  }

  opName(op: number): string | undefined {
    return codecAt(this.ops, op)?.name
  }

  get(key: Uint8Array): Uint8Array | undefined {
    this.settle(key)
    return this.overlay.get(key)
  }

  scan(lo: Uint8Array, hi?: Uint8Array): Iterable<StateEntry> {
    this.settle(lo)
    return this.overlay.scan(lo, hi)
  }

  count(lo: Uint8Array, hi?: Uint8Array): number {
    this.settle(lo)
    return this.overlay.count(lo, hi)
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.overlay.put(key, value)
  }

  delete(key: Uint8Array): void {
    this.overlay.put(key, undefined)
  }

  deletePrefix(prefix: Uint8Array): void {
    this.overlay.deletePrefix(prefix)
  }

  touched(key: Uint8Array): boolean {
    return this.overlay.touched(key)
  }

  get meta(): Meta {
    if (this.currentMeta === undefined) {
      const bytes = this.overlay.get(metaKey())
      this.currentMeta = bytes === undefined ? NO_META : decodeMeta(bytes)
    }
    return this.currentMeta
  }

  setMeta(change: Partial<Meta>): void {
    this.currentMeta = { ...this.meta, ...change }
    this.metaChanged = true
    this.delivered = undefined
  }

  live(epoch: number, owner: number, delta: number): void {
    this.counts.add(epoch, owner, delta)
  }

  admitted(device: number): void {
    this.admittedDevice = device
  }

  /** An entry's sealed values are of the entry's epoch, whatever a rotate in it has started. */
  get epochDelivered(): boolean {
    return (this.delivered ??= this.facts?.isDelivered(this.before, this.entry.epoch) ?? this.overlay.get(epochKey(this.entry.epoch)) !== undefined)
  }

  object(id: number): ObjectRecord | undefined {
    const objects = (this.objects ??= new Map())
    if (!objects.has(id)) {
      const bytes = this.overlay.get(objectKey(id))
      objects.set(id, bytes === undefined ? undefined : decodeObjectOf(id, bytes))
    }
    return objects.get(id)
  }

  putObject(id: number, record: ObjectRecord | undefined): void {
    ;(this.objects ??= new Map()).set(id, record)
    this.tables?.delete(id)
    this.overlay.put(objectKey(id), record === undefined ? undefined : encodeObject(record))
  }

  table(id: number): TableEntry | undefined {
    if (this.facts !== undefined) return this.facts.table(this.before, id)
    const tables = (this.tables ??= new Map())
    if (!tables.has(id)) {
      const record = this.object(id)
      tables.set(id, record?.table === undefined ? undefined : { record, shape: record.table })
    }
    return tables.get(id)
  }

  newIndexes(table: number): ReadonlySet<number> {
    return this.added?.get(table) ?? NO_INDEXES
  }

  addIndex(table: number, index: number): void {
    const set = this.added?.get(table)
    if (set) set.add(index)
    else (this.added ??= new Map()).set(table, new Set([index]))
  }

  releaseIndex(entry: IndexEntry): void {
    const name = keyName(entry.key)
    ;(this.released ??= new Set()).add(name)
    if (!this.claims?.has(name)) this.overlay.put(entry.key, undefined)
  }

  claimIndex(entry: IndexEntry): void {
    if (entry.unique) {
      const name = keyName(entry.key)
      requireOr(!this.claims?.has(name), 'conflict', 'unique')
      ;(this.claims ??= new Map()).set(name, { key: entry.key, op: this.op })
    }
    this.overlay.put(entry.key, entry.rowKey)
  }

  usesGeneration(generation: number): boolean {
    for (const { id, value } of storedObjects(this.overlay)) {
      if (isBlindedUnder(this.overlay, id, decodeObject(value), generation)) return true
    }
    return false
  }

  /** What can only be said when every op has run. Sets `op` to the one at fault. */
  checkEnd(): void {
    for (const [name, claim] of this.claims ?? []) {
      if (this.released?.has(name) || this.isNew(claim.key) || this.before.get(claim.key) === undefined) continue
      this.op = claim.op
      throw new Reject('conflict', 'unique')
    }
    for (const [table, indexes] of this.added ?? []) {
      const shape = this.table(table)?.shape
      if (shape === undefined) continue // dropped since
      const rows = this.countPrefix(rowPrefix(table))
      for (const index of indexes) {
        if (!shape.indexes.some((i) => i.id === index)) continue
        this.op = this.opCount
        requireOr(this.countPrefix(indexPrefix(table, index)) === rows, 'conflict', 'index-incomplete')
      }
    }
  }

  /** The state with everything written; the caller's to release. `more` are written last. */
  finish(more: readonly { readonly key: Uint8Array; readonly value: Uint8Array }[]): StateView {
    this.counts.flush()
    if (this.metaChanged) this.overlay.put(metaKey(), encodeMeta(this.meta))
    for (const { key, value } of more) this.overlay.put(key, value)
    return this.overlay.finish()
  }

  discard(): void {
    this.overlay.discard()
  }

  /** Counts and counters are written late: before someone reads them. */
  private settle(key: Uint8Array): void {
    if (key[0] === KEY_KIND.live) this.counts.flush()
    else if (key[0] === KEY_KIND.meta && this.metaChanged) this.overlay.put(metaKey(), encodeMeta(this.meta))
  }

  /** Whatever lay under an index that this entry adds is gone. */
  private isNew(indexKey: Uint8Array): boolean {
    return this.newIndexes(keyId(indexKey)).has(((indexKey[5] as number) << 8) | (indexKey[6] as number))
  }

  private countPrefix(prefix: Uint8Array): number {
    return this.overlay.count(prefix, prefixEnd(prefix))
  }
}

/** What is put of a row is about as long as its op, and the key's prefix. */
function expectedBytes(ops: Ops): number {
  return ops instanceof EncodedOps ? ops.bytes.length + 16 * ops.length : 0
}
