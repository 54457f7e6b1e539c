/** Builders of what starts an epoch: rotate, removal, leaving, forget. And of repairs to what an epoch carries. */
import { concatBytes, EMPTY_BYTES } from '../codec/bytes.js'
import { deriveEpochSecrets } from '../crypto/kdf.js'
import { newEpochSecret, proveDelivery } from '../crypto/verifiable.js'
import { SealError } from '../errors.js'
import { repairKey } from '../state/keys.js'
import { sealBox } from './boxes.js'
import { type BuildContext, ownDevice } from './builders.js'
import { epochSpaceId } from './contexts.js'
import { type EpochRecord, type Generation, MAX_GENERATIONS, readEpoch } from './epochs.js'
import { encodeHistory, type HistoryItem } from './history.js'
import type { ForgetOp } from './ops/forget.js'
import type { DeviceRemoveOp, MemberRemoveOp } from './ops/remove.js'
import type { LinkRepairOp } from './ops/repair.js'
import type { RotateOp } from './ops/rotate.js'
import { REPAIR_KINDS, type RepairKind } from './repairs.js'
import { isVoid, listInvitations, newestEpoch, readDevice, readMeta, recipientsAt, type Recipient } from './roster.js'
import { commitBlinding, commitEpoch } from './secrets.js'

export interface RotateOptions {
  /** Make a new blinding secret, which tables are then moved to. By an admin; throws `bad-argument` while two are alive. */
  readonly reblind?: boolean
  /** Let go of the older blinding secret, which no table uses any more. By an admin. */
  readonly dropOldBlinding?: boolean
}

/** An entry's ops, and the ids of the invitations that end with it: those links must be made again. */
export interface Ending {
  readonly ops: readonly (MemberRemoveOp | DeviceRemoveOp | ForgetOp | RotateOp)[]
  readonly endedInvitations: readonly number[]
}

/** The keyring must hold the epoch before: `keyring.open(state)` first. */
export function buildRotate(ctx: BuildContext, options: RotateOptions = {}): RotateOp {
  return makeRotate(ctx, recipientsAt(ctx.state, ctx.index), undefined, options)
}

/** Remove members or devices (not the author's own: see `buildLeave`) and start the epoch that keeps them out, in one entry. */
export function buildRemoval(ctx: BuildContext, who: { readonly members?: readonly number[]; readonly devices?: readonly number[] }): Ending {
  const { members = [], devices = [] } = who
  const author = ownDevice(ctx)
  if (members.includes(author.member) || devices.includes(ctx.device) || members.length + devices.length === 0) {
    throw new SealError('bad-argument', 'Expected members or devices other than the own one to remove; `leave` is for oneself.')
  }
  const stays = ({ holder, id }: Recipient) => holder === 0 && !devices.includes(id) && !members.includes(readDevice(ctx.state, id)?.member ?? 0)
  const rotate = makeRotate(ctx, recipientsAt(ctx.state, ctx.index).filter(stays), undefined, {})
  return {
    ops: [
      ...members.map((member): MemberRemoveOp => ({ op: 'member.remove', member })),
      ...devices.map((device): DeviceRemoveOp => ({ op: 'device.remove', device })),
      rotate,
    ],
    endedInvitations: openIds(ctx),
  }
}

/** Leave with all devices, or with this one. Nobody here can make the next epoch's secret without knowing it: the next writer rotates. */
export function buildLeave(ctx: BuildContext, what: 'member' | 'device'): Ending {
  const op = what === 'member' ? ({ op: 'member.remove', member: ownDevice(ctx).member } as const) : ({ op: 'device.remove', device: ctx.device } as const)
  return { ops: [op], endedInvitations: openIds(ctx) }
}

/** Everything live must be sealed under `before` or later by now. Afterwards every device refreshes its agreement key (`buildRefresh`). */
export function buildForget(ctx: BuildContext, before: number): Ending {
  const devices = recipientsAt(ctx.state, ctx.index).filter(({ holder }) => holder === 0)
  return { ops: [{ op: 'forget', before }, makeRotate(ctx, devices, before, {})], endedInvitations: openIds(ctx) }
}

/** True if the current epoch awaits its delivery, so that a rotate comes before anything else. */
export function mustRotate(state: BuildContext['state']): boolean {
  return isVoid(state, readMeta(state))
}

