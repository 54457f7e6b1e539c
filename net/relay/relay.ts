/**
 * The relay: any number of spaces, each a room; any number of connections, each a session. It orders, stores, serves and fans out.
 * It holds one secret, the key that signs its checkpoints, and none of any space.
 */
import { encodeHex } from '../../engine/codec/bytes.js'
import { SealError } from '../../engine/errors.js'
import type { Head } from '../../engine/space/types.js'
import { encodeMessage } from '../messages.js'
import type { Connection } from '../transport.js'
import { Bucket } from './bucket.js'
import type { Ledger } from './ledger.js'
import { Metrics } from './metrics.js'
import { Room, type Announcement } from './room.js'
import { CLOSE, Session, type SessionHost, type SessionLimits } from './session.js'
import type { RelayStore } from './store.js'

/** How a relay judges and signs; made by `judge.ts` from the engine. */
export interface RelayJudge {
  readonly publicKey: Uint8Array
  /** A ledger of the space that this genesis record founds. Throws `bad-argument`/hostile if the genesis is not of that space. */
  found(space: Uint8Array, genesis: Uint8Array): Ledger
  sign(space: Uint8Array, head: Head): Uint8Array
  verifyChallenge(relayName: string, publicKey: Uint8Array, space: Uint8Array, nonce: Uint8Array, signature: Uint8Array): boolean
}

export interface RelayOptions {
  readonly store: RelayStore
  readonly judge: RelayJudge
  /** Its name in checkpoints and challenges, e.g. `relay.example.org`. */
  readonly name: string
  readonly random: (length: number) => Uint8Array
  readonly now: () => number
  readonly limits?: Partial<SessionLimits>
  /** Serve anybody who knows a space's id. For experiments. */
  readonly unsafeSkipRelayAuth?: boolean
  /** Most spaces this relay takes; a new one beyond it is refused. */
  readonly maxSpaces?: number
  readonly maxConnections?: number
  readonly log?: (event: string, facts: Readonly<Record<string, string | number>>) => void
}

export const DEFAULT_LIMITS: SessionLimits = {
  maxBuffered: 16 * 1024 * 1024,
  records: { perSecond: 50_000, burst: 100_000 },
  messages: { perSecond: 5_000, burst: 20_000 },
  answerBytes: 1024 * 1024,
  maxInWork: 1_000,
}

interface Open { readonly room: Room; readonly sessions: Set<Session> }

export class Relay {
  readonly metrics: Metrics
  readonly #options: RelayOptions
  readonly #limits: SessionLimits
  readonly #rooms = new Map<string, Promise<Open | undefined>>()
  readonly #sessions = new Set<Session>()
  readonly #buckets = new Map<string, Bucket>()
  #draining = false

