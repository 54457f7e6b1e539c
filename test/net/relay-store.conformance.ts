/** What every relay store promises (net/relay/store.ts), run on each by `relay-store.test.ts`. */
import { createHash } from 'node:crypto'
import { expect, it } from 'vitest'
import type { RelayLog, RelayStore } from '../../net/relay/store.js'
import { chunkConformance, type OpenChunks } from '../store/chunks.conformance.js'
import { until } from './support.js'

export interface RelayStoreHarness {
  /** The store at the same place, opened again: it holds what was stored. Undefined for one that forgets. */
  readonly reopen?: () => Promise<RelayStore>
  /** As another process would open it, at the same time. */
  readonly another?: (store: RelayStore) => Promise<RelayStore>
}

let spaces = 0
const newSpace = (): Uint8Array => new Uint8Array(32).fill(++spaces)
const record = (text: string, length = text.length): Uint8Array => {
  const bytes = new Uint8Array(length)
  bytes.set(new TextEncoder().encode(text))
  return bytes
}
const texts = (records: readonly Uint8Array[]): string[] => records.map((bytes) => new TextDecoder().decode(bytes).replaceAll('\0', ''))
const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
async function imageOf(log: RelayLog): Promise<string[]> {
  const stored = await log.readSnapshot()
  if (!stored) throw new Error('no image')
  const found = texts([stored.meta])
  for await (const chunk of stored.chunks) found.push(digest(chunk))
  return found
}
const ALL = Number.MAX_SAFE_INTEGER

async function logOf(store: RelayStore, space: Uint8Array): Promise<RelayLog> {
  await store.found(space, record('genesis'))
  const log = await store.open(space)
  if (!log) throw new Error('founded, but not there')
  return log
}

/** Chunks of one space, and of others beside it. */
async function chunksOf(store: RelayStore, space: Uint8Array, harness: RelayStoreHarness): Promise<OpenChunks> {
  const log = await logOf(store, space)
  const close = async (): Promise<void> => {
    await log.close()
    await store.close()
  }
  const { reopen } = harness
  return { chunks: log.chunks, close, ...(reopen && { again: async () => { await close(); return chunksOf(await reopen(), space, harness) } }) }
}

