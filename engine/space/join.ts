/**
 * Joining by a link. The newcomer starts from the state at the inviter's anchor in the link, if somebody has a snapshot of it, and follows the log from
 * there; else from its genesis (whose hash is the space's id), and the history must lead through the anchor. Then it writes the entry that admits its
 * device, and waits until that is in the log. A relay that makes up a space, hides the anchor or serves another history is found out here.
 */
import { equalBytes } from '../codec/bytes.js'
import { SealError } from '../errors.js'
import { buildJoin } from '../group/builders.js'
import type { InvitationLink, LinkRelay } from '../group/link.js'
import { Keyring } from '../group/keyring.js'
import { readGrave, type Grave } from '../group/graves.js'
import { readInvitation, readMeta } from '../group/roster.js'
import { deriveInvitationKeys } from '../group/secrets.js'
import type { ApplyEnv } from '../state/context.js'
import type { Store } from '../store/store.js'
import { headOf } from './apply.js'
import { asFarAsHere, TOGETHER, verifyTogether } from './aside.js'
import { buildRecord } from './build.js'
import { openRelayNote } from './evidence.js'
import { Follower, type HeldState, type SignatureTrust } from './follower.js'
import { signHandshake } from './handshake.js'
import { takeSnapshot, type SnapshotChannel } from './join-snapshot.js'
import { leftOfJoining } from './left-of-joining.js'
import { type Profile, spaceAt } from './open.js'
import { encodeKept, readKernel } from './thin/kept.js'
import { PartialStart, takeKernel } from './thin/newcomer.js'
import { openThinSpace, type ThinOptions } from './thin/open.js'
import type { NodeSource } from './thin/remote.js'
import { PartialTree } from '../state/partial.js'
import { encodeDeviceSecrets, encodeHead, NAMES } from './persist.js'
import type { Space, SpaceOptions } from './space.js'

/** What joining needs of the network. `pull` gives records from an index, and the relay's note for a size that they lead to or towards. */
export interface JoinChannel {
  pull(from: number): Promise<{ readonly records: readonly Uint8Array[]; readonly note: Uint8Array; readonly witness?: Uint8Array }>
  /** `refused`: the group has moved on since it was built, or this relay does not want it. */
  append(record: Uint8Array): Promise<'sent' | 'refused'>
  /** Resolves when there may be more to pull. */
  wait(): Promise<void>
  /** Of states to start from; without it the log is replayed from its genesis. */
  readonly snapshot?: SnapshotChannel
  /** Whom a thin client asks for what it lacks; `pull` gives witnesses, then. */
  readonly source?: NodeSource
}

/** Told while the log is followed. */
export type JoinProgress = (entries: number) => void
/** Told while a snapshot is taken, before that. */
export type SnapshotProgress = (rows: number, of: number) => void

const TRIES = 5
const WAITS = 20

/** The signature that lets the bearer of a link in at the relay. */
export function signInvitationChallenge(options: SpaceOptions, link: InvitationLink, relayName: string, nonce: Uint8Array): Uint8Array {
  return signHandshake(deriveInvitationKeys(options.crypto, link.secret).signer, { relayName, space: link.spaceId, nonce })
}

