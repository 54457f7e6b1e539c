/**
 * `invite.create`: open an invitation. Its keys derive from the secret of a link; the author proves that it holds them, and grants the
 * current epoch to them. Admins invite members; anybody invites a further device of their own.
 */
import { MAX_INVITATION_USES, MAX_RECIPIENTS } from '../../limits.js'
import { type OpCodec, type OpContext, requireOr } from '../../state/context.js'
import { invitationKey, MAX_ID } from '../../state/keys.js'
import { type MemberRole, readRole, writeRole } from '../../state/roster.js'
import { GRANT_LENGTH, POSSESSION_LENGTH } from '../../crypto/verifiable.js'
import { requirePossession, takeGrant } from '../admission.js'
import { admitKey } from '../graves.js'
import { encodeInvitation, type InvitationKind, readKind, writeKind } from '../invites.js'
import { isAdmin, mayHandle, roleNow } from '../roles.js'
import { listInvitations, liveDevices, readDevice, readPairOf } from '../roster.js'

export interface InviteCreateOp {
  readonly op: 'invite.create'
  /** The id it expects: another by now is a conflict. */
  readonly invitation: number
  readonly kind: InvitationKind
  /** For kind `device`: the author's own. */
  readonly role: MemberRole
  readonly uses: number
  /** First index at which it no longer admits. */
  readonly expiresAt: number
  readonly signing: Uint8Array
  readonly agreement: Uint8Array
  /** Of both keys. */
  readonly possession: Uint8Array
  /** Of the current epoch, from the author's pair. */
  readonly grant: Uint8Array
}

export const inviteCreate: OpCodec<InviteCreateOp> = {
  tag: 0x11,
  name: 'invite.create',
  role: undefined,
  write: (w, op) => {
    w.varint(op.invitation)
    writeKind(w, op.kind)
    writeRole(w, op.role)
    w.varint(op.uses).varint(op.expiresAt).fixed(op.signing, 32).fixed(op.agreement, 32)
    w.fixed(op.possession, POSSESSION_LENGTH).fixed(op.grant, GRANT_LENGTH)
  },
  read: (r) => ({
    op: 'invite.create',
    invitation: r.varint(MAX_ID),
    kind: readKind(r),
    role: readRole(r),
    uses: r.varint(),
    expiresAt: r.varint(),
    signing: r.fixed(32),
    agreement: r.fixed(32),
    possession: r.fixed(POSSESSION_LENGTH),
    grant: r.fixed(GRANT_LENGTH),
  }),
  apply: (ctx, op) => {
    requireOr(op.invitation === ctx.meta.nextInvitation, 'conflict', 'invitation')
    const role = roleNow(ctx)
    if (op.kind === 'member') requireOr(mayHandle(role, op.role), 'role', 'invite')
    else requireOwnDevice(ctx, op, role)
    requireOr(op.uses >= 1 && op.uses <= (op.kind === 'device' ? 1 : MAX_INVITATION_USES), 'rule', 'uses')
    requireOr(op.expiresAt > ctx.index, 'rule', 'expired')
    requireOr(liveDevices(ctx).length + listInvitations(ctx).length < MAX_RECIPIENTS, 'rule', 'too-many')
    const { signing, agreement } = op
    const author = readDevice(ctx, ctx.author.device)
    requireOr(author !== undefined && author.removedAt === undefined, 'role', 'removed')
    const context = { space: ctx.env.spaceId, kind: 'invitation', admitter: author.signing, id: op.invitation, role: op.role, base: ctx.entry.base } as const
    requirePossession(ctx, context, signing, agreement, op.possession)
    admitKey(ctx, signing, { holder: 'invitation', id: op.invitation, use: 'signing' })
    admitKey(ctx, agreement, { holder: 'invitation', id: op.invitation, use: 'agreement' })
    const from = { agreement: author.agreement, signing: author.signing, pair: readPairOf(ctx, 0, ctx.author.device) }
    takeGrant(ctx, from, { holder: 1, id: op.invitation, agreement }, op.grant)
    const issuer = ctx.author.member
    const { kind, uses: usesLeft, expiresAt } = op
    ctx.put(invitationKey(op.invitation), encodeInvitation({ kind, issuer, role: op.role, signing, agreement, createdAt: ctx.index, usesLeft, expiresAt }))
    ctx.setMeta({ nextInvitation: op.invitation + 1 })
  },
}

/** Not an admin's: one open invitation at a time, so that nobody else can fill the list of recipients. */
function requireOwnDevice(ctx: OpContext, op: InviteCreateOp, role: MemberRole): void {
  requireOr(op.role === role, 'conflict', 'role-changed')
  if (isAdmin(role)) return
  const open = listInvitations(ctx).some((invitation) => invitation.issuer === ctx.author.member)
  requireOr(!open, 'rule', 'one-invitation')
}
