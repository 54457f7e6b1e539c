/**
 * The rim of a space on one device: what is verified, what is pending, and the store below. The one place of the engine that waits, and
 * where time and randomness come in. Everything it decides it asks of `apply`; everything durable is one atomic batch.
 *
 *     verified = the log up to the verified head        current = verified + this device's pending entries
 *
 * Without a relay the device orders its own entries: a commit goes straight to the log. With one it goes to the outbox, and to the log when
 * the relay has given it a place under a signed checkpoint.
 *
 * Over 400 lines: the two states move together, and splitting them hides the moments at which they may differ.
 */
import { equalBytes } from '../codec/bytes.js'
import type { CryptoProvider, Signer } from '../crypto/provider.js'
import { SealError, invariant, isSealError } from '../errors.js'
import type { BuildContext } from '../group/builders.js'
import { buildRotate, mustRotate } from '../group/build-epoch.js'
import type { Keyring } from '../group/keyring.js'
import { newestEpoch, readDevice, readMember, readMeta, sameEpoch } from '../group/roster.js'
import type { ApplyEnv } from '../state/context.js'
import { pointerKey, protocolKey, relayKey } from '../state/keys.js'
import { decodePointer } from '../state/roster.js'
import { apply, type Applied, headOf } from './apply.js'
import { buildDraft, buildRecord } from './build.js'
import { Emitter, Mutex } from './emitter.js'
import { decodeRecord, PROTOCOL_VERSION, type ReadClaim } from './entry.js'
import { openRelayNote, type RelayStatement, verifyEvidence } from './evidence.js'
import type { Follower, HeldState } from './follower.js'
import { signHandshake } from './handshake.js'
import { HistoryReader } from './history.js'
import type { Op } from './ops/index.js'
import { decodeRelay, protocolVersion, type RelayRecord } from './ops/space.js'
import type { Pending } from './pending.js'
import { Outbox, type Landing, type OutboxChange, type Puts } from './outbox.js'
import { encodeHead, NAMES } from './persist.js'
import type { Alert, Me, SpaceEvents, SpaceSync, SpaceWriter } from './port.js'
import { openPresence, type Presence, sealPresence } from './presence.js'
import { SpaceView } from './view.js'
import type { Batch, Store } from '../store/store.js'
import type { Committed, DeviceId, Draft, Head, SettleState, Verdict, View } from './types.js'
import { forkEvidence, type Contradiction } from './watch.js'

export interface SpaceOptions {
  readonly crypto: CryptoProvider
  readonly random: (length: number) => Uint8Array
  /** Milliseconds since 1970; written into entries, never decides. */
  readonly now: () => number
}

/** What `open.ts` has read and verified. */
export interface SpaceParts {
  readonly options: SpaceOptions
  readonly store: Store
  readonly follower: Follower
  readonly keyring: Keyring
  readonly device: DeviceId
  readonly signer: Signer
  /** Up to this size no entry of the log has a signature that is not good: it can be replayed without looking at them. */
  readonly soundTo: number
  /** What opening found amiss, to be told. */
  readonly alerts?: readonly Alert[]
}

export class Space implements SpaceWriter, SpaceSync {
  readonly id: Uint8Array
  readonly #options: SpaceOptions
  readonly #store: Store
  readonly #follower: Follower
  readonly #keyring: Keyring
  readonly #device: DeviceId
  readonly #signer: Signer
  readonly #events = new Emitter<SpaceEvents>((error) => { queueMicrotask(() => { throw error }) }, ['alert', 'retry'])
  readonly #lock = new Mutex()
  readonly #history: HistoryReader
  readonly #outbox: Outbox
  #current: SpaceView
  #verified: SpaceView
  /** Index below which each other member's entries have built on our history. */
  readonly #seen = new Map<number, number>()
  #frozen: 'evidence' | 'removed' | 'store' | 'unsupported-version' | undefined
  #closed = false
  #replayed = 0

  /** Use `createSpace` or `openSpace` of open.ts. */
  constructor(parts: SpaceParts) {
    const { options, store, follower, keyring } = parts
    this.id = follower.env.spaceId
    this.#options = options
    this.#store = store
    this.#follower = follower
    this.#keyring = keyring
    this.#device = parts.device
    this.#signer = parts.signer
    this.#history = new HistoryReader(follower, store, parts.soundTo)
    this.#outbox = new Outbox(options.crypto, (index) => [...this.#seen.values()].filter((size) => size > index).length)
    this.#verified = this.#viewOf(follower.hold(), 0)
    this.#current = this.#verified
    for (const alert of parts.alerts ?? []) this.#alert(alert)
    this.#restoreEvidence()
    if (keyring.settle(follower.state.tree)) this.#persistKeyring() // the process ended between learning of it and keeping it
    this.#restorePending()
    this.#noticeStanding()
  }

