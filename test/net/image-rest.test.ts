/** When a relay writes an image: in a rest, unless there is none for long. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Images } from '../../net/relay/image.js'
import type { Ledger } from '../../net/relay/ledger.js'
import type { RelayLog } from '../../net/relay/store.js'

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }))
afterEach(() => void vi.useRealTimers())

interface Writer { readonly images: Images; readonly written: number[]; idle: boolean; grow(entries: number): void; settled(): Promise<void> }

/** Images of 1,000 bytes of a ledger whose size is all there is to it. */
function writer(): Writer {
  const written: number[] = []
  let size = 0
  const ledger = {
    get head() { return { size } },
    image: () => {
      const at = size
      return { write: () => { written.push(at); return Promise.resolve(1_000) }, discard: () => undefined }
    },
    imagedAt: () => Promise.resolve(undefined),
  }
  const it: Writer = {
    written,
    idle: true,
    images: new Images({ ledger: ledger as unknown as Ledger, log: {} as RelayLog, rule: { entries: 100, bytes: Infinity }, replace: true, isIdle: () => it.idle, onFailed: (error) => { throw error } }),
    grow: (entries) => {
      size += entries
      it.images.grown(entries, 0)
      it.images.consider([])
    },
    settled: () => new Promise((resolve) => setImmediate(resolve)),
  }
  return it
}

describe('an image', () => {
  it('is written when there has been a rest, of the ledger as it is then', async () => {
    const it = writer()
    it.grow(99)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(it.written).toEqual([])
    it.grow(1)
    await vi.advanceTimersByTimeAsync(40)
    it.grow(10)
    await vi.advanceTimersByTimeAsync(40)
    expect(it.written).toEqual([]) // the rest begins anew
    await vi.advanceTimersByTimeAsync(10)
    expect(it.written).toEqual([110])
    await vi.advanceTimersByTimeAsync(1_000)
    expect(it.written).toEqual([110])
  })

  it('is not begun while something is under way, but considered after it', async () => {
    const it = writer()
    it.grow(100)
    it.idle = false
    await vi.advanceTimersByTimeAsync(1_000)
    expect(it.written).toEqual([])
    it.idle = true
    it.grow(1)
    await vi.advanceTimersByTimeAsync(50)
    expect(it.written).toEqual([101])
  })

  it('is written without a rest when there is four times as much as would do', async () => {
    const it = writer()
    for (let i = 0; i < 39; i++) it.grow(10)
    await it.settled()
    expect(it.written).toEqual([])
    it.grow(10)
    await it.settled()
    expect(it.written).toEqual([400])
  })

  it('is written at the end, and none is begun after it', async () => {
    const it = writer()
    it.grow(100)
    await it.images.finish([])
    expect(it.written).toEqual([100])
    it.grow(100)
    it.images.end()
    await vi.advanceTimersByTimeAsync(1_000)
    expect(it.written).toEqual([100])
  })
})
