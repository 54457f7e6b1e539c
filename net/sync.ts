/**
 * Keeps one space in step with its relay: follows the log, sends what is pending, hands back what a relay has lost, reconnects with back-off and
 * jitter. It believes nothing: what arrives goes through `space.receive`, and a pending entry is done only when it is seen in the log.
 */
import { isSealError, SealError } from '../engine/errors.js'
import { isSameRelay } from '../engine/space/ops/space.js'
import type { Alert, SpaceSync } from '../engine/space/port.js'
import { carriesAcceptance, goOver } from './branch.js'
import { bring, getIn } from './bring.js'
import { greet, pullStep, pullWitnessed, type Step } from './client.js'
import type { Message, MessageOf } from './messages.js'
import { Outbound } from './outbound.js'
import { PresenceChannel } from './presence.js'
import { askPage } from './reads.js'
import type { Rpc } from './rpc.js'
import type { Dial } from './transport.js'

/** `online`: in step with the relay's head. `offline`: between two attempts. `stopped`: there will be none. */
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

/** What was pulled; a thin client gets a witness with it. */
type Pulled = Step & { readonly witness?: Uint8Array }

const FIRST_BACKOFF = 250
/** A connection that lasted so long was a good one: the next attempt need not wait. */
const GOOD_CONNECTION = 5_000
/** Every so often the relay is asked for a sign of life, and has so long to give it. */
const PING_EVERY = 30_000
const PING_TIMEOUT = 20_000
/** How long a relay has to show a head that it has shown others: relays that share a database tell each other. */
const AHEAD_GRACE = 2_000

export class Sync {
  readonly presence: PresenceChannel
  /** The connection, while it is in step. */
  readonly rpc = (): Rpc | undefined => this.#rpc
  readonly #space: SpaceSync
  readonly #options: SyncOptions
  #state: SyncState = 'offline'
  #rpc: Rpc | undefined
  /** The relay of this connection, as the verified log named it when it began. */
  #at: SpaceSync['relay']
  #running: Promise<void> | undefined
  #abort: AbortController | undefined
  #wake: () => void = () => undefined
  /** Entries are received one batch after the other. */
  #incoming: Promise<void> = Promise.resolve()
  /** What was wrong with what the relay pushed: why this connection is ending. */
  #failure: SealError | undefined
  readonly #outbound: Outbound
  #retry: ReturnType<typeof setTimeout> | undefined
  #stopListening: () => void = () => undefined

  constructor(space: SpaceSync, options: SyncOptions) {
    this.#space = space
    this.#options = options
    this.#outbound = new Outbound(space)
    this.presence = new PresenceChannel(space, {
      every: options.presenceEvery ?? 15_000, now: options.now, rpc: () => this.#rpc, onAhead: (size, member) => this.#lookAhead(size, member),
    })
  }

  get state(): SyncState {
    return this.#state
  }

  /** Connect, and stay connected until `stop`. */
  start(): void {
    if (this.#running) return
    this.#abort = new AbortController()
    this.#space.remote?.connect(undefined, true)
    this.#stopListening = this.#space.on('change', () => this.#flush())
    this.#running = this.#run(this.#abort.signal)
  }

  async stop(): Promise<void> {
    this.#abort?.abort()
    this.#space.remote?.connect(undefined, false)
    this.#stopListening()
    clearTimeout(this.#retry)
    this.presence.pause()
    this.#rpc?.close()
    this.#wake()
    await this.#running
    await this.#incoming
    await this.presence.settled()
    this.#running = undefined
    this.#set('stopped')
  }

  async #run(signal: AbortSignal): Promise<void> {
    let failures = 0
    while (!signal.aborted && !this.#isRemoved()) {
      let online = Infinity
      try {
        this.#set('connecting')
        await this.#connection(signal, () => { online = this.#options.now() })
        this.#set('offline')
      } catch (error) {
        if (!isSealError(error)) throw error
        online = Infinity
        this.#set('offline', error)
        this.#tell(error)
      }
      if (signal.aborted || this.#isRemoved()) break
      failures = this.#options.now() - online > GOOD_CONNECTION ? 0 : failures + 1
      await this.#pause(Math.min(this.#options.maxBackoff ?? 30_000, FIRST_BACKOFF * 2 ** Math.min(failures, 10)), signal)
    }
    this.#space.remote?.connect(undefined, false)
    if (!signal.aborted) this.#set('stopped', removed())
  }

  /** As the verified log says; the entry that did it is the last that a relay gives to this device. */
  #isRemoved(): boolean {
    return this.#space.me.role === undefined
  }

  /** The verified log says that the space is at another relay: what this one says is of no concern any more. */
  #hasMoved(): boolean {
    const { relay } = this.#space
    return relay?.url !== this.#at?.url || !isSameRelay(relay, this.#at)
  }

