/**
 * The rim of a space on one device: what is verified, what is pending, and the store below. The one place of the engine that waits, and
 * where time and randomness come in. Everything it decides it asks of `apply`; everything durable is one atomic batch.
 *
 *     verified = the log up to the verified head        current = verified + this device's pending entries
 *
 * Without a relay the device orders its own entries: a commit goes straight to the log. With one it goes to the outbox, and to the log when
 * the relay has given it a place under a signed checkpoint.
 *
 * This is the face that query and net see (port.ts). What the sides share lies in core.ts.
 */
import { equalBytes } from '../codec/bytes.js'
import { SealError } from '../errors.js'
import { later } from '../later.js'
import type { BuildContext } from '../group/builders.js'
import type { Keyring } from '../group/keyring.js'
import { newestEpoch } from '../group/roster.js'
import { LogTree } from '../log/tree.js'
import type { ApplyEnv } from '../state/context.js'
import type { TreeStats } from '../state/tree.js'
import type { Store } from '../store/store.js'
import { Advance } from './advance.js'
import { headOf } from './apply.js'
import type { Branch, BranchChange, Resumed } from './change-branch.js'
import { SpaceCore, type SpaceParts } from './core.js'
import { DeviceWatch, isDeviceEvidence } from './device-watch.js'
import { FileShelf } from './file-shelf.js'
import { Follower, type HeldState } from './follower.js'
import { signHandshake } from './handshake.js'
import type { Op } from './ops/index.js'
import { isSameRelay, type RelayRecord } from './ops/space.js'
import { OwnEntries } from './own-entries.js'
import type { Alert, Me, SpaceEvents, SpaceSync, SpaceWriter } from './port.js'
import { openPresence, type Presence, sealPresence } from './presence.js'
import { RelayWatch } from './relay-watch.js'
import type { Committed, DeviceId, Draft, Head, View } from './types.js'
import type { SnapshotSeal } from './snapshot-image.js'
import { SpaceView } from './view.js'
import type { RemoteState } from './thin/remote.js'
import type { Extension } from './watch.js'

export type { SpaceOptions } from './core.js'

export class Space implements SpaceWriter, SpaceSync {
  readonly id: Uint8Array
  readonly #core: SpaceCore
  readonly #own: OwnEntries
  readonly #advance: Advance
  readonly #devices: DeviceWatch
  readonly #ending = new AbortController()
  readonly #watch: RelayWatch
  /** How many pending entries were found in the store when it was opened. */
  readonly restored: number

  /** Use `createSpace` or `openSpace` of open.ts. */
  constructor(parts: SpaceParts) {
    const core = new SpaceCore(parts)
    this.id = core.env.spaceId
    this.#core = core
    this.#devices = new DeviceWatch(core)
    this.#advance = new Advance(core, this.#devices)
    this.#own = new OwnEntries(core, this.#advance)
    this.#watch = new RelayWatch(core)
    core.settleKeyring() // the process ended between learning of it and keeping it
    this.restored = this.#advance.restorePending()
    core.noticeStanding()
  }

  // ---- reading -----------------------------------------------------------------------------------------------------------------

  get env(): ApplyEnv {
    return this.#core.env
  }
  /** By which this device knows its own snapshots. */
  get snapshotSeal(): SnapshotSeal {
    return this.#core.snapshotSeal
  }
  get me(): Me {
    return this.#core.me
  }
  get verified(): View {
    return this.#core.views.verified
  }
  get current(): View {
    return this.#core.views.current
  }
  get head(): Head {
    return this.#core.head
  }
  /** Of a thin client: where its rows are. */
  get remote(): RemoteState | undefined {
    return this.#core.remote
  }
  get keyring(): Keyring {
    return this.#core.keyring
  }
  get store(): Store {
    return this.#core.store
  }
  /** The state of `current`, unopened: for building group ops. */
  get currentState(): HeldState['tree'] {
    return this.#core.views.current.held.tree
  }
  /** Likewise of `verified`. */
  get verifiedState(): HeldState['tree'] {
    return this.#core.views.verified.held.tree
  }
  /** The verified log's leaf hashes: for proofs and comparisons. */
  get log(): Follower['log'] {
    return this.#core.follower.log
  }

