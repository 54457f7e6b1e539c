/**
 * Presence over a relay: sealed, signed, never stored. Each message carries its sender's verified head and the relay's note for it, so two members
 * who are online find out at once if the relay shows them two histories.
 */
import { isSealError } from '../engine/errors.js'
import { Reader, Writer } from '../engine/codec/canonical.js'
import { MAX_NOTE_LENGTH, MAX_PRESENCE_LENGTH } from '../engine/limits.js'
import type { SpaceSync } from '../engine/space/port.js'
import type { Head } from '../engine/space/types.js'
import type { Rpc } from './rpc.js'

export interface PresenceMessage {
  readonly member: number
  readonly device: number
  readonly head: Head
  /** What the application sent, or nothing. */
  readonly payload: Uint8Array
}

export class PresenceChannel {
  onMessage: (message: PresenceMessage) => void = () => undefined
  readonly #space: SpaceSync
  readonly #every: number
  readonly #now: () => number
  readonly #rpc: () => Rpc | undefined
  #timer: ReturnType<typeof setInterval> | undefined
  #counter = 0
  /** Highest counter seen per device: an older one is a replay. */
  readonly #seen = new Map<number, number>()

  constructor(space: SpaceSync, options: { readonly every: number; readonly now: () => number; readonly rpc: () => Rpc | undefined }) {
    this.#space = space
    this.#every = options.every
    this.#now = options.now
    this.#rpc = options.rpc
  }

  start(): void {
    if (this.#every === 0 || this.#timer) return
    this.send(new Uint8Array(0))
    this.#timer = setInterval(() => this.send(new Uint8Array(0)), this.#every)
    // A process with nothing else to do may end.
    if (typeof this.#timer === 'object' && 'unref' in this.#timer) this.#timer.unref()
  }

  pause(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  stop(): void {
    this.pause()
  }

  /** Nothing is sent while offline: presence is about now. */
  send(payload: Uint8Array): void {
    const rpc = this.#rpc()
    if (!rpc || this.#space.me.role === undefined) return
    const w = new Writer(512).bytes(this.#space.note ?? new Uint8Array(0), MAX_NOTE_LENGTH).bytes(payload, MAX_PRESENCE_LENGTH)
    // Counters grow across restarts too: milliseconds, or one more.
    this.#counter = Math.max(this.#counter + 1, this.#now())
    rpc.tell({ kind: 'presence', message: this.#space.sealPresence(this.#counter, w.finish()) })
  }

  receive(message: Uint8Array): void {
    try {
      const opened = this.#space.openPresence(message)
      if (opened.counter <= (this.#seen.get(opened.device) ?? 0)) return
      this.#seen.set(opened.device, opened.counter)
      const r = new Reader(opened.payload)
      const note = r.bytes(MAX_NOTE_LENGTH).slice()
      const payload = r.bytes(MAX_PRESENCE_LENGTH).slice()
      r.end()
      this.#compare(opened.member, opened.head, note)
      this.onMessage({ member: opened.member, device: opened.device, head: opened.head, payload })
    } catch (error) {
      // Somebody's presence that does not open (an epoch we have left, or noise) is nobody's problem.
      if (!isSealError(error)) throw error
    }
  }

  #compare(member: number, head: Head, note: Uint8Array): void {
    if (this.#space.compareHead(head) !== 'different') return
    const tell = (): void => this.#space.raise({
      code: 'fork', message: `Member ${member} has verified another history than this device: the relay shows two.`, facts: { member, size: head.size },
    })
    if (note.length === 0) tell()
    else this.#space.observe(note).then((outcome) => { if (outcome !== 'fork') tell() }, tell)
  }
}
