/**
 * What a person does with a space's group: invite, remove, change roles, rotate, forget, leave, attach a relay. Each is one entry (forget:
 * several), built on the state it will be applied to. With a relay, acts whose outcome others must be told of wait until they are in the log.
 */
import { expectObject } from '../arguments.js'
import { SealError } from '../errors.js'
import { buildInvite, buildNameReseals, buildRefresh, buildRole } from '../group/builders.js'
import { buildForget, buildLeave, buildRemoval, buildRepairs, buildRotate, mustRotate } from '../group/build-epoch.js'
import { formatLink } from '../group/link.js'
import { type GroupReader, newestEpoch, readDevice, readMeta } from '../group/roster.js'
import { relayKey } from '../state/keys.js'
import { buildFileReseals } from './build-files.js'
import { buildReseal } from './build-steps.js'
import type { Branch, Resumed } from './change-branch.js'
import { decodeRelay, isSameRelay, type RelayRecord } from './ops/space.js'
import { ended, insist, settle, settleUnlessEmpty, whileOpen, workbenchOf } from './settle.js'
import type { Space } from './space.js'
import type { DeviceId, MemberId, Role } from './types.js'

/** Whom an invitation admits, and for how long. */
export interface InviteOptions {
  readonly role: Role
  /** How many people may use the link. Default 1. */
  readonly uses?: number
  /** It ends after so many further entries of the log. Default 100,000. */
  readonly expiresIn?: number
  /** Address of the page that handles links; the secret goes into its fragment. */
  readonly page?: string
}

const DEFAULT_EXPIRY = 100_000
/** Ops of one entry of a reseal: a bounded entry, and steps that progress can be told of. */
const RESEAL_STEP = 5_000

/** An invitation link for one or more people. It is a bearer secret: send it over something private. */
export async function invite(space: Space, options: InviteOptions): Promise<string> {
  expectObject(options, 'what the invitation is for, { role: … }')
  return makeLink(space, { kind: 'member', role: options.role, uses: options.uses ?? 1 }, options)
}

/** A link that admits a further device of this member. */
export async function inviteDevice(space: Space, options: Omit<InviteOptions, 'role' | 'uses'> = {}): Promise<string> {
  return makeLink(space, { kind: 'device', uses: 1 }, options)
}

export async function revokeInvitation(space: Space, invitation: number): Promise<void> {
  await settle(space, () => [{ op: 'invite.revoke', invitation }])
}

export async function setRole(space: Space, member: MemberId, role: Role): Promise<void> {
  await settle(space, (context) => [buildRole(context.state, member, role)])
}

/** Removes members or devices and starts the epoch that keeps them out. Returns the open invitations that ended: send those links again. */
export async function remove(space: Space, who: { readonly members?: readonly MemberId[]; readonly devices?: readonly DeviceId[] }): Promise<{ readonly endedInvitations: readonly number[] }> {
  let ended: readonly number[] = []
  await settle(space, (context) => {
    const ending = buildRemoval(context, who)
    ended = ending.endedInvitations
    return ending.ops
  })
  return { endedInvitations: ended }
}

/** How often a leaving is built again because the group changed while it was on its way. */
const LEAVE_AGAIN = 7

/** Leave, with all devices or with this one. Resolves when it is in the log. */
export async function leave(space: Space, what: 'member' | 'device' = 'member'): Promise<void> {
  await insist(() => settle(space, (context) => buildLeave(context, what).ops), LEAVE_AGAIN)
}

/** A new epoch: what is written from now on is sealed under a fresh secret. Heals after a compromise of this device. */
export async function rotate(space: Space): Promise<void> {
  await settle(space, (context) => [buildRotate(context)])
}

export { reblind, type ReblindOptions } from './reblind.js'

/** If somebody left and the epoch awaits its secret, make one. True if it was needed. */
export async function rotateIfNeeded(space: Space): Promise<boolean> {
  if (!space.writable || space.me.role === undefined || !mustRotate(stateOf(space))) return false
  await settle(space, (context) => [buildRotate(context)])
  return true
}

/** If the newest epoch carries something that is not what this device knows it to be, put the right thing beside it: newcomers need it. */
export async function repairIfNeeded(space: Space): Promise<boolean> {
  const role = space.me.role
  if (!space.writable || role === undefined || space.keyring.check(stateOf(space)).length === 0) return false
  return settleUnlessEmpty(space, buildRepairs)
}

export interface ForgetProgress { readonly resealed: number }

/**
 * Forget what was sealed before the current epoch: everything live is sealed again, then old secrets are given up. Afterwards each device refreshes
 * its agreement key (`refreshIfNeeded`); `pendingForget` names those that have not yet.
 */
