/**
 * The log goes on: records that the relay has signed for are followed, all or none; what is pending is set on top of them again; both become durable
 * in one batch; then everything moves and is told. Between the batch and the telling nothing may fail.
 */
import { equalBytes } from '../codec/bytes.js'
import { SealError, invariant, isSealError } from '../errors.js'
import { protocolKey, relayKey } from '../state/keys.js'
import { apply, type Applied } from './apply.js'
import { verifyTogether } from './aside.js'
import type { SpaceCore } from './core.js'
import type { DeviceWatch } from './device-watch.js'
import { PROTOCOL_VERSION } from './entry.js'
import type { RelayStatement } from './evidence.js'
import type { Followed, HeldState, SignatureTrust } from './follower.js'
import { someOp, type Ops } from './ops/encoded.js'
import { decodeRelay, isSameRelay, protocolVersion, type RelayRecord } from './ops/space.js'
import { isFileEntry, type Landing, type OutboxChange, type Puts } from './outbox.js'
import type { Pending } from './pending.js'
import { encodeHead, NAMES } from './persist.js'
import { readOnly } from './standing.js'
import type { SettleState, Verdict } from './types.js'

export class Advance {
  readonly #core: SpaceCore
  readonly #devices: DeviceWatch
  /** What was pending when the space was opened lies on top of the verified state, or did not apply. */
  #restored = false

  constructor(core: SpaceCore, devices: DeviceWatch) {
    this.#core = core
    this.#devices = devices
  }

  /** Records that begin at the verified head and lead to the one that the relay has signed. Throws `bad-checkpoint` if they don't, or if it has no say in them; then nothing moves. */
  follow(records: readonly Uint8Array[], statement: RelayStatement, relay: RelayRecord | undefined): Promise<void> {
    const { remote } = this.#core
    const work = (): Promise<void> => this.#follow(records, statement, relay)
    return remote === undefined ? work() : remote.reach(work, 'locked')
  }

