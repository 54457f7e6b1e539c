/**
 * Who may change which row: policies that every participant enforces, the relay too, without reading what is sealed.
 *
 *     npx tsx examples/policies.ts
 */
import assert from 'node:assert/strict'
import { createSpace, isSealError, joinSpace, memoryStore } from 'sealdb'
import { startRelay } from 'sealdb/relay'

const relay = await startRelay()
const ada = await createSpace({ store: memoryStore(), relay: relay.url, profile: { name: 'Ada' } })

await ada.exec(`
  CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL, owner INTEGER NOT NULL PLAINTEXT);
  CREATE POLICY insert_own ON note FOR INSERT WITH CHECK (owner = current_member());
  CREATE POLICY change_own ON note FOR UPDATE USING (owner = current_member());
  CREATE POLICY delete_own ON note FOR DELETE USING (owner = current_member());
`)
await ada.sql`INSERT INTO note (text, owner) VALUES (${'Ada’s own'}, ${ada.me.id})`

const bob = await joinSpace(await ada.invite({ role: 'writer' }), { store: memoryStore(), profile: { name: 'Bob' } })
await bob.sql`INSERT INTO note (text, owner) VALUES (${'Bob’s own'}, ${bob.me.id})`

// Bob’s own client refuses this before it is signed. Had it been changed not to, the relay would refuse it, and so would every other member.
await assert.rejects(bob.sql`UPDATE note SET text = ${'scribble'} WHERE owner = ${ada.me.id}`, (error) => {
  assert(isSealError(error, 'rejected'))
  console.log(`${error.code}: ${error.message}`)
  return true
})
// Nor can he pass his note off as hers.
await assert.rejects(bob.sql`INSERT INTO note (text, owner) VALUES (${'forged'}, ${ada.me.id})`, (error) => isSealError(error, 'rejected'))

const { rows } = await bob.sql`SELECT text FROM note ORDER BY id`
console.log(rows)
assert.deepEqual(rows, [{ text: 'Ada’s own' }, { text: 'Bob’s own' }])

await bob.close()
await ada.close()
await relay.close()
