/**
 * Keeps one space in step with its relay: follows the log, sends what is pending, hands back what a relay has lost, reconnects with back-off and
 * jitter. It believes nothing: what arrives goes through `space.receive`, and a pending entry is done only when it is seen in the log.
 */
import { isSealError, SealError } from '../engine/errors.js'
import { MAX_BATCH_RECORDS } from '../engine/limits.js'
import type { SpaceSync } from '../engine/space/port.js'
import { greet, pullAll } from './client.js'
import type { Message, MessageOf } from './messages.js'
import { PresenceChannel } from './presence.js'
import type { Rpc } from './rpc.js'
import type { Dial } from './transport.js'

export type SyncState = 'offline' | 'connecting' | 'online' | 'stopped'

export interface SyncOptions {
  readonly dial: Dial
  readonly random: (length: number) => Uint8Array
  readonly now: () => number
  /** Longest wait between two attempts, in milliseconds. Default 30,000. */
  readonly maxBackoff?: number
  /** Milliseconds between two presence messages. 0: none. Default 15,000. */
  readonly presenceEvery?: number
  readonly onState?: (state: SyncState, error?: SealError) => void
  readonly onProgress?: (received: number) => void
}

/** Bytes of pending records sent in one message. */
const SEND_BYTES = 1024 * 1024
const FIRST_BACKOFF = 250

export class Sync {
  readonly presence: PresenceChannel
  readonly #space: SpaceSync
  readonly #options: SyncOptions
  #state: SyncState = 'offline'
  #rpc: Rpc | undefined
  #running: Promise<void> | undefined
  #abort: AbortController | undefined
  #wake: () => void = () => undefined
  /** Entries are received one batch after the other. */
  #incoming: Promise<void> = Promise.resolve()
  /** How many of the outbox were sent over this connection. */
  #sentHere = new WeakSet<object>()
  #stopListening: () => void = () => undefined

