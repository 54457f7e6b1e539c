/**
 * The relay, measured against the bars of the design in one run: appending, fan-out against bare `ws`, latency from one client to another,
 * catching up. `npx tsx bench/bundled.ts bench/relay.ts [--verify group] [--only append|append-apart|fan-out|latency|catch-up|cold-join] [--rounds N] [--warm-up ENTRIES]`. The relay is a process of its own, so that its CPU time can be told
 * from the clients', which all run in this one and take a share of the same processors.
 */
import { fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WebSocket, WebSocketServer } from 'ws'
import { attachRelay, invite } from '../engine/space/acts.js'
import { joinSpace, signInvitationChallenge } from '../engine/space/join.js'
import { createSpace } from '../engine/space/open.js'
import type { Space } from '../engine/space/space.js'
import { createSpace as createSealed } from 'sealdb'
import { parseLink } from '../engine/group/link.js'
import { memoryStore } from '../engine/store/memory.js'
import { greet } from '../net/client.js'
import { joinChannel } from '../net/join.js'
import type { Rpc } from '../net/rpc.js'
import { Sync } from '../net/sync.js'
import { dial, wrapSocket } from '../net/ws-node.js'
import { nextHead } from './heads.js'
import { fillSpace } from './journey/people.js'
import { createTable, crypto, optionsOf, put, rows, seededRandom, taskTable } from '../test/space/rim-support.js'

const CONNECTIONS = 8
/** Rounds before those that count. V8 goes on compiling the relay's code for some 30,000 entries: after 3 rounds it is at it, after 30 nearly done. */
/** Entries after which a relay's code is compiled as well as it will be: before, each takes up to ten times as long. */
const WARM_UP = 30_000
const ROUNDS = 8
/** Fewer than the heads that a space remembers (1,024), or the last of a round would build on one that is too old. */
const PER_ROUND = 960
const LISTENERS = 100
const FRAMES = 300
const PINGS = 200
const CATCH_UP = 2_000
const COLD_ROWS = 100_000

const directory = mkdtempSync(join(tmpdir(), 'sealdb-bench-relay-'))
const option = (name: string): string | undefined => process.argv[process.argv.indexOf(`--${name}`) + 1 || Infinity]
const [verify, only] = [option('verify') ?? 'full', option('only')]
const child = fork(new URL(import.meta.url.endsWith('.ts') ? './relay-child.ts' : './relay-child.mjs', import.meta.url), [directory, verify], { execArgv: [...process.execArgv.filter((argument) => !argument.startsWith('--cpu-prof')), ...(process.env['RELAY_ARGS']?.split(' ') ?? [])] })
const relay = (await asked()) as { readonly url: string }
const report: { readonly what: string; readonly got: string; readonly bar: string }[] = []
let nextKey = 1n

const founder = await createSpace(await memoryStore().open(), optionsOf('bench'), { name: 'Ada' })
const greeting = await greet(dial, relay.url, founder.id)
greeting.rpc.close()
await attachRelay(founder, { url: relay.url, name: greeting.name, publicKey: greeting.publicKey })
const syncs: Sync[] = [follow(founder)]
await (await founder.commit(createTable(taskTable(1), 'table:task'), founder.current)).settled
const members = [founder]
for (let i = 1; i < CONNECTIONS; i++) members.push(await joined(`Member ${i}`))

for (const [name, measure] of Object.entries({ append: appendRate, 'append-apart': appendApart, 'fan-out': fanOut, latency, 'catch-up': catchUp, 'cold-join': coldJoin })) if (only === undefined || only === name) await measure()

console.table(Object.fromEntries(report.map(({ what, got, bar }) => [what, { measured: got, bar }])))
for (const sync of syncs) await sync.stop()
child.send('close')
await new Promise((resolve) => child.once('exit', resolve))
rmSync(directory, { recursive: true, force: true })

/** The child's next word. */
function asked(question?: string): Promise<unknown> {
  const answer = new Promise<unknown>((resolve) => child.once('message', resolve))
  if (question !== undefined) child.send(question)
  return answer
}

interface RelayCpu { readonly all: number; readonly main?: number }

