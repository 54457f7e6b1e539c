/** Taking over a long history of small entries: verified and applied, each signature verified, and with one signature a device under a trusted head. */
import { createSpace, loadProvider, memoryStore } from 'sealdb'
import { applyBatch } from '../../engine/space/batch.js'
import { Follower } from '../../engine/space/follower.js'
import type { Figure } from '../bars.js'
import { quickest } from '../clock.js'
import { short } from '../report.js'
import { fillSpace, INSERT_TASK, taskRow } from './people.js'

export async function catchingUp(entries: number, times: number): Promise<Figure[]> {
  const crypto = await loadProvider('node')
  const space = await createSpace({ store: memoryStore(), crypto, offline: true })
  await fillSpace(space, 0)
  const start = space.head.size
  for (let i = 0; i < entries; i++) await space.query(INSERT_TASK, taskRow(i))
  const records = await space.engine.store.read(0, space.head.size)
  const { head } = space
  await space.close()

  const begun = (): Follower => {
    const follower = Follower.found(crypto, records[0] as Uint8Array)
    for (const record of records.slice(1, start)) follower.follow(record, 'check')
    return follower
  }
  const fresh = records.slice(start)
  const trusted = await quickest(times, () => {
    const follower = begun()
    applyBatch(follower.env, follower.state, fresh, { trusted: head }).state.tree.release()
  })
  const checked = await quickest(times, () => {
    begun().followAll(fresh, 'check')
  })
  const figure = (name: string, cpu: number, wall: number, how: string): Figure =>
    ({ name, value: entries / (cpu / 1e3), unit: 'entries/s of CPU', note: `${entries} one-row entries, ${how}; ${short(entries / (wall / 1e3))}/s by the wall` })
  return [
    figure('catch up', trusted.cpu, trusted.wall, 'one signature a device, to a trusted head'),
    figure('catch up, every signature', checked.cpu, checked.wall, 'to a head that is not trusted yet'),
  ]
}
