/** A hostile relay (attacks.md A): each lie ends in its code, with the state as it was; what is signed twice becomes evidence. */
import { afterEach, describe, expect, it } from 'vitest'
import { Writer } from '../../engine/codec/canonical.js'
import { isSealError, SealError } from '../../engine/errors.js'
import { parseLink } from '../../engine/group/link.js'
import { readDevice } from '../../engine/group/roster.js'
import { invite, revokeInvitation } from '../../engine/space/acts.js'
import { signInvitationChallenge } from '../../engine/space/join.js'
import { openSpace } from '../../engine/space/open.js'
import { decodeDeviceSecrets, NAMES } from '../../engine/space/persist.js'
import type { Alert } from '../../engine/space/port.js'
import { sealPresence } from '../../engine/space/presence.js'
import type { Space } from '../../engine/space/space.js'
import { memoryStore } from '../../engine/store/memory.js'
import { pullStep, greet } from '../../net/client.js'
import { decodeMessage, encodeMessage, type Message, type MessageOf } from '../../net/messages.js'
import { memoryRelayStore } from '../../net/relay/stores/memory.js'
import { Rpc } from '../../net/rpc.js'
import { connectionPair, type Dial } from '../../net/transport.js'
import { verifyEvidence } from '../independent/evidence-both.js'
import { createTable, optionsOf, put, rows, taskTable } from '../space/rim-support.js'
import { backup, logIn, stateOf, through, type Middle } from './hostile.js'
import { bodies, crypto, founder, invited, joiner, startSync, stopAll, testRelay, until, type TestPeer, type TestRelay } from './support.js'
import { alertsOf, codeOf } from '../outcomes.js'

const peers: TestPeer[] = []
const keep = (peer: TestPeer): TestPeer => {
  peers.push(peer)
  return peer
}
afterEach(() => stopAll(peers))
const say = async ({ space }: TestPeer, key: number, text: string): Promise<unknown> => (await space.commit(rows(put('insert', 1, BigInt(key), 0n, text)), space.current)).settled
const same = (a: Space, b: Space): boolean => Buffer.compare(a.head.stateRoot, b.head.stateRoot) === 0 && a.head.size === b.head.size

/** Ada and Bob in step on one relay, a table between them. */
async function pair(relay: TestRelay): Promise<{ readonly ada: TestPeer; readonly bob: TestPeer }> {
  const ada = keep(await founder(relay, 'Ada'))
  await (await ada.space.commit(createTable(taskTable(1), 'table:task'), ada.space.current)).settled
  const bob = keep(await invited(relay, ada, 'Bob'))
  await say(ada, 1, 'first')
  await until(() => same(ada.space, bob.space), 'in step')
  return { ada, bob }
}

/** The same device, dialling elsewhere from now on. */
async function redial(peer: TestPeer, dial: Dial, name: string, presenceEvery = 0): Promise<TestPeer> {
  await peer.sync.stop()
  const again = { ...peer, sync: startSync(peer.space, dial, name, presenceEvery) }
  peers[peers.indexOf(peer)] = again
  return again
}

/** A store with the same bytes, so that one state can be lied to many times. */
async function copyOf({ space }: TestPeer): Promise<Space> {
  const store = await memoryStore().open()
  const names = space.store.names('')
  await store.commit({ at: 0, append: [...(await space.store.read(0, space.store.size))], put: names.map((name) => [name, space.store.get(name) as Uint8Array] as const) })
  return openSpace(store, optionsOf('copy'))
}

