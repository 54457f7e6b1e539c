/** Files on one device, without a relay: what is put is what is read, whole or in ranges; what fails leaves nothing; what is damaged is never given out. */
import { afterEach, describe, expect, it } from 'vitest'
import { memoryStore } from 'sealdb'
import { FILE_CHUNK_LENGTH } from '../../engine/limits.js'
import { codeOfLater } from '../outcomes.js'
import { closeAll, found, reopen, type Member } from './space-support.js'
import { poll, sampleBytes } from './support.js'

afterEach(closeAll)
const groupsOf = ({ space }: Member): ReturnType<typeof space.engine.store.chunks.groups> => space.engine.store.chunks.groups()

async function* pieces(bytes: Uint8Array, ...lengths: readonly number[]): AsyncGenerator<Uint8Array> {
  for (let at = 0, i = 0; at < bytes.length; at += lengths[i++ % lengths.length] as number) yield bytes.slice(at, at + (lengths[i % lengths.length] as number))
}

describe('put and get', () => {
  it('gives back what was put, at every length around a border, after a restart too', async () => {
    let ada = await found()
    const made: { id: string; length: number }[] = []
    for (const length of [0, 1, FILE_CHUNK_LENGTH - 1, FILE_CHUNK_LENGTH, FILE_CHUNK_LENGTH + 1, 3 * FILE_CHUNK_LENGTH]) {
      const info = await ada.space.files.put(sampleBytes(length, length + 1), { name: `${length}.bin` })
      expect(info).toMatchObject({ length, name: `${length}.bin`, type: 'application/octet-stream', author: 1, local: true })
      made.push({ id: info.id, length })
    }
    for (const restart of [false, true]) {
      if (restart) ada = await reopen(ada)
      for (const { id, length } of made) {
        const file = await ada.space.files.get(id)
        expect(file).toMatchObject({ id, length, name: `${length}.bin` })
        expect(Buffer.compare(await file.bytes(), sampleBytes(length, length + 1))).toBe(0)
      }
      expect((await ada.space.files.list()).map(({ id }) => id)).toEqual(made.map(({ id }) => id).sort())
    }
    expect(ada.space.pending).toBe(0)
  })

  it('takes bytes as they come, in pieces of any length', async () => {
    const { space } = await found()
    const whole = sampleBytes(2 * FILE_CHUNK_LENGTH + 77)
    const progress: number[] = []
    const ids = new Set<string>()
    for (const source of [pieces(whole, 1_000, 1, 60_000), pieces(whole, FILE_CHUNK_LENGTH), [whole.subarray(0, 5), new Uint8Array(0), whole.subarray(5)], whole]) {
      const { id } = await space.files.put(source, { onProgress: (done) => progress.push(done) })
      expect(Buffer.compare(await (await space.files.get(id)).bytes(), whole)).toBe(0)
      ids.add(id)
    }
    expect(ids.size).toBe(4) // each has a key of its own
    expect(progress.slice(0, 3)).toEqual([FILE_CHUNK_LENGTH, 2 * FILE_CHUNK_LENGTH, whole.length])
  })

  it('reads ranges, and only the chunks that they lie in', async () => {
    const { space } = await found()
    const whole = sampleBytes(4 * FILE_CHUNK_LENGTH + 10)
    const { id } = await space.files.put(whole)
    const read: number[] = []
    const { chunks } = space.engine.store
    const get = chunks.get.bind(chunks)
    chunks.get = (group, number) => {
      read.push(number)
      return get(group, number)
    }
    const file = await space.files.get(id)
    const ranges: readonly [number, number, readonly number[]][] = [
      [0, 1, [0]], [FILE_CHUNK_LENGTH - 1, FILE_CHUNK_LENGTH + 1, [0, 1]], [FILE_CHUNK_LENGTH, 2 * FILE_CHUNK_LENGTH, [1]], [4 * FILE_CHUNK_LENGTH + 9, whole.length, [4]], [5, 5, []], [whole.length, whole.length, []],
    ]
    for (const [from, to, touched] of ranges) {
      read.length = 0
      const parts: Uint8Array[] = []
      for await (const part of file.stream({ from, to })) parts.push(part)
      expect([Buffer.compare(Buffer.concat(parts), whole.subarray(from, to)), [...read].sort((a, b) => a - b)]).toEqual([0, touched])
    }
    for (const range of [{ from: -1 }, { to: whole.length + 1 }, { from: 6, to: 5 }, { from: 0.5 }]) expect(await codeOfLater(file.stream(range).next())).toBe('bad-argument')
  })

  it('is gone after deletion, from the state and from the disk', async () => {
    const ada = await found()
    const { id } = await ada.space.files.put(sampleBytes(300_000))
    const stays = await ada.space.files.put(sampleBytes(10))
    await ada.space.files.delete(id)
    for (const work of [ada.space.files.get(id), ada.space.files.delete(id)]) await expect(work).rejects.toMatchObject({ code: 'unavailable', facts: { reason: 'no-file' } })
    expect((await ada.space.files.list()).map((file) => file.id)).toEqual([stays.id])
    const again = await reopen(ada)
    await poll(async () => (await groupsOf(again)).size).toBe(1)
    expect(await (await again.space.files.get(stays.id)).bytes()).toEqual(sampleBytes(10))
  })
})

