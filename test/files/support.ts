/** Files for tests: sealed by the engine, with what a hostile relay or member would need to lie about them. */
import { expect } from 'vitest'
import { buildPutFile } from '../../engine/space/build-files.js'
import type { FileFacts } from '../../engine/space/file-record.js'
import { FileSealer } from '../../engine/space/file-sealer.js'
import type { PutFileOp } from '../../engine/space/ops/file.js'
import { leafHash } from '../../engine/log/merkle.js'
import { LogTree } from '../../engine/log/tree.js'
import { crypto, type Person, type World } from '../space/world.js'

export interface MadeFile {
  readonly op: PutFileOp
  readonly content: Uint8Array
  readonly facts: FileFacts
  readonly key: Uint8Array
  /** Sealed, in order. */
  readonly chunks: readonly Uint8Array[]
  readonly tree: LogTree
}

/** A file by `by`, not in the log yet. */
export function makeFile(world: World, by: Person, bytes: Uint8Array, name = 'plan.pdf', type = 'application/pdf'): MadeFile {
  const key = world.random(32)
  const sealer = new FileSealer(world.env, { key, name, type })
  const chunks = [...sealer.write(bytes)]
  const { chunk, facts } = sealer.end()
  chunks.push(chunk)
  return { op: buildPutFile(world.bench(by), facts, sealer.content), content: sealer.content, facts, key, chunks, tree: treeOf(chunks) }
}

export function treeOf(chunks: readonly Uint8Array[]): LogTree {
  const tree = new LogTree(crypto)
  for (const chunk of chunks) tree.append(leafHash(crypto, chunk))
  return tree
}

/** `expect.poll`, for as long as a busy machine may take. */
export function poll<T>(what: () => T | Promise<T>): ReturnType<typeof expect.poll<T>> {
  return expect.poll(what, { timeout: 20_000, interval: 10 })
}

export { sampleBytes } from './samples.js'