describe('bytes on the way (A1)', () => {
  it('any byte of an answer with entries changed: the same answer or a typed error', async () => {
    const relay = await testRelay()
    const { ada, bob } = await pair(relay)
    await bob.sync.stop()
    const copy = await copyOf(bob)
    await say(ada, 2, 'second')
    await say(ada, 3, 'third')
    const { rpc, nonce, name } = await greet(relay.dial, 'memory:', ada.space.id)
    await rpc.call({ kind: 'auth', ...ada.space.signChallenge(name, nonce) }, 'welcome')
    const honest = encodeMessage({ ...(await rpc.call({ kind: 'pull', from: copy.head.size, limit: 100 }, 'entries')), request: 1 })
    rpc.close()
    const before = stateOf(copy)
    let harmless = 0
    const step = process.env.SEALDB_EXHAUSTIVE ? 1 : 3
    for (let at = 0; at < honest.length; at += step) {
      const frame = Uint8Array.from(honest)
      frame[at] = (frame[at] as number) ^ (1 << at % 8)
      const [client, server] = connectionPair()
      const lied = new Rpc(client)
      server.onFrame = (asked) => {
        const { request } = decodeMessage(asked)
        server.send(frame)
        // If the change was to the number of the request, nobody was answered.
        queueMicrotask(() => server.send(encodeMessage({ kind: 'refused', request, code: 'x', message: 'x' })))
      }
      try {
        const { from, records, note } = await pullStep(lied, copy.head.size)
        await copy.receive(from, records, note)
        if (copy.head.size !== ada.space.head.size) throw new SealError('relay-refused', 'took nothing')
        expect(same(copy, ada.space), `byte ${at}`).toBe(true)
        harmless++
        break // it has moved on: nothing to lie about any more
      } catch (error) {
        if (!isSealError(error)) throw error
        expect(['hostile', 'retry', 'refused'], error.message).toContain(error.family)
        expect(stateOf(copy), `byte ${at}`).toEqual(before)
      }
      lied.close()
    }
    expect(harmless).toBe(0)
    await copy.close()
  })

  it.each(['challenge', 'welcome', 'appended'] as const)('any byte of %s changed: in step all the same, later', async (kind) => {
    const relay = await testRelay()
    const { ada, bob } = await pair(relay)
    await bob.sync.stop()
    await say(ada, 2, 'second')
    let at = 0
    let length = 1
    for (let round = 0; round < 12; round++) {
      let lied = false
      const dial = through(relay.dial, {
        toClient: (message, frame) => {
          if (message.kind !== kind || lied) return undefined
          lied = true
          length = frame.length
          const changed = Uint8Array.from(frame)
          at = (round * 37 + 3) % length
          changed[at] = (changed[at] as number) ^ 0x41
          // A changed request number answers nobody: cut the wait short.
          return at < 3 ? [frame] : [changed]
        },
      })
      const sync = startSync(bob.space, dial, `Bob ${round}`)
      await say(ada, 100 + round, `round ${round}`)
      await until(() => same(ada.space, bob.space), `in step after byte ${at} of ${kind}`)
      await sync.stop()
    }
    expect(bob.space.writable).toBe(true)
  })

  it('any byte of a presence message changed: nobody hears anything, nobody is alarmed', async () => {
    const relay = await testRelay()
    const { ada, bob } = await pair(relay)
    const heard: unknown[] = []
    const alerts = alertsOf(bob.space)
    bob.sync.presence.onMessage = (message) => heard.push(message)
    const message = ada.space.sealPresence(5, Uint8Array.of(0, 0, 3, 1, 2, 3))
    for (let at = 0; at < message.length; at++) {
      const changed = Uint8Array.from(message)
      changed[at] = (changed[at] as number) ^ (1 << at % 8)
      bob.sync.presence.receive(changed)
      bob.sync.presence.receive(message.subarray(0, at))
    }
    expect(heard).toEqual([])
    bob.sync.presence.receive(message)
    bob.sync.presence.receive(message) // a replay
    expect(heard).toMatchObject([{ member: 1, device: 1, payload: Uint8Array.of(1, 2, 3) }])
    await bob.sync.presence.settled()
    expect(alerts).toEqual([])
  })
})

