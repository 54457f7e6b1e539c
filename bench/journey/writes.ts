/** Writing: one big transaction against raw sql.js, and single inserts on a file store with and without fsync. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import initSqlJs from 'sql.js'
import { createSpace, type SealedSpace } from 'sealdb'
import { fileStore } from '../../engine/store/file/file.js'
import type { Figure } from '../bars.js'
import { quickest, sideBySide } from '../clock.js'
import { short } from '../report.js'
import { fillSpace, fillSqlJs, INSERT_TASK, insertSqlJs, insertTasks, taskRow } from './people.js'

const BULK = 10_000

export async function writes(times: number): Promise<Figure[]> {
  return [...(await bulk(times)), await singles('single INSERT, fsync', 'always', times), await singles('single INSERT, no fsync', 'never', times)]
}

async function bulk(times: number): Promise<Figure[]> {
  return withSpace('always', async (space) => {
    const peer = new (await initSqlJs()).Database()
    fillSqlJs(peer, 0)
    // Warm, too: of the CPU of a process's first twelve turns V8's helpers take two fifths, most of it to compile.
    const { ours, theirs } = await sideBySide(8 * times, (turn) => insertTasks(space, turn * BULK, BULK), (turn) => { insertSqlJs(peer, turn * BULK, BULK) })
    peer.close()
    return [
      { name: 'bulk INSERT', value: BULK / (ours.cpu / 1e3), unit: 'rows/s of CPU', note: `${BULK} rows, sealed, signed, durable; ${short(BULK / (ours.wall / 1e3))}/s by the wall` },
      { name: 'bulk INSERT against sql.js', value: theirs.cpu / ours.cpu, unit: '× sql.js', note: `sql.js ${short(BULK / (theirs.cpu / 1e3))} rows/s of CPU` },
    ]
  })
}

async function singles(name: string, fsync: 'always' | 'never', times: number): Promise<Figure> {
  const count = 500
  return withSpace(fsync, async (space) => {
    // Warm, as the reads are: the first thousand or two are compiled while they run.
    const { wall, cpu } = await quickest(8 * times, async (turn) => {
      for (let i = 0; i < count; i++) await space.query(INSERT_TASK, taskRow(turn * count + i))
    })
    const [value, other] = fsync === 'always' ? [wall, cpu] : [cpu, wall]
    const unit = fsync === 'always' ? '/s by the wall' : '/s of CPU'
    return { name, value: count / (value / 1e3), unit, note: `one entry each; ${short(count / (other / 1e3))}/s ${fsync === 'always' ? 'of CPU' : 'by the wall'}` }
  })
}

/** On a file store in a directory of its own, gone afterwards. */
async function withSpace<T>(fsync: 'always' | 'never', use: (space: SealedSpace, directory: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'sealdb-bench-'))
  try {
    const space = await createSpace({ store: fileStore(directory, { fsync }), offline: true })
    await fillSpace(space, 0)
    const result = await use(space, directory)
    await space.close()
    return result
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
