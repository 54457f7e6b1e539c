/** WebSocket transport for browsers (and any platform with a global `WebSocket`). */
import { cannotConnect, requireAddress, shortReason, type Closing, type Connection, type Dial } from './transport.js'

export const dial: Dial = (url, signal) =>
  new Promise((resolve, reject) => {
    requireAddress(url)
    const socket = new WebSocket(url)
    socket.binaryType = 'arraybuffer'
    const abort = (): void => socket.close()
    signal?.addEventListener('abort', abort, { once: true })
    if (signal?.aborted) abort()
    const closedEarly = (): void => {
      signal?.removeEventListener('abort', abort)
      reject(cannotConnect(url))
    }
    socket.addEventListener('close', closedEarly, { once: true })
    socket.addEventListener('open', () => {
      signal?.removeEventListener('abort', abort)
      socket.removeEventListener('close', closedEarly)
      resolve(wrap(socket, url))
    }, { once: true })
  })

function wrap(socket: WebSocket, peer: string): Connection {
  const connection: Connection = {
    peer,
    send: (frame) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(Uint8Array.from(frame))
    },
    get buffered() {
      return socket.bufferedAmount
    },
    // Browsers allow only 1000 and 3000–4999 here (WHATWG WebSockets §3).
    close: (code, reason) => socket.close(code === 1000 || code >= 3000 ? code : 3000, shortReason(reason)),
    onFrame: () => undefined,
    onClose: (_: Closing) => undefined,
  }
  socket.addEventListener('message', ({ data }: MessageEvent<unknown>) => {
    if (data instanceof ArrayBuffer) connection.onFrame(new Uint8Array(data))
    else connection.close(1003, 'expected binary frames')
  })
  socket.addEventListener('close', ({ code, reason }) => connection.onClose({ code, reason }))
  return connection
}
