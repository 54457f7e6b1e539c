/**
 * The process of full-disk.test.ts: no file of its store may grow beyond a limit that the system sets (RLIMIT_FSIZE). It writes until that strikes, and says with what
 * code; then that all it had acknowledged can be read, and that a small write still goes through.
 */
import { isSealError } from '../../engine/errors.js'
import { createSpace } from '../../engine/space/open.js'
import { fileStore } from '../../engine/store/file/file.js'
import { say } from '../child-lines.js'
import { createTable, optionsOf, put, rows, taskTable } from './rim-support.js'

const store = await fileStore(process.argv[2] ?? '').open()
const space = await createSpace(store, optionsOf('full disk'))
await space.commit(createTable(taskTable(1), 'table:task'), space.current)
let n = 0
try {
  for (;;) {
    await space.commit(rows(put('insert', 1, BigInt(n), 0n, 'x'.repeat(10_000))), space.current)
    n++
  }
} catch (error) {
  if (!isSealError(error)) throw error
  say(`refused ${error.code} ${String(error.facts['outcome'])} ${String(error.facts['errno'])}`)
}
say(`held ${[...space.current.rows(1)].length} of ${n}, writable ${space.writable}`)
await space.commit(rows(put('insert', 1, 1_000n, 0n, 'small')), space.current)
say(`rows ${[...space.current.rows(1)].length}`)
await space.close()
