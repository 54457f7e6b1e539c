/**
 * What a relay knows to be true of one space: the port between the relay, which orders bytes, and the engine's follower, which judges them.
 * A ledger holds no secret. Judging is synchronous and reversible: the relay advances, stores, and goes back if storing failed.
 */
import type { Head } from '../../engine/space/types.js'
import type { LogProof } from '../../engine/log/merkle.js'
import type { FileFacts } from '../../engine/space/file-record.js'
import type { Page } from '../../engine/state/pages.js'
import type { RelayLog } from './store.js'

/** The key that a connection must prove, and whether it is served now. */
export interface Access {
  readonly publicKey: Uint8Array
  readonly served: boolean
  /** Of a removed device: the head up to which the log is still its to read, its removal being the last entry. */
  readonly until?: Head | undefined
}

/** A state that a newcomer may start from (PROTOCOL.md §9.5). */
export interface RelaySnapshot {
  readonly manifest: Uint8Array
  /** A chunk. Hostile errors, and `bad-argument`, for rows that it does not have or that are too many. */
  rows(from: number, count: number): Uint8Array
}

/** A head of the past: its log root is in the log, its state root is not. */
export interface FormerHead { readonly size: number; readonly stateRoot: Uint8Array }

/** A ledger as it was at one moment. Either is called once. */
export interface LedgerImage {
  /** Resolves with its length. */
  write(to: RelayLog): Promise<number>
  discard(): void
}

declare const verifiedAside: unique symbol
/** What looking at a record's signature beforehand came to. Changes no outcome. */
export interface Aside { readonly [verifiedAside]: true }

/** A state that is kept to be read. Released once. */
export interface ReadableState {
  readonly size: number
  /** Throws what `readQueries` does for malformed ones. */
  page(queries: Uint8Array): Page
  /** What these records, which follow that state in the log, open of it, and the head after them. Undefined: more than fits in a message. */
  witness(records: readonly Uint8Array[]): { readonly witness: Uint8Array; readonly head: Head } | undefined
  /** The head after them alone. */
  headAfter(records: readonly Uint8Array[]): Head
  release(): void
}

/** The log again, from a state that is at hand: to get to one that is not. Released once. */
export interface Retrace {
  /** How many entries it has followed: the next is the one at that index. */
  readonly size: number
  follow(records: readonly Uint8Array[]): void
  /** A claim on the state it has come to. */
  readable(): ReadableState
  release(): void
}

export interface Ledger {
  readonly head: Head
  /** Look at the records' signatures before their turn comes, on other threads where there are any. */
  aside(records: readonly Uint8Array[]): Promise<readonly Aside[]>
  /** A thread of its own does that now, so that it may be asked for ahead. */
  readonly looksAhead: boolean
  /**
   * Take the record as the next of the log. `refused` (a verdict's words) leaves the ledger as it was. `restored`: it was in the log before,
   * perhaps of a relay that checked less; then a rejected one is taken, too, since those after it build on it. `forged`: its signature is bad.
   */
  advance(record: Uint8Array, restored: boolean, aside?: Aside): { readonly kind: 'taken' } | { readonly kind: 'refused'; readonly reason: string; readonly forged: boolean }
  /** Take a record that is already in the log, whatever its verdict. */
  follow(record: Uint8Array, aside?: Aside): void
  /** A mark to come back to with `reset`, if what came after could not be stored. */
  mark(): LedgerMark
  reset(mark: LedgerMark): void
  /** Let go of a mark that was not needed. */
  unmark(mark: LedgerMark): void
  /** What the present state says of a file. */
  file(id: Uint8Array): FileFacts | undefined
  /** Files of the present state, by id, those after `after` alone. */
  files(after: Uint8Array): Iterable<{ readonly id: Uint8Array; readonly length: number }>
  /** Whether these bytes are chunk `number` of a file that the state has. */
  isChunk(id: Uint8Array, number: number, chunk: Uint8Array, proof: LogProof): boolean
  /** Files that were deleted since this was last asked. One that is there again was put again, or the ledger went back. */
  takeDeletedFiles(): readonly Uint8Array[]
  device(id: number): Access | undefined
  invitation(id: number): Access | undefined
  /** The signing key that a joining record asks to admit; undefined for any other record. */
  joining(record: Uint8Array): Uint8Array | undefined
  /** The device that was admitted with this signing key. */
  admitted(signing: Uint8Array): number | undefined
  /** A former head of this log, if the state root after it was `stateRoot`. */
  headAt(size: number, stateRoot: Uint8Array): Head
  /** The first head after `from` that some read up to and no further: where a device was removed, or the space moved to another relay. */
  partingAfter(from: number): FormerHead | undefined
  /** The state after `size` entries, if a link is anchored there. To be asked now, not to be held on to. */
  snapshot(size: number): RelaySnapshot | undefined
  /** Keep the present state to be read, among the last ones. */
  keep(): void
  /** A claim on the state after `size` entries, if it is one of those or a link is anchored there. */
  readable(size: number): ReadableState | undefined
  /** From the nearest state at hand that is not after `size`; at worst from the empty one. */
  retrace(size: number): Retrace
  /** The log root of a former size. */
  rootAt(size: number): Uint8Array
  /** Whether these are the records from `from` on of the log that was followed. */
  follows(from: number, records: readonly Uint8Array[]): boolean
  /** The ledger as it is, to be taken up again by `RelayJudge.resume`, with the former heads that go with it. */
  image(steps: readonly FormerHead[]): LedgerImage
  /** The size that the stored image says it is of, if there is one. */
  imagedAt(log: RelayLog): Promise<number | undefined>
  /** About how many bytes of memory it takes. */
  readonly memory: number
  /** RFC 9162 consistency proof between two sizes of this log. */
  consistency(from: number, to: number): readonly Uint8Array[]
}

declare const ledgerMark: unique symbol
export interface LedgerMark { readonly [ledgerMark]: true }