export function relayStoreConformance(create: () => Promise<RelayStore>, harness: RelayStoreHarness): void {
  chunkConformance(async () => chunksOf(await create(), newSpace(), harness))

  it('chunks: are of their space alone', async () => {
    const store = await create()
    const [one, other] = [await logOf(store, newSpace()), await logOf(store, newSpace())]
    await one.chunks.put('ab', 0, record('mine'))
    expect([await other.chunks.get('ab', 0), [...(await other.chunks.groups())]]).toEqual([undefined, []])
    await other.chunks.remove('ab')
    expect(texts([(await one.chunks.get('ab', 0)) as Uint8Array])).toEqual(['mine'])
    for (const log of [one, other]) await log.close()
    await store.close()
  })

  it('asking for a space leaves no trace', async () => {
    const store = await create()
    expect(await store.open(newSpace())).toBeUndefined()
    expect(await store.spaces()).toEqual([])
    await store.close()
  })

  it('founds once and keeps the first genesis', async () => {
    const store = await create()
    const space = newSpace()
    await Promise.all([store.found(space, record('genesis')), store.found(space, record('genesis'))])
    await store.found(space, record('another'))
    const log = (await store.open(space)) as RelayLog
    expect(await log.refresh()).toBe(1)
    expect(texts(await log.read(0, 10, ALL))).toEqual(['genesis'])
    expect(await store.spaces()).toEqual([space])
    await log.close()
    await store.close()
  })

  it('appends in order and reads any range, by count and by bytes', async () => {
    const store = await create()
    const log = await logOf(store, newSpace())
    expect(await log.append(1, [record('a', 100), record('b', 100), record('c', 5000)])).toBe('stored')
    expect(await log.append(4, [record('d', 1)])).toBe('stored')
    expect(texts(await log.read(1, 2, ALL))).toEqual(['a', 'b'])
    expect(texts(await log.read(0, 100, ALL))).toEqual(['genesis', 'a', 'b', 'c', 'd'])
    expect(texts(await log.read(1, 100, 250))).toEqual(['a', 'b'])
    expect(texts(await log.read(3, 100, 10))).toEqual(['c']) // one at least
    expect(await log.read(5, 10, ALL)).toEqual([])
    expect(await log.append(5, [])).toBe('stored')
    expect(await log.refresh()).toBe(5)
    await log.close()
    await store.close()
  })

  it('stores nothing where something lies', async () => {
    const store = await create()
    const log = await logOf(store, newSpace())
    expect(await log.append(1, [record('a'), record('b')])).toBe('stored')
    expect(await log.append(0, [record('x')])).toBe('taken')
    expect(await log.append(2, [record('x'), record('y')])).toBe('taken')
    expect(texts(await log.read(0, 10, ALL))).toEqual(['genesis', 'a', 'b'])
    await log.close()
    await store.close()
  })

  it('keeps bytes as they are: every value, empty, a megabyte', async () => {
    const store = await create()
    const log = await logOf(store, newSpace())
    const all = Uint8Array.from({ length: 256 }, (_, i) => i)
    const records = [all, Uint8Array.from(all).reverse(), new Uint8Array(0), new Uint8Array(1 << 20).fill(0x5c), all.subarray(3, 17)]
    expect(await log.append(1, records)).toBe('stored')
    const held = [...(await log.read(1, 3, ALL)), ...(await log.read(4, 9, ALL))]
    expect(held.map((bytes) => Buffer.compare(bytes, records.shift() as Uint8Array))).toEqual([0, 0, 0, 0, 0])
    await log.close()
    await store.close()
  })

  it('keeps spaces apart', async () => {
    const store = await create()
    const [a, b] = [await logOf(store, newSpace()), await logOf(store, newSpace())]
    await a.append(1, [record('in a')])
    expect(await b.refresh()).toBe(1)
    expect(texts(await a.read(1, 9, ALL))).toEqual(['in a'])
    expect(await store.spaces()).toHaveLength(2)
    await a.close()
    await b.close()
    await store.close()
  })

  it('replaces an image whole, beside the log, and gives it back as it was', async () => {
    const store = await create()
    const [space, other] = [newSpace(), newSpace()]
    const [log, beside] = [await logOf(store, space), await logOf(store, other)]
    expect(await log.readSnapshot()).toBeUndefined()
    const parts = [Uint8Array.from({ length: 256 }, (_, i) => i), record('', 3 << 20), record('')]
    await log.writeSnapshot(record('meta'), parts)
    expect(await imageOf(log)).toEqual(['meta', ...parts.map(digest)])
    expect(await beside.readSnapshot()).toBeUndefined()
    // One whose source fails changes nothing.
    const failing = function* (): Iterable<Uint8Array> {
      yield record('half')
      throw new Error('no more')
    }
    await expect(Promise.resolve().then(() => log.writeSnapshot(record('broken'), failing()))).rejects.toThrow()
    expect(await imageOf(log)).toEqual(['meta', ...parts.map(digest)])
    // A shorter one leaves nothing of the longer one. The log goes on meanwhile.
    const [, stored] = await Promise.all([log.writeSnapshot(record('next'), [record('one')]), log.append(1, [record('a')])])
    expect(stored).toBe('stored')
    expect(await imageOf(log)).toEqual(['next', digest(record('one'))])
    expect(texts(await log.read(0, 9, ALL))).toEqual(['genesis', 'a'])
    await log.close()
    await beside.close()
    await store.close()
  })

  it('sets a value once', async () => {
    const store = await create()
    expect(await store.get('signer')).toBeUndefined()
    expect(texts([await store.setOnce('signer', record('first'))])).toEqual(['first'])
    expect(texts([await store.setOnce('signer', record('second'))])).toEqual(['first'])
    expect(texts([(await store.get('signer')) as Uint8Array])).toEqual(['first'])
    await store.close()
  })

  it.runIf(harness.reopen)('has everything after being opened again', async () => {
    const store = await create()
    const space = newSpace()
    const log = await logOf(store, space)
    await log.append(1, [record('a'), record('b')])
    await log.writeSnapshot(record('meta'), [record('one'), record('two')])
    await store.setOnce('signer', record('key'))
    await log.close()
    await store.close()
    const again = await (harness.reopen as NonNullable<RelayStoreHarness['reopen']>)()
    const reopened = (await again.open(space)) as RelayLog
    expect(texts(await reopened.read(0, 9, ALL))).toEqual(['genesis', 'a', 'b'])
    expect(await imageOf(reopened)).toEqual(['meta', digest(record('one')), digest(record('two'))])
    expect(texts([(await again.get('signer')) as Uint8Array])).toEqual(['key'])
    expect(await reopened.append(3, [record('c')])).toBe('stored')
    await reopened.close()
    await again.close()
  })

  it.runIf(harness.another)('two processes: one order, and each hears of the other', async () => {
    const store = await create()
    const other = await (harness.another as NonNullable<RelayStoreHarness['another']>)(store)
    const space = newSpace()
    const here = await logOf(store, space)
    const there = await logOf(other, space)
    let heard = 0
    there.onGrowth = () => { heard++ }
    expect(await here.append(1, [record('a')])).toBe('stored')
    await until(() => heard > 0, 'the other process hears of it')
    expect(await there.append(1, [record('x')])).toBe('taken')
    // Many at once, each retrying after the other: no gap, no loss, nothing twice.
    const write = async (log: RelayLog, name: string): Promise<void> => {
      for (let i = 0; i < 20;) if ((await log.append(await log.refresh(), [record(`${name}${i}`), record(`${name}${i}+`)])) === 'stored') i++
    }
    await Promise.all([write(here, 'h'), write(there, 't')])
    const found = texts(await here.read(0, 1000, ALL))
    expect(found).toEqual(texts(await there.read(0, 1000, ALL)))
    expect(found).toHaveLength(2 + 80)
    expect(found.filter((text) => text.startsWith('h') && !text.endsWith('+'))).toEqual(Array.from({ length: 20 }, (_, i) => `h${i}`))
    for (let i = 2; i < found.length; i += 2) expect(found[i + 1]).toBe(`${found[i] as string}+`)
    // Images at once: one of them lies there in the end, whole.
    await Promise.allSettled([here, there].map((log, i) => log.writeSnapshot(record(`image ${i}`), Array.from({ length: 4 }, () => record(String(i))))))
    const [image, ...chunks] = await imageOf(here)
    expect(chunks).toEqual(Array.from({ length: 4 }, () => digest(record((image as string).slice(-1)))))
    // Of two that name themselves, one comes first, and both are told the same.
    const [one, two] = await Promise.all([store.setOnce('race', record('one')), other.setOnce('race', record('two'))])
    expect(one).toEqual(two)
    await there.close()
    await here.close()
    if (other !== store) await other.close()
    await store.close()
  })
}
