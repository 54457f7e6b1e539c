/** A space that goes from one relay to another: nobody is alarmed, nobody writes where nobody reads, and the former relay has no say in what comes after. */
import { afterEach, expect, test } from 'vitest'
import { createSpace, joinSpace, memoryStore, type SealedSpace } from '../../index.js'
import { enter } from '../../net/client.js'
import { startRelay, type RunningRelay } from '../../net/server.js'
import { dial } from '../../net/ws-node.js'
import { codeOfLater } from '../outcomes.js'
import { until } from './support.js'

const open: (RunningRelay | SealedSpace)[] = []
afterEach(async () => { for (const each of open.splice(0).reverse()) await each.close() })
const opened = <T extends RunningRelay | SealedSpace>(each: T): T => {
  open.push(each)
  return each
}

interface Watched { readonly space: SealedSpace; readonly alerts: string[] }

function watched(space: SealedSpace): Watched {
  const alerts: string[] = []
  space.on('alert', ({ code, message }) => alerts.push(`${code}: ${message}`))
  return { space: opened(space), alerts }
}

async function team(role: 'admin' | 'writer' = 'writer'): Promise<{ readonly from: RunningRelay; readonly to: RunningRelay; readonly ada: Watched; readonly bob: Watched }> {
  const [from, to] = [opened(await startRelay()), opened(await startRelay())]
  const ada = watched(await createSpace({ store: memoryStore(), relay: from.url }))
  await ada.space.exec('CREATE TABLE t (v); INSERT INTO t VALUES (1)')
  const bob = watched(await joinSpace(await ada.space.invite({ role }), { store: memoryStore() }))
  await bob.space.online()
  return { from, to, ada, bob }
}

const values = async ({ space }: Watched): Promise<unknown[]> => (await space.query('SELECT v FROM t ORDER BY v')).rows.map(({ v }) => v)
async function shows(watched: Watched, rows: readonly number[]): Promise<void> {
  const deadline = Date.now() + 10_000
  while ((await values(watched)).length < rows.length && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 10))
  expect(await values(watched)).toEqual(rows)
}
const isAt = ({ url }: RunningRelay, ...watched: readonly Watched[]): Promise<void> =>
  until(() => watched.every(({ space }) => space.engine.relay?.url === url && space.connection === 'online' && space.pending === 0), `in step with ${url}`)

test('everybody follows to the new relay, there and then or later, and nobody is alarmed', async () => {
  const { from, to, ada, bob } = await team()
  const cy = watched(await joinSpace(await ada.space.invite({ role: 'writer' }), { store: memoryStore() }))
  await cy.space.online()
  await cy.space.disconnect()
  await cy.space.exec('INSERT INTO t VALUES (7)')
  await ada.space.attachRelay(to.url)
  await isAt(to, ada, bob)
  await ada.space.exec('INSERT INTO t VALUES (2)')
  await bob.space.exec('INSERT INTO t VALUES (3)')
  cy.space.connect() // where it was; what it wrote meanwhile lands where the others are
  await isAt(to, ada, bob, cy)
  for (const each of [ada, bob, cy]) await shows(each, [1, 2, 3, 7])
  // A link that is made now leads to the new relay, with a note of its own.
  await from.close()
  const dee = watched(await joinSpace(await ada.space.invite({ role: 'reader' }), { store: memoryStore() }))
  expect(await values(dee)).toEqual([1, 2, 3, 7])
  expect([ada, bob, cy, dee].flatMap(({ alerts }) => alerts)).toEqual([])
})

test('and back, to a relay that holds the beginning', async () => {
  const { from, to, ada, bob } = await team()
  await ada.space.attachRelay(to.url)
  await isAt(to, ada, bob)
  await bob.space.exec('INSERT INTO t VALUES (2)')
  await shows(ada, [1, 2])
  await ada.space.attachRelay(from.url)
  await isAt(from, ada, bob)
  await bob.space.exec('INSERT INTO t VALUES (3)')
  await shows(ada, [1, 2, 3])
  expect([ada, bob].flatMap(({ alerts }) => alerts)).toEqual([])
})

test('a thin client and files go along', async () => {
  const { from, to, ada, bob } = await team()
  const eve = watched(await joinSpace(await ada.space.invite({ role: 'writer' }), { store: memoryStore(), thin: true }))
  expect(await values(eve)).toEqual([1])
  const bytes = new Uint8Array(300_000).fill(7)
  const { id } = await ada.space.files.put(bytes, { name: 'seven' })
  await ada.space.attachRelay(to.url)
  await isAt(to, ada, bob, eve)
  await from.close()
  await eve.space.exec('INSERT INTO t VALUES (2)')
  await bob.space.exec('INSERT INTO t VALUES (3)')
  for (const each of [ada, bob, eve]) await shows(each, [1, 2, 3])
  // Ada brings what the new relay lacks.
  await until(() => bob.space.connection === 'online', 'connected')
  for (let i = 0; ; i++) {
    const found = await codeOfLater(bob.space.files.get(id).then(async (file) => expect(await file.bytes()).toEqual(bytes)))
    if (found === 'no error') break
    expect([found, i < 500]).toEqual(['unavailable', true])
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  expect([ada, bob, eve].flatMap(({ alerts }) => alerts)).toEqual([])
})

test('only an owner moves a space', async () => {
  const { from, to, ada, bob } = await team('admin')
  expect(await codeOfLater(bob.space.attachRelay(to.url))).toBe('rejected')
  expect(ada.space.engine.relay?.url).toBe(from.url)
})

test('a relay that was left takes nothing more', async () => {
  const { to, ada, bob } = await team()
  await bob.space.disconnect()
  await bob.space.exec('INSERT INTO t VALUES (2)')
  await ada.space.attachRelay(to.url)
  await isAt(to, ada)
  const rpc = await enter(bob.space.engine, dial)
  const { stored, refused } = await rpc.call({ kind: 'append', records: bob.space.engine.outbox().map(({ record }) => record) }, 'appended')
  rpc.close()
  expect([stored, refused]).toEqual([0, 'moved: the space is attached to another relay now'])
  expect(bob.alerts).toEqual([])
})
