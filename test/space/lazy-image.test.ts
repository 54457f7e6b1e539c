/** A large image in a file store, whose parts are read when something asks for them: what is damaged is never read as something else, and the next opening goes without it. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { audit } from '../../engine/space/audit.js'
import { createSpace, openSpace } from '../../engine/space/open.js'
import { readStoredSnapshot, Snapshots, writeStoredSnapshot } from '../../engine/space/snapshot.js'
import type { Space } from '../../engine/space/space.js'
import type { SpaceView } from '../../engine/space/view.js'
import type { Row } from '../../engine/state/read.js'
import { fileStore } from '../../engine/store/file/file.js'
import { createTable, crypto, optionsOf, put, rows, taskTable } from './rim-support.js'

const COUNT = 6_000
const ALL = new Uint8Array(0)
let root = ''
let sound: Buffer
let expected: readonly string[]
let middle: Row
let copies = 0

async function open(place: string): Promise<Space> {
  const store = await fileStore(place).open()
  try {
    return await openSpace(store, optionsOf('again'))
  } catch (error) {
    await store.close()
    throw error
  }
}
const heldOf = (space: Space) => (space.verified as SpaceView).held
/** Rows as text: quick to compare. */
const textOf = ({ key, value }: Row): string => `${Buffer.from(key).toString('latin1')}=${Buffer.from(value).toString('latin1')}`
const scan = (space: Space): string[] => textsOf(heldOf(space).tree.scan(ALL))
const textsOf = (found: Iterable<Row> = []): string[] => [...found].map(textOf)
const row = (i: number) => put('insert', 1, BigInt(i), 1n, 'x'.repeat(i % 7 === 0 ? 3_000 : 300 + (i % 50)))

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'sealdb-lazy-'))
  const space = await createSpace(await fileStore(join(root, 'sound')).open(), optionsOf('image'))
  await space.commit(createTable(taskTable(1), 'task'), space.current)
  await space.commit(rows(...Array.from({ length: COUNT }, (_, i) => row(i))), space.current)
  await writeStoredSnapshot(space.store, space.head, heldOf(space), space.log, space.snapshotSeal)
  expected = scan(space)
  middle = heldOf(space).tree.state.nth(COUNT >> 1) as Row
  await space.close()
  sound = await readFile(join(root, 'sound', 'snapshot'))
})
afterAll(() => rm(root, { recursive: true }))

/** Where the store lies again as it was, but for its snapshot. */
async function copy(change: (snapshot: Buffer) => Buffer = (snapshot) => snapshot): Promise<string> {
  const place = join(root, String(copies++))
  await cp(join(root, 'sound'), place, { recursive: true })
  await writeFile(join(place, 'snapshot'), change(Buffer.from(sound)))
  return place
}

const flipped = (at: number) => (snapshot: Buffer): Buffer => {
  snapshot[at] = (snapshot[at] as number) ^ 1
  return snapshot
}

/** The payloads of its frames: meta, chunks, end. */
function frames(): { readonly at: number; readonly length: number }[] {
  const out: { at: number; length: number }[] = []
  for (let at = 34; at < sound.length; at += (out.at(-1)?.length ?? 0) + 9) out.push({ at: at + 5, length: sound.readUInt32BE(at) })
  return out
}

async function alertsOf(space: Space): Promise<string[]> {
  const found: string[] = []
  space.on('alert', ({ code }) => found.push(code))
  await new Promise((resolve) => setTimeout(resolve, 0))
  return found
}