/** Throws `bad-genesis`, `fork`, `bad-checkpoint`, `rollback` for a relay that lies; `rejected` for an invitation that admits nobody (any more). */
export async function joinSpace(store: Store, options: SpaceOptions, link: InvitationLink, channel: JoinChannel, profile: Profile = {}, onProgress?: JoinProgress, onRows?: SnapshotProgress, thin?: ThinOptions): Promise<Space> {
  if (store.size > 0 || store.get(NAMES.device)) throw new SealError('bad-argument', 'This store holds a space already. Join with an empty store.')
  const { relay } = link
  if (!relay) throw new SealError('bad-argument', 'This link names no relay; the space must be attached to one before others can join.')
  const signingSeed = options.random(32)
  const agreementSeed = options.random(32)
  const signer = options.crypto.signer(signingSeed)
  const newcomer = new Newcomer(options, link, relay)
  if (thin) await newcomer.startThin(channel)
  else if (channel.snapshot) newcomer.startFrom(await takeSnapshot(store, newcomer.env, link.anchor, channel.snapshot, onRows))
  await newcomer.follow(channel, onProgress)
  newcomer.checkAnchor()
  for (let tries = 0; tries < TRIES; tries++) {
    const follower = newcomer.follower
    const base = follower.head
    const { record, trial } = await newcomer.reach(() => {
      if (readInvitation(follower.state.tree, link.invitation) === undefined) throw refused('no-invitation')
      const op = buildJoin({
        ...options, spaceId: link.spaceId, base, state: follower.state.tree, invitation: link.invitation, secret: link.secret, signer, agreementSeed,
        ...(profile.name !== undefined && { memberName: profile.name }), ...(profile.device !== undefined && { deviceName: profile.device }),
      })
      const epoch = readMeta(follower.state.tree).epoch
      const joining = buildRecord(follower.env, { signer, base, device: 0, devicePrev: new Uint8Array(32), epoch, time: options.now() }, [op])
      return { record: joining, trial: follower.judge(joining) }
    })
    ;(trial.state as HeldState).tree.release()
    if (trial.verdict.kind !== 'applied') throw refused(trial.verdict.detail ?? trial.verdict.code)
    if ((await channel.append(record)) === 'refused') {
      await newcomer.follow(channel)
      continue
    }
    const grave = await newcomer.awaitAdmission(channel, signer.publicKey)
    if (!grave) continue // the group moved on in between: its epoch changed, or its roster
    const keyring = new Keyring({ crypto: options.crypto, spaceId: link.spaceId }, agreementSeed)
    keyring.open(newcomer.follower.state.tree)
    const held = thin ? {} : { at: 0, keep: [newcomer.start, newcomer.start] as const, append: newcomer.records }
    await store.commit({
      ...held,
      put: [
        ...(thin ? [[NAMES.kept, encodeKept(newcomer.follower)] as const] : []),
        ...leftOfJoining(store),
        [NAMES.head, encodeHead(newcomer.follower.head)],
        [NAMES.note, newcomer.note],
        [NAMES.device, encodeDeviceSecrets({ spaceId: link.spaceId, device: grave.id, signingSeed })],
        [NAMES.keyring, keyring.encode()],
      ],
    })
    // What a replica has verified it goes on with; a thin client's state lies elsewhere now.
    if (!thin) return spaceAt(store, options, { follower: newcomer.follower, soundTo: newcomer.soundTo, alerts: [] })
    newcomer.release()
    return openThinSpace(store, options, thin)
  }
  throw refused('busy')
}

class Newcomer {
  readonly #options: SpaceOptions
  readonly #link: InvitationLink
  readonly #relay: LinkRelay
  readonly env: ApplyEnv
  /** Index of the first record that is held. */
  start = 0
  readonly records: Uint8Array[] = []
  note: Uint8Array = new Uint8Array(0)
  #follower: Follower | undefined
  /** Some entry was ignored for its signature. */
  #ignores = false
  /** Of who takes no rows. */
  #partial: PartialStart | undefined

  constructor(options: SpaceOptions, link: InvitationLink, relay: LinkRelay) {
    this.#options = options
    this.#link = link
    this.#relay = relay
    this.env = { crypto: options.crypto, spaceId: link.spaceId }
  }

