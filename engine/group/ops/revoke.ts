/** `invite.revoke`: end one open invitation, one's own or, as an admin, anybody's. The keys stay in their graves. */
import { type OpCodec, Reject, requireOr } from '../../state/context.js'
import { MAX_ID } from '../../state/keys.js'
import { isAdmin, roleNow } from '../roles.js'
import { readInvitation } from '../roster.js'
import { endInvitation } from './remove.js'

export interface InviteRevokeOp {
  readonly op: 'invite.revoke'
  readonly invitation: number
}

export const inviteRevoke: OpCodec<InviteRevokeOp> = {
  tag: 0x12,
  name: 'invite.revoke',
  role: undefined,
  write: (w, op) => {
    w.varint(op.invitation)
  },
  read: (r) => ({ op: 'invite.revoke', invitation: r.varint(MAX_ID) }),
  apply: (ctx, op) => {
    const invitation = readInvitation(ctx, op.invitation)
    if (invitation === undefined) throw new Reject('conflict', 'no-invitation')
    requireOr(isAdmin(roleNow(ctx)) || invitation.issuer === ctx.author.member, 'role', 'handle')
    endInvitation(ctx, op.invitation)
  },
}
