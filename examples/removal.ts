/**
 * Removing a member: a new epoch begins, and nothing written in it can be read by who is out. What they could read before, they may have kept.
 *
 *     npx tsx examples/removal.ts
 */
import assert from 'node:assert/strict'
import { createSpace, joinSpace, memoryStore } from 'sealdb'
import { startRelay } from 'sealdb/relay'

const relay = await startRelay()
const ada = await createSpace({ store: memoryStore(), relay: relay.url, profile: { name: 'Ada' } })
await ada.exec('CREATE TABLE plan (id INTEGER PRIMARY KEY, text TEXT NOT NULL)')
await ada.sql`INSERT INTO plan (text) VALUES (${'known to Bob'})`
const bob = await joinSpace(await ada.invite({ role: 'writer' }), { store: memoryStore(), profile: { name: 'Bob' } })
await bob.online()

const refused = new Promise<string>((resolve) => { bob.on('state', (_, error) => { if (error) resolve(error.message) }) })
const open = await ada.invite({ role: 'reader' })
const { endedInvitations } = await ada.remove(bob.me.id)
console.log(`Bob is out; ${endedInvitations.length} open invitation ended with it: he may have seen the link.`)
assert.equal(endedInvitations.length, 1)
await assert.rejects(joinSpace(open, { store: memoryStore() }))

await ada.sql`INSERT INTO plan (text) VALUES (${'not for Bob'})`
await ada.settled()

// The relay serves Bob nothing more. Had it done so all the same, he could not open what was written since: he lacks the secret of the new epoch.
console.log(`Bob is told: ${await refused}`)
const { rows } = await bob.sql`SELECT text FROM plan`
console.log('Bob reads', rows)
assert.deepEqual(rows, [{ text: 'known to Bob' }])

await bob.close()
await ada.close()
await relay.close()
