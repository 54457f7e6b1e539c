/** Clocks that are wrong (attacks 40): an entry's time decides nothing, so whatever a device's clock says, all see the same. */
import { expect, it } from 'vitest'
import { invite, rotate } from '../../engine/space/acts.js'
import { audit } from '../../engine/space/audit.js'
import { decodeRecord } from '../../engine/space/entry.js'
import { createSpace } from '../../engine/space/open.js'
import { joinSpace } from '../../engine/space/join.js'
import { parseLink } from '../../engine/group/link.js'
import type { Space } from '../../engine/space/space.js'
import { memoryStore } from '../../engine/store/memory.js'
import { Bucket } from '../../net/relay/bucket.js'
import { createTable, crypto, put, rows, seededRandom, taskTable } from './rim-support.js'
import { Sequencer } from './sequencer.js'

const HOUR = 3_600_000
const NOON = 1_700_000_000_000

it('40 an hour off, going backwards, at its beginning: the same verdicts, the same state, nothing for an audit', async () => {
  const clocks: (() => number)[] = []
  const options = (name: string, step: number, start: number) => {
    let now = start
    clocks.push(() => now)
    return { crypto, random: seededRandom(name), now: () => (now += step) }
  }
  const ada = await createSpace(await memoryStore().open(), options('clock ada', -HOUR, NOON))
  await ada.commit(createTable(taskTable(1), 'table:task'), ada.current)
  const relay = await Sequencer.attach(ada)
  const join = async (name: string, step: number, start: number): Promise<Space> => {
    const link = parseLink(crypto, await relay.during(ada, invite(ada, { role: 'writer', expiresIn: 10 })))
    return joinSpace(await memoryStore().open(), options(name, step, start), link, relay.channel())
  }
  const all = [ada, await join('clock bob', 1, NOON + HOUR), await join('clock carl', 0, 0)]
  for (let round = 0; round < 3; round++) {
    for (const [i, space] of all.entries()) await space.commit(rows(put('insert', 1, BigInt(10 * round + i), 0n, `row ${round}`)), space.current)
    await relay.settle(...all)
  }
  await relay.during(ada, rotate(ada))
  await relay.settle(...all)
  const times = relay.records.map((record) => {
    const decoded = decodeRecord(record)
    return decoded.kind === 'entry' ? decoded.entry.time : NaN
  })
  expect(Math.min(...times)).toBe(0)
  expect(times.some((time, i) => i > 0 && time < (times[i - 1] as number))).toBe(true)
  expect(relay.verdicts.every(({ kind }) => kind === 'applied')).toBe(true)
  for (const space of all) {
    expect(space.head).toEqual(relay.head)
    expect([...space.current.rows(1)]).toHaveLength(9)
    expect((await audit(space.store, crypto)).problems).toEqual([])
    await space.close()
  }
})

it('40 a relay’s clock that goes backwards gives nobody more than the burst, and takes nothing for good', () => {
  let now = NOON
  const bucket = new Bucket({ perSecond: 1, burst: 3 }, () => now)
  const taken = (): number => Array.from({ length: 5 }, () => bucket.take(1)).filter(Boolean).length
  expect(taken()).toBe(3)
  now -= HOUR
  expect([taken(), bucket.idle]).toEqual([0, false])
  now += 2_000
  expect(taken()).toBe(2)
  now += 3_000
  expect([bucket.idle, taken()]).toEqual([true, 3])
})
