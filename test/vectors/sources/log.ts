/** Vectors of PROTOCOL.md §4, the tree: RFC 9162 roots, proofs and frontiers of a small log. */
import { encodeHex } from '../../../engine/codec/bytes.js'
import { encodeCanonical } from '../../../engine/codec/canonical.js'
import { writeFrontier } from '../../../engine/log/frontier.js'
import { leafHash, nodeHash } from '../../../engine/log/merkle.js'
import { LogTree } from '../../../engine/log/tree.js'
import { crypto } from '../../log/crypto.js'
import { type Json, type VectorSource } from '../registry.js'

export const source: VectorSource = { name: 'log', build }

const COUNT = 9
const hex = (hashes: readonly Uint8Array[]): Json => hashes.map(encodeHex)

function build(): Json {
  const tree = new LogTree(crypto)
  const entries = Array.from({ length: COUNT }, (_, i) => new Uint8Array(i).fill(i))
  const leaves = entries.map((entry) => leafHash(crypto, entry))
  for (const leaf of leaves) tree.append(leaf)
  const sizes = Array.from({ length: COUNT + 1 }, (_, size) => size)
  return {
    section: '4 Log and checkpoints',
    entries: entries.map((data, i) => ({ data: encodeHex(data), leaf: encodeHex(leaves[i] as Uint8Array) })),
    node: { left: encodeHex(leaves[0] as Uint8Array), right: encodeHex(leaves[1] as Uint8Array), hash: encodeHex(nodeHash(crypto, leaves[0] as Uint8Array, leaves[1] as Uint8Array)) },
    roots: sizes.map((size) => ({ size, root: encodeHex(tree.root(size)), frontier: encodeHex(encodeCanonical(tree.frontier(size), writeFrontier)) })),
    inclusion: sizes.flatMap((size) => leaves.slice(0, size).map((_, index) => ({ index, size, proof: hex(tree.inclusionProof(index, size)) }))),
    consistency: sizes.flatMap((size2) => sizes.slice(1, size2 + 1).map((size1) => ({ size1, size2, proof: hex(tree.consistencyProof(size1, size2)) }))),
  }
}
