/**
 * An application's page with the package as it is shipped, in a real browser: what it loads and when, chunks that can't be had, files, documents and presence with Node
 * at the other end of a relay, and opening offline.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { joinSpace, memoryStore } from 'sealdb'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startRelay } from '../../net/server.js'
import { bundlePage } from '../page-bundle.js'
import type { App } from './app.js'
import { bytesOf } from './content.js'
import { type Browser, callerOf, CHROMIUM, ready, startBrowser, type Tab } from './support.js'

const call = callerOf<App>()
const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
/** Other programs take their time here. */
const eventually = <T>(read: () => T) => expect.poll(read, { timeout: 20_000 })
const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

/** What `missing` names can be fetched again. A browser that remembers that it could not (whatwg/html#10327) has to load the page anew, and open its space. */
async function mend(tab: Tab, missing: RegExp, open?: string): Promise<void> {
  await tab.unroute(missing)
  if (Number(/Chrome\/(\d+)/.exec(await tab.evaluate('navigator.userAgent'))?.[1]) >= 156) return
  await tab.reload()
  await ready(tab)
  if (open !== undefined) expect(await call(tab, 'open', open)).toBe('ok')
}

describe.skipIf(CHROMIUM === undefined)(`a page with the package in Chromium${CHROMIUM === undefined ? ' (skipped: none is installed; set CHROMIUM to its path)' : ''}`, () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await startBrowser(async () => (await bundlePage(readFileSync('test/browser/app.ts', 'utf8'), true, 'test/browser')).files)
  }, 60_000)
  afterAll(async () => { await browser?.close() })

  test('what runs SQL is fetched when a space is opened; where it can’t be, nothing is left behind, and the next call tries again', async () => {
    const tab = await browser.tab()
    const late = /^(?:floor-|sql-wasm|sync-|acts-|rare-)/
    expect((await call(tab, 'fetched')).filter((name) => late.test(name))).toEqual([])
    for (const missing of [/\/floor-/, /\/sql-wasm-browser-/, /\/sql-wasm\.wasm/]) {
      await tab.route(missing, (route) => route.abort())
      expect([missing, await call(tab, 'create', 'late')]).toEqual([missing, 'unavailable: code'])
      await tab.unroute(missing)
      await tab.reload() // or it had the others already
      await ready(tab)
    }
    await tab.route(/\/floor-/, (route) => route.abort())
    expect(await call(tab, 'create', 'late')).toBe('unavailable: code')
    await mend(tab, /\/floor-/)
    expect(await call(tab, 'create', 'late')).toBe('ok')
    expect(await call(tab, 'exec', 'CREATE TABLE t (v); INSERT INTO t VALUES (1)')).toBe('ok')
    expect((await call(tab, 'fetched')).filter((name) => /^(?:sync-|client-|rare-|join-)/.test(name))).toEqual([])
    await tab.route(/\/rare-/, (route) => route.abort())
    expect(await call(tab, 'exec', 'CREATE POLICY p ON t FOR DELETE USING (FALSE)')).toBe('unavailable: code')
    expect(await call(tab, 'exec', 'INSERT INTO t VALUES (2)')).toBe('ok')
    await mend(tab, /\/rare-/, 'late')
    expect(await call(tab, 'exec', 'CREATE POLICY p ON t FOR DELETE USING (FALSE)')).toBe('ok')
    expect(await call(tab, 'rows', 'SELECT name FROM sealdb_policies')).toEqual([{ name: 'p' }])
    await call(tab, 'close')
    await tab.reload()
    await ready(tab)
    await tab.route(/\/floor-/, (route) => route.abort())
    expect(await call(tab, 'open', 'late')).toBe('unavailable: code')
    await mend(tab, /\/floor-/)
    expect(await call(tab, 'open', 'late')).toBe('ok') // not `store-locked`
    expect(await call(tab, 'rows', 'SELECT v FROM t ORDER BY v')).toEqual([{ v: 1 }, { v: 2 }])
    await tab.close()
  }, 60_000)

  test('files, documents and presence between a page and Node, over a relay', async () => {
    const relay = await startRelay()
    const tab = await browser.tab()
    try {
      expect(await call(tab, 'create', 'ada', relay.url)).toBe('ok')
      await call(tab, 'close')
      await tab.reload()
      await ready(tab)
      await tab.route(/\/sync-/, (route) => route.abort())
      expect(await call(tab, 'open', 'ada')).toBe('ok')
      await eventually(() => call(tab, 'connection')).toBe('offline')
      await mend(tab, /\/sync-/, 'ada')
      await call(tab, 'online') // by itself
      const bob = await joinSpace(await call(tab, 'invite'), { store: memoryStore(), profile: { name: 'Bob' } })

      const sent = bytesOf(1_500_000, 1)
      const id = await call(tab, 'put', sent.length, 1, 'from the page')
      await eventually(async () => (await bob.files.list()).map((file) => file.id)).toEqual([id])
      await eventually(async () => (await bob.files.get(id)).bytes().then(hash, String)).toBe(hash(sent))

      const [large, later] = [bytesOf(2_000_000, 2), bytesOf(100_000, 3)]
      const { id: fromNode } = await bob.files.put(large, { name: 'from Node' })
      await eventually(() => call(tab, 'get', fromNode)).toBe('ok')
      expect(await call(tab, 'file', fromNode)).toEqual({ name: 'from Node', length: large.length })
      expect(await call(tab, 'hash', fromNode)).toBe(hash(large))
      const streamed = await call(tab, 'stream', fromNode, 0, large.length)
      expect(streamed.hash).toBe(hash(large))
      expect(streamed.pieces).toBeGreaterThan(1)
      expect((await call(tab, 'stream', fromNode, 70_001, 1_300_003)).hash).toBe(hash(large.subarray(70_001, 1_300_003)))

      await call(tab, 'follow', 'plan')
      const heardByBob: string[] = []
      bob.documents.open('plan').subscribe((fresh) => heardByBob.push(...fresh.map(decode)))
      await call(tab, 'append', 'plan', 'one')
      await eventually(() => heardByBob).toEqual(['one'])
      await bob.documents.open('plan').append(encode('two'))
      await eventually(() => call(tab, 'followed')).toEqual(['two'])
      expect(await call(tab, 'compact', 'plan')).toBe(true)
      await eventually(async () => (await bob.documents.open('plan').read()).map(decode)).toEqual(['one two'])

      await call(tab, 'listen')
      const said: string[] = []
      bob.presence.subscribe(({ member, payload }) => { if (payload.length > 0) said.push(`${member}: ${decode(payload)}`) })
      expect(await call(tab, 'say', 'hello')).toBe(true)
      await eventually(() => said).toEqual(['1: hello'])
      expect(bob.presence.send(encode('hello to you'))).toBe(true)
      await eventually(() => call(tab, 'said')).toEqual([`${bob.me.id}: hello to you`])
      expect(await call(tab, 'here')).toEqual([bob.me.id])

      // Its entry has come, its content has not.
      const { id: unseen } = await bob.files.put(later)
      await eventually(() => call(tab, 'rows', 'SELECT count(*) AS n FROM sealdb_files')).toEqual([{ n: 3 }])
      await call(tab, 'disconnect')
      expect(await call(tab, 'say', 'anybody?')).toBe(false)
      expect(await call(tab, 'get', unseen)).toBe('unavailable: offline')
      expect(await call(tab, 'hash', fromNode)).toBe(hash(large))
      await call(tab, 'append', 'plan', 'offline')
      await call(tab, 'connect')
      await call(tab, 'online')
      await eventually(() => call(tab, 'get', unseen)).toBe('ok')
      await eventually(() => heardByBob.at(-1)).toBe('offline')
      await bob.close()
      await call(tab, 'close')
    } finally {
      await tab.close()
      await relay.close()
    }
  }, 60_000)

  test('a page that has kept what it fetched opens offline; what it never fetched is unavailable, and nothing else', async () => {
    const tab = await browser.tab()
    await call(tab, 'keep')
    await tab.reload()
    await ready(tab)
    expect(await call(tab, 'create', 'kept')).toBe('ok')
    await call(tab, 'exec', "CREATE TABLE t (v); INSERT INTO t VALUES ('before')")
    const id = await call(tab, 'put', 300_000, 7, 'photo')
    await call(tab, 'append', 'notes', 'first')
    await call(tab, 'close')
    browser.unplug()
    await tab.reload()
    await ready(tab)
    expect(await call(tab, 'open', 'kept')).toBe('ok')
    expect(await call(tab, 'exec', "INSERT INTO t VALUES ('offline')")).toBe('ok')
    expect(await call(tab, 'exec', 'SELECT * FROM sealdb_members')).toBe('unavailable: code')
    expect(await call(tab, 'rows', 'SELECT v FROM t')).toEqual([{ v: 'before' }, { v: 'offline' }])
    expect(await call(tab, 'hash', id)).toBe(hash(bytesOf(300_000, 7)))
    await call(tab, 'append', 'notes', 'second')
    expect(await call(tab, 'read', 'notes')).toEqual(['first', 'second'])
    await call(tab, 'close')
    await tab.close()
  }, 60_000)
})
