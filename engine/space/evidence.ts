/**
 * Evidence against a relay: two checkpoint notes of one key that contradict each other, with the RFC 9162 proof that gives the larger head
 * another root at the smaller size. Anybody can verify it offline; nobody can make it without the relay's key.
 */
import { equalBytes } from '../codec/bytes.js'
import { decodeCanonical, encodeCanonical } from '../codec/canonical.js'
import type { VerifierCrypto } from '../crypto/provider.js'
import { SealError } from '../errors.js'
import { MAX_NOTE_LENGTH } from '../limits.js'
import { type Checkpoint, checkpointVerifier, openCheckpoint, originOfSpace, parseStateLine } from '../log/checkpoint.js'
import { type LogProof, readLogProof, verifyConsistency, writeLogProof } from '../log/merkle.js'
import type { RelayRecord } from './ops/space.js'
import type { Head } from './types.js'

/** `smaller.size <= larger.size`. `root`: the log root that the larger head has at the smaller size; `proof`: from `root` to the larger. */
export interface ForkParts {
  readonly spaceId: Uint8Array
  readonly relayName: string
  readonly relayKey: Uint8Array
  readonly smaller: Uint8Array
  readonly larger: Uint8Array
  readonly root: Uint8Array
  readonly proof: LogProof
}

declare const verified: unique symbol
/** The relay `relayName` of that key has signed two histories of the space. */
export interface VerifiedFork {
  readonly spaceId: Uint8Array
  readonly relayName: string
  readonly relayKey: Uint8Array
  readonly sizes: readonly [number, number]
  /** What the two notes say. */
  readonly smaller: Head
  readonly larger: Head
  readonly [verified]: 'fork'
}

const VERSION = 1
const MAX_RELAY_NAME = 255

export function encodeEvidence(parts: ForkParts): Uint8Array {
  return encodeCanonical(parts, (w, p) => {
    w.u8(VERSION).fixed(p.spaceId, 32).text(p.relayName, MAX_RELAY_NAME).fixed(p.relayKey, 32)
    w.bytes(p.smaller, MAX_NOTE_LENGTH).bytes(p.larger, MAX_NOTE_LENGTH).fixed(p.root, 32)
    writeLogProof(w, p.proof)
  })
}

/** Throws `bad-proof` if it proves nothing; `bad-encoding`, `bad-checkpoint`, `bad-signature` if it is malformed or not signed. */
export function verifyEvidence(crypto: VerifierCrypto, bytes: Uint8Array): VerifiedFork {
  const parts = decodeCanonical(bytes, (r): ForkParts => {
    const version = r.u8()
    if (version !== VERSION) throw new SealError('unsupported-version', `Expected evidence of version ${VERSION}.`, { version })
    return {
      spaceId: r.fixed(32).slice(), relayName: r.text(MAX_RELAY_NAME), relayKey: r.fixed(32).slice(),
      smaller: r.bytes(MAX_NOTE_LENGTH).slice(), larger: r.bytes(MAX_NOTE_LENGTH).slice(), root: r.fixed(32).slice(), proof: readLogProof(r),
    }
  })
  const verifier = checkpointVerifier(crypto, parts.relayName, parts.relayKey)
  const origin = originOfSpace(parts.spaceId)
  const smaller = openCheckpoint(parts.smaller, origin, verifier)
  const larger = openCheckpoint(parts.larger, origin, verifier)
  const proved = (): VerifiedFork =>
    ({ spaceId: parts.spaceId, relayName: parts.relayName, relayKey: parts.relayKey, sizes: [smaller.size, larger.size], smaller: headIn(smaller), larger: headIn(larger) }) as unknown as VerifiedFork
  if (smaller.size === larger.size) {
    // Nothing of the bytes goes unused: the one root is the larger's own, and there is nothing to prove between equal sizes.
    if (!equalBytes(parts.root, larger.root) || parts.proof.length > 0) throw new SealError('bad-proof', 'Expected no proof between two heads of one size.')
    const same = equalBytes(smaller.root, larger.root) && equalBytes(parseStateLine(smaller), parseStateLine(larger))
    // What nothing depends on has one form only.
    if (parts.proof.length > 0 || !equalBytes(parts.root, larger.root)) throw new SealError('bad-proof', 'Expected no proof between two notes of one size.')
    if (!same) return proved()
  } else if (smaller.size < larger.size && smaller.size > 0) {
    verifyConsistency(crypto, { size1: smaller.size, root1: parts.root, size2: larger.size, root2: larger.root, proof: parts.proof })
    if (!equalBytes(parts.root, smaller.root)) return proved()
  }
  throw new SealError('bad-proof', 'Expected two notes that contradict each other; these agree.', { smaller: smaller.size, larger: larger.size })
}

function headIn(checkpoint: Checkpoint): Head {
  return { size: checkpoint.size, logRoot: checkpoint.root, stateRoot: parseStateLine(checkpoint) }
}

/** The relay's statement about one head, its signature checked. */
export function openRelayNote(crypto: VerifierCrypto, spaceId: Uint8Array, relay: Pick<RelayRecord, 'name' | 'publicKey'>, note: Uint8Array): RelayStatement {
  const checkpoint = openCheckpoint(note, originOfSpace(spaceId), checkpointVerifier(crypto, relay.name, relay.publicKey))
  return { size: checkpoint.size, logRoot: checkpoint.root, stateRoot: parseStateLine(checkpoint), note: checkpoint.note } as unknown as RelayStatement
}

/** What the relay says, with its signature: a claim about a head, to be compared with what one computes. */
export interface RelayStatement {
  readonly size: number
  readonly logRoot: Uint8Array
  readonly stateRoot: Uint8Array
  readonly note: Uint8Array
  readonly [verified]: 'statement'
}
