/**
 * `replay` (record.ts) for programs that only look up keys: as strict, and without what scans and edits need, so that a verifier stays small.
 */
import type { Sha256 } from '../crypto/provider.js'
import { isSealError, SealError } from '../errors.js'
import { countUnused, decodeProof } from './proof.js'
import { readGet } from './read.js'
import { Reader, type Trace } from './reader.js'

/** Throws `bad-proof` for a proof of another root, one that lacks a key that `program` asks for, or one that has more. */
export function replayGets<T>(hash: Sha256, root: Uint8Array, proof: Uint8Array, program: (state: { get(key: Uint8Array): Uint8Array | undefined }) => T): T {
  const part = decodeProof(hash, root, proof)
  const trace: Trace = { nodes: new Set(), values: new Set() }
  const reader = new Reader(part.nodes, trace)
  let result: T
  try {
    result = program({ get: (key) => readGet(reader, part.root, key) })
  } catch (cause) {
    if (isSealError(cause, 'out-of-scope')) throw new SealError('bad-proof', 'Expected a proof of all that was read, found parts missing.', {}, { cause })
    throw cause
  }
  const unused = countUnused(part.nodes, part.root, trace)
  if (unused > 0) throw new SealError('bad-proof', `Expected a proof of what was read and no more, found ${unused} unused nodes or values.`, { unused })
  return result
}
