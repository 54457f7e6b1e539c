/**
 * Presence for applications: who is here now, and short messages that nobody keeps (cursors, "is typing"). Sealed and signed like everything else, but not in the
 * log: whoever is offline misses them, and a relay may drop or delay them. One for the life of an open space, over all its connections: what a relay repeats
 * from an earlier one is not heard again.
 */
import { expected } from '../engine/arguments.js'
import { Emitter } from '../engine/space/emitter.js'
import type { PresenceChannel, PresenceMessage } from './presence.js'

/** Of another device. */
export interface Heard {
  readonly member: number
  readonly device: number
  /** What its application sent; empty: it is here, and says so every 15 seconds. */
  readonly payload: Uint8Array
  /** The first of this device for a while: it has missed what was said before. */
  readonly arrived: boolean
}

/** A device that was heard of in the last 45 seconds. */
export interface PresentDevice {
  readonly member: number
  readonly device: number
  /** By this device's clock, in milliseconds. */
  readonly heardAt: number
}

/** Who is here, and what they say. */
export interface Presence {
  /**
   * Tell everybody who is online. At most 8 KiB (`bad-argument`). False if this device is not online itself: then nobody is told.
   *
   * @example
   * const cursor = new TextEncoder().encode(JSON.stringify({ row: 7 }))
   * const told = space.presence.send(cursor)
   */
  send(payload: Uint8Array): boolean
  /**
   * Told of what others' devices send, in the order in which each sent it, none twice. Returns what stops the listening.
   *
   * @example
   * const stop = space.presence.subscribe(({ member, payload }) => console.log(member, payload.length))
   */
  subscribe(listener: (heard: Heard) => void): () => void
  /** Other devices that are here, by number; this member's own others among them. */
  readonly here: readonly PresentDevice[]
}

/** Three times what lies between two messages of a device that says nothing else. */
const GONE_AFTER = 45_000

export class Present implements Presence {
  readonly #now: () => number
  /** A listener's own fault is nobody else's: it ends as an uncaught error. */
  readonly #emitter = new Emitter<{ heard: Heard }>((error) => queueMicrotask(() => { throw error }))
  /** By device: the last message, and when it came. */
  readonly #last = new Map<number, { readonly counter: number; readonly member: number; readonly heardAt: number }>()
  #channel: PresenceChannel | undefined

  constructor(now: () => number) {
    this.#now = now
  }

  /** The channel of the connection that is made now; undefined: there is none any more. */
  attach(channel: PresenceChannel | undefined): void {
    if (this.#channel !== undefined) this.#channel.onMessage = () => undefined
    this.#channel = channel
    if (channel !== undefined) channel.onMessage = (message) => this.#hear(message)
  }

  send(payload: Uint8Array): boolean {
    if (!(payload instanceof Uint8Array)) throw expected('a message as bytes (Uint8Array)', payload)
    return this.#channel?.send(payload) ?? false
  }

  subscribe(listener: (heard: Heard) => void): () => void {
    return this.#emitter.on('heard', listener)
  }

  get here(): readonly PresentDevice[] {
    return [...this.#last].filter(([, { heardAt }]) => !this.#isGone(heardAt)).map(([device, { member, heardAt }]) => ({ member, device, heardAt })).sort((a, b) => a.device - b.device)
  }

  #hear({ member, device, counter, payload }: PresenceMessage): void {
    const last = this.#last.get(device)
    if (last !== undefined && counter <= last.counter) return
    this.#last.set(device, { counter, member, heardAt: this.#now() })
    const arrived = last === undefined || this.#isGone(last.heardAt)
    this.#emitter.emit('heard', { member, device, payload, arrived })
  }

  /** A clock that went back says nothing. */
  #isGone(heardAt: number): boolean {
    return this.#now() - heardAt > GONE_AFTER
  }
}