describe('entries (A10)', () => {
  const lies: Readonly<Record<string, (message: MessageOf<'entries'>) => Partial<MessageOf<'entries'>>>> = {
    'reordered': ({ records }) => ({ records: [...records].reverse() }),
    'one left out': ({ records }) => ({ records: records.slice(1) }),
    'the last left out': ({ records }) => ({ records: records.slice(0, -1) }),
    'one twice': ({ records }) => ({ records: [records[0] as Uint8Array, ...records] }),
    'one cut short': ({ records }) => ({ records: [(records[0] as Uint8Array).subarray(0, 50), ...records.slice(1)] }),
    'none, with the note of more': () => ({ records: [] }),
    'from elsewhere': ({ from }) => ({ from: from + 1 }),
    'an empty note': () => ({ note: new Uint8Array(0) }),
  }
  it.each(Object.keys(lies))('%s', async (name) => {
    const relay = await testRelay()
    const { ada, bob } = await pair(relay)
    await bob.sync.stop()
    await say(ada, 2, 'second')
    await say(ada, 3, 'third')
    const before = stateOf(bob.space)
    const alerts = alertsOf(bob.space)
    const dial = through(relay.dial, { toClient: (message) => (message.kind === 'entries' && message.records.length > 0 ? [{ ...message, ...lies[name]?.(message) }] : undefined) })
    const lied = await redial(bob, dial, 'Bob')
    await until(() => alerts.length > 0, 'an alert')
    expect(alerts[0]?.code).toBe('tampered')
    expect(['bad-checkpoint', 'bad-frame', 'bad-signature', 'bad-encoding']).toContain(alerts[0]?.facts.code)
    expect(stateOf(bob.space)).toEqual(before)
    const honest = await redial(lied, relay.dial, 'Bob')
    await until(() => same(ada.space, honest.space), 'in step with the honest one')
    expect(honest.space.writable).toBe(true)
  })

  it('a relay that stores junk, entries of another space, and everything twice: all agree, and are told', async () => {
    const relay = await testRelay({ verify: 'unsafe-none' })
    const { ada, bob } = await pair(relay)
    await bob.sync.stop()
    const other = keep(await founder(await testRelay(), 'Eve'))
    const foreign = (await other.space.records(0, 1))[0] as Uint8Array
    const mine = await ada.space.records(1, 4)
    const { rpc, nonce, name } = await greet(relay.dial, 'memory:', ada.space.id)
    await rpc.call({ kind: 'auth', ...ada.space.signChallenge(name, nonce) }, 'welcome')
    const forged = Uint8Array.from(mine[2] as Uint8Array)
    forged[forged.length - 1] = (forged.at(-1) as number) ^ 1
    const junk = [foreign, ...mine, ...mine, forged, new Uint8Array(0), new Uint8Array(64), ...Array.from({ length: 10 }, (_, i) => new Uint8Array(70).fill(i))]
    await rpc.call({ kind: 'append', records: junk }, 'appended')
    rpc.close()
    const alerts = alertsOf(bob.space)
    const again = await redial(bob, relay.dial, 'Bob')
    await until(() => same(ada.space, again.space), 'in step')
    expect(alerts.map(({ code }) => code)).toContain('relay-junk')
    await say(again, 4, 'after the junk')
    await until(() => same(ada.space, again.space), 'in step')
    expect(bodies(ada.space.verified, 1)).toEqual(['first', 'after the junk'])
  })
})

describe('acknowledgements (A11)', () => {
  it('a forged one settles nothing; the entry lands once it is really stored', async () => {
    const relay = await testRelay()
    const { ada, bob } = await pair(relay)
    const lying: Middle = { toRelay: (message, _, control) => {
      if (message.kind !== 'append') return undefined
      control.toClient({ kind: 'appended', request: message.request, index: 99, stored: message.records.length, refused: '' })
      return []
    } }
    const lied = await redial(bob, through(relay.dial, lying), 'Bob')
    const committed = await bob.space.commit(rows(put('insert', 1, 7n, 0n, 'from Bob')), bob.space.current)
    await until(() => committed.state.kind === 'unknown', 'sent')
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(committed.state.kind).toBe('unknown')
    expect(bob.space.outbox()).toHaveLength(1)
    await redial(lied, relay.dial, 'Bob')
    expect((await committed.settled).kind).toBe('relay')
    await until(() => same(ada.space, bob.space), 'in step')
    expect(bodies(ada.space.verified, 1)).toEqual(['first', 'from Bob'])
  })

  it('a lost one, with the entry stored: found in the log, stored once', async () => {
    const relay = await testRelay()
    const { ada, bob } = await pair(relay)
    const losing: Middle = { toClient: (message, _, control) => {
      if (message.kind !== 'appended' && message.kind !== 'entries') return undefined
      if (bob.space.outbox().length > 0) control.cut()
      return bob.space.outbox().length > 0 ? [] : undefined
    } }
    const lied = await redial(bob, through(relay.dial, losing), 'Bob')
    await until(() => lied.sync.state === 'online', 'online')
    const committed = await bob.space.commit(rows(put('insert', 1, 7n, 0n, 'from Bob')), bob.space.current)
    await until(() => bodies(ada.space.verified, 1).length === 2, 'stored')
    expect(committed.state.kind).toBe('unknown')
    await redial(lied, relay.dial, 'Bob')
    const settled = await committed.settled
    expect(settled).toMatchObject({ kind: 'relay', index: ada.space.head.size - 1 })
    expect(bob.space.outbox()).toHaveLength(0)
    expect(bodies(ada.space.verified, 1)).toEqual(['first', 'from Bob'])
  })

  it('a refusal of what is good does not drop it', async () => {
    const relay = await testRelay()
    const { ada, bob } = await pair(relay)
    const refusing: Middle = { toRelay: (message, _, control) => {
      if (message.kind !== 'append') return undefined
      control.toClient({ kind: 'appended', request: message.request, index: 0, stored: 0, refused: 'rejected(conflict)' })
      return []
    } }
    const lied = await redial(bob, through(relay.dial, refusing), 'Bob')
    const committed = await bob.space.commit(rows(put('insert', 1, 7n, 0n, 'from Bob')), bob.space.current)
    await until(() => committed.state.kind === 'unknown', 'sent')
    await redial(lied, relay.dial, 'Bob')
    expect((await committed.settled).kind).toBe('relay')
    await until(() => same(ada.space, bob.space), 'in step')
  })
})

