/**
 * The shapes that the floors above and below the space agree on: entries, verdicts, drafts, views. Types only.
 *
 * query/ turns SQL into a `Draft` and reads a `View`; net/ carries `records` and notes. Neither sees a secret, a tree node or a signature.
 */
import type { SqlValue } from '../codec/value.js'
import type { PackedRows } from './packed-rows.js'

/** A position's hash state: `size` entries, their RFC 9162 root, the state root after them. Verified unless the name says otherwise. */
export interface Head {
  readonly size: number
  readonly logRoot: Uint8Array
  readonly stateRoot: Uint8Array
}

/** What a member may do, most first: writers write rows, admins also admit and remove up to their own role, owners everything. */
export type Role = 'owner' | 'admin' | 'writer' | 'reader'

/** Ids are small integers in order of admission (members and devices from 1) or of creation (tables and other catalog objects from 1). */
export type MemberId = number
export type DeviceId = number
export type ObjectId = number
export type ColumnId = number

// ---- verdicts -----------------------------------------------------------------------------------------------------------------

/** Nothing changes but the log. In the order in which they are checked. */
export const IGNORED_CODES = ['malformed', 'too-long', 'version', 'space', 'device', 'signature', 'device-prev', 'join'] as const
/** Only the device's pointer moves. In the order in which they are checked. */
export const REJECTED_CODES = ['base', 'chain', 'epoch', 'role', 'conflict', 'policy', 'rule'] as const
export type IgnoredCode = (typeof IGNORED_CODES)[number]
export type RejectedCode = (typeof REJECTED_CODES)[number]

export type Verdict =
  | { readonly kind: 'applied' }
  /** `op` is the index of the op that failed, `detail` a stable word of that op's own rules (documented in PROTOCOL.md). */
  | { readonly kind: 'rejected'; readonly code: RejectedCode; readonly op?: number; readonly detail?: string }
  | { readonly kind: 'ignored'; readonly code: IgnoredCode; readonly detail?: string }

// ---- what query writes -----------------------------------------------------------------------------------------------------------

/** A catalog object. The public part is what every verifier needs; `sealed` is query's own bytes (names, DDL text, column names). */
export interface CatalogObject {
  readonly id: ObjectId
  readonly kind: 'table' | 'view' | 'trigger' | 'index' | 'other'
  /** For a trigger or index: its table. Dropping the table drops them. */
  readonly parent?: ObjectId
  /** For a table only. */
  readonly table?: TableShape
  readonly sealed: Uint8Array
}

/** What everybody, relay included, sees of a table. */
export interface TableShape {
  /** `plain`: the row key is the readable tuple of the key; `blinded`: a keyed hash of it. */
  readonly key: 'plain' | 'blinded'
  /** Plaintext columns, ascending by id. Ids are never reused. */
  readonly plain: readonly PlainColumn[]
  readonly indexes: readonly IndexShape[]
  readonly policies: readonly Policy[]
}
export type PlainType = 'integer' | 'real' | 'text' | 'blob' | 'any'
export interface PlainColumn { readonly id: ColumnId; readonly type: PlainType; readonly notNull: boolean }

/** `blind`: one keyed token over the columns' values; `plain`: the readable tuple of plaintext columns. Unique: at most one row per value, NULLs apart. */
export interface IndexShape { readonly id: number; readonly kind: 'blind' | 'plain'; readonly unique: boolean; readonly columns: readonly ColumnId[] }

export type PolicyCommand = 'insert' | 'update' | 'delete' | 'all'
export interface Policy {
  /** Sealed name: bytes for query, meaningless to verifiers. */
  readonly name: Uint8Array
  readonly command: PolicyCommand
  /** Empty: every role. */
  readonly roles: readonly Role[]
  readonly using?: PolicyExpression
  readonly check?: PolicyExpression
}
/** Three-valued, total, deterministic. Comparison is SQLite's over storage classes with BINARY collation and no affinity. */
export type PolicyExpression =
  | { readonly kind: 'constant'; readonly value: SqlValue }
  /** A plaintext column of the row under test (`row`) or, inside `exists`, of the looked-up row (`other`). */
  | { readonly kind: 'column'; readonly of: 'row' | 'other'; readonly column: ColumnId }
  | { readonly kind: 'creator' } // the member that inserted the row under test
  | { readonly kind: 'member' } // current_member()
  | { readonly kind: 'role' } // current_role(), as text
  | { readonly kind: 'not' | 'is-null' | 'not-null'; readonly value: PolicyExpression }
  | { readonly kind: 'and' | 'or'; readonly left: PolicyExpression; readonly right: PolicyExpression }
  | { readonly kind: '=' | '<>' | '<' | '<=' | '>' | '>=' | 'is' | 'is-not'; readonly left: PolicyExpression; readonly right: PolicyExpression }
  | { readonly kind: 'in'; readonly value: PolicyExpression; readonly list: readonly PolicyExpression[] }
  /** A row of `table` whose plain key (no `index`) or plain index tuple begins with `prefix` and for which `where` is true. */
  | { readonly kind: 'exists'; readonly table: ObjectId; readonly index?: number; readonly prefix: readonly PolicyExpression[]; readonly where?: PolicyExpression }

