/**
 * A large file in a process of its own, over a relay on a socket, everything on disk: Ada puts it, Bob reads it. Says how far live memory grew meanwhile, what came over, and how fast
 * (`SEALDB_MEGABYTES`, default 50; for people, nobody judges by it). Run with --expose-gc.
 */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { createSpace, joinSpace } from '../../index.js'
import { fileStore } from '../../engine/store/file/file.js'
import { fileRelayStore, startRelay } from '../../net/server.js'
import { say } from '../child-lines.js'

const [, , place = ''] = process.argv
const MEGABYTES = Number(process.env['SEALDB_MEGABYTES'] ?? 50)
const gc = (globalThis as { gc?: () => void }).gc ?? ((): void => undefined)
let peak = 0
const measure = (): number => {
  gc()
  const { heapUsed, external, arrayBuffers } = process.memoryUsage()
  const now = heapUsed + Math.max(external, arrayBuffers)
  peak = Math.max(peak, now)
  return now
}

const relay = await startRelay({ store: fileRelayStore(join(place, 'relay')) })
const ada = await createSpace({ store: fileStore(join(place, 'ada')), relay: relay.url, profile: { name: 'Ada' } })
const bob = await joinSpace(await ada.invite({ role: 'writer' }), { store: fileStore(join(place, 'bob')), profile: { name: 'Bob' } })
await Promise.all([ada.online(), bob.online()])
await ada.files.put(new Uint8Array(3_000_000)) // what is loaded and compiled once
await ada.files.settled()

const put = createHash('sha256')
async function* content(): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < MEGABYTES; i++) {
    const piece = new Uint8Array(1024 * 1024).fill(i)
    crypto.getRandomValues(piece.subarray(0, 65_536))
    put.update(piece)
    yield piece
    if (i % 8 === 0) measure()
  }
}
const before = measure()
peak = 0
const clock = (): { wall: number; cpu: number } => ({ wall: performance.now(), cpu: process.cpuUsage().user + process.cpuUsage().system })
const rate = (from: { wall: number; cpu: number }): string => {
  const { wall, cpu } = clock()
  return `${(MEGABYTES / ((wall - from.wall) / 1000)).toFixed(0)} MB/s, ${((cpu - from.cpu) / 1000 / MEGABYTES).toFixed(1)} ms CPU/MB`
}
let start = clock()
const { id } = await ada.files.put(content(), { name: 'large.bin' })
say(`sealed ${rate(start)}`)
start = clock()
const watching = setInterval(measure, 500)
await ada.files.settled()
say(`brought ${rate(start)}`)
while (!(await bob.files.list()).some((file) => file.id === id)) await new Promise((resolve) => setTimeout(resolve, 10))
for (const what of ['fetched', 'local']) {
  const got = createHash('sha256')
  start = clock()
  let pieces = 0
  for await (const piece of (await bob.files.get(id)).stream()) {
    got.update(piece)
    if (++pieces % 64 === 0) measure()
  }
  say(`${what} ${rate(start)}`)
  if (what === 'fetched') say(`same ${put.digest('hex') === got.digest('hex')}`)
}
clearInterval(watching)
say(`grew ${((peak - before) / 1024 / 1024).toFixed(1)}`)
await bob.close()
await ada.close()
await relay.close()
