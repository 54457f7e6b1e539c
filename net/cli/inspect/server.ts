/**
 * The web inspector: a space in a browser on this machine, to look at. Plain pages without a script; nothing in it writes. It shows opened rows, so
 * it listens on the loopback address only, and its address carries a secret: other programs and other sites in the same browser can't guess it.
 * `sealdb inspect` runs it; an application that has the space open can run it beside itself.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Alert, SealedSpace } from 'sealdb'
import { isSealError, SealError } from '../../../engine/errors.js'
import { decodeKey } from './cells.js'
import { html } from './html.js'
import { documentOf, PAGES, type Inspected, type Page } from './pages.js'
import { STYLE } from './style.js'
import { readTable, rowQuery } from './tables.js'

export interface InspectorOptions {
  /** Default 0: any that is free. */
  readonly port?: number
}

export interface Inspector {
  /** `http://127.0.0.1:PORT/SECRET/`: who has it reads the space. */
  readonly url: string
  close(): Promise<void>
}

const HEADERS = {
  // No script, no frame, nothing from elsewhere: a row that gets past the escaping still does nothing.
  'Content-Security-Policy': "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cache-Control': 'no-store',
}

/**
 * Show `space` until `close`; the space stays the caller's.
 *
 * @example
 * const inspector = await startInspector(space)
 * console.log(inspector.url)
 */
export async function startInspector(space: SealedSpace, { port = 0 }: InspectorOptions = {}): Promise<Inspector> {
  const secret = randomBytes(16).toString('hex')
  const alerts: Alert[] = []
  const stop = space.on('alert', (alert) => { alerts.push(alert) })
  const inspected: Inspected = { space, base: `/${secret}`, alerts }
  const server = createServer((request, response) => {
    respond(inspected, secret, request, response).catch((error: unknown) => { fail(inspected, response, error) })
  })
  try {
    await listening(server, port)
  } catch (error) {
    stop()
    throw error
  }
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/${secret}/`,
    close: async () => {
      stop()
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}

async function respond(inspected: Inspected, secret: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://127.0.0.1')
  const [, given = '', path = ''] = pathname.split('/')
  // A name that leads here from elsewhere (DNS rebinding) is not ours; and without the secret there is nothing.
  if (!isLoopback(request.headers.host) || !equal(given, secret)) return send(response, 404, 'text/plain', 'Not found.')
  if (request.method !== 'GET') return send(response, 405, 'text/plain', 'Only GET: nothing is written here.')
  if (path === 'style.css') return send(response, 200, 'text/css', STYLE)
  if (path === 'receipt') return sendReceipt(inspected, searchParams, response)
  const page = Object.hasOwn(PAGES, path) ? PAGES[path] : undefined
  if (!page) return send(response, 404, 'text/plain', 'Not found.')
  return sendPage(inspected, response, 200, await page(inspected, searchParams))
}

async function sendReceipt({ space }: Inspected, query: URLSearchParams, response: ServerResponse): Promise<void> {
  const receipt = await space.prove(rowQuery(await readTable(space, query.get('table') ?? '')), ...decodeKey(query.get('key') ?? '[]'))
  response.setHeader('Content-Disposition', 'attachment; filename="receipt.bin"')
  send(response, 200, 'application/octet-stream', receipt)
}

/** A refusal is a page; anything else is a bug, and is told where it is seen. */
function fail(inspected: Inspected, response: ServerResponse, error: unknown): void {
  const message = error instanceof Error ? error.message : String(error)
  const [status, code] = isSealError(error) ? [400, error.code] : [500, 'bug']
  sendPage(inspected, response, status, { title: 'That did not work', body: html`<p class="alert"><b>${code}</b> ${message}</p>` })
}

function sendPage(inspected: Inspected, response: ServerResponse, status: number, page: Page): void {
  send(response, status, 'text/html; charset=utf-8', documentOf(inspected, page))
}

function send(response: ServerResponse, status: number, type: string, body: string | Uint8Array): void {
  response.writeHead(status, { ...HEADERS, 'Content-Type': type }).end(body)
}

function isLoopback(host: string | undefined): boolean {
  return host !== undefined && /^(?:127\.0\.0\.1|localhost)(?::\d+)?$/.test(host)
}

function equal(given: string, secret: string): boolean {
  return given.length === secret.length && timingSafeEqual(Buffer.from(given, 'latin1'), Buffer.from(secret, 'latin1'))
}

function listening(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => { reject(new SealError('bad-argument', `The inspector can’t listen on port ${port}: ${cause.message}`, { port }, { cause })) })
    server.listen(port, '127.0.0.1', resolve)
  })
}
