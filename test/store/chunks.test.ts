/** Chunks beside the log, in every store of a device; and in files: what a crash, a torn write, a foreign file and closed stores leave. */
import 'fake-indexeddb/auto'
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { fileStore, fileStoreIn } from '../../engine/store/file/file.js'
import { indexedDbStore } from '../../engine/store/indexeddb.js'
import { memoryStore } from '../../engine/store/memory.js'
import type { StoreLocation } from '../../engine/store/store.js'
import { codeOfLater } from '../outcomes.js'
import { chunkConformance, type OpenChunks } from './chunks.conformance.js'
import { SimulatedDisk, type Survival } from './disk.js'

const home = mkdtempSync(join(tmpdir(), 'sealdb-chunks-'))
let places = 0
const place = (): string => join(home, String(places++))
afterAll(() => rmSync(home, { recursive: true, force: true }))

async function openAt(location: StoreLocation): Promise<OpenChunks> {
  const store = await location.open()
  return {
    chunks: store.chunks,
    close: () => store.close(),
    again: async () => {
      await store.close()
      expect(await codeOfLater(store.chunks.groups())).toBe('store-closed')
      return openAt(location)
    },
  }
}

describe('memory', () => chunkConformance(() => openAt(memoryStore())))
describe('file', () => chunkConformance(() => openAt(fileStore(place()))))
describe('file, on a simulated disk', () => chunkConformance(() => openAt(fileStoreIn(new SimulatedDisk()))))
describe('indexeddb', () => chunkConformance(() => openAt(indexedDbStore(`chunks-${places++}`))))

it('a database of before there were chunks gets a place for them, and keeps what it has', async () => {
  const name = `old-${places++}`
  const location = indexedDbStore(name)
  await new Promise<void>((resolve, reject) => {
    const opening = indexedDB.open(name, 1)
    opening.onupgradeneeded = () => { for (const each of ['log', 'values', 'chunks', 'state']) opening.result.createObjectStore(each) }
    opening.onsuccess = () => {
      const transaction = opening.result.transaction(['log', 'values', 'state'], 'readwrite')
      transaction.objectStore('log').put(Uint8Array.of(7), 0)
      transaction.objectStore('values').put(Uint8Array.of(8), 'head')
      transaction.objectStore('state').put({ version: 1, storeId: new Uint8Array(16), owner: new Uint8Array(16), first: 0, size: 1, seal: undefined, snapshot: undefined }, 'state')
      transaction.oncomplete = () => {
        opening.result.close()
        resolve()
      }
    }
    opening.onerror = () => reject(opening.error ?? new Error('not opened'))
  })
  await using store = await location.open()
  expect([store.size, store.get('head'), await store.read(0, 1)]).toEqual([1, Uint8Array.of(8), [Uint8Array.of(7)]])
  await store.chunks.put('ab', 0, Uint8Array.of(9))
  expect(await store.chunks.get('ab', 0)).toEqual(Uint8Array.of(9))
})

describe('in files', () => {
  it('are private, and nothing is made before there is one', async () => {
    const path = place()
    await using store = await fileStore(path).open()
    await store.chunks.groups()
    expect(readdirSync(path)).not.toContain('files')
    await store.chunks.put('ab', 3, Uint8Array.of(1))
    expect([readdirSync(join(path, 'files')), statSync(join(path, 'files')).mode & 0o777, statSync(join(path, 'files', 'ab.3')).mode & 0o777]).toEqual([['ab.3'], 0o700, 0o600])
  })

  it('an interrupted put and a foreign file count for nothing', async () => {
    const path = place()
    const location = fileStore(path)
    const store = await location.open()
    await store.chunks.put('ab', 0, Uint8Array.of(1))
    await store.close()
    writeFileSync(join(path, 'files', '7.tmp'), 'half')
    writeFileSync(join(path, 'files', 'README'), 'of somebody')
    await using again = await location.open()
    expect([...(await again.chunks.groups())]).toEqual([['ab', 1]])
    expect(readdirSync(join(path, 'files')).sort()).toEqual(['README', 'ab.0'])
  })

  it('what was synced survives every crash; what was not is whole, or to be seen as damaged by its length or content, and the log is untouched', async () => {
    for (const survival of ['lose', 'keep', 'torn'] satisfies Survival[]) {
      for (let step = 0; step < 40; step++) {
        const disk = new SimulatedDisk()
        const store = await fileStoreIn(disk).open()
        await store.commit({ at: 0, append: [Uint8Array.of(9)] })
        disk.plan = { step: disk.steps + step, fault: step % 2 === 0 ? 'crash' : 'crash-done' }
        let synced = 0
        try {
          for (let n = 0; n < 6; n++) {
            await store.chunks.put('ab', n, new Uint8Array(1500).fill(n + 1))
            if (n % 2 === 0) continue
            await store.chunks.sync()
            synced = n + 1
          }
        } catch (error) {
          expect((error as { code?: string }).code).toBe('store-failed')
        }
        await using again = await fileStoreIn(disk.crash(survival, () => ((step * 7919) % 100) / 100)).open()
        expect(again.size).toBe(1)
        for (let n = 0; n < synced; n++) expect(await again.chunks.get('ab', n)).toEqual(new Uint8Array(1500).fill(n + 1))
        await again.chunks.put('ab', 0, Uint8Array.of(5))
        expect(await again.chunks.get('ab', 0)).toEqual(Uint8Array.of(5))
      }
    }
  })

  it('a disk that fails says so, and the store goes on', async () => {
    for (const fault of ['fail', 'short'] as const) {
      const disk = new SimulatedDisk()
      await using store = await fileStoreIn(disk).open()
      disk.plan = { step: disk.steps + 1, fault } // the write
      expect(await codeOfLater(store.chunks.put('ab', 0, new Uint8Array(100)))).toBe('store-failed')
      expect(await store.chunks.get('ab', 0)).toBeUndefined()
      await store.chunks.put('ab', 0, new Uint8Array(100).fill(2))
      expect(await store.chunks.get('ab', 0)).toEqual(new Uint8Array(100).fill(2))
    }
  })
})
