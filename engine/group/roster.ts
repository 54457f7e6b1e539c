/**
 * Reading the group from a state: members, devices, open invitations, in order of id, and from them the recipients of a delivery.
 * The same functions serve the state machine, which checks a delivery, and the builders, which make one.
 */
import type { StateReader } from '../state/context.js'
import { deviceKey, epochKey, invitationKey, KEY_KIND, keyId, memberKey, metaKey, pairKey } from '../state/keys.js'
import { decodeDevice, decodeMember, decodeMeta, type DeviceRecord, type MemberRecord, type Meta } from '../state/roster.js'
import { equalBytes } from '../codec/bytes.js'
import { SealError } from '../errors.js'
import { decodeEpoch, type EpochRecord } from './epochs.js'
import { decodeInvitation, type InvitationRecord } from './invites.js'
import { decodePair, type PairRecord } from './pairs.js'
import { mayHandle } from './roles.js'

/** As much of a state as the group reads: a version of the tree, a witness, or an op's context. */
export type GroupReader = Pick<StateReader, 'get' | 'scan' | 'count'>

export interface Member extends MemberRecord {
  readonly id: number
}
export interface Device extends DeviceRecord {
  readonly id: number
}
export interface Invitation extends InvitationRecord {
  readonly id: number
}

/** Whom a delivery serves, in its order: devices by id, then invitations by id. */
export interface Recipient {
  /** As in `pairKey`: 0 a device, 1 an invitation. */
  readonly holder: 0 | 1
  readonly id: number
  readonly agreement: Uint8Array
}

/** All members by id, removed ones too. */
export function listMembers(state: GroupReader): Member[] {
  return listKind(state, KEY_KIND.member, decodeMember)
}

/** All devices by id, removed ones too. */
export function listDevices(state: GroupReader): Device[] {
  return listKind(state, KEY_KIND.device, decodeDevice)
}

export function liveDevices(state: GroupReader): Device[] {
  return listDevices(state).filter((device) => device.removedAt === undefined)
}

/** Invitations on record by id, those too that admit no more: they go at the next epoch. */
export function listInvitations(state: GroupReader): Invitation[] {
  return listKind(state, KEY_KIND.invitation, decodeInvitation)
}

/** Invitations that still admit in an entry at `index`. */
export function openInvitations(state: GroupReader, index: number): Invitation[] {
  return listInvitations(state).filter((invitation) => index < invitation.expiresAt && issuerMay(state, invitation))
}

/** Whoever answers for an invitation is still here and still holds the right to it. */
export function issuerMay(state: Pick<GroupReader, 'get'>, invitation: InvitationRecord): boolean {
  const issuer = readMember(state, invitation.issuer)
  if (issuer === undefined || issuer.removedAt !== undefined) return false
  return invitation.kind === 'device' || mayHandle(issuer.role, invitation.role)
}

/** Whom an epoch started at `index` is delivered to. */
export function recipientsAt(state: GroupReader, index: number): Recipient[] {
  return [
    ...liveDevices(state).map((device): Recipient => ({ holder: 0, id: device.id, agreement: device.agreement })),
    ...openInvitations(state, index).map((invitation): Recipient => ({ holder: 1, id: invitation.id, agreement: invitation.agreement })),
  ]
}

export function readMember(state: Pick<GroupReader, 'get'>, id: number): MemberRecord | undefined {
  return read(state, memberKey(id), decodeMember)
}

export function readDevice(state: Pick<GroupReader, 'get'>, id: number): DeviceRecord | undefined {
  return read(state, deviceKey(id), decodeDevice)
}

export function readInvitation(state: Pick<GroupReader, 'get'>, id: number): InvitationRecord | undefined {
  return read(state, invitationKey(id), decodeInvitation)
}

export function readPairOf(state: Pick<GroupReader, 'get'>, holder: 0 | 1, id: number): PairRecord | undefined {
  return read(state, pairKey(holder, id), decodePair)
}

export function readMeta(state: Pick<GroupReader, 'get'>): Meta {
  const meta = read(state, metaKey(), decodeMeta)
  if (meta === undefined) throw new SealError('bad-argument', 'Expected the state of a space, found none of its counters.')
  return meta
}

/** `readMeta` of a whole state, which doesn't change: taken apart once, though every entry asks for it several times over. Not for an op's context. */
export function metaOf(state: StateReader): Meta {
  let meta = metas.get(state)
  if (meta === undefined) metas.set(state, (meta = readMeta(state)))
  return meta
}
const metas = new WeakMap<StateReader, Meta>()

/** True if the current epoch awaits its delivery (epochs.ts): only a rotate makes sense now. */
export function isVoid(state: Pick<GroupReader, 'get'>, meta: Meta): boolean {
  return state.get(epochKey(meta.epoch)) === undefined
}

/** The newest epoch that was delivered, and its record. */
export function newestEpoch(state: Pick<GroupReader, 'get'>): { readonly epoch: number; readonly record: EpochRecord } {
  const { epoch } = readMeta(state)
  // Only the current epoch can be void, so one step back suffices.
  for (const candidate of [epoch, epoch - 1]) {
    const bytes = candidate < 1 ? undefined : state.get(epochKey(candidate))
    if (bytes !== undefined) return { epoch: candidate, record: decodeEpoch(bytes) }
  }
  throw new SealError('bad-argument', 'Expected the state of a space, found no epoch.')
}

/** True if two states are in the same epoch, by the same delivery: a keyring opened for one needs nothing for the other. */
export function sameEpoch(a: Pick<GroupReader, 'get'>, b: Pick<GroupReader, 'get'>): boolean {
  if (a === b) return true
  const { epoch } = readMeta(a)
  if (epoch !== readMeta(b).epoch) return false
  const [left, right] = [a.get(epochKey(epoch)), b.get(epochKey(epoch))]
  // The same record is soon seen, without taking it apart: this is asked about every entry.
  return (left !== undefined && right !== undefined && equalBytes(left, right)) || equalBytes(newestEpoch(a).record.c0, newestEpoch(b).record.c0)
}

/** Devices that still hold an agreement key from before the latest forget: until none does, what it forgot can be opened by them. */
export function holdingUpForget(state: GroupReader): Device[] {
  const { record } = newestEpoch(state)
  return liveDevices(state).filter((device) => device.agreementEpoch < record.lastForget)
}

function listKind<T extends object>(state: GroupReader, kind: number, decode: (bytes: Uint8Array) => T): (T & { readonly id: number })[] {
  const list: (T & { readonly id: number })[] = []
  for (const { key, value } of state.scan(Uint8Array.of(kind), Uint8Array.of(kind + 1))) list.push({ id: keyId(key), ...decode(value) })
  return list
}

function read<T>(state: Pick<GroupReader, 'get'>, key: Uint8Array, decode: (bytes: Uint8Array) => T): T | undefined {
  const bytes = state.get(key)
  return bytes === undefined ? undefined : decode(bytes)
}
