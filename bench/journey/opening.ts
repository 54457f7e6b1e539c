/** Opening a space of many rows from a file store: to the first answer of a point query, and of a query that reads every row. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSpace, openSpace } from 'sealdb'
import { fileStore } from '../../engine/store/file/file.js'
import type { Figure } from '../bars.js'
import { type Took, took } from '../clock.js'
import { short } from '../report.js'
import { fillSpace } from './people.js'

const QUERIES = [
  ['open, first point query', 'SELECT title FROM task WHERE id = 4711'],
  ['open, first full scan', 'SELECT sum(length(note)) FROM task'],
] as const

export async function opening(rows: number, times: number): Promise<Figure[]> {
  const directory = mkdtempSync(join(tmpdir(), 'sealdb-bench-'))
  try {
    const space = await createSpace({ store: fileStore(directory), offline: true })
    await fillSpace(space, rows)
    await space.close()
    const figures: Figure[] = []
    for (const [name, sql] of QUERIES) {
      let best: Took = { wall: Infinity, cpu: Infinity }
      for (let turn = 0; turn < times; turn++) {
        const { wall, cpu } = await openAndAsk(directory, sql)
        best = { wall: Math.min(best.wall, wall), cpu: Math.min(best.cpu, cpu) }
      }
      figures.push({ name, value: best.cpu, unit: 'ms of CPU', note: `${rows} rows, file store; ${short(best.wall)} ms by the wall` })
    }
    return figures
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

async function openAndAsk(directory: string, sql: string): Promise<Took> {
  let close = async (): Promise<void> => {}
  const time = await took(async () => {
    const space = await openSpace({ store: fileStore(directory), offline: true })
    close = () => space.close()
    await space.query(sql)
  })
  await close()
  return time
}
