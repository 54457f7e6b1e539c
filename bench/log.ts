/** Hot paths of the log: append, roots, and proofs made and verified, at 1k to 1M leaves. */
import { loadProvider } from '../engine/crypto/load.js'
import type { Sha256 } from '../engine/crypto/provider.js'
import { leafHash, verifyConsistency, verifyInclusion } from '../engine/log/merkle.js'
import { LogTree } from '../engine/log/tree.js'
import type { BenchSuite } from './crypto.js'

const SIZES = [1_000, 10_000, 100_000]

export async function suites({ million = false }: { readonly million?: boolean } = {}): Promise<readonly BenchSuite[]> {
  const hash = await loadProvider('node')
  const prepared = (million ? [...SIZES, 1_000_000] : SIZES).map((size) => ({ size, operations: operations(hash, size) }))
  const names = Object.keys(prepared[0]?.operations ?? {})
  return names.map((name) => ({
    name: `log: ${name}`,
    cases: prepared.map(({ size, operations: of }) => ({ name: `${size} entries`, run: of[name] as () => unknown })),
  }))
}

/** A log of `size` leaves, each the hash of its number. */
export function filledLog(hash: Sha256, size: number): LogTree {
  const tree = new LogTree(hash)
  for (let i = 0; i < size; i++) tree.append(leafHash(hash, new Uint8Array(new Uint32Array([i]).buffer)))
  return tree
}

function operations(hash: Sha256, size: number): Readonly<Record<string, () => unknown>> {
  const tree = filledLog(hash, size)
  const leaf = tree.leaf(0).slice()
  const root = tree.root()
  let turn = 0
  const pick = (): number => (turn++ * 7919) % size
  const proofs = Array.from({ length: 64 }, () => {
    const index = pick()
    return { index, size, leaf: tree.leaf(index).slice(), proof: tree.inclusionProof(index), root }
  })
  const old = Math.floor(size / 3)
  const consistency = { size1: old, root1: tree.root(old), size2: size, root2: root, proof: tree.consistencyProof(old) }
  return {
    'append, with the root': () => {
      tree.append(leaf)
      const next = tree.root()
      tree.truncate(size)
      return next
    },
    'inclusion: prove': () => tree.inclusionProof(pick(), size),
    'inclusion: verify': () => verifyInclusion(hash, proofs[turn++ % proofs.length] as (typeof proofs)[number]),
    'consistency: prove': () => tree.consistencyProof(1 + pick(), size),
    'consistency: verify': () => verifyConsistency(hash, consistency),
  }
}
