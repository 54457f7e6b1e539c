/** Files on a thin client, which holds no state of them: it asks, proves, fetches, keeps; and puts like anybody. */
import { afterEach, expect, it } from 'vitest'
import { joinSpace, memoryStore } from 'sealdb'
import { crypto, seededRandom } from '../space/rim-support.js'
import { testRelay } from '../net/support.js'
import { closeAll, found } from './space-support.js'
import { poll, sampleBytes } from './support.js'

afterEach(closeAll)

it('lists, reads, puts and deletes; in SQL too', async () => {
  const relay = await testRelay()
  const ada = await found(relay.dial)
  const hers = await ada.space.files.put(sampleBytes(300_000), { name: 'hers.bin' })
  await ada.space.files.put(sampleBytes(10), { name: 'other.bin' })
  await ada.space.files.settled()
  await using tim = await joinSpace(await ada.space.invite({ role: 'writer' }), { store: memoryStore(), crypto, thin: true, unsafe: { dial: relay.dial, random: seededRandom('tim') } })
  await tim.online()
  expect((await tim.files.list()).map(({ name }) => name).sort()).toEqual(['hers.bin', 'other.bin'])
  expect(Buffer.compare(await (await tim.files.get(hers.id)).bytes(), sampleBytes(300_000))).toBe(0)
  const mine = await tim.files.put(sampleBytes(200_000, 4), { name: 'mine.bin' })
  await tim.files.settled()
  expect((await tim.sql<{ name: string; local: number }>`SELECT name, local FROM sealdb_files ORDER BY name`).rows).toEqual([{ name: 'hers.bin', local: 1 }, { name: 'mine.bin', local: 1 }, { name: 'other.bin', local: 0 }])
  await poll(async () => (await ada.space.files.list()).length).toBe(3)
  expect(Buffer.compare(await (await ada.space.files.get(mine.id)).bytes(), sampleBytes(200_000, 4))).toBe(0)
  await tim.files.delete(mine.id)
  await tim.settled()
  await expect(tim.files.get(mine.id)).rejects.toMatchObject({ code: 'unavailable', facts: { reason: 'no-file' } })
  await ada.space.files.delete(hers.id)
  await poll(async () => (await tim.engine.store.chunks.groups()).size).toBe(0)
})
