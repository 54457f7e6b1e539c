/**
 * Who may do what to whom (PROTOCOL.md §7.1). Every decision about rights inside the group is made by the functions here; the ops ask.
 */
import { decodeMember, type MemberRole } from '../state/roster.js'
import { type OpContext, requireOr } from '../state/context.js'
import { memberKey } from '../state/keys.js'

/** Owners and admins: they invite, remove, and start epochs as often as they like. */
export function isAdmin(role: MemberRole): boolean {
  return role === 'owner' || role === 'admin'
}

/** Owners handle everybody, admins handle writers and readers. `target` is the role invited, removed, or at either end of a change. */
export function mayHandle(author: MemberRole, target: MemberRole): boolean {
  return author === 'owner' || (author === 'admin' && !isAdmin(target))
}

/** The author's role as the ops before this one left it: an entry can't use a right that its own first op gave away. */
export function roleNow(ctx: OpContext): MemberRole {
  const bytes = ctx.get(memberKey(ctx.author.member))
  const member = bytes === undefined ? undefined : decodeMember(bytes)
  requireOr(member !== undefined && member.removedAt === undefined, 'role', 'removed')
  return member.role
}
