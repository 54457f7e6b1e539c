/**
 * Receipts: prove a row to somebody who is not a member, without showing any other. He checks it offline and needs no account, no relay, no trust in
 * whoever hands it over; only the id of the space and whom to believe about it.
 *
 *     npx tsx examples/receipts.ts
 */
import assert from 'node:assert/strict'
import { createSpace, isSealError, memoryStore, openReceipt } from 'sealdb'
import { startRelay } from 'sealdb/relay'

const relay = await startRelay({ name: 'relay.example.org' })
const space = await createSpace({ store: memoryStore(), relay: relay.url, profile: { name: 'Ada' } })
await space.exec('CREATE TABLE invoice (id INTEGER PRIMARY KEY, customer TEXT NOT NULL, amount REAL NOT NULL)')
await space.sql`INSERT INTO invoice VALUES (${7}, ${'Bob'}, ${99.5}), (${8}, ${'Carol'}, ${12})`
await space.settled()

const receipt = await space.prove`SELECT * FROM invoice WHERE id = ${7}`
console.log(`A receipt of ${receipt.length} bytes.`)

// Elsewhere, by somebody who knows the space's id and its relay's key:
const trust = { spaceId: space.id, relay: { name: 'relay.example.org', publicKey: relay.relay.publicKey } }
const { table, rows } = await openReceipt(receipt, trust)
console.log(table, rows)
assert.deepEqual(rows.map(({ values, author }) => ({ values, author })), [{ values: { id: 7, customer: 'Bob', amount: 99.5 }, author: space.me.id }])

// Any byte changed, and it proves nothing; nor does it about another space.
const changed = receipt.slice()
changed[receipt.length >> 1] = (changed[receipt.length >> 1] as number) ^ 1
await assert.rejects(openReceipt(changed, trust), (error) => isSealError(error) && error.family === 'hostile')
await assert.rejects(openReceipt(receipt, { ...trust, spaceId: new Uint8Array(32) }), (error) => isSealError(error, 'bad-proof'))

await space.close()
await relay.close()
