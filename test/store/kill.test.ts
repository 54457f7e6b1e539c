/**
 * kill −9, for real: a process commits, snapshots and compacts without pause and is killed at a random moment. Whoever opens the store
 * next finds everything that was acknowledged, nothing twice, and the snapshot whole. SEALDB_KILLS=1000 for the long run.
 */
import { spawn } from 'node:child_process'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decodeUtf8 } from '../../engine/codec/bytes.js'
import { fileStore } from '../../engine/store/file/file.js'
import { bundleChild } from '../child-bundle.js'
import { readChunks, record } from './conformance-data.js'

const KILLS = Number(process.env['SEALDB_KILLS'] ?? 60)
/** Stores that are worked on at once. */
const STORES = 2

let place = ''
let script = ''
beforeAll(async () => { ({ place, script } = await bundleChild('./kill-child.ts', import.meta.url)) })
afterAll(() => rm(place, { recursive: true }))

interface Life {
  readonly opened: { readonly first: number; readonly size: number } | undefined
  readonly acknowledged: number
  readonly snapshot: number
}

/** Start a child on the store and kill it some time after it has opened. */
async function live(path: string, milliseconds: number): Promise<Life> {
  const child = spawn(process.execPath, [script, path], { stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  let errors = ''
  let timer: NodeJS.Timeout | undefined
  child.stdout.setEncoding('latin1').on('data', (text: string) => {
    out += text
    timer ??= setTimeout(() => child.kill('SIGKILL'), milliseconds)
  })
  const early = milliseconds % 5 === 0 ? setTimeout(() => child.kill('SIGKILL'), 40 + milliseconds) : undefined // perhaps while it opens
  child.stderr.setEncoding('latin1').on('data', (text: string) => (errors += text))
  await new Promise((resolve) => child.once('close', resolve))
  clearTimeout(early)
  expect(errors).toBe('')
  const lines = out.split('\n').slice(0, -1).map((line) => line.split(' '))
  const last = (word: string): number => Number(lines.findLast(([first]) => first === word)?.[1] ?? 0)
  const opened = lines.find(([first]) => first === 'open')
  return { opened: opened && { first: Number(opened[1]), size: Number(opened[2]) }, acknowledged: last('ack'), snapshot: last('snapshot') }
}

/** At least what was acknowledged, and at most the three commits that were under way more. */
function expectSize(size: number, acknowledged: number, where: string): void {
  expect(size, where).toBeGreaterThanOrEqual(acknowledged)
  expect(size - acknowledged, where).toBeLessThanOrEqual(3)
}

describe('kill −9 of a process that commits, snapshots and compacts', () => {
  it(`loses nothing acknowledged and doubles nothing, ${KILLS} times`, { timeout: 60_000 + KILLS * 2000 }, async () => {
    await Promise.all(Array.from({ length: STORES }, async (_, which) => {
      const path = join(place, `store-${which}`)
      let acknowledged = 0
      let snapshot = 0
      for (let i = 0; i < KILLS / STORES; i++) {
        const life = await live(path, (i * 37) % 120)
        if (life.opened) expectSize(life.opened.size, acknowledged, `kill ${i}`)
        acknowledged = Math.max(acknowledged, life.opened?.size ?? 0, life.acknowledged)
        snapshot = Math.max(snapshot, life.snapshot)
        if (i % 3 === 1) continue // the next to open it is a child, which is killed too, perhaps while recovering
        const store = await fileStore(path, { segmentLength: 20_000 }).open()
        const { first, size } = store
        expectSize(size, acknowledged, `kill ${i}`)
        expect(await store.read(first, size)).toEqual(Array.from({ length: size - first }, (_, k) => record(first + k, 50 + ((first + k) % 500))))
        if (size > 0) expect(decodeUtf8(store.get('head') ?? new Uint8Array(0))).toBe(String(size))
        for (const name of store.names('n/')) expect(Number(decodeUtf8(store.get(name) ?? new Uint8Array(0))) % 7).toBe(Number(name.slice(2)))
        const found = await store.readSnapshot()
        const at = found ? Number(decodeUtf8(found.meta)) : 0
        expect(at).toBeGreaterThanOrEqual(snapshot)
        if (found) expect(await readChunks(found)).toEqual(Array.from({ length: 5 }, (_, k) => record(at + k, 5000)))
        acknowledged = size
        snapshot = at
        expect((await readdir(path)).filter((name) => name.endsWith('.tmp'))).toEqual([])
        await store.close()
      }
      expect(acknowledged).toBeGreaterThan(KILLS)
      expect(snapshot).toBeGreaterThan(0)
    }))
  })
})