/** Milliseconds of CPU that the relay has used so far, all its threads. */
async function relayCpu(): Promise<number> {
  return ((await asked('cpu')) as RelayCpu).all / 1000
}

function follow(space: Space): Sync {
  const sync = new Sync(space, { dial, random: seededRandom('sync'), now: () => Date.now(), presenceEvery: 0, maxBackoff: 100 })
  sync.start()
  return sync
}

async function joined(name: string): Promise<Space> {
  const options = optionsOf(name)
  const link = parseLink(crypto, await invite(founder, { role: 'writer' }))
  const channel = await joinChannel(dial, link, (relayName, nonce) => signInvitationChallenge(options, link, relayName, nonce))
  const space = await joinSpace(await memoryStore().open(), options, link, channel, { name })
  channel.close()
  syncs.push(follow(space))
  return space
}

async function proved(space: Space, onEntries: (count: number) => void = () => undefined): Promise<Rpc> {
  const { rpc, name, nonce } = await greet(dial, relay.url, space.id)
  await rpc.call({ kind: 'auth', ...space.signChallenge(name, nonce) }, 'welcome')
  rpc.onPush = (message) => { if (message.kind === 'entries') onEntries(message.records.length) }
  return rpc
}

async function inStep(): Promise<void> {
  while (!members.every(({ head }) => head.size === founder.head.size) || members.some((space) => space.outbox().length > 0)) await new Promise((resolve) => setTimeout(resolve, 5))
}

async function write(space: Space, length: number): Promise<void> {
  await space.commit(rows(put('insert', 1, nextKey++, 0n, 'x'.repeat(length))), space.current)
}

/** Eight members of one space: rounds of a tenth of a second, which begin and end with half of the relay waiting for the other. */
async function appendRate(): Promise<void> {
  await appendBy('one space', members, PER_ROUND / CONNECTIONS, inStep)
}

/** Each in a space of its own, so that a round is as long as all their heads are remembered: what a relay takes from several spaces while it is busy. */
async function appendApart(): Promise<void> {
  const founders = await Promise.all(Array.from({ length: CONNECTIONS }, async (_, i) => {
    const space = await createSpace(await memoryStore().open(), optionsOf(`apart ${i}`), { name: 'Ada' })
    await attachRelay(space, { url: relay.url, name: greeting.name, publicKey: greeting.publicKey })
    await space.commit(createTable(taskTable(1), 'table:task'), space.current)
    return space
  }))
  const others = syncs.splice(0)
  for (const sync of others) await sync.stop()
  for (const space of founders) syncs.push(follow(space))
  await appendBy('a space each', founders, PER_ROUND, async () => {
    while (founders.some((space) => space.outbox().length > 0 || space.note === undefined)) await new Promise((resolve) => setTimeout(resolve, 5))
  })
  for (const sync of syncs.splice(0)) await sync.stop()
  for (const space of founders) await space.close()
  for (const space of members) syncs.push(follow(space))
}

