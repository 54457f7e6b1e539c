/**
 * What the relay signs, here or as others have it, against the history verified here. A contradiction becomes evidence, is kept, and stops writing:
 * reads go on, a person decides.
 */
import { equalBytes } from '../codec/bytes.js'
import { SealError, isSealError } from '../errors.js'
import type { SpaceCore } from './core.js'
import { openRelayNote, type RelayStatement, type VerifiedFork, verifyEvidence } from './evidence.js'
import { isLost, readLostBranches, type LostBranch } from './lost-branch.js'
import type { Puts } from './outbox.js'
import { claimedOps } from './entry.js'
import { someOp } from './ops/encoded.js'
import { isSameRelay, type RelayRecord } from './ops/space.js'
import { NAMES } from './persist.js'
import type { Head } from './types.js'
import { forkEvidence, type Contradiction, type Extension } from './watch.js'

export class RelayWatch {
  readonly #core: SpaceCore

  constructor(core: SpaceCore) {
    this.#core = core
    this.#restoreEvidence()
  }

  /** The note of the relay under the verified head, if there is one. */
  get note(): Uint8Array | undefined {
    return this.#core.store.get(NAMES.note)
  }

  /** What is held against the relay that the space is attached to. What is held against former ones stays in the store, and stops nothing. */
  get evidence(): readonly Uint8Array[] {
    const { store, relay, env } = this.#core
    return store.names(NAMES.evidence).map((name) => store.get(name) as Uint8Array).filter((evidence) => isAgainst(relay, verifyEvidence(env.crypto, evidence)))
  }

  /** Throws `bad-checkpoint`, `bad-signature`; `bad-argument` without a relay. */
  open(note: Uint8Array): RelayStatement {
    const { relay, env } = this.#core
    if (relay === undefined) throw new SealError('bad-argument', 'This space is attached to no relay.')
    return openRelayNote(env.crypto, env.spaceId, relay, note)
  }

  /** Of that relay, or of one that an entry among `records` names: whether the space is there after them is for who follows them to see. */
  openUnder(note: Uint8Array, records: readonly Uint8Array[]): { readonly statement: RelayStatement; readonly relay: RelayRecord | undefined } {
    const { relay, env } = this.#core
    try {
      return { statement: this.open(note), relay }
    } catch (error) {
      const named = isSealError(error) ? relayNamedBy(records) : undefined
      if (named === undefined || isSameRelay(named, relay)) throw error
      return { statement: openRelayNote(env.crypto, env.spaceId, named, note), relay: named }
    }
  }

  /** The space may be at another relay now, against which nothing is held. */
  noticeMove(): void {
    const { standing } = this.#core
    if (standing.stopped !== 'evidence' || this.evidence.length > 0) return
    standing.settleEvidence()
    this.#core.noticeStanding()
  }

