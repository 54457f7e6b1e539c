/**
 * From a commit at one relay process to the change at a client of another, both on one PostgreSQL: `npx tsx bench/two-relays.ts`. Bar: median ≤ 100 ms.
 * Beside it the same with both clients at one of the processes. The database is that of the tests (no fsync), so what is measured is the way, not a disk.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { attachRelay, invite } from '../engine/space/acts.js'
import { joinSpace, signInvitationChallenge } from '../engine/space/join.js'
import { createSpace } from '../engine/space/open.js'
import { parseLink } from '../engine/group/link.js'
import type { Space } from '../engine/space/space.js'
import { memoryStore } from '../engine/store/memory.js'
import { greet } from '../net/client.js'
import { joinChannel } from '../net/join.js'
import { Sync } from '../net/sync.js'
import { dial } from '../net/ws-node.js'
import { nextHead } from './heads.js'
import { startPostgres } from '../test/net/postgres.js'
import { createTable, crypto, optionsOf, put, rows, seededRandom, taskTable } from '../test/space/rim-support.js'

const PINGS = 200
const WARM_UP = 30

const postgres = await startPostgres()
if (postgres === undefined) process.exit(1)
const { url: database } = postgres
const children: ChildProcess[] = []
const [one, two] = [await relay(), await relay()]
const writer = await createSpace(await memoryStore().open(), optionsOf('bench'), { name: 'Ada' })
const greeting = await greet(dial, one, writer.id)
greeting.rpc.close()
await attachRelay(writer, { url: one, name: greeting.name, publicKey: greeting.publicKey })
const syncs = [follow(writer, one)]
await (await writer.commit(createTable(taskTable(1), 'table:task'), writer.current)).settled
const [near, far] = [await joined('Near', one), await joined('Far', two)]
let key = 1n
for (const [where, reader] of [['the same process', near], ['the other process', far]] as const) {
  const times: number[] = []
  for (let i = -WARM_UP; i < PINGS; i++) {
    const start = performance.now()
    const seen = nextHead(reader)
    await writer.commit(rows(put('insert', 1, key++, 0n, 'x'.repeat(100))), writer.current)
    await seen
    if (i >= 0) times.push(performance.now() - start)
    while (near.head.size !== far.head.size || writer.head.size !== far.head.size || writer.outbox().length > 0) await new Promise((resolve) => setTimeout(resolve, 1))
  }
  times.sort((a, b) => a - b)
  console.log(`commit to a client's change at ${where}: median ${times[PINGS / 2]?.toFixed(1)} ms, 95 % ${times[Math.floor(PINGS * 0.95)]?.toFixed(1)} ms`)
}
for (const sync of syncs) await sync.stop()
for (const child of children) child.kill('SIGKILL')
await postgres.stop()

/** That never polls: what the other process stored, it hears of by the database's notification. */
async function relay(): Promise<string> {
  const file = fileURLToPath(new URL('../test/net/relay-process.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', file, '--postgres', database, '--poll', '2000000000'], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  return `ws://127.0.0.1:${await new Promise<string>((resolve) => child.stdout.once('data', (data: Buffer) => resolve(data.toString().trim())))}`
}

function follow(space: Space, url: string): Sync {
  const sync = new Sync(space, { dial: (_, signal) => dial(url, signal), random: seededRandom('sync'), now: () => Date.now(), presenceEvery: 0, maxBackoff: 100 })
  sync.start()
  return sync
}

async function joined(name: string, url: string): Promise<Space> {
  const options = optionsOf(name)
  const link = parseLink(crypto, await invite(writer, { role: 'writer' }))
  const channel = await joinChannel((_, signal) => dial(url, signal), link, (relayName, nonce) => signInvitationChallenge(options, link, relayName, nonce))
  const space = await joinSpace(await memoryStore().open(), options, link, channel, { name })
  channel.close()
  syncs.push(follow(space, url))
  return space
}
