/** Each step of putting and deleting a file fails, or the process dies at it: whoever opens the store next finds the file whole or not at all, and nothing else kept. */
import { describe, expect, it } from 'vitest'
import { isSealError, SealError } from '../../engine/errors.js'
import { createSpace, openSpace } from '../../engine/space/open.js'
import { openFiles } from '../../engine/space/open-files.js'
import type { Space } from '../../engine/space/space.js'
import { fileStoreIn } from '../../engine/store/file/file.js'
import { optionsOf } from '../space/rim-support.js'
import { SimulatedDisk, type Fault } from '../store/disk.js'
import { poll, sampleBytes } from './support.js'

const CONTENT = sampleBytes(200_000)
const filesOf = (space: Space, seed: string): ReturnType<typeof openFiles> => openFiles(space, {
  random: optionsOf(seed).random, onLanded: () => undefined, carried: () => Promise.resolve(), holds: () => Promise.resolve(() => false), source: () => Promise.reject(new SealError('unavailable', 'Nobody else has it.')),
})

/** A space with a file in it. */
async function setting(): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk()
  const space = await createSpace(await fileStoreIn(disk).open(), optionsOf('ada'))
  const { files, entries } = filesOf(space, 'first')
  await files.put(CONTENT, { name: 'first' })
  await entries.settled()
  await entries.close()
  await space.close()
  return disk
}

/** The same disk again and again: setting up takes longer than what is tested. */
const stem = await setting()
const copy = (): SimulatedDisk => {
  const disk = new SimulatedDisk(new Map([...stem.files()].map(([name, bytes]) => [name, Uint8Array.from(bytes)])))
  return disk
}

describe.each(['fail', 'fail-done', 'gate', 'crash', 'crash-done'] satisfies Fault[])('%s, at each step', (fault) => {
  it.each(['put', 'delete'] as const)('of %s', async (what) => {
    let struck = true
    for (let step = 0; struck; step++) {
      const disk = copy()
      const store = await fileStoreIn(disk).open()
      const space = await openSpace(store, optionsOf('ada'))
      const { files, entries } = filesOf(space, `at ${step}`)
      const [first] = await files.list()
      const from = disk.steps
      disk.plan = { step: from + step, fault }
      let failure: unknown
      try {
        if (what === 'put') await files.put(CONTENT, { name: 'second' })
        else await files.delete(first?.id ?? '')
        await entries.settled()
      } catch (error) {
        failure = error
      }
      struck = disk.steps > from + step
      if (failure !== undefined) expect(isSealError(failure), String(failure)).toBe(true)
      const after = disk.crash(fault.startsWith('crash') ? 'lose' : 'keep')
      const again = await openSpace(await fileStoreIn(after).open(), optionsOf(`again ${step}`))
      const found = filesOf(again, `again ${step}`)
      found.entries.afterChange()
      await found.entries.settled()
      const listed = await found.files.list()
      for (const { id, local } of listed) {
        expect([step, local]).toEqual([step, true])
        expect(Buffer.compare(await (await found.files.get(id)).bytes(), CONTENT)).toBe(0)
      }
      const names = listed.map(({ name }) => name).sort()
      if (what === 'put') expect([['first'], ['first', 'second']]).toContainEqual(names)
      else expect([[], ['first']]).toContainEqual(names)
      if (failure === undefined) expect(names).toEqual(what === 'put' ? ['first', 'second'] : [])
      await poll(async () => (await again.store.chunks.groups()).size).toBe(listed.length)
      await found.entries.close()
      await again.close()
    }
  }, 60_000)
})
