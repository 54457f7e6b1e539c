/** PROTOCOL.md is enough for files: what was written from its text alone gives the bytes of the vectors, byte for byte, and takes and opens the same chunks. */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { commitmentOf, contentOf, countOf, idOf, leafOf, openChunk, proves, rootOf, sealChunks } from './files.mjs'

interface Chunk { readonly sealed?: string; readonly leaf: string; readonly proof: readonly string[] }
interface File { readonly key: string; readonly content: string; readonly commitment: string; readonly length: number; readonly root: string; readonly id: string; readonly chunks: readonly Chunk[] }
const { files, life } = JSON.parse(readFileSync(new URL('../vectors/files.json', import.meta.url), 'utf8')) as { readonly files: readonly File[]; readonly life: { readonly spaceId: string } }
const hex = (text: string): Buffer => Buffer.from(text, 'hex')
const space = hex(life.spaceId)

it.each(files.map((file) => [file.length, file] as const))('a file of %i bytes', (length, file) => {
  const key = hex(file.key)
  const content = contentOf(key, `${length}.bin`, 'application/octet-stream')
  const commitment = commitmentOf(content)
  expect([content.toString('hex'), commitment.toString('hex'), countOf(length)]).toEqual([file.content, file.commitment, file.chunks.length])
  const bytes = Buffer.from(Uint8Array.from({ length }, (_, i) => (7 * i + 3) & 255))
  const chunks = sealChunks(space, key, commitment, bytes)
  const root = rootOf(chunks.map(leafOf))
  expect([root.toString('hex'), idOf(space, commitment, length, root).toString('hex')]).toEqual([file.root, file.id])
  file.chunks.forEach((known, i) => {
    const chunk = chunks[i] as Buffer
    const proof = known.proof.map(hex)
    expect([leafOf(chunk).toString('hex'), known.sealed ?? chunk.toString('hex')]).toEqual([known.leaf, chunk.toString('hex')])
    expect(proves(i, chunks.length, leafOf(chunk), proof, root)).toBe(true)
    for (const wrong of [i + 1, i - 1]) expect(proves(wrong < 0 ? chunks.length : wrong, chunks.length, leafOf(chunk), proof, root)).toBe(false)
    const last = i === chunks.length - 1
    expect(openChunk(space, key, commitment, i, last, chunk).equals(bytes.subarray(i * 2 ** 17, (i + 1) * 2 ** 17))).toBe(true)
    expect(() => openChunk(space, key, commitment, i, !last, chunk)).toThrow()
    expect(() => openChunk(space, key, commitment, i + 1, last, chunk)).toThrow()
  })
})