/** Signed beforehand; timed from the first frame to the last acknowledgement, each durable on disk and judged. */
async function appendBy(where: string, spaces: readonly Space[], each: number, settled: () => Promise<void>): Promise<void> {
  let [time, cpu, main, own, count, bytes] = [0, 0, 0, 0, 0, 0]
  const perRound = each * spaces.length
  const rates: number[] = []
  for (let round = -Math.ceil(Number(option('warm-up') ?? WARM_UP) / perRound); round < Number(option('rounds') ?? ROUNDS); round++) {
    await settled()
    for (const sync of syncs.splice(0)) await sync.stop()
    for (let i = 0; i < each; i++) for (const space of spaces) await write(space, 1)
    const work = await Promise.all(spaces.map(async (space) => ({ rpc: await proved(space), records: space.outbox().map(({ record }) => record) })))
    const before = (await asked('cpu')) as RelayCpu
    const ownBefore = process.cpuUsage()
    const start = performance.now()
    await Promise.all(work.map(async ({ rpc, records }) => {
      const answers: Promise<{ readonly stored: number }>[] = []
      for (let at = 0; at < records.length; at += 20) answers.push(rpc.call({ kind: 'append', records: records.slice(at, at + 20) }, 'appended'))
      const stored = (await Promise.all(answers)).reduce((sum, answer) => sum + answer.stored, 0)
      if (stored !== records.length) throw new Error(`${records.length - stored} entries were refused`)
    }))
    if (round >= 0) {
      const took = performance.now() - start
      const { user, system } = process.cpuUsage(ownBefore)
      const after = (await asked('cpu')) as RelayCpu
      time += took
      rates.push(perRound / took * 1000)
      own += user + system
      cpu += after.all - before.all
      main += (after.main ?? NaN) - (before.main ?? NaN)
    }
    for (const { rpc, records } of work) {
      rpc.close()
      if (round < 0) continue
      count += records.length
      for (const { length } of records) bytes += length
    }
    for (const space of spaces) syncs.push(follow(space))
  }
  await settled()
  const signature = signatureCost()
  const took = cpu / count
  report.push({
    what: `append, ${Math.round(bytes / count)} B entries, ${CONNECTIONS} connections, ${where}, fsync, ${verify}`,
    got: `${Math.round((count / time) * 1000)} entries/s (of rounds the median ${Math.round(quantile(rates, 0.5))}, the quickest ${Math.round(quantile(rates, 0.999))}); µs of CPU each: relay ${took.toFixed(0)}${Number.isNaN(main) ? '' : `, of them ${(main / count).toFixed(0)} by the thread that judges`}; clients ${(own / count).toFixed(0)}. One signature alone: ${signature.toFixed(0)}`,
    bar: '≥ 10,000/s',
  })
}

/** Microseconds of CPU that one verification costs here and now. */
function signatureCost(): number {
  const signer = crypto.signer(new Uint8Array(32).fill(7))
  const message = new Uint8Array(234)
  const signature = signer.sign(message)
  const verifyMany = (): number => {
    const before = process.cpuUsage()
    for (let i = 0; i < 2_000; i++) crypto.verifyEd25519(signature, message, signer.publicKey)
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 2_000
  }
  verifyMany()
  return verifyMany()
}

async function fanOut(): Promise<void> {
  let received = 0
  let frames = 0
  const listeners = await Promise.all(Array.from({ length: LISTENERS }, () => proved(founder, (count) => {
    received += count
    frames++
  })))
  for (const sync of syncs.splice(0)) await sync.stop()
  for (let i = 0; i < FRAMES; i++) await write(founder, 1)
  const records = founder.outbox().map(({ record }) => record)
  const sender = await proved(founder)
  const start = performance.now()
  for (const record of records) sender.tell({ kind: 'append', records: [record] })
  while (received < FRAMES * LISTENERS) await new Promise((resolve) => setImmediate(resolve))
  const ours = (received / (performance.now() - start)) * 1000
  for (const rpc of [...listeners, sender]) rpc.close()
  const bare = await bareFanOut((records[0] as Uint8Array).length + 300)
  report.push({ what: `fan-out of entries to ${LISTENERS} clients (${frames} frames)`, got: `${Math.round(ours)}/s, ${(ours / bare).toFixed(2)} × bare ws (${Math.round(bare)}/s)`, bar: '≥ 0.5 ×' })
  for (const space of members) syncs.push(follow(space))
  await inStep()
}

/** The same number of frames of the same length, without anything in them. */
async function bareFanOut(length: number): Promise<number> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false })
  await new Promise((resolve) => server.once('listening', resolve))
  let received = 0
  const clients = await Promise.all(Array.from({ length: LISTENERS }, () => new Promise<WebSocket>((resolve) => {
    const socket = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, { perMessageDeflate: false })
    wrapSocket(socket, 'bare').onFrame = () => { received++ }
    socket.once('open', () => resolve(socket))
  })))
  const frame = new Uint8Array(length)
  const start = performance.now()
  for (let i = 0; i < FRAMES; i++) for (const socket of server.clients) socket.send(frame)
  while (received < FRAMES * LISTENERS) await new Promise((resolve) => setImmediate(resolve))
  const rate = (received / (performance.now() - start)) * 1000
  for (const socket of clients) socket.terminate()
  server.close()
  return rate
}

