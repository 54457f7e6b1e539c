/**
 * Documents: several people edit one text at once, with Yjs. Its updates are sealed rows; who is offline merges later. Cursors go by presence, and are kept nowhere.
 *
 *     npx tsx examples/documents.ts
 */
import assert from 'node:assert/strict'
import { createSpace, joinSpace, memoryStore, type SealedSpace } from 'sealdb'
import { startRelay } from 'sealdb/relay'
import * as Y from 'yjs'

const relay = await startRelay()
const ada = await createSpace({ store: memoryStore(), relay: relay.url, profile: { name: 'Ada' } })
const bob = await joinSpace(await ada.invite({ role: 'writer' }), { store: memoryStore(), profile: { name: 'Bob' } })
await bob.online()

/** All that an editor needs: what others write goes into its Y.Doc, what is typed here into the document. */
function edit(space: SealedSpace, name: string): Y.Doc {
  const shared = space.documents.open(name)
  const doc = new Y.Doc()
  shared.subscribe((parts) => { for (const part of parts) Y.applyUpdate(doc, part, shared) })
  doc.on('update', (update: Uint8Array, origin: unknown) => { if (origin !== shared) void shared.append(update) })
  return doc
}

const [adas, bobs] = [edit(ada, 'plan'), edit(bob, 'plan')].map((doc) => doc.getText('text')) as [Y.Text, Y.Text]
const alike = async (length: number): Promise<void> => {
  while (adas.length !== length || bobs.length !== length) await new Promise((resolve) => setTimeout(resolve, 10))
  assert.equal(adas.toString(), bobs.toString())
}

adas.insert(0, 'Meet at noon.')
await alike(13)
console.log(`Ada writes, Bob sees: ${bobs.toString()}`)

await bob.disconnect()
bobs.insert(8, 'the harbour at ')
adas.insert(0, 'Plan: ')
bob.connect()
await alike(34)
console.log(`Apart, then together: ${adas.toString()}`)

const seen = new Promise<string>((resolve) => ada.presence.subscribe(({ payload }) => { if (payload.length > 0) resolve(new TextDecoder().decode(payload)) }))
await bob.online()
bob.presence.send(new TextEncoder().encode(JSON.stringify({ cursor: 8 })))
console.log(`Bob’s cursor, stored nowhere: ${await seen}`)

await Promise.all([ada.settled(), bob.settled()])
const [before] = await ada.documents.list()
await ada.documents.open('plan').compact((parts) => Y.mergeUpdates([...parts]))
const [after] = await ada.documents.list()
console.log(`${before?.parts} updates are one now.`)
assert.equal(after?.parts, 1)

await bob.close()
await ada.close()
await relay.close()
