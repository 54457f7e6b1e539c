/** Files (PROTOCOL.md §8.7): contents, chunks, roots, ids and proofs; and a life of files as records, with verdicts, heads and witnesses. */
import { encodeHex } from '../../../engine/codec/bytes.js'
import { buildRotate } from '../../../engine/group/build-epoch.js'
import { FILE_CHUNK_LENGTH } from '../../../engine/limits.js'
import { leafHash } from '../../../engine/log/merkle.js'
import { buildFileReseals } from '../../../engine/space/build-files.js'
import { makeFile, type MadeFile } from '../../files/support.js'
import { crypto, World, type Person } from '../../space/world.js'
import { type Json, type VectorSource } from '../registry.js'
import { entriesOf } from './space.js'

export const source: VectorSource = {
  name: 'files',
  build: () => {
    const world = new World(31)
    const bob = world.join('bob', 'writer')
    const carl = world.join('carl', 'writer')
    const files = [0, 5, FILE_CHUNK_LENGTH, 3 * FILE_CHUNK_LENGTH + 1].map((length) => makeFile(world, bob, patternOf(length), `${length}.bin`, 'application/octet-stream'))
    const sealed = files.map((file) => fileJson(file))
    live(world, bob, carl, files)
    return { files: sealed, life: { spaceId: encodeHex(world.spaceId), entries: entriesOf(world) } }
  },
}

/** Byte i of every file is (7·i + 3) mod 256. */
function patternOf(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (7 * i + 3) & 255)
}

function fileJson({ op, content, facts, key, chunks, tree }: MadeFile): Json {
  return {
    key: encodeHex(key), content: encodeHex(content), commitment: encodeHex(facts.commitment), length: facts.length, root: encodeHex(facts.root), id: encodeHex(op.id),
    chunks: chunks.map((chunk, i) => ({ ...(chunk.length < 100 && { sealed: encodeHex(chunk) }), leaf: encodeHex(leafHash(crypto, chunk)), proof: tree.inclusionProof(i).map(encodeHex) })),
  }
}

/** Every op, taken and refused. */
function live(world: World, bob: Person, carl: Person, files: readonly MadeFile[]): void {
  const { ada } = world
  const [first, second, third, fourth] = files as [MadeFile, MadeFile, MadeFile, MadeFile]
  world.mustLand(world.record(bob, [first.op, second.op, third.op]))
  world.land(world.record(bob, [first.op]))
  world.land(world.record(bob, [{ ...fourth.op, length: 1 }]))
  world.land(world.record(carl, [{ op: 'file.delete', id: first.op.id }]))
  world.mustLand(world.record(bob, [{ op: 'file.delete', id: first.op.id }]))
  world.land(world.record(bob, [{ op: 'file.delete', id: first.op.id }]))
  world.mustLand(world.record(ada, [buildRotate(world.context(ada))]))
  world.epoch = 2
  for (const person of [ada, bob, carl]) person.keyring.open(world.state.tree)
  world.land(world.record(bob, [fourth.op]))
  world.land(world.record(bob, buildFileReseals(world.bench(bob), 2, 1).ops))
  world.mustLand(world.record(ada, buildFileReseals(world.bench(ada), 2, 10).ops))
}
