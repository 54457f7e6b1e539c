/**
 * `join`: take up an invitation. It is the only op of its entry, which the new device signs; the invitation's key signs who comes in, and the
 * epoch is granted out of the invitation's own pair. A join that fails is ignored as a whole: there is nobody to blame and nothing to move.
 */
import { EMPTY_BYTES } from '../../codec/bytes.js'
import { MAX_MEMBER_DEVICES, MAX_NAME_LENGTH, MAX_RECIPIENTS } from '../../limits.js'
import { type OpCodec, type OpContext, Reject, requireOr } from '../../state/context.js'
import { deviceKey, invitationKey, MAX_ID, memberKey } from '../../state/keys.js'
import { encodeDevice, encodeMember, type MemberRole, readRole, writeRole } from '../../state/roster.js'
import { LABELS } from '../../crypto/labels.js'
import { verifySignature } from '../../crypto/sign.js'
import { GRANT_LENGTH, POSSESSION_LENGTH } from '../../crypto/verifiable.js'
import { requirePossession, takeGrant } from '../admission.js'
import { acceptanceMessage } from '../contexts.js'
import { admitKey } from '../graves.js'
import { encodeInvitation, type InvitationRecord } from '../invites.js'
import { countName, sealedNameFor } from '../live.js'
import { issuerMay, liveDevices, listInvitations, readInvitation, readPairOf } from '../roster.js'
import { endInvitation } from './remove.js'

export interface JoinOp {
  readonly op: 'join'
  readonly invitation: number
  /** The invitation's. */
  readonly role: MemberRole
  readonly signing: Uint8Array
  readonly agreement: Uint8Array
  /** Of both keys. */
  readonly possession: Uint8Array
  /** The invitation key's signature. */
  readonly acceptance: Uint8Array
  /** Of the current epoch, from the invitation's pair. */
  readonly grant: Uint8Array
  /** Sealed names under the entry's epoch; empty for none. A further device of a member brings no member's name. */
  readonly memberName: Uint8Array
  readonly deviceName: Uint8Array
}

export const join: OpCodec<JoinOp> = {
  tag: 0x13,
  name: 'join',
  role: undefined,
  selfSigned: (op) => op.signing,
  write: (w, op) => {
    w.varint(op.invitation)
    writeRole(w, op.role)
    w.fixed(op.signing, 32).fixed(op.agreement, 32).fixed(op.possession, POSSESSION_LENGTH).fixed(op.acceptance, 64)
    w.fixed(op.grant, GRANT_LENGTH).bytes(op.memberName, MAX_NAME_LENGTH).bytes(op.deviceName, MAX_NAME_LENGTH)
  },
  read: (r) => ({
    op: 'join',
    invitation: r.varint(MAX_ID),
    role: readRole(r),
    signing: r.fixed(32),
    agreement: r.fixed(32),
    possession: r.fixed(POSSESSION_LENGTH),
    acceptance: r.fixed(64),
    grant: r.fixed(GRANT_LENGTH),
    memberName: r.bytes(MAX_NAME_LENGTH),
    deviceName: r.bytes(MAX_NAME_LENGTH),
  }),
  apply: (ctx, op) => {
    const invitation = readInvitation(ctx, op.invitation)
    if (invitation === undefined) throw new Reject('rule', 'no-invitation')
    requireOr(ctx.index < invitation.expiresAt, 'rule', 'expired')
    requireOr(op.role === invitation.role, 'rule', 'invited-role')
    requireOr(issuerMay(ctx, invitation), 'rule', 'issuer')
    requireRoom(ctx, invitation)
    const { signing, agreement } = op
    const { base } = ctx.entry
    const { spaceId, crypto } = ctx.env
    const accepted = acceptanceMessage({ spaceId, invitation: op.invitation, role: op.role, signing, agreement, base })
    requireOr(verifySignature(crypto, LABELS.acceptance, accepted, op.acceptance, invitation.signing), 'rule', 'acceptance')
    const context = { space: spaceId, kind: 'acceptance', admitter: invitation.signing, id: op.invitation, role: op.role, base } as const
    requirePossession(ctx, context, signing, agreement, op.possession)
    const device = ctx.meta.nextDevice
    admitKey(ctx, signing, { holder: 'device', id: device, use: 'signing' })
    admitKey(ctx, agreement, { holder: 'device', id: device, use: 'agreement' })
    const from = { agreement: invitation.agreement, signing: invitation.signing, pair: readPairOf(ctx, 1, op.invitation) }
    takeGrant(ctx, from, { holder: 0, id: device, agreement }, op.grant)
    const member = admitMember(ctx, op, invitation, device)
    const name = nameOf(ctx, device, op.deviceName)
    ctx.put(deviceKey(device), encodeDevice({ member, signing, agreement, agreementEpoch: ctx.meta.epoch, admittedAt: ctx.index, removedAt: undefined, name }))
    ctx.setMeta({ nextDevice: device + 1 })
    if (invitation.usesLeft === 1) endInvitation(ctx, op.invitation)
    else ctx.put(invitationKey(op.invitation), encodeInvitation({ ...invitation, usesLeft: invitation.usesLeft - 1 }))
    ctx.admitted(device)
  },
}

function requireRoom(ctx: OpContext, invitation: InvitationRecord): void {
  const devices = liveDevices(ctx)
  requireOr(devices.length + listInvitations(ctx).length < MAX_RECIPIENTS || invitation.usesLeft === 1, 'rule', 'too-many')
  if (invitation.kind === 'member') return
  requireOr(devices.filter((device) => device.member === invitation.issuer).length < MAX_MEMBER_DEVICES, 'rule', 'too-many')
}

/** The member that the device belongs to: a new one, or the issuer. */
function admitMember(ctx: OpContext, op: JoinOp, invitation: InvitationRecord, device: number): number {
  if (invitation.kind === 'device') {
    requireOr(op.memberName.length === 0, 'rule', 'member-name')
    return invitation.issuer
  }
  const member = ctx.meta.nextMember
  const profile = nameOf(ctx, device, op.memberName)
  ctx.put(memberKey(member), encodeMember({ role: invitation.role, admittedAt: ctx.index, removedAt: undefined, profile }))
  ctx.setMeta({ nextMember: member + 1 })
  return member
}

function nameOf(ctx: OpContext, device: number, sealed: Uint8Array): Uint8Array {
  const name = sealed.length === 0 ? EMPTY_BYTES : sealedNameFor(ctx, device, sealed)
  countName(ctx, EMPTY_BYTES, name)
  return name
}
