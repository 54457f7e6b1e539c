/** The rim on its own: a space without a relay, written, closed, opened again. */
import { describe, expect, it } from 'vitest'
import { isSealError } from '../../engine/errors.js'
import { audit } from '../../engine/space/audit.js'
import { createSpace, openSpace } from '../../engine/space/open.js'
import { writeStoredSnapshot } from '../../engine/space/snapshot.js'
import type { SpaceView } from '../../engine/space/view.js'
import { memoryStore } from '../../engine/store/memory.js'
import { createTable, crypto, optionsOf, put, rows, taskTable } from './rim-support.js'

const bodies = (view: { rows: (table: number) => Iterable<object> }, table: number): string[] =>
  [...view.rows(table)].map((row) => new TextDecoder().decode((row as { body: Uint8Array }).body))

describe('a space without a relay', () => {
  it('writes, reads, and is the same when opened again', async () => {
    const location = memoryStore()
    const space = await createSpace(await location.open(), optionsOf('a'), { name: 'Ada', device: 'laptop' })
    expect(space.me).toEqual({ member: 1, device: 1, role: 'owner' })
    await space.commit(createTable(taskTable(1), 'table:task'), space.current)
    await space.commit(rows(put('insert', 1, 1n, 7n, 'one'), put('insert', 1, 2n, 7n, 'two')), space.current)
    const before = space.current.retain()
    await space.commit(rows(put('update', 1, 2n, 7n, 'two again'), { kind: 'delete', table: 1, key: [1n] }), space.current)
    expect(bodies(space.current, 1)).toEqual(['two again'])
    expect(bodies(before, 1)).toEqual(['one', 'two'])
    expect([...space.current.changes(before, 1)].map(({ row }) => row !== undefined)).toEqual([false, true])
    expect(space.current.members()).toMatchObject([{ id: 1, role: 'owner', name: 'Ada', removed: false }])
    expect(space.current.devices()).toMatchObject([{ id: 1, member: 1, name: 'laptop' }])
    before.release()
    const head = space.head
    await space.close()

    const again = await openSpace(await location.open(), optionsOf('b'))
    expect(again.head).toEqual(head)
    expect(bodies(again.current, 1)).toEqual(['two again'])
    const past = await again.at(head.size - 1)
    expect(bodies(past, 1)).toEqual(['one', 'two'])
    past.release()
    await again.commit(rows(put('insert', 1, 3n, 1n, 'three')), again.current)
    expect(bodies(again.current, 1)).toEqual(['two again', 'three'])
    await again.close()
  })

  it('opens from its snapshot', async () => {
    const location = memoryStore()
    const space = await createSpace(await location.open(), optionsOf('c'))
    await space.commit(createTable(taskTable(1), 'table:task'), space.current)
    await space.commit(rows(...Array.from({ length: 500 }, (_, i) => put('insert', 1, BigInt(i), 0n, `row ${i}`))), space.current)
    await writeStoredSnapshot(space.store, space.head, (space.verified as SpaceView).held, space.log)
    await space.commit(rows(put('insert', 1, 1000n, 0n, 'after')), space.current)
    const head = space.head
    await space.close()
    const again = await openSpace(await location.open(), optionsOf('d'))
    expect(again.head).toEqual(head)
    expect(bodies(again.current, 1)).toHaveLength(501)
    await again.close()
  })

  it('refuses what the state machine refuses, with nothing changed', async () => {
    const space = await createSpace(await memoryStore().open(), optionsOf('e'))
    await space.commit(createTable(taskTable(1), 'table:task'), space.current)
    const head = space.head
    const refused = async (draft: Parameters<typeof space.commit>[0]): Promise<unknown> => space.commit(draft, space.current).catch((error: unknown) => error)
    const missing = await refused(rows(put('update', 1, 9n, 0n, 'x')))
    expect(isSealError(missing, 'rejected') && missing.facts.code).toBe('conflict')
    const twice = await refused(createTable(taskTable(2), 'table:task'))
    expect(isSealError(twice, 'rejected') && twice.facts.code).toBe('conflict')
    expect(space.head).toEqual(head)
    const stale = space.current.retain()
    await space.commit(rows(put('insert', 1, 1n, 0n, 'x')), space.current)
    await expect(space.commit(rows(put('insert', 1, 2n, 0n, 'y')), stale)).rejects.toMatchObject({ code: 'stale-view', family: 'retry' })
    stale.release()
    await space.close()
  })

  it('refuses a store whose entries lead elsewhere', async () => {
    const location = memoryStore()
    const space = await createSpace(await location.open(), optionsOf('f'))
    await space.commit(createTable(taskTable(1), 'table:task'), space.current)
    await space.store.commit({ at: space.head.size, append: [new Uint8Array(100)] })
    await space.close()
    await expect(openSpace(await location.open(), optionsOf('g'))).rejects.toMatchObject({ code: 'store-corrupt' })
  })
})

describe('the audit', () => {
  it('finds a sound store sound, and a damaged one not', async () => {
    const store = await memoryStore().open()
    const space = await createSpace(store, optionsOf('audit'), { name: 'Ada' })
    await space.commit(createTable(taskTable(1), 'table:task'), space.current)
    await space.commit(rows(put('insert', 1, 1n, 0n, 'x'), put('insert', 1, 2n, 0n, 'y')), space.current)
    await writeStoredSnapshot(store, space.head, (space.verified as SpaceView).held, space.log)
    const sound = await audit(store, crypto)
    expect(sound).toMatchObject({ applied: 4, rejected: {}, ignored: {}, tables: 1, rows: 2, problems: [] })
    expect(sound.head).toEqual(space.head)
    const [last] = await store.read(3, 4)
    const flipped = Uint8Array.from(last as Uint8Array)
    flipped[flipped.length - 1] = (flipped[flipped.length - 1] as number) ^ 1
    await store.commit({ at: 4, keep: [0, 3] })
    await store.commit({ at: 3, append: [flipped] })
    const damaged = await audit(store, crypto)
    expect(damaged.ignored).toEqual({ signature: 1 })
    expect(damaged.problems).toHaveLength(2)
    await space.close()
  })
})
