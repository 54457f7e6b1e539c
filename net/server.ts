/**
 * A relay on a port (Node): WebSocket for clients, `/healthz` and `/metrics` for operators, TLS if given a certificate.
 * The one place where the relay meets the clock, randomness and the network. Entry point `sealdb/relay`.
 */
import { randomBytes } from 'node:crypto'
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { WebSocketServer } from 'ws'
import { MAX_FRAME_LENGTH } from '../engine/limits.js'
import { createJudge, type Verify } from './relay/judge.js'
import { Relay, type RelayOptions } from './relay/relay.js'
import { memoryRelayStore } from './relay/stores/memory.js'
import type { RelayStore } from './relay/store.js'
import { wrapSocket } from './ws-node.js'

export { memoryRelayStore } from './relay/stores/memory.js'
export { fileRelayStore } from './relay/stores/file.js'
export type { RelayStore } from './relay/store.js'

export interface ServerOptions extends Partial<Pick<RelayOptions, 'limits' | 'maxSpaces' | 'maxConnections' | 'unsafeSkipRelayAuth' | 'log'>> {
  /** Default: in memory. */
  readonly store?: RelayStore
  /** Default 0: any free port. */
  readonly port?: number
  /** Default 127.0.0.1. */
  readonly host?: string
  /** Its name in checkpoints: what clients pin beside its key. Default: `relay.<host>`. */
  readonly name?: string
  readonly verify?: Verify
  readonly tls?: { readonly cert: string | Buffer; readonly key: string | Buffer }
}

export interface RunningRelay {
  readonly url: string
  readonly port: number
  readonly relay: Relay
  /** Finish what is being stored, close every connection, free the port. */
  close(): Promise<void>
}

/**
 * @example
 * const relay = await startRelay({ port: 7700 })
 * // … clients connect to relay.url …
 * await relay.close()
 */
export async function startRelay(options: ServerOptions = {}): Promise<RunningRelay> {
  const { host = '127.0.0.1', port = 0, store = memoryRelayStore(), tls } = options
  const random = (length: number): Uint8Array => Uint8Array.from(randomBytes(length))
  const name = options.name ?? `relay.${host}`
  const judge = await createJudge({ store, name, random, verify: options.verify ?? 'full' })
  const relay = new Relay({ ...options, store, judge, name, random, now: () => Date.now() })
  const handler = (request: IncomingMessage, response: ServerResponse): void => answer(relay, request, response)
  const server = tls ? createHttpsServer({ cert: tls.cert, key: tls.key }, handler) : createHttpServer(handler)
  // Sockets that open and say nothing must not collect.
  server.headersTimeout = 10_000
  server.requestTimeout = 15_000
  const sockets = new WebSocketServer({ server, perMessageDeflate: false, maxPayload: MAX_FRAME_LENGTH })
  sockets.on('connection', (socket, request) => relay.accept(wrapSocket(socket, request.socket.remoteAddress ?? 'unknown')))
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
  const bound = (server.address() as AddressInfo).port
  return {
    url: `${tls ? 'wss' : 'ws'}://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    port: bound,
    relay,
    close: async () => {
      await relay.drain()
      sockets.close()
      for (const socket of sockets.clients) socket.terminate()
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
    },
  }
}

function answer(relay: Relay, request: IncomingMessage, response: ServerResponse): void {
  const reply = (status: number, type: string, body: string): void => {
    response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) })
    response.end(request.method === 'HEAD' ? undefined : body)
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') reply(405, 'text/plain', 'GET only\n')
  else if (request.url === '/healthz') reply(200, 'text/plain', 'ok\n')
  else if (request.url === '/metrics') reply(200, 'text/plain; version=0.0.4', relay.metrics.format())
  else reply(404, 'text/plain', 'A SealDB relay: connect with WebSocket.\n')
}
