/** The relay's images: a start from one is a start by replay, but for what it costs; one that is damaged or of another log is refused. */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { attachRelay, invite, remove } from '../../engine/space/acts.js'
import { createSpace } from '../../engine/space/open.js'
import { IMAGE_VERSION } from '../../engine/space/snapshot-image.js'
import type { Space } from '../../engine/space/space.js'
import { memoryStore } from '../../engine/store/memory.js'
import { enter, greet } from '../../net/client.js'
import { createJudge } from '../../net/relay/judge.js'
import { DEFAULT_LIMITS, type RelayLimits, type RelayJudge } from '../../net/relay/relay.js'
import { fileRelayStore, memoryRelayStore, type RelayStore } from '../../net/server.js'
import { dial as dialNode } from '../../net/ws-node.js'
import { createTable, optionsOf, put, rows, seededRandom, taskTable } from '../space/rim-support.js'
import { readChunks } from '../store/conformance-data.js'
import { backup, logIn } from './hostile.js'
import { crypto, founder, invited, startSync, stopAll, testRelay, until, type TestPeer, type TestRelay } from './support.js'

const peers: TestPeer[] = []
const leave: (() => Promise<unknown>)[] = []
afterEach(async () => {
  await stopAll(peers)
  for (const each of leave.splice(0).reverse()) await each()
})

const often: Partial<RelayLimits> = { images: { entries: 16, bytes: 2 ** 40 } }
const never: Partial<RelayLimits> = { images: { entries: Infinity, bytes: Infinity } }
const say = async (space: Space, key: number, length = 20, kind: 'insert' | 'update' = 'insert'): Promise<unknown> => (await space.commit(rows(put(kind, 1, BigInt(key), 0n, 'x'.repeat(length))), space.current)).settled

interface Watched extends TestRelay { readonly events: string[]; replays(): number }

/** A relay on that store that tells whether it replayed. */
async function relayOn(store: RelayStore, limits: Partial<RelayLimits>): Promise<Watched> {
  const judge = await createJudge({ store, name: 'relay.test', random: seededRandom('judge'), verify: 'full', crypto })
  let found = 0
  const counting: RelayJudge = { ...judge, found: (space, genesis) => { found++; return judge.found(space, genesis) } }
  const events: string[] = []
  const relay = await testRelay({ store, judge: counting, limits: { ...DEFAULT_LIMITS, ...limits }, log: (event) => events.push(event) })
  return { ...relay, events, replays: () => found }
}

/** 1.3 MB a row are enough for steps. Somebody removed, two open links with other states, and an image of almost all of it. */
async function setting(length = 20_000): Promise<{ readonly store: RelayStore; readonly ada: Space; readonly eve: Space; readonly anchors: readonly number[] }> {
  const store = memoryRelayStore()
  const relay = await relayOn(store, never)
  const ada = await founder(relay, 'image Ada')
  const eve = await invited(relay, ada, 'image Eve')
  peers.push(ada, eve)
  const { space } = ada
  await (await space.commit(createTable(taskTable(1), 'table:task'), space.current)).settled
  for (let i = 0; i < 7; i++) await say(space, i, length)
  await until(() => eve.space.head.size === space.head.size, 'in step')
  await eve.sync.stop()
  await remove(space, { members: [eve.space.me.member] })
  const anchors: number[] = []
  for (const key of [100, 200]) {
    await invite(space, { role: 'writer', uses: 10 })
    anchors.push(space.head.size)
    for (let i = 0; i < 10; i++) await say(space, key + i)
    await say(space, 3, 50, 'update')
    await (await space.commit(rows({ kind: 'delete', table: 1, key: [BigInt(key)] }), space.current)).settled
  }
  await ada.sync.stop()
  await relay.relay.drain()
  return { store, ada: space, eve: eve.space, anchors }
}

/** Started once, so that an image is written when it ends; `more` entries are written meanwhile. */
async function imaged(store: RelayStore, ada: Space, more = 0): Promise<void> {
  const relay = await relayOn(store, often)
  const sync = startSync(ada, relay.dial, 'image writer')
  await until(() => sync.state === 'online', 'live')
  for (let i = 0; i < more; i++) await say(ada, 1_000 + ada.head.size + i)
  await sync.stop()
  await relay.relay.drain()
  expect(relay.events).toEqual([])
}

