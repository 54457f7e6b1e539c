/** PROTOCOL.md is enough for a newcomer's snapshot: what was written from its text alone takes the vectors', comes to their state, and refuses what is changed. */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { Content } from './content.mjs'
import { openChunk, openManifest } from './snapshots.mjs'

interface Snapshots {
  readonly head: { readonly size: number; readonly logRoot: string; readonly stateRoot: string }; readonly rows: number
  readonly whole: { readonly manifest: string; readonly chunk: string }; readonly manifest: string; readonly chunks: readonly string[]; readonly refused: readonly { readonly why: string; readonly manifest: string; readonly chunk?: string }[]
}
const vectors = JSON.parse(readFileSync(new URL('../vectors/snapshot.json', import.meta.url), 'utf8')) as Snapshots
const hex = (text: string): Buffer => Buffer.from(text, 'hex')
const head = { size: vectors.head.size, logRoot: hex(vectors.head.logRoot), stateRoot: hex(vectors.head.stateRoot) }

it.each([['whole', vectors.whole.manifest, [vectors.whole.chunk]], ['in chunks', vectors.manifest, vectors.chunks]] as const)('%s', (_, manifest, chunks) => {
  const opened = openManifest(hex(manifest), head)
  expect(opened.counts).toHaveLength(chunks.length)
  const content = new Content()
  for (const [i, chunk] of chunks.entries()) for (const { key, value } of openChunk(opened, i, hex(chunk))) content.set(key, value)
  expect([content.under(Buffer.alloc(0)).length, content.root()]).toEqual([vectors.rows, head.stateRoot])
})

it('refuses what the vectors refuse, a chunk in another\'s place, one that was changed, and counts of another state', () => {
  for (const { why, manifest, chunk } of vectors.refused) expect(() => openChunk(openManifest(hex(manifest), head), 0, hex(chunk ?? vectors.chunks[0]!)), why).toThrow()
  const opened = openManifest(hex(vectors.manifest), head)
  const chunks = vectors.chunks.map(hex)
  const [first, second] = chunks as [Buffer, Buffer]
  expect(() => openChunk(opened, 0, second)).toThrow()
  expect(() => openChunk(opened, 1, first)).toThrow()
  for (const counts of [[...opened.counts, 1], opened.counts.map((count, i) => (i === 0 ? count - 1 : i === 1 ? count + 1 : count))]) expect(() => openChunk({ ...opened, counts }, 0, first)).toThrow()
  for (let at = 0; at < first.length; at += 7) expect(() => openChunk(opened, 0, first.map((byte, i) => (i === at ? byte ^ 1 : byte)) as Buffer), String(at)).toThrow()
})