  constructor(options: RelayOptions) {
    this.#options = options
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits }
    this.metrics = new Metrics(() => ({ connections: this.#sessions.size, rooms: this.#rooms.size }))
  }

  get publicKey(): Uint8Array {
    return this.#options.judge.publicKey
  }

  /** Serve a connection until it ends. */
  accept(connection: Connection): void {
    if (this.#draining) return connection.close(CLOSE.draining, 'the relay is shutting down')
    if (this.#sessions.size >= (this.#options.maxConnections ?? 10_000)) return connection.close(CLOSE.flood, 'too many connections')
    const session: Session = new Session(this.#host(() => session), connection)
    session.onPresence = (frame) => void this.#presence(session, frame)
    this.#sessions.add(session)
  }

  /** Stop taking connections, finish what is being stored, close everything. */
  async drain(): Promise<void> {
    this.#draining = true
    for (const loading of [...this.#rooms.values()]) {
      const open = await loading.catch(() => undefined) // a room that failed to load has nothing to finish
      await open?.room.drain()
    }
    for (const session of [...this.#sessions]) session.close(CLOSE.draining, 'the relay is shutting down')
    await this.#options.store.close()
  }

  #host(self: () => Session): SessionHost {
    const { judge, name } = this.#options
    return {
      name,
      publicKey: judge.publicKey,
      limits: this.#limits,
      unsafeSkipRelayAuth: this.#options.unsafeSkipRelayAuth ?? false,
      now: this.#options.now,
      random: this.#options.random,
      verifyChallenge: (publicKey, space, nonce, signature) => judge.verifyChallenge(name, publicKey, space, nonce, signature),
      find: async (space) => (await this.#find(space))?.room,
      create: (space, genesis) => this.#create(space, genesis),
      recordBucket: (space, device) => this.#bucket(`${encodeHex(space)}/${device}`),
      join: (session) => void this.#join(session),
      leave: () => void this.#leave(self()),
      count: (metric) => this.metrics.count(metric),
      log: (event, facts) => this.#options.log?.(event, facts),
    }
  }

  async #join(session: Session): Promise<void> {
    if (session.space) (await this.#find(session.space))?.sessions.add(session)
  }

  async #leave(session: Session): Promise<void> {
    this.#sessions.delete(session)
    if (session.space) (await this.#rooms.get(encodeHex(session.space))?.catch(() => undefined))?.sessions.delete(session)
  }

  #find(space: Uint8Array): Promise<Open | undefined> {
    const name = encodeHex(space)
    const known = this.#rooms.get(name)
    if (known) return known
    const loading = this.#load(space)
    this.#rooms.set(name, loading)
    // Neither a space that isn't here nor a failed load is remembered.
    void loading.then((open) => open ?? this.#rooms.delete(name), () => this.#rooms.delete(name))
    return loading
  }

  async #load(space: Uint8Array): Promise<Open | undefined> {
    const log = await this.#options.store.open(space)
    const [genesis] = (await log.refresh()) > 0 ? await log.read(0, 1, Number.MAX_SAFE_INTEGER) : []
    if (!genesis) {
      await log.close()
      return undefined
    }
    return this.#open(space, this.#options.judge.found(space, genesis), log)
  }

  async #open(space: Uint8Array, ledger: Ledger, log: Awaited<ReturnType<RelayStore['open']>>): Promise<Open> {
    const sessions = new Set<Session>()
    const announce = (announcement: Announcement): void => {
      if (sessions.size === 0) return
      const frame = encodeMessage({ kind: 'entries', request: 0, ...announcement })
      for (const session of [...sessions]) session.announce(announcement, frame)
    }
    const room = new Room({ ledger, log, announce, sign: (head) => this.#options.judge.sign(space, head) })
    await room.start()
    return { room, sessions }
  }

  /** A space that this relay does not hold yet. Its id is the hash of its genesis, so nobody can bring another in its place. */
  async #create(space: Uint8Array, genesis: Uint8Array): Promise<Room> {
    const existing = await this.#find(space)
    if (existing) return existing.room
    if (this.#rooms.size >= (this.#options.maxSpaces ?? 100_000)) throw new SealError('relay-refused', 'This relay takes no more spaces.', { code: 'quota' })
    this.#options.judge.found(space, genesis) // refuses what is not the genesis of that space
    const log = await this.#options.store.open(space)
    await log.append(0, [genesis]) // 'taken': another process was first, with the same bytes
    await log.close()
    const open = await this.#find(space)
    if (!open) throw new SealError('store-failed', 'The space was stored but cannot be read back.')
    return open.room
  }

  async #presence(from: Session, frame: Uint8Array): Promise<void> {
    if (!from.space) return
    const open = await this.#find(from.space)
    for (const session of open?.sessions ?? []) if (session !== from) session.presence(frame)
  }

  #bucket(name: string): Bucket {
    let bucket = this.#buckets.get(name)
    if (!bucket) {
      // Forget the buckets that say nothing, before there are too many.
      if (this.#buckets.size > 10_000) for (const [key, value] of this.#buckets) if (value.idle) this.#buckets.delete(key)
      bucket = new Bucket(this.#limits.records, this.#options.now)
      this.#buckets.set(name, bucket)
    }
    return bucket
  }
}
