/** A member makes an epoch whose link to the one before holds nothing (attacks.md B27): named to everybody, and mended by whoever knows better. */
import { afterEach, describe, expect, it } from 'vitest'
import { buildRotate } from '../../engine/group/build-epoch.js'
import { invite, repairIfNeeded } from '../../engine/space/acts.js'
import { audit } from '../../engine/space/audit.js'
import { createSpace, openSpace } from '../../engine/space/open.js'
import type { Space } from '../../engine/space/space.js'
import { memoryStore } from '../../engine/store/memory.js'
import { createTable, crypto, optionsOf, put, rows, taskTable } from './rim-support.js'
import { Sequencer } from './sequencer.js'
import { alertsOf } from '../outcomes.js'

const open: Space[] = []
afterEach(async () => { for (const space of open.splice(0)) await space.close() })
const insert = (space: Space, key: number, body: string): ReturnType<Space['commit']> => space.commit(rows(put('insert', 1, BigInt(key), 0n, body)), space.current)
const bodies = (space: Space): string[] => [...space.current.rows(1)].map((row) => ('body' in row ? new TextDecoder().decode(row.body) : `unopened: ${row.reason}`))

describe('a link that lies', () => {
  it('names its author to those who were there, keeps the past from newcomers, and is mended for them once', async () => {
    const home = memoryStore()
    const ada = await createSpace(await home.open(), optionsOf('ada'), { name: 'ada' })
    open.push(ada)
    await ada.commit(createTable(taskTable(1), 'table:task'), ada.current)
    const relay = await Sequencer.attach(ada)
    const join = async (name: string, location = memoryStore()): Promise<Space> => {
      const space = await relay.join(location, await relay.during(ada, invite(ada, { role: 'writer' })), name)
      open.push(space)
      return space
    }
    const mallory = await join('mallory')
    await insert(ada, 1, 'before')
    await relay.settle(ada, mallory)
    expect(await repairIfNeeded(ada)).toBe(false)

    const told = alertsOf(ada)
    await mallory.commitOps((context) => {
      const rotate = buildRotate(context)
      return [{ ...rotate, link: rotate.link.map((byte, i) => (i === 60 ? byte ^ 1 : byte)) }]
    }, 'with-keyring')
    await relay.settle(mallory, ada)
    expect(told).toMatchObject([{ code: 'bad-link', facts: { kind: 'link', epoch: 2, device: mallory.me.device } }])
    await insert(ada, 2, 'after')
    await relay.settle(ada, mallory)

    const atCarl = memoryStore()
    const carl = await join('carl', atCarl)
    await relay.settle(ada, mallory, carl)
    expect(bodies(carl)).toEqual([expect.stringMatching(/^unopened: /), 'after'])
    expect(carl.writable).toBe(true)

    // Carl can't know what it should hold; Ada does.
    expect(await repairIfNeeded(carl)).toBe(false)
    expect(await relay.during(ada, repairIfNeeded(ada))).toBe(true)
    expect(await repairIfNeeded(ada)).toBe(false)
    await relay.settle(ada, mallory, carl)
    const dan = await join('dan')
    await relay.settle(ada, mallory, carl, dan)
    for (const space of [ada, carl, dan]) {
      expect(bodies(space)).toEqual(['before', 'after'])
      expect([space.head, space.writable, (await audit(space.store, crypto)).problems]).toEqual([relay.head, true, []])
    }
    await carl.close()
    const again = await openSpace(await atCarl.open(), optionsOf('carl again'))
    open.push(again)
    expect(bodies(again)).toEqual(['before', 'after'])
    expect(told).toHaveLength(1)
  })
})
