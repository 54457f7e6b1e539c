/**
 * Record and replay: run a program over a whole tree and keep what it opened; run the same program over only that.
 *
 * @example
 * const { result, proof } = tree.record(version, (state) => applyEntry(state, entry))
 * const same = replay(hash, tree.root(version), proof, (state) => applyEntry(state, entry))
 */
import type { Sha256 } from '../crypto/provider.js'
import { isSealError, SealError } from '../errors.js'
import type { Arena, Ref } from './arena.js'
import { hashLevels } from './levels.js'
import { countUnused, decodeProof, encodeProof } from './proof.js'
import { Reader, type Trace } from './reader.js'
import { StateView, Versions } from './view.js'

export interface Recorded<T> {
  readonly result: T
  readonly proof: Uint8Array
}

/** Run `program` over the tree under `root`. The states it makes are gone when it returns. */
export function recordRun<T>(nodes: Arena, root: Ref, program: (state: StateView) => T): Recorded<T> {
  const trace = newTrace()
  const versions = new Versions()
  try {
    const result = program(new StateView(versions, new Reader(nodes, trace), versions.adopt(nodes.retain(root))))
    return { result, proof: encodeProof(nodes, root, trace) }
  } finally {
    for (const held of versions.removeAll()) nodes.release(held)
  }
}

/**
 * The state that a proof opens, for reads and edits. What the proof doesn't cover throws `out-of-scope`. It lives in memory of its own: nothing to release.
 * Throws `bad-proof`, `bad-encoding` or `too-large` for a proof that isn't one of `root`. Does not refuse unused nodes: `replay` and `verify` do.
 */
export function openProof(hash: Sha256, root: Uint8Array, proof: Uint8Array): StateView {
  return opened(decodeProof(hash, root, proof, hashLevels), undefined)
}

/**
 * Run `program` over a proof of `root`. Beyond `openProof`, refuses with `bad-proof` a proof that lacks what the program opens or has what it doesn't:
 * so for one program there is one proof. States that the program made may be kept.
 */
export function replay<T>(hash: Sha256, root: Uint8Array, proof: Uint8Array, program: (state: StateView) => T): T {
  const part = decodeProof(hash, root, proof, hashLevels)
  const trace = newTrace()
  const result = runStrictly(() => program(opened(part, trace)))
  const unused = countUnused(part.nodes, part.root, trace)
  if (unused > 0) throw new SealError('bad-proof', `Expected a proof of what was read and no more, found ${unused} unused nodes or values.`, { unused })
  return result
}

function runStrictly<T>(run: () => T): T {
  try {
    return run()
  } catch (cause) {
    if (isSealError(cause, 'out-of-scope')) throw new SealError('bad-proof', 'Expected a proof of all that was read, found parts missing.', {}, { cause })
    throw cause
  }
}

function opened({ nodes, root }: { readonly nodes: Arena; readonly root: Ref }, trace: Trace | undefined): StateView {
  const versions = new Versions()
  return new StateView(versions, new Reader(nodes, trace), versions.adopt(nodes.retain(root)))
}

function newTrace(): Trace {
  return { nodes: new Set(), values: new Set() }
}
