/** A space that goes from one relay to another: nobody is alarmed, nobody writes where nobody reads, and the former relay has no say in what comes after. */
import { afterEach, expect, test } from 'vitest'
import { createSpace, joinSpace, memoryStore, type SealedSpace } from '../../index.js'
import { relayNamedBy } from '../../engine/space/relay-watch.js'
import { bring, getIn } from '../../net/bring.js'
import { enter, greet } from '../../net/client.js'
import type { Rpc } from '../../net/rpc.js'
import { startRelay, type RunningRelay } from '../../net/server.js'
import type { Dial } from '../../net/transport.js'
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

/** The relay is gone for good. */
async function deserted(): Promise<{ readonly to: RunningRelay; readonly ada: Watched; readonly bob: Watched }> {
  const { from, to, ada, bob } = await team()
  await until(() => bob.space.head.size === ada.space.head.size, 'in step')
  await from.close()
  return { to, ada, bob }
}

test('an owner leaves a relay that is gone, with what was written meanwhile; others follow when they are told where', async () => {
  const { to, ada, bob } = await deserted()
  await ada.space.exec('INSERT INTO t VALUES (2)')
  await bob.space.exec('INSERT INTO t VALUES (3)')
  await expect(ada.space.attachRelay(to.url)).rejects.toMatchObject({ code: 'disconnected' })
  await expect(bob.space.followTo(to.url)).rejects.toMatchObject({ code: 'relay-refused', facts: { code: 'unknown-space' } })
  await ada.space.attachRelay(to.url, { abandon: true })
  await isAt(to, ada)
  expect(bob.space.engine.relay?.url).not.toBe(to.url)
  await bob.space.followTo(to.url)
  await isAt(to, ada, bob)
  for (const each of [ada, bob]) await shows(each, [1, 2, 3])
  const eve = watched(await joinSpace(await ada.space.invite({ role: 'writer' }), { store: memoryStore() }))
  expect(await values(eve)).toEqual([1, 2, 3])
  expect([ada, bob, eve].flatMap(({ alerts }) => alerts)).toEqual([])
})

test('after a polite move, too, who comes back when the former relay is gone is told where', async () => {
  const { from, to, ada, bob } = await team()
  await bob.space.disconnect()
  await bob.space.exec('INSERT INTO t VALUES (9)')
  const cy = watched(await joinSpace(await ada.space.invite({ role: 'writer' }), { store: memoryStore() }))
  await cy.space.exec('INSERT INTO t VALUES (2)')
  await cy.space.settled()
  await ada.space.remove(cy.space.me.id) // a place up to which somebody may read, and no further
  await ada.space.attachRelay(to.url)
  await ada.space.exec('INSERT INTO t VALUES (3)')
  await ada.space.settled()
  await isAt(to, ada)
  await from.close()
  await bob.space.followTo(to.url)
  bob.space.connect()
  await isAt(to, ada, bob)
  for (const each of [ada, bob]) await shows(each, [1, 2, 3, 9])
  expect([ada, bob].flatMap(({ alerts }) => alerts)).toEqual([])
})

test('a thin client follows, too', async () => {
  const { from, to, ada } = await team()
  const eve = watched(await joinSpace(await ada.space.invite({ role: 'writer' }), { store: memoryStore(), thin: true }))
  expect(await values(eve)).toEqual([1])
  await from.close()
  await ada.space.exec('INSERT INTO t VALUES (2)')
  await ada.space.attachRelay(to.url, { abandon: true })
  await eve.space.followTo(to.url)
  await isAt(to, ada, eve)
  await eve.space.exec('INSERT INTO t VALUES (3)')
  for (const each of [ada, eve]) await shows(each, [1, 2, 3])
  expect([ada, eve].flatMap(({ alerts }) => alerts)).toEqual([])
})

