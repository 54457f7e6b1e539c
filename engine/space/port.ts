/**
 * The two sides of a space's rim: what `query/` needs of it (`SpaceReader`, `SpaceWriter`) and what `net/` needs (`SpaceSync`).
 * `space.ts` implements all three; tests of either side may use a space without the other.
 */
import type { Branch, Resumed } from './change-branch.js'
import type { NodeSource, RemoteRows } from './thin/remote.js'
import type { Committed, DeviceId, Draft, Head, MemberId, Role, SettleState, Verdict, View } from './types.js'

export interface Me {
  readonly member: MemberId
  readonly device: DeviceId
  /** As the verified state says now; undefined once removed. */
  readonly role: Role | undefined
}

export interface SpaceReader {
  /** SHA-256 of the genesis entry under its label: 32 bytes. */
  readonly id: Uint8Array
  readonly me: Me
  /** The verified state. */
  readonly verified: View
  /** The verified state with this device's pending entries applied on top: what SQL reads by default. */
  readonly current: View
  /** The verified state after entry `size` (AS OF); loads it from the log if it is no longer held. */
  at(size: number): Promise<View>
  /** Of a thin client, whose views lack rows (`out-of-scope`) until they are fetched. */
  readonly remote?: RemoteRows | undefined
  /** Ids (lower-case hex) of files of a view whose content is all on this device. */
  wholeFiles(view: View): Promise<ReadonlySet<string>>
  on<K extends keyof SpaceEvents>(event: K, listener: (detail: SpaceEvents[K]) => void): () => void
}

export interface SpaceWriter extends SpaceReader {
  /**
   * Seal, sign and apply a draft on top of `view` (must be `current`; else `stale-view`, a retry). Resolves when the entry is durable here.
   * Throws `rejected` (refused; facts.code, facts.detail) when the state machine rejects it locally: then nothing was written.
   */
  commit(draft: Draft, view: View): Promise<Committed>
  /** A `retry` was dealt with without a new entry (nothing to change any more, or it can't be done): forget the refused one. */
  retried(hash: Uint8Array): Promise<void>
  /** Turns read-only on evidence, on removal, on an unknown protocol version. */
  readonly writable: boolean
}

export interface SpaceEvents {
  /** `current` (and perhaps `verified`) moved. Synchronous; take `view.changes(older)` for what changed. */
  readonly change: { readonly verified: boolean }
  /**
   * A pending entry was rejected by the log or no longer applies: execute it again on the new state, then commit a new draft with the same `replay`
   * (it takes the refused entry's place, on disk too), or call `retried`. Until then it is told again whenever the space is opened. If the entry lands
   * meanwhile, after all, `settle` says `relay` of it, after `current` has moved: then it must not be executed again. `isNew`: written since the space was
   * opened, so whoever wrote it learns of it by `settled`.
   */
  readonly retry: { readonly hash: Uint8Array; readonly verdict: Verdict; readonly replay: Uint8Array | undefined; readonly isNew: boolean }
  readonly settle: { readonly hash: Uint8Array; readonly state: SettleState }
  readonly alert: Alert
}

/** Something is wrong and somebody should know. `evidence` verifies offline (`verifyEvidence`; of an equivocation, `verifyDeviceEvidence`). */
export interface Alert {
  readonly code: 'fork' | 'rollback' | 'equivocation' | 'relay-junk' | 'truncated' | 'tampered' | 'bad-link' | 'copied-store' | 'lost-file' | 'files-refused' | 'removed' | 'unsupported-version'
  readonly message: string
  readonly evidence?: Uint8Array
  readonly facts: Readonly<Record<string, string | number>>
}

/** What the relay sent that is not what it should be is a SealError (family hostile); nothing of a refused batch is kept. */
export interface SpaceSync extends SpaceReader {
  /** Of a thin client: who is asked for rows from now on; `expected`: there will be somebody. */
  readonly remote?: (RemoteRows & { connect(source: NodeSource | undefined, expected: boolean): void }) | undefined
  /** Records of this device that are not in the verified log, oldest first, byte for byte as they must be sent. */
  outbox(): readonly { readonly hash: Uint8Array; readonly record: Uint8Array }[]
  /** Mark as sent: its state becomes `unknown` until it is seen in the log. */
  sent(hash: Uint8Array): void
  /**
   * Records `[from, from + records.length)` of the log with the relay's signed checkpoint note for the size they lead to.
   * Checks the note, the position, the recomputed roots; then applies, persists, moves the head. Atomic. `witness`, for a thin client: a proof of what
   * applying them opens of the state before them; what it lacks is asked for.
   */
  receive(from: number, records: readonly Uint8Array[], note: Uint8Array, witness?: Uint8Array): Promise<void>
  /**
   * A checkpoint seen elsewhere (presence, another member), compared with ours; a contradiction becomes evidence. `consistency`, for a larger one: what
   * the relay says its log root was at our size, and the proof that leads from there.
   */
  observe(note: Uint8Array, consistency?: { readonly root: Uint8Array; readonly proof: readonly Uint8Array[] }): Promise<'same' | 'behind' | 'ahead' | 'fork' | 'unknown'>
  /** The verified head, and records of the verified log for a relay that has lost them. */
  readonly head: Head
  records(from: number, to: number): Promise<readonly Uint8Array[]>
  compareHead(head: Head): 'same' | 'behind' | 'ahead' | 'different'
  /** The relay's latest note under the verified head. */
  readonly note: Uint8Array | undefined
  raise(alert: Alert): void
  /** Evidence of a fork, or against a device, that another member found: verified here, then kept as if it had been found here. True if it is news. Throws as `verifyEvidence`. */
  observeEvidence(evidence: Uint8Array): Promise<boolean>
  /** The evidence against the relay that is held here; writing has stopped while there is any. */
  readonly evidence: readonly Uint8Array[]
  /**
   * Go over to the history that the relay has now, by an admin's acceptance in it: to be tried when this device is stuck on entries that the relay has lost,
   * or stopped by evidence about them. Throws `fork` while nobody has accepted it.
   */
  resume(theirs: Branch): Promise<Resumed>
  /** How many first entries the relay's history has in common with the one verified here; `record` gives the relay's at an index. `theirs.from` of `resume`. */
  commonWith(theirSize: number, record: (index: number) => Promise<Uint8Array>): Promise<number>
  /** Sign a relay's fresh challenge with this device's key, bound to relay name and space. */
  signChallenge(relayName: string, challenge: Uint8Array): { readonly device: DeviceId; readonly signature: Uint8Array }
  /** Seal/open a presence message for the members' current devices (epoch key, signed, counter). */
  sealPresence(counter: number, payload: Uint8Array): Uint8Array
  openPresence(message: Uint8Array): { readonly member: MemberId; readonly device: DeviceId; readonly counter: number; readonly head: Head; readonly payload: Uint8Array }
  /** The relay this space is attached to, as the verified state says. */
  readonly relay: { readonly url: string; readonly name: string; readonly publicKey: Uint8Array } | undefined
}
