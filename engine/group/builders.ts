/**
 * Builders: the ops of the group, made by a device that holds the secrets they need. What they make is what the ops of the same name accept,
 * on the state given and at the index given; on another it is a conflict, and is built again.
 *
 * Randomness comes in as a `RandomSource`; nothing here is kept. Making an epoch is in build-epoch.ts.
 */
import { expected } from '../arguments.js'
import { EMPTY_BYTES } from '../codec/bytes.js'
import { deriveEpochSecrets, deriveTableKey } from '../crypto/kdf.js'
import { LABELS } from '../crypto/labels.js'
import type { CryptoProvider, Signer } from '../crypto/provider.js'
import { signBytes } from '../crypto/sign.js'
import {
  agreementKey,
  newEpochSecret,
  openPair,
  type ProofBase,
  proveDelivery,
  proveGrant,
  provePossession,
  type RandomSource,
} from '../crypto/verifiable.js'
import { sealedEpoch } from '../crypto/aead.js'
import { SealError } from '../errors.js'
import { type DeviceRecord, type MemberRole, ROLES } from '../state/roster.js'
import { sealBox } from './boxes.js'
import { acceptanceMessage, epochSpaceId, GENESIS_SPACE_ID } from './contexts.js'
import type { InvitationKind } from './invites.js'
import type { Keyring } from './keyring.js'
import { decodeSealedName } from './names.js'
import { FIRST_DEVICE, FIRST_EPOCH, FIRST_GENERATION, type GenesisOp } from './ops/genesis.js'
import type { InviteCreateOp } from './ops/invite.js'
import type { JoinOp } from './ops/join.js'
import type { ProfileOp, ProfileSubject } from './ops/profile.js'
import type { AgreementRefreshOp } from './ops/refresh.js'
import type { MemberRoleOp } from './ops/role.js'
import { isOwnName, NAMES_TABLE, openName, sealName } from './profiles.js'
import { type GroupReader, listDevices, listMembers, readDevice, readInvitation, readMember, readMeta, readPairOf } from './roster.js'
import { commitBlinding, commitEpoch, deriveInvitationKeys } from './secrets.js'

/** An author about to write an entry. */
export interface BuildContext {
  readonly crypto: CryptoProvider
  readonly random: RandomSource
  readonly spaceId: Uint8Array
  /** The entry's base. */
  readonly base: ProofBase
  /** The state the entry will be applied to: verified, or with this device's pending entries on top. */
  readonly state: GroupReader
  /** The index the entry is expected to get: the size of the log with the pending entries. */
  readonly index: number
  /** The author's device. */
  readonly device: number
  readonly signer: Signer
  readonly keyring: Keyring
}

export interface GenesisInput {
  readonly crypto: CryptoProvider
  readonly random: RandomSource
  /** The empty head. */
  readonly base: ProofBase
  /** Of the first device. */
  readonly signer: Signer
  /** The 32 random bytes that the device's keyring is made of. */
  readonly agreementSeed: Uint8Array
}

export function buildGenesis(input: GenesisInput): GenesisOp {
  const { crypto, random, base, signer } = input
  const key = agreementKey(crypto, input.agreementSeed)
  const space = GENESIS_SPACE_ID
  const secret = newEpochSecret(crypto, random)
  const secrets = deriveEpochSecrets(crypto, secret, space, FIRST_EPOCH)
  const blindingSecret = random(32)
  const place = { kind: 'blinding', spaceId: space, epoch: FIRST_EPOCH, creator: FIRST_DEVICE } as const
  const context = { space, kind: 'genesis', admitter: signer.publicKey, id: FIRST_DEVICE, role: 'owner', base } as const
  return {
    op: 'genesis',
    signing: signer.publicKey,
    agreement: key.publicKey,
    possession: provePossession(crypto, context, signer, key, random),
    delivery: proveDelivery(crypto, { space, epoch: FIRST_EPOCH, author: signer.publicKey, base }, [key.publicKey], secret, random),
    commitments: commitEpoch(crypto, space, FIRST_EPOCH, secrets),
    blindingCommitment: commitBlinding(crypto, space, FIRST_GENERATION, blindingSecret),
    blinding: sealBox(crypto, secrets.link, place, random(24), blindingSecret),
  }
}

