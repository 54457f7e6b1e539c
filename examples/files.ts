/**
 * Files: a photo beside the rows. Its id goes into a column; any member opens it, verified chunk by chunk, and keeps what was fetched.
 *
 *     npx tsx examples/files.ts
 */
import assert from 'node:assert/strict'
import { createSpace, joinSpace, memoryStore } from 'sealdb'
import { startRelay } from 'sealdb/relay'

const relay = await startRelay()
const ada = await createSpace({ store: memoryStore(), relay: relay.url, profile: { name: 'Ada' } })
await ada.exec('CREATE TABLE photo (id INTEGER PRIMARY KEY, title TEXT NOT NULL, file TEXT NOT NULL)')

// Bytes, or whatever gives them piece by piece: `createReadStream('harbour.jpg')`, say. Up to 4 GiB, of which a few chunks are in memory.
const pixels = new Uint8Array(2_000_000).fill(7)
const { id } = await ada.files.put(pixels, { name: 'harbour.jpg', type: 'image/jpeg' })
await ada.sql`INSERT INTO photo (title, file) VALUES (${'The harbour'}, ${id})`
await ada.files.settled()

const bob = await joinSpace(await ada.invite({ role: 'writer' }), { store: memoryStore(), profile: { name: 'Bob' } })
const { rows: [photo] } = await bob.sql<{ title: string; file: string }>`SELECT title, file FROM photo`
const file = await bob.files.get(photo?.file ?? '')
const start: number[] = []
for await (const piece of file.stream({ from: 0, to: 4 })) start.push(...piece)
console.log(`${photo?.title}: ${file.name}, ${file.type}, ${file.length} bytes, beginning with ${start.join(' ')}.`)
assert.deepEqual(await file.bytes(), pixels)

await bob.disconnect()
assert.equal((await (await bob.files.get(id)).bytes()).length, 2_000_000)
console.log('Offline, Bob reads it again: it is on his device.')

bob.connect()
await ada.files.delete(id)
await ada.settled()
while ((await bob.sql`SELECT 1 FROM sealdb_files`).rows.length > 0) await new Promise((resolve) => setTimeout(resolve, 10))
console.log('Ada deleted it: nobody opens it any more, and relay and devices drop its content.')

await bob.close()
await ada.close()
await relay.close()
