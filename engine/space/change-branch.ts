/**
 * The relay went back and another history took the place of what was verified here (PROTOCOL.md §9.3). An admin who has verified the lost entries accepts
 * that, in an entry of the history that is kept; whoever else is stuck goes on by that entry. Either way the device changes over to the other history
 * in one batch: the records, the head, what it had written on the lost branch as new entries in its outbox, and the evidence gone.
 */
import { equalBytes } from '../codec/bytes.js'
import type { Sha256 } from '../crypto/provider.js'
import { invariant, SealError } from '../errors.js'
import { readDevice, readMember, readMeta } from '../group/roster.js'
import { MAX_LOST_ENTRIES } from '../limits.js'
import { frontierRoot } from '../log/frontier.js'
import { LogTree } from '../log/tree.js'
import { pointerKey } from '../state/keys.js'
import { decodePointer } from '../state/roster.js'
import type { Advance } from './advance.js'
import { apply } from './apply.js'
import { buildRecord } from './build.js'
import type { SpaceCore } from './core.js'
import { decodeRecord, type Entry, entryHash } from './entry.js'
import { encodeEvidence, type RelayStatement } from './evidence.js'
import { Follower, type HeldState } from './follower.js'
import { isLost, readLostBranches, type LostBranch } from './lost-branch.js'
import { isDraft } from './outbox.js'
import type { Pending } from './pending.js'
import { encodeHead, NAMES } from './persist.js'
import type { AcceptRollbackOp } from './ops/rollback.js'
import type { RelayWatch } from './relay-watch.js'
import type { Committed, Head, Verdict } from './types.js'

/** Another history, as the relay has it now: records `[from, …)`, and its note for the head that they lead to. Before `from` it is the one verified here. */
export interface Branch {
  readonly from: number
  readonly records: readonly Uint8Array[]
  readonly note: Uint8Array
}

/** What became of the entries that this device had in the lost part of the log. */
export interface Resumed {
  /** Entries of this device and of others that are no longer in the log. */
  readonly lost: number
  /** Of those, this device's own that are in its outbox again. */
  readonly again: number
  /** Of those, this device's own that conflict with what is there now, or were acts of the group: not written again. */
  readonly givenUp: number
}

type Refusal = Exclude<Verdict, { kind: 'applied' }>

export class BranchChange {
  readonly #core: SpaceCore
  readonly #watch: RelayWatch
  readonly #advance: Advance

  constructor(core: SpaceCore, watch: RelayWatch, advance: Advance) {
    this.#core = core
    this.#watch = watch
    this.#advance = advance
  }

