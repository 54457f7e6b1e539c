/**
 * A replica in a process of its own, for `journey/memory.ts`: `memory-child.ts DIRECTORY`. Opens the space, reads every row, and tells by how many bytes
 * the process has grown since it had opened one without rows, garbage collected.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createSpace, memoryStore, openSpace } from 'sealdb'
import { fileStore } from '../engine/store/file/file.js'
import { fillSpace } from './journey/people.js'

const SCAN = 'SELECT sum(length(note)) FROM task'
setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const empty = await createSpace({ store: memoryStore(), offline: true })
await fillSpace(empty, 1_000)
await empty.query(SCAN)
await empty.close()
const before = resident()
const space = await openSpace({ store: fileStore(process.argv[2] ?? '.'), offline: true })
await space.query(SCAN)
const after = resident()
await space.close()
process.send?.(after - before)

function resident(): number {
  for (let i = 0; i < 3; i++) collect()
  return process.memoryUsage.rss()
}
