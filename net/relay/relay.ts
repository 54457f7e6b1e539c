/**
 * The relay: any number of spaces, each a room; any number of connections, each a session. It orders, stores, serves and fans out.
 * It holds one secret, the key that signs its checkpoints, and none of any space.
 */
import { encodeHex } from '../../engine/codec/bytes.js'
import { isSealError, SealError } from '../../engine/errors.js'
import { MAX_FRAME_LENGTH } from '../../engine/limits.js'
import type { Head } from '../../engine/space/types.js'
import type { Connection } from '../transport.js'
import { Bucket, type Rate } from './bucket.js'
import type { Ledger } from './ledger.js'
import { Metrics } from './metrics.js'
import { Room } from './room.js'
import { CLOSE, Session } from './session.js'
import type { SessionHost, SessionLimits } from './session-host.js'
import { findImage, type FoundImage, type ImageRule } from './image.js'
import type { RelayLog, RelayStore } from './store.js'

/** How a relay judges and signs; made by `judge.ts` from the engine. */
export interface RelayJudge {
  readonly publicKey: Uint8Array
  /** A ledger of the space that this genesis record founds. Throws `bad-genesis` if it is not of that space. */
  found(space: Uint8Array, genesis: Uint8Array): Ledger
  /** The ledger of the image in that space's log; undefined if there is none that can be read here. Throws `store-corrupt`, or hostile: it is not one that this relay wrote. */
  resume(space: Uint8Array, log: RelayLog): Promise<FoundImage | undefined>
  sign(space: Uint8Array, head: Head): Uint8Array
  verifyChallenge(relayName: string, publicKey: Uint8Array, space: Uint8Array, nonce: Uint8Array, signature: Uint8Array): boolean
}

export interface RelayOptions {
  readonly store: RelayStore
  readonly judge: RelayJudge
  /** Its name in checkpoints and challenges, e.g. `relay.example.org`. */
  readonly name: string
  readonly random: (length: number) => Uint8Array
  /** Milliseconds, for limits only. */
  readonly now: () => number
  readonly limits?: Partial<RelayLimits>
  /** Serve anybody who knows a space's id. For experiments. */
  readonly unsafeSkipRelayAuth?: boolean
  /** More of them for `/metrics`. */
  readonly gauges?: () => Readonly<Record<string, number>>
  readonly log?: (event: string, facts: Readonly<Record<string, string | number>>) => void
}

export interface RelayLimits extends SessionLimits {
  /** Most spaces this relay takes; a new one beyond it is refused. */
  readonly maxSpaces: number
  readonly maxConnections: number
  /** New connections, and new spaces, of one address. */
  readonly connects: Rate
  readonly creates: Rate
  /** Bytes of requests in work, all connections together. */
  readonly maxInWorkTotal: number
  /** Bytes of frames that have begun and not ended, all connections together; on sockets only. */
  readonly maxUnfinishedTotal: number
  /** Spaces that nobody listens to are let go of beyond so many in memory. */
  readonly maxIdleRooms: number
  /** … or beyond so many bytes of memory, those least lately asked for first. */
  readonly maxIdleBytes: number
  /** When an image of a space is written. */
  readonly images: ImageRule
  /** Bytes of files that a space may keep here. */
  readonly maxFileBytes: number
}

export const DEFAULT_LIMITS: RelayLimits = {
  maxBuffered: 16 * 1024 * 1024,
  records: { perSecond: 50_000, burst: 100_000 },
  reads: { perSecond: 64 * 1024 * 1024, burst: 512 * 1024 * 1024 },
  chunks: { perSecond: 128 * 1024 * 1024, burst: 512 * 1024 * 1024 },
  messages: { perSecond: 5_000, burst: 20_000 },
  answerBytes: 1024 * 1024,
  maxInWork: 1_000,
  maxInWorkBytes: 2 * MAX_FRAME_LENGTH,
  handshakeTime: 15_000,
  maxSpaces: 100_000,
  maxConnections: 10_000,
  connects: { perSecond: 100, burst: 2_000 },
  creates: { perSecond: 1, burst: 1_000 },
  maxInWorkTotal: 512 * 1024 * 1024,
  maxUnfinishedTotal: 512 * 1024 * 1024,
  maxIdleRooms: 100,
  maxFileBytes: 16 * 1024 * 1024 * 1024,
  maxIdleBytes: 256 * 1024 * 1024,
  images: { entries: 2_000, bytes: 8 * 1024 * 1024 },
}
/** Buckets kept before those that say nothing are forgotten. */
const MAX_BUCKETS = 10_000

