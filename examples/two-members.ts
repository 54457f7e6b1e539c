/**
 * Two people, one table, and a relay between them that reads nothing.
 *
 *     npx tsx examples/two-members.ts
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSpace, joinSpace } from 'sealdb'
import { startRelay } from 'sealdb/relay'
import { fileStore } from 'sealdb/store/file'

// In earnest the relay is a process of its own: `npx sealdb relay`. It serves any number of spaces and applications.
const relay = await startRelay()
const directory = await mkdtemp(join(tmpdir(), 'sealdb-example-'))

const ada = await createSpace({ store: fileStore(join(directory, 'ada')), relay: relay.url, profile: { name: 'Ada' } })
await ada.exec('CREATE TABLE message (id INTEGER PRIMARY KEY, text TEXT NOT NULL)')

// A bearer secret: send it over something private. The part after # never reaches a server.
const link = await ada.invite({ role: 'writer' })
const bob = await joinSpace(link, { store: fileStore(join(directory, 'bob')), profile: { name: 'Bob' } })

await bob.sql`INSERT INTO message (text) VALUES (${'Hello, Ada!'})`
await bob.settled() // it is in the log now, under a head that Bob has verified

// Ada’s replica follows by itself; here we wait until it has Bob’s entry.
const arrived = async (): Promise<string[]> => (await ada.sql<{ text: string }>`SELECT text FROM message`).rows.map(({ text }) => text)
while ((await arrived()).length === 0) await new Promise((resolve) => setTimeout(resolve, 10))
console.log(await arrived())
assert.deepEqual(await arrived(), ['Hello, Ada!'])

console.log(ada.members.map(({ id, name, role }) => `${id} ${name ?? ''} (${role})`))
assert.deepEqual(ada.members.map(({ name }) => name), ['Ada', 'Bob'])

await bob.close()
await ada.close()
await relay.close()
await rm(directory, { recursive: true })