  constructor(space: SpaceSync, options: SyncOptions) {
    this.#space = space
    this.#options = options
    this.presence = new PresenceChannel(space, { every: options.presenceEvery ?? 15_000, now: options.now, rpc: () => this.#rpc })
  }

  get state(): SyncState {
    return this.#state
  }

  /** Connect, and stay connected until `stop`. */
  start(): void {
    if (this.#running) return
    this.#abort = new AbortController()
    this.#stopListening = this.#space.on('change', () => this.#flush())
    this.#running = this.#run(this.#abort.signal)
  }

  async stop(): Promise<void> {
    this.#abort?.abort()
    this.#stopListening()
    this.presence.stop()
    this.#rpc?.close()
    this.#wake()
    await this.#running
    await this.#incoming
    this.#running = undefined
    this.#set('stopped')
  }

  async #run(signal: AbortSignal): Promise<void> {
    let failures = 0
    while (!signal.aborted) {
      try {
        this.#set('connecting')
        await this.#connection(signal, () => { failures = 0 })
        this.#set('offline')
      } catch (error) {
        if (!isSealError(error)) throw error
        this.#set('offline', error)
        if (error.family === 'hostile') this.#space.raise({ code: 'tampered', message: error.message, facts: { code: error.code } })
        // Evidence has stopped the space; asking the same relay again changes nothing.
        if (error.code === 'fork') return
      }
      if (signal.aborted) return
      await this.#pause(Math.min(this.#options.maxBackoff ?? 30_000, FIRST_BACKOFF * 2 ** Math.min(failures++, 10)), signal)
    }
  }

  /** One connection, from dialling to its end. */
  async #connection(signal: AbortSignal, connected: () => void): Promise<void> {
    const { relay } = this.#space
    if (!relay) throw new SealError('bad-argument', 'This space is attached to no relay.')
    const greeting = await greet(this.#options.dial, relay.url, this.#space.id, relay, signal)
    const { rpc } = greeting
    const ended = new Promise<void>((resolve) => { rpc.onClose = () => resolve() })
    const abort = (): void => rpc.close()
    signal.addEventListener('abort', abort, { once: true })
    if (signal.aborted) abort()
    try {
      if (!greeting.known) await rpc.call({ kind: 'create', genesis: (await this.#space.records(0, 1))[0] as Uint8Array }, 'appended')
      const welcome = await rpc.call({ kind: 'auth', ...this.#space.signChallenge(greeting.name, greeting.nonce) }, 'welcome')
      rpc.onPush = (message) => this.#push(rpc, message)
      if (welcome.size < this.#space.head.size) await this.#handBack(rpc, welcome)
      this.#sentHere = new WeakSet()
      await this.#receiveAll(rpc)
      this.#rpc = rpc
      connected()
      this.#set('online')
      this.#flush()
      this.presence.start()
      await ended
    } finally {
      signal.removeEventListener('abort', abort)
      this.#rpc = undefined
      this.presence.pause()
      rpc.close()
    }
  }

  /** The relay has less than was verified here: a new relay, or one restored from a backup. The same bytes go back to the same places. */
  async #handBack(rpc: Rpc, { size, note }: MessageOf<'welcome'>): Promise<void> {
    if (size > 0) {
      await this.#space.observe(note)
      if (this.#space.note !== undefined) {
        this.#space.raise({
          code: 'rollback', message: `The relay holds ${size} entries of the ${this.#space.head.size} verified here. They are being handed back.`,
          facts: { relay: size, verified: this.#space.head.size },
        })
      }
    }
    for (let from = size; from < this.#space.head.size;) {
      const records = withinBytes(await this.#space.records(from, Math.min(this.#space.head.size, from + MAX_BATCH_RECORDS)))
      const answer = await rpc.call({ kind: 'restore', from, records }, 'appended')
      if (answer.refused !== '') throw new SealError('relay-refused', `The relay refuses entries that were verified here: ${answer.refused}`, { code: answer.refused, from })
      from += records.length
    }
  }

  async #receiveAll(rpc: Rpc): Promise<void> {
    const from = this.#space.head.size
    const { records, note, size } = await pullAll(rpc, from, this.#options.onProgress)
    if (size >= from) await this.#space.receive(from, records, note)
  }

  #push(rpc: Rpc, message: Message): void {
    if (message.kind === 'entries') this.#enqueue(rpc, () => this.#take(rpc, message))
    else if (message.kind === 'presenceFrom') this.presence.receive(message.message)
    else if (message.kind === 'appended') {
      // A courtesy. If the relay refused, either the log has moved on (then the entry is executed again) or it is asked again later.
      if (message.refused !== '') this.#enqueue(rpc, () => this.#refused(rpc))
    } else if (message.kind === 'refused') this.#enqueue(rpc, () => this.#refused(rpc))
  }

  async #take(rpc: Rpc, { from, records, note }: MessageOf<'entries'>): Promise<void> {
    if (from > this.#space.head.size) await this.#receiveAll(rpc)
    else if (from + records.length > this.#space.head.size) await this.#space.receive(from, records, note)
    this.#flush()
  }

  async #refused(rpc: Rpc): Promise<void> {
    await this.#receiveAll(rpc)
    this.#sentHere = new WeakSet()
    setTimeout(() => this.#flush(), FIRST_BACKOFF * (1 + this.#jitter()))
  }

  #enqueue(rpc: Rpc, work: () => Promise<void>): void {
    this.#incoming = this.#incoming.then(work).catch((error: unknown) => {
      if (isSealError(error, 'disconnected')) return
      const message = error instanceof Error ? error.message : String(error)
      this.#set(this.#state, isSealError(error) ? error : undefined)
      rpc.close(4000, message)
    })
  }

  /** Send what is pending and was not sent over this connection, in order. */
  #flush(): void {
    const rpc = this.#rpc
    if (!rpc) return
    let batch: { readonly hash: Uint8Array; readonly record: Uint8Array }[] = []
    let bytes = 0
    const send = (): void => {
      if (batch.length === 0) return
      rpc.tell({ kind: 'append', records: batch.map(({ record }) => record) })
      for (const { hash } of batch) this.#space.sent(hash)
      batch = []
      bytes = 0
    }
    for (const item of this.#space.outbox()) {
      if (this.#sentHere.has(item)) continue
      this.#sentHere.add(item)
      batch.push(item)
      bytes += item.record.length
      if (bytes >= SEND_BYTES || batch.length >= MAX_BATCH_RECORDS) send()
    }
    send()
  }

  #pause(milliseconds: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(done, milliseconds * (0.5 + this.#jitter()))
      function done(): void {
        clearTimeout(timer)
        resolve()
      }
      this.#wake = done
      signal.addEventListener('abort', done, { once: true })
    })
  }

  /** In [0, 1). */
  #jitter(): number {
    return (this.#options.random(1)[0] as number) / 256
  }

  #set(state: SyncState, error?: SealError): void {
    this.#state = state
    this.#options.onState?.(state, error)
  }
}

/** As many of the first records as fit into one message, at least one. */
function withinBytes(records: readonly Uint8Array[]): readonly Uint8Array[] {
  let bytes = 0
  const end = records.findIndex((record, i) => (bytes += record.length) > SEND_BYTES && i > 0)
  return end < 0 ? records : records.slice(0, end)
}
