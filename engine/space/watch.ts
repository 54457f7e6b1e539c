/** Comparing what a relay says with what was verified here: agreement, or evidence. */
import { equalBytes } from '../codec/bytes.js'
import type { CryptoProvider } from '../crypto/provider.js'
import { isSealError } from '../errors.js'
import type { LogTree } from '../log/tree.js'
import { verifyConsistency } from '../log/merkle.js'
import { encodeEvidence, type RelayStatement } from './evidence.js'
import type { RelayRecord } from './ops/space.js'
import type { Head } from './types.js'

/** What the relay says of a smaller size under its newest head: the log root there, and the RFC 9162 proof that leads from it. */
export interface Extension {
  readonly root: Uint8Array
  readonly proof: readonly Uint8Array[]
}

export interface Contradiction {
  readonly crypto: CryptoProvider
  readonly spaceId: Uint8Array
  readonly relay: RelayRecord | undefined
  readonly log: LogTree
  /** The verified head, and the relay's note for it. */
  readonly head: Head
  readonly note: Uint8Array | undefined
}

/**
 * Undefined if the statement agrees with the history verified here (or says nothing about it). Evidence if the relay has signed both; `no-note`
 * if it contradicts, but there is no note of the relay to hold against it.
 *
 * A larger head needs the relay's consistency proof from the verified size. One that leads from another root than the verified one, together with
 * the relay's note for the verified one, is evidence; one that does not verify is neither agreement nor evidence.
 */
export function forkEvidence(own: Contradiction, statement: RelayStatement, consistency: Extension | undefined): Uint8Array | 'no-note' | undefined {
  const { crypto, head, log } = own
  if (statement.size > head.size) {
    if (consistency === undefined) return undefined
    try {
      verifyConsistency(crypto, { size1: head.size, root1: consistency.root, size2: statement.size, root2: statement.logRoot, proof: consistency.proof })
    } catch (error) {
      if (!isSealError(error, 'bad-proof')) throw error
      // No proof that leads here: the relay withholds one, which is no evidence yet.
      return 'no-note'
    }
    if (equalBytes(consistency.root, head.logRoot)) return undefined
    return evidenceOf(own, { smaller: own.note, larger: statement.note, ...consistency })
  }
  if (statement.size < log.start || statement.size === 0) return undefined
  const root = log.root(statement.size)
  const sameState = statement.size !== head.size || equalBytes(statement.stateRoot, head.stateRoot)
  if (equalBytes(root, statement.logRoot) && sameState) return undefined
  return evidenceOf(own, { smaller: statement.note, larger: own.note, root, proof: statement.size === head.size ? [] : log.consistencyProof(statement.size, head.size) })
}

function evidenceOf(own: Contradiction, { smaller, larger, root, proof }: Extension & { readonly smaller: Uint8Array | undefined; readonly larger: Uint8Array | undefined }): Uint8Array | 'no-note' {
  if (smaller === undefined || larger === undefined || own.relay === undefined) return 'no-note'
  return encodeEvidence({ spaceId: own.spaceId, relayName: own.relay.name, relayKey: own.relay.publicKey, smaller, larger, root, proof })
}
