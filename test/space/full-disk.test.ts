/** A real file system that takes no more (attacks.md 36): the commit is refused as absent, the space stays usable, and whoever opens the store finds what was acknowledged. */
import { spawn } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { audit } from '../../engine/space/audit.js'
import { openSpace } from '../../engine/space/open.js'
import { fileStore } from '../../engine/store/file/file.js'
import { bundleChild } from '../child-bundle.js'
import { crypto, optionsOf } from './rim-support.js'

/** KiB that a file may have: `ulimit -f` of a shell, whose children inherit that they are not killed by it. */
const LIMIT = 200

test.skipIf(process.platform === 'win32')('a commit that the disk has no room for is refused, and nothing else', async () => {
  const { place, script } = await bundleChild('./full-disk-child.ts', import.meta.url)
  const store = join(place, 'store')
  const child = spawn('bash', ['-c', `trap '' XFSZ; ulimit -f ${LIMIT}; exec "$0" "$@"`, process.execPath, script, store], { stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
  const code = await new Promise((resolve) => child.once('close', resolve))
  expect({ code, errors }).toEqual({ code: 0, errors: '' })
  const [, held] = /^refused store-failed absent EFBIG\nheld (\d+) of \1, writable true\nrows \d+\n$/.exec(out) ?? []
  expect(out).toBe(`refused store-failed absent EFBIG\nheld ${held} of ${held}, writable true\nrows ${Number(held) + 1}\n`)
  expect(Number(held)).toBeGreaterThan(5)
  const opened = await fileStore(store).open()
  const space = await openSpace(opened, optionsOf('after'))
  expect([[...space.current.rows(1)].length, opened.torn, (await audit(opened, crypto)).problems]).toEqual([Number(held) + 1, undefined, []])
  await space.close()
  await rm(place, { recursive: true })
})
