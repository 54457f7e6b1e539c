/** A removed device is given the log up to and including its removal, so that it learns of it, and nothing more: over real sockets. */
import { afterEach, describe, expect, it } from 'vitest'
import { attachRelay, remove } from '../../engine/space/acts.js'
import { createSpace } from '../../engine/space/open.js'
import type { Alert } from '../../engine/space/port.js'
import { memoryStore } from '../../engine/store/memory.js'
import type { SealError } from '../../engine/errors.js'
import { greet, pullStep } from '../../net/client.js'
import type { Message } from '../../net/messages.js'
import type { Rpc } from '../../net/rpc.js'
import { memoryRelayStore, startRelay, type RelayStore, type RunningRelay } from '../../net/server.js'
import { Sync, type SyncState } from '../../net/sync.js'
import { dial } from '../../net/ws-node.js'
import { createTable, optionsOf, put, rows, seededRandom, taskTable } from '../space/rim-support.js'
import { invited, startSync, until, type TestPeer, type TestRelay } from './support.js'

const open: { stop(): Promise<unknown> }[] = []
afterEach(async () => { for (const each of open.splice(0).reverse()) await each.stop() })

async function serve(store: RelayStore, port = 0): Promise<RunningRelay> {
  const relay = await startRelay({ store, port, name: 'relay.test' })
  open.push({ stop: () => relay.close() })
  return relay
}

function keep(peer: TestPeer): TestPeer {
  open.push({ stop: async () => { await peer.sync.stop(); await peer.space.close() } })
  return peer
}

const say = ({ space }: TestPeer, key: number): Promise<unknown> => space.commit(rows(put('insert', 1, BigInt(key), 0n, 'text')), space.current)

async function trio(relay: RunningRelay): Promise<{ readonly ada: TestPeer; readonly bob: TestPeer; readonly eve: TestPeer }> {
  const location = memoryStore()
  const space = await createSpace(await location.open(), optionsOf('Ada'), { name: 'Ada' })
  const { rpc, name, publicKey } = await greet(dial, relay.url, space.id)
  rpc.close()
  await attachRelay(space, { url: relay.url, name, publicKey })
  const ada = keep({ space, sync: startSync(space, dial, 'Ada'), location })
  await (await space.commit(createTable(taskTable(1), 'table:task'), space.current)).settled
  const here = { dial } as unknown as TestRelay
  const [bob, eve] = [keep(await invited(here, ada, 'Bob')), keep(await invited(here, ada, 'Eve'))]
  await until(() => eve.space.head.size === ada.space.head.size, 'in step')
  return { ada, bob, eve }
}

/** What Eve is told, from now on. */
function listen({ space }: TestPeer): { readonly alerts: Alert[]; readonly states: { readonly state: SyncState; readonly code: unknown }[]; readonly follow: () => Sync } {
  const alerts: Alert[] = []
  const states: { readonly state: SyncState; readonly code: unknown }[] = []
  space.on('alert', (alert) => alerts.push(alert))
  const onState = (state: SyncState, error?: SealError): void => void states.push({ state, code: error?.facts.code })
  const follow = (): Sync => {
    const sync = new Sync(space, { dial, random: seededRandom('eve again'), now: () => Date.now(), presenceEvery: 0, maxBackoff: 50, onState })
    open.push({ stop: () => sync.stop() })
    sync.start()
    return sync
  }
  return { alerts, states, follow }
}

/** Removal of Eve and three rows, in one message: one group at the relay. */
async function removeAndGoOn(ada: TestPeer, eve: TestPeer): Promise<void> {
  await ada.sync.stop()
  const removing = remove(ada.space, { members: [eve.space.me.member] })
  await until(() => ada.space.outbox().length > 0, 'removal written')
  for (let i = 0; i < 3; i++) await say(ada, 100 + i)
  ada.sync.start()
  await removing
  await until(() => ada.space.outbox().length === 0, 'sent')
}


