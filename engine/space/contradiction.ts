/**
 * What both kinds of evidence come down to (PROTOCOL.md §9.2, §9.6): two signed statements about heads of one log, and what shows that no log has both.
 * Nothing of it goes unused: there is one form for every contradiction.
 */
import { equalBytes } from '../codec/bytes.js'
import type { Reader, Writer } from '../codec/canonical.js'
import type { VerifierCrypto } from '../crypto/provider.js'
import { SealError } from '../errors.js'
import { type LogProof, readLogProof, verifyConsistency, writeLogProof } from '../log/merkle.js'
import type { Head } from './types.js'

/** `smaller` and `larger` as they were signed. `root`: the log root that the larger head has at the smaller size; `proof`: from `root` to the larger. */
export interface Statements {
  readonly smaller: Uint8Array
  readonly larger: Uint8Array
  readonly root: Uint8Array
  readonly proof: LogProof
}

export function writeStatements(w: Writer, { smaller, larger, root, proof }: Statements, maxLength: number): void {
  w.bytes(smaller, maxLength).bytes(larger, maxLength).fixed(root, 32)
  writeLogProof(w, proof)
}

export function readStatements(r: Reader, maxLength: number): Statements {
  return { smaller: r.bytes(maxLength).slice(), larger: r.bytes(maxLength).slice(), root: r.fixed(32).slice(), proof: readLogProof(r) }
}

/** Throws `bad-proof` unless the two heads, which the statements are about, can't both be of one log. */
export function checkContradiction(crypto: VerifierCrypto, smaller: Head, larger: Head, { root, proof }: Statements): void {
  const facts = { smaller: smaller.size, larger: larger.size }
  if (smaller.size === larger.size) {
    if (!equalBytes(root, larger.logRoot) || proof.length > 0) throw new SealError('bad-proof', 'Expected no proof between two heads of one size.', facts)
    if (!equalBytes(smaller.logRoot, larger.logRoot) || !equalBytes(smaller.stateRoot, larger.stateRoot)) return
  } else {
    if (smaller.size > larger.size || smaller.size === 0) throw new SealError('bad-proof', 'Expected the smaller head first, and none of size 0.', facts)
    verifyConsistency(crypto, { size1: smaller.size, root1: root, size2: larger.size, root2: larger.logRoot, proof })
    if (!equalBytes(root, smaller.logRoot)) return
  }
  throw new SealError('bad-proof', 'Expected two statements that contradict each other; these agree.', facts)
}
