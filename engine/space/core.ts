/**
 * What all sides of an open space share: its two states, the outbox, the store, the lock under which they move, and what this device knows of its
 * own standing. The sides: own-entries.ts (this device writes), advance.ts (the log goes on), relay-watch.ts (what the relay signs).
 */
import type { CryptoProvider, Signer } from '../crypto/provider.js'
import { isSealError } from '../errors.js'
import type { BuildContext } from '../group/builders.js'
import { equalBytes } from '../codec/bytes.js'
import type { Keyring } from '../group/keyring.js'
import { type GroupReader, readDevice, readMember, sameEpoch } from '../group/roster.js'
import type { ApplyEnv } from '../state/context.js'
import { protocolKey, relayKey } from '../state/keys.js'
import type { DeviceRecord } from '../state/roster.js'
import type { Batch, Store } from '../store/store.js'
import { Emitter, Mutex } from './emitter.js'
import { PROTOCOL_VERSION } from './entry.js'
import type { Follower, HeldState } from './follower.js'
import { HistoryReader } from './history.js'
import { decodeRelay, protocolVersion, type RelayRecord } from './ops/space.js'
import { Others } from './others.js'
import { Outbox, type Puts } from './outbox.js'
import { NAMES } from './persist.js'
import type { Alert, Me, SpaceEvents } from './port.js'
import { nonceSource, RowSealer } from './seal-row.js'
import { snapshotSeal, type SnapshotSeal } from './snapshot-image.js'
import { Standing } from './standing.js'
import type { DeviceId, Head } from './types.js'
import type { ThinParts } from './thin/open.js'
import type { Claimed, RemoteState } from './thin/remote.js'
import type { SpaceView } from './view.js'
import { Views } from './views.js'

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
  readonly thin?: ThinParts
}

/** How long a read waits for a newer head when the relay no longer has the one that is verified here. */
const MOVED_WAIT = 5_000

interface Facts {
  readonly of: SpaceView
  readonly me: Me
  readonly relay: RelayRecord | undefined
}

export class SpaceCore {
  readonly options: SpaceOptions
  readonly store: Store
  readonly follower: Follower
  readonly keyring: Keyring
  readonly device: DeviceId
  readonly signer: Signer
  readonly events = new Emitter<SpaceEvents>((error) => { queueMicrotask(() => { throw error }) }, ['alert', 'retry'])
  readonly lock = new Mutex()
  readonly history: HistoryReader
  readonly others: Others
  readonly outbox: Outbox
  readonly standing = new Standing()
  readonly views: Views
  readonly nonce: () => Uint8Array
  readonly sealer: RowSealer
  readonly #thin: ThinParts | undefined
  /** Of a thin client: whoever holds no rows. */
  readonly remote: RemoteState | undefined
  #snapshotSeal: SnapshotSeal | undefined
  /** What is asked several times of one verified state. */
  #facts: Facts | undefined