describe('what fails', () => {
  it('refuses names, types and ids that are none', async () => {
    const { space } = await found()
    for (const options of [{ name: 'x'.repeat(256) }, { name: 'é'.repeat(128) }, { type: 'x'.repeat(128) }, { name: '\ud800' }]) expect(await codeOfLater(space.files.put(new Uint8Array(1), options))).toBe('bad-argument')
    for (const id of ['', 'x', 'A'.repeat(64), 'a'.repeat(63)]) expect(await codeOfLater(space.files.get(id))).toBe('bad-argument')
    expect((await space.engine.store.chunks.groups()).size).toBe(0)
    expect((await space.files.put(new Uint8Array(1), { name: 'x'.repeat(255), type: 'y'.repeat(127) })).length).toBe(1)
  })

  it('a source that throws, or a signal, leaves nothing', async () => {
    const ada = await found()
    const size = ada.space.head.size
    const broken = async function* (): AsyncGenerator<Uint8Array> {
      yield sampleBytes(300_000)
      throw new Error('the camera was unplugged')
    }
    await expect(ada.space.files.put(broken())).rejects.toThrow('the camera was unplugged')
    const stop = new AbortController()
    await expect(ada.space.files.put(sampleBytes(900_000), { signal: stop.signal, onProgress: () => stop.abort(new Error('enough')) })).rejects.toThrow('enough')
    expect([(await groupsOf(ada)).size, ada.space.head.size, ada.space.engine.store.names('secret/file/')]).toEqual([0, size, []])
  })

  it('damage on the disk is never given out: without a relay it is told, and the rest reads on', async () => {
    const { space } = await found()
    const whole = sampleBytes(3 * FILE_CHUNK_LENGTH)
    const { id } = await space.files.put(whole)
    const { chunks } = space.engine.store
    const [group] = [...(await chunks.groups()).keys()] as [string]
    const good = (await chunks.get(group, 1)) as Uint8Array
    const flipped = good.slice()
    flipped[777] = (flipped[777] as number) ^ 1
    for (const damaged of [flipped, good.subarray(1), new Uint8Array(good.length), (await chunks.get(group, 0)) as Uint8Array, new Uint8Array(0)]) {
      await chunks.put(group, 1, damaged)
      const file = await space.files.get(id)
      await expect(file.bytes()).rejects.toMatchObject({ code: 'unavailable', facts: { reason: 'offline' } })
      const { value } = await file.stream({ from: 0, to: 10 }).next() as { value: Uint8Array }
      expect(value).toEqual(whole.subarray(0, 10))
    }
    await chunks.put(group, 1, good)
    expect(Buffer.compare(await (await space.files.get(id)).bytes(), whole)).toBe(0)
  })
})

describe('a process that died while it put a file', () => {
  it('before the intent: its chunks are swept up', async () => {
    const ada = await found()
    await ada.space.engine.store.chunks.put('ab'.repeat(16), 0, sampleBytes(100))
    const again = await reopen(ada)
    await poll(async () => (await groupsOf(again)).size).toBe(0)
  })

  it('after the intent, before the entry: it is put, once, by the next start', async () => {
    const store = memoryStore()
    const ada = await found(undefined, store)
    const { engine } = ada.space
    const commitFiles = engine.commitFiles.bind(engine)
    engine.commitFiles = () => new Promise(() => undefined) // the process ends here
    void ada.space.files.put(sampleBytes(300_000), { name: 'late.bin' })
    await poll(() => engine.store.names('secret/file/').length).toBe(1)
    engine.commitFiles = commitFiles
    let again = await reopen(ada)
    for (let i = 0; i < 2; i++) {
      await poll(async () => (await again.space.files.list()).map(({ name, local }) => [name, local])).toEqual([['late.bin', true]])
      await poll(() => again.space.engine.store.names('secret/file/').length).toBe(0)
      again = await reopen(again)
    }
    const [file] = await again.space.files.list()
    expect(Buffer.compare(await (await again.space.files.get(file?.id ?? '')).bytes(), sampleBytes(300_000))).toBe(0)
  })
})
