/**
 * Ops that write rows and catalog again, step by step, with the same content: under a new epoch, before a forget; under a new generation of the blinding secret, as a
 * space is re-blinded. Each step is one entry of a bounded size, made of what the state says is left to do.
 */
import { concatBytes, equalBytes } from '../codec/bytes.js'
import { MAX_CATALOG_OPS } from '../limits.js'
import { type StateReader } from '../state/context.js'
import { indexPrefix, prefixEnd, ROW_PREFIX_LENGTH, rowPrefix, rowStateKey } from '../state/keys.js'
import { blindedPrefixes, olderGeneration } from './blinded.js'
import { DraftBuilder, type Table, type Workbench } from './build.js'
import { decodeObject, type ObjectRecord, storedObjects } from './catalog.js'
import { type Op } from './ops/index.js'
import { type RekeyRowOp, type ResealRowOp } from './ops/row.js'
import { decodeRow, type RowRecord } from './row-record.js'
import { liveEpochs } from './rows.js'
import { type CatalogObject } from './types.js'

/**
 * Ops that give everything sealed before `cut` the current epoch, at most `limit` of them; none left: `forget(cut)` will not be refused for
 * rows or catalog. What doesn't open can't be re-sealed: it is named in `stuck` and has to be deleted.
 */
export function buildReseal(bench: Workbench, cut: number, limit: number): Step {
  return new StepBuilder(bench, { catalog: [], rows: [], reads: [] }).reseal(cut, limit)
}

/**
 * Ops of the next step of a re-blinding (PROTOCOL.md §8.6), at most `limit`; none left and nothing `stuck`: the older generation can be let go. `nameOf` gives the name that
 * an object was created under. What doesn't open, or whose key or unique value another row has, is stuck: it has to be deleted, or the other one.
 */
export function buildReblind(bench: Workbench, nameOf: (object: CatalogObject) => string, limit: number): Step {
  return new StepBuilder(bench, { catalog: [], rows: [], reads: [] }).reblind(nameOf, limit)
}

/** Ops for one entry, and the state keys of what can't be done. */
export interface Step {
  readonly ops: readonly Op[]
  readonly stuck: readonly Uint8Array[]
}

/** Sealed bytes after which a step is full: far below an entry's limit, whatever a row holds. */
const MAX_STEP_BYTES = 4 * 1024 * 1024

class StepBuilder extends DraftBuilder {
  reseal(cut: number, limit: number): Step {
    const { state } = this.bench
    const ops: Op[] = []
    const stuck: Uint8Array[] = []
    let bytes = 0
    for (const { id, key, value } of storedObjects(state)) {
      const record = decodeObject(value)
      if (ops.length >= limit) break
      if (record.epoch >= cut) continue
      const object = this.sealer.openObject(id, record)
      if (typeof object === 'string') stuck.push(key)
      else ops.push({ op: 'reseal-object', id: object.id, sealed: this.sealObject(object) })
    }
    for (const { id, value } of storedObjects(state)) {
      const record = decodeObject(value)
      if (!record.table || ops.length >= limit || liveEpochs(state, id, 1, cut).length === 0) continue
      for (const row of state.scan(rowPrefix(id), prefixEnd(rowPrefix(id)))) {
        if (ops.length >= limit || bytes > MAX_STEP_BYTES) break
        const old = decodeRow(row.value)
        if (old.epoch >= cut) continue
        bytes += row.value.length
        const op = this.resealRow(id, this.table(id), row.key.slice(ROW_PREFIX_LENGTH), old)
        if (op) ops.push(op)
        else stuck.push(row.key)
      }
    }
    return { ops, stuck }
  }

  /** An object whose author sealed another name than its token's is given that of no object: a re-blinding must not make the lie good. */
  private genuineName(id: number, record: ObjectRecord, said: string): string {
    return equalBytes(this.sealer.nameToken(record.generation, said), record.nameToken) ? said : `unnamed:${id}`
  }

  reblind(nameOf: (object: CatalogObject) => string, limit: number): Step {
    const { state } = this.bench
    const ops: Op[] = []
    const stuck: Uint8Array[] = []
    const tables: { id: number; older: number; record: ObjectRecord }[] = []
    for (const { id, key, value } of storedObjects(state)) {
      const record = decodeObject(value)
      const older = olderGeneration(state, record)
      if (older !== undefined) tables.push({ id, older, record })
      if (record.generation >= this.generation || ops.length >= Math.min(limit, MAX_CATALOG_OPS)) continue
      const object = this.sealer.openObject(id, record)
      if (typeof object === 'string') stuck.push(key)
      else ops.push({ op: 'reblind-object', id: object.id, nameToken: this.sealer.nameToken(this.generation, this.genuineName(object.id, record, nameOf(object))), sealed: this.sealObject(object) })
    }
    // Catalog first, in entries of its own: rows follow once their table takes keys of the newer generation only.
    if (ops.length > 0) return { ops, stuck }
    let bytes = 0
    for (const { id, older, record } of tables) {
      const { rows, indexes } = blindedPrefixes(id, record, older)
      // Rows under an older key bring their unique tokens along; in a table with a plain key only those are old.
      const keys = rows ? keysOf(state, rows) : rowsOf(state, id, indexes)
      const done = new Set<string>()
      for (const key of keys) {
        if (ops.length >= limit || bytes > MAX_STEP_BYTES) break
        const value = state.get(key)
        if (value === undefined || done.has(String(key))) continue
        done.add(String(key))
        bytes += value.length
        const op = this.reblindRow(id, this.table(id), key.slice(ROW_PREFIX_LENGTH), decodeRow(value))
        if (op) ops.push(op)
        else stuck.push(key)
      }
    }
    return { ops, stuck }
  }

  private reblindRow(id: number, table: Table, rowKey: Uint8Array, old: RowRecord): ResealRowOp | RekeyRowOp | undefined {
    const { state } = this.bench
    const content = this.openOld(id, table, rowKey, old)
    if (content === undefined) return undefined
    const newKey = table.shape.key === 'blinded' ? this.sealer.rowKey(id, table.shape, table.generation, content.key) : undefined
    if (newKey && state.get(rowStateKey(id, newKey)) !== undefined) return undefined
    const reseal = this.resealOp(id, table, newKey ?? rowKey, old, content)
    for (const { index, token } of reseal.tokens) {
      const holder = table.shape.indexes.some((i) => i.id === index && i.unique) ? state.get(concatBytes(indexPrefix(id, index), token)) : undefined
      if (holder && !equalBytes(holder, rowKey)) return undefined
    }
    return newKey ? { ...reseal, op: 'rekey', rowKey, newKey } : reseal
  }
}

/** State keys of the rows that index entries name. */
function* rowsOf(state: StateReader, table: number, prefixes: readonly Uint8Array[]): IterableIterator<Uint8Array> {
  for (const prefix of prefixes) for (const { value } of state.scan(prefix, prefixEnd(prefix))) yield rowStateKey(table, value)
}

function* keysOf(state: StateReader, prefix: Uint8Array): IterableIterator<Uint8Array> {
  for (const { key } of state.scan(prefix, prefixEnd(prefix))) yield key
}