export async function forget(space: Space, options: { readonly onProgress?: (progress: ForgetProgress) => void; readonly signal?: AbortSignal } = {}): Promise<{ readonly stuck: number; readonly endedInvitations: readonly number[] }> {
  await rotate(space)
  const cut = readMeta(stateOf(space)).epoch
  let resealed = 0
  for (;;) {
    options.signal?.throwIfAborted()
    let count = 0
    let stuck = 0
    await settleUnlessEmpty(space, (context) => {
      const bench = workbenchOf(space, context)
      const reseal = buildReseal(bench, cut, RESEAL_STEP)
      const files = buildFileReseals(bench, cut, RESEAL_STEP)
      const names = buildNameReseals(context, cut)
      stuck = reseal.stuck.length + files.stuck.length
      count = reseal.ops.length + files.ops.length + names.length
      return [...reseal.ops, ...files.ops, ...names]
    })
    if (stuck > 0 && count === 0) throw new SealError('rejected', `${stuck} sealed values don't open and can't be sealed again; delete them first.`, { code: 'rule', detail: 'stuck', stuck })
    if (count === 0) break
    resealed += count
    options.onProgress?.({ resealed })
  }
  let ended: readonly number[] = []
  await settle(space, (context) => {
    const ending = buildForget(context, cut)
    ended = ending.endedInvitations
    return ending.ops
  })
  await refreshIfNeeded(space)
  return { stuck: 0, endedInvitations: ended }
}

/** After a forget: publish a fresh agreement key, so that the old one, which opens what was forgotten, can be destroyed. */
export async function refreshIfNeeded(space: Space): Promise<boolean> {
  if (!mustRefresh(stateOf(space), space.me.device)) return false
  return settleUnlessEmpty(space, (context) => {
    // `forget` and the device's duties may both be here: who comes second finds it done.
    if (!mustRefresh(context.state, context.device)) return []
    const { op, seed } = buildRefresh(context)
    context.keyring.stageAgreement(seed)
    return [op]
  }, 'with-keyring')
}

function mustRefresh(state: GroupReader, id: DeviceId): boolean {
  const device = readDevice(state, id)
  return device !== undefined && device.removedAt === undefined && device.agreementEpoch < newestEpoch(state).record.lastForget
}

export { invitations, pendingForget, reblinding } from './outstanding.js'
export { setProfile } from './open.js'

/** Attach the space to a relay, or move it to another. Its key must have been seen: notes are checked against it from here on. Resolves when it is in the log. */
export async function attachRelay(space: Space, relay: RelayRecord): Promise<void> {
  await settle(space, () => [{ op: 'relay', relay }])
}

/**
 * Move the space to a relay without the one that it is at, owners only: on top of what is verified here. `bring` takes all of it there, and resolves when the move
 * is verified. If that fails the move stays written here, and the next call goes on with it.
 */
export async function leaveRelay(space: Space, relay: RelayRecord, bring: () => Promise<void>): Promise<void> {
  const encoded = space.currentState.get(relayKey())
  const named = encoded && decodeRelay(encoded)
  const isWritten = named?.url === relay.url && isSameRelay(named, relay)
  const committed = isWritten ? undefined : await space.commitOps(() => [{ op: 'relay', relay }], 'leaving')
  await bring()
  if (committed) ended(await whileOpen(space, committed.settled))
}

/**
 * The relay went back and has gone on without entries that this device has verified: accept it, as an admin. `theirs` is what the relay has now. Other
 * devices follow when the entry has reached them (`SpaceSync.resume`). Resolves when it is in the log.
 */
export async function acceptRollback(space: Space, theirs: Branch): Promise<Resumed> {
  const { committed, resumed } = await space.acceptRollback(theirs)
  ended(await committed.settled)
  return resumed
}

async function makeLink(space: Space, what: { readonly kind: 'member' | 'device'; readonly role?: Role; readonly uses: number }, options: Omit<InviteOptions, 'role'>): Promise<string> {
  let made: { readonly invitation: number; readonly secret: Uint8Array } | undefined
  const state = await settle(space, (context) => {
    const { op, secret } = buildInvite(context, { ...what, expiresAt: context.index + (options.expiresIn ?? DEFAULT_EXPIRY) })
    made = { invitation: op.invitation, secret }
    return [op]
  })
  if (made === undefined) throw new SealError('invariant', 'An invitation was written but not made.')
  const { relay, note, head } = space
  // Right after the entry: of that state a relay keeps a snapshot for the newcomer.
  const anchor = ('index' in state && space.headAt(state.index + 1)) || head
  const formatted = { spaceId: space.id, ...made, anchor, relay, note: relay && anchor.size === head.size ? note : undefined }
  return formatLink(space.env.crypto, formatted, options.page)
}

function stateOf(space: Space): Space['currentState'] {
  return space.currentState
}
