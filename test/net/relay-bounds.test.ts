/** Each bound that a relay keeps, alone: where another is reached first it would not be missed. The relay's clock stands still. */
import { afterEach, describe, expect, it } from 'vitest'
import { parseLink } from '../../engine/group/link.js'
import { invite, revokeInvitation } from '../../engine/space/acts.js'
import { signInvitationChallenge } from '../../engine/space/join.js'
import { createSpace } from '../../engine/space/open.js'
import { memoryStore } from '../../engine/store/memory.js'
import { Writer } from '../../engine/codec/canonical.js'
import { writeQueries } from '../../engine/state/queries.js'
import { enter, greet } from '../../net/client.js'
import type { RelayOptions } from '../../net/relay/relay.js'
import type { Rpc } from '../../net/rpc.js'
import { createTable, optionsOf, put, rows, taskTable } from '../space/rim-support.js'
import { crypto, founder, startSync, stopAll, testRelay, until, type TestPeer, type TestRelay } from './support.js'

const peers: TestPeer[] = []
const open: Rpc[] = []
afterEach(async () => {
  for (const rpc of open.splice(0)) rpc.close()
  await stopAll(peers)
})

async function world(limits: RelayOptions['limits'] = {}, now: () => number = () => 1_000_000): Promise<{ readonly relay: TestRelay; readonly ada: TestPeer; readonly proved: () => Promise<Rpc> }> {
  const relay = await testRelay({ limits, now })
  const ada = await founder(relay, 'bounds Ada')
  peers.push(ada)
  await (await ada.space.commit(createTable(taskTable(1), 'table:task'), ada.space.current)).settled
  return { relay, ada, proved: async () => {
    const rpc = await enter(ada.space, relay.dial)
    open.push(rpc)
    return rpc
  } }
}

const ended = (rpc: Rpc): Promise<{ readonly code: number; readonly reason: string }> => new Promise((resolve) => { rpc.onClose = resolve })
const refusal = (code: string): { readonly code: string; readonly facts: { readonly code: string } } => ({ code: 'relay-refused', facts: { code } })
const queries = (() => {
  const w = new Writer()
  writeQueries(w, [{ kind: 'nth', n: 0 }])
  return w.finish()
})()

