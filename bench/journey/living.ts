/** Live queries of tables that don't change: what each adds to an entry that is applied. */
import { createSpace, loadProvider, memoryStore } from 'sealdb'
import type { Figure } from '../bars.js'
import { took } from '../clock.js'
import { short } from '../report.js'
import { draftOf, tasksOf } from './growth.js'
import { fillSpace } from './people.js'

const QUERIES = 100
const ENTRIES = 100
const QUERY = 'SELECT count(*) AS people, max(name) FROM person'

/** Entries write tasks, the queries read people. In turns with and without the queries; the median of the differences. */
export async function living(turns: number): Promise<Figure[]> {
  const space = await createSpace({ store: memoryStore(), crypto: await loadProvider('node'), offline: true })
  await fillSpace(space, 0)
  const table = tasksOf(space)
  let [next, told] = [0, 0]
  const apply = async (): Promise<void> => {
    for (let i = 0; i < ENTRIES; i++) await space.engine.commit(draftOf(table, next++, 1), space.engine.current)
  }
  const differences: number[] = []
  for (let turn = -turns; turn < turns; turn++) {
    const alone = (await took(apply)).cpu
    const stops = await Promise.all(Array.from({ length: QUERIES }, () => new Promise<() => void>((resolve, reject) => {
      const stop = space.live(QUERY).subscribe(() => { told++; resolve(stop) }, reject)
    })))
    const watched = (await took(apply)).cpu
    for (const stop of stops) stop()
    if (turn >= 0) differences.push((1e3 * (watched - alone)) / (QUERIES * ENTRIES))
  }
  await space.close()
  if (told !== 2 * turns * QUERIES) throw new Error(`Live queries were told ${told} times: something read what did not change.`)
  const sorted = differences.toSorted((a, b) => a - b)
  return [{ name: 'live query, table unchanged', value: sorted[Math.floor(turns / 2)] ?? NaN, unit: 'µs of CPU an entry', note: `${QUERIES} of them at once; quartiles ${short(sorted[Math.floor(turns / 4)] ?? NaN)} and ${short(sorted[Math.floor((3 * turns) / 4)] ?? NaN)}` }]
}
