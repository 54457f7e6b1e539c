/**
 * WebSocket transport for Node (`ws`): dialling, and wrapping a socket that a server accepted. No compression: what is carried is ciphertext.
 */
import type { Socket } from 'node:net'
import { WebSocket } from 'ws'
import { MAX_FRAME_LENGTH } from '../engine/limits.js'
import { cannotConnect, requireAddress, shortReason, type Closing, type Connection, type Dial } from './transport.js'

export const dial: Dial = (url, signal) =>
  new Promise((resolve, reject) => {
    requireAddress(url)
    const socket = new WebSocket(url, { perMessageDeflate: false, maxPayload: MAX_FRAME_LENGTH, handshakeTimeout: 15_000, skipUTF8Validation: false })
    const abort = (): void => socket.terminate()
    signal?.addEventListener('abort', abort, { once: true })
    if (signal?.aborted) abort()
    let failure: Error | undefined
    socket.on('error', (error) => { failure = error }) // always followed by 'close'
    const closedEarly = (): void => {
      signal?.removeEventListener('abort', abort)
      reject(cannotConnect(url, failure))
    }
    socket.once('close', closedEarly)
    let below: Socket | undefined
    socket.once('upgrade', (response) => { below = response.socket })
    socket.once('open', () => {
      signal?.removeEventListener('abort', abort)
      socket.off('close', closedEarly)
      resolve(wrapSocket(socket, url, below))
    })
  })

/** A `ws` socket, open, as a Connection. Text frames end it with 1003. `below`: what it writes to; then what is sent in one go is written at once. */
export function wrapSocket(socket: WebSocket, peer: string, below?: Socket): Connection {
  let handlers: { frame: (frame: Uint8Array) => void; close: (closing: Closing) => void } = { frame: () => undefined, close: () => undefined }
  // Frames that come before the owner has set its handler wait here: the handler is set in the same tick or the next.
  let early: Uint8Array[] | undefined = []
  socket.on('message', (data, isBinary) => {
    if (!isBinary) {
      socket.close(1003, 'expected binary frames')
      return
    }
    const frame = data instanceof Buffer ? data : Array.isArray(data) ? Buffer.concat(data) : new Uint8Array(data)
    if (early) early.push(frame)
    else handlers.frame(frame)
  })
  socket.on('error', () => undefined) // 'close' follows and says all there is to say
  socket.on('close', (code, reason) => handlers.close({ code, reason: reason.toString() }))
  return {
    peer,
    send: (frame) => {
      if (socket.readyState !== WebSocket.OPEN) return
      if (below !== undefined) holdBack(below)
      socket.send(frame)
    },
    get buffered() {
      return socket.bufferedAmount
    },
    close: (code, reason) => {
      socket.close(code, shortReason(reason))
      // A peer that never answers the closing handshake must not keep the socket.
      setTimeout(() => socket.terminate(), 2_000).unref()
    },
    get onFrame() {
      return handlers.frame
    },
    set onFrame(frame) {
      handlers = { ...handlers, frame }
      const waiting = early ?? []
      early = undefined
      for (const item of waiting) frame(item)
    },
    get onClose() {
      return handlers.close
    },
    set onClose(close) {
      handlers = { ...handlers, close }
    },
  }
}

/** Sockets that write when all that is under way now has run: a write of its own for each frame takes longer than making the frame. */
const held: Socket[] = []

function holdBack(socket: Socket): void {
  if (socket.writableCorked > 0) return
  if (held.length === 0) process.nextTick(letGo)
  socket.cork()
  held.push(socket)
}

function letGo(): void {
  for (const socket of held.splice(0)) socket.uncork()
}
