/** The package in a real browser: IndexedDB that survives, a reload in mid-write, two tabs on one store, and a relay shared with Node. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { joinSpace, memoryStore } from 'sealdb'
import { fileRelayStore, startRelay } from '../../net/server.js'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, call, CHROMIUM, ready, startBrowser } from './support.js'

const RELOADS = 8

describe.skipIf(CHROMIUM === undefined)(`in Chromium${CHROMIUM === undefined ? ' (skipped: none is installed; set CHROMIUM to its path)' : ''}`, () => {
  let browser: Browser
  beforeAll(async () => { browser = await startBrowser() }, 60_000)
  afterAll(async () => { await browser?.close() })

  test('a space on IndexedDB is there after a reload', async () => {
    const tab = await browser.tab()
    await call(tab, 'create', 'kept')
    await call(tab, 'exec', "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'first'), (2, 'second')")
    const [root, size] = [await call(tab, 'root'), await call(tab, 'size')]
    await tab.reload()
    await ready(tab)
    expect(await call(tab, 'open', 'kept')).toBe('ok')
    expect(await call(tab, 'root')).toBe(root)
    expect(await call(tab, 'size')).toBe(size)
    expect(await call(tab, 'rows', 'SELECT id, v FROM t ORDER BY id DESC')).toEqual([{ id: 2, v: 'second' }, { id: 1, v: 'first' }])
    await call(tab, 'close')
    expect(await call(tab, 'audit', 'kept')).toEqual([])
    await tab.close()
  }, 60_000)

  test(`a page that dies in mid-write, ${RELOADS} times: nothing acknowledged is lost, nothing is there twice`, async () => {
    const tab = await browser.tab()
    await call(tab, 'create', 'hammered')
    await call(tab, 'exec', 'CREATE TABLE n (i INTEGER)')
    for (let turn = 0, next = 0; turn < RELOADS; turn++) {
      await call(tab, 'hammer', next)
      await tab.waitForFunction(`page.acknowledged() >= ${next + 3}`)
      await tab.waitForTimeout((turn * 7) % 23)
      await tab.reload()
      await ready(tab)
      const acknowledged = await call(tab, 'acknowledged')
      expect(await call(tab, 'open', 'hammered')).toBe('ok')
      const [found] = await call(tab, 'rows', 'SELECT count(*) AS count, count(DISTINCT i) AS distinct_, max(i) AS max FROM n')
      const { count, distinct_, max } = found as { count: number; distinct_: number; max: number }
      expect({ distinct_, max }).toEqual({ distinct_: count, max: count - 1 })
      expect(max).toBeGreaterThanOrEqual(acknowledged)
      expect(max).toBeLessThanOrEqual(acknowledged + 1) // one may have become durable without its word getting out
      next = max + 1
    }
    await call(tab, 'close')
    expect(await call(tab, 'audit', 'hammered')).toEqual([])
    await tab.close()
  }, 120_000)

  test('two tabs: one writer, and the other takes over when it goes', async () => {
    const [first, second] = [await browser.tab(), await browser.tab()]
    await call(first, 'create', 'shared')
    await call(first, 'exec', 'CREATE TABLE t (v); INSERT INTO t VALUES (1)')
    expect(await call(second, 'open', 'shared')).toBe('store-locked')
    await first.close()
    await expect.poll(() => call(second, 'open', 'shared')).toBe('ok')
    await call(second, 'exec', 'INSERT INTO t VALUES (2)')
    expect(await call(second, 'rows', 'SELECT v FROM t')).toEqual([{ v: 1 }, { v: 2 }])
    await call(second, 'close')
    await second.close()
  }, 60_000)

  test('a member in a browser and one in Node share a space over a relay', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'sealdb-browser-'))
    const relay = await startRelay({ store: fileRelayStore(directory), port: 0, name: 'relay.test' })
    const tab = await browser.tab()
    try {
      await call(tab, 'create', 'ada', `ws://127.0.0.1:${relay.port}`)
      await call(tab, 'exec', "CREATE TABLE t (v TEXT); INSERT INTO t VALUES ('from the browser')")
      await call(tab, 'settled')
      const bob = await joinSpace(await call(tab, 'invite'), { store: memoryStore(), profile: { name: 'Bob' } })
      expect((await bob.query('SELECT v FROM t')).rows).toEqual([{ v: 'from the browser' }])
      await bob.query("INSERT INTO t VALUES ('from Node')")
      await bob.settled()
      await expect.poll(() => call(tab, 'rows', 'SELECT v FROM t')).toHaveLength(2)
      await expect.poll(async () => [await call(tab, 'size'), await call(tab, 'root')]).toEqual([bob.head.size, Buffer.from(bob.head.stateRoot).toString('hex')])
      await bob.close()
      await call(tab, 'close')
    } finally {
      await tab.close()
      await relay.close()
      rmSync(directory, { recursive: true, force: true })
    }
  }, 60_000)
})
