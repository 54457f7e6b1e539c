/** Requests and answers over one connection, from the client's end. What comes without a request goes to `onPush`. */
import { SealError } from '../engine/errors.js'
import { decodeMessage, encodeMessage, type Message, type MessageKind, type MessageOf } from './messages.js'
import type { Closing, Connection } from './transport.js'

interface Waiting { readonly resolve: (message: Message) => void; readonly reject: (error: SealError) => void }

/** A message without its request number: that is the RPC's to give. */
export type Outgoing = { [K in MessageKind]: Omit<MessageOf<K>, 'request'> }[MessageKind]

export class Rpc {
  readonly #connection: Connection
  readonly #waiting = new Map<number, Waiting>()
  #next = 1
  #closing: Closing | undefined
  onPush: (message: Message) => void = () => undefined
  onClose: (closing: Closing) => void = () => undefined

  constructor(connection: Connection) {
    this.#connection = connection
    connection.onFrame = (frame) => this.#frame(frame)
    connection.onClose = (closing) => this.#ended(closing)
  }

  get open(): boolean {
    return this.#closing === undefined
  }

  /** Rejects with `relay-refused` (the relay's code in the facts) or `disconnected`. */
  call<K extends MessageKind>(message: Outgoing, answer: K, timeoutMs = 60_000): Promise<MessageOf<K>> {
    const closing = this.#closing
    if (closing) return Promise.reject(disconnected(closing))
    const request = this.#next++
    return new Promise<Message>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(request)
        reject(new SealError('disconnected', `The relay has not answered ${message.kind} for ${timeoutMs / 1000} seconds.`, { kind: message.kind }))
        this.close(1000, 'no answer')
      }, timeoutMs)
      const done = (): void => {
        clearTimeout(timer)
        this.#waiting.delete(request)
      }
      this.#waiting.set(request, { resolve: (m) => { done(); resolve(m) }, reject: (e) => { done(); reject(e) } })
      this.#connection.send(encodeMessage({ ...message, request } as Message))
    }).then((found) => {
      if (found.kind === answer) return found as MessageOf<K>
      if (found.kind === 'refused') throw new SealError('relay-refused', `The relay refuses ${message.kind}: ${found.message}`, { code: found.code })
      throw new SealError('bad-frame', `The relay answered ${message.kind} with ${found.kind}; expected ${answer}.`)
    })
  }

  /** Send without waiting for an answer; answers, if any, go to `onPush`. */
  tell(message: Outgoing): void {
    if (!this.#closing) this.#connection.send(encodeMessage({ ...message, request: 0 } as Message))
  }

  close(code = 1000, reason = 'done'): void {
    this.#connection.close(code, reason)
  }

  #frame(frame: Uint8Array): void {
    let message: Message
    try {
      message = decodeMessage(frame)
    } catch (error) {
      if (!(error instanceof SealError)) throw error
      this.close(4000, error.message)
      return
    }
    const waiting = this.#waiting.get(message.request)
    if (message.request === 0) this.onPush(message)
    else if (waiting) waiting.resolve(message)
    // An answer to nothing: late, after a time-out, or made up. Nobody waits for it.
  }

  #ended(closing: Closing): void {
    if (this.#closing) return
    this.#closing = closing
    for (const waiting of [...this.#waiting.values()]) waiting.reject(disconnected(closing))
    this.onClose(closing)
  }
}

function disconnected({ code, reason }: Closing): SealError {
  return new SealError('disconnected', `The connection to the relay ended${reason === '' ? '' : `: ${reason}`}.`, { code })
}
