/** When closing writes a snapshot: for few entries, if they hold many rows. */
import { expect, it } from 'vitest'
import { createSpace, openSpace } from '../../engine/space/open.js'
import { Snapshots } from '../../engine/space/snapshot.js'
import { memoryStore } from '../../engine/store/memory.js'
import { createTable, optionsOf, put, rows, taskTable } from './rim-support.js'

it.each([[5_000, true], [100, false]])('after one entry of %i rows: %s', async (count, written) => {
  const location = memoryStore()
  const store = await location.open()
  const space = await createSpace(store, optionsOf('rows'))
  const table = space.current.nextObject
  await space.commit(createTable(taskTable(table), 'task'), space.current)
  await space.commit(rows(...Array.from({ length: count }, (_, i) => put('insert', table, BigInt(i), 1n, 'x'))), space.current)
  const snapshots = new Snapshots(space)
  await snapshots.afterChange()
  expect(await store.readSnapshot()).toBeUndefined()
  await snapshots.finish()
  const first = await store.readSnapshot()
  expect(first !== undefined).toBe(written)
  await snapshots.finish()
  const { head } = space
  await space.close()

  const again = await openSpace(await location.open(), optionsOf('again'))
  expect(again.head).toEqual(head)
  expect(again.current.count(table)).toBe(count)
  await new Snapshots(again).finish()
  expect((await again.store.readSnapshot())?.meta).toEqual(first?.meta)
  await again.close()
})
