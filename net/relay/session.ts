/**
 * One connection of a relay: hello → challenge → proof of a key → requests, until it ends. Whatever is out of turn, malformed or too much
 * ends this connection with a reason and touches nothing else. Access is looked up for every send, so a removed member's open
 * connection gets nothing more.
 */
import { equalBytes } from '../../engine/codec/bytes.js'
import { isSealError, SealError } from '../../engine/errors.js'
import { MAX_BATCH_RECORDS } from '../../engine/limits.js'
import { decodeMessage, encodeMessage, WIRE_VERSION, type Message, type MessageOf } from '../messages.js'
import type { Connection } from '../transport.js'
import { Bucket, type Rate } from './bucket.js'
import type { Access } from './ledger.js'
import type { Announcement, Room } from './room.js'

/** Close codes of this protocol (RFC 6455 §7.4.2: 4000–4999 are an application's own). */
export const CLOSE = { malformed: 4000, denied: 4003, slow: 4008, flood: 4009, draining: 4010, failed: 4011 } as const

export interface SessionLimits {
  /** Bytes that may wait for a slow reader before it is dropped with a resume point. */
  readonly maxBuffered: number
  /** Records a device may send. */
  readonly records: Rate
  /** Messages a connection may send. */
  readonly messages: Rate
  /** Bytes of records in one answer. */
  readonly answerBytes: number
  /** Requests of one connection in work at once. */
  readonly maxInWork: number
}

/** What a session asks of its relay. */
export interface SessionHost {
  readonly name: string
  readonly publicKey: Uint8Array
  readonly limits: SessionLimits
  readonly unsafeSkipRelayAuth: boolean
  now(): number
  random(length: number): Uint8Array
  verifyChallenge(publicKey: Uint8Array, space: Uint8Array, nonce: Uint8Array, signature: Uint8Array): boolean
  find(space: Uint8Array): Promise<Room | undefined>
  create(space: Uint8Array, genesis: Uint8Array): Promise<Room>
  /** Records of a device or address, shared by its connections. */
  recordBucket(space: Uint8Array, device: number): Bucket
  join(session: Session): void
  leave(session: Session): void
  count(metric: 'refused' | 'malformed' | 'slow' | 'flood' | 'entries_in' | 'entries_out' | 'frames_in' | 'presence'): void
  log(event: string, facts: Readonly<Record<string, string | number>>): void
}

type Proved = { readonly kind: 'device' | 'invitation'; readonly id: number }

export class Session {
  readonly #host: SessionHost
  readonly #connection: Connection
  readonly #messages: Bucket
  readonly #nonce: Uint8Array
  #space: Uint8Array | undefined
  #room: Room | undefined
  #proved: Proved | undefined
  /** Signing key of the device that this connection, let in by an invitation, has asked to admit. */
  #joining: Uint8Array | undefined
  #inWork = 0
  #ended = false
  /** Frames are handled one after the other until the session is live; then requests run side by side. */
  #handshake: Promise<void> = Promise.resolve()

  constructor(host: SessionHost, connection: Connection) {
    this.#host = host
    this.#connection = connection
    this.#nonce = host.random(32)
    this.#messages = new Bucket(host.limits.messages, () => host.now())
    connection.onFrame = (frame) => this.#frame(frame)
    connection.onClose = () => this.#end()
  }

  get room(): Room | undefined {
    return this.#room
  }
  get space(): Uint8Array | undefined {
    return this.#space
  }
  get live(): boolean {
    return this.#proved !== undefined && !this.#ended
  }
  get device(): number | undefined {
    return this.#proved?.kind === 'device' ? this.#proved.id : undefined
  }

  /** Send a group that became durable. The frame is encoded once for all sessions of a room. */
  announce(announcement: Announcement, frame: Uint8Array): void {
    if (!this.live || !this.#mayRead()) return
    if (this.#connection.buffered > this.#host.limits.maxBuffered) {
      this.#host.count('slow')
      this.close(CLOSE.slow, `reading too slowly; resume at ${announcement.from}`)
      return
    }
    this.#host.count('entries_out')
    this.#connection.send(frame)
  }

  presence(frame: Uint8Array): void {
    // Presence is not worth a queue: a slow reader misses it.
    if (this.live && this.#connection.buffered < this.#host.limits.maxBuffered / 4 && this.#mayRead()) this.#connection.send(frame)
  }

  close(code: number, reason: string): void {
    this.#connection.close(code, reason)
    this.#end()
  }

  #end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#host.leave(this)
  }

  #send(message: Message): void {
    this.#connection.send(encodeMessage(message))
  }

  #frame(frame: Uint8Array): void {
    if (this.#ended) return
    this.#host.count('frames_in')
    if (!this.#messages.take(1)) {
      this.#host.count('flood')
      this.close(CLOSE.flood, 'too many messages')
      return
    }
    let message: Message
    try {
      message = decodeMessage(frame)
    } catch (error) {
      this.#fail(error)
      return
    }
    if (this.#inWork >= this.#host.limits.maxInWork) {
      this.close(CLOSE.flood, 'too many requests at once')
      return
    }
    this.#inWork++
    const work = this.live ? this.#request(message) : (this.#handshake = this.#handshake.then(() => (this.live ? this.#request(message) : this.#greet(message))))
    work.catch((error: unknown) => this.#fail(error)).finally(() => { this.#inWork-- })
  }

  #fail(error: unknown): void {
    const sealed = isSealError(error) ? error : undefined
    if (sealed?.code === 'bad-frame') this.#host.count('malformed')
    else this.#host.log('session-failed', { code: sealed?.code ?? 'unexpected', message: error instanceof Error ? error.message : String(error) })
    this.close(sealed?.family === 'hostile' ? CLOSE.malformed : CLOSE.failed, sealed?.family === 'hostile' ? sealed.message : 'the relay failed; try again')
  }

