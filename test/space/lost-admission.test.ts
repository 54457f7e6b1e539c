/**
 * A device that was admitted in the part of the log that a relay lost (PROTOCOL.md §9.3): in the history that is kept it never was one. It learns that, writes nothing
 * more, keeps what it had for reading, and joins anew; also if another device has been given its number meanwhile.
 */
import { afterEach, describe, expect, it } from 'vitest'
import { isSealError } from '../../engine/errors.js'
import { acceptRollback, invite } from '../../engine/space/acts.js'
import { audit } from '../../engine/space/audit.js'
import { createSpace, openSpace } from '../../engine/space/open.js'
import type { Alert } from '../../engine/space/port.js'
import type { Space } from '../../engine/space/space.js'
import { memoryStore } from '../../engine/store/memory.js'
import { createTable, crypto, optionsOf, put, rows, taskTable } from './rim-support.js'
import { Sequencer } from './sequencer.js'

const open: Space[] = []
afterEach(async () => { for (const space of open.splice(0)) await space.close() })
const bodies = (space: Space): string[] => [...space.current.rows(1)].map((row) => ('body' in row ? new TextDecoder().decode(row.body) : `!${row.reason}`)).sort()
const insert = (space: Space, key: number, body: string): ReturnType<Space['commit']> => space.commit(rows(put('insert', 1, BigInt(key), 0n, body)), space.current)
const branchFor = async (relay: Sequencer, space: Space) => {
  const from = await space.commonWith(relay.records.length, async (index) => relay.records[index] as Uint8Array)
  return { from, records: relay.records.slice(from), note: relay.note() }
}

describe('a device that was admitted in the part of the log that was lost', () => {
  for (const taken of [false, true]) {
    it(taken ? 'while another was given its number since' : 'and nobody after it', async () => {
      const seed = `lost ${taken}`
      const ada = await createSpace(await memoryStore().open(), optionsOf(`${seed} ada`), { name: 'ada' })
      await ada.commit(createTable(taskTable(1), 'table:task'), ada.current)
      const relay = await Sequencer.attach(ada)
      const carl = await relay.join(memoryStore(), await relay.during(ada, invite(ada, { role: 'admin' })), `${seed} carl`)
      open.push(ada, carl)
      await insert(ada, 1, 'before')
      await relay.settle(ada, carl)
      const now = relay.copy()
      const home = memoryStore()
      const frank = await relay.join(home, await relay.during(ada, invite(ada, { role: 'writer' })), `${seed} frank`)
      await relay.settle(ada, frank)
      await insert(frank, 20, 'frank, lost')
      await insert(ada, 10, 'ada, lost')
      await relay.settle(ada, frank)
      await frank.commit(rows(put('insert', 1, 21n, 0n, 'frank, never sent')), frank.current)
      const { device } = frank.me
      // The relay has lost all that, and taken something else.
      const gus = taken ? await now.join(memoryStore(), await now.during(carl, invite(carl, { role: 'writer' })), `${seed} gus`) : undefined
      if (gus) open.push(gus)
      await insert(carl, 30, 'carl, kept')
      await now.settle(carl, ...(gus ? [gus] : []))
      expect(gus?.me.device).toBe(taken ? device : undefined)

      expect(await now.during(ada, acceptRollback(ada, await branchFor(now, ada)))).toMatchObject({ again: 1 })
      const told: Alert[] = []
      const retries: unknown[] = []
      frank.on('alert', (alert) => told.push(alert))
      frank.on('retry', ({ verdict }) => retries.push(verdict))
      expect(await frank.resume(await branchFor(now, frank))).toMatchObject({ again: 0, givenUp: 1 })
      expect(told.map(({ code }) => code).sort()).toEqual(['removed', 'rollback'])
      expect(retries).toEqual(expect.arrayContaining([{ kind: 'ignored', code: 'device' }]))
      expect([frank.me.role, frank.writable, frank.outbox().length, frank.head]).toEqual([undefined, false, 0, now.head])
      await expect(insert(frank, 22, 'refused')).rejects.toMatchObject({ code: 'read-only', facts: { reason: 'removed' } })
      // What was under the epochs that it knows is there to be read; it is given no others.
      expect(bodies(frank)).toEqual(['ada, lost', 'before', 'carl, kept'])
      // So after a restart, and by an audit.
      await frank.close()
      const again = await openSpace(await home.open(), optionsOf(`${seed} again`))
      open.push(again)
      expect([again.me.role, again.writable, again.head]).toEqual([undefined, false, now.head])
      await expect(insert(again, 22, 'refused')).rejects.toSatisfy((error: unknown) => isSealError(error, 'read-only'))
      expect((await audit(again.store, crypto)).problems).toEqual([])
      // Nobody takes it for whoever has its number now, and nobody is told that a store was copied.
      await insert(carl, 31, 'carl, after')
      await insert(gus ?? carl, 32, 'after')
      await now.settle(carl, ada, ...(gus ? [gus] : []))
      const toldAgain: Alert[] = []
      again.on('alert', ({ code, ...rest }) => toldAgain.push({ code, ...rest }))
      await now.deliver(again)
      expect([toldAgain.map(({ code }) => code), again.me.role, again.head]).toEqual([['removed'], undefined, now.head])
      expect(told.map(({ code }) => code).sort()).toEqual(['removed', 'rollback'])
      // Joining anew is all there is to it.
      const anew = await now.join(memoryStore(), await now.during(ada, invite(ada, { role: 'writer' })), `${seed} anew`)
      open.push(anew)
      await insert(anew, 20, 'frank, anew')
      await now.settle(ada, carl, anew)
      for (const space of [ada, carl, anew]) expect(bodies(space)).toEqual(['ada, lost', 'after', 'before', 'carl, after', 'carl, kept', 'frank, anew'])
    })
  }
})
