/** `member.role`: change a member's role. Owners set anything, admins move others between writer and reader; one owner always stays. */
import type { OpCodec, OpContext } from '../../state/context.js'
import { Reject, requireOr } from '../../state/context.js'
import { MAX_ID, memberKey } from '../../state/keys.js'
import { encodeMember, type MemberRole, readRole, writeRole } from '../../state/roster.js'
import { mayHandle, roleNow } from '../roles.js'
import { listMembers, readMember } from '../roster.js'

export interface MemberRoleOp {
  readonly op: 'member.role'
  readonly member: number
  /** The role its author saw: another by now is a conflict, so that no change is applied twice or to what nobody looked at. */
  readonly from: MemberRole
  readonly to: MemberRole
}

export const memberRole: OpCodec<MemberRoleOp> = {
  tag: 0x14,
  name: 'member.role',
  role: 'admin',
  write: (w, op) => {
    w.varint(op.member)
    writeRole(w, op.from)
    writeRole(w, op.to)
  },
  read: (r) => {
    const [member, from, to] = [r.varint(MAX_ID), readRole(r), readRole(r)]
    if (from === to) throw r.bad('Expected two different roles')
    return { op: 'member.role', member, from, to }
  },
  apply: (ctx, op) => {
    const target = readMember(ctx, op.member)
    if (target === undefined || target.removedAt !== undefined) throw new Reject('conflict', 'no-member')
    requireOr(target.role === op.from, 'conflict', 'role-changed')
    const author = roleNow(ctx)
    requireOr(mayHandle(author, op.from) && mayHandle(author, op.to), 'role', 'handle')
    if (op.from === 'owner') requireAnotherOwner(ctx, op.member)
    ctx.put(memberKey(op.member), encodeMember({ ...target, role: op.to }))
  },
}

/** A space always has an owner. */
export function requireAnotherOwner(ctx: OpContext, leaving: number): void {
  const other = listMembers(ctx).some((member) => member.id !== leaving && member.role === 'owner' && member.removedAt === undefined)
  requireOr(other, 'rule', 'last-owner')
}