  /** The verified head after `size` entries, if it is among the last that were followed since the space was opened. */
  headAt(size: number): Head | undefined {
    return size > this.head.size ? undefined : this.#core.follower.headAt(size)
  }

  /** Of the state tree, its past that is kept for AS OF left out: to see that nothing else is held on to. */
  get stats(): TreeStats {
    const stats = this.#core.follower.states.stats()
    return { ...stats, versions: stats.versions - this.#core.history.claims }
  }

  /** The verified state after `size` entries, opened. The caller releases it. */
  async at(size: number): Promise<View> {
    if (!Number.isInteger(size) || size < 1 || size > this.head.size) {
      throw new SealError('bad-argument', `Expected a size from 1 to ${this.head.size}, got ${size}.`, { size, max: this.head.size })
    }
    if (size === this.head.size) return this.verified.retain()
    if (this.#core.remote !== undefined) throw new SealError('out-of-scope', 'A thin client keeps no entries and no past states: read them on a replica.', { size })
    const past = await this.#core.history.at(size)
    return new SpaceView({ env: this.env, states: past.states, held: past.held, head: headOf(this.env, past.held), pending: 0, keyring: this.keyring })
  }

  /** A follower of its own, at the verified state after `size` entries. The caller releases it. Throws `out-of-scope` if history starts later here (`first`). */
  async followerAt(size: number): Promise<Follower> {
    if (this.#core.remote !== undefined) throw new SealError('out-of-scope', 'A thin client keeps no entries and no past states: read them on a replica.', { size })
    const { states, held } = await this.#core.history.at(size)
    return Follower.resume(this.env, states, held.tree.state.version, new LogTree(this.env.crypto, held.log))
  }

  /** What reads this space's states, and may be run again: a thin client fetches what it lacks of them. */
  async reach<T>(program: () => T): Promise<T> {
    return this.remote === undefined ? program() : this.remote.reach(program)
  }

  wholeFiles(view: View): Promise<ReadonlySet<string>> {
    return new FileShelf(this.env, this.store).whole(view.files())
  }

  on<K extends keyof SpaceEvents>(event: K, listener: (detail: SpaceEvents[K]) => void): () => void {
    return this.#core.events.on(event, listener)
  }

  // ---- writing -----------------------------------------------------------------------------------------------------------------

  get writable(): boolean {
    return this.#core.standing.writable
  }

  commit(draft: Draft, view: View): Promise<Committed> {
    return this.#own.commit(draft, view)
  }

  /**
   * What a `retry` asked for was done without a new entry, or can't be done: the refused entry is forgotten. Not needed after a `commit` with the
   * same `replay`, which takes its place.
   */
  retried(hash: Uint8Array): Promise<void> {
    return this.#own.retried(hash)
  }

  /** Write ops of the group or of the space as a whole; built on the state they will be applied to. `leaving`: they move the space away from its relay, whatever is held against that. */
  commitOps(build: (context: BuildContext) => readonly Op[], how: 'with-keyring' | 'as-needed' | 'leaving' = 'as-needed'): Promise<Committed> {
    return this.#own.commitOps(build, how)
  }

  /** Write ops on files: as `commitOps`, on an epoch that has a secret. */
  commitFiles(build: (context: BuildContext) => readonly Op[]): Promise<Committed> {
    return this.#own.commitFiles(build)
  }

  // ---- the relay's side --------------------------------------------------------------------------------------------------------

  get relay(): RelayRecord | undefined {
    return this.#core.relay
  }

  outbox(): readonly { readonly hash: Uint8Array; readonly record: Uint8Array }[] {
    return this.#core.outbox.pending
  }

  sent(hash: Uint8Array): void {
    const pending = this.#core.outbox.pending.find((item) => equalBytes(item.hash, hash))
    if (pending?.state.kind !== 'local') return
    pending.sent()
    this.#core.events.emit('settle', { hash, state: pending.state })
  }

  receive(from: number, records: readonly Uint8Array[], note: Uint8Array, witness?: Uint8Array): Promise<void> {
    return this.#core.lock.run(async () => {
      const { standing } = this.#core
      if (standing.closed) return
      const known = this.head.size
      if (from > known) throw new SealError('bad-argument', `Expected records from ${known} on, got them from ${from}.`, { expected: known, found: from })
      const fresh = records.slice(known - from)
      const { statement, relay } = this.#watch.openUnder(note, fresh)
      // Who has contradicted himself is not followed; to another relay the space may go.
      if (standing.stopped === 'evidence' && isSameRelay(relay, this.relay)) return
      if (statement.size <= known) {
        await this.#watch.compareWithPast(statement)
        return
      }
      if (statement.size !== known + fresh.length) {
        throw new SealError('bad-checkpoint', `Expected a checkpoint for size ${known + fresh.length}, got one for ${statement.size}.`, { expected: known + fresh.length, found: statement.size })
      }
      // Of the state before the first of them: when some are known by now, it is of no use.
      if (witness !== undefined && witness.length > 0 && from === known) this.#core.remote?.graft(witness)
      await this.#advance.follow(fresh, statement, relay)
      this.#watch.noticeMove()
    })
  }

  /**
   * The relay has lost entries that were verified here and has gone on without them: an admin accepts that. This device goes over to the relay's history,
   * with an entry that lets the others follow, and writes what it had lost again where it can.
   */
  async acceptRollback(theirs: Branch): Promise<{ readonly committed: Committed; readonly resumed: Resumed }> {
    return (await this.#branches()).accept(theirs)
  }

  async resume(theirs: Branch): Promise<Resumed> {
    return (await this.#branches()).resume(theirs)
  }

  /** A relay that went back is rare: what changes over to its history is loaded then. */
  async #branches(): Promise<BranchChange> {
    return new (await later(() => import('./change-branch.js'))).BranchChange(this.#core, this.#watch, this.#advance)
  }

  async commonWith(theirSize: number, record: (index: number) => Promise<Uint8Array>): Promise<number> {
    const { findCommon } = await later(() => import('./change-branch.js'))
    return findCommon(this.env.crypto, this.log, theirSize, record)
  }

  // ---- what others say -----------------------------------------------------------------------------------------------------------

  observe(note: Uint8Array, consistency?: Extension): Promise<'same' | 'behind' | 'ahead' | 'fork' | 'unknown'> {
    return this.#core.lock.run(() => this.#watch.observe(note, consistency))
  }

  observeEvidence(evidence: Uint8Array): Promise<boolean> {
    return this.#core.lock.run(() => (isDeviceEvidence(evidence) ? this.#devices.observe(evidence) : this.#watch.observeEvidence(evidence)))
  }

  /** Another device's verified head, against the history verified here. */
  compareHead(head: Head): 'same' | 'behind' | 'ahead' | 'different' {
    return this.#watch.compareHead(head)
  }

  get evidence(): readonly Uint8Array[] {
    return this.#watch.evidence
  }

  /** The note of the relay under the verified head, if there is one. */
  get note(): Uint8Array | undefined {
    return this.#watch.noteUnderHead
  }

  /** Records of the verified log, for a relay that has lost them. */
  records(from: number, to: number): Promise<readonly Uint8Array[]> {
    return this.store.read(from, to)
  }

  /** Raise an alert that net has reason for. */
  raise(alert: Alert): void {
    this.#core.alert(alert)
  }

  signChallenge(relayName: string, challenge: Uint8Array): { readonly device: DeviceId; readonly signature: Uint8Array } {
    const { device, signer } = this.#core
    return { device, signature: signHandshake(signer, { relayName, space: this.id, nonce: challenge }) }
  }

  sealPresence(counter: number, payload: Uint8Array): Uint8Array {
    const { device, signer, options, views } = this.#core
    const { epoch } = newestEpoch(views.verified.held.tree)
    return sealPresence(this.env, this.keyring, epoch, device, signer, options.random(24), { counter, head: this.head, payload })
  }

  openPresence(message: Uint8Array): Presence {
    return openPresence(this.env, this.keyring, this.#core.views.verified.held.tree, message)
  }

  /** Aborted when the space is about to be closed: who waits for the log waits in vain. */
  get ending(): AbortSignal {
    return this.#ending.signal
  }

  /** Ends the waits for the log; what is being written is written. Before `close`, for whoever has to let them end first. */
  endWaits(): void {
    this.#ending.abort()
  }

  /** Waits for what is under way, then closes the store. */
  async close(): Promise<void> {
    this.endWaits()
    const { lock, standing, history, store } = this.#core
    await lock.run(async () => {
      if (standing.closed) return
      standing.close()
      history.close()
      await store.close()
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
