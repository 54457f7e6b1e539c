/**
 * The one suite for every implementation of the store port. `locate` gives a fresh, empty place each time.
 */
import { describe, expect, it } from 'vitest'
import { MAX_STORE_NAME_LENGTH, MAX_STORE_RECORD_LENGTH } from '../../engine/limits.js'
import type { Store, StoreLocation } from '../../engine/store/store.js'
import { bytes, contents, readChunks, record, records } from './conformance-data.js'

export { bytes, contents, record } from './conformance-data.js'

export function testStore(what: string, locate: () => Promise<StoreLocation>): void {
  const fresh = async (): Promise<{ at: StoreLocation; store: Store }> => {
    const at = await locate()
    return { at, store: await at.open() }
  }
  /** Close, open again, and expect the same contents. */
  const again = async (at: StoreLocation, store: Store): Promise<Store> => {
    const before = await contents(store)
    await store.close()
    const after = await at.open()
    expect(await contents(after)).toEqual(before)
    return after
  }

  describe(`store: ${what}`, () => {
    it('begins empty', async () => {
      const { at, store } = await fresh()
      expect([store.first, store.size, store.names(''), store.get('head')]).toEqual([0, 0, [], undefined])
      expect(await store.read(0, 0)).toEqual([])
      expect(await store.readSnapshot()).toBeUndefined()
      await (await again(at, store)).close()
    })

    it('keeps records and values over a reopening', async () => {
      const { at, store } = await fresh()
      await store.commit({ at: 0, append: records(0, 3), put: [['head', bytes('three')], ['empty', new Uint8Array(0)]] })
      await store.commit({ at: 3, append: [record(3), new Uint8Array(0), record(5, 100_000)] })
      await store.commit({ put: [['head', bytes('six')], ['note/é', bytes('x')], ['gone', bytes('y')], ['gone', null]] })
      await store.commit({})
      const after = await again(at, store)
      expect(after.size).toBe(6)
      expect(await after.read(2, 5)).toEqual([record(2), record(3), new Uint8Array(0)])
      expect(after.names('')).toEqual(['empty', 'head', 'note/é'])
      expect(after.names('no')).toEqual(['note/é'])
      expect(after.get('head')).toEqual(bytes('six'))
      expect(after.get('empty')).toEqual(new Uint8Array(0))
      await after.commit({ at: 6, append: [record(6)], put: [['head', null]] })
      expect(after.get('head')).toBeUndefined()
      await (await again(at, after)).close()
    })

    it('writes overlapping commits in order, each on top of those before it', async () => {
      const { at, store } = await fresh()
      const done: number[] = []
      await Promise.all(Array.from({ length: 50 }, async (_, i) => {
        await store.commit({ at: i, append: [record(i)], put: [['last', bytes(String(i))]] })
        done.push(i)
      }))
      expect(done).toEqual(Array.from({ length: 50 }, (_, i) => i))
      expect(await store.read(0, 50)).toEqual(records(0, 50))
      const after = await again(at, store)
      expect(after.get('last')).toEqual(bytes('49'))
      await after.close()
    })

    it('refuses a batch at another size, whole', async () => {
      const { at, store } = await fresh()
      await store.commit({ at: 0, append: records(0, 2) })
      for (const wrong of [0, 1, 3]) {
        await expect(store.commit({ at: wrong, append: [record(9)], put: [['a', bytes('b')]] })).rejects.toMatchObject({ code: 'bad-argument', facts: { size: 2, at: wrong } })
      }
      await expect(store.commit({ append: [record(9)] })).rejects.toMatchObject({ code: 'bad-argument' })
      const [first, second, third] = await Promise.allSettled([2, 2, 3].map((n) => store.commit({ at: n, append: [record(n)] })))
      expect([first?.status, second?.status, third?.status]).toEqual(['fulfilled', 'rejected', 'fulfilled'])
      expect([store.size, store.names('')]).toEqual([4, []])
      await (await again(at, store)).close()
    })

    it('refuses names and lengths outside the limits, whole', async () => {
      const { store } = await fresh()
      const refused = (put: [string, Uint8Array], code: string) =>
        expect(store.commit({ at: 0, append: [record(0)], put: [put] })).rejects.toMatchObject({ code })
      await refused(['', bytes('x')], 'bad-argument')
      await refused(['x'.repeat(MAX_STORE_NAME_LENGTH + 1), bytes('x')], 'bad-argument')
      await refused(['\ud800', bytes('x')], 'bad-value')
      await refused(['x', new Uint8Array(MAX_STORE_RECORD_LENGTH + 1)], 'too-large')
      await expect(store.commit({ at: 0, append: [new Uint8Array(MAX_STORE_RECORD_LENGTH + 1)] })).rejects.toMatchObject({ code: 'too-large' })
      expect([store.size, store.names('')]).toEqual([0, []])
      await store.commit({ put: [['x'.repeat(MAX_STORE_NAME_LENGTH), bytes('x')]] })
      await store.close()
    })

    it('refuses to read what it does not hold', async () => {
      const { store } = await fresh()
      await store.commit({ at: 0, append: records(0, 5), keep: [0, 0] })
      await store.commit({ keep: [2, 5] })
      for (const [from, to] of [[1, 3], [2, 6], [4, 3], [-1, 0], [2.5, 3], [Number.NaN, 3]] as const) {
        await expect(store.read(from, to)).rejects.toMatchObject({ code: 'bad-argument' })
      }
      await store.close()
    })

    it('forgets, goes back and starts over', async () => {
      const { at, store } = await fresh()
      await store.commit({ at: 0, append: records(0, 10) })
      await store.commit({ keep: [4, 10] })
      expect([store.first, store.size]).toEqual([4, 10])
      let next = await again(at, store)
      await next.commit({ at: 10, keep: [4, 7], append: [record(107)] })
      expect(await next.read(4, 8)).toEqual([...records(4, 7), record(107)])
      next = await again(at, next)
      await expect(next.commit({ keep: [3, 8] })).rejects.toMatchObject({ code: 'bad-argument' })
      await expect(next.commit({ keep: [4, 9] })).rejects.toMatchObject({ code: 'bad-argument' })
      await next.commit({ keep: [8, 8] })
      expect([next.first, next.size]).toEqual([8, 8])
      next = await again(at, next)
      await next.commit({ at: 8, keep: [5000, 5000], append: records(5000, 5003) })
      next = await again(at, next)
      await next.commit({ at: 5003, keep: [1, 1], append: records(1, 3) })
      expect([next.first, next.size]).toEqual([1, 3])
      expect(await next.read(1, 3)).toEqual(records(1, 3))
      await (await again(at, next)).close()
    })

    it('compacts without changing anything, while commits go on', async () => {
      const { at, store } = await fresh()
      for (let i = 0; i < 40; i++) await store.commit({ at: i, append: [record(i)], put: [['head', bytes(`${i}`)], [`n${i % 3}`, record(i, 1000)]] })
      await store.commit({ keep: [7, 35], put: [['n1', null]] })
      await store.compact()
      let next = await again(at, store)
      const compacting = [next.compact(), next.compact()]
      for (let i = 35; i < 80; i++) await next.commit({ at: i, append: [record(i)], put: [['head', bytes(`${i}`)]] })
      await Promise.all(compacting)
      expect(await next.read(7, 80)).toEqual(records(7, 80))
      next = await again(at, next)
      await next.commit({ keep: [80, 80] })
      await next.compact()
      next = await again(at, next)
      expect([next.first, next.size, next.names('')]).toEqual([80, 80, ['head', 'n0', 'n2']])
      await next.close()
    })

    it('compacts while records are read, dropped and replaced', async () => {
      const { at, store } = await fresh()
      await store.commit({ at: 0, append: records(0, 60), put: [['head', bytes('60')]] })
      const work: Promise<unknown>[] = []
      let last = 60
      for (let round = 0; round < 3; round++) {
        work.push(store.compact())
        for (let i = 0; i < 20; i++) {
          work.push(store.read(0, 30).then((found) => expect(found).toEqual(records(0, 30))))
          if (i % 5 === 0) work.push(store.commit({ at: 60, keep: [0, 40], append: records(last, (last += 20)) }))
          await new Promise((resolve) => setTimeout(resolve, 0))
        }
      }
      await Promise.all(work)
      expect(await store.read(0, 60)).toEqual([...records(0, 40), ...records(last - 20, last)])
      await store.compact()
      await (await again(at, store)).close()
    })

    it('replaces the snapshot as a whole', async () => {
      const { at, store } = await fresh()
      await store.writeSnapshot(bytes('one'), [])
      expect(await readChunks(await store.readSnapshot())).toEqual([])
      await store.writeSnapshot(bytes('two'), [record(0), new Uint8Array(0), record(1, 70_000)])
      const next = await again(at, store)
      const old = await next.readSnapshot()
      const reading = old?.chunks[Symbol.asyncIterator]()
      expect((await reading?.next())?.value).toEqual(record(0))
      await next.writeSnapshot(new Uint8Array(0), (async function* () { yield record(5) })())
      expect(old?.meta).toEqual(bytes('two'))
      expect([await reading?.next(), await reading?.next(), await reading?.next()].map((step) => step?.value)).toEqual([new Uint8Array(0), record(1, 70_000), undefined])
      expect((await next.readSnapshot())?.meta).toEqual(new Uint8Array(0))
      const broken = next.writeSnapshot(bytes('three'), (async function* () {
        yield record(6)
        throw new RangeError('no more')
      })())
      await expect(broken).rejects.toThrow('no more')
      expect(await readChunks(await next.readSnapshot())).toEqual([record(5)])
      await expect(next.writeSnapshot(bytes('x'), [new Uint8Array(MAX_STORE_RECORD_LENGTH + 1)])).rejects.toMatchObject({ code: 'too-large' })
      await (await again(at, next)).close()
    })

    it('opens once at a time', async () => {
      const { at, store } = await fresh()
      await expect(at.open()).rejects.toMatchObject({ code: 'store-locked' })
      await store.close()
      await store.close()
      await (await at.open()).close()
      const races = await Promise.allSettled([at.open(), at.open(), at.open()])
      const opened = races.filter((race) => race.status === 'fulfilled')
      expect(opened.length).toBe(1)
      await opened[0]?.value.close()
    })

    it('waits for commits under way when closing, and is closed afterwards', async () => {
      const { at, store } = await fresh()
      const commits = [0, 1, 2].map((i) => store.commit({ at: i, append: [record(i)] }))
      await store.close()
      await Promise.all(commits)
      const closed = { code: 'store-closed' }
      expect(() => store.get('a')).toThrow(expect.objectContaining(closed))
      expect(() => store.size).toThrow(expect.objectContaining(closed))
      expect(() => store.first).toThrow(expect.objectContaining(closed))
      expect(() => store.names('')).toThrow(expect.objectContaining(closed))
      for (const call of [() => store.commit({}), () => store.read(0, 0), () => store.readSnapshot(), () => store.writeSnapshot(bytes(''), []), () => store.compact()]) {
        await expect(call()).rejects.toMatchObject(closed)
      }
      {
        await using after = await at.open()
        expect(after.size).toBe(3)
      }
      await (await at.open()).close()
    })
  })
}
