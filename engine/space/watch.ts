/** Comparing what a relay says with what was verified here: agreement, or evidence. */
import { equalBytes } from '../codec/bytes.js'
import type { CryptoProvider } from '../crypto/provider.js'
import { isSealError } from '../errors.js'
import type { LogTree } from '../log/tree.js'
import { verifyConsistency } from '../log/merkle.js'
import { encodeEvidence, type RelayStatement } from './evidence.js'
import type { RelayRecord } from './ops/space.js'
import type { Head } from './types.js'

export interface Contradiction {
  readonly crypto: CryptoProvider
  readonly spaceId: Uint8Array
  readonly relay: RelayRecord | undefined
  readonly log: LogTree
  /** The verified head, and the relay's note under it or under an earlier one. */
  readonly head: Head
  readonly note: Uint8Array | undefined
}

/**
 * Undefined if the statement agrees with the history verified here (or says nothing about it). Evidence if the relay has signed both; `no-note`
 * if it contradicts, but there is no note of the relay to hold against it.
 *
 * A larger head needs the relay's consistency proof from the verified size; a proof that does not verify is not agreement.
 */
export function forkEvidence(own: Contradiction, statement: RelayStatement, consistency: readonly Uint8Array[] | undefined): Uint8Array | 'no-note' | undefined {
  const { crypto, head, log } = own
  if (statement.size > head.size) {
    if (consistency === undefined) return undefined
    try {
      verifyConsistency(crypto, { size1: head.size, root1: head.logRoot, size2: statement.size, root2: statement.logRoot, proof: consistency })
      return undefined
    } catch (error) {
      if (!isSealError(error, 'bad-proof')) throw error
      // No proof that leads here: the relay withholds one, which is no evidence yet.
      return 'no-note'
    }
  }
  if (statement.size < log.start || statement.size === 0) return undefined
  const root = log.root(statement.size)
  const sameState = statement.size !== head.size || equalBytes(statement.stateRoot, head.stateRoot)
  if (equalBytes(root, statement.logRoot) && sameState) return undefined
  if (own.note === undefined || own.relay === undefined) return 'no-note'
  const { name, publicKey } = own.relay
  return encodeEvidence({
    spaceId: own.spaceId, relayName: name, relayKey: publicKey,
    smaller: statement.note, larger: own.note, root, proof: statement.size === head.size ? [] : log.consistencyProof(statement.size, head.size),
  })
}
