/**
 * Evidence against a relay: two checkpoint notes of one key that contradict each other, with the RFC 9162 proof that gives the larger head
 * another root at the smaller size. Anybody can verify it offline; nobody can make it without the relay's key.
 */
import { decodeCanonical, encodeCanonical } from '../codec/canonical.js'
import type { VerifierCrypto } from '../crypto/provider.js'
import { SealError } from '../errors.js'
import { MAX_NOTE_LENGTH } from '../limits.js'
import { type Checkpoint, checkpointVerifier, openCheckpoint, originOfSpace, parseStateLine } from '../log/checkpoint.js'
import { checkContradiction, readStatements, type Statements, writeStatements } from './contradiction.js'
import type { RelayRecord } from './ops/space.js'
import type { Head } from './types.js'

/** The statements are notes. */
export interface ForkParts extends Statements {
  readonly spaceId: Uint8Array
  readonly relayName: string
  readonly relayKey: Uint8Array
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
    writeStatements(w, p, MAX_NOTE_LENGTH)
  })
}

/** Throws `bad-proof` if it proves nothing; `bad-encoding`, `bad-checkpoint`, `bad-signature` if it is malformed or not signed. */
export function verifyEvidence(crypto: VerifierCrypto, bytes: Uint8Array): VerifiedFork {
  const parts = decodeCanonical(bytes, (r): ForkParts => {
    const version = r.u8()
    if (version !== VERSION) throw new SealError('unsupported-version', `Expected evidence of version ${VERSION}.`, { version })
    return { spaceId: r.fixed(32).slice(), relayName: r.text(MAX_RELAY_NAME), relayKey: r.fixed(32).slice(), ...readStatements(r, MAX_NOTE_LENGTH) }
  })
  const verifier = checkpointVerifier(crypto, parts.relayName, parts.relayKey)
  const origin = originOfSpace(parts.spaceId)
  const smaller = headIn(openCheckpoint(parts.smaller, origin, verifier))
  const larger = headIn(openCheckpoint(parts.larger, origin, verifier))
  checkContradiction(crypto, smaller, larger, parts)
  const { spaceId, relayName, relayKey } = parts
  return { spaceId, relayName, relayKey, sizes: [smaller.size, larger.size], smaller, larger } as unknown as VerifiedFork
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