  /** One connection, from dialling to its end. Throws what was wrong with it. */
  async #connection(signal: AbortSignal, online: () => void): Promise<void> {
    const { relay } = this.#space
    if (!relay) throw new SealError('bad-argument', 'This space is attached to no relay.')
    const greeting = await greet(this.#options.dial, relay.url, this.#space.id, relay, signal)
    const { rpc } = greeting
    const ended = new Promise<void>((resolve) => { rpc.onClose = () => resolve() })
    const abort = (): void => rpc.close()
    signal.addEventListener('abort', abort, { once: true })
    if (signal.aborted) abort()
    this.#failure = undefined
    this.#at = relay
    let ping: ReturnType<typeof setInterval> | undefined
    try {
      const welcome = await getIn(this.#space, greeting, (what) => this.#tellRollback(what))
      rpc.onPush = (message) => this.#push(rpc, message)
      this.#space.remote?.connect({ page: (head, queries) => askPage(rpc, head, queries) }, true)
      const first = this.#catchUp(rpc, welcome)
      this.#incoming = this.#incoming.then(() => first).catch(() => undefined) // what is pushed waits for it; what is wrong with it is thrown here
      await first
      if (this.#isRemoved() || this.#hasMoved()) return
      this.#outbound.again()
      this.#rpc = rpc
      online()
      this.#set('online')
      this.#flush()
      this.presence.start()
      ping = setInterval(() => void rpc.call({ kind: 'ping' }, 'pong', PING_TIMEOUT).catch(() => undefined), PING_EVERY) // silence ends the connection
      await ended
      await this.#incoming
      this.#throwFailure()
    } finally {
      clearInterval(ping)
      signal.removeEventListener('abort', abort)
      this.#rpc = undefined
      this.#space.remote?.connect(undefined, !signal.aborted)
      this.presence.pause()
      rpc.close()
    }
  }

  #throwFailure(): void {
    if (this.#failure) throw this.#failure
  }

  async #catchUp(rpc: Rpc, welcome: MessageOf<'welcome'>): Promise<void> {
    if (welcome.size < this.#space.head.size) await this.#handBack(rpc, welcome)
    await this.#receiveAll(rpc, welcome.size)
  }

  /** The relay has less than was verified here: a new relay, or one restored from a backup. The same bytes go back to the same places. */
  async #handBack(rpc: Rpc, { size, note }: MessageOf<'welcome'>): Promise<void> {
    try {
      if ((await this.#space.observe(note)) === 'fork') return
    } catch (error) {
      if (isSealError(error, 'fork') && (await this.#goesOver(rpc))) return
      throw error
    }
    if (this.#space.remote) throw new SealError('rollback', `The relay shows ${size} entries; ${this.#space.head.size} were verified here. A replica has to hand back what is missing.`, { found: size, expected: this.#space.head.size })
    this.#tellRollback(`The relay holds ${size} entries of the ${this.#space.head.size} verified here`)
    await bring(this.#space, rpc, size)
  }

  /** Only a relay that has signed for more than it has now has lost something; to a new one it is all new. */
  #tellRollback(found: string): void {
    if (this.#space.note === undefined) return
    this.#space.raise({ code: 'rollback', message: `${found}. The missing ones are being handed back.`, facts: { verified: this.#space.head.size } })
  }

  /** Receive what the relay has, in steps, each verified and durable before the next is asked for, up to `size` at least. */
  async #receiveAll(rpc: Rpc, size: number): Promise<void> {
    for (let received = 0; ;) {
      const from = this.#space.head.size
      const step: Pulled = this.#space.remote ? await pullWitnessed(rpc, from) : await pullStep(rpc, from, (count) => this.#options.onProgress?.(received + count))
      received += step.records.length
      const outcome = await this.#receive(rpc, step)
      if (outcome === 'stuck' || this.#hasMoved()) return
      if (outcome === 'over') continue
      if (step.size < step.from) throw new SealError('rollback', `The relay shows ${step.size} entries; ${step.from} were verified here.`, { found: step.size, expected: step.from })
      if (step.records.length === 0 || this.#space.head.size >= size) return
    }
  }

  /**
   * What does not lead where the relay has signed may be of another history. If an admin has accepted that, this device goes over to it. Else the relay is
   * asked how it gets from the head that is verified here to its own: what it answers is evidence, and this device is stuck, or proves nothing, and the
   * batch stays refused.
   */
  async #receive(rpc: Rpc, { from, records, note, witness }: Omit<Pulled, 'size'>): Promise<'followed' | 'over' | 'stuck'> {
    let parted: SealError | undefined
    try {
      await this.#space.receive(from, records, note, witness)
      if (this.#space.evidence.length === 0) return 'followed'
    } catch (error) {
      // A witness of another history is one of another state, too.
      if (!isSealError(error) || !(['bad-checkpoint', 'fork'].includes(error.code) || (this.#space.remote && error.family === 'hostile'))) throw error
      parted = error
    }
    if (await this.#goesOver(rpc)) return 'over'
    if (parted && !(parted.code !== 'fork' && (await this.#findsFork(rpc)))) throw parted
    return 'stuck'
  }

  async #goesOver(rpc: Rpc): Promise<boolean> {
    if (this.#space.remote) return false // it has no entries to compare: joining again does it
    try {
      return await goOver(this.#space, rpc)
    } catch (error) {
      // A lie, or an entry from before this device joined: what was found first stands.
      if (isSealError(error) && (error.family === 'hostile' || error.code === 'out-of-scope')) return false
      throw error
    }
  }

  async #findsFork(rpc: Rpc): Promise<boolean> {
    try {
      const { note, root, consistency } = await rpc.call({ kind: 'checkpoint', size: this.#space.head.size }, 'checkpointIs')
      return (await this.#space.observe(note, { root, proof: consistency })) === 'fork'
    } catch (error) {
      if (isSealError(error)) return false // no answer, or one that proves nothing: what was found first stands
      throw error
    }
  }

  #push(rpc: Rpc, message: Message): void {
    if (message.kind === 'entries') this.#enqueue(rpc, () => this.#take(rpc, message))
    else if (message.kind === 'presenceFrom') this.presence.receive(message.message)
    // A courtesy. If the relay refused, either the log has moved on (then the entry is executed again) or it is asked again later.
    else if (message.kind === 'refused' || (message.kind === 'appended' && message.refused !== '')) this.#enqueue(rpc, () => this.#refused(rpc))
  }

  /** Evidence ends the following of this relay until an admin accepts what it did; presence goes on, so that others see the evidence. */
  async #take(rpc: Rpc, { from, records, note }: MessageOf<'entries'>): Promise<void> {
    if (this.#hasMoved()) return
    if (this.#space.evidence.length > 0 && !(records.some(carriesAcceptance) && (await this.#goesOver(rpc)))) return
    // A thin client needs a witness with them. What is known already is compared all the same.
    if (from > this.#space.head.size || (this.#space.remote && from + records.length > this.#space.head.size)) await this.#receiveAll(rpc, from + records.length)
    // What is known already is compared all the same: the relay has signed it again.
    else await this.#receive(rpc, { from, records, note })
    if (this.#isRemoved() || this.#hasMoved()) rpc.close()
    else this.#flush()
  }

  async #refused(rpc: Rpc): Promise<void> {
    await this.#receiveAll(rpc, this.#space.head.size)
    clearTimeout(this.#retry)
    this.#retry = setTimeout(() => {
      this.#outbound.again()
      this.#flush()
    }, FIRST_BACKOFF * (1 + this.#jitter()))
  }

  /** The relay has signed `size` entries and shown them to a member. If it does not show them here, it withholds them. */
  #lookAhead(size: number, member: number): void {
    const rpc = this.#rpc
    if (!rpc) return
    const timer = setTimeout(() => {
      if (this.#space.head.size >= size || !rpc.open || this.#space.evidence.length > 0) return
      this.#enqueue(rpc, async () => {
        await this.#receiveAll(rpc, size)
        if (this.#space.head.size >= size || this.#space.evidence.length > 0) return
        const facts = { verified: this.#space.head.size, signed: size, member }
        this.#space.raise({ code: 'truncated', message: `The relay has shown member ${member} ${size} entries, and shows this device only ${facts.verified}.`, facts })
      })
    }, AHEAD_GRACE)
    if (typeof timer === 'object' && 'unref' in timer) timer.unref()
  }

  #enqueue(rpc: Rpc, work: () => Promise<void>): void {
    // What came before the end of the connection counts: it may be the last that this device is told.
    this.#incoming = this.#incoming.then(() => (this.#failure ? undefined : work())).catch((error: unknown) => {
      // Out of the chain: `#connection` throws it, when the connection has ended.
      if (!isSealError(error, 'disconnected')) {
        this.#failure ??= isSealError(error) ? error : new SealError('invariant', 'Receiving entries failed unexpectedly.', {}, { cause: error })
      }
      rpc.close(4000, 'what was sent does not verify')
    })
  }

  #flush(): void {
    if (this.#rpc) this.#outbound.flush(this.#rpc)
  }

  /** What a relay did that it must not do, its user hears of. */
  #tell(error: SealError): void {
    if (error.family !== 'hostile') return
    const code: Alert['code'] = error.code === 'rollback' || error.code === 'fork' ? error.code : 'tampered'
    this.#space.raise({ code, message: error.message, facts: { code: error.code } })
  }

  #pause(milliseconds: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(done, milliseconds * (0.5 + this.#jitter()))
      function done(): void {
        clearTimeout(timer)
        signal.removeEventListener('abort', done)
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

function removed(): SealError {
  return new SealError('relay-refused', 'This device was removed from the space; relays serve it no longer.', { code: 'removed' })
}
