/** `npm run vectors`: write every vector file. vectors.test.ts fails while a committed one differs. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { formatVectors, loadSources, VECTORS_FOLDER } from './registry.js'

for (const source of await loadSources()) {
  const path = join(VECTORS_FOLDER, `${source.name}.json`)
  writeFileSync(path, `${formatVectors(await source.build())}\n`)
  process.stdout.write(`wrote ${source.name}.json\n`)
}
