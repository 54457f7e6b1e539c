/** Snapshots as images: taken up as they were written, never otherwise, and alive afterwards. */
import { describe, expect, it } from 'vitest'
import { audit } from '../../engine/space/audit.js'
import { createSpace, openSpace } from '../../engine/space/open.js'
import { readStoredSnapshot, writeStoredSnapshot } from '../../engine/space/snapshot.js'
import { snapshotSeal } from '../../engine/space/snapshot-image.js'
import type { Space } from '../../engine/space/space.js'
import type { SpaceView } from '../../engine/space/view.js'
import { StateTree } from '../../engine/state/tree.js'
import { memoryStore } from '../../engine/store/memory.js'
import type { StoredSnapshot } from '../../engine/store/store.js'
import { createTable, crypto, optionsOf, put, rows, taskTable } from './rim-support.js'

async function filled(count: number): Promise<{ readonly location: ReturnType<typeof memoryStore>; readonly space: Space }> {
  const location = memoryStore()
  const space = await createSpace(await location.open(), optionsOf('image'))
  await space.commit(createTable(taskTable(1), 'task'), space.current)
  const body = (i: number): string => 'x'.repeat(i % 7 === 0 ? 3_000 : i % 50)
  await space.commit(rows(...Array.from({ length: count }, (_, i) => put('insert', 1, BigInt(i), 1n, body(i)))), space.current)
  await space.commit(rows(put('insert', 1, -1n, 1n, 'y'.repeat(40_000)), put('update', 1, 7n, 1n, 'z')), space.current)
  await writeStoredSnapshot(space.store, space.head, (space.verified as SpaceView).held, space.log, space.snapshotSeal)
  return { location, space }
}

async function parts({ meta, chunks }: StoredSnapshot): Promise<{ meta: Uint8Array; chunks: Uint8Array[] }> {
  const list: Uint8Array[] = []
  for await (const chunk of chunks) list.push(chunk)
  return { meta: meta.slice(), chunks: list }
}

describe('a snapshot that is an image', () => {
  it.each([8, 3_000])('of %i rows is taken up without a hash, and goes on as the state that was written', async (count) => {
    const { location, space } = await filled(count)
    const follower = await readStoredSnapshot(space.store, space.env, space.snapshotSeal)
    expect(follower?.head).toEqual(space.head)
    expect(follower?.states.stats().hashes).toBe(0)
    const rebuilt = new StateTree(crypto)
    expect(rebuilt.root(rebuilt.build(follower?.state.tree.scan(new Uint8Array(0)) ?? []))).toEqual(space.head.stateRoot)
    follower?.release()
    expect(follower?.states.stats()).toMatchObject({ versions: 0, nodes: 0, nodeBytes: expect.any(Number) })

    await space.commit(rows({ kind: 'delete', table: 1, key: [0n] }, put('insert', 1, 77_777n, 1n, 'new'), put('insert', 1, 77_778n, 1n, 'w'.repeat(3_000))), space.current)
    const { head } = space
    await space.close()
    const again = await openSpace(await location.open(), optionsOf('image again'))
    expect(again.head).toEqual(head)
    await again.commit(rows(put('update', 1, 77_777n, 1n, 'newer')), again.current)
    expect((await audit(again.store, crypto)).problems).toEqual([])
    await again.close()
  })

  it('is refused for any part changed, cut, swapped or of another device, and the log is replayed', async () => {
    const { location, space } = await filled(3_000)
    const sound = await parts(await space.store.readSnapshot() as StoredSnapshot)
    expect(sound.chunks.length).toBeGreaterThanOrEqual(4)
    const tamper: ((snapshot: { meta: Uint8Array; chunks: Uint8Array[] }) => void)[] = [
      ({ meta }) => { meta[5] = (meta[5] as number) ^ 1 },
      ...sound.chunks.map((_, i) => ({ chunks }: { chunks: Uint8Array[] }) => { const chunk = chunks[i] as Uint8Array; chunk[chunk.length >> 1] = (chunk[chunk.length >> 1] as number) ^ 1 }),
      ({ chunks }) => { chunks.pop() },
      ({ chunks }) => { chunks.push(chunks[1] as Uint8Array) },
      ({ chunks }) => { chunks.reverse() },
    ]
    for (const change of tamper) {
      const copy = { meta: sound.meta.slice(), chunks: sound.chunks.map((chunk) => chunk.slice()) }
      change(copy)
      await space.store.writeSnapshot(copy.meta, copy.chunks)
      await expect(readStoredSnapshot(space.store, space.env, space.snapshotSeal)).rejects.toMatchObject({ code: 'store-corrupt' })
    }
    const another = snapshotSeal(optionsOf('other'), crypto.signer(new Uint8Array(32).fill(7)), space.id)
    await space.store.writeSnapshot(sound.meta, sound.chunks)
    await expect(readStoredSnapshot(space.store, space.env, another)).rejects.toMatchObject({ code: 'store-corrupt' })
    const { head } = space
    await writeStoredSnapshot(space.store, space.head, (space.verified as SpaceView).held, space.log, another)
    await space.close()

    const again = await openSpace(await location.open(), optionsOf('image again'))
    expect(again.head).toEqual(head)
    const alerts: string[] = []
    again.on('alert', ({ code }) => alerts.push(code))
    await new Promise((resolve) => setTimeout(resolve, 0))
    expect(alerts).toEqual(['tampered'])
    await again.close()
  })

  it('leaves no image behind without a seal: version 2 is written, and read by anybody', async () => {
    const { space } = await filled(10)
    await writeStoredSnapshot(space.store, space.head, (space.verified as SpaceView).held, space.log)
    expect((await space.store.readSnapshot())?.meta[0]).toBe(2)
    expect((await readStoredSnapshot(space.store, space.env, undefined))?.head).toEqual(space.head)
    await space.close()
  })
})
