/** Attacks 1–4, 6, 7, 10, 13, 16 of design/attacks.md on a thin client: whatever the relay does to an answer, it is the right one or a typed error. */
import { afterEach, describe, expect, it } from 'vitest'
import { Reader, Writer } from '../../engine/codec/canonical.js'
import { isSealError } from '../../engine/errors.js'
import { remove } from '../../engine/space/acts.js'
import type { SpaceView } from '../../engine/space/view.js'
import { verifyEvidence } from '../../engine/space/evidence.js'
import { recordWitness } from '../../engine/space/witness.js'
import { memberKey, objectKey, rowStateKey } from '../../engine/state/keys.js'
import { readQueries, writeQueries, type Query } from '../../engine/state/queries.js'
import { decodeMember, encodeMember } from '../../engine/state/roster.js'
import { StateTree } from '../../engine/state/tree.js'
import type { Message } from '../../net/messages.js'
import type { Dial } from '../../net/transport.js'
import { createTable, put, rows, taskTable } from '../space/rim-support.js'
import { backup, through, type Middle } from './hostile.js'
import { bodies, crypto, founder, invited, startSync, stopAll, testRelay, until, type TestPeer, type TestRelay } from './support.js'
import { remoteOf, reopened, thinInvited } from './thin-support.js'

const peers: TestPeer[] = []
afterEach(() => stopAll(peers))

const say = async ({ space }: TestPeer, key: number, body = `row ${key}`): Promise<unknown> => (await space.commit(rows(put('insert', 1, BigInt(key), 0n, body)), space.current)).settled
const row = ({ space }: TestPeer, key: number): Promise<string[]> => remoteOf(space).reach(() => [...space.current.rows(1, { kind: 'key', key: [BigInt(key)] })].map((found) => ('body' in found ? new TextDecoder().decode(found.body) : found.reason)))
const between = ({ space }: TestPeer, lo: number, hi: number): Promise<number> => remoteOf(space).reach(() => [...space.current.rows(1, { kind: 'key-range', lo: [BigInt(lo)], hi: [BigInt(hi)] })].length)

interface Setting { readonly relay: TestRelay; readonly ada: TestPeer; readonly tim: TestPeer; middle: Middle }

/** What goes between Tim and the relay can be changed at any time. */
async function setting(name: string): Promise<Setting> {
  const relay = await testRelay()
  const ada = await founder(relay, `hostile Ada ${name}`)
  peers.push(ada)
  await (await ada.space.commit(createTable(taskTable(1), 'table:task'), ada.space.current)).settled
  await (await ada.space.commit(rows(...Array.from({ length: 300 }, (_, i) => put('insert', 1, BigInt(2 * i), 0n, `row ${2 * i}`))), ada.space.current)).settled
  const state: { middle: Middle } = { middle: {} }
  const dial: Dial = through(relay.dial, { toClient: (...args) => state.middle.toClient?.(...args), toRelay: (...args) => state.middle.toRelay?.(...args) })
  const tim = await thinInvited(dial, ada, 'Tim')
  peers.push(tim)
  await until(() => tim.sync.state === 'online', 'online')
  return { relay, ada, tim, get middle() { return state.middle }, set middle(middle) { state.middle = middle } }
}

type Of<K extends Message['kind']> = Extract<Message, { kind: K }>
const changing = <K extends Message['kind']>(kind: K, change: (message: Of<K>) => Message | undefined): NonNullable<Middle['toClient']> => (message) => {
  const changed = message.kind === kind ? change(message as Of<K>) : undefined
  return changed && [changed]
}
const asking = (change: (queries: readonly Query[], size: number) => { readonly queries?: readonly Query[]; readonly size?: number }): Middle => ({
  toRelay: (message) => {
    if (message.kind !== 'read') return undefined
    const { queries = readQueries(new Reader(message.queries)), size = message.size } = change(readQueries(new Reader(message.queries)), message.size)
    const w = new Writer(1_024)
    writeQueries(w, queries)
    return [{ ...message, size, queries: w.finish() }]
  },
})

