/** `npm run slt [-- options and files]`: the shared sqllogictest runner on SealDB; without arguments every set. */
import { spawnSync } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import { SETS, SHARED } from './sets.js'

const runner = `${SHARED}/tools/slt-runner.mjs`
if (!existsSync(runner)) console.log(`skipped: ${runner} is not here`)
else {
  const given = process.argv.slice(2)
  const args = given.length > 0 ? given : ['--quiet', ...SETS.map((set) => `${SHARED}/fixtures/slt/${set}`)]
  // By its real path: behind a link it takes itself for a module and does nothing.
  const { status } = spawnSync(process.execPath, [realpathSync(runner), '--adapter', 'test/slt/adapter.mjs', ...args], { stdio: 'inherit' })
  process.exitCode = status ?? 1
}
