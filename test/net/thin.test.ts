/** A thin client holds no rows: it follows, reads and writes as a replica does, and keeps what it needs over restarts. */
import { afterEach, describe, expect, it } from 'vitest'
import { remove, rotate } from '../../engine/space/acts.js'
import { createTable, put, rows, taskTable } from '../space/rim-support.js'
import { through } from './hostile.js'
import { bodies, founder, invited, stopAll, testRelay, until, type TestPeer, type TestRelay } from './support.js'
import { readBodies, remoteOf, reopened, thinInvited } from './thin-support.js'

const peers: TestPeer[] = []
afterEach(() => stopAll(peers))

const say = async ({ space }: TestPeer, key: number, body = `row ${key}`): Promise<unknown> => (await space.commit(rows(put('insert', 1, BigInt(key), 0n, body)), space.current)).settled

async function setting(count: number): Promise<{ readonly relay: TestRelay; readonly ada: TestPeer }> {
  const relay = await testRelay()
  const ada = await founder(relay, `thin Ada ${count}`)
  peers.push(ada)
  await (await ada.space.commit(createTable(taskTable(1), 'table:task'), ada.space.current)).settled
  if (count > 0) await (await ada.space.commit(rows(...Array.from({ length: count }, (_, i) => put('insert', 1, BigInt(i), 0n, `row ${i}`))), ada.space.current)).settled
  return { relay, ada }
}

describe('a thin client', () => {
  it('joins without rows, reads them at the relay, follows what others write, writes itself', async () => {
    const { relay, ada } = await setting(500)
    const tim = await thinInvited(relay.dial, ada, 'Tim')
    peers.push(tim)
    expect(tim.space.head).toEqual(ada.space.head)
    expect(tim.location).toBeDefined()
    expect(tim.space.stats.nodes).toBeLessThan(150)
    expect(() => [...tim.space.current.rows(1)]).toThrow(expect.objectContaining({ code: 'out-of-scope' }) as Error)
    expect(await readBodies(tim)).toEqual(bodies(ada.space.current, 1))
    expect(tim.space.current.members()).toEqual(ada.space.current.members())

    await say(ada, 1_000)
    await until(() => tim.space.head.size === ada.space.head.size, 'Tim followed')
    expect(tim.space.head).toEqual(ada.space.head)
    expect(await readBodies(tim)).toEqual(bodies(ada.space.current, 1))

    await say(tim, 2_000, 'from Tim')
    await until(() => ada.space.head.size === tim.space.head.size, 'Ada followed')
    expect(bodies(ada.space.current, 1)).toContain('from Tim')
    expect(await readBodies(tim)).toEqual(bodies(ada.space.current, 1))
    expect(tim.space.store.size).toBe(0)
  })

  it('is there again after a restart, at its head, and goes on from it', async () => {
    const { relay, ada } = await setting(50)
    const tim = await thinInvited(relay.dial, ada, 'Tim')
    await say(tim, 2_000, 'from Tim')
    const { head } = tim.space
    for (let i = 100; i < 160; i++) await say(ada, i)
    await until(() => tim.space.head.size === ada.space.head.size, 'Tim followed')
    await tim.sync.stop()
    const stopped = tim.space.head
    for (let i = 200; i < 260; i++) await say(ada, i) // more than the heads that a relay keeps
    const again = await reopened(tim, relay.dial, 'Tim')
    peers.push(again)
    expect(stopped.size).toBeGreaterThan(head.size)
    await until(() => again.space.head.size === ada.space.head.size, 'Tim caught up')
    expect(again.space.head).toEqual(ada.space.head)
    expect(await readBodies(again)).toEqual(bodies(ada.space.current, 1))
    await say(again, 3_000, 'again')
    expect(await readBodies(again)).toContain('again')
  })

  it('follows epochs, removals, and its own removal', async () => {
    const { relay, ada } = await setting(400)
    const tim = await thinInvited(relay.dial, ada, 'Tim')
    const readRow = (key: bigint): Promise<number> => remoteOf(tim.space).reach(() => [...tim.space.current.rows(1, { kind: 'key', key: [key] })].length)
    const bob = await invited(relay, ada, 'Bob')
    peers.push(tim, bob)
    const alerts: string[] = []
    tim.space.on('alert', ({ code }) => alerts.push(code))
    await rotate(ada.space)
    await remove(ada.space, { members: [bob.space.me.member] })
    await say(ada, 77_000, 'under a new key')
    await until(() => tim.space.head.size === ada.space.head.size, 'Tim followed')
    expect(await readRow(3n)).toBe(1)
    await say(tim, 78_000, 'from Tim, under it')
    await remove(ada.space, { members: [tim.space.me.member] })
    await until(() => tim.space.me.role === undefined, 'Tim knows that he is out')
    expect(alerts).toEqual(['removed'])
    expect(tim.space.writable).toBe(false)
    await until(() => tim.sync.state === 'stopped', 'no more attempts')
    // What it has read stays readable here; what it has not, stays with the members.
    expect(await readRow(3n)).toBe(1)
    await expect(readRow(300n)).rejects.toMatchObject({ code: 'disconnected' })
    await expect(say(tim, 79_000)).rejects.toMatchObject({ code: 'read-only' })
  })

  it('what it wrote and the relay did not take waits, over a restart too, and lands', async () => {
    const { relay, ada } = await setting(5)
    let deaf = false
    const dial = through(relay.dial, { toRelay: (message) => (deaf && message.kind === 'append' ? [] : undefined) })
    const tim = await thinInvited(dial, ada, 'Tim')
    await tim.space.commit(rows(put('insert', 1, 2_000n, 0n, 'first')), tim.space.current)
    await until(() => tim.space.outbox().length === 0, 'the first landed')
    deaf = true
    const later = await tim.space.commit(rows(put('insert', 1, 3_000n, 0n, 'later')), tim.space.current)
    expect(later.state.kind).toBe('unknown')
    expect(await readBodies(tim)).toContain('later')
    await say(ada, 100)
    await until(() => tim.space.head.size === ada.space.head.size, 'Tim followed')
    expect(await readBodies(tim)).toEqual(expect.arrayContaining(['later', 'row 100']))

    const again = await reopened(tim, dial, 'Tim')
    peers.push(again)
    expect(again.space.outbox()).toHaveLength(1)
    // Still on its way; what comes after it goes on top, which is not the state that it was made on.
    const after = (): Promise<unknown> => again.space.commit(rows(put('insert', 1, 3_001n, 0n, 'after it')), again.space.current)
    await expect(after()).rejects.toMatchObject({ code: 'stale-view' })
    await after()
    expect(await readBodies(again)).toEqual(expect.arrayContaining(['later', 'after it']))
    deaf = false
    await again.sync.stop()
    again.sync.start()
    await until(() => again.space.outbox().length === 0, 'both landed')
    await until(() => bodies(ada.space.current, 1).includes('after it'), 'Ada has them')
    expect(await readBodies(again)).toEqual(bodies(ada.space.current, 1))
  })
})
