/**
 * A relay on a port (Node): WebSocket for clients, `/healthz` and `/metrics` for operators, TLS if given a certificate.
 * The one place where the relay meets the clock, randomness and the network. Entry point `sealdb/relay`.
 */
import { randomBytes } from 'node:crypto'
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { availableParallelism } from 'node:os'
import { type WebSocket, WebSocketServer } from 'ws'
import { loadProvider } from '../engine/crypto/load.js'
import { MAX_FRAME_LENGTH } from '../engine/limits.js'
import { createJudge, type Verify } from './relay/judge.js'
import { DEFAULT_LIMITS, Relay, type RelayOptions } from './relay/relay.js'
import { memoryRelayStore } from './relay/stores/memory.js'
import type { RelayStore } from './relay/store.js'
import { VerifyThread } from './relay/verify-thread.js'
import { Unfinished, type Share } from './unfinished.js'
import { wrapSocket } from './ws-node.js'

export { memoryRelayStore } from './relay/stores/memory.js'
export { fileRelayStore } from './relay/stores/file.js'
export { postgresRelayStore } from './relay/stores/postgres.js'
export type { RelayStore } from './relay/store.js'

/** What a relay is started with; everything has a default. */
export interface ServerOptions extends Partial<Pick<RelayOptions, 'limits' | 'unsafeSkipRelayAuth' | 'log'>> {
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

/** Milliseconds between two pings, between two sweeps, and for the closing handshakes at the end. */
const PULSE = 30_000
const SWEEP = 5_000
const GOODBYE = 1_000

/** `Sec-WebSocket-Extensions` (RFC 6455 §9.1). None is spoken here, so `ws` does not look; a malformed offer must be refused all the same. */
const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
const EXTENSION = `${TOKEN}(?:[ \\t]*;[ \\t]*${TOKEN}(?:[ \\t]*=[ \\t]*(?:${TOKEN}|"${TOKEN}"))?)*`
const EXTENSIONS = new RegExp(`^[ \\t]*${EXTENSION}(?:[ \\t]*,[ \\t]*${EXTENSION})*[ \\t]*$`)

/** A relay that listens. */
export interface RunningRelay {
  readonly url: string
  readonly port: number
  readonly relay: Relay
  /** Finish what is being stored, close every connection, free the port. */
  close(): Promise<void>
}

/**
 * Start a relay and wait until it listens. Rejects with Node's error if the port is taken.
 *
 * @example
 * const relay = await startRelay({ port: 7700, store: fileRelayStore('./relay') })
 * // … clients connect to relay.url …
 * await relay.close()
 */
export async function startRelay(options: ServerOptions = {}): Promise<RunningRelay> {
  const { host = '127.0.0.1', port = 0, store = memoryRelayStore(), tls } = options
  const random = (length: number): Uint8Array => Uint8Array.from(randomBytes(length))
  const name = options.name ?? `relay.${host}`
  const crypto = await loadProvider()
  const now = (): number => Date.now()
  // With one processor it would only be in the way.
  const thread = availableParallelism() < 2 ? undefined : new VerifyThread({ crypto, now, onFailed: (error) => options.log?.('verify-thread-failed', { message: error.message }) })
  const judge = await createJudge({ store, name, random, verify: options.verify ?? 'full', crypto, thread })
  const relay = new Relay({ ...options, store, judge, name, random, now, gauges: () => ({ verify_threads: Number(thread?.verifying ?? false) }) })
  const handler = (request: IncomingMessage, response: ServerResponse): void => answer(relay, request, response)
  const server = tls ? createHttpsServer({ cert: tls.cert, key: tls.key }, handler) : createHttpServer(handler)
  // Sockets that open and say nothing must not collect.
  server.headersTimeout = 10_000
  server.requestTimeout = 15_000
  const sockets = new WebSocketServer({
    server, perMessageDeflate: false, maxPayload: MAX_FRAME_LENGTH,
    verifyClient: ({ req }, decide) => decide(EXTENSIONS.test(req.headers['sec-websocket-extensions'] ?? 'none'), 400),
  })
  const unfinished = new Unfinished(options.limits?.maxUnfinishedTotal ?? DEFAULT_LIMITS.maxUnfinishedTotal)
  sockets.on('error', () => undefined) // the HTTP server's own, passed on: `listen` below is told of it
  sockets.on('connection', (socket, request) => {
    watchPulse(socket)
    watchFrames(socket, request.socket, unfinished.share(() => {
      relay.metrics.count('flood')
      socket.terminate()
    }))
    relay.accept(wrapSocket(socket, request.socket.remoteAddress ?? 'unknown', request.socket))
  })
  const beat = setInterval(() => {
    for (const socket of sockets.clients) checkPulse(socket)
  }, PULSE)
  const sweep = setInterval(() => void relay.sweep().catch((error: unknown) => options.log?.('sweep-failed', { message: String(error) })), SWEEP)
  beat.unref()
  sweep.unref()
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
      clearInterval(beat)
      clearInterval(sweep)
      await relay.drain()
      await thread?.close()
      sockets.close()
      // Who answers the goodbye has heard it; who does not is cut off.
      const goodbyes = [...sockets.clients].map((socket) => new Promise<void>((resolve) => socket.once('close', () => resolve())))
      await Promise.race([Promise.all(goodbyes), new Promise((resolve) => setTimeout(resolve, GOODBYE).unref())])
      for (const socket of sockets.clients) socket.terminate()
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
    },
  }
}

/** Sockets that have answered since the last look. A peer that vanished without a word is found out by its silence. */
const alive = new WeakSet<WebSocket>()

function watchPulse(socket: WebSocket): void {
  alive.add(socket)
  socket.on('pong', () => alive.add(socket))
}

function checkPulse(socket: WebSocket): void {
  if (!alive.delete(socket)) return socket.terminate()
  socket.ping()
}

function watchFrames(socket: WebSocket, below: Socket, share: Share): void {
  // Before `ws`, which may find a frame's end in these very bytes.
  below.prependListener('data', (chunk: Buffer) => share.came(chunk.length))
  socket.on('message', (data) => share.ended(Array.isArray(data) ? data.reduce((sum, piece) => sum + piece.length, 0) : data.byteLength))
  for (const control of ['ping', 'pong'] as const) socket.on(control, (data) => share.ended(data.length))
  socket.on('close', () => share.gone())
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