describe('a large image in a file store', () => {
  it('is read in part', async () => {
    const space = await open(await copy())
    const part = await readStoredSnapshot(space.store, space.env, space.snapshotSeal, () => expect.fail('nothing is damaged'))
    const whole = await readStoredSnapshot(space.store, space.env, space.snapshotSeal)
    const { key, value } = middle
    expect([part?.state.tree.get(key), whole?.state.tree.get(key)]).toEqual([value, value])
    expect(part?.states.stats().recordBytes).toBeLessThan(100_000)
    expect(textsOf(part?.state.tree.scan(ALL))).toEqual(expected)
    expect(textsOf(whole?.state.tree.scan(ALL))).toEqual(expected)
    expect(part?.states.stats()).toEqual(whole?.states.stats())
    expect(part?.states.stats().recordBytes).toBeGreaterThan(4_000_000)
    part?.release()
    await space.close()
  })

  it('goes on as the state that was written: rows changed and a table dropped of which nothing was read, written again, opened again', async () => {
    const place = await copy()
    const space = await open(place)
    await space.commit(rows(put('update', 1, 7n, 2n, 'new'), { kind: 'delete', table: 1, key: [4_000n] }), space.current)
    await writeStoredSnapshot(space.store, space.head, heldOf(space), space.log, space.snapshotSeal)
    await space.close()
    const again = await open(place)
    await again.commit({ catalog: [{ kind: 'drop', id: 1 }], rows: [], reads: [] }, again.current)
    await again.commit(createTable(taskTable(2), 'other'), again.current)
    await again.commit(rows(...Array.from({ length: 500 }, (_, i) => put('insert', 2, BigInt(i), 1n, 'y'.repeat(i)))), again.current)
    const [head, left] = [again.head, scan(again)]
    await writeStoredSnapshot(again.store, again.head, heldOf(again), again.log, again.snapshotSeal)
    await again.close()
    const last = await open(place)
    expect([last.head, scan(last), await alertsOf(last)]).toEqual([head, left, []])
    expect((await audit(last.store, crypto)).problems).toEqual([])
    await last.close()
  })

  it('damaged in any part: what is read is right or store-corrupt, and the next opening replays and writes another', async () => {
    const parts = frames().slice(1, -1)
    expect(parts.length).toBeGreaterThan(20)
    let atOnce = 0
    for (const [i, { at, length }] of parts.entries()) {
      const place = await copy(flipped(at + ((i * 7919) % length)))
      const space = await open(place)
      const told = await alertsOf(space)
      if (told.length > 0) {
        // Leaf hashes, the index, the root, the keyring's keys: needed at once, as ever.
        expect(told).toEqual(['tampered'])
        atOnce++
        expect(scan(space)).toEqual(expected)
        await space.close()
        continue
      }
      let read = 0
      expect(() => { for (const found of heldOf(space).tree.scan(ALL)) expect(textOf(found) === expected[read++]).toBe(true) }, `part ${i}`).toThrow(expect.objectContaining({ code: 'store-corrupt' }))
      expect(() => scan(space), `part ${i}`).toThrow(expect.objectContaining({ code: 'store-corrupt' }))
      // No snapshot is made of it, and closing works.
      await new Snapshots(space).finish()
      await space.close()
      if (i % 5 !== 2) continue
      const again = await open(place)
      expect([await alertsOf(again), scan(again)]).toEqual([['tampered'], expected])
      // Another one is due, though nothing has changed since; with it nothing is amiss any more.
      await new Snapshots(again).finish()
      await again.close()
      const mended = await open(place)
      expect([await alertsOf(mended), scan(mended)]).toEqual([[], expected])
      await mended.close()
      await rm(place, { recursive: true })
    }
    expect(atOnce).toBeLessThan(8)
  })

  it('is refused with the place of the damage when nothing else leads to the head', async () => {
    const { at } = frames().at(-3) as { at: number }
    const place = await copy(flipped(at + 1_000))
    const store = await fileStore(place).open()
    await store.commit({ keep: [store.size, store.size] })
    await store.close()
    const space = await open(place)
    expect(() => scan(space)).toThrow(expect.objectContaining({ code: 'store-corrupt' }))
    await space.close()
    await expect(open(place)).rejects.toMatchObject({ code: 'store-corrupt', facts: { file: 'snapshot', offset: at - 5 } })
  })

  it('cut short, of other parts or in another order is left aside at once', async () => {
    const [, first, second, ...rest] = frames() as [{ at: number; length: number }, ...{ at: number; length: number }[]]
    const swap = (snapshot: Buffer): Buffer => {
      const b = rest.findLast(({ length }, i) => rest.slice(0, i).some((other) => other.length === length)) as { at: number; length: number }
      const a = rest.findLast(({ at, length }) => at < b.at && length === b.length) as { at: number; length: number }
      const bytes = Buffer.from(snapshot.subarray(a.at, a.at + a.length))
      snapshot.copy(snapshot, a.at, b.at, b.at + b.length)
      bytes.copy(snapshot, b.at)
      return snapshot
    }
    const changes: ((snapshot: Buffer) => Buffer)[] = [
      (snapshot) => snapshot.subarray(0, snapshot.length >> 1),
      (snapshot) => snapshot.subarray(0, (rest.at(-2)?.at ?? 0) - 5),
      (snapshot) => Buffer.concat([snapshot.subarray(0, (first?.at ?? 0) - 5), snapshot.subarray((second?.at ?? 0) - 5)]),
    ]
    for (const change of changes) {
      const space = await open(await copy(change))
      expect([await alertsOf(space), scan(space)]).toEqual([['tampered'], expected])
      await space.close()
    }
    const space = await open(await copy(swap))
    expect(() => scan(space)).toThrow(expect.objectContaining({ code: 'store-corrupt' }))
    await space.close()
  })

  it('is not read any more once its store is closed', async () => {
    const space = await open(await copy())
    const { tree } = heldOf(space)
    await space.close()
    expect(() => [...tree.scan(ALL)]).toThrow(expect.objectContaining({ code: 'store-closed' }))
  })
})
