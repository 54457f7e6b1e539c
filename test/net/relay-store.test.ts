/** The relay's stores against their port: memory, files, PostgreSQL. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fileRelayStore } from '../../net/relay/stores/file.js'
import { memoryRelayStore } from '../../net/relay/stores/memory.js'
import { postgresRelayStore } from '../../net/relay/stores/postgres.js'
import { startPostgres } from './postgres.js'
import { relayStoreConformance } from './relay-store.conformance.js'

describe('memory relay store', () => {
  relayStoreConformance(() => Promise.resolve(memoryRelayStore()), { another: (store) => Promise.resolve(store) })
})

describe('file relay store', () => {
  let directory = ''
  const directories: string[] = []
  const fresh = (): Promise<ReturnType<typeof fileRelayStore>> => {
    directories.push((directory = mkdtempSync(join(tmpdir(), 'sealdb-relay-'))))
    return Promise.resolve(fileRelayStore(directory))
  }
  afterAll(() => { for (const each of directories) rmSync(each, { recursive: true, force: true }) })
  relayStoreConformance(fresh, { reopen: () => Promise.resolve(fileRelayStore(directory)) })

  it('makes no directory for a space that is only asked for', async () => {
    const store = await fresh()
    for (let i = 0; i < 10; i++) await store.open(new Uint8Array(32).fill(i))
    expect(readdirSync(join(directory, 'spaces'))).toEqual([])
    await store.close()
  })
})

const postgres = await startPostgres()
describe.runIf(postgres)('PostgreSQL relay store', () => {
  const url = postgres?.url ?? ''
  const admin = new pg.Client({ connectionString: url })
  beforeAll(() => admin.connect())
  afterAll(async () => {
    await admin.end()
    await postgres?.stop()
  })
  const fresh = async (): ReturnType<typeof postgresRelayStore> => {
    await admin.query('DROP TABLE IF EXISTS sealdb_record; DROP TABLE IF EXISTS sealdb_value; DROP TABLE IF EXISTS sealdb_image; DROP TABLE IF EXISTS sealdb_chunk')
    return postgresRelayStore(url)
  }
  relayStoreConformance(fresh, { reopen: () => postgresRelayStore(url), another: () => postgresRelayStore(url) })

  it('several processes may make the schema at once', async () => {
    await (await fresh()).close()
    await admin.query('DROP TABLE sealdb_record; DROP TABLE sealdb_value; DROP TABLE sealdb_image; DROP TABLE sealdb_chunk')
    const stores = await Promise.all(Array.from({ length: 5 }, () => postgresRelayStore(url)))
    for (const store of stores) await store.close()
  })

  it('hears of others again after its connections were cut', async () => {
    const store = await fresh()
    const other = await postgresRelayStore(url)
    const space = new Uint8Array(32).fill(200)
    await store.found(space, new Uint8Array(5))
    const [here, there] = [await store.open(space), await other.open(space)]
    if (!here || !there) throw new Error('not there')
    let heard = 0
    there.onGrowth = () => { heard++ }
    await admin.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()')
    for (let at = 1; heard === 0 && at < 100; at++) {
      // The first statements after the cut may fail: nothing is stored twice, and it goes on.
      await here.refresh().then((at) => here.append(at, [new Uint8Array(1)])).catch(() => undefined)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    expect(heard).toBeGreaterThan(0)
    await store.close()
    await other.close()
  })

  it('a database that lost records is told from one that was overtaken', async () => {
    const store = await fresh()
    const space = new Uint8Array(32).fill(201)
    await store.found(space, new Uint8Array(5))
    const log = await store.open(space)
    await log?.append(1, [new Uint8Array(1), new Uint8Array(2)])
    await admin.query('DELETE FROM sealdb_record WHERE idx = 2')
    await expect(log?.append(3, [new Uint8Array(3)])).rejects.toMatchObject({ code: 'store-corrupt' })
    await store.close()
  })

  it('an address without a database is store-failed, and says nothing of a password', async () => {
    const failure: unknown = await postgresRelayStore('postgres://me:hunter2@127.0.0.1:1/none').catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'store-failed' })
    expect(String(failure)).not.toContain('hunter2')
  })
})
describe.skipIf(postgres)('PostgreSQL relay store', () => {
  it.skip('SKIPPED: no PostgreSQL could be started', () => undefined)
})