test('who has verified what the owner had not is told so, keeps what he has, and harms nobody', async () => {
  const { from, to, ada, bob } = await team()
  await ada.space.disconnect()
  await bob.space.exec('INSERT INTO t VALUES (5)')
  await bob.space.settled()
  const seen = bob.space.head.size
  await from.close()
  ada.space.connect()
  await ada.space.attachRelay(to.url, { abandon: true })
  await isAt(to, ada)
  await expect(bob.space.followTo(to.url)).rejects.toMatchObject({ code: 'fork', facts: { common: seen - 1, size: seen } })
  expect([await values(bob), await values(ada), bob.space.engine.relay?.url]).toEqual([[1, 5], [1], from.url])
  expect([...ada.alerts, ...bob.alerts]).toEqual([])
})

test('only an owner leaves a relay, and only to where an owner has taken the space do others go', async () => {
  const { from, to, ada, bob } = await team('admin')
  await from.close()
  expect(await codeOfLater(bob.space.attachRelay(to.url, { abandon: true }))).toBe('rejected')
  expect(bob.space.pending).toBe(0)
  // A relay that merely holds the space, as any member might have brought it there.
  const rpc = await greetingAt(to, ada)
  expect(await codeOfLater(bob.space.followTo(to.url))).toBe('relay-refused')
  rpc.close()
  expect([ada.space.engine.relay?.url, bob.space.engine.relay?.url]).toEqual([from.url, from.url])
  expect(await values(bob)).toEqual([1])
})

/** All that Ada has, at that relay. */
async function greetingAt(to: RunningRelay, { space }: Watched): Promise<Rpc> {
  const greeting = await greet(dial, to.url, space.id)
  const { size } = await getIn(space.engine, greeting, () => undefined)
  await bring(space.engine, greeting.rpc, size)
  return greeting.rpc
}

test('cut off anywhere on the way, the owner goes on with the next call', async () => {
  const [from, to] = [opened(await startRelay()), opened(await startRelay())]
  let frames = Infinity
  const cut: Dial = async (url, signal) => {
    const connection = await dial(url, signal)
    const send = connection.send.bind(connection)
    connection.send = (frame) => {
      if (frames-- > 0) send(frame)
      else connection.close(1000, 'cut')
    }
    return connection
  }
  const ada = watched(await createSpace({ store: memoryStore(), relay: from.url, unsafe: { dial: cut } }))
  await ada.space.exec('CREATE TABLE t (v); INSERT INTO t VALUES (1)')
  await ada.space.settled()
  await from.close()
  await ada.space.disconnect()
  await ada.space.exec('INSERT INTO t VALUES (2)')
  const failures: string[] = []
  for (let most = 0; failures.at(-1) !== 'no error'; most++) {
    frames = most
    failures.push(await codeOfLater(ada.space.attachRelay(to.url, { abandon: true })))
  }
  // Hello twice, the space, a key, entries, the entry that moves it, and the log again.
  expect(failures).toEqual([...Array.from({ length: 7 }, () => 'disconnected'), 'no error'])
  frames = Infinity
  ada.space.connect()
  await isAt(to, ada)
  await shows(ada, [1, 2])
  const records = await ada.space.engine.records(0, ada.space.head.size)
  expect(records.map((record) => relayNamedBy([record])?.url).filter((url) => url !== undefined), 'moved once').toEqual([from.url, to.url])
  expect(ada.alerts).toEqual([])
})

test('who is no owner any more leads nobody away from a relay that answers', async () => {
  const { from, to, ada, bob } = await team('admin')
  await ada.space.setRole(2, 'owner')
  await until(() => bob.space.me.role === 'owner', 'Bob owns it, too')
  const cy = watched(await joinSpace(await ada.space.invite({ role: 'writer' }), { store: memoryStore() }))
  await cy.space.online()
  for (const { space } of [bob, cy]) await space.disconnect()
  await ada.space.remove(2)
  await bob.space.attachRelay(to.url, { abandon: true }) // his program does not know
  const seen = cy.space.head.size
  await expect(cy.space.followTo(to.url)).rejects.toMatchObject({ code: 'fork' })
  expect([cy.space.engine.relay?.url, cy.space.connection, cy.space.members.find(({ id }) => id === 2)?.removed]).toEqual([from.url, 'stopped', true])
  expect(cy.space.head.size).toBeGreaterThan(seen)
  cy.space.connect()
  await cy.space.exec('INSERT INTO t VALUES (2)')
  await isAt(from, ada, cy)
  await shows(ada, [1, 2])
})
