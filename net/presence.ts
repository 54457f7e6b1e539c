/**
 * Presence over a relay: sealed, signed, never stored. Each message carries its sender's verified head and the relay's note for it, so two members
 * who are online find out at once if the relay shows them two histories, and each passes the evidence on to the other.
 *
 * Without a note of the relay nobody's word about a head means anything: a member can't frame the relay or stop the others. A device whose clock
 * went back is not heard until it has caught up.
 */
import { isSealError, SealError } from '../engine/errors.js'
import { Reader, Writer } from '../engine/codec/canonical.js'
import { MAX_NOTE_LENGTH, MAX_PRESENCE_LENGTH } from '../engine/limits.js'
import type { SpaceSync } from '../engine/space/port.js'
import type { Head } from '../engine/space/types.js'
import { sizeOfNote } from './client.js'
import type { Rpc } from './rpc.js'

export interface PresenceMessage {
  readonly member: number
  readonly device: number
  readonly head: Head
  /** Greater than that of any message of this device before. */
  readonly counter: number
  /** What the application sent, or nothing. */
  readonly payload: Uint8Array
}

export interface PresenceOptions {
  /** Milliseconds between two messages of our own. 0: none but what the application sends. */
  readonly every: number
  readonly now: () => number
  readonly rpc: () => Rpc | undefined
  /** The relay has signed a larger head than ours and given it to a member. */
  readonly onAhead: (size: number, member: number) => void
}

/** Longest message of the application: the rest of a presence message is for notes and evidence. */
const MAX_PAYLOAD_LENGTH = 8 * 1024
const NOTHING = new Uint8Array(0)

export class PresenceChannel {
  onMessage: (message: PresenceMessage) => void = () => undefined
  readonly #space: SpaceSync
  readonly #options: PresenceOptions
  #timer: ReturnType<typeof setInterval> | undefined
  #counter = 0
  /** Highest counter seen per device: an older one is a replay. */
  readonly #seen = new Map<number, number>()
  /** Messages are looked at one after the other. */
  #comparing: Promise<void> = Promise.resolve()

  constructor(space: SpaceSync, options: PresenceOptions) {
    this.#space = space
    this.#options = options
  }

  start(): void {
    if (this.#options.every === 0 || this.#timer) return
    this.send(NOTHING)
    this.#timer = setInterval(() => this.send(NOTHING), this.#options.every)
    // A process with nothing else to do may end.
    if (typeof this.#timer === 'object' && 'unref' in this.#timer) this.#timer.unref()
  }

  pause(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** Nothing is sent while offline: presence is about now. True if something was. */
  send(payload: Uint8Array): boolean {
    if (payload.length > MAX_PAYLOAD_LENGTH) throw new SealError('bad-argument', `Expected at most ${MAX_PAYLOAD_LENGTH} bytes of presence.`, { found: payload.length })
    const rpc = this.#options.rpc()
    if (!rpc || this.#space.me.role === undefined) return false
    const w = new Writer(512)
    w.bytes(this.#space.note ?? NOTHING, MAX_NOTE_LENGTH).bytes(this.#space.evidence[0] ?? NOTHING, MAX_PRESENCE_LENGTH).bytes(payload, MAX_PRESENCE_LENGTH)
    // Counters grow across restarts too: milliseconds, or one more.
    this.#counter = Math.max(this.#counter + 1, this.#options.now())
    rpc.tell({ kind: 'presence', message: this.#space.sealPresence(this.#counter, w.finish()) })
    return true
  }

  receive(message: Uint8Array): void {
    try {
      const opened = this.#space.openPresence(message)
      if (opened.counter <= (this.#seen.get(opened.device) ?? 0)) return
      this.#seen.set(opened.device, opened.counter)
      const r = new Reader(opened.payload)
      const note = r.bytes(MAX_NOTE_LENGTH).slice()
      const evidence = r.bytes(MAX_PRESENCE_LENGTH).slice()
      const payload = r.bytes(MAX_PRESENCE_LENGTH).slice()
      r.end()
      const { member, device, head, counter } = opened
      this.#comparing = this.#comparing.then(() => this.#compare(member, head, note, evidence)).catch(ignoreNoise)
      this.onMessage({ member, device, head, counter, payload })
    } catch (error) {
      ignoreNoise(error)
    }
  }

  /** Resolves when what was received so far has been looked at. */
  async settled(): Promise<void> {
    await this.#comparing
  }

  async #compare(member: number, head: Head, note: Uint8Array, evidence: Uint8Array): Promise<void> {
    const before = this.#space.evidence.length
    if (evidence.length > 0 && before === 0) await this.#space.observeEvidence(evidence)
    const relation = this.#space.compareHead(head)
    if (note.length > 0 && (relation === 'different' || relation === 'ahead')) {
      // `observe` checks the relay's signature. Contradicted, it keeps the evidence; ahead of us, it is for the relay to show us what is missing.
      const outcome = await this.#space.observe(note)
      if (outcome === 'unknown') this.#options.onAhead(sizeOfNote(note), member)
    }
    // Whoever was shown the other history learns of it now, not with the next beat.
    if (this.#space.evidence.length > before) this.send(NOTHING)
  }
}

/** Somebody's presence that does not open or prove anything (an epoch we have left, a note of an earlier relay) is nobody's problem. */
function ignoreNoise(error: unknown): void {
  if (!isSealError(error)) throw error
}
