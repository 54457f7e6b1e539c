/**
 * The process that kill.test.ts kills: opens the store in argv[2], says how it found it, and then commits, snapshots and compacts
 * as fast as it can, acknowledging each commit on stdout once it is durable. Record i holds i; so does the value `head`.
 */
import { fileStore } from '../../engine/store/file/file.js'
import { say } from '../child-lines.js'
import { record } from './conformance-data.js'

const store = await fileStore(process.argv[2] ?? '', { segmentLength: 20_000, readAtOpening: 2_000 }).open()
const number = (value: number): Uint8Array => new TextEncoder().encode(String(value))

say(`open ${store.first} ${store.size}`)
const background = async (work: () => Promise<void>): Promise<void> => {
  for (;;) await work()
}
const commits = async (): Promise<void> => {
  for (;;) {
    // three at once, of which the first forgets; each acknowledged for itself
    const at = store.size
    const keep = store.size - store.first > 200 ? { keep: [store.size - 100, store.size] as const } : {}
    await Promise.all([0, 1, 2].map(async (i) => {
      const size = at + i
      await store.commit({ at: size, ...(i === 0 ? keep : {}), append: [record(size, 50 + (size % 500))], put: [['head', number(size + 1)], [`n/${size % 7}`, number(size)]] })
      say(`ack ${size + 1}`)
    }))
  }
}
const snapshots = (): Promise<void> =>
  background(async () => {
    const size = store.size
    await store.writeSnapshot(number(size), Array.from({ length: 5 }, (_, i) => record(size + i, 5000)))
    say(`snapshot ${size}`)
  })
await Promise.race([commits(), snapshots(), background(() => store.compact())])