describe('rollback (A6, 38)', () => {
  it('a relay restored from a backup gets back what it lost: same bytes, same order', async () => {
    const relay = await testRelay()
    const { ada, bob } = await pair(relay)
    const old = await backup(relay.store, ada.space.id)
    for (let i = 2; i < 12; i++) await say(ada, i, `row ${i}`)
    await until(() => same(ada.space, bob.space), 'in step')
    const restored = await testRelay({ store: old })
    const alerts = alertsOf(bob.space)
    await redial(bob, restored.dial, 'Bob')
    await until(() => alerts.length > 0, 'told')
    expect(alerts.map(({ code }) => code)).toEqual(['rollback'])
    const again = await redial(ada, restored.dial, 'Ada')
    await say(again, 20, 'after')
    await until(() => same(ada.space, bob.space), 'in step')
    const [was, is] = [await logIn(relay.store, ada.space.id), await logIn(old, ada.space.id)]
    const before = await was.read(0, 1000, 1e9)
    expect((await is.read(0, before.length, 1e9)).map((record) => Buffer.from(record).toString('hex'))).toEqual(before.map((record) => Buffer.from(record).toString('hex')))
    expect([ada.space.writable, bob.space.writable]).toEqual([true, true])
  })

  it('also from a member whom the backup has never heard of, and on a new relay that has nothing', async () => {
    const relay = await testRelay()
    const ada = keep(await founder(relay, 'Ada'))
    await (await ada.space.commit(createTable(taskTable(1), 'table:task'), ada.space.current)).settled
    const old = await backup(relay.store, ada.space.id)
    const bob = keep(await invited(relay, ada, 'Bob'))
    await say(bob, 1, 'from Bob')
    await until(() => same(ada.space, bob.space), 'in step')
    await ada.sync.stop()
    const restored = await testRelay({ store: old })
    const onRestored = await redial(bob, restored.dial, 'Bob')
    await say(onRestored, 2, 'on the restored')
    const nothing = memoryRelayStore()
    await nothing.setOnce('signer', (await relay.store.get('signer')) as Uint8Array)
    const empty = await testRelay({ store: nothing })
    const onEmpty = await redial(onRestored, empty.dial, 'Bob')
    await say(onEmpty, 3, 'on the empty')
    expect(bodies(bob.space.verified, 1)).toEqual(['from Bob', 'on the restored', 'on the empty'])
    const { head } = bob.space
    expect(await (await logIn(empty.store, bob.space.id)).refresh()).toBe(head.size)
  })

  it('a relay that goes on showing an older head: told, nothing taken back', async () => {
    const relay = await testRelay()
    const { ada, bob } = await pair(relay)
    const old = await testRelay({ store: await backup(relay.store, ada.space.id) })
    await say(ada, 2, 'second')
    await until(() => same(ada.space, bob.space), 'in step')
    const before = stateOf(bob.space)
    const alerts = alertsOf(bob.space)
    const dial = through(old.dial, { toRelay: (message, _, control) => {
      if (message.kind !== 'restore') return undefined
      control.toClient({ kind: 'appended', request: message.request, index: 0, stored: 1, refused: '' })
      return []
    } })
    const lied = await redial(bob, dial, 'Bob')
    await until(() => alerts.some(({ facts }) => facts.code === 'rollback'), 'told')
    expect(stateOf(bob.space)).toEqual(before)
    await lied.sync.stop()
    const again = await copyOf(bob) // the persisted anchor holds after a restart, too
    expect(stateOf(again)).toEqual(before)
    await again.close()
  })

  it('a truncated tail shows as soon as a member’s presence names the missing head (A9)', async () => {
    const relay = await testRelay()
    const { ada, bob } = await pair(relay)
    const size = bob.space.head.size
    const alerts = alertsOf(bob.space)
    const note = bob.space.note as Uint8Array
    const hiding: Middle = { toClient: (message) => {
      if (message.kind === 'welcome') return [{ ...message, size, note }]
      if (message.kind === 'entries') return message.request === 0 ? [] : [{ ...message, records: [], note }]
      return undefined
    } }
    const lied = await redial(bob, through(relay.dial, hiding), 'Bob')
    await until(() => lied.sync.state === 'online', 'online')
    await say(ada, 2, 'hidden from Bob')
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(alerts).toEqual([]) // undetected until then: said so
    ada.sync.presence.send(new Uint8Array(0))
    await until(() => alerts.length > 0, 'told')
    expect(alerts[0]).toMatchObject({ code: 'truncated', facts: { verified: size, signed: ada.space.head.size, member: 1 } })
    expect(bob.space.writable).toBe(true)
  })
})