/** From `commit` at one client to `change` at another: signing, the relay's disk, verification. */
async function latency(): Promise<void> {
  const other = members[1] as Space
  const times: number[] = []
  const [relayBefore, ownBefore] = [await relayCpu(), process.cpuUsage()]
  for (let i = 0; i < PINGS; i++) {
    const start = performance.now()
    const seen = nextHead(other)
    await write(founder, 100)
    await seen
    times.push(performance.now() - start)
    await inStep()
  }
  const at = (part: number): string => quantile(times, part).toFixed(1)
  const { user, system } = process.cpuUsage(ownBefore)
  const cpu = `CPU each: relay ${(((await relayCpu()) - relayBefore) / PINGS).toFixed(1)} ms, a client ${((user + system) / 1000 / PINGS / members.length).toFixed(1)} ms`
  const disk = await diskTimes()
  const got = `median ${at(0.5)} ms, 95 % ${at(0.95)} ms; fsync alone ${quantile(disk, 0.5).toFixed(1)} and ${quantile(disk, 0.95).toFixed(1)} ms; ${cpu}`
  report.push({ what: `commit to another client’s change, ${members.length} clients, fsync`, got, bar: 'median ≤ 10 ms' })
}

/** A write of one entry’s length and an fsync, alone, on the same disk. */
async function diskTimes(): Promise<number[]> {
  const file = await open(join(directory, 'fsync'), 'w')
  const times: number[] = []
  for (let i = 0; i < PINGS; i++) {
    const start = performance.now()
    await file.write(new Uint8Array(400), 0, 400, i * 400)
    await file.sync()
    times.push(performance.now() - start)
  }
  await file.close()
  return times
}

function quantile(times: readonly number[], part: number): number {
  return [...times].sort((a, b) => a - b)[Math.floor(times.length * part)] as number
}

async function catchUp(): Promise<void> {
  const late = members.pop() as Space
  await (syncs.pop() as Sync).stop()
  const before = late.head.size
  for (let i = 0; i < CATCH_UP; i++) {
    await write(founder, 1)
    if (i % 500 === 499) await inStep()
  }
  await inStep()
  const start = performance.now()
  syncs.push(follow(late))
  while (late.head.size < founder.head.size) await new Promise((resolve) => setTimeout(resolve, 1))
  const rate = ((late.head.size - before) / (performance.now() - start)) * 1000
  report.push({ what: `catching up ${late.head.size - before} entries, each signature checked`, got: `${Math.round(rate)} entries/s`, bar: '≥ 10,000' })
}

/** A newcomer to many rows, from the snapshot at the link's anchor and from the first entry: its CPU until it is a member, without SQLite. */
async function coldJoin(): Promise<void> {
  const space = await createSealed({ store: memoryStore(), relay: relay.url })
  await fillSpace(space, COLD_ROWS)
  const link = parseLink(crypto, await space.invite({ role: 'writer', uses: 10 }))
  await space.close()
  const whole = { entries: Infinity, rows: Infinity }
  for (const [how, short] of [['its snapshot', { entries: 0, rows: 0 }], ['its first entry', whole]] as const) {
    const options = optionsOf(`cold ${how}`)
    const channel = await joinChannel(dial, link, (relayName, nonce) => signInvitationChallenge(options, link, relayName, nonce), undefined, short)
    const [own, relays, start] = [process.cpuUsage(), await relayCpu(), performance.now()]
    const joined = await joinSpace(await memoryStore().open(), options, link, channel, { name: how })
    const { user, system } = process.cpuUsage(own)
    const got = `${((user + system) / 1e6).toFixed(1)} s CPU (${((performance.now() - start) / 1e3).toFixed(1)} s by the clock), relay ${(((await relayCpu()) - relays) / 1e3).toFixed(1)} s`
    report.push({ what: `joining ${COLD_ROWS} rows from ${how}`, got, bar: '≤ 3 s CPU' })
    channel.close()
    await joined.close()
  }
}