describe('a removed device', () => {
  it('that is online is told at once, and gets none of what was stored with its removal', async () => {
    const relay = await serve(memoryRelayStore())
    const { ada, bob, eve } = await trio(relay)
    await eve.sync.stop()
    const { alerts, states, follow } = listen(eve)
    const sync = follow()
    await until(() => sync.state === 'online', 'online')
    await removeAndGoOn(ada, eve)
    await until(() => sync.state === 'stopped', 'stopped')
    expect(alerts.map(({ code }) => code)).toEqual(['removed'])
    expect(states.at(-1)).toEqual({ state: 'stopped', code: 'removed' })
    expect(eve.space.head.size).toBe(ada.space.head.size - 3)
    expect(eve.space.writable).toBe(false)
    await until(() => bob.space.head.size === ada.space.head.size, 'the others go on')
    expect(bob.space.writable).toBe(true)
  })

  it('that was away is told when it comes back, also by a relay that has started again', async () => {
    const store = memoryRelayStore()
    const first = await serve(store)
    const { ada, eve } = await trio(first)
    await eve.sync.stop()
    await removeAndGoOn(ada, eve)
    await say(ada, 200)
    await until(() => ada.space.outbox().length === 0, 'sent')
    await ada.sync.stop()
    await first.close()
    await serve(store, first.port)
    const { alerts, states, follow } = listen(eve)
    const sync = follow()
    await until(() => sync.state === 'stopped', 'stopped')
    expect(alerts.map(({ code }) => code)).toEqual(['removed'])
    expect(states.map(({ state }) => state)).not.toContain('online')
    expect(eve.space.head.size).toBe(ada.space.head.size - 4)
    // Nobody is dialled any more.
    const again = follow()
    await until(() => again.state === 'stopped', 'stopped')
    expect(states.at(-1)).toEqual({ state: 'stopped', code: 'removed' })
  })

  it('gets no entry beyond its removal however it asks, stores nothing, and hears nobody', async () => {
    const relay = await serve(memoryRelayStore())
    const { ada, eve } = await trio(relay)
    await eve.sync.stop()
    const end = ada.space.head.size + 1
    await removeAndGoOn(ada, eve)
    const heard: Message[] = []
    const prove = async (): Promise<Rpc> => {
      const { rpc, name, nonce } = await greet(dial, relay.url, eve.space.id)
      rpc.onPush = (message) => heard.push(message)
      expect((await rpc.call({ kind: 'auth', ...eve.space.signChallenge(name, nonce) }, 'welcome')).size).toBe(end)
      return rpc
    }
    const rpc = await prove()
    expect((await pullStep(rpc, 1)).records).toHaveLength(end - 1)
    for (const from of [end - 1, end, end + 1, end + 3, 2 ** 40]) {
      const { records } = await rpc.call({ kind: 'pull', from, limit: 100 }, 'entries')
      expect(records).toHaveLength(from === end - 1 ? 1 : 0)
    }
    ada.sync.presence.send(new Uint8Array(3))
    await say(ada, 300)
    await until(() => ada.space.outbox().length === 0, 'sent')
    await rpc.call({ kind: 'pull', from: end, limit: 1 }, 'entries')
    expect(heard).toEqual([])
    const size = ada.space.head.size
    const [record] = await ada.space.records(1, 2)
    const requests = [{ kind: 'append', records: [record as Uint8Array] }, { kind: 'restore', from: 1, records: [] }, { kind: 'checkpoint', size: 1 }, { kind: 'snapshot', size: end }, { kind: 'presence', message: new Uint8Array(9) }, { kind: 'ping' }] as const
    for (const request of requests) {
      const other = await prove()
      await expect(other.call(request, 'pong'), request.kind).rejects.toMatchObject({ code: 'disconnected', facts: { code: 4003 } })
    }
    expect(ada.space.head.size).toBe(size)
    rpc.close()
  })
})
