/** The audit of what was before a snapshot: it finds what the rules come to, whatever the relay or the inviter say. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseLink } from '../../engine/group/link.js'
import { invite } from '../../engine/space/acts.js'
import { auditHistory } from '../../engine/space/audit-history.js'
import { joinSpace, signInvitationChallenge } from '../../engine/space/join.js'
import { memoryStore } from '../../engine/store/memory.js'
import { auditFromRelay } from '../../net/audit.js'
import { joinChannel } from '../../net/join.js'
import type { Dial } from '../../net/transport.js'
import { createTable, optionsOf, put, rows, taskTable } from '../space/rim-support.js'
import { through, type Middle } from './hostile.js'
import { crypto, founder, startSync, stopAll, testRelay, until, type TestPeer, type TestRelay } from './support.js'

const peers: TestPeer[] = []
let shared: Awaited<ReturnType<typeof setting>>
beforeAll(async () => { shared = await setting() })
afterAll(() => stopAll(peers))

const ENTRIES = 80
const say = async ({ space }: TestPeer, key: number): Promise<unknown> => (await space.commit(rows(put('insert', 1, BigInt(key), 0n, `row ${key}`)), space.current)).settled

/** Ada with a history; Bob, who joined from a snapshot of its end and has written since. */
async function setting(): Promise<{ readonly relay: TestRelay; readonly ada: TestPeer; readonly bob: TestPeer }> {
  const relay = await testRelay()
  const ada = await founder(relay, 'audit Ada')
  peers.push(ada)
  await (await ada.space.commit(createTable(taskTable(1), 'table:task'), ada.space.current)).settled
  for (let i = 0; i < ENTRIES; i++) await ada.space.commit(rows(put('insert', 1, BigInt(i), 0n, `row ${i}`)), ada.space.current)
  await until(() => ada.space.outbox().length === 0, 'stored')
  const link = parseLink(crypto, await invite(ada.space, { role: 'writer' }))
  const options = optionsOf('audit Bob')
  const channel = await joinChannel(relay.dial, link, (name, nonce) => signInvitationChallenge(options, link, name, nonce), undefined, { entries: 0, rows: 0 })
  const location = memoryStore()
  const space = await joinSpace(await location.open(), options, link, channel, { name: 'Bob' })
  channel.close()
  const bob = { space, sync: startSync(space, relay.dial, 'audit Bob'), location }
  peers.push(bob)
  await say(bob, 1_000)
  expect(space.store.first).toBeGreaterThan(ENTRIES)
  return { relay, ada, bob }
}

describe('auditing the whole history', () => {
  it('of a space that began at a snapshot: sound, with progress, while it goes on', async () => {
    const { relay, ada, bob } = shared
    const told: string[] = []
    const { head } = bob.space
    const auditing = auditFromRelay(bob.space, relay.dial, { onProgress: (entries, of) => told.push(`${entries}/${of}`) })
    await say(bob, 1_001)
    const report = await auditing
    expect(report).toEqual({ kind: 'sound', head, applied: head.size, rejected: 0, ignored: 0 })
    expect(told.length).toBeGreaterThan(2)
    expect(told.at(-1)).toBe(`${head.size}/${head.size}`)
    expect(bob.space.head.size).toBeGreaterThan(head.size)
    // Nothing was kept of what was asked for; who has all of it asks nobody.
    expect(bob.space.store.first).toBeGreaterThan(ENTRIES)
    const nobody: Dial = () => Promise.reject(new Error('asked'))
    expect(await auditFromRelay(ada.space, nobody)).toMatchObject({ kind: 'sound' })
    await expect(auditFromRelay(bob.space, nobody)).rejects.toThrow('asked')
  })

  it('finds that the state was not reached by the rules, whoever vouched for it', async () => {
    const { ada, bob } = shared
    const { env, head, log, store } = bob.space
    const history = { env, log, first: store.first, records: (from: number, to: number) => bob.space.records(from, to) }
    const fetch = (from: number): Promise<readonly Uint8Array[]> => ada.space.records(from, Math.min(from + 50, ada.space.head.size))
    expect(await auditHistory({ ...history, head }, fetch)).toMatchObject({ kind: 'sound' })
    const stateRoot = head.stateRoot.slice()
    stateRoot[7] = (stateRoot[7] as number) ^ 1
    expect(await auditHistory({ ...history, head: { ...head, stateRoot } }, fetch)).toMatchObject({ kind: 'unsound' })
  })

  it('any other entries than those of the log are refused, and a relay that gives none', async () => {
    const { relay, bob } = shared
    const change = (at: number): Middle => ({ toClient: (message) => {
      if (message.kind !== 'entries' || message.request === 0) return undefined
      const records = message.records.map((record) => record.slice())
      const record = records[at] as Uint8Array
      record[record.length >> 1] = (record[record.length >> 1] as number) ^ 1
      return [{ ...message, records }]
    } })
    const lies: readonly (readonly [Middle, string])[] = [
      [change(0), 'bad-genesis'], [change(1), 'bad-proof'], [change(ENTRIES), 'bad-proof'],
      [{ toClient: (message) => (message.kind === 'entries' ? [{ ...message, records: message.records.toSpliced(5, 1) }] : undefined) }, 'bad-proof'],
      [{ toClient: (message) => (message.kind === 'entries' ? [{ ...message, records: message.records.with(7, message.records[8] as Uint8Array).with(8, message.records[7] as Uint8Array) }] : undefined) }, 'bad-proof'],
      [{ toClient: (message) => (message.kind === 'entries' ? [{ ...message, records: [] }] : undefined) }, 'bad-proof'],
      [{ toClient: (message) => (message.kind === 'entries' ? [{ ...message, from: message.from + 1 }] : undefined) }, 'bad-frame'],
    ]
    const alerts: string[] = []
    bob.space.on('alert', ({ code }) => alerts.push(code))
    for (const [lie, code] of lies) await expect(auditFromRelay(bob.space, through(relay.dial, lie)), code).rejects.toMatchObject({ code })
    const stop = new AbortController()
    await expect(auditFromRelay(bob.space, relay.dial, { signal: stop.signal, onProgress: () => stop.abort() })).rejects.toMatchObject({ code: 'disconnected' })
    expect(alerts).toEqual([])
    expect(await auditFromRelay(bob.space, relay.dial)).toMatchObject({ kind: 'sound' })
  })
})
