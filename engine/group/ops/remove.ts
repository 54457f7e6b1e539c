/**
 * `member.remove` and `device.remove`. Both end every open invitation (a link is a bearer secret and may have been kept by whoever goes)
 * and the epoch. Somebody else's removal is followed, in the same entry, by the rotate that keeps the removed out. Who leaves on their own
 * can't make that secret, or would know it: they leave the epoch void (epochs.ts) and whoever writes next delivers it.
 */
import { type OpCodec, type OpContext, Reject, requireOr } from '../../state/context.js'
import { deviceKey, invitationKey, MAX_ID, memberKey, pairKey } from '../../state/keys.js'
import { EMPTY_BYTES } from '../../codec/bytes.js'
import { encodeDevice, encodeMember } from '../../state/roster.js'
import { countName } from '../live.js'
import { mayHandle, roleNow } from '../roles.js'
import { type Device, isVoid, listInvitations, liveDevices, readDevice, readMember } from '../roster.js'
import { requireAnotherOwner } from './role.js'

export interface MemberRemoveOp {
  readonly op: 'member.remove'
  readonly member: number
}

export interface DeviceRemoveOp {
  readonly op: 'device.remove'
  readonly device: number
}

export const memberRemove: OpCodec<MemberRemoveOp> = {
  tag: 0x15,
  name: 'member.remove',
  role: undefined,
  write: (w, op) => {
    w.varint(op.member)
  },
  read: (r) => ({ op: 'member.remove', member: r.varint(MAX_ID) }),
  apply: (ctx, op) => {
    const target = readMember(ctx, op.member)
    if (target === undefined || target.removedAt !== undefined) throw new Reject('conflict', 'no-member')
    const own = op.member === ctx.author.member
    requireOr(own || mayHandle(roleNow(ctx), target.role), 'role', 'handle')
    if (target.role === 'owner') requireAnotherOwner(ctx, op.member)
    // The name stays: rows go on naming their creator.
    ctx.put(memberKey(op.member), encodeMember({ ...target, removedAt: ctx.index }))
    for (const device of liveDevices(ctx)) if (device.member === op.member) dropDevice(ctx, device)
    endEpoch(ctx, own)
  },
}

export const deviceRemove: OpCodec<DeviceRemoveOp> = {
  tag: 0x16,
  name: 'device.remove',
  role: undefined,
  write: (w, op) => {
    w.varint(op.device)
  },
  read: (r) => ({ op: 'device.remove', device: r.varint(MAX_ID) }),
  apply: (ctx, op) => {
    const target = readDevice(ctx, op.device)
    if (target === undefined || target.removedAt !== undefined) throw new Reject('conflict', 'no-device')
    const holder = readMember(ctx, target.member)
    requireOr(target.member === ctx.author.member || (holder !== undefined && mayHandle(roleNow(ctx), holder.role)), 'role', 'handle')
    // Without a device a member could never return, and the last owner would be gone in all but name: remove the member instead.
    const others = liveDevices(ctx).some((device) => device.member === target.member && device.id !== op.device)
    requireOr(others, 'rule', 'last-device')
    dropDevice(ctx, { ...target, id: op.device })
    endEpoch(ctx, op.device === ctx.author.device)
  },
}

/** Every link in the world stops working; its keys stay in their graves. */
export function endInvitations(ctx: OpContext): void {
  for (const { id } of listInvitations(ctx)) endInvitation(ctx, id)
}

export function endInvitation(ctx: OpContext, id: number): void {
  ctx.delete(invitationKey(id))
  ctx.delete(pairKey(1, id))
}

/** Names of the ops that end an epoch for a reason, and so make the rotate after them free. */
export const ENDING_OPS: readonly string[] = ['member.remove', 'device.remove', 'forget']

/** `leaving`: it is the author's own device that goes. */
function endEpoch(ctx: OpContext, leaving: boolean): void {
  endInvitations(ctx)
  if (!leaving) {
    requireOr(ctx.opName(ctx.opCount - 1) === 'rotate', 'rule', 'rotate-missing')
    return
  }
  requireOr(ctx.op === ctx.opCount - 1, 'rule', 'leave-last')
  if (!isVoid(ctx, ctx.meta)) ctx.setMeta({ epoch: ctx.meta.epoch + 1 })
}

function dropDevice(ctx: OpContext, device: Device): void {
  countName(ctx, device.name, EMPTY_BYTES)
  ctx.put(deviceKey(device.id), encodeDevice({ ...device, removedAt: ctx.index, name: EMPTY_BYTES }))
  ctx.delete(pairKey(0, device.id))
}
