/**
 * A relay without a network: one log, one key, records delivered to whichever space is in reach, all in one order. It can be copied, so that two
 * histories are signed by one key; and told to store whatever comes.
 */
import { equalBytes } from '../../engine/codec/bytes.js'
import { checkpointSigner, formatStateLine, originOfSpace, signCheckpoint } from '../../engine/log/checkpoint.js'
import { parseLink } from '../../engine/group/link.js'
import { attachRelay } from '../../engine/space/acts.js'
import { AnchorStates } from '../../engine/space/anchors.js'
import { Follower, type HeldState } from '../../engine/space/follower.js'
import { joinSpace, type JoinChannel } from '../../engine/space/join.js'
import type { SnapshotChannel } from '../../engine/space/join-snapshot.js'
import type { RelayRecord } from '../../engine/space/ops/space.js'
import type { Space } from '../../engine/space/space.js'
import type { Head, Verdict } from '../../engine/space/types.js'
import type { StoreLocation } from '../../engine/store/store.js'
import { crypto, optionsOf } from './rim-support.js'

export const NAME = 'sequencer.test'

export class Sequencer {
  static readonly SEED: Uint8Array = new Uint8Array(32).fill(7)
  readonly records: Uint8Array[]
  readonly verdicts: Verdict[] = []
  readonly follower: Follower
  readonly anchors: AnchorStates
  readonly #seed: Uint8Array
  readonly #note: ReturnType<typeof checkpointSigner>
  /** Notes by size, as they were given out. */
  readonly notes = new Map<number, Uint8Array>()

  constructor(records: readonly Uint8Array[], seed: Uint8Array) {
    this.records = [...records]
    this.#seed = seed
    this.#note = checkpointSigner(crypto, NAME, crypto.signer(seed))
    this.follower = Follower.found(crypto, records[0] as Uint8Array)
    this.anchors = new AnchorStates(this.follower)
    this.verdicts.push({ kind: 'applied' })
    for (const record of records.slice(1)) {
      this.verdicts.push(this.follower.follow(record, 'check').verdict)
      this.anchors.followed()
    }
  }

  /** Attach a space, as it is, to a new sequencer. */
  static async attach(space: Space, seed = Sequencer.SEED): Promise<Sequencer> {
    const relay: RelayRecord = { url: 'memory:', name: NAME, publicKey: crypto.signer(seed).publicKey }
    await attachRelay(space, relay)
    const sequencer = new Sequencer(await space.records(0, space.head.size), seed)
    await sequencer.deliver(space)
    return sequencer
  }

  /** Another that goes on from here, with the same key: a fork, once both have moved. `size`: as restored from a backup. */
  copy(size = this.records.length): Sequencer {
    return new Sequencer(this.records.slice(0, size), this.#seed)
  }

  get head(): Head {
    return this.follower.head
  }

  note(head: Head = this.head): Uint8Array {
    const origin = originOfSpace(this.follower.env.spaceId)
    const note = signCheckpoint({ origin, size: head.size, root: head.logRoot, extensions: [formatStateLine(head.stateRoot)] }, [this.#note])
    if (head.size === this.head.size) this.notes.set(head.size, note)
    return note
  }

  /** Take a record as a relay with full checks does, or (`any`) whatever it is. */
  take(record: Uint8Array, any = false): Verdict {
    const judged = this.follower.judge(record)
    if (!any && judged.verdict.kind !== 'applied') {
      ;(judged.state as HeldState).tree.release()
      return judged.verdict
    }
    this.follower.adopt(judged)
    this.anchors.followed()
    this.records.push(record)
    this.verdicts.push(judged.verdict)
    return judged.verdict
  }

  /** Everything that the space lacks, in steps of at most `step` records (each step must be all of it: one note). */
  async deliver(space: Space): Promise<void> {
    const from = space.head.size
    await space.receive(from, this.records.slice(from), this.note())
  }

  /** What a space has to send, taken as far as it applies; then what it lacks. */
  async exchange(space: Space, any = false): Promise<void> {
    for (const { hash, record } of space.outbox()) {
      space.sent(hash)
      this.take(record, any)
    }
    await this.deliver(space)
  }

  /** Until all of them have sent everything and see the same. */
  async settle(...spaces: readonly Space[]): Promise<void> {
    for (let round = 0; round < 10; round++) {
      for (const space of spaces) await this.exchange(space)
      if (spaces.every((space) => space.outbox().length === 0 && equalBytes(space.head.logRoot, this.head.logRoot))) return
    }
    throw new Error('they do not settle')
  }

  /** States for newcomers, as a relay gives them out. */
  get snapshot(): SnapshotChannel {
    return {
      manifest: async (size) => this.anchors.at(size)?.manifest,
      rows: async (size, from, count) => {
        const source = this.anchors.at(size)
        if (!source) throw new Error('no such state')
        return source.rows(from, count)
      },
    }
  }

  channel(snapshot?: SnapshotChannel): JoinChannel {
    return {
      pull: async (from) => ({ records: this.records.slice(from), note: this.note() }),
      append: async (record) => (this.take(record).kind === 'applied' ? 'sent' : 'refused'),
      wait: async () => undefined,
      ...(snapshot && { snapshot }),
    }
  }

  async join(location: StoreLocation, link: string, name: string, snapshot?: SnapshotChannel): Promise<Space> {
    const store = await location.open()
    try {
      return await joinSpace(store, optionsOf(name), parseLink(crypto, link), this.channel(snapshot), { name })
    } catch (error) {
      await store.close()
      throw error
    }
  }

  /** An act that waits for the log: carried out while the sequencer keeps taking what comes. */
  async during<T>(space: Space, act: Promise<T>): Promise<T> {
    let done = false
    const ended = act.finally(() => { done = true })
    ended.catch(() => undefined) // the caller has it
    for (let turn = 0; !done && turn < 20_000; turn++) {
      // A disk may take its time.
      await new Promise<void>((resolve) => void (turn < 1_000 ? setImmediate(resolve) : setTimeout(resolve, 1)))
      if (space.outbox().length > 0) await this.exchange(space)
    }
    return ended
  }
}