  async observe(note: Uint8Array, consistency?: Extension): Promise<'same' | 'behind' | 'ahead' | 'fork' | 'unknown'> {
    const statement = this.open(note)
    const { size } = this.#core.head
    if (statement.size > size) {
      if (consistency === undefined) return 'unknown'
      return (await this.#freezeIf(forkEvidence(this.#ownSide(), statement, consistency))) ? 'fork' : 'ahead'
    }
    if ((await this.compareWithPast(statement)) === 'fork') return 'fork'
    return statement.size === size ? 'same' : 'behind'
  }

  async observeEvidence(evidence: Uint8Array): Promise<boolean> {
    const { env, relay, standing } = this.#core
    const fork = verifyEvidence(env.crypto, evidence)
    if (!equalBytes(fork.spaceId, env.spaceId) || !isAgainst(relay, fork)) return false
    return standing.stopped === 'evidence' || standing.closed ? false : this.#freezeIf(evidence)
  }

  /** What is held against the relay was accepted by an admin as lost. */
  evidenceIsSettled(accepted: readonly LostBranch[]): boolean {
    return this.evidence.every((evidence) => this.#isSettled(evidence, accepted))
  }

  /** To be written with what settles it. */
  evidenceGone(): Puts {
    return this.#core.store.names(NAMES.evidence).map((name) => [name, null] as const)
  }

  /** The note under the verified head, if it is the present relay's. */
  get noteUnderHead(): Uint8Array | undefined {
    return this.#hasNoteOfRelay() ? this.note : undefined
  }

  #isSettled(evidence: Uint8Array, accepted: readonly LostBranch[] = readLostBranches(this.#core.views.current.held.tree)): boolean {
    const { crypto } = this.#core.env
    const fork = verifyEvidence(crypto, evidence)
    return accepted.some((branch) => [fork.smaller, fork.larger].some((head) => isLost(crypto, branch, head)))
  }

  /** A statement about a size that is known here: the same head, or evidence. */
  async compareWithPast(statement: RelayStatement): Promise<'same' | 'fork'> {
    const contradiction = forkEvidence(this.#ownSide(), statement, undefined)
    if (await this.#freezeIf(contradiction)) return 'fork'
    if (contradiction !== undefined) return 'same' // an admin has accepted it: nothing to be held against anybody
    // The first note of a relay that was given this history, rather than giving it, is to be held against it all the same.
    if (statement.size === this.#core.head.size && !this.#hasNoteOfRelay()) await this.#core.durable({ put: [[NAMES.note, statement.note]] })
    return 'same'
  }

  /** Another device's verified head, against the history verified here. */
  compareHead(head: Head): 'same' | 'behind' | 'ahead' | 'different' {
    const { head: own, follower: { log } } = this.#core
    if (head.size > own.size) return 'ahead'
    if (head.size < log.start || head.size === 0) return 'behind'
    if (!equalBytes(head.logRoot, log.root(head.size))) return 'different'
    if (head.size < own.size) return 'behind'
    return equalBytes(head.stateRoot, own.stateRoot) ? 'same' : 'different'
  }

  /** After a move to another relay, the note in store may still be the former one's, or of a size before the move. */
  #hasNoteOfRelay(): boolean {
    const { note } = this
    if (note === undefined || this.#core.relay === undefined) return false
    try {
      return this.open(note).size === this.#core.head.size
    } catch (error) {
      if (!isSealError(error)) throw error
      return false
    }
  }

  #ownSide(): Contradiction {
    const { env, relay, follower, head } = this.#core
    return { crypto: env.crypto, spaceId: env.spaceId, relay, log: follower.log, head, note: this.noteUnderHead }
  }

  /** False for what an admin has accepted. */
  async #freezeIf(evidence: Uint8Array | 'no-note' | undefined): Promise<boolean> {
    const { standing, store } = this.#core
    if (evidence === undefined) return false
    if (evidence !== 'no-note' && this.#isSettled(evidence)) return false
    if (evidence === 'no-note') throw new SealError('fork', 'The relay’s checkpoint names another history than the one verified here.')
    // One proof is enough: a relay that goes on contradicting itself fills no disk.
    if (standing.stopped === 'evidence') return true
    const n = store.names(NAMES.evidence).length
    // Writing stops even if the disk is full.
    standing.stop('evidence')
    this.#alertFork(evidence)
    await this.#core.durable({ put: [[`${NAMES.evidence}${String(n).padStart(6, '0')}`, evidence]] })
    return true
  }

  #alertFork(evidence: Uint8Array): void {
    this.#core.alert({ code: 'fork', message: 'The relay has signed two different histories of this space. Reading goes on; writing has stopped. The evidence is attached.', evidence, facts: { size: this.#core.head.size } })
  }

  /** Evidence outlives the process. What does not verify is not evidence, whoever put it there. */
  #restoreEvidence(): void {
    for (const evidence of this.evidence) {
      this.#core.standing.stop('evidence')
      this.#alertFork(evidence)
    }
  }
}

function isAgainst(relay: RelayRecord | undefined, { relayName, relayKey }: VerifiedFork): boolean {
  return relay?.name === relayName && equalBytes(relay.publicKey, relayKey)
}

/** By the last of them that names one. Unverified: only to know whose note it may be. */
export function relayNamedBy(records: readonly Uint8Array[]): RelayRecord | undefined {
  for (const record of records.toReversed()) {
    const ops = claimedOps(record)
    if (!someOp(ops, (op) => op === 'relay')) continue
    for (const op of [...ops].reverse()) if (op.op === 'relay') return op.relay
  }
  return undefined
}
