/** A page of ours, bundled, served on loopback and opened in a real, headless Chromium. */
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

export interface Browser {
  /** A tab on the page, ready. All tabs share one profile: one IndexedDB, one set of locks. */
  tab(): Promise<Tab>
  close(): Promise<void>
}

export async function startBrowser(): Promise<Browser> {
  const server = await servePage()
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
    close: async () => {
      await context.close()
      server.close()
      rmSync(profile, { recursive: true, force: true })
    },
  }
}

export async function ready(tab: Tab): Promise<void> {
  await tab.waitForFunction('globalThis.page !== undefined')
}

/** Call a function of the page in a tab. Arguments and results cross as JSON does. */
export async function call<K extends keyof Page>(tab: Tab, name: K, ...args: Parameters<Page[K]>): Promise<Awaited<ReturnType<Page[K]>>> {
  return (await tab.evaluate(`page.${name}(...${JSON.stringify(args)})`)) as Awaited<ReturnType<Page[K]>>
}

/** In chunks, of which the page loads some when it needs them. */
async function servePage(): Promise<Server> {
  const { outputFiles } = await build({
    entryPoints: ['test/browser/page.ts'], bundle: true, write: false, format: 'esm', target: 'es2022', platform: 'browser', conditions: ['browser'], logLevel: 'warning',
    splitting: true, outdir: 'page',
  })
  const scripts = outputFiles.map(({ path, contents }) => [`/${basename(path)}`, ['text/javascript', contents]] as const)
  const wasm = readFileSync(createRequire(import.meta.url).resolve('sql.js/dist/sql-wasm.wasm'))
  const files: Readonly<Record<string, readonly [type: string, body: Uint8Array | string]>> = {
    '/': ['text/html', '<!doctype html><meta charset="utf-8"><title>SealDB</title><script type="module" src="page.js"></script>'],
    ...Object.fromEntries(scripts),
    '/sql-wasm.wasm': ['application/wasm', wasm],
  }
  const server = createServer((request, response) => {
    const found = files[request.url ?? '']
    response.writeHead(found === undefined ? 404 : 200, { 'content-type': found?.[0] ?? 'text/plain' }).end(found?.[1])
  })
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  return server
}
