/**
 * What the group's signatures and proofs are made over (PROTOCOL.md §7.3): they name the space, the place and the parties, so that none of
 * them means anything anywhere else. `base` ties each to a history; the position is not in it, since nobody knows it beforehand.
 *
 * In the genesis entry the space's id is not known yet: there, and in what is sealed there, 32 zero bytes stand for it.
 */
import { encodeCanonical } from '../codec/canonical.js'
import { type ProofBase, writeBase } from '../crypto/transcript.js'
import { type MemberRole, writeRole } from '../state/roster.js'

export const GENESIS_SPACE_ID: Uint8Array = new Uint8Array(32)

/** The space's id as whatever starts or is sealed in `epoch` by its own starter binds it: epoch 1 starts in the genesis. */
export function epochSpaceId(spaceId: Uint8Array, epoch: number): Uint8Array {
  return epoch === 1 ? GENESIS_SPACE_ID : spaceId
}

export interface Acceptance {
  readonly spaceId: Uint8Array
  readonly invitation: number
  readonly role: MemberRole
  readonly signing: Uint8Array
  readonly agreement: Uint8Array
  readonly base: ProofBase
}

/** What the invitation's key signs (`LABELS.acceptance`) when somebody joins. */
export function acceptanceMessage(a: Acceptance): Uint8Array {
  return encodeCanonical(a, (w) => {
    w.fixed(a.spaceId, 32).varint(a.invitation)
    writeRole(w, a.role)
    w.fixed(a.signing, 32).fixed(a.agreement, 32)
    writeBase(w, a.base)
  })
}