describe('fork (A7, A8, 30)', () => {
  /** Two relays of one key that share a history up to now, with presence carried between them. */
  async function forked(longer: number): Promise<{ readonly ada: TestPeer; readonly bob: TestPeer; readonly meet: () => void; readonly relays: readonly TestRelay[] }> {
    const relay = await testRelay()
    const { ada, bob } = await pair(relay)
    const twin = await testRelay({ store: await backup(relay.store, ada.space.id) })
    let met = false
    const ends: ((message: Message) => void)[] = []
    const bridge = (own: number): Middle => ({
      toRelay: (message, _, control) => {
        ends[own] = (other) => control.toClient(other)
        if (message.kind === 'presence' && met) ends[1 - own]?.({ kind: 'presenceFrom', request: 0, message: message.message })
        return undefined
      },
    })
    const a = await redial(ada, through(relay.dial, bridge(0)), 'Ada')
    const b = await redial(bob, through(twin.dial, bridge(1)), 'Bob')
    await say(a, 10, 'seen by Ada')
    for (let i = 0; i < longer; i++) await say(b, 20 + i, `seen by Bob ${i}`)
    return { ada: a, bob: b, meet: () => { met = true; a.sync.presence.send(new Uint8Array(0)) }, relays: [relay, twin] }
  }

  it.each([1, 3])('two histories (one longer by %i): evidence at both, writes stop, reads go on, also after a restart', async (longer) => {
    const { ada, bob, meet } = await forked(longer)
    const [fromAda, fromBob] = [alertsOf(ada.space), alertsOf(bob.space)]
    meet()
    await until(() => ada.space.evidence.length > 0 && bob.space.evidence.length > 0, 'evidence at both')
    for (const { space, alerts } of [{ space: ada.space, alerts: fromAda }, { space: bob.space, alerts: fromBob }]) {
      const alert = alerts.find(({ code }) => code === 'fork') as Alert
      const fork = verifyEvidence(crypto, alert.evidence as Uint8Array)
      expect(fork).toMatchObject({ spaceId: space.id, relayName: 'relay.test', relayKey: space.relay?.publicKey })
      expect(space.writable).toBe(false)
      await expect(space.commit(rows(put('insert', 1, 99n, 0n, 'no')), space.current)).rejects.toMatchObject({ code: 'read-only', facts: { reason: 'evidence' } })
      expect(bodies(space.current, 1)[0]).toBe('first')
    }
    const evidence = ada.space.evidence[0] as Uint8Array
    for (let at = 0; at < evidence.length; at += 5) {
      const changed = Uint8Array.from(evidence)
      changed[at] = (changed[at] as number) ^ (1 << at % 8)
      expect(['bad-encoding', 'bad-checkpoint', 'bad-signature', 'bad-proof', 'bad-key', 'too-large', 'unsupported-version'], `byte ${at}`).toContain(codeOf(() => verifyEvidence(crypto, changed)))
    }
    await ada.sync.stop()
    const reopened = await copyOf(ada)
    expect(reopened.writable).toBe(false)
    expect(bodies(reopened.current, 1)).toHaveLength(2)
    await reopened.close()
  })

  it.each(['a push', 'a pull'])('another history at a larger size, in answer to %s: the relay’s own proof is evidence, without anybody else', async (how) => {
    const relay = await testRelay()
    const { ada, bob } = await pair(relay)
    const twin = await testRelay({ store: await backup(relay.store, ada.space.id) })
    const b = await redial(bob, twin.dial, 'Bob')
    await say(ada, 10, 'seen by Ada')
    const alerts = alertsOf(ada.space)
    const go = async (): Promise<void> => { for (let i = 0; i < 4; i++) await say(b, 20 + i, `seen by Bob ${i}`) }
    if (how === 'a pull') await go()
    await ada.sync.stop()
    // Ada comes to the other branch: at its smaller size while it shows nothing, or when it has grown over hers.
    const hidden = ada.space.head.size
    const a = await redial(ada, how === 'a pull' ? twin.dial : through(twin.dial, {
      toClient: (message) => (message.kind === 'welcome' ? [{ ...message, size: hidden, note: ada.space.note as Uint8Array }]
        : message.kind === 'entries' && message.request > 0 && message.records.length === 0 ? [{ ...message, note: ada.space.note as Uint8Array }] : undefined),
    }), 'Ada')
    if (how === 'a push') {
      await until(() => a.sync.state === 'online', 'online')
      await go()
    }
    await until(() => ada.space.evidence.length > 0, 'evidence')
    const fork = verifyEvidence(crypto, (alerts.find(({ code }) => code === 'fork') as Alert).evidence as Uint8Array)
    expect(fork).toMatchObject({ spaceId: ada.space.id, relayName: 'relay.test' })
    expect(fork.sizes[0]).toBe(ada.space.head.size)
    expect(ada.space.writable).toBe(false)
    await expect(ada.space.commit(rows(put('insert', 1, 99n, 0n, 'no')), ada.space.current)).rejects.toMatchObject({ code: 'read-only', facts: { reason: 'evidence' } })
    expect(bodies(ada.space.current, 1)).toEqual(['first', 'seen by Ada'])
    expect(alerts.map(({ code }) => code)).toEqual(['fork'])
  })

  it('another history without the proof that it is one: refused and told, nothing stops', async () => {
    const relay = await testRelay()
    const { ada, bob } = await pair(relay)
    const twin = await testRelay({ store: await backup(relay.store, ada.space.id) })
    const b = await redial(bob, twin.dial, 'Bob')
    await say(ada, 10, 'seen by Ada')
    for (let i = 0; i < 4; i++) await say(b, 20 + i, `seen by Bob ${i}`)
    const alerts = alertsOf(ada.space)
    const before = stateOf(ada.space)
    let asked = 0
    const a = await redial(ada, through(twin.dial, { toClient: (message) => {
      if (message.kind !== 'checkpointIs') return undefined
      return [[{ ...message, consistency: [] }, { ...message, root: ada.space.head.logRoot }, { kind: 'refused', request: message.request, code: 'denied', message: '' }][asked++ % 3] as Message]
    } }), 'Ada')
    await until(() => asked > 3, 'asked')
    expect(stateOf(ada.space)).toEqual(before)
    expect(ada.space.evidence).toHaveLength(0)
    expect(new Set(alerts.map(({ code }) => code))).toEqual(new Set(['tampered']))
    await a.sync.stop()
  })

  it('an entry of one branch put into the other is rejected(base), and freezes nobody', async () => {
    const { ada, bob, relays } = await forked(1)
    const spliced = (await bob.space.records(bob.space.head.size - 1, bob.space.head.size))[0] as Uint8Array
    // Made on a base that Ada's branch never had: one more of Bob's, after the split.
    await say(bob, 21, 'on Bob’s branch')
    const later = (await bob.space.records(bob.space.head.size - 1, bob.space.head.size))[0] as Uint8Array
    const loose = await testRelay({ store: await backup(relays[0]?.store as never, ada.space.id), verify: 'unsafe-none' })
    const { rpc, nonce, name } = await greet(loose.dial, 'memory:', ada.space.id)
    await rpc.call({ kind: 'auth', ...ada.space.signChallenge(name, nonce) }, 'welcome')
    await rpc.call({ kind: 'append', records: [later, spliced] }, 'appended')
    rpc.close()
    const size = ada.space.head.size
    const before = bodies(ada.space.verified, 1)
    const alerts = alertsOf(ada.space)
    const again = await redial(ada, loose.dial, 'Ada')
    await until(() => ada.space.head.size === size + 2, 'followed')
    // The one that was made before the split is an entry like any other; the other names what never was.
    expect(bodies(ada.space.verified, 1).filter((text) => !before.includes(text))).toEqual(['seen by Bob 0'])
    expect(ada.space.writable).toBe(true)
    expect(alerts.filter(({ code }) => code === 'fork')).toEqual([])
    await again.sync.stop()
  })

  it('a member who lies about a head, or shows evidence that proves nothing, alarms and stops nobody', async () => {
    const relay = await testRelay()
    const { ada, bob } = await pair(relay)
    const alerts = alertsOf(bob.space)
    const head = ada.space.head
    const signer = crypto.signer(decodeDeviceSecrets(ada.space.store.get(NAMES.device) as Uint8Array).signingSeed)
    let counter = 1_000
    const lie = (size: number, evidence: Uint8Array, note = ada.space.note as Uint8Array): void => {
      const payload = new Writer(512).bytes(note, 65_536).bytes(evidence, 16_384).bytes(new Uint8Array(0), 16_384).finish()
      const lied = { size, logRoot: new Uint8Array(32).fill(9), stateRoot: new Uint8Array(32).fill(8) }
      bob.sync.presence.receive(sealPresence(ada.space.env, ada.space.keyring, 1, 1, signer, new Uint8Array(24).fill(counter), { counter: counter++, head: lied, payload }))
    }
    for (const size of [1, head.size, head.size + 5, 2 ** 40]) for (const evidence of [new Uint8Array(0), new Uint8Array(200).fill(1)]) lie(size, evidence)
    lie(head.size, new Uint8Array(0), new Uint8Array(0))
    lie(head.size, new Uint8Array(0), new Uint8Array(300).fill(65))
    await bob.sync.presence.settled()
    expect(alerts).toEqual([])
    expect(bob.space.writable).toBe(true)
  })
})