/** Whatever a relay can be asked, so that two can be compared. */
async function answers(relay: TestRelay, { ada, eve, anchors }: Awaited<ReturnType<typeof setting>>): Promise<unknown[]> {
  const told: unknown[] = []
  for (const space of [ada, eve]) {
    const { rpc, name, nonce } = await greet(relay.dial, 'memory:', space.id)
    const { size, note } = await rpc.call({ kind: 'auth', ...space.signChallenge(name, nonce) }, 'welcome')
    told.push(size, note)
    for (let from = 0; from < size;) {
      const { records, note: step } = await rpc.call({ kind: 'pull', from, limit: 4_096 }, 'entries')
      told.push(records.length, step)
      from += records.length
    }
    rpc.close()
  }
  const rpc = await enter(ada, relay.dial)
  for (const size of anchors) {
    const { manifest } = await rpc.call({ kind: 'snapshot', size }, 'snapshotIs')
    expect(manifest.length).toBeGreaterThan(0)
    told.push(manifest, (await rpc.call({ kind: 'rows', size, from: 0, count: 20 }, 'rowsAre')).proof)
  }
  for (const size of [1, 7, ada.head.size]) told.push(await rpc.call({ kind: 'checkpoint', size }, 'checkpointIs'))
  rpc.close()
  return told
}

