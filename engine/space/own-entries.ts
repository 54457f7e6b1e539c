/**
 * This device writes: an entry is built on the current state, tried out, made durable, and only then shown. Without a relay it goes straight into
 * the log; with one into the outbox, to be given its place by the relay.
 */
import { SealError, invariant } from '../errors.js'
import type { BuildContext } from '../group/builders.js'
import { buildRotate } from '../group/build-epoch.js'
import { isVoid, metaOf } from '../group/roster.js'
import type { Frontier } from '../log/frontier.js'
import { pointerKey } from '../state/keys.js'
import { decodePointer } from '../state/roster.js'
import type { Advance } from './advance.js'
import { apply, type Applied, headOf } from './apply.js'
import { buildRecord, encodeDraft } from './build.js'
import { PackedRows } from './packed-rows.js'
import type { SpaceCore } from './core.js'
import type { ReadClaim } from './entry.js'
import type { HeldState } from './follower.js'
import { EncodedOps, everyOp, type Ops } from './ops/encoded.js'
import type { Op } from './ops/index.js'
import { isRowOp } from './ops/row.js'
import type { Puts } from './outbox.js'
import type { Pending } from './pending.js'
import { encodeHead, NAMES } from './persist.js'
import { readOnly, type WriteHow } from './standing.js'
import type { Committed, Draft, RejectedCode, Verdict, View } from './types.js'

export class OwnEntries {
  readonly #core: SpaceCore
  readonly #advance: Advance

  constructor(core: SpaceCore, advance: Advance) {
    this.#core = core
    this.#advance = advance
  }