describe('a newcomer with a genuine link (A15)', () => {
  it('is not shown a made-up space, a branch, or less than the inviter had', async () => {
    const relay = await testRelay()
    const { ada } = await pair(relay)
    const old = await backup(relay.store, ada.space.id, 2)
    const link = await invite(ada.space, { role: 'writer' })
    // Another space under this one's id.
    const eve = keep(await founder(await testRelay(), 'Eve'))
    const foreign = (await eve.space.records(0, 1))[0] as Uint8Array
    const fabricate: Middle = { toClient: (message) => (message.kind === 'entries' ? [{ ...message, records: [foreign, ...message.records.slice(1)] }] : undefined) }
    await expect(joiner({ ...relay, dial: through(relay.dial, fabricate) }, link, 'Bob')).rejects.toMatchObject({ code: 'bad-genesis' })
    // Less than the inviter had verified: an invitation that is not there opens nothing, so the relay must serve everybody.
    const short = await testRelay({ store: old, unsafeSkipRelayAuth: true })
    await expect(joiner(short, link, 'Bob')).rejects.toMatchObject({ code: 'rollback' })
    // A branch, as long.
    const branch = await testRelay({ store: await backup(relay.store, ada.space.id, ada.space.head.size - 1), unsafeSkipRelayAuth: true, verify: 'unsafe-none' })
    const { rpc } = await greet(branch.dial, 'memory:', ada.space.id)
    await rpc.call({ kind: 'auth', device: 1, signature: new Uint8Array(64) }, 'welcome')
    await rpc.call({ kind: 'append', records: [new Uint8Array(80), new Uint8Array(81)] }, 'appended')
    await expect(joiner(branch, link, 'Bob')).rejects.toMatchObject({ code: 'fork' })
    // Another key.
    await expect(joiner(await testRelay(), link, 'Bob')).rejects.toMatchObject({ code: 'bad-key' })
    // And the genuine one works.
    const carl = keep(await joiner(relay, link, 'Carl'))
    expect(carl.space.me.role).toBe('writer')
  })
})

