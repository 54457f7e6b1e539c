/**
 * How the cost of one entry of one row grows with the space: by the engine alone (built, sealed, signed, applied) and by SQL. In memory, so that no
 * disk is timed. The hashes of the state tree are counted, and don't depend on the machine.
 */
import { createSpace, loadProvider, memoryStore, type SealedSpace } from 'sealdb'
import type { Draft } from '../../engine/space/types.js'
import type { Figure } from '../bars.js'
import { quickest, took } from '../clock.js'
import { short } from '../report.js'
import { fillSpace, INSERT_TASK, insertTasks, taskRow } from './people.js'

/** Few, so that the space is of its size still when they are in. */
const ENTRIES = 25
/** The more after a larger load: the collector has work left of it, in these entries and in threads of its own. */
const runsFor = (size: number): number => (size < 100_000 ? 16 : 48)
/** Code that has just been compiled is slow. */
const WARM_UP = 4_000

export async function growth(sizes: readonly number[]): Promise<Figure[]> {
  const warm = await begin()
  for (let i = 0; i < WARM_UP; i += 2) {
    await warm.space.engine.commit(draftOf(warm.table, i, 1), warm.space.engine.current)
    await warm.space.query(INSERT_TASK, taskRow(i + 1))
  }
  await warm.space.close()
  const { space, table } = await begin()
  const figures: Figure[] = []
  let rows = 0
  for (const size of sizes) {
    for (; rows < size; rows += Math.min(10_000, size - rows)) await insertTasks(space, rows, Math.min(10_000, size - rows))
    figures.push(await entry(space, size, rows, 'by the engine', async (i) => { await space.engine.commit(draftOf(table, i, 1), space.engine.current) }))
    rows += 1 + runsFor(size) * ENTRIES
    figures.push(await entry(space, size, rows, 'by SQL INSERT', async (i) => { await space.query(INSERT_TASK, taskRow(i)) }))
    rows += 1 + runsFor(size) * ENTRIES
  }
  await space.close()
  return figures
}

async function entry(space: SealedSpace, size: number, first: number, how: string, write: (i: number) => Promise<void>): Promise<Figure> {
  let next = first
  // Rows that the engine wrote meanwhile come into SQLite with the first.
  await write(next++)
  const hashes = space.engine.stats.hashes
  let written = 0
  const { cpu } = await quickest(runsFor(size), async () => {
    for (let i = 0; i < ENTRIES; i++, written++) await write(next++)
  })
  const each = (space.engine.stats.hashes - hashes) / written
  return { name: `one row into ${size.toLocaleString('en-US')}, ${how}`, value: (1e3 * cpu) / ENTRIES, unit: 'µs of CPU', note: `${short(each)} hashes of the state tree an entry` }
}

/** One entry of 10,000 rows, without SQL. */
export async function engineAlone(times: number): Promise<Figure[]> {
  const count = 10_000
  const { space, table } = await begin()
  let best = Infinity
  // Warm: the first turns are compiled while they run.
  for (let turn = 0; turn < 4 * times; turn++) {
    const draft = draftOf(table, turn * count, count)
    best = Math.min(best, (await took(() => space.engine.commit(draft, space.engine.current))).cpu)
  }
  await space.close()
  return [{ name: 'engine alone, 10k rows in an entry', value: count / (best / 1e3), unit: 'rows/s of CPU', note: 'sealed, signed, applied; no SQL, no disk' }]
}

async function begin(): Promise<{ readonly space: SealedSpace; readonly table: number }> {
  const space = await createSpace({ store: memoryStore(), crypto: await loadProvider('node'), offline: true })
  await fillSpace(space, 0)
  return { space, table: tasksOf(space) }
}

/** The table of tasks, while it is empty: the engine knows no names. */
export function tasksOf({ engine: { current } }: SealedSpace): number {
  const tasks = current.catalog.find(({ kind, id }) => kind === 'table' && current.count(id) === 0)
  if (tasks === undefined) throw new Error('The table of tasks is not there.')
  return tasks.id
}

/** Rows as SQL would make them, with a sealed body of about 200 bytes. */
export function draftOf(table: number, first: number, count: number): Draft {
  const body = new Uint8Array(200).fill(7)
  return { catalog: [], reads: [], rows: Array.from({ length: count }, (_, i) => ({ kind: 'insert', table, key: [BigInt(first + i)], row: { plain: [], blind: [], body } })) }
}