/** One row's change. `key` is the canonical primary key (or rowid); the engine blinds it when the table says so. */
export type RowChange =
  | { readonly kind: 'insert' | 'update'; readonly table: ObjectId; readonly key: readonly SqlValue[]; readonly row: RowImage }
  | { readonly kind: 'delete'; readonly table: ObjectId; readonly key: readonly SqlValue[] }

export interface RowImage {
  /** Exactly the table's plaintext columns, in its order. */
  readonly plain: readonly SqlValue[]
  /** For each blind index, in the shape's order, the values of its columns (the engine makes tokens of them); plain indexes derive from `plain`. */
  readonly blind: readonly (readonly SqlValue[])[]
  /** Everything else, encoded by query: sealed as it is. */
  readonly body: Uint8Array
}

export type CatalogChange =
  /** New object: `name` is blinded into a token that must be free (collation folded by the caller, e.g. `table:task`). */
  | { readonly kind: 'create'; readonly object: CatalogObject; readonly name: string }
  /** Same id; the whole new record; `name` when renamed. Old rows keep their bodies: query reads them with defaults. */
  | { readonly kind: 'replace'; readonly object: CatalogObject; readonly name?: string }
  /** Removes the object, its dependants (parent = id), its rows and index entries. */
  | { readonly kind: 'drop'; readonly id: ObjectId }

/** What a statement declares to have read: it is a conflict if this changed by the time the entry lands. */
export type Read =
  | { readonly kind: 'table'; readonly table: ObjectId }
  | { readonly kind: 'row'; readonly table: ObjectId; readonly key: readonly SqlValue[] }
  | { readonly kind: 'index'; readonly table: ObjectId; readonly index: number; readonly values: readonly SqlValue[] }
  | { readonly kind: 'catalog' }

/** One transaction. Catalog changes come before row changes, which are packed where they may be many. `reads` are taken at `view`, which is the view the statements ran on. */
export interface Draft {
  readonly catalog: readonly CatalogChange[]
  readonly rows: readonly RowChange[] | PackedRows
  readonly reads: readonly Read[]
  /** Opaque to the engine, persisted sealed with the pending entry and handed back when it must be executed again after a restart. */
  readonly replay?: Uint8Array
}

// ---- what query reads ------------------------------------------------------------------------------------------------------------

/** A stored row, opened. */
export interface RowView {
  readonly table: ObjectId
  /** The state key's row part (plain tuple or blinded token): stable identity of the row. */
  readonly rowKey: Uint8Array
  /** The values behind a blinded key; empty if the key is plain. That they, or `rowKey`, are those of its columns is the author's word: query compares. */
  readonly key: readonly SqlValue[]
  /** The values behind the tokens of blind indexes. Likewise. */
  readonly blind: readonly { readonly index: number; readonly values: readonly SqlValue[] }[]
  readonly plain: readonly SqlValue[]
  readonly body: Uint8Array
  /** Member that inserted the row; member and device that last wrote it; index of that entry (the row's version). */
  readonly creator: MemberId
  readonly author: MemberId
  readonly device: DeviceId
  readonly version: number
}
/** A row that does not open (wrong epoch secret, wrong commitment): never silently dropped. */
export interface UnopenedRow { readonly table: ObjectId; readonly rowKey: Uint8Array; readonly author: MemberId; readonly device: DeviceId; readonly version: number; readonly reason: string }

/** Half-open range over a table's rows, by plain key tuples (leading columns suffice) or, blinded, by exact keys; or by an index value/range. */
export type RowRange =
  | { readonly kind: 'all' }
  | { readonly kind: 'key'; readonly key: readonly SqlValue[] }
  | { readonly kind: 'key-range'; readonly lo?: readonly SqlValue[]; readonly hi?: readonly SqlValue[] }
  | { readonly kind: 'index'; readonly index: number; readonly values: readonly SqlValue[] }
  | { readonly kind: 'index-range'; readonly index: number; readonly lo?: readonly SqlValue[]; readonly hi?: readonly SqlValue[] }