describe('handshake (A18)', () => {
  it('a proof is good on one connection, at one relay, for one space, by a current device', async () => {
    const relay = await testRelay()
    const { ada } = await pair(relay)
    const other = await testRelay()
    const eve = keep(await founder(relay, 'Eve'))
    const attempt = async (at: TestRelay, space: Uint8Array, answer: (name: string, nonce: Uint8Array) => { device: number; signature: Uint8Array }): Promise<string> => {
      const { rpc, name, nonce } = await greet(at.dial, 'memory:', space)
      try {
        await rpc.call({ kind: 'auth', ...answer(name, nonce) }, 'welcome')
        return 'welcome'
      } catch (error) {
        if (!isSealError(error)) throw error
        return String(error.facts.code)
      } finally {
        rpc.close()
      }
    }
    let captured: { device: number; signature: Uint8Array } | undefined
    expect(await attempt(relay, ada.space.id, (name, nonce) => (captured = ada.space.signChallenge(name, nonce)))).toBe('welcome')
    expect(await attempt(relay, ada.space.id, () => captured as NonNullable<typeof captured>)).toBe('denied') // replayed
    expect(await attempt(relay, ada.space.id, (_, nonce) => ada.space.signChallenge('relay.other', nonce))).toBe('denied')
    expect(await attempt(relay, ada.space.id, (name, nonce) => eve.space.signChallenge(name, nonce))).toBe('denied')
    expect(await attempt(relay, ada.space.id, (name, nonce) => ({ ...ada.space.signChallenge(name, nonce), device: 2 }))).toBe('denied')
    expect(await attempt(relay, ada.space.id, (name, nonce) => ({ ...ada.space.signChallenge(name, nonce), device: 77 }))).toBe('unknown-device')
    expect(await attempt(other, ada.space.id, (name, nonce) => ada.space.signChallenge(name, nonce))).toBe('unknown-space')
  })

  const early: readonly Message[] = [
    { kind: 'pull', request: 1, from: 0, limit: 10 },
    { kind: 'append', request: 1, records: [new Uint8Array(100)] },
    { kind: 'checkpoint', request: 1, size: 1 },
    { kind: 'presence', request: 0, message: new Uint8Array(10) },
    { kind: 'ping', request: 1 },
    { kind: 'entries', request: 0, from: 0, records: [], note: new Uint8Array(0) },
  ]
  it.each(early)('$kind before a key is proved ends the connection', async (message) => {
    const relay = await testRelay()
    const { ada } = await pair(relay)
    for (const hello of [false, true]) {
      const connection = await relay.dial('memory:')
      const ended = new Promise<number>((resolve) => { connection.onClose = ({ code }) => resolve(code) })
      const got: string[] = []
      connection.onFrame = (frame) => got.push(decodeMessage(frame).kind)
      if (hello) connection.send(encodeMessage({ kind: 'hello', request: 1, version: 1, space: ada.space.id }))
      connection.send(encodeMessage(message))
      expect(await ended).toBe(4000)
      expect(got).toEqual(hello ? ['challenge'] : [])
    }
  })

  it('whoever holds a link and sends somebody else’s join is not taken for them', async () => {
    const relay = await testRelay()
    const { ada, bob } = await pair(relay)
    const link = parseLink(crypto, await invite(ada.space, { role: 'reader' }))
    const { rpc, name, nonce } = await greet(relay.dial, 'memory:', ada.space.id)
    await rpc.call({ kind: 'authInvitation', invitation: link.invitation, signature: signInvitationChallenge(optionsOf('mallory'), link, name, nonce) }, 'welcome')
    const { admittedAt = 0 } = readDevice(ada.space.currentState, bob.space.me.device) ?? {}
    const [join] = await ada.space.store.read(admittedAt, admittedAt + 1) as [Uint8Array]
    const { size } = ada.space.head
    expect(await rpc.call({ kind: 'append', records: [join] }, 'appended')).toMatchObject({ stored: 0 })
    expect(await rpc.call({ kind: 'pull', from: 0, limit: 10 }, 'entries')).toMatchObject({ from: 0 })
    await revokeInvitation(ada.space, link.invitation)
    await until(() => ada.space.head.size === size + 1, 'revoked')
    await expect(rpc.call({ kind: 'pull', from: 0, limit: 10 }, 'entries')).rejects.toMatchObject({ code: 'disconnected' })
  })

  it('a second hello, for another space, ends the connection; entries brought unproved must fit', async () => {
    const relay = await testRelay()
    const { ada } = await pair(relay)
    const first = await greet(relay.dial, 'memory:', ada.space.id)
    await expect(first.rpc.call({ kind: 'hello', version: 1, space: new Uint8Array(32) }, 'challenge')).rejects.toMatchObject({ code: 'disconnected', facts: { code: 4000 } })
    const size = ada.space.head.size
    for (const [from, records] of [[size + 1, [new Uint8Array(70)]], [1, [new Uint8Array(70)]]] as const) {
      const { rpc } = await greet(relay.dial, 'memory:', ada.space.id)
      await expect(rpc.call({ kind: 'restore', from, records }, 'appended')).rejects.toMatchObject({ facts: { code: 'denied' } })
    }
    const { rpc } = await greet(relay.dial, 'memory:', ada.space.id)
    expect(await rpc.call({ kind: 'restore', from: size, records: [new Uint8Array(70)] }, 'appended')).toMatchObject({ stored: 0 })
    expect(ada.space.head.size).toBe(size)
  })
})

describe('disconnects (38)', () => {
  it('cut after any frame, either way: later in step, each row once', async () => {
    const relay = await testRelay()
    const { ada, bob } = await pair(relay)
    await bob.sync.stop()
    for (let cut = 1; cut <= 12; cut++) {
      let frames = 0
      const cutting = (_: Message, __: Uint8Array, control: { cut(): void }): undefined => {
        if (++frames === cut) control.cut()
        return undefined
      }
      const dial = through(relay.dial, { toClient: cutting, toRelay: cutting })
      await bob.space.commit(rows(put('insert', 1, BigInt(1_000 + cut), 0n, `bob ${cut}`)), bob.space.current)
      const sync = startSync(bob.space, dial, `Bob ${cut}`)
      await say(ada, 2_000 + cut, `ada ${cut}`)
      await until(() => bob.space.outbox().length === 0 && same(ada.space, bob.space), `in step after a cut at frame ${cut}`)
      await sync.stop()
    }
    expect(bodies(ada.space.verified, 1)).toHaveLength(25)
    expect(new Set(bodies(ada.space.verified, 1)).size).toBe(25)
  })
})