describe('reads', () => {
  it('1 any byte of a proof changed: refused, and nothing of it stays', async () => {
    const s = await setting('bytes')
    const { tim } = s
    const { head } = tim.space
    let length = 0
    s.middle = { toClient: changing('page', (page) => { length = page.proof.length; return undefined }) }
    expect(await row(tim, 100)).toEqual(['row 100'])
    expect(length).toBeGreaterThan(300)
    for (let at = 0; at < length; at += 7) {
      const key = 102 + 2 * (at % 150)
      const { nodes } = tim.space.stats
      s.middle = { toClient: changing('page', (page) => ({ ...page, proof: page.proof.map((byte, i) => (i === at % page.proof.length ? byte ^ (1 << (at % 8)) : byte)) })) }
      const error: unknown = await row(tim, key).catch((e: unknown) => e)
      if (Array.isArray(error)) {
        expect(error).toEqual([`row ${key}`]) // it was here already
        continue
      }
      expect(isSealError(error) && error.family, `${at}: ${String(error)}`).toBe('hostile')
      expect(tim.space.stats.nodes).toBe(nodes)
    }
    expect(tim.space.head).toEqual(head)
    s.middle = {}
    expect(await row(tim, 500)).toEqual(['row 500'])
    expect(tim.space.writable).toBe(true)
  })

  it.each<[string, (queries: readonly Query[], size: number) => { readonly queries?: readonly Query[]; readonly size?: number }]>([
    ['2 a range narrowed', (queries) => ({ queries: queries.map((q) => (q.kind === 'scan' ? { ...q, hi: rowStateKey(1, Uint8Array.of(0x11, 2 * 2 * 60, 0)) } : q)) })],
    ['2 a limit answered short', (queries) => ({ queries: queries.map((q) => (q.kind === 'scan' ? { ...q, limit: 5 } : q)) })],
    ['3 other queries', (queries) => ({ queries: queries.map(() => ({ kind: 'nth', n: 3 }) as const) })],
    ['3 more than was asked', (queries) => ({ queries: [...queries, { kind: 'nth', n: 40 }] })],
    ['3 none', () => ({ queries: [] })],
    ['3 an older root', (_, size) => ({ size: size - 1 })],
    ['4 the neighbour’s path', (queries) => ({ queries: queries.map((q) => (q.kind === 'scan' ? { ...q, lo: rowStateKey(1, Uint8Array.of(0x11, 8, 0)) } : q)) })],
  ])('%s: bad-proof', async (_, change) => {
    const s = await setting('queries')
    const { head } = s.tim.space
    s.middle = asking(change)
    await expect(between(s.tim, 100, 300)).rejects.toMatchObject({ code: 'bad-proof' })
    s.middle = {}
    expect(await between(s.tim, 100, 300)).toBe(100)
    expect(s.tim.space.head).toEqual(head)
  })

  it('4 absence claimed for a row that is there, by the path of a key that is not', async () => {
    const s = await setting('absence')
    expect(await row(s.tim, 101)).toEqual([]) // there is none
    s.middle = asking((queries) => ({ queries: queries.map((q) => (q.kind === 'get' ? { ...q, key: rowStateKey(1, Uint8Array.of(0x12, 1, 0xa3, 0)) } : q)) }))
    await expect(row(s.tim, 400)).rejects.toMatchObject({ code: 'bad-proof' })
    s.middle = {}
    expect(await row(s.tim, 400)).toEqual(['row 400'])
  })
})

