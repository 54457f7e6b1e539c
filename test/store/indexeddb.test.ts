import 'fake-indexeddb/auto'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { indexedDbStore } from '../../engine/store/indexeddb.js'
import { bytes, contents, record, testStore } from './conformance.js'

let count = 0
const place = (): string => `team-${count++}`

/** The part of the Web Locks API that the store uses. */
function fakeLocks(): { request: LockManager['request'] } {
  const held = new Set<string>()
  const request = async (name: string, _options: unknown, work: (lock: unknown) => unknown): Promise<unknown> => {
    if (held.has(name)) return work(null)
    held.add(name)
    try {
      return await work({ name })
    } finally {
      held.delete(name)
    }
  }
  return { request: request as LockManager['request'] }
}

afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
})

testStore('indexeddb', async () => indexedDbStore(place()))

describe('store: indexeddb', () => {
  it('is not made where it should exist', async () => {
    const name = place()
    await expect(indexedDbStore(name).open({ existing: true })).rejects.toMatchObject({ code: 'bad-argument' })
    expect((await indexedDB.databases()).map((each) => each.name)).not.toContain(name)
    await (await indexedDbStore(name).open()).close()
    await (await indexedDbStore(name).open({ existing: true })).close()
  })

  it('holds a Web Lock where there are any', async () => {
    vi.stubGlobal('navigator', { locks: fakeLocks() })
    const at = indexedDbStore(place())
    const store = await at.open()
    await expect(at.open()).rejects.toMatchObject({ code: 'store-locked' })
    await store.close()
    await (await at.open()).close()
  })

  it('stops a tab that another has overtaken', async () => {
    const name = place()
    const first = await indexedDbStore(name).open()
    await first.commit({ at: 0, append: [record(0)] })
    vi.resetModules() // another tab: its own module, without a lock in common
    const other = await import('../../engine/store/indexeddb.js')
    const second = await other.indexedDbStore(name).open()
    const locked = { code: 'store-locked', facts: { overtaken: true } }
    await expect(first.commit({ at: 1, append: [record(1)] })).rejects.toMatchObject(locked)
    await expect(first.writeSnapshot(bytes('m'), [])).rejects.toMatchObject(locked)
    await second.commit({ at: 1, append: [record(101)] })
    expect(await second.read(0, 2)).toEqual([record(0), record(101)])
    await first.close()
    await second.close()
  })

  it('reports a full disk as absent, and goes on', async () => {
    const at = indexedDbStore(place())
    const store = await at.open()
    await store.commit({ at: 0, append: [record(0)], put: [['head', bytes('1')]] })
    await store.writeSnapshot(bytes('one'), [record(5)])
    const before = await contents(store)
    const put = IDBObjectStore.prototype.put
    for (let step = 0; step < 4; step++) {
      let calls = 0
      vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(function (this: IDBObjectStore, ...args: Parameters<IDBObjectStore['put']>) {
        if (calls++ === step) throw new DOMException('full', 'QuotaExceededError')
        return put.apply(this, args)
      })
      const failed = { code: 'store-failed', facts: { outcome: 'absent' } }
      const commits = [store.commit({ at: 1, append: [record(1), record(2)], put: [['head', bytes('2')]] }), store.commit({ at: 3, append: [record(3)] })]
      for (const result of await Promise.allSettled(commits)) expect(result).toMatchObject({ status: 'rejected', reason: failed })
      calls = 0
      if (step < 3) await expect(store.writeSnapshot(bytes('two'), [record(6), record(7)])).rejects.toMatchObject(failed)
      vi.restoreAllMocks()
      expect(await contents(store)).toEqual(before)
    }
    await store.commit({ at: 1, append: [record(1)] })
    await store.close()
    const again = await at.open()
    expect(await again.read(0, 2)).toEqual([record(0), record(1)])
    await again.close()
  })

  it('says which record is missing', async () => {
    const name = place()
    const store = await indexedDbStore(name).open()
    await store.commit({ at: 0, append: [record(0), record(1), record(2)] })
    const database = await new Promise<IDBDatabase>((resolve) => {
      const opening = indexedDB.open(name)
      opening.onsuccess = () => resolve(opening.result)
    })
    await new Promise((resolve) => {
      const transaction = database.transaction('log', 'readwrite')
      transaction.objectStore('log').delete(1)
      transaction.oncomplete = resolve
    })
    database.close()
    expect(await store.read(0, 1)).toEqual([record(0)])
    await expect(store.read(0, 3)).rejects.toMatchObject({ code: 'store-corrupt', facts: { file: 'log', offset: 1 } })
    await store.close()
  })

  it('removes what an interrupted snapshot left', async () => {
    const name = place()
    const at = indexedDbStore(name)
    const store = await at.open()
    await store.writeSnapshot(bytes('one'), [record(1), record(2)])
    const before = await contents(store)
    const chunkKeys = async (): Promise<IDBValidKey[]> =>
      new Promise((resolve) => {
        const opening = indexedDB.open(name)
        opening.onsuccess = () => {
          const all = opening.result.transaction('chunks').objectStore('chunks').getAllKeys()
          all.onsuccess = () => resolve(all.result)
          opening.result.close()
        }
      })
    await store.writeSnapshot(bytes('two'), [record(3)])
    expect(await chunkKeys()).toEqual([[2, 0]])
    await store.writeSnapshot(bytes('one'), [record(1), record(2)])
    await store.close()
    const database = await new Promise<IDBDatabase>((resolve) => {
      const opening = indexedDB.open(name)
      opening.onsuccess = () => resolve(opening.result)
    })
    const transaction = database.transaction('chunks', 'readwrite')
    for (const key of [[2, 7], [4, 0], [9, 1]]) transaction.objectStore('chunks').put(record(9), key)
    await new Promise((resolve) => (transaction.oncomplete = resolve))
    database.close()
    const again = await at.open()
    expect(await contents(again)).toEqual(before)
    expect(await chunkKeys()).toEqual([[3, 0], [3, 1]])
    await again.close()
  })

  it('seals secrets, also in a store that was plain', async () => {
    const name = place()
    const key = new Uint8Array(32).fill(3)
    const secret = bytes('the secret of the epoch')
    const rawValues = async (): Promise<string> =>
      new Promise((resolve) => {
        const opening = indexedDB.open(name)
        opening.onsuccess = () => {
          const all = opening.result.transaction('values').objectStore('values').getAll()
          all.onsuccess = () => resolve(all.result.map((value: Uint8Array) => Buffer.from(value).toString('latin1')).join())
          opening.result.close()
        }
      })
    const plain = await indexedDbStore(name).open()
    await plain.commit({ put: [['secret/a', secret], ['head', bytes('in plain')]] })
    await plain.close()
    expect(await rawValues()).toContain('secret of the epoch')
    const sealed = await indexedDbStore(name, { key }).open()
    await sealed.commit({ put: [['secret/b', secret]] })
    expect([sealed.get('secret/a'), sealed.get('secret/b')]).toEqual([secret, secret])
    await sealed.close()
    expect(await rawValues()).not.toContain('secret of the epoch')
    expect(await rawValues()).toContain('in plain')
    await expect(indexedDbStore(name).open()).rejects.toMatchObject({ code: 'store-sealed', facts: { reason: 'missing' } })
    await expect(indexedDbStore(name, { key: new Uint8Array(32) }).open()).rejects.toMatchObject({ code: 'store-sealed', facts: { reason: 'wrong' } })
    const again = await indexedDbStore(name, { key }).open()
    expect([again.get('secret/a'), again.get('secret/b'), again.get('head')]).toEqual([secret, secret, bytes('in plain')])
    await again.close()
  })
})
