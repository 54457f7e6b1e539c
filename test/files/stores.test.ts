/** Files over real relays on real stores: a directory that outlives its relay; PostgreSQL under two relays; and forgetting, which seals keys of files again by itself. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join as joinPath } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { createSpace, joinSpace, memoryStore, type SealedSpace } from 'sealdb'
import { fileRelayStore, postgresRelayStore, startRelay, type RunningRelay } from '../../net/server.js'
import { testRelay } from '../net/support.js'
import { startPostgres } from '../net/postgres.js'
import { closeAll, found, join } from './space-support.js'
import { poll, sampleBytes } from './support.js'

const open: { close(): Promise<void> }[] = []
const kept = <T extends { close(): Promise<void> }>(made: T): T => {
  open.push(made)
  return made
}
afterEach(async () => {
  await closeAll()
  for (const each of open.splice(0).reverse()) await each.close()
})

async function read(space: SealedSpace, id: string): Promise<Uint8Array> {
  await poll(async () => (await space.files.list()).some((file) => file.id === id)).toBe(true)
  return (await space.files.get(id)).bytes()
}

describe('a relay on files', () => {
  const directory = mkdtempSync(joinPath(tmpdir(), 'sealdb-files-'))
  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  it('keeps content over a restart, brings on what was under way, and sweeps up what it should have dropped', async () => {
    const start = (port = 0): Promise<RunningRelay> => startRelay({ store: fileRelayStore(directory), port, name: 'relay.test' })
    let relay = await start()
    const { port } = relay
    const ada = kept(await createSpace({ store: memoryStore(), relay: relay.url }))
    const first = await ada.files.put(sampleBytes(400_000))
    await ada.files.settled()
    await relay.close()
    const second = await ada.files.put(sampleBytes(300_000, 2))
    await ada.files.delete(first.id)
    relay = kept(await start(port))
    await ada.files.settled()
    await ada.settled()
    const bob = kept(await joinSpace(await ada.invite({ role: 'reader' }), { store: memoryStore() }))
    expect(Buffer.compare(await read(bob, second.id), sampleBytes(300_000, 2))).toBe(0)
    const [space] = readdirSync(joinPath(directory, 'spaces')) as [string]
    await poll(() => readdirSync(joinPath(directory, 'spaces', space, 'files')).sort()).toEqual([0, 1, 2].map((n) => `${second.id}.${n}`))
  })
})

const postgres = await startPostgres()
describe.runIf(postgres)('relays on PostgreSQL', () => {
  afterAll(() => postgres?.stop())

  it('what is brought to one is had from the other, and dropped by both', async () => {
    const start = async (): Promise<RunningRelay> => kept(await startRelay({ store: await postgresRelayStore(postgres?.url ?? ''), name: 'relay.test' }))
    const [one, other] = [await start(), await start()]
    const ada = kept(await createSpace({ store: memoryStore(), relay: one.url }))
    const { id } = await ada.files.put(sampleBytes(500_000))
    await ada.files.settled()
    const elsewhere = (url: string): string => url.replace(`:${one.port}`, `:${other.port}`)
    const { dial } = await import('../../net/ws-node.js')
    const bob = kept(await joinSpace(await ada.invite({ role: 'writer' }), { store: memoryStore(), unsafe: { dial: (url, signal) => dial(elsewhere(url), signal) } }))
    expect(Buffer.compare(await read(bob, id), sampleBytes(500_000))).toBe(0)
    const mine = await bob.files.put(sampleBytes(200_000, 3))
    await bob.files.settled()
    expect(Buffer.compare(await read(ada, mine.id), sampleBytes(200_000, 3))).toBe(0)
    await bob.files.delete(mine.id)
    await bob.settled()
    const store = await postgresRelayStore(postgres?.url ?? '')
    const log = await store.open(ada.id)
    await poll(async () => [...((await log?.chunks.groups()) ?? [])]).toEqual([[id, 4]])
    await log?.close()
    await store.close()
  })
})

describe('forget', () => {
  it('seals keys of files again, not content; who comes after reads what lives', async () => {
    const relay = await testRelay()
    const ada = await found(relay.dial)
    const bob = await join(ada, relay.dial)
    const kept = await bob.space.files.put(sampleBytes(300_000), { name: 'kept.bin' })
    const gone = await bob.space.files.put(sampleBytes(1_000), { name: 'gone.bin' })
    await bob.space.files.settled()
    await bob.space.files.delete(gone.id)
    await bob.space.settled()
    await poll(async () => (await ada.space.files.list()).map(({ id }) => id)).toEqual([kept.id])
    const log = await relay.store.open(ada.space.id)
    const before = await log?.chunks.get(kept.id, 1)
    let resealed = 0
    await ada.space.forget({ onProgress: (progress) => { resealed = progress.resealed } })
    expect(resealed).toBeGreaterThan(0)
    expect(await log?.chunks.get(kept.id, 1)).toEqual(before)
    const carl = await join(ada, relay.dial, 'reader')
    expect(Buffer.compare(await read(carl.space, kept.id), sampleBytes(300_000))).toBe(0)
    expect(await carl.space.files.list()).toMatchObject([{ name: 'kept.bin', author: bob.space.me.id }])
    expect(carl.space.engine.keyring.epochs).not.toContain(1)
    await log?.close()
  })
})