/** A file as the state has it. Its content is beside the log: `SealedSpace.files`. */
export interface FileView {
  /** 32 bytes: a hash of all that is sealed, so that nobody can put anything else in its place. */
  readonly id: Uint8Array
  /** Undefined, both, if they don't open here. */
  readonly name: string | undefined
  readonly type: string | undefined
  /** Bytes of plaintext. */
  readonly length: number
  /** Member that put it; index of the entry that wrote it last. */
  readonly creator: MemberId
  readonly version: number
}

/** One immutable, verified state of the space, readable for as long as it is not released. Row-opening is lazy. */
export interface View {
  readonly head: Head
  /** Number of pending entries of this device that are applied on top of `head` (0: verified state only). */
  readonly pending: number
  readonly catalog: readonly CatalogObject[]
  /** True if the object's name token, which the log keeps unique, is that of `name`; also if this device could not tell. */
  isNamed(object: ObjectId, name: string): boolean
  /** The id that the next object created gets. */
  readonly nextObject: ObjectId
  /** Root of the subtree of the catalog: changes with any DDL or policy. */
  readonly catalogTag: Uint8Array
  /** Grows as this device learns secrets: rows and objects that did not open may open then, though no tag has changed. */
  readonly learned: number
  /** Root of the table's rows: the tag that every read compares. */
  tableTag(table: ObjectId): Uint8Array
  count(table: ObjectId): number
  rows(table: ObjectId, range?: RowRange): IterableIterator<RowView | UnopenedRow>
  /** Programs that together read what `rows` does, opening nothing: for who has to fetch it first. Of an index, once its own entries are here. */
  readers(table: ObjectId, range: RowRange): readonly (() => unknown)[]
  /** Row keys whose stored row differs between `older` and this view, with the row as it is now; if it is gone or does not open, also as it was. Cost ∝ changes. */
  changes(older: View, table: ObjectId): IterableIterator<{ readonly rowKey: Uint8Array; readonly row?: RowView | UnopenedRow; readonly before?: RowView | UnopenedRow }>
  /** Everything in the catalog by id, also what does not open: who answers for it. */
  objects(): readonly ObjectView[]
  /** By id. */
  files(): readonly FileView[]
  members(): readonly MemberView[]
  devices(): readonly DeviceView[]
  /** Another claim on this view: it stays readable until each claim was released. The space holds one while the view is its own. */
  retain(): View
  release(): void
}
/** A member as the state has it. `admittedAt`: index of the entry. `name` is undefined if there is none or it does not open here. */
export interface MemberView { readonly id: MemberId; readonly role: Role; readonly name: string | undefined; readonly removed: boolean; readonly admittedAt: number }
/** A device likewise. `lastIndex`: of its latest entry. */
export interface DeviceView { readonly id: DeviceId; readonly member: MemberId; readonly name: string | undefined; readonly removed: boolean; readonly admittedAt: number; readonly lastIndex: number }

/** A catalog object as the state has it. `creator` made it; `device` wrote it last, in entry `version`. `reason`: why it does not open, if it does not. */
export interface ObjectView { readonly id: ObjectId; readonly parent: ObjectId | undefined; readonly creator: MemberId; readonly device: DeviceId; readonly version: number; readonly reason: string | undefined }

/** An invitation that still admits. `by` answers for it; it ends when `by` may no longer admit that role, or at entry `expiresAt`. Of a device: one more of `by`'s own. */
export interface InvitationView { readonly id: number; readonly kind: 'member' | 'device'; readonly role: Role; readonly by: MemberId; readonly usesLeft: number; readonly createdAt: number; readonly expiresAt: number }

/** How far a commit has come. Each is a proof, never somebody's word. */
export type SettleState =
  | { readonly kind: 'local' } // durable here
  | { readonly kind: 'relay'; readonly index: number } // included under a verified head, applied
  | { readonly kind: 'seen'; readonly index: number; readonly members: number } // later entries of so many other members build on it
  | { readonly kind: 'rejected'; readonly index: number; readonly verdict: Verdict }
  | { readonly kind: 'unknown' } // sent, no answer yet

/** Handle of one committed draft. */
export interface Committed {
  /** The entry's leaf hash. */
  readonly hash: Uint8Array
  readonly state: SettleState
  /** Resolves when the entry is in the verified log (`relay` or `rejected`). */
  readonly settled: Promise<SettleState>
}