describe('a relay that starts', () => {
  it('from an image answers whatever it is asked as one that replays, and goes on writing', async () => {
    const all = await setting(1_300_000)
    await imaged(all.store, all.ada)
    const bare = await backup(all.store, all.ada.id)
    const [quick, slow] = [await relayOn(all.store, often), await relayOn(bare, never)]
    const quickly = await answers(quick, all)
    expect([quick.replays(), slow.replays()]).toEqual([0, 0])
    expect(quickly).toEqual(await answers(slow, all))
    expect([quick.replays(), slow.replays()]).toEqual([0, 1])
    expect(quick.events).toEqual([])
    const sync = startSync(all.ada, quick.dial, 'image again')
    await say(all.ada, 5_000)
    await sync.stop()
    const bob = await invited(quick, { space: all.ada, sync: startSync(all.ada, quick.dial, 'image inviter') } as TestPeer, 'image Bob')
    await until(() => bob.space.head.size === all.ada.head.size, 'Bob has all')
    peers.push(bob)
  }, 60_000)

  it('from an older image follows what came after it, and writes the next', async () => {
    const all = await setting()
    await imaged(all.store, all.ada)
    const log = await logIn(all.store, all.ada.id)
    const first = await log.readSnapshot()
    const chunks = await readChunks(first)
    await imaged(all.store, all.ada, 20)
    expect((await log.readSnapshot())?.meta).not.toEqual(first?.meta)
    await log.writeSnapshot(first?.meta as Uint8Array, chunks)
    const relay = await relayOn(all.store, often)
    const { note } = await (await enter(all.ada, relay.dial)).call({ kind: 'checkpoint', size: 1 }, 'checkpointIs')
    expect(new TextDecoder().decode(note)).toContain(`\n${all.ada.head.size}\n`)
    expect([relay.replays(), relay.events]).toEqual([0, []])
    await relay.relay.drain()
    expect((await log.readSnapshot())?.meta).not.toEqual(first?.meta)
  }, 60_000)

  it('refuses an image that is damaged, cut, swapped, of another relay, space or log, or ahead of the log; replays, and replaces it', async () => {
    const all = await setting()
    await imaged(all.store, all.ada)
    const log = await logIn(all.store, all.ada.id)
    const sound = await log.readSnapshot()
    const meta = sound?.meta as Uint8Array
    const chunks = await readChunks(sound)
    expect(chunks.length).toBeGreaterThan(5)
    const flipped = (bytes: Uint8Array, at: number): Uint8Array => {
      const other = bytes.slice()
      other[at] = (other[at] as number) ^ 1
      return other
    }
    const images: (readonly [meta: Uint8Array, chunks: readonly Uint8Array[]])[] = [
      ...[0, 1, 5, 40, 80, meta.length - 20, meta.length - 1].map((at) => [flipped(meta, at), chunks] as const),
      [meta.subarray(0, 1), chunks], [meta.subarray(0, 60), chunks], [new Uint8Array(0), []], [meta, []],
      ...chunks.map((chunk, i) => [meta, chunks.with(i, flipped(chunk, chunk.length >> 1))] as const),
      ...chunks.map((chunk, i) => [meta, chunks.with(i, chunk.subarray(0, chunk.length - 1))] as const),
      [meta, chunks.slice(0, -1)], [meta, [...chunks, chunks[1] as Uint8Array]], [meta, [...chunks].reverse()],
    ]
    // Of another relay, and of another space of this one.
    for (const [name, sameRelay] of [['other relay', false], ['other space', true]] as const) {
      const store = memoryRelayStore()
      if (sameRelay) await store.setOnce('signer', (await all.store.get('signer')) as Uint8Array)
      const relay = await relayOn(store, often)
      const other = await founder(relay, name)
      peers.push(other)
      await (await other.space.commit(createTable(taskTable(1), 'table:task'), other.space.current)).settled
      for (let i = 0; i < 20; i++) await say(other.space, i)
      await other.sync.stop()
      await relay.relay.drain()
      const image = await (await logIn(store, other.space.id)).readSnapshot()
      images.push([image?.meta as Uint8Array, await readChunks(image)])
    }
    const bare = await backup(all.store, all.ada.id)
    const expected = await answers(await relayOn(bare, never), all)
    for (const [i, image] of images.entries()) {
      const copy = await backup(all.store, all.ada.id)
      const place = await logIn(copy, all.ada.id)
      await place.writeSnapshot(...image)
      const relay = await relayOn(copy, often)
      const { rpc, name, nonce } = await greet(relay.dial, 'memory:', all.ada.id)
      const { size, note } = await rpc.call({ kind: 'auth', ...all.ada.signChallenge(name, nonce) }, 'welcome')
      rpc.close()
      expect([size, note], `image ${i}`).toEqual(expected.slice(0, 2))
      // One without our version's mark is no image at all.
      expect([relay.replays(), relay.events], `image ${i}`).toEqual([1, image[0][0] === IMAGE_VERSION ? ['image-refused'] : []])
      await relay.relay.drain()
      const again = await relayOn(copy, often)
      await enter(all.ada, again.dial)
      expect([again.replays(), again.events], `image ${i}, after it was replaced`).toEqual([0, []])
    }
    // The log went back, and then on in another way: the image is ahead of it, then of the same length as it.
    const back = await backup(all.store, all.ada.id, all.ada.head.size - 2)
    const write = async (): Promise<void> => (await logIn(back, all.ada.id)).writeSnapshot(meta, chunks)
    await write()
    const shorter = await relayOn(back, never)
    const rpc = await enter(all.ada, shorter.dial)
    expect([shorter.replays(), shorter.events]).toEqual([1, ['image-refused']])
    rpc.close()
    await shorter.relay.drain()
    const records = await (await logIn(all.store, all.ada.id)).read(0, all.ada.head.size, 2 ** 40)
    await (await logIn(back, all.ada.id)).append(all.ada.head.size - 2, [records.at(-1) as Uint8Array, records.at(-2) as Uint8Array])
    await write()
    const forked = await relayOn(back, never)
    await enter(all.ada, forked.dial)
    expect([forked.replays(), forked.events]).toEqual([1, ['image-refused']])
  }, 120_000)

  it('goes on where an image can’t be written, tells of it, and tries again later', async () => {
    const store = memoryRelayStore()
    let failures = 2
    const failing: RelayStore = { ...store, open: async (space) => {
      const log = await store.open(space)
      if (!log) return undefined
      const write = log.writeSnapshot.bind(log)
      log.writeSnapshot = (meta, chunks) => (failures-- > 0 ? Promise.reject(new Error('no space left')) : write(meta, chunks))
      return log
    } }
    const relay = await relayOn(failing, often)
    const ada = await founder(relay, 'image full')
    peers.push(ada)
    await (await ada.space.commit(createTable(taskTable(1), 'table:task'), ada.space.current)).settled
    for (let tries = 0; tries < 3; tries++) {
      const before = failures
      for (let i = 0; i < 20; i++) await say(ada.space, 20 * tries + i)
      await until(() => failures < before, 'tried')
    }
    await ada.sync.stop()
    await relay.relay.drain()
    expect(relay.events).toEqual(['image-failed', 'image-failed'])
    const again = await relayOn(store, never)
    await enter(ada.space, again.dial)
    expect([again.replays(), again.events]).toEqual([0, []])
  })

  it('lets go of spaces that take too much memory, those least lately asked for first, and takes them up from their images', async () => {
    const store = memoryRelayStore()
    const relay = await relayOn(store, { ...often, maxIdleBytes: 450_000 })
    const spaces: TestPeer[] = []
    for (let i = 0; i < 3; i++) {
      const each = await founder(relay, `idle ${i}`)
      spaces.push(each)
      peers.push(each)
      await (await each.space.commit(createTable(taskTable(1), 'table:task'), each.space.current)).settled
      for (let key = 0; key < 10; key++) await say(each.space, key, 25_000)
    }
    for (const { sync } of spaces) await sync.stop()
    const rooms = (): number => Number(/sealdb_relay_rooms (\d+)/.exec(relay.relay.metrics.format())?.[1])
    await until(() => relay.relay.metrics.format().includes('sealdb_relay_connections 0'), 'all gone')
    ;(await enter((spaces[0] as TestPeer).space, relay.dial)).close() // the one asked for last
    await until(() => relay.relay.metrics.format().includes('sealdb_relay_connections 0'), 'gone again')
    await relay.relay.sweep()
    expect(rooms()).toBe(1)
    const before = relay.replays()
    await enter((spaces[0] as TestPeer).space, relay.dial)
    expect(rooms()).toBe(1)
    await enter((spaces[1] as TestPeer).space, relay.dial)
    expect(rooms()).toBe(2)
    expect([relay.replays(), relay.events]).toEqual([before, []])
  })
})