/** A second word on what `epoch` carries, from what this keyring holds. Throws `no-secret` if it holds too little. */
export function buildRepair(ctx: BuildContext, epoch: number, kind: RepairKind): LinkRepairOp {
  const record = readEpoch(ctx.state, epoch)
  if (record === undefined) throw new SealError('bad-argument', 'Expected an epoch of the space.', { epoch })
  const content = kind === 'link' ? linkContent(ctx, record.linksFrom, epoch, record.reason === 'forget') : blindingContent(ctx, record.generations)
  const place = { kind, spaceId: ctx.spaceId, epoch, creator: ctx.device }
  return { op: 'link.repair', epoch, kind, box: sealBox(ctx.crypto, ctx.keyring.linkSecret(epoch), place, ctx.random(24), content) }
}

/** Repairs of what the newest epoch carries wrongly and this keyring knows better, unless this member gave its word already. */
export function buildRepairs(ctx: BuildContext): LinkRepairOp[] {
  const { member } = ownDevice(ctx)
  const given = ({ epoch, kind }: { epoch: number; kind: RepairKind }) => ctx.state.get(repairKey(epoch, REPAIR_KINDS.indexOf(kind), member)) !== undefined
  const wrong = ctx.keyring.check(ctx.state).flatMap(({ epoch, kind }) => (kind === 'commitment' ? [] : [{ epoch, kind }]))
  return wrong.filter((problem) => !given(problem)).map(({ epoch, kind }) => buildRepair(ctx, epoch, kind))
}

/** `cut`: of a forget in the same entry. */
function makeRotate(ctx: BuildContext, recipients: readonly Recipient[], cut: number | undefined, options: RotateOptions): RotateOp {
  const { crypto, random, spaceId, base } = ctx
  const meta = readMeta(ctx.state)
  const epoch = isVoid(ctx.state, meta) ? meta.epoch : meta.epoch + 1
  const { record: last } = newestEpoch(ctx.state)
  const secret = newEpochSecret(crypto, random)
  const secrets = deriveEpochSecrets(crypto, secret, epochSpaceId(spaceId, epoch), epoch)
  const link = linkContent(ctx, cut ?? epoch - 1, epoch, cut !== undefined)
  const blinding = nextBlinding(ctx, last, meta.generation + 1, options)
  const box = (kind: 'link' | 'blinding', content: Uint8Array) =>
    sealBox(crypto, secrets.link, { kind, spaceId, epoch, creator: ctx.device }, random(24), content)
  const context = { space: spaceId, epoch, author: ownDevice(ctx).signing, base }
  return {
    op: 'rotate',
    epoch,
    delivery: proveDelivery(crypto, context, recipients.map((recipient) => recipient.agreement), secret, random),
    commitments: commitEpoch(crypto, spaceId, epoch, secrets),
    link: link.length === 0 ? EMPTY_BYTES : box('link', link),
    generations: blinding.generations,
    blinding: box('blinding', blinding.content),
  }
}

function linkContent(ctx: BuildContext, from: number, epoch: number, afterForget: boolean): Uint8Array {
  const items: HistoryItem[] = []
  for (let e = from; e < epoch; e++) {
    items.push({ epoch: e, data: ctx.keyring.dataSecret(e), link: afterForget ? undefined : ctx.keyring.linkSecret(e) })
  }
  return encodeHistory(items)
}

function blindingContent(ctx: BuildContext, generations: readonly Generation[]): Uint8Array {
  return concatBytes(...generations.map(({ generation }) => ctx.keyring.blinding(generation)))
}

function nextBlinding(ctx: BuildContext, last: EpochRecord, next: number, options: RotateOptions): { readonly generations: readonly Generation[]; readonly content: Uint8Array } {
  const carried = options.dropOldBlinding === true ? last.generations.slice(-1) : last.generations
  const content = blindingContent(ctx, carried)
  if (options.reblind !== true) return { generations: carried, content }
  if (carried.length >= MAX_GENERATIONS) throw new SealError('bad-argument', 'Expected at most one blinding secret alive before another is made.', { alive: carried.length })
  const secret = ctx.random(32)
  const fresh = { generation: next, commitment: commitBlinding(ctx.crypto, ctx.spaceId, next, secret) }
  return { generations: [...carried, fresh], content: concatBytes(content, secret) }
}

function openIds(ctx: BuildContext): number[] {
  return listInvitations(ctx.state).map(({ id }) => id)
}
