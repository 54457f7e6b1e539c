/**
 * One connection of a relay: hello → challenge → proof of a key → requests, until it ends. Whatever is out of turn, malformed or too much
 * ends this connection with a reason and touches nothing else. Access is looked up for every send: a removed device gets the log up to and
 * including its removal, so that it learns of it, and nothing more.
 */
import { isSealError, SealError } from '../../engine/errors.js'
import { MAX_BATCH_RECORDS } from '../../engine/limits.js'
import { decodeMessage, encodeMessage, WIRE_VERSION, type Message, type MessageOf } from '../messages.js'
import type { Connection } from '../transport.js'
import { Bucket } from './bucket.js'
import { carry, type FileRequest } from './carrying.js'
import type { Head } from '../../engine/space/types.js'
import type { Access } from './ledger.js'
import { chunkOf, Reading, snapshotOf } from './reading.js'
import type { Placement, Room, RoomListener } from './room.js'
import type { SessionHost } from './session-host.js'

/** Close codes of this protocol (RFC 6455 §7.4.2: 4000–4999 are an application's own). */
export const CLOSE = { malformed: 4000, denied: 4003, slow: 4008, flood: 4009, draining: 4010, failed: 4011 } as const

const NOTHING = new Uint8Array(0)

type Proved = { readonly kind: 'device' | 'invitation'; readonly id: number }

export class Session implements RoomListener {
  readonly #host: SessionHost
  readonly #connection: Connection
  readonly #messages: Bucket
  readonly #nonce: Uint8Array
  readonly #since: number
  #space: Uint8Array | undefined
  #room: Room | undefined
  #proved: Proved | undefined
  /** Signing key of the device that this connection, let in by an invitation, has asked to admit. */
  #joining: Uint8Array | undefined
  readonly #reading = new Reading()
  #inWork = 0
  #inWorkBytes = 0
  #ended = false
  /** Its device was removed: it may read up to there, and hears of nothing any more. */
  #parted = false
  /** Frames are handled one after the other until the session is live; then requests run side by side. */
  #handshake: Promise<void> = Promise.resolve()

  constructor(host: SessionHost, connection: Connection) {
    this.#host = host
    this.#connection = connection
    this.#nonce = host.random(32)
    this.#since = host.now()
    this.#messages = new Bucket(host.limits.messages, () => host.now())
    connection.onFrame = (frame) => this.#frame(frame)
    connection.onClose = () => this.#end()
  }

  get live(): boolean {
    return this.#proved !== undefined && !this.#ended
  }

