/** What every chunk store promises (engine/store/chunks.ts). `open` gives a fresh one; `again` the same place, opened anew, where it outlives its process. */
import { expect, it } from 'vitest'
import { MAX_FILE_CHUNKS, MAX_STORED_CHUNK_LENGTH } from '../../engine/limits.js'
import type { ChunkStore } from '../../engine/store/chunks.js'
import { codeOfLater } from '../outcomes.js'

export interface OpenChunks {
  readonly chunks: ChunkStore
  readonly again?: () => Promise<OpenChunks>
  readonly close: () => Promise<void>
}

const A = 'a'.repeat(64)
const B = 'b0'
const chunk = (text: string): Uint8Array => new TextEncoder().encode(text)
const textOf = async (chunks: ChunkStore, group: string, number: number): Promise<string | undefined> => {
  const bytes = await chunks.get(group, number)
  return bytes && new TextDecoder().decode(bytes)
}

export function chunkConformance(open: () => Promise<OpenChunks>): void {
  it('chunks: keeps each under its group and number, and gives back the caller its own', async () => {
    const { chunks, again, close } = await open()
    expect([[...(await chunks.groups())], await chunks.numbers(A), await chunks.get(A, 0)]).toEqual([[], [], undefined])
    const given = chunk('first')
    await chunks.put(A, 0, given)
    given.fill(0)
    await Promise.all([10, 2, 1].map((n) => chunks.put(A, n, chunk(`a${n}`))))
    await chunks.put(B, 0, new Uint8Array(0))
    ;(await chunks.get(A, 0))?.fill(0)
    await chunks.sync()
    const found = again ? await again() : { chunks, close }
    expect(new Map(await found.chunks.groups())).toEqual(new Map([[A, 4], [B, 1]]))
    expect(await found.chunks.numbers(A)).toEqual([0, 1, 2, 10])
    expect([await textOf(found.chunks, A, 0), await textOf(found.chunks, A, 10), await textOf(found.chunks, B, 0), await textOf(found.chunks, A, 3)]).toEqual(['first', 'a10', '', undefined])
    await found.close()
  })

  it('chunks: replaces, and removes a group whole', async () => {
    const { chunks, again, close } = await open()
    for (const text of ['one', 'another']) await chunks.put(A, 5, chunk(text))
    await chunks.put(A, 6, new Uint8Array(MAX_STORED_CHUNK_LENGTH).fill(7))
    await chunks.put(B, 5, chunk('stays'))
    expect([await textOf(chunks, A, 5), await chunks.numbers(A), (await chunks.get(A, 6))?.length]).toEqual(['another', [5, 6], MAX_STORED_CHUNK_LENGTH])
    await chunks.remove(A)
    await chunks.remove('ffff')
    await chunks.sync()
    const found = again ? await again() : { chunks, close }
    expect([await found.chunks.numbers(A), await found.chunks.get(A, 5), await textOf(found.chunks, B, 5), [...(await found.chunks.groups())]]).toEqual([[], undefined, 'stays', [[B, 1]]])
    await found.chunks.put(A, 5, chunk('back'))
    expect(await textOf(found.chunks, A, 5)).toBe('back')
    await found.close()
  })

  it('chunks: refuses names that are none, and what is too long, and does nothing', async () => {
    const { chunks, close } = await open()
    for (const group of ['', 'A0', '../x', 'a'.repeat(66), 'abc', 'gg']) expect(await codeOfLater(chunks.put(group, 0, chunk('x')))).toBe('bad-argument')
    for (const number of [-1, 0.5, Number.NaN, MAX_FILE_CHUNKS]) expect(await codeOfLater(chunks.get(A, number))).toBe('bad-argument')
    expect(await codeOfLater(chunks.remove('/'))).toBe('bad-argument')
    expect(await codeOfLater(chunks.put(A, 0, new Uint8Array(MAX_STORED_CHUNK_LENGTH + 1)))).toBe('too-large')
    expect([...(await chunks.groups())]).toEqual([])
    await close()
  })
}