  constructor({ options, store, follower, keyring, device, signer, soundTo, alerts = [], thin }: SpaceParts) {
    this.options = options
    this.nonce = nonceSource(options.random)
    this.store = store
    this.follower = follower
    this.keyring = keyring
    this.device = device
    this.signer = signer
    this.history = new HistoryReader(follower, store, soundTo, this.snapshotSeal)
    this.others = new Others(device)
    this.outbox = new Outbox(options.crypto, (index) => this.others.seenBy(index))
    this.views = new Views(follower, keyring)
    this.sealer = new RowSealer(follower.env, keyring)
    this.#thin = thin
    this.remote = thin?.remote(() => this.#claim(), () => this.#moved())
    for (const alert of alerts) this.alert(alert)
  }

  get env(): ApplyEnv {
    return this.follower.env
  }
  /** Of the verified view: the follower runs ahead while a batch is being made durable. */
  get head(): Head {
    return this.views.verified.head
  }
  get me(): Me {
    return this.#readFacts().me
  }
  get relay(): RelayRecord | undefined {
    return this.#readFacts().relay
  }

  get snapshotSeal(): SnapshotSeal {
    return (this.#snapshotSeal ??= snapshotSeal(this.options, this.signer, this.env.spaceId))
  }

  buildContext(): BuildContext {
    const { crypto, random } = this.options
    const { tree, log } = this.views.current.held
    return { crypto, random, spaceId: this.env.spaceId, base: this.head, state: tree, index: log.size, device: this.device, signer: this.signer, keyring: this.keyring }
  }

  /** Run a part of what happens under the lock, which reads states and may be run again: a thin client fetches what it lacks. */
  within<T>(program: () => T): T | Promise<T> {
    return this.remote === undefined ? program() : this.remote.reach(program, 'locked')
  }

  /** What is kept of records that are in the verified log now: the records, or, by a thin client, what they came to. */
  batchOf(first: number, records: readonly Uint8Array[], put: Puts): Batch {
    return this.#thin === undefined ? { at: first, append: records, put } : { put: [...put, [NAMES.kept, this.#thin.keep(this.follower)]] }
  }

  /** What reads the group from now on must not fail: of a thin client, all of that is here. Throws `out-of-scope`. */
  checkKernel(): void {
    this.#thin?.readKernel(this.follower.state.tree)
  }

  #claim(): Claimed {
    const view = this.views.verified.retain() as SpaceView
    return { head: view.head, version: view.held.tree.state.version, release: () => view.release() }
  }

  /** The verified head has moved, or it is time to ask again. */
  #moved(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        stop()
        resolve()
      }
      const timer = setTimeout(done, MOVED_WAIT)
      const stop = this.events.on('change', done)
    })
  }

  /** A commit to the store. If it may or may not have happened, the store has to be opened again before anything else is written. */
  async durable(batch: Batch): Promise<void> {
    try {
      await this.store.commit(batch)
    } catch (error) {
      if (isSealError(error, 'store-failed') && (error.facts.outcome === 'unknown' || error.facts.reopen === true)) this.standing.stop('store')
      throw error
    }
  }

  /** Like `durable`, for what nobody waits for. */
  durableLater(put: Puts): void {
    void this.lock.run(() => this.durable({ put })).catch((error: unknown) => this.failLater(error))
  }

  alert(alert: Alert): void {
    this.events.emit('alert', alert)
  }

  /** If the epoch moved, or something of it is missing that may have come now: open it, and give what has to be stored. */
  openNewEpoch(state: HeldState): Puts {
    const { verified, current } = this.views
    if (sameEpoch(state.tree, current.held.tree) && (current === verified || sameEpoch(state.tree, verified.held.tree))) {
      if (!this.keyring.lacking) return []
      const held = this.keyring.epochs.length
      this.keyring.open(state.tree) // what is wrong with it was told when the epoch began
      return this.keyring.lacking && this.keyring.epochs.length === held ? [] : [[NAMES.keyring, this.keyring.encode()]]
    }
    for (const problem of this.keyring.open(state.tree)) {
      this.alert({ code: 'bad-link', message: `Device ${problem.device} made a ${problem.kind} of epoch ${problem.epoch} that does not hold what it should.`, facts: { ...problem } })
    }
    return [[NAMES.keyring, this.keyring.encode()]]
  }

  /** What the verified state says is forgotten is destroyed, a fresh agreement key takes over. */
  settleKeyring(): void {
    if (this.keyring.settle(this.follower.state.tree)) this.durableLater([[NAMES.keyring, this.keyring.encode()]])
  }

  /** Does the verified state let this device, with this code, go on writing? */
  noticeStanding(): void {
    const version = protocolVersion(this.views.verified.held.tree.get(protocolKey()))
    if (version !== PROTOCOL_VERSION) this.stopAtVersion(version)
    if (this.standing.stopped !== undefined || this.me.role !== undefined) return
    this.standing.stop('removed')
    this.alert({ code: 'removed', message: 'This device was removed from the space. What it holds stays readable here; nothing newer will be.', facts: { device: this.device } })
  }

  stopAtVersion(found: number): void {
    if (this.standing.stopped === 'unsupported-version') return
    this.standing.stop('unsupported-version')
    this.alert({ code: 'unsupported-version', message: `This space has moved to protocol version ${found}. Reading goes on as of the last entry that this program understands; update it to write.`, facts: { found, known: PROTOCOL_VERSION } })
  }

  /** The verified view has moved on from `before` by an entry of rows alone. */
  keepFacts(before: SpaceView): void {
    if (this.#facts?.of !== before) return
    const { me, relay } = this.#facts
    this.#facts = { of: this.views.verified, me, relay }
  }

  #readFacts(): Facts {
    const { verified } = this.views
    if (this.#facts?.of === verified) return this.#facts
    const relay = verified.held.tree.get(relayKey())
    return (this.#facts = { of: verified, me: this.#readMe(verified.held), relay: relay && decodeRelay(relay) })
  }

  /** This device as a state knows it. Under its number there may be another, if it was admitted in a part of the log that was lost. */
  ownDevice(tree: GroupReader): DeviceRecord | undefined {
    const device = readDevice(tree, this.device)
    return device !== undefined && equalBytes(device.signing, this.signer.publicKey) ? device : undefined
  }

  #readMe({ tree }: HeldState): Me {
    const device = this.ownDevice(tree)
    const member = device === undefined ? undefined : readMember(tree, device.member)
    const active = device !== undefined && device.removedAt === undefined && member?.removedAt === undefined
    return { member: device?.member ?? 0, device: this.device, role: active ? member?.role : undefined }
  }

  /** Something durable failed behind the caller's back: no more writing until the store was opened again. */
  failLater(error: unknown): void {
    if (this.standing.closed) return
    this.standing.stop('store')
    this.alert({ code: 'tampered', message: error instanceof Error ? error.message : String(error), facts: { code: isSealError(error) ? error.code : 'unexpected' } })
  }
}
