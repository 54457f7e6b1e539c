/**
 * What an op of the state machine sees and how it refuses: the meeting place of `space/` (which runs ops) and `group/` (which has some).
 *
 * An op is a pure function of the context: no clock, no randomness, no secret. It reads what the ops before it in the same entry have
 * written. Whatever it writes is dropped if it, or a later op, throws `Reject`.
 */
import { type Reader, type Writer } from '../codec/canonical.js'
import { type CryptoProvider } from '../crypto/provider.js'
import { type EditBatch } from './edits.js'
import { type MemberRole, type Meta } from './roster.js'

export interface StateEntry { readonly key: Uint8Array; readonly value: Uint8Array }

/** A readable state: a version of the whole tree, or the part of it that a witness proves. Out of a witness's scope is an error, never "no". */
export interface StateReader {
  /** 32 bytes. */
  readonly root: Uint8Array
  get(key: Uint8Array): Uint8Array | undefined
  /** Entries with `lo <= key`, and `key < hi` if given, ascending. */
  scan(lo: Uint8Array, hi?: Uint8Array): Iterable<StateEntry>
  /** How many entries `scan` would give; logarithmic. */
  count(lo: Uint8Array, hi?: Uint8Array): number
  /** Root of the subtree of all keys that begin with `prefix`; the root of the empty tree if there is none. */
  subtreeRoot(prefix: Uint8Array): Uint8Array
}

/** A state that gives a new one. The old one stays readable until it is released. */
export interface StateView extends StateReader {
  /** Edits in any order; a key occurs once. */
  apply(edits: EditBatch): StateView
  /** Without any key that begins with `prefix`; costs one path, however many keys go. */
  without(prefix: Uint8Array): StateView
  /** Gives the version up; what only it held is freed. */
  release(): void
}

/** What never changes within a space. */
export interface ApplyEnv {
  readonly crypto: CryptoProvider
  readonly spaceId: Uint8Array
}

export interface Author {
  readonly device: number
  readonly member: number
  readonly role: MemberRole
}

/** The header of the entry that an op is part of. */
export interface EntryFacts {
  readonly base: { readonly size: number; readonly logRoot: Uint8Array; readonly stateRoot: Uint8Array }
  readonly epoch: number
  /** Milliseconds, as its author says. Never decides anything. */
  readonly time: number
}

export interface OpContext {
  readonly env: ApplyEnv
  /** The position of the entry in the log: the version of what it writes. */
  readonly index: number
  readonly entry: EntryFacts
  /** Who signed. Throws an invariant error in a genesis or join, which have no author: those ops are `selfSigned`. */
  readonly author: Author
  /** Number of this op in its entry, and how many ops there are; `opName(i)` names another (a removal must be followed by a rotate). */
  readonly op: number
  readonly opCount: number
  opName(op: number): string | undefined

  /** The state with the ops before this one applied. */
  get(key: Uint8Array): Uint8Array | undefined
  scan(lo: Uint8Array, hi?: Uint8Array): Iterable<StateEntry>
  count(lo: Uint8Array, hi?: Uint8Array): number
  put(key: Uint8Array, value: Uint8Array): void
  delete(key: Uint8Array): void
  /** Every key that begins with it; costs a path, not a walk. */
  deletePrefix(prefix: Uint8Array): void
  /** The state before the entry, with nothing of it applied. */
  readonly before: StateReader

  readonly meta: Meta
  setMeta(change: Partial<Meta>): void
  /** True if a name, row key or unique token is of this generation of the blinding secret: it can't be let go. */
  usesGeneration(generation: number): boolean
  /** Count live sealed values: `owner` is a table id, or 0. */
  live(epoch: number, owner: number, delta: number): void
  /** The device that this genesis or join admits: it gets its pointer at this entry. Once per self-signed entry, required. */
  admitted(device: number): void
}

/** Codes that an op may refuse with; the entry as a whole is then rejected (a join: ignored). */
export type OpRejectCode = 'role' | 'conflict' | 'policy' | 'rule'

/** Thrown by an op that refuses. `detail` is a stable word listed in PROTOCOL.md §6. Not an error of the program: a verdict. */
export class Reject extends Error {
  override readonly name = 'Reject'
  readonly code: OpRejectCode
  readonly detail: string
  constructor(code: OpRejectCode, detail: string) {
    super(`${code}: ${detail}`)
    this.code = code
    this.detail = detail
  }
}

/** Refuse unless `condition` holds. */
export function requireOr(condition: boolean, code: OpRejectCode, detail: string): asserts condition {
  if (!condition) throw new Reject(code, detail)
}

/** How a kind of op is written, read and applied. Tags 0x01–0x0f are the space's, 0x10–0x2f the group's, 0x30–0x3f those on files. */
export interface OpCodec<T extends { readonly op: string }> {
  readonly tag: number
  readonly name: T['op']
  /** Least role of the author; checked for all ops of an entry before any runs. Undefined: any member. */
  readonly role: MemberRole | undefined
  /** For an op that makes up a whole entry with device 0, signed by a key it carries itself (genesis, join). */
  selfSigned?(op: T): Uint8Array
  /** After the tag. */
  write(writer: Writer, op: T): void
  /** Strict; what it returns may view into the input. Throws `bad-encoding` or `too-large`. */
  read(reader: Reader): T
  /** Passes over what `read` would read, and throws just where that would: for ops that come by the thousand. */
  skip?(reader: Reader): void
  /** Throws `Reject`, or writes to the context. */
  apply(context: OpContext, op: T): void
}