  async #greet(message: Message): Promise<void> {
    if (message.kind === 'hello' && !this.#space) {
      if (message.version !== WIRE_VERSION) return this.#refuse(message.request, 'version', `This relay speaks version ${WIRE_VERSION} of the wire protocol.`)
      this.#space = message.space
      this.#room = await this.#host.find(message.space)
      this.#send({ kind: 'challenge', request: message.request, relay: this.#host.name, publicKey: this.#host.publicKey, nonce: this.#nonce, known: this.#room !== undefined })
      return
    }
    const space = this.#space
    if (!space) throw new SealError('bad-frame', 'Expected hello first.')
    if (message.kind === 'create') {
      this.#room ??= await this.#host.create(space, message.genesis)
      this.#send({ kind: 'appended', request: message.request, index: 0, refused: '' })
      return
    }
    if (message.kind !== 'auth' && message.kind !== 'authInvitation') throw new SealError('bad-frame', 'Expected the answer to the challenge.')
    const room = this.#room
    if (!room) return this.#refuse(message.request, 'unknown-space', 'This relay does not hold that space. Its owner can bring it with create.')
    const proved: Proved = message.kind === 'auth' ? { kind: 'device', id: message.device } : { kind: 'invitation', id: message.invitation }
    const access = this.#access(room, proved)
    const proves = access !== undefined && this.#host.verifyChallenge(access.publicKey, space, this.#nonce, message.signature)
    if (!this.#host.unsafeSkipRelayAuth && !(access?.reads && proves)) {
      this.#host.count('refused')
      this.#refuse(message.request, 'denied', 'The relay serves current members and open invitations only.')
      this.close(CLOSE.denied, 'denied')
      return
    }
    this.#proved = proved
    this.#host.join(this)
    this.#send({ kind: 'welcome', request: message.request, size: room.size, note: room.note() })
  }

  async #request(message: Message): Promise<void> {
    const room = this.#room
    if (!room || !this.#mayRead()) return
    switch (message.kind) {
      case 'pull': return this.#pull(room, message)
      case 'append': return this.#append(room, message)
      case 'restore': return this.#restore(room, message)
      case 'checkpoint': {
        const size = Math.min(message.size, room.size)
        this.#send({ kind: 'checkpointIs', request: message.request, note: room.note(), consistency: room.ledger.consistency(size, room.size) })
        return
      }
      case 'presence':
        this.#host.count('presence')
        this.#relayPresence(message)
        return
      case 'ping':
        this.#send({ kind: 'pong', request: message.request })
        return
      default:
        throw new SealError('bad-frame', `The message ${message.kind} is not one that a client sends now.`)
    }
  }

  async #pull(room: Room, { request, from, limit }: MessageOf<'pull'>): Promise<void> {
    const records = await room.read(from, Math.min(limit, MAX_BATCH_RECORDS), this.#host.limits.answerBytes)
    if (!this.#mayRead()) return
    this.#host.count('entries_out')
    this.#send({ kind: 'entries', request, from, records, note: room.note() })
  }

  async #append(room: Room, { request, records }: MessageOf<'append'>): Promise<void> {
    if (!this.#takeRecords(records.length)) return this.#refuse(request, 'rate', 'Too many entries; slow down and send them again.')
    // Whoever joins has used the invitation up: from then on the connection is the new device's, whose key signed the join.
    for (const record of records) if (this.#proved?.kind === 'invitation') this.#joining = room.ledger.joining(record) ?? this.#joining
    const placements = await room.append(records)
    for (const placement of placements) {
      this.#host.count('entries_in')
      this.#send({ kind: 'appended', request, index: placement.kind === 'stored' ? placement.index : 0, refused: placement.kind === 'refused' ? placement.reason : '' })
    }
  }

  /** Entries that a relay restored from a backup has lost: each must be the next, as it was. They are judged like any other. */
  async #restore(room: Room, { request, from, records }: MessageOf<'restore'>): Promise<void> {
    if (from > room.size) return this.#refuse(request, 'gap', `This relay holds ${room.size} entries; restore from there.`)
    const held = await room.read(from, records.length, Number.MAX_SAFE_INTEGER)
    const same = held.every((record, i) => equalBytes(record, records[i] as Uint8Array))
    if (!same) return this.#refuse(request, 'taken', 'Other entries lie at those indexes.')
    await this.#append(room, { kind: 'append', request, records: records.slice(held.length) })
  }

  #relayPresence({ message }: MessageOf<'presence'>): void {
    this.onPresence(encodeMessage({ kind: 'presenceFrom', request: 0, message }))
  }
  /** Set by the relay: pass a frame to the other sessions of the room. */
  onPresence: (frame: Uint8Array) => void = () => undefined

  #takeRecords(count: number): boolean {
    const { device } = this
    if (this.#space === undefined) return false
    return this.#host.recordBucket(this.#space, device ?? 0).take(count)
  }

  #refuse(request: number, code: string, message: string): void {
    this.#send({ kind: 'refused', request, code, message })
  }

  #access(room: Room, proved: Proved): Access | undefined {
    return proved.kind === 'device' ? room.ledger.device(proved.id) : room.ledger.invitation(proved.id)
  }

  #mayRead(): boolean {
    if (this.#host.unsafeSkipRelayAuth) return true
    const admitted = this.#joining && this.#room?.ledger.admitted(this.#joining)
    if (admitted !== undefined && this.#proved?.kind === 'invitation') this.#proved = { kind: 'device', id: admitted }
    const reads = this.#room !== undefined && this.#proved !== undefined && this.#access(this.#room, this.#proved)?.reads === true
    if (!reads) this.close(CLOSE.denied, 'no longer a member')
    return reads
  }
}
