/** What people do with a space, through the public interface: names, roles, invitations that end, epochs, leaving. */
import { expect, test } from 'vitest'
import { createSpace, joinSpace, memoryStore, openSpace } from 'sealdb'
import { pendingForget } from '../../engine/space/acts.js'
import { startRelay } from '../../net/server.js'
import { codeOfLater } from '../outcomes.js'
import { until } from './support.js'

test('names, roles, a revoked link, a new epoch, forgetting, leaving', async () => {
  const relay = await startRelay()
  const ada = await createSpace({ store: memoryStore(), relay: relay.url, profile: { name: 'Ada' } })
  await ada.exec('CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT)')
  const bob = await joinSpace(await ada.invite({ role: 'reader' }), { store: memoryStore() })
  await bob.online()

  await bob.setProfile({ name: 'Bob' })
  await bob.settled()
  await until(() => ada.members.some(({ name }) => name === 'Bob'), 'the name arrives')

  expect(await codeOfLater(bob.sql`INSERT INTO note (text) VALUES ('too soon')`)).toBe('rejected')
  expect(await codeOfLater(bob.setRole(bob.me.id, 'owner'))).toBe('rejected')
  await ada.setRole(bob.me.id, 'writer')
  await until(() => bob.me.role === 'writer', 'the role arrives')

  const link = await ada.invite({ role: 'writer' })
  await ada.revokeInvitation(link)
  expect(await codeOfLater(joinSpace(link, { store: memoryStore() }))).toBe('relay-refused')
  expect(await codeOfLater(ada.revokeInvitation('no link'))).toBe('bad-link')

  await ada.rotate()
  await bob.sql`INSERT INTO note (text) VALUES ('after the rotation')`
  await bob.settled()
  await until(() => ada.head.size === bob.head.size, 'in step')
  await ada.forget()
  expect((await ada.sql`SELECT text FROM note`).rows).toEqual([{ text: 'after the rotation' }])

  // Bob's device answers a forget with a fresh key.
  await until(() => bob.head.size === ada.head.size && bob.pending === 0 && pendingForget(ada.engine).length === 0, 'nobody holds what was forgotten')
  // He leaves while new epochs begin: his leaving is built again until it lands.
  await Promise.all([bob.leave(), codeOfLater(ada.rotate()), codeOfLater(ada.rotate())])
  for (const act of [() => bob.rotate(), () => bob.leave(), () => bob.setProfile({ name: 'still Bob' })]) await expect(act()).rejects.toMatchObject({ code: 'read-only', facts: { reason: 'removed' } })
  await until(() => ada.members.find(({ id }) => id === bob.me.id)?.removed === true, 'the leaving arrives')
  expect(ada.members.map(({ name, role, removed }) => [name, role, removed])).toEqual([['Ada', 'owner', false], ['Bob', 'writer', true]])
  await bob.close()
  await ada.close()
  await relay.close()
})

test('who is removed while away is told when they come back: what waits for the relay ends', async () => {
  const relay = await startRelay()
  const ada = await createSpace({ store: memoryStore(), relay: relay.url })
  await ada.exec('CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT)')
  const bob = await joinSpace(await ada.invite({ role: 'writer' }), { store: memoryStore() })
  await bob.online()
  await bob.disconnect()
  await bob.sql`INSERT INTO note (text) VALUES ('from the train')`
  const renaming = codeOfLater(bob.rotate())
  await ada.remove(bob.me.id)
  const settling = bob.settled()
  const online = codeOfLater(bob.online())
  bob.connect()
  expect(await online).toBe('relay-refused')
  expect(await codeOfLater(bob.online())).toBe('relay-refused')
  await settling
  expect(await renaming).toBe('rejected')
  expect(bob.pending).toBe(0)
  expect(await codeOfLater(bob.sql`INSERT INTO note (text) VALUES ('too late')`)).toBe('read-only')
  await bob.close()
  await ada.close()
  await relay.close()
})

test('closing waits for nothing that only the relay could bring; what was written lands later', async () => {
  const relay = await startRelay()
  const store = memoryStore()
  const ada = await createSpace({ store, relay: relay.url })
  const bob = await joinSpace(await ada.invite({ role: 'writer' }), { store: memoryStore() })
  await bob.online()
  await ada.disconnect()
  // Bob's forget will ask for a fresh key of every device: a duty that waits for the log, too.
  const waiting = [ada.invite({ role: 'reader' }), ada.setRole(bob.me.id, 'owner'), ada.online()].map(codeOfLater)
  const { write } = await ada.exec('CREATE TABLE note (id INTEGER PRIMARY KEY)').then(() => ada.sql`INSERT INTO note VALUES (1)`)
  await ada.files.put(new Uint8Array(10))
  await until(() => ada.pending === 5, 'written')
  waiting.push(codeOfLater(ada.files.settled()))
  waiting.push(codeOfLater(write?.settled ?? Promise.resolve()))
  waiting.push(codeOfLater(ada.settled()))
  await ada.close()
  expect(await Promise.all(waiting)).toEqual(Array.from({ length: 6 }, () => 'disconnected'))
  const again = await openSpace({ store })
  await until(() => bob.me.role === 'owner', 'it has landed')
  await bob.forget()
  await again.close() // in the middle of its duty, or before, or after
  expect(await codeOfLater(again.online())).toBe('disconnected')
  await bob.close()
  await relay.close()
})

test('an act that the log refuses is its caller’s to know, and no write that was lost; of an earlier session’s the next one is told', async () => {
  const relay = await startRelay()
  const ada = await createSpace({ store: memoryStore(), relay: relay.url })
  const store = memoryStore()
  let bob = await joinSpace(await ada.invite({ role: 'admin' }), { store })
  const [cleo, dora] = [await joinSpace(await ada.invite({ role: 'writer' }), { store: memoryStore() }), await joinSpace(await ada.invite({ role: 'writer' }), { store: memoryStore() })]
  for (const space of [bob, cleo, dora]) await space.online()
  await until(() => bob.head.size === ada.head.size, 'bob knows all')
  const lost: string[] = []
  bob.db.onLost(({ error }) => lost.push(error.message))
  await bob.disconnect()
  const refused = codeOfLater(bob.setRole(cleo.me.id, 'reader'))
  await until(() => bob.pending === 1, 'written')
  await ada.remove(cleo.me.id)
  bob.connect()
  expect(await refused).toBe('rejected')
  await bob.settled()
  await bob.sql`SELECT 1`
  expect(lost).toEqual([])

  await bob.disconnect()
  const waiting = codeOfLater(bob.setRole(dora.me.id, 'reader'))
  await until(() => bob.pending === 1, 'written')
  await bob.close()
  expect(await waiting).toBe('disconnected')
  await ada.remove(dora.me.id)
  bob = await openSpace({ store })
  bob.db.onLost(({ error }) => lost.push(error.message))
  await until(() => lost.length > 0 && bob.pending === 0, 'told')
  expect(lost).toEqual([expect.stringContaining('an act on the group')])
  for (const space of [bob, cleo, dora, ada]) await space.close()
  await relay.close()
})

test('a connection that is ending says nothing of the next', async () => {
  const relay = await startRelay()
  const ada = await createSpace({ store: memoryStore(), relay: relay.url })
  await ada.online()
  const ending = ada.disconnect()
  ada.connect()
  await ending
  expect(ada.connection).not.toBe('stopped')
  await ada.online()
  await ada.close()
  await relay.close()
})