  async #follow(records: readonly Uint8Array[], statement: RelayStatement, relay: RelayRecord | undefined): Promise<void> {
    const { standing, follower, outbox, keyring, views } = this.#core
    if (standing.stopped === 'store') throw readOnly('store')
    const start = follower.hold()
    const first = start.log.size
    let rebased: Rebased | undefined
    let step: Step
    try {
      const verdicts = this.#judgeAll(records)
      this.#refuseOfOthers(verdicts, relay)
      const { logRoot, stateRoot } = follower.head
      if (!equalBytes(logRoot, statement.logRoot) || !equalBytes(stateRoot, statement.stateRoot)) {
        throw new SealError('bad-checkpoint', `The relay's checkpoint for size ${statement.size} is not the head that its entries lead to.`, { size: statement.size })
      }
      this.#core.checkKernel()
      const opened = this.#core.openNewEpoch(follower.state as HeldState)
      const landing = outbox.land(verdicts)
      rebased = this.#rebase(follower.state as HeldState, landing)
      const put: Puts = [[NAMES.head, encodeHead(follower.head)], [NAMES.note, statement.note], ...opened, ...rebased.change.puts]
      await this.#core.durable(this.#core.batchOf(first, records, put))
      step = { records, verdicts, landing, rebased, first }
    } catch (error) {
      rebased?.held?.tree.release()
      follower.reset(start)
      keyring.open(views.current.held.tree)
      throw error
    }
    start.tree.release()
    this.#restored = true
    this.#moveOn(step)
  }

  /** What the store holds as pending, once, when the space is opened. Returns how many entries that is. */
  restorePending(): number {
    const { outbox, store, views, events } = this.#core
    outbox.restore(store)
    const unresolved = outbox.unresolved
    const tellUnresolved = (): void => {
      for (const { hash, replay } of unresolved) events.emit('retry', { hash, verdict: { kind: 'rejected', code: 'conflict', detail: 'earlier' }, replay, isNew: false })
    }
    if (this.#core.remote !== undefined && outbox.pending.length > 0) {
      tellUnresolved()
      return outbox.pending.length // set on top once there is somebody to ask: `restoreRemote`
    }
    this.#restored = true
    const rebased = this.#rebase(views.verified.held, outbox.now)
    outbox.adopt(rebased.change)
    this.#show(rebased)
    if (rebased.change.puts.length > 0) this.#core.durableLater(rebased.change.puts)
    tellUnresolved()
    this.#tellDropped(rebased)
    return outbox.pending.length
  }

  /** Of a thin client: what was found pending is set on top of the verified state before anything is written. Under the lock. */
  async restoreRemote(): Promise<void> {
    const { remote, outbox, views, events } = this.#core
    if (this.#restored || remote === undefined) return
    const rebased = await remote.reach(() => this.#rebase(views.verified.held, outbox.now), 'locked')
    if (rebased.change.puts.length > 0) await this.#core.durable({ put: rebased.change.puts })
    this.#restored = true
    outbox.adopt(rebased.change)
    this.#show(rebased)
    events.emit('change', { verified: false })
    this.#tellDropped(rebased)
  }

  /** The follower is on another history, and the store says so, too: show it, and tell what that means for what was pending. */
  changedOver(change: OutboxChange & { readonly dropped: readonly Pending[] }): void {
    const core = this.#core
    core.outbox.adopt(change)
    core.views.moveVerified(0)
    const rebased = this.#rebase(core.views.verified.held, change)
    invariant(rebased.refusal === undefined, 'what applied apart does not apply here')
    this.#show(rebased)
    core.keyring.open(core.views.current.held.tree)
    core.settleKeyring()
    core.noticeStanding()
    core.events.emit('change', { verified: true })
    this.#tellDropped({ ...rebased, change, refusal: { kind: 'rejected', code: 'base' } })
  }

  /** The note is of the relay where the space is after all that, or of the one where it was before, for the entry that moved it at most. */
  #refuseOfOthers(verdicts: readonly Followed[], signer: RelayRecord | undefined): void {
    const { relay, head, follower } = this.#core
    const after = follower.state.tree.get(relayKey())
    if (isSameRelay(signer, after && decodeRelay(after))) return
    const moved = verdicts.findIndex(({ entry }) => entry !== undefined && movesAway(entry.ops, relay))
    if (moved < verdicts.length - 1 || !isSameRelay(signer, relay)) {
      throw new SealError('bad-checkpoint', 'A relay has signed for entries of a time when the space was not attached to it.', { size: head.size + verdicts.length, moved: head.size + moved })
    }
  }

  #judgeAll(records: readonly Uint8Array[]): Followed[] {
    try {
      const { env, follower, outbox, device } = this.#core
      const trust = verifyTogether(env.crypto, follower.state.tree, records, outbox.pending.length > 0 ? device : undefined)
      return records.map((record, i) => this.#judge(record, trust[i] ?? 'check'))
    } catch (error) {
      if (isSealError(error, 'unsupported-version')) this.#core.stopAtVersion(Number(error.facts.found))
      throw error
    }
  }

  /** An entry of ours that comes where it was tried out needs no second trial. */
  #judge(record: Uint8Array, signature: SignatureTrust): Followed {
    const { follower, outbox } = this.#core
    for (const pending of outbox.pending) {
      const applied = pending.outcomeOn(follower.state.log)
      if (applied !== undefined && equalBytes(pending.record, record)) return follower.adopt({ ...applied, state: follower.claim(applied.state) })
    }
    return follower.follow(record, signature)
  }

  /** Durable now: settle, show, tell. Nothing here may fail. */
  #moveOn({ records, verdicts, landing, rebased, first }: Step): void {
    const core = this.#core
    const { landed, revived } = landing
    for (const alert of core.others.watch(core.follower.state.tree, core.me.member, records, verdicts, landing)) core.alert(alert)
    this.#devices.watch(first, records, verdicts)
    if (core.remote === undefined) core.history.followed(verdicts.map(({ verdict }) => verdict))
    core.outbox.adopt(rebased.change)
    core.settleKeyring()
    core.views.moveVerified(core.outbox.pending.length)
    this.#show(rebased)
    if (core.outbox.pending.length === 0) core.remote?.trim()
    core.noticeStanding()
    core.events.emit('change', { verified: true })
    // Whoever was about to execute it again need not.
    for (const { hash, offset } of revived) core.events.emit('settle', { hash, state: { kind: 'relay', index: first + offset } })
    for (const { pending, verdict, offset } of landed) {
      this.#settle(pending, verdict.kind === 'applied' ? { kind: 'relay', index: first + offset } : { kind: 'rejected', index: first + offset, verdict })
      if (verdict.kind !== 'applied' && !isFileEntry(pending.record)) core.events.emit('retry', { hash: pending.hash, verdict, replay: pending.replay, isNew: pending.isNew })
    }
    this.#tellDropped(rebased)
  }

  /** Apply what is pending to a verified state. What no longer applies, and all after it, is given up: query executes it again. */
  #rebase(verified: HeldState, before: OutboxChange): Rebased {
    const { follower } = this.#core
    let held: HeldState | undefined
    let kept = 0
    let refusal: Refusal | undefined
    // A protocol that this code does not know has no verdicts for it: what is pending waits for the code that does.
    const understood = protocolVersion(verified.tree.get(protocolKey())) === PROTOCOL_VERSION
    for (const pending of understood ? before.pending : []) {
      const base: HeldState = held ?? verified
      const known = pending.outcomeOn(base.log)
      const { state, verdict, hash } = known ?? this.#tryOut(base, pending.record, held)
      if (verdict.kind !== 'applied') {
        ;(state as HeldState).tree.release()
        refusal = verdict
        break
      }
      if (known === undefined && pending.isOwn) pending.keep({ on: base.log, applied: { state: follower.claim(state), verdict, hash } })
      held?.tree.release()
      held = known === undefined ? state as HeldState : follower.claim(state)
      kept++
    }
    const change = refusal ? this.#core.outbox.drop(before, kept) : { ...before, dropped: [] }
    return { held, kept, change, refusal }
  }

  /** A thin client may lack what it takes: then what was applied before it is let go of. */
  #tryOut(base: HeldState, record: Uint8Array, held: HeldState | undefined): Applied {
    try {
      return apply(this.#core.env, base, record, { signature: 'trusted' })
    } catch (error) {
      held?.tree.release()
      throw error
    }
  }

  #show({ held, kept }: Rebased): void {
    if (held) this.#core.keyring.open(held.tree)
    this.#core.views.show(held, kept)
  }

  /** Dropped entries are not waited for any longer; those that somebody can execute again are handed back. */
  #tellDropped({ change, refusal }: Rebased): void {
    if (!refusal) return
    for (const pending of change.dropped) {
      this.#settle(pending, { kind: 'rejected', index: this.#core.head.size, verdict: refusal })
      if (!isFileEntry(pending.record)) this.#core.events.emit('retry', { hash: pending.hash, verdict: refusal, replay: pending.replay, isNew: pending.isNew })
    }
  }

  #settle(pending: Pending, state: SettleState): void {
    pending.settle(state)
    this.#core.events.emit('settle', { hash: pending.hash, state: pending.state })
  }
}

/** It has ops that set another relay. */
function movesAway(ops: Ops, relay: RelayRecord | undefined): boolean {
  return someOp(ops, (op) => op === 'relay') && [...ops].some((op) => op.op === 'relay' && !isSameRelay(op.relay, relay))
}

type Refusal = Exclude<Verdict, { kind: 'applied' }>
/** What is pending, on a new verified state. `held`: with all of it applied, if there is any. */
interface Rebased { readonly held: HeldState | undefined; readonly kept: number; readonly change: OutboxChange & { readonly dropped: readonly Pending[] }; readonly refusal: Refusal | undefined }
interface Step { readonly records: readonly Uint8Array[]; readonly verdicts: readonly Followed[]; readonly landing: Landing; readonly rebased: Rebased; readonly first: number }
