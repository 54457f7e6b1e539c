/** A read proof damaged in every place, each of which must be refused. */
import { expect } from 'vitest'
import { concatBytes, encodeHex } from '../../engine/codec/bytes.js'
import { isSealError } from '../../engine/errors.js'
import { answer, prove, verify, type Query } from '../../engine/state/queries.js'
import { ReferenceState } from '../../engine/state/reference.js'
import type { Row } from '../../engine/state/read.js'
import { elementsOf } from './proof-nodes.js'
import { bytes, hash, plain, treeOf } from './support.js'

const FORMAT = bytes(1)

/** `step`: of bytes and nodes that are damaged; `shift`: which of them, and which bit, so that lists of queries meet different ones. */
export function check(content: readonly Row[], queries: readonly Query[], step = 1, shift = 0): void {
  const { tree, version } = treeOf(content)
  const root = tree.root(version)
  const twin = new ReferenceState(hash, content)
  queries.forEach((query, i) => {
    const proof = prove(tree, version, [query])
    expect(plain(verify(hash, root, [query], proof).answers)).toBe(plain([answer(twin, query)]))
    for (let at = shift % step; at < proof.length; at += step) {
      const changed = proof.slice()
      changed[at]! ^= 1 << ((at + i + shift) & 7)
      refuses(root, query, changed)
    }
    for (const other of rearranged(elementsOf(proof), shift % step, step)) {
      const changed = concatBytes(FORMAT, ...other)
      if (encodeHex(changed) !== encodeHex(proof)) refuses(root, query, changed)
    }
  })
}

/** Each node dropped, doubled, swapped with the next and with the last, and a strange one before each and at the end. */
function* rearranged(nodes: readonly Uint8Array[], from: number, step: number): Generator<readonly Uint8Array[]> {
  const strange = concatBytes(bytes(0, 1), new Uint8Array(32).fill(3))
  for (let i = from; i < nodes.length; i += step) {
    const node = nodes[i]!
    yield nodes.toSpliced(i, 1)
    yield nodes.toSpliced(i, 0, node)
    yield nodes.toSpliced(i, 0, strange)
    for (const j of new Set([i + 1, nodes.length - 1])) if (i < j && j < nodes.length) yield nodes.with(i, nodes[j]!).with(j, node)
  }
  yield [...nodes, strange]
}

function refuses(root: Uint8Array, query: Query, proof: Uint8Array): void {
  try {
    verify(hash, root, [query], proof)
  } catch (error) {
    if (isSealError(error) && error.family === 'hostile') return
    throw error
  }
  throw new Error(`accepted ${encodeHex(proof)} for ${plain(query)}`)
}