export interface InviteOptions {
  readonly kind: InvitationKind
  /** For kind `member`. A further device has its member's role. */
  readonly role?: MemberRole
  /** Default 1. */
  readonly uses?: number
  /** First index at which it no longer admits. */
  readonly expiresAt: number
}

/** The op, and the 32-byte secret for the link, which is nowhere else. */
export function buildInvite(ctx: BuildContext, options: InviteOptions): { readonly op: InviteCreateOp; readonly secret: Uint8Array } {
  const { crypto, random, base } = ctx
  const author = ownDevice(ctx)
  const { epoch, nextInvitation: invitation } = readMeta(ctx.state)
  const role = options.kind === 'member' ? options.role : readMember(ctx.state, author.member)?.role
  expectRole(role)
  const secret = random(32)
  const { signer, agreement } = deriveInvitationKeys(crypto, secret)
  const possession = { space: ctx.spaceId, kind: 'invitation', admitter: author.signing, id: invitation, role, base } as const
  const statement = { granter: author.agreement, pair: ownPair(ctx.state, 0, ctx.device, epoch), recipient: agreement.publicKey }
  const op: InviteCreateOp = {
    op: 'invite.create',
    invitation,
    kind: options.kind,
    role,
    uses: options.uses ?? 1,
    expiresAt: options.expiresAt,
    signing: signer.publicKey,
    agreement: agreement.publicKey,
    possession: provePossession(crypto, possession, signer, agreement, random),
    grant: proveGrant(crypto, { space: ctx.spaceId, epoch, author: author.signing, base }, statement, ctx.keyring.agreementIn(ctx.state), random),
  }
  return { op, secret }
}

export interface JoinInput {
  readonly crypto: CryptoProvider
  readonly random: RandomSource
  readonly spaceId: Uint8Array
  readonly base: ProofBase
  readonly state: GroupReader
  /** From the link. */
  readonly invitation: number
  readonly secret: Uint8Array
  /** Of the new device. */
  readonly signer: Signer
  readonly agreementSeed: Uint8Array
  /** Not for a further device of a member. */
  readonly memberName?: string
  readonly deviceName?: string
}

/** Throws `no-secret` if the state has no such invitation, or one of other keys. */
export function buildJoin(input: JoinInput): JoinOp {
  const { crypto, random, spaceId, base, state, signer } = input
  const keys = deriveInvitationKeys(crypto, input.secret)
  const invitation = readInvitation(state, input.invitation)
  if (invitation === undefined) throw new SealError('no-secret', 'This invitation is not open: it was used up, revoked or ended.', { invitation: input.invitation })
  const { role } = invitation
  const { epoch } = readMeta(state)
  const pair = ownPair(state, 1, input.invitation, epoch)
  const key = agreementKey(crypto, input.agreementSeed)
  const [signing, agreement] = [signer.publicKey, key.publicKey]
  const namesKey = deriveTableKey(crypto, deriveEpochSecrets(crypto, openPair(crypto, pair, keys.agreement), epochSpaceId(spaceId, epoch), epoch).data, NAMES_TABLE)
  const name = (subject: ProfileSubject, text: string | undefined): Uint8Array =>
    text === undefined ? EMPTY_BYTES : sealName(crypto, namesKey, { spaceId, epoch, subject, id: 0, signing }, text, random)
  const statement = { granter: invitation.agreement, pair, recipient: agreement }
  const possession = { space: spaceId, kind: 'acceptance', admitter: invitation.signing, id: input.invitation, role, base } as const
  const accepted = acceptanceMessage({ spaceId, invitation: input.invitation, role, signing, agreement, base })
  return {
    op: 'join',
    invitation: input.invitation,
    role,
    signing,
    agreement,
    possession: provePossession(crypto, possession, signer, key, random),
    acceptance: signBytes(keys.signer, LABELS.acceptance, accepted),
    grant: proveGrant(crypto, { space: spaceId, epoch, author: invitation.signing, base }, statement, keys.agreement, random),
    memberName: name('member', input.memberName),
    deviceName: name('device', input.deviceName),
  }
}

