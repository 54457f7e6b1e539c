/** Two members, a real relay over connections in memory, and a database each. */
import { afterEach, expect } from 'vitest'
import { Database } from '../../query/database.js'
import type { LostWrite } from '../../query/database.js'
import { founder, invited, testRelay, until, type TestPeer, type TestRelay } from '../net/support.js'
import { contents } from './database-support.js'

export interface Peer extends TestPeer { readonly db: Database; readonly lost: LostWrite[] }

let ends: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const end of ends.reverse()) await end()
  ends = []
})

export async function peerOf(peer: TestPeer): Promise<Peer> {
  const db = await Database.open(peer.space)
  const lost: LostWrite[] = []
  db.onLost((each) => lost.push(each))
  ends.push(async () => {
    await db.close()
    await peer.sync.stop()
    await peer.space.close()
  })
  return { ...peer, db, lost }
}

export async function two(script: string, role: 'writer' | 'admin' | 'reader' = 'writer'): Promise<{ ada: Peer; bob: Peer; relay: TestRelay }> {
  const relay = await testRelay()
  const ada = await peerOf(await founder(relay, `ada ${script.length}`))
  await ada.db.exec(script)
  const bob = await peerOf(await invited(relay, ada, `bob ${script.length}`, role))
  await inStep(ada, bob)
  return { ada, bob, relay }
}

/** Everything is in the log and both have followed it. */
export async function inStep(...peers: readonly Peer[]): Promise<void> {
  await until(() => peers.every(({ space }) => space.outbox().length === 0 && space.head.size === peers[0]?.space.head.size), 'in step')
}

export async function expectEqual(...peers: readonly Peer[]): Promise<void> {
  await inStep(...peers)
  const [first, ...others] = await Promise.all(peers.map(({ db }) => contents(db)))
  for (const other of others) expect(other).toEqual(first)
}

/** Their syncs were stopped: they find the relay again. */
export function reconnect(...peers: readonly Peer[]): void {
  for (const peer of peers) peer.sync.start()
}

/** Apart, then `work`, then together again. */
export async function apart(peers: readonly Peer[], work: () => Promise<void>): Promise<void> {
  for (const { sync } of peers) await sync.stop()
  await work()
  reconnect(...peers)
}