export class Relay {
  readonly metrics: Metrics
  readonly #options: RelayOptions
  readonly #limits: RelayLimits
  readonly #rooms = new Map<string, Promise<Room | undefined>>()
  readonly #closings = new Map<string, Promise<void>>()
  readonly #sessions = new Set<Session>()
  readonly #buckets = new Map<string, Bucket>()
  #inWork = 0
  #spaces: number | undefined
  #draining = false

  constructor(options: RelayOptions) {
    this.#options = options
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits }
    this.metrics = new Metrics(() => ({ connections: this.#sessions.size, rooms: this.#rooms.size, bytes_in_work: this.#inWork, ...options.gauges?.() }))
  }

  get publicKey(): Uint8Array {
    return this.#options.judge.publicKey
  }

  /** Serve a connection until it ends. */
  accept(connection: Connection): void {
    if (this.#draining) return connection.close(CLOSE.draining, 'the relay is shutting down')
    if (this.#sessions.size >= this.#limits.maxConnections || !this.#bucket(`connect ${connection.peer}`, this.#limits.connects).take(1)) {
      this.metrics.count('flood')
      return connection.close(CLOSE.flood, 'too many connections')
    }
    const session: Session = new Session(this.#host(connection.peer), connection)
    this.#sessions.add(session)
  }

  /** To be called every few seconds: ends handshakes that take too long, lets go of spaces that nobody listens to. */
  async sweep(): Promise<void> {
    for (const session of [...this.#sessions]) session.checkHandshake()
    const idle: (readonly [string, Room])[] = []
    for (const [name, opening] of [...this.#rooms]) {
      const room = await opening.catch(() => undefined) // a failed load forgets itself
      if (room?.idle) idle.push([name, room])
    }
    let rooms = this.#rooms.size
    let bytes = idle.reduce((sum, [, room]) => sum + room.ledger.memory, 0)
    for (const [name, room] of idle) {
      if (rooms <= this.#limits.maxIdleRooms && bytes <= this.#limits.maxIdleBytes) return
      if (!room.idle) continue // meanwhile
      rooms--
      bytes -= room.ledger.memory
      await this.#letGo(name, room)
    }
  }

  /** Stop taking connections, finish what is being stored, close everything. */
  async drain(): Promise<void> {
    if (this.#draining) return
    this.#draining = true
    for (const opening of [...this.#rooms.values()]) await (await opening.catch(() => undefined))?.close() // what failed to load has nothing to finish
    // Answers to what was just stored go out before the goodbye.
    await new Promise<void>((resolve) => setImmediate(resolve))
    for (const session of [...this.#sessions]) session.close(CLOSE.draining, 'the relay is shutting down')
    await this.#options.store.close()
  }

  #host(peer: string): SessionHost {
    const { judge, name, random, now } = this.#options
    return {
      name,
      publicKey: judge.publicKey,
      limits: this.#limits,
      unsafeSkipRelayAuth: this.#options.unsafeSkipRelayAuth ?? false,
      now,
      random,
      verifyChallenge: (publicKey, space, nonce, signature) => judge.verifyChallenge(name, publicKey, space, nonce, signature),
      find: (space) => this.#find(space),
      create: (space, genesis) => this.#create(space, genesis, peer),
      recordBucket: (space, device) => this.#bucket(`records ${encodeHex(space)}/${device === 0 ? peer : device}`, this.#limits.records),
      readBucket: (space, device) => this.#bucket(`reads ${encodeHex(space)}/${device === 0 ? peer : device}`, this.#limits.reads),
      chunkBucket: (space, device) => this.#bucket(`chunks ${encodeHex(space)}/${device === 0 ? peer : device}`, this.#limits.chunks),
      reserve: (bytes) => {
        if (this.#inWork + bytes > this.#limits.maxInWorkTotal) return false
        this.#inWork += bytes
        return true
      },
      giveBack: (bytes) => { this.#inWork -= bytes },
      leave: (session) => { this.#sessions.delete(session) },
      count: (metric, by) => this.metrics.count(metric, by),
      log: (event, facts) => this.#options.log?.(event, facts),
    }
  }

  #find(space: Uint8Array): Promise<Room | undefined> {
    const name = encodeHex(space)
    const known = this.#rooms.get(name)
    if (known) {
      // The last asked for are the last to go.
      this.#rooms.delete(name)
      this.#rooms.set(name, known)
      return known
    }
    const loading = this.#load(space, name)
    this.#rooms.set(name, loading)
    // Neither a space that isn't here nor a failed load is remembered.
    const forget = (): void => { if (this.#rooms.get(name) === loading) this.#rooms.delete(name) }
    loading.then((room) => { if (!room) forget() }, forget)
    return loading
  }

  async #load(space: Uint8Array, name: string): Promise<Room | undefined> {
    await this.#closings.get(name)?.catch(() => undefined) // whoever closes it reports that
    const log = await this.#options.store.open(space)
    if (!log) return undefined
    try {
      const [genesis] = await log.read(0, 1, Number.MAX_SAFE_INTEGER)
      if (!genesis) throw new SealError('store-corrupt', 'The store has a log without a genesis.')
      let refused = false
      const image = await findImage(this.#options.judge, space, log).catch((error: unknown) => {
        if (!isSealError(error, 'store-corrupt')) throw error
        this.#options.log?.('image-refused', { message: error.message })
        this.metrics.count('images_refused')
        refused = true
        return undefined
      })
      const room: Room = new Room({
        log,
        ledger: image?.ledger ?? this.#options.judge.found(space, genesis),
        steps: image?.steps ?? [],
        maxFileBytes: this.#limits.maxFileBytes,
        images: { rule: this.#limits.images, replace: refused, onFailed: (error) => this.#options.log?.('image-failed', { message: error instanceof Error ? error.message : String(error) }) },
        sign: (head) => this.#options.judge.sign(space, head),
        onBroken: (error) => this.#broken(name, room, error),
      })
      await room.start()
      return room
    } catch (error) {
      await log.close()
      throw error
    }
  }

  /** Its store failed: everybody connects again, and the first of them opens the log afresh. */
  #broken(name: string, room: Room, error: unknown): void {
    this.#options.log?.('space-failed', { message: error instanceof Error ? error.message : String(error) })
    void this.#letGo(name, room).catch((failure: unknown) => this.#options.log?.('close-failed', { message: String(failure) }))
    for (const listener of [...room.listeners]) if (listener instanceof Session) listener.close(CLOSE.failed, 'the relay failed; try again')
  }

  async #letGo(name: string, room: Room): Promise<void> {
    this.#rooms.delete(name)
    // Whoever asks meanwhile waits until the log is closed, then opens it anew.
    const closing = room.close()
    this.#closings.set(name, closing)
    try {
      await closing
    } finally {
      if (this.#closings.get(name) === closing) this.#closings.delete(name)
    }
  }

  /** A space that this relay does not hold yet. Its id is the hash of its genesis, so nobody can bring another in its place. */
  async #create(space: Uint8Array, genesis: Uint8Array, peer: string): Promise<Room> {
    const existing = await this.#find(space)
    if (existing) return existing
    this.#spaces ??= (await this.#options.store.spaces()).length
    if (this.#spaces >= this.#limits.maxSpaces || !this.#bucket(`create ${peer}`, this.#limits.creates).take(1)) {
      throw new SealError('relay-refused', 'This relay takes no more spaces now.', { code: 'quota' })
    }
    this.#options.judge.found(space, genesis) // refuses what is not the genesis of that space
    this.#spaces++
    await this.#options.store.found(space, genesis)
    const room = await this.#find(space)
    if (!room) throw new SealError('store-failed', 'The space was stored but cannot be read back.', { outcome: 'unknown' })
    return room
  }

  #bucket(name: string, rate: Rate): Bucket {
    let bucket = this.#buckets.get(name)
    if (!bucket) {
      if (this.#buckets.size > MAX_BUCKETS) for (const [key, value] of this.#buckets) if (value.idle) this.#buckets.delete(key)
      bucket = new Bucket(rate, this.#options.now)
      this.#buckets.set(name, bucket)
    }
    return bucket
  }
}
