/** The process that process.test.ts kills: opens (or founds) the space in argv[2] and puts, reads and deletes files without pause. `put seed length id`, `gone id`: acknowledged. */
import { existsSync } from 'node:fs'
import { createSpace, openSpace } from '../../engine/space/open.js'
import { openFiles } from '../../engine/space/open-files.js'
import { fileStore } from '../../engine/store/file/file.js'
import { SealError } from '../../engine/errors.js'
import { say } from '../child-lines.js'
import { optionsOf } from '../space/rim-support.js'
import { lengthOf, sampleBytes } from './samples.js'

const [, , path = '', seed = ''] = process.argv
const founded = existsSync(path)
const store = await fileStore(path).open()
const options = optionsOf(seed)
const space = founded && store.get('head') ? await openSpace(store, options) : await createSpace(store, options)
const { files, entries } = openFiles(space, {
  random: options.random, onLanded: () => undefined, carried: () => Promise.resolve(), holds: () => Promise.resolve(() => false),
  source: () => Promise.reject(new SealError('unavailable', 'Nobody else has it.')),
})
space.on('change', () => entries.afterChange())
entries.afterChange()
say('open')
for (let n = 100_000 * Number(seed); ; n++) {
  const { id, length } = await files.put(sampleBytes(lengthOf(n), n), { name: String(n) })
  say(`put ${n} ${length} ${id}`)
  if (n % 3 !== 0) continue
  say(`going ${id}`)
  await files.delete(id)
  say(`gone ${id}`)
}