  // ---- reading -----------------------------------------------------------------------------------------------------------------

  get env(): ApplyEnv {
    return this.#follower.env
  }
  get me(): Me {
    const { tree } = this.#verified.held
    const device = readDevice(tree, this.#device)
    const member = device === undefined ? undefined : readMember(tree, device.member)
    const active = device !== undefined && device.removedAt === undefined && member?.removedAt === undefined
    return { member: device?.member ?? 0, device: this.#device, role: active ? member?.role : undefined }
  }
  get verified(): View {
    return this.#verified
  }
  get current(): View {
    return this.#current
  }
  /** Of `verified`: the follower runs ahead while a batch is being made durable. */
  get head(): Head {
    return this.#verified.head
  }
  get keyring(): Keyring {
    return this.#keyring
  }
  get store(): Store {
    return this.#store
  }
  /** The state of `current`, unopened: for building group ops. */
  get currentState(): HeldState['tree'] {
    return this.#current.held.tree
  }
  /** The verified log's leaf hashes: for proofs and comparisons. */
  get log(): Follower['log'] {
    return this.#follower.log
  }

  /** Of the state tree: to see that nothing is held on to. */
  get stats(): ReturnType<Follower['states']['stats']> {
    return this.#follower.states.stats()
  }

  /** The verified state after `size` entries, opened. The caller releases it. */
  async at(size: number): Promise<View> {
    if (!Number.isInteger(size) || size < 1 || size > this.head.size) {
      throw new SealError('bad-argument', `Expected a size from 1 to ${this.head.size}, got ${size}.`, { size, max: this.head.size })
    }
    if (size === this.head.size) return this.#verified.retain()
    const past = await this.#history.at(size)
    return new SpaceView({ env: this.env, states: past.states, held: past.held, head: headOf(this.env, past.held), pending: 0, keyring: this.#keyring })
  }

  on<K extends keyof SpaceEvents>(event: K, listener: (detail: SpaceEvents[K]) => void): () => void {
    return this.#events.on(event, listener)
  }

  // ---- writing -----------------------------------------------------------------------------------------------------------------

  get writable(): boolean {
    return this.#frozen === undefined && !this.#closed
  }

  commit(draft: Draft, view: View): Promise<Committed> {
    return this.#lock.run(async () => {
      // Somebody left, and the epoch has no secret yet: whoever writes first makes one, and then writes on the state that has it.
      if (this.writable && this.me.role !== undefined && mustRotate(this.#current.held.tree)) await this.#write([buildRotate(this.#buildContext())], [], undefined)
      if (view !== this.#current) throw new SealError('stale-view', 'The space moved on while this transaction was running; run it again on the new state.')
      const state = this.#current.held
      const role = this.me.role
      if (role === undefined) throw readOnly('removed')
      const bench = { env: this.env, state: state.tree, device: this.#device, role, secrets: this.#keyring, random: this.#options.random }
      const { ops, reads } = buildDraft(bench, draft)
      return this.#write(ops, reads, draft.replay)
    })
  }

  /**
   * What a `retry` asked for was done without a new entry, or can't be done: the refused entry is forgotten. Not needed after a `commit` with the
   * same `replay`, which takes its place.
   */
  retried(hash: Uint8Array): Promise<void> {
    return this.#lock.run(async () => {
      const change = this.#outbox.resolve(hash)
      if (change.puts.length === 0 || this.#closed) return
      await this.#durable({ put: change.puts })
      this.#outbox.adopt(change)
    })
  }

  /** Write ops of the group or of the space as a whole; built on the state they will be applied to. */
  commitOps(build: (context: BuildContext) => readonly Op[], withKeyring: 'with-keyring' | 'as-needed' = 'as-needed'): Promise<Committed> {
    return this.#lock.run(() => this.#write(build(this.#buildContext()), [], undefined, withKeyring === 'with-keyring'))
  }

  /** `withKeyring`: what was staged in the keyring becomes durable with the entry that publishes it. */
  async #write(ops: readonly Op[], reads: readonly ReadClaim[], replay: Uint8Array | undefined, withKeyring = false): Promise<Committed> {
    if (this.#frozen !== undefined) throw readOnly(this.#frozen)
    if (this.#closed) throw new SealError('bad-argument', 'This space was closed.')
    const record = this.#sign(ops, reads)
    const before = this.#current.held
    const applied = apply(this.env, before, record, { signature: 'trusted' })
    if (applied.verdict.kind !== 'applied') {
      ;(applied.state as HeldState).tree.release()
      throw rejection(applied.verdict)
    }
    const pending = this.#outbox.track(record, applied.hash, replay)
    try {
      // Secrets of a new epoch are durable before the entry that starts it can leave the device.
      const opened = this.#openNewEpoch(applied.state as HeldState)
      const put: Puts = withKeyring ? [[NAMES.keyring, this.#keyring.encode()]] : opened
      if (this.relay === undefined) await this.#appendOwn(applied, record, pending, put)
      else await this.#keepPending(applied, pending, put)
    } catch (error) {
      this.#keyring.open(before.tree) // an epoch that did not come to be is dropped again
      throw error
    }
    return pending
  }

  /** No relay: this device's own log is the log. */
  async #appendOwn(applied: Applied, record: Uint8Array, pending: Pending, put: Puts): Promise<void> {
    const head = headOf(this.env, applied.state)
    const change = this.#outbox.replace(pending)
    try {
      await this.#durable({ at: this.head.size, append: [record], put: [[NAMES.head, encodeHead(head)], ...put, ...change.puts] })
    } catch (error) {
      ;(applied.state as HeldState).tree.release()
      throw error
    }
    this.#follower.adopt(applied)
    this.#history.followed([applied.verdict])
    this.#outbox.adopt(change)
    this.#settleKeyring()
    this.#moveVerified()
    this.#noticeStanding()
    pending.settle({ kind: 'relay', index: head.size - 1 })
    this.#events.emit('change', { verified: true })
    this.#events.emit('settle', { hash: pending.hash, state: pending.state })
  }

  async #keepPending(applied: Applied, pending: Pending, put: Puts): Promise<void> {
    const change = this.#outbox.add(pending)
    try {
      await this.#durable({ put: [...change.puts, ...put] })
    } catch (error) {
      ;(applied.state as HeldState).tree.release()
      throw error
    }
    this.#outbox.adopt(change)
    this.#setCurrent(this.#viewOf(applied.state as HeldState, this.#outbox.pending.length))
    this.#events.emit('change', { verified: false })
  }

  /** A commit to the store. If it may or may not have happened, the store has to be opened again before anything else is written. */
  async #durable(batch: Batch): Promise<void> {
    try {
      await this.#store.commit(batch)
    } catch (error) {
      if (isSealError(error, 'store-failed') && (error.facts.outcome === 'unknown' || error.facts.reopen === true)) this.#frozen ??= 'store'
      throw error
    }
  }

  #sign(ops: readonly Op[], reads: readonly ReadClaim[]): Uint8Array {
    const state = this.#current.held.tree
    const pointer = state.get(pointerKey(this.#device))
    invariant(pointer !== undefined, 'this device has no pointer')
    return buildRecord(this.env, {
      signer: this.#signer,
      base: this.head,
      device: this.#device,
      devicePrev: decodePointer(pointer).hash,
      epoch: readMeta(state).epoch,
      time: this.#options.now(),
    }, ops, reads)
  }

  #buildContext(): BuildContext {
    const { crypto, random } = this.#options
    const state = this.#current.held
    return { crypto, random, spaceId: this.id, base: this.head, state: state.tree, index: state.log.size, device: this.#device, signer: this.#signer, keyring: this.#keyring }
  }

  // ---- the relay's side --------------------------------------------------------------------------------------------------------

  get relay(): RelayRecord | undefined {
    const bytes = this.#verified.held.tree.get(relayKey())
    return bytes === undefined ? undefined : decodeRelay(bytes)
  }

  outbox(): readonly { readonly hash: Uint8Array; readonly record: Uint8Array }[] {
    return this.#outbox.pending
  }

  sent(hash: Uint8Array): void {
    const pending = this.#outbox.pending.find((item) => equalBytes(item.hash, hash))
    if (pending?.state.kind !== 'local') return
    pending.sent()
    this.#events.emit('settle', { hash, state: pending.state })
  }

  receive(from: number, records: readonly Uint8Array[], note: Uint8Array): Promise<void> {
    return this.#lock.run(async () => {
      if (this.#frozen === 'evidence' || this.#closed) return
      const statement = await this.#openNote(note)
      const known = this.head.size
      if (from > known) throw new SealError('bad-argument', `Expected records from ${known} on, got them from ${from}.`, { expected: known, found: from })
      if (statement.size <= known) {
        await this.#compareWithPast(statement)
        return
      }
      const fresh = records.slice(known - from)
      if (statement.size !== known + fresh.length) {
        throw new SealError('bad-checkpoint', `Expected a checkpoint for size ${known + fresh.length}, got one for ${statement.size}.`, { expected: known + fresh.length, found: statement.size })
      }
      await this.#advance(fresh, statement)
    })
  }

  /** Follow records, all or none, to the head that the relay has signed; re-base what is pending; make both durable, then move on. */
  async #advance(records: readonly Uint8Array[], statement: RelayStatement): Promise<void> {
    if (this.#frozen === 'store') throw readOnly('store')
    const start = this.#follower.hold()
    const first = start.log.size
    let rebased: Rebased | undefined
    let step: Step
    try {
      const verdicts = this.#follow(records)
      const { logRoot, stateRoot } = this.#follower.head
      if (!equalBytes(logRoot, statement.logRoot) || !equalBytes(stateRoot, statement.stateRoot)) {
        throw new SealError('bad-checkpoint', `The relay's checkpoint for size ${statement.size} is not the head that its entries lead to.`, { size: statement.size })
      }
      const opened = this.#openNewEpoch(this.#follower.state as HeldState)
      const landing = this.#outbox.land(verdicts)
      rebased = this.#rebase(this.#follower.state as HeldState, landing)
      const put: Puts = [[NAMES.head, encodeHead(this.#follower.head)], [NAMES.note, statement.note], ...opened, ...rebased.change.puts]
      await this.#durable({ at: first, append: records, put })
      step = { records, verdicts, landing, rebased, first }
    } catch (error) {
      rebased?.held?.tree.release()
      this.#follower.reset(start)
      this.#keyring.open(this.#current.held.tree)
      throw error
    }
    start.tree.release()
    this.#moveOn(step)
  }

  #follow(records: readonly Uint8Array[]): Judged[] {
    try {
      return records.map((record) => this.#follower.follow(record, 'check'))
    } catch (error) {
      if (isSealError(error, 'unsupported-version')) this.#stopAtVersion(Number(error.facts.found))
      throw error
    }
  }

  /** Durable now: settle, show, tell. Nothing here may fail. */
  #moveOn({ records, verdicts, landing, rebased, first }: Step): void {
    const { landed } = landing
    this.#watch(records, verdicts, landing)
    this.#history.followed(verdicts.map(({ verdict }) => verdict))
    this.#outbox.adopt(rebased.change)
    this.#settleKeyring()
    this.#moveVerified()
    this.#show(rebased)
    this.#noticeStanding()
    this.#events.emit('change', { verified: true })
    for (const { pending, verdict, offset } of landed) {
      this.#settle(pending, verdict.kind === 'applied' ? { kind: 'relay', index: first + offset } : { kind: 'rejected', index: first + offset, verdict })
      if (verdict.kind !== 'applied') this.#events.emit('retry', { hash: pending.hash, verdict, replay: pending.replay })
    }
    this.#tellDropped(rebased)
  }

  /** Apply what is pending to a verified state. What no longer applies, and all after it, is given up: query executes it again. */
  #rebase(verified: HeldState, before: OutboxChange): Rebased {
    let held: HeldState | undefined
    let kept = 0
    let refusal: Refusal | undefined
    // A protocol that this code does not know has no verdicts for it: what is pending waits for the code that does.
    const known = protocolVersion(verified.tree.get(protocolKey())) === PROTOCOL_VERSION
    for (const pending of known ? before.pending : []) {
      const { state, verdict } = apply(this.env, held ?? verified, pending.record, { signature: 'trusted' })
      if (verdict.kind !== 'applied') {
        ;(state as HeldState).tree.release()
        refusal = verdict
        break
      }
      held?.tree.release()
      held = state as HeldState
      kept++
    }
    const change = refusal ? this.#outbox.drop(before, kept) : { ...before, dropped: [] }
    return { held, kept, change, refusal }
  }

  #show({ held, kept }: Rebased): void {
    if (held) {
      this.#keyring.open(held.tree)
      this.#setCurrent(this.#viewOf(held, kept))
    } else this.#setCurrent(this.#verified)
  }

  /** Dropped entries are not waited for any longer; those that somebody can execute again are handed back. */
  #tellDropped({ change, refusal }: Rebased): void {
    if (!refusal) return
    for (const pending of change.dropped) {
      this.#settle(pending, { kind: 'rejected', index: this.head.size, verdict: refusal })
      this.#events.emit('retry', { hash: pending.hash, verdict: refusal, replay: pending.replay })
    }
  }

  #settle(pending: Pending, state: SettleState): void {
    pending.settle(state)
    this.#events.emit('settle', { hash: pending.hash, state: pending.state })
  }

  /** What later entries say: who has seen what, and whether somebody else writes with this device's key. */
  #watch(records: readonly Uint8Array[], verdicts: readonly Judged[], { landed, revived }: Landing): void {
    const tree = this.#follower.state.tree
    let junk = 0
    records.forEach((record, i) => {
      const decoded = decodeRecord(record)
      const verdict = verdicts[i]?.verdict
      if (verdict?.kind === 'ignored') junk++
      if (decoded.kind !== 'entry' || verdict?.kind !== 'applied' || decoded.entry.adopted) return
      const { device, base } = decoded.entry
      const member = device === 0 ? undefined : readDevice(tree, device)?.member
      if (member !== undefined && member !== this.me.member) this.#seen.set(member, Math.max(this.#seen.get(member) ?? 0, base.size))
      const hash = (verdicts[i] as Judged).hash
      if (device === this.#device && !landed.some(({ pending }) => equalBytes(pending.hash, hash)) && !revived.some((known) => equalBytes(known, hash))) {
        this.#alert({ code: 'copied-store', message: 'Another copy of this device’s store is writing with its key. Keep one, and remove this device from the other place.', facts: { device } })
      }
    })
    if (records.length >= 16 && junk * 16 > records.length) {
      this.#alert({ code: 'relay-junk', message: `The relay has stored ${junk} entries of ${records.length} that everybody ignores.`, facts: { junk, of: records.length } })
    }
  }

  // ---- what others say -----------------------------------------------------------------------------------------------------------

  async observe(note: Uint8Array, consistency?: readonly Uint8Array[]): Promise<'same' | 'behind' | 'ahead' | 'fork' | 'unknown'> {
    return this.#lock.run(async () => {
      const statement = await this.#openNote(note)
      if (statement.size > this.head.size) {
        if (consistency === undefined) return 'unknown'
        return this.#freezeIf(forkEvidence(this.#contradictionParts(), statement, consistency)).then((fork) => (fork ? 'fork' : 'ahead'))
      }
      const outcome = await this.#compareWithPast(statement)
      return outcome === 'fork' ? 'fork' : statement.size === this.head.size ? 'same' : 'behind'
    })
  }