  announce(frame: Uint8Array, from: number): void {
    if (!this.live || this.#parted) return
    const until = this.#until()
    if (until) return this.#part(from, until)
    if (!this.#isServed()) return
    if (!this.#keepsUp(from)) return
    this.#host.count('entries_out')
    this.#connection.send(frame)
  }

  presence(frame: Uint8Array): void {
    // Presence is not worth a queue: a slow reader misses it.
    if (this.live && !this.#parted && this.#connection.buffered < this.#host.limits.maxBuffered / 4 && this.#isServed()) this.#connection.send(frame)
  }

  /** End it if it has taken too long to prove a key, or to read what is left for it to read. */
  checkHandshake(): void {
    if ((!this.live || this.#parted) && this.#host.now() - this.#since > this.#host.limits.handshakeTime) this.close(CLOSE.denied, 'no key was proved in time')
  }

  close(code: number, reason: string): void {
    this.#connection.close(code, reason)
    this.#end()
  }

  #end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#room?.listeners.delete(this)
    this.#reading.end()
    this.#host.leave(this)
  }

  #send(message: Message): void {
    this.#connection.send(encodeMessage(message))
  }

  #frame(frame: Uint8Array): void {
    if (this.#ended) return
    const { limits } = this.#host
    this.#host.count('frames_in')
    if (!this.#messages.take(1)) return this.#flood('too many messages')
    let message: Message
    try {
      message = decodeMessage(frame)
    } catch (error) {
      this.#fail(error)
      return
    }
    const bytes = frame.length
    if (this.#inWork >= limits.maxInWork || this.#inWorkBytes + bytes > limits.maxInWorkBytes) return this.#flood('too much at once; wait for the answers')
    if (!this.#host.reserve(bytes)) return this.#flood('the relay has too much in work; try again')
    this.#inWork++
    this.#inWorkBytes += bytes
    const work = this.live ? this.#request(message) : (this.#handshake = this.#handshake.then(() => (this.live ? this.#request(message) : this.#greet(message))))
    work.catch((error: unknown) => this.#fail(error)).finally(() => {
      this.#inWork--
      this.#inWorkBytes -= bytes
      this.#host.giveBack(bytes)
    })
  }

  #flood(reason: string): void {
    this.#host.count('flood')
    this.close(CLOSE.flood, reason)
  }

  #fail(error: unknown): void {
    if (this.#ended) return
    const sealed = isSealError(error) ? error : undefined
    const hostile = sealed?.family === 'hostile'
    if (hostile) this.#host.count('malformed')
    else this.#host.log('session-failed', { code: sealed?.code ?? 'unexpected', message: error instanceof Error ? error.message : String(error) })
    this.close(hostile ? CLOSE.malformed : CLOSE.failed, hostile ? sealed.message : 'the relay failed; try again')
  }

  async #greet(message: Message): Promise<void> {
    if (this.#ended) return
    if (message.kind === 'hello' && !this.#space) {
      if (message.version !== WIRE_VERSION) return this.#refuse(message.request, 'version', `This relay speaks version ${WIRE_VERSION} of the wire protocol.`)
      this.#space = message.space
      const known = (await this.#host.find(message.space)) !== undefined
      this.#send({ kind: 'challenge', request: message.request, relay: this.#host.name, publicKey: this.#host.publicKey, nonce: this.#nonce, known })
      return
    }
    const space = this.#space
    if (!space) throw new SealError('bad-frame', 'Expected hello first.')
    switch (message.kind) {
      case 'create': return this.#create(space, message)
      case 'restore': return this.#restoreUnproved(space, message)
      case 'auth': return this.#prove(space, message, { kind: 'device', id: message.device })
      case 'authInvitation': return this.#prove(space, message, { kind: 'invitation', id: message.invitation })
      default: throw new SealError('bad-frame', 'Expected the answer to the challenge.')
    }
  }

  async #create(space: Uint8Array, { request, genesis }: MessageOf<'create'>): Promise<void> {
    try {
      await this.#host.create(space, genesis)
    } catch (error) {
      if (isSealError(error, 'relay-refused')) return this.#refuse(request, 'quota', error.message)
      throw error
    }
    this.#send({ kind: 'appended', request, index: 0, stored: 1, refused: '' })
  }

  async #prove(space: Uint8Array, { request, signature }: MessageOf<'auth' | 'authInvitation'>, proved: Proved): Promise<void> {
    let room = await this.#host.find(space)
    if (room?.closed) room = await this.#host.find(space)
    if (this.#ended) return
    if (!room) return this.#refuse(request, 'unknown-space', 'This relay does not hold that space. Its owner can bring it with create.')
    let access = this.#access(room, proved)
    if (!this.#host.unsafeSkipRelayAuth) {
      if (access?.served !== true) {
        // Admitted through another process a moment ago, perhaps.
        await room.look()
        if (this.#ended) return
        access = this.#access(room, proved)
      }
      // Not one that was removed, but one that this relay, perhaps restored from a backup, has never heard of: it may bring what is missing.
      if (proved.kind === 'device' && !access) return this.#refuse(request, 'unknown-device', 'This relay holds no entry that admits that device.')
      if (!(access?.served === true || access?.until) || !this.#host.verifyChallenge(access.publicKey, space, this.#nonce, signature)) {
        this.#host.count('refused')
        this.#refuse(request, 'denied', 'The relay serves current members and open invitations only.')
        this.close(CLOSE.denied, 'denied')
        return
      }
    }
    this.#proved = proved
    this.#room = room
    const until = this.#until()
    this.#parted = until !== undefined
    if (!until) room.listeners.add(this)
    this.#send({ kind: 'welcome', request, size: until?.size ?? room.size, note: until ? room.noteFor(until) : room.note() })
  }

  async #request(message: Message): Promise<void> {
    const room = this.#room
    if (!room) return
    if (message.kind === 'pull' && this.#until()) return this.#pull(room, message)
    if (message.kind === 'witness' && this.#until()) return this.#witness(room, message)
    if (!this.#isServed()) return
    switch (message.kind) {
      case 'pull': return this.#pull(room, message)
      case 'append': return this.#append(room, message.request, message.records, false)
      case 'restore': return this.#restore(room, message)
      case 'checkpoint': {
        const size = Math.min(message.size, room.size)
        const { ledger } = room
        this.#send({ kind: 'checkpointIs', request: message.request, note: room.note(), root: ledger.rootAt(size), consistency: ledger.consistency(size, room.size) })
        return
      }
      case 'snapshot':
        this.#send({ kind: 'snapshotIs', request: message.request, manifest: snapshotOf(room, message.size)?.manifest ?? NOTHING })
        return
      case 'rows': {
        const proof = chunkOf(snapshotOf(room, message.size), message)
        if (this.#keepsUp(message.from)) this.#send({ kind: 'rowsAre', request: message.request, proof: proof ?? NOTHING })
        return
      }
      case 'read': return this.#read(room, message)
      case 'witness': return this.#witness(room, message)
      case 'chunk': case 'bringChunk': case 'heldChunks': case 'wantedFiles': return this.#carry(room, message)
      case 'presence': {
        this.#host.count('presence')
        const frame = encodeMessage({ kind: 'presenceFrom', request: 0, message: message.message })
        for (const listener of [...room.listeners]) if (listener !== this) listener.presence(frame)
        return
      }
      case 'ping':
        this.#send({ kind: 'pong', request: message.request })
        return
      default:
        throw new SealError('bad-frame', `The message ${message.kind} is not one that a client sends now.`)
    }
  }

  async #pull(room: Room, { request, from, limit }: MessageOf<'pull'>): Promise<void> {
    const until = this.#until()
    const { records, note } = await room.read(from, Math.min(limit, MAX_BATCH_RECORDS), this.#host.limits.answerBytes, until)
    if (!this.live) return
    // Removed meanwhile: what was read may go too far.
    if (!until && this.#until()) return this.#pull(room, { kind: 'pull', request, from, limit })
    // Whoever asks and doesn't read is a slow reader, too.
    if ((!until && !this.#isServed()) || !this.#keepsUp(from)) return
    this.#host.count('entries_out')
    this.#send({ kind: 'entries', request, from, records, note })
  }

  async #append(room: Room, request: number, records: readonly Uint8Array[], restored: boolean): Promise<void> {
    if (!this.#host.recordBucket(this.#space as Uint8Array, this.#proved?.kind === 'device' ? this.#proved.id : 0).take(records.length)) {
      return this.#refuse(request, 'rate', 'Too many entries; slow down and send them again.')
    }
    if (this.#proved?.kind === 'invitation') this.#noticeJoin(room, records)
    const proved = this.#proved
    const placements = await room.append(records, proved ? `${proved.kind} ${proved.id}` : 'nobody', restored)
    const { stored, index, refused } = outcomeOf(placements)
    this.#host.count('entries_in', stored)
    this.#host.count('entries_refused', placements.length - stored)
    if (this.#ended) return
    this.#send({ kind: 'appended', request, index, stored, refused: refused.slice(0, 255) })
  }

  /**
   * Whoever joins has used the invitation up: from then on the connection is the new device's, whose key signed the join. A join that is in
   * the log already is somebody else's.
   */
  #noticeJoin(room: Room, records: readonly Uint8Array[]): void {
    for (const record of records) {
      const signing = room.ledger.joining(record)
      if (signing && room.ledger.admitted(signing) === undefined) this.#joining = signing
    }
  }

  /** Entries that a relay restored from a backup has lost: the same bytes in the same places. They are judged like any other. */
  async #restore(room: Room, { request, from, records }: MessageOf<'restore'>): Promise<void> {
    if (from > room.size) return this.#refuse(request, 'gap', `This relay holds ${room.size} entries; restore from there.`)
    const held = await room.holds(from, records, this.#host.limits.answerBytes)
    if (held === undefined) return this.#refuse(request, 'taken', 'Other entries lie at those indexes.')
    return this.#append(room, request, records.slice(held), true)
  }

  /**
   * From a device that this relay has not heard of, in order from index 1. Each entry carries a member's own signature, so it need not be a
   * member who brings it; and whoever does not hold the same entries learns nothing of how many there are.
   */
  async #restoreUnproved(space: Uint8Array, message: MessageOf<'restore'>): Promise<void> {
    const room = await this.#host.find(space)
    const held = room && message.from <= room.size ? await room.holds(message.from, message.records, this.#host.limits.answerBytes) : undefined
    if (!room || held === undefined || this.#ended) {
      this.#refuse(message.request, 'denied', 'These are not entries that this relay lacks.')
      this.close(CLOSE.denied, 'denied')
      return
    }
    return this.#append(room, message.request, message.records.slice(held), true)
  }

  #read(room: Room, { request, size, queries }: MessageOf<'read'>): void {
    const page = this.#reading.page(room, size, queries)
    if (!page) return this.#refuse(request, 'gone', `This relay has no state of ${size} entries at hand; its head is ${room.size}.`)
    if (!this.#host.readBucket(this.#space as Uint8Array, this.#proved?.kind === 'device' ? this.#proved.id : 0).take(page.proof.length)) {
      return this.#refuse(request, 'rate', 'Too much read; slow down and ask again.')
    }
    if (!this.#keepsUp(size)) return
    this.#host.count('pages')
    this.#send({ kind: 'page', request, ...page })
  }

  async #witness(room: Room, { request, from, limit }: MessageOf<'witness'>): Promise<void> {
    const until = this.#until()
    const end = until ?? room.head
    const made = from >= end.size ? { records: [], head: end, witness: NOTHING } : await this.#reading.witness(room, from, limit, end.size)
    if (!this.live) return
    if (!made) return this.#refuse(request, 'gone', `This relay has no state of ${from} entries at hand, and can't go back to it; its head is ${room.size}.`)
    // Removed meanwhile: what was made may go too far.
    if (!until && this.#until()) return this.#witness(room, { kind: 'witness', request, from, limit })
    if (!this.#host.readBucket(this.#space as Uint8Array, this.#proved?.kind === 'device' ? this.#proved.id : 0).take(made.witness.length)) {
      return this.#refuse(request, 'rate', 'Too much read; slow down and ask again.')
    }
    if ((!until && !this.#isServed()) || !this.#keepsUp(from)) return
    this.#host.count('pages')
    this.#send({ kind: 'witnessed', request, from, records: made.records, note: room.noteFor(made.head), witness: made.witness })
  }

  async #carry(room: Room, message: FileRequest): Promise<void> {
    const id = this.#proved?.kind === 'device' ? this.#proved.id : 0
    const bucket = this.#host.chunkBucket(this.#space as Uint8Array, id)
    const answer = await carry(room.files, message, { isDevice: id !== 0, bucket, count: (metric) => this.#host.count(metric) })
    // Removed meanwhile, perhaps.
    if (!this.#ended && this.#isServed() && this.#keepsUp(room.size)) this.#send(answer)
  }

  /** If the device was removed: where its log ends. */
  #until(): Head | undefined {
    const { unsafeSkipRelayAuth } = this.#host
    return unsafeSkipRelayAuth || !this.#room || this.#proved?.kind !== 'device' ? undefined : this.#access(this.#room, this.#proved)?.until
  }

  /** The last that it is told: the entries up to its removal. It may have to ask for earlier ones, so the connection stays for a while. */
  #part(from: number, until: Head): void {
    const room = this.#room as Room
    this.#parted = true
    room.listeners.delete(this)
    if (until.size <= from) return this.close(CLOSE.denied, 'no longer a member')
    room.read(from, MAX_BATCH_RECORDS, Number.MAX_SAFE_INTEGER, until).then(({ records, note }) => {
      if (this.#ended || !this.#keepsUp(from)) return
      this.#host.count('entries_out')
      this.#send({ kind: 'entries', request: 0, from, records, note })
    }).catch((error: unknown) => this.#fail(error))
  }

  /** False, and the end, for who has not read what was sent. */
  #keepsUp(from: number): boolean {
    if (this.#connection.buffered <= this.#host.limits.maxBuffered) return true
    this.#host.count('slow')
    this.close(CLOSE.slow, `reading too slowly; resume at ${from}`)
    return false
  }

  #refuse(request: number, code: string, message: string): void {
    this.#send({ kind: 'refused', request, code, message })
  }

  #access(room: Room, proved: Proved): Access | undefined {
    return proved.kind === 'device' ? room.ledger.device(proved.id) : room.ledger.invitation(proved.id)
  }

  #isServed(): boolean {
    const room = this.#room
    if (this.#host.unsafeSkipRelayAuth) return true
    const admitted = this.#joining && room?.ledger.admitted(this.#joining)
    if (admitted !== undefined && this.#proved?.kind === 'invitation') this.#proved = { kind: 'device', id: admitted }
    const served = room !== undefined && this.#proved !== undefined && this.#access(room, this.#proved)?.served === true
    if (!served) this.close(CLOSE.denied, 'no longer a member')
    return served
  }
}

/** How many were stored, where the first of them lies, and why the first that was not was refused. */
function outcomeOf(placements: readonly Placement[]): { readonly stored: number; readonly index: number; readonly refused: string } {
  let stored = 0
  let index = 0
  let refused: string | undefined
  for (const placement of placements) {
    if (placement.kind === 'refused') refused ??= placement.reason
    else if (stored++ === 0) index = placement.index
  }
  return { stored, index, refused: refused ?? '' }
}