  commit(draft: Draft, view: View): Promise<Committed> {
    const core = this.#core
    return this.#locked(async () => {
      await this.#fillEpoch()
      if (view !== core.views.current) throw new SealError('stale-view', 'The space moved on while this transaction was running; run it again on the new state.')
      const { role } = core.me
      if (role === undefined) throw readOnly('removed')
      const bench = { env: core.env, state: core.views.current.held.tree, device: core.device, role, secrets: core.keyring, random: core.options.random, nonce: core.nonce, sealer: core.sealer }
      const { ops, reads } = await core.within(() => encodeDraft(bench, draft))
      if (draft.rows instanceof PackedRows) draft.rows.giveBack()
      return this.#write(ops, reads, draft.replay)
    })
  }

  /** `withKeyring`: what was staged in the keyring becomes durable with the entry that publishes it. */
  commitOps(build: (context: BuildContext) => readonly Op[], how: WriteHow): Promise<Committed> {
    return this.#locked(() => this.#writeBuilt(build, how))
  }

  /** As `commitOps`, for what is sealed under the epoch's secret. */
  commitFiles(build: (context: BuildContext) => readonly Op[]): Promise<Committed> {
    return this.#locked(async () => {
      await this.#fillEpoch()
      return this.#writeBuilt(build)
    })
  }

  /** Of a thin client, with what was pending when it was opened in its place. */
  #locked<T>(work: () => Promise<T>): Promise<T> {
    return this.#core.lock.run(async () => {
      if (this.#core.remote !== undefined) await this.#advance.restoreRemote()
      return work()
    })
  }

  async #writeBuilt(build: (context: BuildContext) => readonly Op[], how?: WriteHow): Promise<Committed> {
    return this.#write(await this.#core.within(() => build(this.#core.buildContext())), [], undefined, how)
  }

  /** Somebody left, and the epoch has no secret yet: whoever writes first makes one, and then writes on the state that has it. */
  async #fillEpoch(): Promise<void> {
    const { standing, me, views } = this.#core
    const { tree } = views.current.held
    if (standing.writable && me.role !== undefined && isVoid(tree, metaOf(tree))) await this.#write([buildRotate(this.#core.buildContext())], [], undefined)
  }

  retried(hash: Uint8Array): Promise<void> {
    const { lock, outbox, standing } = this.#core
    return lock.run(async () => {
      const change = outbox.resolve(hash)
      if (change.puts.length === 0 || standing.closed) return
      await this.#core.durable({ put: change.puts })
      outbox.adopt(change)
    })
  }

  async #write(ops: Ops, reads: readonly ReadClaim[], replay: Uint8Array | undefined, how: WriteHow = 'as-needed'): Promise<Committed> {
    const { standing, env, views, outbox, keyring, relay } = this.#core
    standing.mustWrite(how)
    // Ops on rows leave group, epochs, relay and protocol as they were: nothing of those need be looked at again.
    const rowsAlone = everyOp(ops, isRowOp)
    const before = views.current.held
    const { record, applied } = await this.#core.within(() => {
      const signed = this.#sign(ops, reads)
      return { record: signed, applied: apply(env, before, signed, { signature: 'trusted' }) }
    })
    // The record has a copy of them.
    if (ops instanceof EncodedOps) ops.giveBack()
    if (applied.verdict.kind !== 'applied') {
      ;(applied.state as HeldState).tree.release()
      throw rejection(applied.verdict)
    }
    const pending = outbox.track(record, applied.hash, replay)
    try {
      // Secrets of a new epoch are durable before the entry that starts it can leave the device.
      const opened = rowsAlone ? [] : this.#core.openNewEpoch(applied.state as HeldState)
      const put: Puts = how === 'with-keyring' ? [[NAMES.keyring, keyring.encode()]] : opened
      if (relay === undefined) await this.#appendOwn(applied, record, pending, put, rowsAlone)
      else await this.#keepPending(applied, pending, put, before.log)
    } catch (error) {
      keyring.open(before.tree) // an epoch that did not come to be is dropped again
      throw error
    }
    return pending
  }

  /** No relay: this device's own log is the log. */
  async #appendOwn(applied: Applied, record: Uint8Array, pending: Pending, put: Puts, rowsAlone: boolean): Promise<void> {
    const core = this.#core
    const head = headOf(core.env, applied.state)
    const change = core.outbox.replace(pending)
    try {
      await core.durable({ at: core.head.size, append: [record], put: [[NAMES.head, encodeHead(head)], ...put, ...change.puts] })
    } catch (error) {
      ;(applied.state as HeldState).tree.release()
      throw error
    }
    core.follower.adopt(applied)
    core.history.followed([applied.verdict])
    core.outbox.adopt(change)
    const { verified } = core.views
    if (!rowsAlone) core.settleKeyring()
    core.views.moveVerified(core.outbox.pending.length)
    if (rowsAlone) core.keepFacts(verified)
    else core.noticeStanding()
    pending.settle({ kind: 'relay', index: head.size - 1 })
    core.events.emit('change', { verified: true })
    core.events.emit('settle', { hash: pending.hash, state: pending.state })
  }

  async #keepPending(applied: Applied, pending: Pending, put: Puts, on: Frontier): Promise<void> {
    const { outbox, views, events, follower } = this.#core
    const change = outbox.add(pending)
    try {
      await this.#core.durable({ put: [...change.puts, ...put] })
    } catch (error) {
      ;(applied.state as HeldState).tree.release()
      throw error
    }
    outbox.adopt(change)
    pending.keep({ on, applied: { ...applied, state: follower.claim(applied.state) } })
    views.show(applied.state as HeldState, outbox.pending.length)
    events.emit('change', { verified: false })
  }

  #sign(ops: Ops, reads: readonly ReadClaim[]): Uint8Array {
    const { views, device, env, signer, head, options } = this.#core
    const state = views.current.held.tree
    const pointer = state.get(pointerKey(device))
    invariant(pointer !== undefined, 'this device has no pointer')
    return buildRecord(env, { signer, base: head, device, devicePrev: decodePointer(pointer).hash, epoch: metaOf(state).epoch, time: options.now() }, ops, reads)
  }
}

const REASONS: Readonly<Record<RejectedCode, string>> = {
  base: 'it was written on a state too far back',
  chain: 'it does not follow this device’s last entry',
  epoch: 'it is of an epoch that has ended',
  role: 'this member’s role does not allow it',
  conflict: 'what it relies on was changed meanwhile',
  policy: 'a policy of the table does not allow it',
  rule: 'it breaks a rule of the protocol',
}

/** Where the code alone would not say what to do. */
const DETAILS: Readonly<Record<string, string>> = {
  'no-member': 'there is no such member, or not any more',
  'no-device': 'there is no such device, or not any more',
  'no-invitation': 'there is no such invitation, or not any more',
  'last-owner': 'a space needs an owner, and this is the last one: make somebody else one first',
}

function rejection(verdict: Exclude<Verdict, { kind: 'applied' }>): SealError {
  const { kind, code, detail } = verdict
  const why = kind === 'rejected' ? (DETAILS[detail ?? ''] ?? REASONS[code]) : code === 'device' ? 'this device is in it no more' : 'it would be no entry of this space'
  return new SealError('rejected', `The space refuses this: ${why} (${code}${detail === undefined ? '' : `: ${detail}`}).`, { kind, code, detail: detail ?? null })
}
