/**
 * The record of an open invitation. Its two public keys derive from the secret in the link; its pair (pairs.ts) lets the link's holder
 * open the current epoch and grant it to the device that joins. The record goes when it is used up, revoked or ended.
 */
import { decodeCanonical, encodeCanonical, type Reader, type Writer } from '../codec/canonical.js'
import { MAX_ID } from '../state/keys.js'
import { type MemberRole, readRole, writeRole } from '../state/roster.js'

/** `member`: admits a new member with the role. `device`: admits one more device of the issuer. */
export const INVITATION_KINDS = ['member', 'device'] as const
export type InvitationKind = (typeof INVITATION_KINDS)[number]

export interface InvitationRecord {
  readonly kind: InvitationKind
  /** The member that answers for it, who must still hold the right when it is taken up. */
  readonly issuer: number
  /** For kind `device`: the issuer's role when it was made. */
  readonly role: MemberRole
  readonly signing: Uint8Array
  readonly agreement: Uint8Array
  readonly createdAt: number
  /** At least 1. */
  readonly usesLeft: number
  /** The first index at which it no longer admits. */
  readonly expiresAt: number
}

export function encodeInvitation(invitation: InvitationRecord): Uint8Array {
  return encodeCanonical(invitation, (w, i) => {
    writeKind(w, i.kind)
    w.varint(i.issuer)
    writeRole(w, i.role)
    w.fixed(i.signing, 32).fixed(i.agreement, 32).varint(i.createdAt).varint(i.usesLeft).varint(i.expiresAt)
  })
}

/** The byte arrays are views into `bytes`. */
export function decodeInvitation(bytes: Uint8Array): InvitationRecord {
  return decodeCanonical(bytes, (r) => ({
    kind: readKind(r),
    issuer: r.varint(MAX_ID),
    role: readRole(r),
    signing: r.fixed(32),
    agreement: r.fixed(32),
    createdAt: r.varint(),
    usesLeft: r.varint(),
    expiresAt: r.varint(),
  }))
}

export function writeKind(writer: Writer, kind: InvitationKind): void {
  writer.u8(INVITATION_KINDS.indexOf(kind))
}

export function readKind(reader: Reader): InvitationKind {
  const kind = INVITATION_KINDS[reader.u8()]
  if (kind === undefined) throw reader.bad('Expected a kind of invitation, 0 or 1')
  return kind
}
