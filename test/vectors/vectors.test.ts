import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { formatVectors, loadSources, VECTORS_FOLDER } from './registry.js'

const sources = await loadSources()

test.each(sources.map((source) => [source.name, source] as const))('%s.json is what the code makes (else: npm run vectors, and mind what changed)', async (_, source) => {
  expect(readFileSync(join(VECTORS_FOLDER, `${source.name}.json`), 'utf8')).toBe(`${formatVectors(await source.build())}\n`)
})

test('every vector file has a source', () => {
  const files = readdirSync(VECTORS_FOLDER).filter((file) => file.endsWith('.json'))
  expect(files.toSorted()).toEqual(sources.map((source) => `${source.name}.json`).toSorted())
})
