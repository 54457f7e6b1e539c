/**
 * A relay whose disk was restored from an old copy, and which then took other entries (PROTOCOL.md §9.3), as an application meets it: real sockets, real
 * files, SQL. An admin accepts it; everybody goes over by themselves, and nothing written is lost or done twice.
 */
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { createSpace, joinSpace, memoryStore, openSpace, type SealedSpace, type StoreLocation } from '../../index.js'
import { audit } from '../../engine/space/audit.js'
import { fileStore } from '../../engine/store/file/file.js'
import { fileRelayStore, startRelay, type RunningRelay } from '../../net/server.js'
import { run } from '../cli/support.js'
import { crypto, until } from './support.js'
import { alertsOf } from '../outcomes.js'

const cleanup: (() => unknown)[] = []
afterEach(async () => { for (const each of cleanup.splice(0).reverse()) await each() })

/** A relay on a directory that can be copied and put back while it is down; always on the same port. */
async function restorable(): Promise<{ readonly url: string; readonly copy: () => Promise<void>; readonly restore: () => Promise<void> }> {
  const directory = mkdtempSync(join(tmpdir(), 'sealdb-rollback-'))
  const [data, backup] = [join(directory, 'data'), join(directory, 'backup')]
  let relay: RunningRelay | undefined
  let port = 0
  const start = async (): Promise<void> => {
    relay = await startRelay({ store: fileRelayStore(data), name: 'relay.test', port })
    port = Number(new URL(relay.url).port)
  }
  const whileDown = (work: () => void) => async (): Promise<void> => {
    await relay?.close()
    work()
    await start()
  }
  await start()
  cleanup.push(async () => {
    await relay?.close()
    rmSync(directory, { recursive: true })
  })
  return {
    url: `ws://127.0.0.1:${port}`,
    copy: whileDown(() => cpSync(data, backup, { recursive: true })),
    restore: whileDown(() => {
      rmSync(data, { recursive: true })
      cpSync(backup, data, { recursive: true })
    }),
  }
}

const keep = (space: SealedSpace): SealedSpace => {
  cleanup.push(() => space.close())
  return space
}
const titles = async (space: SealedSpace): Promise<unknown> => (await space.query('SELECT id, title FROM task ORDER BY id')).rows.map(({ id, title }) => `${String(id)} ${String(title)}`)
const add = (space: SealedSpace, id: number, title: string): Promise<unknown> => space.sql`INSERT INTO task (id, title) VALUES (${id}, ${title})`
const inStep = (...spaces: readonly SealedSpace[]): Promise<void> => until(() => spaces.every(({ pending, head, writable }) => writable && pending === 0 && Buffer.from(head.stateRoot).equals(spaces[0]?.head.stateRoot as Uint8Array)), 'in step')

interface Crew { readonly ada: SealedSpace; readonly bob: SealedSpace; readonly carl: SealedSpace; readonly eve: SealedSpace; readonly bobs: StoreLocation }

/**
 * Ada, an owner, with writers: she, Bob and Eve write what the relay loses; Carl writes on what it has after that, `kept` times. Eve stays away then, with a write
 * that was never sent.
 */
async function rolledBack(kept: number, founded: StoreLocation = memoryStore()): Promise<Crew> {
  const { url, copy, restore } = await restorable()
  const ada = keep(await createSpace({ store: founded, relay: url, profile: { name: 'Ada' } }))
  await ada.exec('CREATE TABLE task (id INTEGER PRIMARY KEY, title TEXT NOT NULL)')
  await add(ada, 1, 'before')
  const bobs = memoryStore()
  const [bob, carl, eve] = [keep(await joinSpace(await ada.invite({ role: 'writer' }), { store: bobs })), keep(await joinSpace(await ada.invite({ role: 'writer' }), { store: memoryStore() })), keep(await joinSpace(await ada.invite({ role: 'writer' }), { store: memoryStore() }))]
  await inStep(ada, bob, carl, eve)
  await carl.disconnect()
  await copy()
  await add(ada, 10, 'ada, lost')
  await add(bob, 20, 'bob, lost')
  await bob.sql`UPDATE task SET title = title || ' and changed' WHERE id = 1`
  await add(eve, 30, 'eve, lost')
  for (const space of [ada, bob, eve]) await space.settled()
  await inStep(ada, bob, eve)
  for (const space of [ada, bob, eve]) await space.disconnect()
  await add(eve, 31, 'eve, never sent')
  await restore()
  carl.connect()
  for (let i = 0; i < kept; i++) await add(carl, 40 + i, 'carl, kept')
  await carl.settled()
  return { ada, bob, carl, eve, bobs }
}

const everything = (kept: number): readonly string[] => ['1 before and changed', '10 ada, lost', '20 bob, lost', '30 eve, lost', '31 eve, never sent', ...Array.from({ length: kept }, (_, i) => `${40 + i} carl, kept`), '50 bob, after']

