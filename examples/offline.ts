/**
 * Offline: everything works on. What is written waits, visible here, and is sent when the relay can be reached again.
 *
 *     npx tsx examples/offline.ts
 */
import assert from 'node:assert/strict'
import { createSpace, joinSpace, memoryStore } from 'sealdb'
import { startRelay } from 'sealdb/relay'

const relay = await startRelay()
const ada = await createSpace({ store: memoryStore(), relay: relay.url, profile: { name: 'Ada' } })
await ada.exec('CREATE TABLE counter (name TEXT PRIMARY KEY, n INTEGER NOT NULL)')
await ada.sql`INSERT INTO counter VALUES (${'visits'}, ${10})`
const bob = await joinSpace(await ada.invite({ role: 'writer' }), { store: memoryStore(), profile: { name: 'Bob' } })
await bob.online()

const visits = async (space: typeof ada): Promise<number | undefined> => (await space.sql<{ n: number }>`SELECT n FROM counter`).rows[0]?.n

await bob.disconnect()
await bob.sql`UPDATE counter SET n = n + 1`
console.log(`Bob, offline, sees ${await visits(bob)}; ${bob.pending} entry waits. Ada sees ${await visits(ada)}.`)
assert.equal(await visits(bob), 11)
assert.equal(bob.pending, 1)
assert.equal(await visits(ada), 10)

bob.connect()
await bob.settled()
while ((await visits(ada)) !== 11) await new Promise((resolve) => setTimeout(resolve, 10))
console.log(`Online again: ${bob.pending} entries wait, and Ada sees ${await visits(ada)}.`)
assert.equal(bob.pending, 0)

await bob.close()
await ada.close()
await relay.close()
