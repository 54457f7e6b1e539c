/**
 * Bytes of frames that have begun and not ended, of all sockets of a server together. A frame may be as long as the longest entry, and nobody need prove a key to
 * begin one; so beyond a bound whoever holds most is cut off. Node only.
 */
import type { Socket } from 'node:net'
import type { RawData, WebSocket } from 'ws'

export class Unfinished {
  readonly #most: number
  readonly #held = new Map<WebSocket, number>()
  readonly #onCut: () => void
  #total = 0

  constructor(most: number, onCut: () => void) {
    this.#most = most
    this.#onCut = onCut
  }

  watch(socket: WebSocket, below: Socket): void {
    let last = 0
    // Before `ws`, which may find the frame's end in these very bytes.
    below.prependListener('data', (chunk: Buffer) => {
      last = chunk.length
      this.#set(socket, (this.#held.get(socket) ?? 0) + last)
      if (this.#total > this.#most) this.#cut()
    })
    // What is left after a frame came with its end.
    const ended = (length: number): void => this.#set(socket, Math.min(Math.max(0, (this.#held.get(socket) ?? 0) - length), last))
    socket.on('message', (data: RawData) => ended(lengthOf(data)))
    for (const control of ['ping', 'pong'] as const) socket.on(control, (data: Buffer) => ended(data.length))
    socket.on('close', () => {
      this.#set(socket, 0)
      this.#held.delete(socket)
    })
  }

  #set(socket: WebSocket, held: number): void {
    this.#total += held - (this.#held.get(socket) ?? 0)
    this.#held.set(socket, held)
  }

  #cut(): void {
    let largest: WebSocket | undefined
    for (const [socket, held] of this.#held) if (largest === undefined || held > (this.#held.get(largest) ?? 0)) largest = socket
    if (largest === undefined) return
    this.#set(largest, 0)
    this.#onCut()
    largest.terminate()
  }
}

function lengthOf(data: RawData): number {
  return Array.isArray(data) ? data.reduce((sum, piece) => sum + piece.length, 0) : data instanceof ArrayBuffer ? data.byteLength : data.length
}
