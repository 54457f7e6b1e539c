/**
 * `profile`: set, replace or clear the sealed name of a member or a device. One's own, or as an admin anybody's: that is also how names are
 * re-sealed before a forget, attributed to who did it. A name counts as one live sealed value of its epoch.
 */
import { EMPTY_BYTES } from '../../codec/bytes.js'
import { MAX_NAME_LENGTH } from '../../limits.js'
import { type OpCodec, Reject, requireOr } from '../../state/context.js'
import { deviceKey, MAX_ID, memberKey } from '../../state/keys.js'
import { encodeDevice, encodeMember } from '../../state/roster.js'
import { countName, sealedNameFor } from '../live.js'
import { isAdmin, roleNow } from '../roles.js'
import { readDevice, readMember } from '../roster.js'

const PROFILE_SUBJECTS = ['member', 'device'] as const
export type ProfileSubject = (typeof PROFILE_SUBJECTS)[number]

export interface ProfileOp {
  readonly op: 'profile'
  readonly subject: ProfileSubject
  readonly id: number
  /** Sealed by the author under the entry's epoch; empty clears. */
  readonly sealed: Uint8Array
}

export const profile: OpCodec<ProfileOp> = {
  tag: 0x1c,
  name: 'profile',
  role: undefined,
  write: (w, op) => {
    w.u8(PROFILE_SUBJECTS.indexOf(op.subject)).varint(op.id).bytes(op.sealed, MAX_NAME_LENGTH)
  },
  read: (r) => {
    const subject = PROFILE_SUBJECTS[r.u8()]
    if (subject === undefined) throw r.bad('Expected a subject, 0 or 1')
    return { op: 'profile', subject, id: r.varint(MAX_ID), sealed: r.bytes(MAX_NAME_LENGTH) }
  },
  apply: (ctx, op) => {
    const name = op.sealed.length === 0 ? EMPTY_BYTES : sealedNameFor(ctx, ctx.author.device, op.sealed)
    if (op.subject === 'member') {
      const member = readMember(ctx, op.id)
      if (member === undefined) throw new Reject('conflict', 'no-member')
      requireOr(op.id === ctx.author.member || isAdmin(roleNow(ctx)), 'role', 'handle')
      countName(ctx, member.profile, name)
      ctx.put(memberKey(op.id), encodeMember({ ...member, profile: name }))
      return
    }
    const device = readDevice(ctx, op.id)
    if (device === undefined || device.removedAt !== undefined) throw new Reject('conflict', 'no-device')
    requireOr(device.member === ctx.author.member || isAdmin(roleNow(ctx)), 'role', 'handle')
    countName(ctx, device.name, name)
    ctx.put(deviceKey(op.id), encodeDevice({ ...device, name }))
  },
}