  /** Throws `rejected` if this device's member is no admin in that history, `bad-argument` if nothing was lost, `bad-checkpoint` … for a branch that isn't one. */
  accept(theirs: Branch): Promise<{ readonly committed: Committed; readonly resumed: Resumed }> {
    return this.#core.lock.run(async () => {
      const other = await this.#read(theirs)
      try {
        const { head, follower: { log } } = this.#core
        if (other.common === head.size || other.common === other.follower.head.size) throw new SealError('bad-argument', 'The relay’s history is no other than the one verified here, so nothing is lost that this device could name. If another admin has verified entries that the relay lost, it is theirs to accept.', { common: other.common })
        if (head.size - other.common > MAX_LOST_ENTRIES) throw new SealError('too-large', `Expected at most ${MAX_LOST_ENTRIES} lost entries.`, { found: head.size - other.common })
        const leaves = Array.from({ length: head.size - other.common }, (_, i) => log.leaf(other.common + i).slice())
        const lostIsLarger = head.size >= other.follower.head.size
        const op: AcceptRollbackOp = { op: 'rollback.accept', common: log.frontier(other.common), leaves, lostIsLarger, evidence: this.#evidence(other, lostIsLarger) }
        const { resumed, first } = await this.#changeOver(other, theirs.records, op)
        invariant(first !== undefined, 'an acceptance was not written')
        return { committed: first, resumed }
      } finally {
        other.follower.release()
      }
    })
  }

  /** Throws `fork` unless an admin has accepted that what this device holds against the relay was lost. Nothing changes then, nor if this device is not stuck. */
  resume(theirs: Branch): Promise<Resumed> {
    return this.#core.lock.run(async () => {
      const other = await this.#read(theirs)
      try {
        // Not stuck, or no longer: what is pending goes on as it is.
        if (other.common === this.#core.head.size && this.#watch.evidence.length === 0) return { lost: 0, again: 0, givenUp: 0 }
        const accepted = readLostBranches(other.follower.state.tree)
        if (other.common < this.#core.head.size && !accepted.some((branch) => this.#isAccepted(branch, other.common))) {
          throw new SealError('fork', 'No admin has accepted that the entries verified here were lost.', { common: other.common, size: this.#core.head.size })
        }
        if (!this.#watch.evidenceIsSettled(accepted)) throw new SealError('fork', 'There is evidence against the relay that no admin has accepted.', {})
        return (await this.#changeOver(other, theirs.records, undefined)).resumed
      } finally {
        other.follower.release()
      }
    })
  }

  /** Follow the other history, apart from ours, to the head that the relay has signed. */
  async #read({ from, records, note }: Branch): Promise<Other> {
    const { env, follower: live, history, standing, head } = this.#core
    if (standing.closed) throw new SealError('bad-argument', 'This space was closed.')
    if (from < 1 || from > head.size) throw new SealError('bad-argument', `Expected a branch that begins at 1 to ${head.size}.`, { from })
    const statement = this.#watch.open(note)
    if (statement.size !== from + records.length) throw new SealError('bad-checkpoint', `Expected a checkpoint for size ${from + records.length}, got one for ${statement.size}.`, { expected: from + records.length, found: statement.size })
    const { states, held } = await history.at(from)
    const log = new LogTree(env.crypto, live.log.frontier(live.log.start))
    for (let i = live.log.start; i < from; i++) log.append(live.log.leaf(i))
    const follower = Follower.resume(env, states, held.tree.state.version, log)
    try {
      let common = from
      let commonHead = follower.head
      follower.followAll(records, 'check', () => {
        if (common + 1 !== follower.head.size || common >= head.size || !equalBytes(log.leaf(common), live.log.leaf(common))) return
        common++
        commonHead = follower.head
      })
      const { logRoot, stateRoot } = follower.head
      if (!equalBytes(logRoot, statement.logRoot) || !equalBytes(stateRoot, statement.stateRoot)) {
        throw new SealError('bad-checkpoint', `The relay's checkpoint for size ${statement.size} is not the head that its entries lead to.`, { size: statement.size })
      }
      return { follower, statement, from, common, commonHead }
    } catch (error) {
      follower.release()
      throw error
    }
  }

  /** Our head is one of the branch that was accepted as lost, by somebody who may in our eyes, too. */
  #isAccepted(branch: LostBranch, common: number): boolean {
    const { env, head, follower: { log }, views } = this.#core
    if (branch.common.size !== common || !isLost(env.crypto, branch, head)) return false
    if (!equalBytes(frontierRoot(env.crypto, branch.common), log.root(common))) return false
    const { tree } = views.verified.held
    const device = readDevice(tree, branch.device)
    const member = device && readMember(tree, device.member)
    if (!device || !member || device.admittedAt >= common) return false
    return device.removedAt === undefined && member.removedAt === undefined && (member.role === 'admin' || member.role === 'owner')
  }

  #evidence({ follower, statement }: Other, lostIsLarger: boolean): Uint8Array {
    const { head, relay, env, follower: live } = this.#core
    const note = this.#watch.noteUnderHead
    if (note === undefined || relay === undefined) throw new SealError('bad-argument', 'There is no note of this relay under the head verified here, so nothing to hold against it.', { size: head.size })
    const [larger, smallSize] = lostIsLarger ? [live.log, statement.size] : [follower.log, head.size]
    const largeSize = lostIsLarger ? head.size : statement.size
    return encodeEvidence({
      spaceId: env.spaceId, relayName: relay.name, relayKey: relay.publicKey,
      smaller: lostIsLarger ? statement.note : note, larger: lostIsLarger ? note : statement.note,
      root: larger.root(smallSize), proof: smallSize === largeSize ? [] : larger.consistencyProof(smallSize, largeSize),
    })
  }

  async #changeOver(other: Other, records: readonly Uint8Array[], acceptance: AcceptRollbackOp | undefined): Promise<{ readonly resumed: Resumed; readonly first: Committed | undefined }> {
    const core = this.#core
    const { follower, common, statement, from } = other
    const size = core.head.size
    const own = await this.#ownEntries(common, size)
    const { again, refused } = this.#writeAgain(other, own, acceptance)
    const change = core.outbox.restart(again)
    const opened = core.openNewEpoch(follower.state)
    try {
      await core.durable({
        at: size, keep: [core.store.first, common], append: records.slice(common - from),
        put: [[NAMES.head, encodeHead(follower.head)], [NAMES.note, statement.note], ...opened, ...change.puts, ...this.#watch.evidenceGone()],
      })
    } catch (error) {
      core.keyring.open(core.views.current.held.tree)
      throw error
    }
    core.follower.rebranch(common, follower)
    core.history.rebranched(common)
    core.standing.settleEvidence()
    this.#advance.changedOver(change)
    for (const { hash, verdict } of refused) core.events.emit('retry', { hash, verdict, replay: undefined, isNew: false })
    const resumed = { lost: size - common, again: again.length - (acceptance ? 1 : 0), givenUp: refused.length }
    if (resumed.lost > 0) {
      core.alert({ code: 'rollback', message: `The relay had lost ${resumed.lost} entries, and an admin has accepted that. Of this device’s own, ${resumed.again} are written again and ${resumed.givenUp} are not.`, facts: { ...resumed } })
    }
    return { resumed, first: acceptance && again[0] }
  }

  /** This device's entries that counted in the lost part. */
  async #ownEntries(from: number, to: number): Promise<readonly OwnEntry[]> {
    const { env, store, device } = this.#core
    const own: OwnEntry[] = []
    for (const record of await store.read(from, to)) {
      const decoded = decodeRecord(record)
      if (decoded.kind === 'entry' && decoded.entry.device === device) own.push({ entry: decoded.entry, hash: entryHash(env.crypto, record), draft: isDraft(record) })
    }
    return own
  }

  /** The acceptance, if it is ours, then our own lost entries as new ones, as far as they apply on the kept head. */
  #writeAgain({ follower, commonHead, common }: Other, own: readonly OwnEntry[], acceptance: AcceptRollbackOp | undefined): { readonly again: readonly Pending[]; readonly refused: readonly { readonly hash: Uint8Array; readonly verdict: Refusal }[] } {
    const { env, outbox, signer, device, options } = this.#core
    const again: Pending[] = []
    const refused: { hash: Uint8Array; verdict: Refusal }[] = []
    const { head } = follower
    let state = follower.hold()
    const write = (base: Head, epoch: number, ops: Entry['ops'], reads: Entry['reads']): Refusal | undefined => {
      const pointer = this.#core.ownDevice(state.tree) && state.tree.get(pointerKey(device))
      if (pointer === undefined) return { kind: 'ignored', code: 'device' } // admitted on the lost branch only
      const record = buildRecord(env, { signer, base, device, devicePrev: decodePointer(pointer).hash, epoch, time: options.now() }, ops, reads)
      const { state: next, verdict, hash } = apply(env, state, record, { signature: 'trusted' })
      if (verdict.kind !== 'applied') {
        ;(next as HeldState).tree.release()
        return verdict
      }
      state.tree.release()
      state = next as HeldState
      again.push(outbox.track(record, hash, undefined))
      return undefined
    }
    try {
      const { epoch } = readMeta(state.tree)
      const refusal = acceptance && write(head, epoch, [acceptance], [])
      if (refusal) throw new SealError('rejected', `That history does not let this device accept the rollback: ${refusal.code}${refusal.detail === undefined ? '' : ` (${refusal.detail})`}.`, { kind: refusal.kind, code: refusal.code, detail: refusal.detail ?? null })
      for (const { entry, hash, draft } of own) {
        const verdict = draft ? write(entry.base.size <= common ? entry.base : commonHead, entry.epoch, entry.ops, entry.reads) : groupAct
        if (verdict) refused.push({ hash, verdict })
      }
      return { again, refused }
    } finally {
      state.tree.release()
    }
  }
}

/** An act of the group is for a person to do again. */
const groupAct: Refusal = { kind: 'rejected', code: 'conflict', detail: 'rollback' }

interface OwnEntry { readonly entry: Entry; readonly hash: Uint8Array; readonly draft: boolean }
/** The other history at its head. `common`: so many first entries are the same. */
interface Other { readonly follower: Follower; readonly statement: RelayStatement; readonly from: number; readonly common: number; readonly commonHead: Head }

/**
 * Where another history parts from the one in `log`: the number of first entries that are the same. `record` gives the other's record at an index; asked
 * some log n times. What it answers is not believed in: `resume` and `accept` follow what they are given.
 */
export async function findCommon(crypto: Sha256, log: LogTree, theirSize: number, record: (index: number) => Promise<Uint8Array>): Promise<number> {
  let lo = Math.max(1, log.start)
  let hi = Math.min(log.size, theirSize)
  while (lo < hi) {
    const middle = Math.floor((lo + hi) / 2)
    if (equalBytes(entryHash(crypto, await record(middle)), log.leaf(middle))) lo = middle + 1
    else hi = middle
  }
  return lo
}
