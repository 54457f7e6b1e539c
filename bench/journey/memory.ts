/** What a replica takes of memory for each of its rows, all of them loaded into SQLite. */
import { fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSpace } from 'sealdb'
import { fileStore } from '../../engine/store/file/file.js'
import type { Figure } from '../bars.js'
import { fillSpace, taskRow } from './people.js'

export async function memory(rows: number): Promise<Figure[]> {
  const directory = mkdtempSync(join(tmpdir(), 'sealdb-bench-'))
  try {
    const space = await createSpace({ store: fileStore(directory), offline: true })
    await fillSpace(space, rows)
    await space.close()
    const grown = await told(directory)
    return [{ name: 'memory of a replica', value: grown / rows, unit: 'bytes a row', note: `${rows} rows of ${JSON.stringify(taskRow(rows)).length} bytes, resident, SQLite's copy among them` }]
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function told(directory: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = fork(new URL(import.meta.url.endsWith('.ts') ? '../memory-child.ts' : './memory-child.mjs', import.meta.url), [directory])
    child.once('message', (bytes) => { resolve(Number(bytes)) })
    child.once('exit', (code) => { reject(new Error(`The replica's process ended (${code}) without a word.`)) })
  })
}