describe('kill -9 while images are being written', () => {
  it('leaves the old image or the new one: every start is from an image, and shows what was acknowledged', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'sealdb-image-kill-'))
    leave.push(() => Promise.resolve(rmSync(directory, { recursive: true, force: true })))
    let child: Running | undefined
    leave.push(() => Promise.resolve(child?.process.kill('SIGKILL')))
    child = await start(directory)
    const space = await createSpace(await memoryStore().open(), optionsOf('kill Ada'), {})
    const { rpc, name, publicKey } = await greet(dialNode, child.url, space.id)
    rpc.close()
    await attachRelay(space, { url: child.url, name, publicKey })
    const sync = startSync(space, (_, signal) => dialNode((child as Running).url, signal), 'kill')
    peers.push({ space, sync, location: memoryStore() })
    await (await space.commit(createTable(taskTable(1), 'table:task'), space.current)).settled
    let key = 0
    const write = async (count: number): Promise<void> => { for (let i = 0; i < count; i++) await say(space, key++, 5_000) }
    await write(100)
    for (let round = 0; round < Number(process.env['SEALDB_KILLS'] ?? 2); round++) {
      const writing = write(20)
      await until(() => key % 20 > (round * 3) % 17, 'under way')
      child.process.kill('SIGKILL')
      child = await start(directory)
      await writing
      expect(child.events).toEqual([])
    }
    await sync.stop()
    child.process.kill('SIGKILL')
    await new Promise((resolve) => child?.process.once('exit', resolve))
    // What lies there: an image that leads to what a replay leads to.
    const store = fileRelayStore(directory)
    const bare = await backup(store, space.id)
    const notes: Uint8Array[] = []
    for (const [place, replays] of [[store, 0], [bare, 1]] as const) {
      const relay = await relayOn(place, never)
      notes.push((await (await enter(space, relay.dial)).call({ kind: 'checkpoint', size: 1 }, 'checkpointIs')).note)
      expect(relay.replays()).toBe(replays)
      await relay.relay.drain()
    }
    expect(notes[0]).toEqual(notes[1])
    expect(new TextDecoder().decode(notes[0])).toContain(`\n${space.head.size}\n`)
  }, 60_000)
})

interface Running { readonly process: ChildProcess; readonly url: string; readonly events: string[] }

/** A relay in a process of its own that writes an image after every few entries. */
async function start(directory: string): Promise<Running> {
  const child = spawn(process.execPath, ['--import', 'tsx', fileURLToPath(new URL('./relay-process.ts', import.meta.url)), '--file', directory, '--images', '3'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const events: string[] = []
  const url = await new Promise<string>((resolve) => createInterface(child.stdout).on('line', (line) => {
    if (/^\d+$/.test(line)) resolve(`ws://127.0.0.1:${line}`)
    else events.push(line)
  }))
  return { process: child, url, events }
}
