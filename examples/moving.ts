/**
 * Another relay: the one that the space was at is gone for good. An owner takes the space elsewhere, and the others follow once they are told where. Nobody
 * takes that relay's word for it, nor his: the entry that moves the space is an owner's, in the log that everybody verifies.
 *
 *     npx tsx examples/moving.ts
 */
import assert from 'node:assert/strict'
import { createSpace, joinSpace, memoryStore } from 'sealdb'
import { startRelay } from 'sealdb/relay'

const first = await startRelay()
const ada = await createSpace({ store: memoryStore(), relay: first.url, profile: { name: 'Ada' } })
await ada.exec('CREATE TABLE plan (id INTEGER PRIMARY KEY, text TEXT NOT NULL)')
await ada.sql`INSERT INTO plan (text) VALUES (${'before'})`
const bob = await joinSpace(await ada.invite({ role: 'writer' }), { store: memoryStore(), profile: { name: 'Bob' } })
await bob.online()

await first.close() // its machine is gone, and its disk with it
await ada.sql`INSERT INTO plan (text) VALUES (${'meanwhile, by Ada'})`
await bob.sql`INSERT INTO plan (text) VALUES (${'meanwhile, by Bob'})`

const second = await startRelay()
await assert.rejects(bob.followTo(second.url), /does not hold this space/)
await ada.attachRelay(second.url, { abandon: true })
console.log(`Ada has taken the space to ${second.url}: ${ada.head.size} entries.`)
await bob.followTo(second.url) // Ada has told him where
await bob.settled()
await ada.online()

while ((await ada.sql`SELECT count(*) AS n FROM plan`).rows[0]?.['n'] !== 3) await new Promise((resolve) => setTimeout(resolve, 10))
console.log('Both read', (await bob.sql`SELECT text FROM plan ORDER BY text`).rows)
assert.deepEqual((await bob.sql`SELECT text FROM plan ORDER BY text`).rows, (await ada.sql`SELECT text FROM plan ORDER BY text`).rows)

await bob.close()
await ada.close()
await second.close()