  get size(): number {
    return this.#partial ? (this.#follower?.head.size ?? 0) : this.start + this.records.length
  }
  get follower(): Follower {
    if (!this.#follower) throw new SealError('bad-genesis', 'The relay gave no entries of this space.')
    return this.#follower
  }

  /** From a snapshot on nobody knows: the entries before it were not judged here. */
  get soundTo(): number {
    return this.start > 0 || this.#ignores ? 0 : this.size
  }

  /** Undefined: nobody has the state at the anchor, so from the genesis. */
  startFrom(snapshot: Follower | undefined): void {
    this.#follower = snapshot
    this.start = snapshot?.head.size ?? 0
  }

  /** The kernel at the anchor; if nobody has that state at hand, the empty one. */
  async startThin({ source, snapshot }: JoinChannel): Promise<void> {
    if (!source) throw new SealError('bad-argument', 'Joining as a thin client needs somebody to ask for the state.')
    const begun = snapshot && (await takeKernel(this.env, this.#link.anchor, source, snapshot))
    this.#follower = begun?.follower
    this.#partial = new PartialStart(this.env, begun?.tree ?? PartialTree.empty(this.env.crypto), source)
  }

  async reach<T>(program: () => T): Promise<T> {
    return this.#partial ? this.#partial.reach(program) : program()
  }

  release(): void {
    this.#partial?.release()
    this.follower.release()
  }

  /** Follow the log to the relay's newest checkpoint: until there is nothing more. */
  async follow(channel: JoinChannel, onProgress?: JoinProgress): Promise<void> {
    for (;;) {
      const from = this.size
      const { records, note, witness } = await channel.pull(from)
      if (this.#follower) this.#partial?.stand(this.#follower)
      if (witness) this.#partial?.graft(witness)
      for (let at = 0; at < records.length; at += TOGETHER) {
        const slice = records.slice(at, at + TOGETHER)
        // Of who takes no rows, not even the keys of devices may be here: those are looked at when the state machine comes to them.
        const trust = this.#follower ? verifyTogether(this.env.crypto, asFarAsHere(this.#follower.state.tree), slice) : []
        for (const [i, record] of slice.entries()) await this.reach(() => this.#take(record, trust[i] ?? 'check'))
      }
      if (this.#partial && records.length > 0) await this.reach(() => readKernel(this.follower.state.tree))
      onProgress?.(this.size)
      const { crypto } = this.#options
      const statement = openRelayNote(crypto, this.#link.spaceId, this.#relay, note)
      if (statement.size < this.size) throw new SealError('bad-checkpoint', 'The relay’s checkpoint is older than the entries it gave.', { size: statement.size })
      if (statement.size > this.size) {
        if (records.length === 0) throw new SealError('rollback', 'The relay has signed for more entries than it gives.', { size: statement.size, found: this.size })
        continue
      }
      const { logRoot, stateRoot } = this.follower.head
      if (!equalBytes(logRoot, statement.logRoot) || !equalBytes(stateRoot, statement.stateRoot)) {
        throw new SealError('bad-checkpoint', 'The relay’s checkpoint is not the head that its entries lead to.', { size: statement.size })
      }
      this.note = statement.note
      // The relay gives a long history in steps, each under a checkpoint of its own: on until there is no more.
      if (records.length === 0) return
    }
  }

  /** The inviter's word: the same history, at the size at which the link was made. */
  checkAnchor(): void {
    const { anchor } = this.#link
    if (this.size < anchor.size) {
      throw new SealError('rollback', `The relay shows ${this.size} entries; the inviter had verified ${anchor.size}.`, { found: this.size, expected: anchor.size })
    }
    if (!equalBytes(this.follower.log.root(anchor.size), anchor.logRoot)) {
      throw new SealError('fork', 'The relay shows another history than the one the inviter had verified.', { size: anchor.size })
    }
  }

  async awaitAdmission(channel: JoinChannel, signing: Uint8Array): Promise<Grave | undefined> {
    for (let waits = 0; waits < WAITS; waits++) {
      const before = this.size
      await this.follow(channel)
      const grave = readGrave(this.follower.state.tree, signing)
      if (grave?.holder === 'device') return grave
      if (this.size > before && waits > 0) return undefined
      await channel.wait()
    }
    return undefined
  }

  #take(record: Uint8Array, signature: SignatureTrust): void {
    if (this.#follower) {
      const { verdict } = this.#follower.follow(record, signature)
      if (verdict.kind === 'ignored' && verdict.code === 'signature') this.#ignores = true
    } else {
      this.#follower = Follower.found(this.#options.crypto, record, this.#partial?.tree)
      if (!equalBytes(this.#follower.env.spaceId, this.#link.spaceId)) throw new SealError('bad-genesis', 'The relay shows the genesis of another space than the link’s.')
    }
    if (!this.#partial) this.records.push(record)
    // The anchor's state root is checked on the way: later it can't be read off any more.
    const { anchor } = this.#link
    if (this.size === anchor.size && !equalBytes(headOf(this.follower.env, this.follower.state).stateRoot, anchor.stateRoot)) {
      throw new SealError('fork', 'The relay’s history leads to another state than the one the inviter had verified.', { size: anchor.size })
    }
  }
}

function refused(detail: string): SealError {
  return new SealError('rejected', `This invitation doesn't admit you: ${detail}. It may be used up, revoked or expired, or ended when somebody was removed; ask for a new link.`, { code: 'join', detail })
}