/** A fresh agreement key. Hand `seed` to `keyring.stageAgreement`, and store the keyring, before the entry leaves the device. */
export function buildRefresh(ctx: BuildContext): { readonly op: AgreementRefreshOp; readonly seed: Uint8Array } {
  const { crypto, random, base } = ctx
  const author = ownDevice(ctx)
  const { epoch } = readMeta(ctx.state)
  const role = readMember(ctx.state, author.member)?.role ?? 'reader'
  const seed = ctx.keyring.stagedSeed ?? random(32)
  const fresh = agreementKey(crypto, seed)
  const statement = { granter: author.agreement, pair: ownPair(ctx.state, 0, ctx.device, epoch), recipient: fresh.publicKey }
  const possession = { space: ctx.spaceId, kind: 'agreement', admitter: author.signing, id: ctx.device, role, base } as const
  const op: AgreementRefreshOp = {
    op: 'agreement.refresh',
    agreement: fresh.publicKey,
    possession: provePossession(crypto, possession, ctx.signer, fresh, random),
    grant: proveGrant(crypto, { space: ctx.spaceId, epoch, author: author.signing, base }, statement, ctx.keyring.agreementIn(ctx.state), random),
  }
  return { op, seed }
}

/** Throws `bad-argument` if there is no such member, or it has that role. */
export function buildRole(state: GroupReader, member: number, to: MemberRole): MemberRoleOp {
  expectRole(to)
  const from = readMember(state, member)?.role
  if (from === undefined || from === to) throw new SealError('bad-argument', 'Expected a member with another role.', { member, role: to })
  return { op: 'member.role', member, from, to }
}

/** Set a name, or clear it with `undefined`. */
export function buildProfile(ctx: BuildContext, subject: ProfileSubject, id: number, name: string | undefined): ProfileOp {
  if (name === undefined) return { op: 'profile', subject, id, sealed: EMPTY_BYTES }
  const author = ownDevice(ctx)
  const { epoch } = readMeta(ctx.state)
  const own = isOwnName({ id: ctx.device, member: author.member }, subject, id)
  const place = { spaceId: ctx.spaceId, epoch, subject, id: own ? 0 : id, signing: author.signing }
  return { op: 'profile', subject, id, sealed: sealName(ctx.crypto, ctx.keyring.tableKey(epoch, NAMES_TABLE), place, name, ctx.random) }
}

/** Seal every name from before `before` again under the current epoch, so that a forget may follow. One that does not open is cleared. */
export function buildNameReseals(ctx: BuildContext, before: number): ProfileOp[] {
  const stale = (bytes: Uint8Array) => {
    const name = decodeSealedName(bytes)
    return name !== undefined && sealedEpoch(name.sealed) < before
  }
  const reseal = (subject: ProfileSubject, id: number) =>
    buildProfile(ctx, subject, id, openName(ctx.crypto, ctx.spaceId, ctx.state, ctx.keyring, subject, id))
  return [
    ...listMembers(ctx.state).filter((member) => stale(member.profile)).map(({ id }) => reseal('member', id)),
    ...listDevices(ctx.state).filter((device) => stale(device.name)).map(({ id }) => reseal('device', id)),
  ]
}

function expectRole(role: MemberRole | undefined): asserts role is MemberRole {
  if (role === undefined || !ROLES.includes(role)) throw typeof role === 'string' ? new SealError('bad-argument', `Expected a role (${ROLES.join(', ')}).`, { role }) : expected(`a role (${ROLES.join(', ')})`, role)
}

export function ownDevice(ctx: BuildContext): DeviceRecord {
  const device = readDevice(ctx.state, ctx.device)
  if (device === undefined || device.removedAt !== undefined) throw new SealError('read-only', 'This device is in the space no more: it left, or was removed.', { reason: 'removed', device: ctx.device })
  return device
}

/** The pair in the current epoch. Throws `no-secret` in a void epoch, where there is nothing to grant until the next rotate. */
function ownPair(state: GroupReader, holder: 0 | 1, id: number, epoch: number): { readonly c0: Uint8Array; readonly c: Uint8Array } {
  const pair = readPairOf(state, holder, id)
  if (pair === undefined || pair.epoch !== epoch) throw new SealError('no-secret', 'The current epoch has not been delivered yet: rotate first.', { epoch, holder, id })
  return pair
}

