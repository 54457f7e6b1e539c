/** A page of ours, bundled, served on loopback and opened in a real, headless Chromium. `page.ts` is of the sources, `app.ts` of the package as it is shipped. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { build } from 'esbuild'
import { type BrowserContext, chromium, type Page as Tab } from 'playwright-core'
import type { Page } from './page.js'

/** Debian's, or the one that the environment names. */
export const CHROMIUM = [process.env['CHROMIUM'] ?? '', '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => path !== '' && existsSync(path))

export type { Tab }

export interface Browser {
  /** A tab on the page, ready. All tabs share one profile: one IndexedDB, one set of locks. */
  tab(): Promise<Tab>
  /** The page's server is gone: what is not kept can't be had any more. */
  unplug(): void
  close(): Promise<void>
}

/** A page's files by name; its script is `page.js`. */
type Scripts = ReadonlyMap<string, Uint8Array>

export async function startBrowser(scripts: () => Promise<Scripts> = bundleSources): Promise<Browser> {
  const server = await serve(await scripts())
  const unplug = (): void => {
    server.close()
    server.closeAllConnections()
  }
  const profile = mkdtempSync(join(tmpdir(), 'sealdb-chromium-'))
  const context: BrowserContext = await chromium.launchPersistentContext(profile, {
    executablePath: CHROMIUM as string,
    headless: true,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  })
  return {
    tab: async () => {
      const tab = await context.newPage()
      await tab.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
      await ready(tab)
      return tab
    },
    unplug,
    close: async () => {
      await context.close()
      unplug()
      rmSync(profile, { recursive: true, force: true })
    },
  }
}

export async function ready(tab: Tab): Promise<void> {
  await tab.waitForFunction('globalThis.page !== undefined')
}

type Functions = Readonly<Record<string, (...args: never[]) => unknown>>

/** Calls a function of the page in a tab. Arguments and results cross as JSON does. */
export const callerOf = <P extends Functions>() => async <K extends keyof P & string>(tab: Tab, name: K, ...args: Parameters<P[K]>): Promise<Awaited<ReturnType<P[K]>>> =>
  (await tab.evaluate(`page.${name}(...${JSON.stringify(args)})`)) as Awaited<ReturnType<P[K]>>

export const call = callerOf<Page>()

/** In chunks, of which the page loads some when it needs them. */
async function bundleSources(): Promise<Scripts> {
  const { outputFiles } = await build({
    entryPoints: ['test/browser/page.ts'], bundle: true, write: false, format: 'esm', target: 'es2022', platform: 'browser', conditions: ['browser'], logLevel: 'warning',
    splitting: true, outdir: 'page',
  })
  return new Map(outputFiles.map(({ path, contents }) => [basename(path), contents]))
}

/** Keeps whatever the page has fetched, and answers from that when there is nobody else. */
const WORKER = `
  self.addEventListener('install', () => self.skipWaiting())
  self.addEventListener('activate', (event) => event.waitUntil(clients.claim()))
  self.addEventListener('fetch', (event) => event.respondWith((async () => {
    const kept = await caches.open('kept')
    try {
      const response = await fetch(event.request)
      await kept.put(event.request, response.clone())
      return response
    } catch {
      return (await kept.match(event.request)) ?? Response.error()
    }
  })()))`

async function serve(scripts: Scripts): Promise<Server> {
  const wasm = readFileSync(createRequire(import.meta.url).resolve('sql.js/dist/sql-wasm.wasm'))
  const files: Readonly<Record<string, readonly [type: string, body: Uint8Array | string]>> = {
    '/': ['text/html', '<!doctype html><meta charset="utf-8"><title>SealDB</title><script type="module" src="page.js"></script>'],
    ...Object.fromEntries([...scripts].map(([name, contents]) => [`/${name}`, ['text/javascript', contents]] as const)),
    '/sql-wasm.wasm': ['application/wasm', wasm],
    '/worker.js': ['text/javascript', WORKER],
  }
  const server = createServer((request, response) => {
    const found = files[request.url ?? '']
    response.writeHead(found === undefined ? 404 : 200, { 'content-type': found?.[0] ?? 'text/plain' }).end(found?.[1])
  })
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  return server
}
