/** `sealdb bench`: a quick look at what this machine does, on a throw-away space. `npm run bench` in the repository measures properly. */
import { createSpace, memoryStore } from 'sealdb'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileStore } from '../../../engine/store/file/file.js'
import { text, wholeNumber, type Command } from '../command.js'

const SINGLES = 200
const READS = 2_000

export const bench: Command = {
  name: 'bench',
  args: '',
  summary: 'measure this machine, on a throw-away space',
  options: {
    rows: { type: 'string', value: 'N', help: 'rows of the table (default 10000)' },
    memory: { type: 'boolean', help: 'keep it in memory instead of a temporary directory' },
  },
  run: async (invocation) => {
    const { output } = invocation
    const rows = wholeNumber(text(invocation, 'rows') ?? '10000', '--rows', { min: 1, max: 10_000_000 })
    const directory = invocation.options.memory === true ? undefined : mkdtempSync(join(tmpdir(), 'sealdb-bench-'))
    const space = await createSpace({ store: directory === undefined ? memoryStore() : fileStore(directory) })
    const progress = output.progress('measuring')
    const results: Record<string, unknown>[] = []
    const measure = async (what: string, count: number, work: () => Promise<unknown>): Promise<void> => {
      const started = performance.now()
      await work()
      const seconds = (performance.now() - started) / 1_000
      results.push({ what, count, seconds: Number(seconds.toFixed(3)), 'per second': Math.round(count / seconds) })
      progress.update(results.length, 4)
    }
    try {
      await space.exec('CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT NOT NULL, price REAL)')
      await measure('rows inserted, one transaction', rows, () => space.transaction(async (tx) => {
        for (let i = 1; i <= rows; i++) await tx.query('INSERT INTO item VALUES (?, ?, ?)', [i, `item ${i}`, i / 10])
      }))
      await measure('single durable inserts', SINGLES, async () => {
        for (let i = 1; i <= SINGLES; i++) await space.query('INSERT INTO item VALUES (?, ?, ?)', [rows + i, 'single', 1.5])
      })
      const point = space.prepare('SELECT name, price FROM item WHERE id = ?')
      await measure('point selects, prepared', READS, async () => {
        for (let i = 0; i < READS; i++) await point.get([1 + ((i * 7_919) % rows)])
      })
      await measure('rows summed in one scan', rows, () => space.query('SELECT sum(price) FROM item'))
    } finally {
      progress.done()
      await space.close()
      if (directory !== undefined) rmSync(directory, { recursive: true, force: true })
    }
    output.table(results)
    return 0
  },
}