  /** Another device's verified head, against the history verified here. */
  compareHead(head: Head): 'same' | 'behind' | 'ahead' | 'different' {
    if (head.size > this.head.size) return 'ahead'
    if (head.size < this.#follower.log.start || head.size === 0) return 'behind'
    if (!equalBytes(head.logRoot, this.#follower.log.root(head.size))) return 'different'
    if (head.size < this.head.size) return 'behind'
    return equalBytes(head.stateRoot, this.head.stateRoot) ? 'same' : 'different'
  }

  get evidence(): readonly Uint8Array[] {
    return this.#store.names(NAMES.evidence).map((name) => this.#store.get(name) as Uint8Array)
  }

  async observeEvidence(evidence: Uint8Array): Promise<boolean> {
    return this.#lock.run(async () => {
      const { spaceId, relayName, relayKey } = verifyEvidence(this.env.crypto, evidence)
      const { relay } = this
      // Against a relay that this space is not attached to, it stops nothing here.
      if (!equalBytes(spaceId, this.id) || relay === undefined || relay.name !== relayName || !equalBytes(relay.publicKey, relayKey)) return false
      return this.#frozen === 'evidence' || this.#closed ? false : this.#freezeIf(evidence)
    })
  }

  /** Records of the verified log, for a relay that has lost them. */
  records(from: number, to: number): Promise<readonly Uint8Array[]> {
    return this.#store.read(from, to)
  }

  /** Raise an alert that net has reason for. */
  raise(alert: Alert): void {
    this.#alert(alert)
  }

  signChallenge(relayName: string, challenge: Uint8Array): { readonly device: DeviceId; readonly signature: Uint8Array } {
    return { device: this.#device, signature: signHandshake(this.#signer, { relayName, space: this.id, nonce: challenge }) }
  }

  sealPresence(counter: number, payload: Uint8Array): Uint8Array {
    const { epoch } = newestEpoch(this.#verified.held.tree)
    return sealPresence(this.env, this.#keyring, epoch, this.#device, this.#signer, this.#options.random(24), { counter, head: this.head, payload })
  }

  openPresence(message: Uint8Array): Presence {
    return openPresence(this.env, this.#keyring, this.#verified.held.tree, message)
  }

  /** The note of the relay under the verified head, if there is one. */
  get note(): Uint8Array | undefined {
    return this.#store.get(NAMES.note)
  }

  async #openNote(note: Uint8Array): Promise<RelayStatement> {
    const { relay } = this
    if (relay === undefined) throw new SealError('bad-argument', 'This space is attached to no relay.')
    return Promise.resolve(openRelayNote(this.env.crypto, this.id, relay, note))
  }

  /** After a move to another relay, the note in store may still be the former one's, or of a size before the move. */
  #hasNoteOfRelay(): boolean {
    const { note, relay } = this
    if (note === undefined || relay === undefined) return false
    try {
      return openRelayNote(this.env.crypto, this.id, relay, note).size === this.head.size
    } catch (error) {
      if (!isSealError(error)) throw error
      return false
    }
  }

  /** A statement about a size that is known here: the same head, or evidence. */
  async #compareWithPast(statement: RelayStatement): Promise<'same' | 'fork'> {
    if (await this.#freezeIf(forkEvidence(this.#contradictionParts(), statement, undefined))) return 'fork'
    // The first note of a relay that was given this history, rather than giving it, is to be held against it all the same.
    if (statement.size === this.head.size && !this.#hasNoteOfRelay()) await this.#durable({ put: [[NAMES.note, statement.note]] })
    return 'same'
  }

  #contradictionParts(): Contradiction {
    return { crypto: this.env.crypto, spaceId: this.id, relay: this.relay, log: this.#follower.log, head: this.head, note: this.#hasNoteOfRelay() ? this.note : undefined }
  }

  async #freezeIf(evidence: Uint8Array | 'no-note' | undefined): Promise<boolean> {
    if (evidence === undefined) return false
    if (evidence === 'no-note') throw new SealError('fork', 'The relay’s checkpoint names another history than the one verified here.')
    // One proof is enough: a relay that goes on contradicting itself fills no disk.
    if (this.#frozen === 'evidence') return true
    const n = this.#store.names(NAMES.evidence).length
    // Writing stops even if the disk is full.
    this.#frozen = 'evidence'
    this.#alertFork(evidence)
    await this.#durable({ put: [[`${NAMES.evidence}${String(n).padStart(6, '0')}`, evidence]] })
    return true
  }

  #alertFork(evidence: Uint8Array): void {
    this.#alert({ code: 'fork', message: 'The relay has signed two different histories of this space. Reading goes on; writing has stopped. The evidence is attached.', evidence, facts: { size: this.head.size } })
  }

  /** Evidence outlives the process. What does not verify is not evidence, whoever put it there. */
  #restoreEvidence(): void {
    for (const evidence of this.evidence) {
      verifyEvidence(this.env.crypto, evidence)
      this.#frozen = 'evidence'
      this.#alertFork(evidence)
    }
  }

  // ---- moving --------------------------------------------------------------------------------------------------------------------

  #moveVerified(): void {
    const old = this.#verified
    this.#verified = this.#viewOf(this.#follower.hold(), 0)
    if (this.#current === old) this.#current = this.#verified
    else if (this.#outbox.pending.length === 0) {
      this.#current.release()
      this.#current = this.#verified
    }
    old.release()
  }

  #setCurrent(view: SpaceView): void {
    if (view === this.#current) return
    if (this.#current !== this.#verified) this.#current.release()
    this.#current = view
  }

  #viewOf(held: HeldState, pending: number): SpaceView {
    return new SpaceView({ env: this.env, states: this.#follower.states, held, head: this.#follower.head, pending, keyring: this.#keyring })
  }

  #restorePending(): void {
    this.#outbox.restore(this.#store)
    const unresolved = this.#outbox.unresolved
    const rebased = this.#rebase(this.#verified.held, this.#outbox.now)
    this.#outbox.adopt(rebased.change)
    this.#show(rebased)
    const { puts } = rebased.change
    if (puts.length > 0) void this.#lock.run(() => this.#durable({ put: puts })).catch((error: unknown) => this.#fail(error))
    for (const { hash, replay } of unresolved) this.#events.emit('retry', { hash, verdict: { kind: 'rejected', code: 'conflict', detail: 'earlier' }, replay })
    this.#tellDropped(rebased)
    this.#replayed = this.#outbox.pending.length
  }

  /** How many pending entries were found in the store when it was opened. */
  get restored(): number {
    return this.#replayed
  }

  /** If the epoch moved: open it, and give what has to be stored. */
  #openNewEpoch(state: HeldState): Puts {
    if (sameEpoch(state.tree, this.#current.held.tree) && sameEpoch(state.tree, this.#verified.held.tree)) return []
    for (const problem of this.#keyring.open(state.tree)) {
      this.#alert({ code: 'bad-link', message: `Device ${problem.device} made a ${problem.kind} of epoch ${problem.epoch} that does not hold what it should.`, facts: { ...problem } })
    }
    return [[NAMES.keyring, this.#keyring.encode()]]
  }

  /** What the verified state says is forgotten is destroyed, a fresh agreement key takes over. */
  #settleKeyring(): void {
    if (this.#keyring.settle(this.#follower.state.tree)) this.#persistKeyring()
  }

  #persistKeyring(): void {
    void this.#lock.run(() => this.#durable({ put: [[NAMES.keyring, this.#keyring.encode()]] })).catch((error: unknown) => this.#fail(error))
  }

  /** Does the verified state let this device, with this code, go on writing? */
  #noticeStanding(): void {
    const version = protocolVersion(this.#verified.held.tree.get(protocolKey()))
    if (version !== PROTOCOL_VERSION) this.#stopAtVersion(version)
    if (this.#frozen !== undefined || this.me.role !== undefined) return
    this.#frozen = 'removed'
    this.#alert({ code: 'removed', message: 'This device was removed from the space. What it holds stays readable here; nothing newer will be.', facts: { device: this.#device } })
  }

  #stopAtVersion(found: number): void {
    if (this.#frozen === 'unsupported-version') return
    this.#frozen ??= 'unsupported-version'
    this.#alert({ code: 'unsupported-version', message: `This space has moved to protocol version ${found}. Reading goes on as of the last entry that this program understands; update it to write.`, facts: { found, known: PROTOCOL_VERSION } })
  }

  #alert(alert: Alert): void {
    this.#events.emit('alert', alert)
  }

  /** Something durable failed behind the caller's back: no more writing until the store was opened again. */
  #fail(error: unknown): void {
    if (this.#closed) return
    this.#frozen ??= 'store'
    this.#alert({ code: 'tampered', message: error instanceof Error ? error.message : String(error), facts: { code: isSealError(error) ? error.code : 'unexpected' } })
  }

  /** Waits for what is under way, then closes the store. */
  async close(): Promise<void> {
    await this.#lock.run(async () => {
      if (this.#closed) return
      this.#closed = true
      this.#history.close()
      await this.#store.close()
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

type Refusal = Exclude<Verdict, { kind: 'applied' }>
interface Judged { readonly hash: Uint8Array; readonly verdict: Verdict }
/** What is pending, on a new verified state. `held`: with all of it applied, if there is any. */
interface Rebased { readonly held: HeldState | undefined; readonly kept: number; readonly change: OutboxChange & { readonly dropped: readonly Pending[] }; readonly refusal: Refusal | undefined }
interface Step { readonly records: readonly Uint8Array[]; readonly verdicts: readonly Judged[]; readonly landing: Landing; readonly rebased: Rebased; readonly first: number }

function rejection(verdict: Exclude<Verdict, { kind: 'applied' }>): SealError {
  const { kind, code, detail } = verdict
  return new SealError('rejected', `The space refuses this: ${code}${detail === undefined ? '' : ` (${detail})`}.`, { kind, code, detail: detail ?? null })
}

function readOnly(reason: string): SealError {
  return new SealError('read-only', `This space takes no writes now: ${reason}.`, { reason })
}