describe('following', () => {
  const alertsOf = ({ space }: TestPeer): string[] => {
    const alerts: string[] = []
    space.on('alert', ({ code }) => alerts.push(code))
    return alerts
  }

  it('16 a witness with anything altered, a removal hidden, a policy or a row gone: refused, the head stays; then the honest one', async () => {
    const s = await setting('witness')
    const { ada, tim, relay } = s
    const bob = await invited(relay, ada, 'Bob')
    peers.push(bob)
    await remove(ada.space, { members: [bob.space.me.member] })
    await until(() => tim.space.head.size === ada.space.head.size, 'Tim followed')
    const alerts = alertsOf(tim)
    const { head } = tim.space
    const before = (ada.space.verified as SpaceView).held
    const member = decodeMember(before.tree.get(memberKey(bob.space.me.member)) as Uint8Array)
    const edits = [
      { key: memberKey(bob.space.me.member), value: encodeMember({ ...member, removedAt: undefined }) },
      { key: objectKey(1), value: null },
      { key: rowStateKey(1, Uint8Array.of(0x11, 8, 0)), value: null },
    ]
    const tree = new StateTree(crypto)
    const all = [...before.tree.scan(new Uint8Array(0))]
    const lies = edits.map((edit) => tree.apply(tree.build(all), [edit]))
    let lie = 0
    s.middle = {
      toClient: changing('witnessed', (message) => {
        if (message.records.length === 0) return undefined
        const { witness } = recordWitness(ada.space.env, tree, lies[lie % lies.length] as (typeof lies)[number], before.log, message.records, { signature: 'trusted' })
        lie++
        return { ...message, witness }
      }),
    }
    await say(ada, 2_001)
    await until(() => lie >= 4, 'all lies told')
    expect(alerts.length).toBeGreaterThan(2)
    expect(new Set(alerts)).toEqual(new Set(['tampered']))
    expect(tim.space.head).toEqual(head)
    s.middle = {}
    await until(() => tim.space.head.size === ada.space.head.size, 'Tim followed')
    expect(tim.space.head).toEqual(ada.space.head)
    expect(await row(tim, 2_001)).toEqual(['row 2001'])
  })

  it('1 any byte of what it follows by changed; 10, 13 entries left out, repeated, swapped, a witness cut short: never another head', async () => {
    const s = await setting('bytes of witnesses')
    const { ada, tim } = s
    let tried = 0
    const flip = (bytes: Uint8Array, at: number): Uint8Array => bytes.map((byte, i) => (i === at % bytes.length ? byte ^ (1 << (at % 8)) : byte))
    const changes: ((m: Of<'witnessed'>) => Message)[] = [
      (m) => ({ ...m, records: m.records.slice(1) }),
      (m) => ({ ...m, records: [...m.records, m.records[0] as Uint8Array] }),
      (m) => ({ ...m, records: [...m.records].reverse() }),
      (m) => ({ ...m, from: m.from + 1 }),
      (m) => ({ ...m, witness: m.witness.subarray(0, -1) }),
      (m) => ({ ...m, note: flip(m.note, m.note.length - 20) }),
      ...Array.from({ length: 24 }, (_, i) => (m: Of<'witnessed'>): Message => ({ ...m, witness: flip(m.witness, 13 + 97 * i) })),
      ...Array.from({ length: 8 }, (_, i) => (m: Of<'witnessed'>): Message => ({ ...m, records: m.records.map((record, j) => (j === 0 ? flip(record, 5 + 41 * i) : record)) })),
    ]
    await tim.sync.stop()
    const { head } = tim.space
    for (let i = 0; i < 3; i++) await say(ada, 3_001 + 2 * i)
    s.middle = { toClient: changing('witnessed', (m) => (m.records.length === 0 || tried === changes.length ? undefined : (changes[tried++] as (typeof changes)[number])(m))) }
    let moved = 0
    tim.space.on('change', () => moved++)
    tim.sync.start()
    await until(() => tried === changes.length, 'all were tried')
    expect(moved).toBe(0)
    expect(tim.space.head).toEqual(head)
    await until(() => tim.space.head.size === ada.space.head.size, 'the honest one')
    expect(tim.space.head).toEqual(ada.space.head)
  })

  it('a relay that gives no witness is asked for each part: the same head, more rounds', async () => {
    const s = await setting('no witness')
    const { ada, tim } = s
    s.middle = { toClient: changing('witnessed', (m) => ({ ...m, witness: new Uint8Array(0) })) }
    const { rounds } = remoteOf(tim.space).counters
    await say(ada, 2_001)
    await until(() => tim.space.head.size === ada.space.head.size, 'Tim followed')
    expect(tim.space.head).toEqual(ada.space.head)
    expect(remoteOf(tim.space).counters.rounds).toBeGreaterThan(rounds)
  })

  it('6 an older head, after a restart, too: an alert, and the verified one stays; 7 another history: evidence, no more writing, reading what is here', async () => {
    const s = await setting('rollback')
    const { relay, ada, tim } = s
    const bob = await invited(relay, ada, 'Bob')
    await until(() => tim.space.head.size === bob.space.head.size, 'in step')
    await bob.sync.stop()
    const { size } = bob.space.head
    await say(ada, 2_001)
    await say(ada, 2_003)
    await until(() => tim.space.head.size === ada.space.head.size, 'Tim followed')
    await row(tim, 2_001)
    const { head } = tim.space
    await stopAll([ada])
    peers.splice(peers.indexOf(ada), 1)
    peers.splice(peers.indexOf(tim), 1)

    const older = await testRelay({ store: await backup(relay.store, ada.space.id, size) })
    let again = await reopened(tim, older.dial, 'Tim')
    let alerts = alertsOf(again)
    await until(() => alerts.length > 0, 'an alert')
    expect(new Set(alerts)).toEqual(new Set(['rollback']))
    expect(again.space.head).toEqual(head)

    // Bob, who had not seen them, writes in their place, and goes on beyond.
    await bob.sync.stop()
    const sync = startSync(bob.space, older.dial, 'Bob elsewhere')
    peers.push({ ...bob, sync })
    for (let i = 0; i < 4; i++) await say(bob, 5_001 + 2 * i)
    await again.sync.stop()
    again = await reopened(again, older.dial, 'Tim')
    peers.push(again)
    alerts = alertsOf(again)
    await until(() => again.space.evidence.length > 0, 'evidence')
    expect(alerts).toContain('fork')
    expect(verifyEvidence(crypto, again.space.evidence[0] as Uint8Array).spaceId).toEqual(again.space.id)
    expect(again.space.head).toEqual(head)
    expect(again.space.writable).toBe(false)
    expect(bodies(bob.space.current, 1)).toContain('row 5001')
  })
})