describe('a relay that was restored from a backup and then took other entries', () => {
  // Fewer entries than were lost, and more: then nobody's head is within what the relay has.
  for (const kept of [1, 9]) {
    it(`is accepted by an admin, and all go over with what they had written (it took ${kept})`, async () => {
      const { ada, bob, carl, eve, bobs } = await rolledBack(kept)
      const lost = 4
      const told = alertsOf(bob)
      for (const space of [ada, bob]) {
        space.connect()
        await until(() => !space.writable, 'stuck')
      }
      expect(told.map(({ code }) => code)).toEqual(['fork'])
      await expect(add(bob, 21, 'refused')).rejects.toMatchObject({ code: 'read-only' })
      // Not for a writer to decide, nor for whoever has lost nothing.
      await expect(bob.acceptRollback()).rejects.toMatchObject({ code: 'rejected', facts: { code: 'role' } })
      await expect(carl.acceptRollback()).rejects.toMatchObject({ code: 'bad-argument' })
      expect([bob.writable, bob.engine.evidence.length]).toEqual([false, 1])

      expect(await ada.acceptRollback()).toEqual({ lost, again: 1, givenUp: 0 })
      await until(() => bob.writable, 'Bob goes over')
      expect(told.at(-1)).toMatchObject({ code: 'rollback', facts: { lost, again: 2, givenUp: 0 } })
      const [toldEve, given] = [alertsOf(eve), [] as unknown[]]
      eve.db.onLost((each) => given.push(each))
      await add(bob, 50, 'bob, after')
      await inStep(ada, bob, carl) // the relay has more than Eve by now
      eve.connect()
      await inStep(ada, bob, carl, eve)
      expect([toldEve.map(({ code }) => code), given]).toEqual([['rollback'], []]) // she finds the acceptance before any evidence
      await ada.settled()
      await expect(ada.acceptRollback()).rejects.toMatchObject({ code: 'bad-argument' })

      for (const space of [ada, bob, carl, eve]) {
        expect(await titles(space)).toEqual(everything(kept))
        expect([space.engine.evidence.length, space.head.logRoot]).toEqual([0, ada.head.logRoot])
        expect((await audit(space.engine.store, crypto)).problems).toEqual([])
      }
      await bob.close()
      const again = keep(await openSpace({ store: bobs }))
      await inStep(ada, again)
      expect(await titles(again)).toEqual(everything(kept))
    })
  }

  for (const taken of [false, true]) {
    it(`tells a device that was admitted in the lost part that the relay does not know it; it joins anew (${taken ? 'its number is another’s' : 'nobody came since'})`, async () => {
      const { url, copy, restore } = await restorable()
      const ada = keep(await createSpace({ store: memoryStore(), relay: url, profile: { name: 'Ada' } }))
      await ada.exec('CREATE TABLE task (id INTEGER PRIMARY KEY, title TEXT NOT NULL)')
      const carl = keep(await joinSpace(await ada.invite({ role: 'admin' }), { store: memoryStore() }))
      await inStep(ada, carl)
      await carl.disconnect()
      await copy()
      const frank = keep(await joinSpace(await ada.invite({ role: 'writer' }), { store: memoryStore() }))
      await add(frank, 20, 'frank, lost')
      await add(ada, 10, 'ada, lost')
      for (const space of [frank, ada]) await space.settled()
      await inStep(ada, frank)
      for (const space of [frank, ada]) await space.disconnect()
      await restore()
      carl.connect()
      const gus = taken ? keep(await joinSpace(await carl.invite({ role: 'writer' }), { store: memoryStore() })) : undefined
      expect(gus?.me.device).toBe(taken ? frank.me.device : undefined)
      await add(carl, 40, 'carl, kept')
      await carl.settled()
      ada.connect()
      await until(() => !ada.writable, 'stuck')
      expect(await ada.acceptRollback()).toMatchObject({ again: 1 })
      await inStep(ada, carl)

      const head = frank.head
      const errors: unknown[] = []
      frank.on('state', (_, error) => { if (error) errors.push(error) })
      frank.connect()
      await until(() => errors.length > 0, 'refused')
      expect(errors[0]).toMatchObject({ code: 'relay-refused', facts: { code: 'denied' } })
      // Nothing of what it holds has changed, and nothing of it has reached the others.
      expect([frank.head, await titles(frank)]).toEqual([head, ['10 ada, lost', '20 frank, lost']])
      const anew = keep(await joinSpace(await ada.invite({ role: 'writer' }), { store: memoryStore() }))
      await add(anew, 20, 'frank, anew')
      await anew.settled()
      await inStep(ada, carl, anew)
      for (const space of [ada, carl, anew]) expect(await titles(space)).toEqual(['10 ada, lost', '20 frank, anew', '40 carl, kept'])
    })
  }

  it('at the command line', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'sealdb-rollback-cli-'))
    cleanup.push(() => rmSync(directory, { recursive: true }))
    const store = join(directory, 'ada')
    const { ada, bob } = await rolledBack(2, fileStore(store))
    await ada.close()
    const stuck = await run(['verify', '--store', store])
    expect([stuck.code, stuck.err]).toEqual([1, expect.stringContaining('alert: fork')])
    const { code, out } = await run(['accept-rollback', '--store', store, '--json'])
    expect([code, JSON.parse(out)]).toEqual([0, { lost: 4, writtenAgain: 1, givenUp: 0 }])
    expect(await run(['verify', '--store', store])).toMatchObject({ code: 0, err: '' })
    expect((await run(['accept-rollback', '--store', store])).code).toBe(2)
    expect((await run(['accept-rollback', '--store', store, '--offline'])).code).toBe(2)
    bob.connect()
    await until(() => bob.pending === 0 && bob.head.size > 8, 'over')
    expect(await titles(bob)).toContain('10 ada, lost')
  })
})
