/**
 * The transport port: one ordered, message-based connection, and an in-memory pair of them for tests and for two spaces in one process.
 * WebSocket transports are in `ws-node.ts` and `ws-browser.ts`; one conformance suite covers all (`test/net/transport.test.ts`).
 */
import { encodeUtf8 } from '../engine/codec/bytes.js'
import { SealError } from '../engine/errors.js'

const MAX_REASON_LENGTH = 123

/** Why a connection ended: a WebSocket close code (RFC 6455 §7.4) and a short reason. */
export interface Closing { readonly code: number; readonly reason: string }

export interface Connection {
  /** Queue a frame. Frames arrive whole and in order, or the connection ends. Sending on an ended connection does nothing. */
  send(frame: Uint8Array): void
  /** Bytes accepted by `send` and not yet handed to the network: the measure for slow readers. */
  readonly buffered: number
  close(code: number, reason: string): void
  /** Set once, before the first await after the connection was handed over. */
  onFrame: (frame: Uint8Array) => void
  onClose: (closing: Closing) => void
  /** Where the peer is, for limits and logs ("127.0.0.1"); never trusted. */
  readonly peer: string
}

/** Opens a connection to an address. Rejects with `disconnected` if it can't be had, `bad-argument` if it is no address of a relay. */
export type Dial = (url: string, signal?: AbortSignal) => Promise<Connection>

/** Two ends of one in-memory connection. Frames are delivered in later microtasks, as a network would: never inside `send`. */
export function connectionPair(): readonly [Connection, Connection] {
  const a = new MemoryConnection('memory:a')
  const b = new MemoryConnection('memory:b')
  a.other = b
  b.other = a
  return [a, b]
}

class MemoryConnection implements Connection {
  readonly peer: string
  onFrame: (frame: Uint8Array) => void = () => undefined
  onClose: (closing: Closing) => void = () => undefined
  other: MemoryConnection | undefined
  buffered = 0
  #ended = false

  constructor(peer: string) {
    this.peer = peer
  }

  send(frame: Uint8Array): void {
    if (this.#ended) return
    const copy = new Uint8Array(frame)
    this.buffered += copy.length
    queueMicrotask(() => {
      this.buffered -= copy.length
      // What was sent before closing still arrives, as over TCP.
      if (this.other && !this.other.#ended) this.other.onFrame(copy)
    })
  }

  close(code: number, reason: string): void {
    if (this.#ended) return
    const { other } = this
    queueMicrotask(() => other?.end({ code, reason }))
    this.end({ code, reason })
  }

  end(closing: Closing): void {
    if (this.#ended) return
    this.#ended = true
    this.onClose(closing)
  }
}

/** At most 123 bytes of UTF-8 (RFC 6455 §5.5), cut between characters. */
export function shortReason(reason: string): string {
  const bytes = encodeUtf8(reason.toWellFormed())
  if (bytes.length <= MAX_REASON_LENGTH) return reason
  let end = MAX_REASON_LENGTH
  while (((bytes[end] as number) & 0xc0) === 0x80) end--
  return new TextDecoder().decode(bytes.subarray(0, end))
}

/** What every transport can dial. A relay's address comes from other people: what a platform's WebSocket says of a bad one is not ours to throw. */
export function requireAddress(url: string): void {
  if (URL.canParse(url) && /^wss?:$/.test(new URL(url).protocol) && new URL(url).hash === '') return
  throw new SealError('bad-argument', `Expected the address of a relay, ws://… or wss://…, got ${url}.`, { url })
}

/** The error of a dial that failed, the same for every transport. */
export function cannotConnect(url: string, cause?: unknown): SealError {
  return new SealError('disconnected', `Can't connect to ${url}. Expected a SealDB relay there; is it running?`, { url }, { cause })
}
