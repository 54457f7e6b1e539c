/** What the space's own ops see beyond `OpContext`: tables, uniqueness, the order of ops. Implemented by run.ts. */
import { type OpCodec, type OpContext } from '../state/context.js'
import { type ObjectRecord } from './catalog.js'
import { type PolicyWorld, type PublicShape } from './policy.js'
import { type IndexEntry } from './row-record.js'

export interface TableEntry {
  readonly record: ObjectRecord
  readonly shape: PublicShape
}

export interface SpaceContext extends OpContext {
  /** A table with the changes that ops before this one have made to it. */
  table(id: number): TableEntry | undefined
  /** Write an object's record, or take it away. */
  putObject(id: number, record: ObjectRecord | undefined): void
  object(id: number): ObjectRecord | undefined
  /** True if this entry has put or deleted the key. */
  touched(key: Uint8Array): boolean
  /** Take an index entry away; its value may be claimed again in this entry. */
  releaseIndex(entry: IndexEntry): void
  /** Add an index entry. Two claims on one value are conflict(unique) at once; a holder that is not released by the end of the entry, then. */
  claimIndex(entry: IndexEntry): void
  /** Indexes that this entry adds to a table: rows of before have no entries in them. At its end each must have as many as the table has rows. */
  newIndexes(table: number): ReadonlySet<number>
  addIndex(table: number, index: number): void
  readonly world: PolicyWorld
  /** Catalog changes come first: rule(order) once a row was written. */
  rowsWritten: boolean
  catalogOps: number
  /** The current epoch was delivered: there is a secret to seal under. */
  readonly epochDelivered: boolean
}

/** An op of the space's own. The registry hands it the context that run.ts makes. */
export interface SpaceOpCodec<T extends { readonly op: string }> extends Omit<OpCodec<T>, 'apply'> {
  apply(context: SpaceContext, op: T): void
}