describe('a relay’s bound of', () => {
  it('messages, one at a time', async () => {
    const { proved } = await world({ messages: { perSecond: 1, burst: 40 } })
    const rpc = await proved()
    const end = ended(rpc)
    let answered = 0
    await expect((async () => { for (; answered < 50; answered++) await rpc.call({ kind: 'ping' }, 'pong') })()).rejects.toMatchObject({ facts: { code: 4009 } })
    expect([answered, await end]).toEqual([38, { code: 4009, reason: 'too many messages' }]) // hello and auth count
  })

  it('requests at once', async () => {
    const { proved } = await world({ maxInWork: 20, messages: { perSecond: 1, burst: 1_000 } })
    const rpc = await proved()
    const end = ended(rpc)
    for (let i = 0; i < 20; i++) void rpc.call({ kind: 'ping' }, 'pong').catch(() => undefined)
    await rpc.call({ kind: 'ping' }, 'pong').catch(() => undefined)
    expect(await end).toEqual({ code: 4009, reason: 'too much at once; wait for the answers' })
  })

  it('bytes in work, of all together', async () => {
    const { proved } = await world({ maxInWorkTotal: 150_000 })
    const [one, two] = [await proved(), await proved()]
    const end = ended(two)
    for (const rpc of [one, two]) void rpc.call({ kind: 'append', records: [new Uint8Array(90_000)] }, 'appended').catch(() => undefined)
    expect(await end).toEqual({ code: 4009, reason: 'the relay has too much in work; try again' })
    await one.call({ kind: 'ping' }, 'pong')
  })

  it('new connections and new spaces of one address', async () => {
    const { relay, ada } = await world({ connects: { perSecond: 1, burst: 5 }, creates: { perSecond: 1, burst: 1 } })
    const others = await Promise.all(['Eve', 'Mallory'].map(async (name) => createSpace(await memoryStore().open(), optionsOf(name), {})))
    for (const other of others) {
      const { rpc } = await greet(relay.dial, 'memory:', other.id)
      await expect(rpc.call({ kind: 'create', genesis: (await other.records(0, 1))[0] as Uint8Array }, 'appended')).rejects.toMatchObject(refusal('quota')) // Ada's was the one
      rpc.close()
      await other.close()
    }
    ;(await greet(relay.dial, 'memory:', ada.space.id)).rpc.close()
    expect(relay.relay.metrics.get('flood')).toBe(0)
    await relay.dial('memory:')
    expect(relay.relay.metrics.get('flood')).toBe(1)
    expect(relay.relay.metrics.format()).toContain('sealdb_relay_connections 1\n') // Ada’s
  })

  it('bytes read, by pages and by witnesses', async () => {
    const { ada, proved } = await world({ reads: { perSecond: 0, burst: 10 } })
    const rpc = await proved()
    await expect(rpc.call({ kind: 'read', size: ada.space.head.size, queries }, 'page')).rejects.toMatchObject(refusal('rate'))
    await expect(rpc.call({ kind: 'witness', from: 1, limit: 10 }, 'witnessed')).rejects.toMatchObject(refusal('rate'))
  })

  it('bytes of chunks that are brought', async () => {
    const { proved } = await world({ chunks: { perSecond: 0, burst: 10 } })
    const rpc = await proved()
    const bring = (length: number): Promise<unknown> => rpc.call({ kind: 'bringChunk', file: new Uint8Array(32), number: 0, proof: [], chunk: new Uint8Array(length) }, 'chunkTaken')
    await expect(bring(11)).rejects.toMatchObject(refusal('rate'))
    await expect(bring(10)).rejects.toMatchObject(refusal('no-file'))
  })

  it('time to prove a key', async () => {
    let clock = 1_000_000
    const { relay, ada, proved } = await world({ handshakeTime: 10_000 }, () => clock)
    const [member, stranger] = [await proved(), (await greet(relay.dial, 'memory:', ada.space.id)).rpc]
    const end = ended(stranger)
    for (const later of [0, 10_000, -5_000]) {
      clock = 1_000_000 + later
      await relay.relay.sweep()
      expect(stranger.open).toBe(true)
    }
    clock = 1_010_001
    await relay.relay.sweep()
    expect(await end).toEqual({ code: 4003, reason: 'no key was proved in time' })
    await member.call({ kind: 'ping' }, 'pong')
  })

  it.each([
    ['entries', (rpc: Rpc) => rpc.call({ kind: 'pull', from: 0, limit: 10 }, 'entries')],
    ['a page', (rpc: Rpc, size: number) => rpc.call({ kind: 'read', size, queries }, 'page')],
    ['a witness', (rpc: Rpc) => rpc.call({ kind: 'witness', from: 1, limit: 10 }, 'witnessed')],
    ['a file’s chunks', (rpc: Rpc) => rpc.call({ kind: 'wantedFiles', after: new Uint8Array(0) }, 'wantedAre')],
  ] as const)('what waits for a reader, who asked for %s and did not read it', async (_, ask) => {
    const { ada, proved, relay } = await world()
    const rpc = await proved()
    // As if what was sent before had not gone out.
    const end = ended(rpc)
    const server = (relay.connections.at(-1) as unknown as { readonly other: object }).other
    Object.defineProperty(server, 'buffered', { get: () => 2 ** 40, set: () => undefined })
    await expect(ask(rpc, ada.space.head.size)).rejects.toMatchObject({ code: 'disconnected', facts: { code: 4008 } })
    expect((await end).reason).toMatch(/^reading too slowly; resume at \d/)
  })
})

