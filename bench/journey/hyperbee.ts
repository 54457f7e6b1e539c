/**
 * The state tree against hyperbee, a B-tree over an append-only Merkle log. It is no dependency of ours (its own are native, and 120 MB):
 * `npm install hyperbee@2.24.3 hypercore@10.37.0 random-access-memory@6` in a directory beside, which `--hyperbee DIRECTORY` names.
 *
 * Put: 10,000 rows into the tree and its root, one batch of theirs. Get: one row out of all. Both in memory, keys of 12 bytes at random, values of 200.
 */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { loadProvider } from 'sealdb'
import { StateTree } from '../../engine/state/tree.js'
import type { Figure } from '../bars.js'
import { sideBySide, type Took } from '../clock.js'
import { short } from '../report.js'
import { makeRows } from '../state.js'

const BATCH = 10_000
const GETS = 2_000

/** What we use of it. */
interface Bee {
  ready(): Promise<void>
  batch(): { put(key: Uint8Array, value: Uint8Array): Promise<void>; flush(): Promise<void> }
  get(key: Uint8Array): Promise<{ readonly value: Uint8Array } | null>
  close(): Promise<void>
}

export async function hyperbee(directory: string, times: number): Promise<Figure[]> {
  const bee = beeOf(directory)
  await bee.ready()
  const tree = new StateTree(await loadProvider('node'))
  let version = tree.build([])
  const rows = makeRows(times * BATCH)
  // Each batch has keys from all over.
  const batches = Array.from({ length: times }, (_, turn) => rows.filter((_, i) => i % times === turn))
  const puts = await sideBySide(times,
    (turn) => {
      const next = tree.apply(version, batches[turn] ?? [])
      tree.root(next)
      tree.release(version)
      version = next
    },
    async (turn) => {
      const batch = bee.batch()
      for (const { key, value } of batches[turn] ?? []) await batch.put(key, value)
      await batch.flush()
    })
  const asked = Array.from({ length: GETS }, (_, i) => rows[(i * 7919) % rows.length]?.key ?? new Uint8Array(0))
  const missing = (): never => { throw new Error('A row that was put is not there.') }
  const gets = await sideBySide(4 * times,
    () => { for (const key of asked) if (tree.get(version, key) === undefined) missing() },
    async () => { for (const key of asked) if ((await bee.get(key)) === null) missing() })
  await bee.close()
  const figure = (name: string, count: number, { ours, theirs }: { readonly ours: Took; readonly theirs: Took }): Figure =>
    ({ name, value: theirs.cpu / ours.cpu, unit: '× hyperbee', note: `${short(count / (ours.cpu / 1e3))}/s of CPU, hyperbee ${short(count / (theirs.cpu / 1e3))}/s, ${rows.length} rows` })
  return [figure('verified put', BATCH, puts), figure('verified get', GETS, gets)]
}

function beeOf(directory: string): Bee {
  const from = createRequire(join(directory, 'package.json'))
  const [Hyperbee, Hypercore, Ram] = ['hyperbee', 'hypercore', 'random-access-memory'].map((name) => from(name) as new (...given: unknown[]) => unknown)
  if (Hyperbee === undefined || Hypercore === undefined || Ram === undefined) throw new Error(`hyperbee is not in ${directory}.`)
  return new Hyperbee(new Hypercore((file: string) => new Ram(file)), { keyEncoding: 'binary', valueEncoding: 'binary' }) as Bee
}
