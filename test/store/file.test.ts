import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { fileStore } from '../../engine/store/file/file.js'
import { testStore } from './conformance.js'

const places: string[] = []
const place = async (): Promise<string> => {
  const path = await mkdtemp(join(tmpdir(), 'sealdb-store-'))
  places.push(path)
  return path
}
afterAll(() => Promise.all(places.map((path) => rm(path, { recursive: true }))))

testStore('file', async () => fileStore(await place()))
testStore('file, without fsync', async () => fileStore(await place(), { fsync: 'never' }))
testStore('file, small segments', async () => fileStore(await place(), { segmentLength: 2000 }))