describe('a relay', () => {
  it('stores an entry longer than a group, or a batch of signatures, among others', async () => {
    const { relay, ada, proved } = await world()
    const rpc = await proved()
    await ada.sync.stop()
    for (let i = 1n; i <= 8n; i++) await ada.space.commit(rows(put('insert', 1, i, 0n, i % 3n === 2n ? 'x'.repeat(5_000_000) : 'short')), ada.space.current)
    const taken = await rpc.call({ kind: 'append', records: ada.space.outbox().map(({ record }) => record) }, 'appended')
    expect(taken).toMatchObject({ stored: 8, refused: '' })
    const again = startSync(ada.space, relay.dial, 'again')
    await until(() => ada.space.outbox().length === 0, 'in step')
    await again.stop()
  })

  it('serves an invitation for as long as it is open, tells no more of one that is none, and survives what is no join', async () => {
    const { relay, ada } = await world()
    const link = parseLink(crypto, await invite(ada.space, { role: 'writer' }))
    const held = async (invitation: number): Promise<Rpc> => {
      const { rpc, name, nonce } = await greet(relay.dial, 'memory:', ada.space.id)
      open.push(rpc)
      await rpc.call({ kind: 'authInvitation', invitation, signature: signInvitationChallenge(optionsOf('Bob'), link, name, nonce) }, 'welcome')
      return rpc
    }
    await expect(held(link.invitation + 1)).rejects.toMatchObject(refusal('denied'))
    const rpc = await held(link.invitation)
    const end = ended(rpc)
    expect(await rpc.call({ kind: 'append', records: [new Uint8Array(100), (await ada.space.records(1, 2))[0] as Uint8Array] }, 'appended')).toMatchObject({ stored: 0 })
    await rpc.call({ kind: 'pull', from: 0, limit: 1 }, 'entries')
    await revokeInvitation(ada.space, link.invitation)
    await rpc.call({ kind: 'pull', from: 0, limit: 1 }, 'entries').catch(() => undefined)
    expect(await end).toEqual({ code: 4003, reason: 'no longer a member' })
  })

  it('tells presence to the others, not to whoever says it', async () => {
    const { proved } = await world()
    const [one, two] = [await proved(), await proved()]
    const heard: string[] = []
    one.onPush = ({ kind }) => { heard.push(`one ${kind}`) }
    const told = new Promise<void>((resolve) => {
      two.onPush = ({ kind }) => {
        heard.push(`two ${kind}`)
        resolve()
      }
    })
    one.tell({ kind: 'presence', message: new Uint8Array(40) })
    await told
    await one.call({ kind: 'ping' }, 'pong')
    expect(heard).toEqual(['two presenceFrom'])
  })

  it('speaks one version', async () => {
    const { relay, ada } = await world()
    const other = greet(async (url) => {
      const connection = await relay.dial(url)
      const send = connection.send.bind(connection)
      connection.send = (frame) => send(frame.map((byte, i) => (i === 3 && byte === 1 ? 2 : byte))) // [tag, request, version, …]
      return connection
    }, 'memory:', ada.space.id)
    await expect(other).rejects.toMatchObject(refusal('version'))
  })

  it('takes what it lost in its place only, and from who has not proved a key only what it lacks', async () => {
    const { relay, ada, proved } = await world()
    await (await ada.space.commit(rows(put('insert', 1, 1n, 0n, 'one')), ada.space.current)).settled
    const { size } = ada.space.head
    const records = await ada.space.records(0, size)
    const rpc = await proved()
    const restore = (from: number, some: readonly Uint8Array[]): Promise<unknown> => rpc.call({ kind: 'restore', from, records: some }, 'appended')
    await expect(restore(size + 1, records.slice(1))).rejects.toMatchObject(refusal('gap'))
    await expect(restore(1, records.slice(2))).rejects.toMatchObject(refusal('taken'))
    expect(await restore(1, records.slice(1))).toMatchObject({ stored: 0, refused: '' })
    const stranger = async (space: Uint8Array, from: number, some: readonly Uint8Array[]): Promise<unknown> => {
      const greeting = await greet(relay.dial, 'memory:', space)
      open.push(greeting.rpc)
      return greeting.rpc.call({ kind: 'restore', from, records: some }, 'appended')
    }
    await expect(stranger(ada.space.id, 1, records.slice(2))).rejects.toMatchObject(refusal('denied'))
    await expect(stranger(ada.space.id, size + 1, records.slice(1))).rejects.toMatchObject(refusal('denied'))
    await expect(stranger(new Uint8Array(32).fill(9), 0, records)).rejects.toMatchObject(refusal('denied'))
    expect(await stranger(ada.space.id, 1, records.slice(1))).toMatchObject({ stored: 0 })
  })
})
