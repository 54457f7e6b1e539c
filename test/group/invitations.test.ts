/** Invitations and joining (attacks B25, B30): whatever is not the one thing allowed is refused, with nothing moved. */
import { beforeEach, describe, expect, it } from 'vitest'
import { buildInvite, buildJoin } from '../../engine/group/builders.js'
import { buildRemoval, buildRotate } from '../../engine/group/build-epoch.js'
import { acceptanceMessage } from '../../engine/group/contexts.js'
import type { InviteCreateOp } from '../../engine/group/ops/invite.js'
import type { JoinOp } from '../../engine/group/ops/join.js'
import { listInvitations, readInvitation, readMember, readPairOf } from '../../engine/group/roster.js'
import { deriveInvitationKeys } from '../../engine/group/secrets.js'
import { LABELS } from '../../engine/crypto/labels.js'
import { GROUP_ORDER } from '../../engine/crypto/scalar.js'
import { signBytes } from '../../engine/crypto/sign.js'
import { type AgreementKey, agreementKey, proveGrant, provePossession } from '../../engine/crypto/verifiable.js'
import type { MemberRole } from '../../engine/state/roster.js'
import { signEntry } from '../../engine/space/entry.js'
import { crypto, flip, type InviteTicket, type Person, World } from './world.js'

const found = World.found(25)
const { world, founder } = found
const admin = world.admit(founder, { role: 'admin' })
const writer = world.admit(founder, { role: 'writer' })
const reader = world.admit(founder, { role: 'reader' })
const ticket = world.invite(admin, { uses: 2, expiresAt: 1_000 })
const writerKey = writer.keyring.agreementIn(world.state.tree)
const back = world.fork()
beforeEach(back)

/** An invite.create whose proofs are made for whatever `over` says. */
function invite(by: Person, over: Partial<InviteCreateOp> = {}, proofs: { admitter?: Uint8Array; space?: Uint8Array; signer?: Person['signer']; key?: AgreementKey } = {}): InviteCreateOp {
  const { op, secret } = buildInvite(world.ctx(by), { kind: 'member', role: 'writer', expiresAt: 10_000 })
  const keys = deriveInvitationKeys(crypto, secret)
  const signer = proofs.signer ?? keys.signer
  const key = proofs.key ?? keys.agreement
  const id = over.invitation ?? op.invitation
  const context = { space: proofs.space ?? world.spaceId, kind: 'invitation', admitter: proofs.admitter ?? by.signer.publicKey, id, role: over.role ?? op.role, base: world.head } as const
  const statement = { granter: by.keyring.agreement, pair: readPairOf(world.state.tree, 0, by.device) as never, recipient: key.publicKey }
  return {
    ...op,
    signing: signer.publicKey,
    agreement: key.publicKey,
    possession: provePossession(crypto, context, signer, key, world.random),
    grant: proveGrant(crypto, { space: world.spaceId, epoch: world.meta.epoch, author: by.signer.publicKey, base: world.head }, statement, by.keyring.agreementIn(world.state.tree), world.random),
    ...over,
  }
}

/** A join whose signature of acceptance, proofs and entry are made for whatever `over` says. */
function join(over: { role?: MemberRole; space?: Uint8Array; base?: typeof world.head; acceptanceSecret?: Uint8Array; key?: AgreementKey; signer?: Person['signer']; from?: InviteTicket } = {}, change: (op: JoinOp) => JoinOp = (op) => op) {
  const from = over.from ?? ticket
  const signer = over.signer ?? crypto.signer(world.random(32))
  const key = over.key ?? agreementKey(crypto, world.random(32))
  const keys = deriveInvitationKeys(crypto, from.secret)
  const base = over.base ?? world.head
  const spaceId = over.space ?? world.spaceId
  const op = buildJoin({ crypto, random: world.random, spaceId, base, state: world.state.tree, ...from, signer, agreementSeed: world.random(32) })
  const role = over.role ?? op.role
  const pair = readPairOf(world.state.tree, 1, from.invitation)
  const accepter = deriveInvitationKeys(crypto, over.acceptanceSecret ?? from.secret).signer
  const whole: JoinOp = {
    ...op,
    role,
    agreement: key.publicKey,
    possession: provePossession(crypto, { space: spaceId, kind: 'acceptance', admitter: keys.signer.publicKey, id: from.invitation, role, base }, signer, key, world.random),
    acceptance: signBytes(accepter, LABELS.acceptance, acceptanceMessage({ spaceId, invitation: from.invitation, role, signing: signer.publicKey, agreement: key.publicKey, base })),
    grant: proveGrant(crypto, { space: spaceId, epoch: world.meta.epoch, author: keys.signer.publicKey, base }, { granter: keys.agreement.publicKey, pair: pair as never, recipient: key.publicKey }, keys.agreement, world.random),
  }
  const entry = { spaceId: world.spaceId, base: world.head, device: 0, devicePrev: new Uint8Array(32), epoch: world.meta.epoch, time: 0, adopted: false, reads: [] }
  return signEntry({ ...entry, ops: [change(whole)] }, signer)
}

const ignored = (detail: string) => ({ kind: 'ignored', code: 'join', detail })

describe('making an invitation', () => {
  it('takes what the tampered ones below are made from', () => {
    expect(world.submit(founder, [invite(founder)])).toEqual({ kind: 'applied' })
  })

  it('needs the right to hand out the role', () => {
    for (const role of ['owner', 'admin'] as const) world.refused(admin, [invite(admin, { role })], 'role', 'invite')
    for (const by of [writer, reader]) world.refused(by, [invite(by, { role: 'reader' })], 'role', 'invite')
    expect(world.submit(founder, [invite(founder, { role: 'owner' })])).toEqual({ kind: 'applied' })
  })

  it('has bounded uses, an expiry to come and the next id', () => {
    for (const uses of [0, 1_025]) world.refused(founder, [invite(founder, { uses })], 'rule', 'uses')
    for (const expiresAt of [0, world.head.size]) world.refused(founder, [invite(founder, { expiresAt })], 'rule', 'expired')
    for (const invitation of [0, 1, world.meta.nextInvitation + 1]) world.refused(founder, [invite(founder, { invitation })], 'conflict', 'invitation')
    expect(world.submit(founder, [invite(founder, { uses: 1_024, expiresAt: world.head.size + 1 })])).toEqual({ kind: 'applied' })
  })

  it('proves possession of both keys, for this place only', () => {
    const whole = invite(founder)
    for (const at of [0, 63, 64, 96, 127]) world.refused(founder, [{ ...whole, possession: flip(whole.possession, at) }], 'rule', 'possession')
    world.refused(founder, [invite(founder, {}, { admitter: admin.signer.publicKey })], 'rule', 'possession')
    world.refused(founder, [invite(founder, {}, { space: new Uint8Array(32).fill(7) })], 'rule', 'possession')
    const other = invite(founder)
    world.refused(founder, [{ ...whole, possession: other.possession }], 'rule', 'possession')
    world.refused(founder, [{ ...whole, role: 'reader' }], 'rule', 'possession')
  })

  it('refuses keys that may not be: identity, small order, not canonical, −P of another, admitted before', () => {
    const whole = invite(founder)
    const identity = new Uint8Array(32)
    const smallOrder = Uint8Array.of(1, ...new Array<number>(31).fill(0))
    const notCanonical = new Uint8Array(32).fill(0xff)
    for (const agreement of [identity, notCanonical]) world.refused(founder, [{ ...whole, agreement }], 'rule', 'bad-key')
    for (const signing of [identity, smallOrder, notCanonical]) world.refused(founder, [{ ...whole, signing }], 'rule', 'bad-key')
    // −P of the founder: nobody can prove its possession, not even by the proof for P.
    const negative = crypto.group.encodePoint(crypto.group.subtractPoints(crypto.group.identity, crypto.group.decodePoint(founder.keyring.agreement)))
    world.refused(founder, [{ ...whole, agreement: negative }], 'rule', 'possession')
    const stolen: AgreementKey = { secret: GROUP_ORDER - 1n, publicKey: negative }
    world.refused(founder, [{ ...invite(founder, {}, { key: stolen }) }], 'rule', 'possession')
    // Keys of devices and of invitations, alive and gone, as signing and as agreement keys.
    world.refused(founder, [invite(founder, {}, { signer: founder.signer })], 'rule', 'repeated-key')
    world.refused(founder, [invite(founder, {}, deriveInvitationKeys(crypto, ticket.secret))], 'rule', 'repeated-key')
    world.must(founder, [{ op: 'invite.revoke', invitation: ticket.invitation }])
    world.refused(founder, [invite(founder, {}, { key: deriveInvitationKeys(crypto, ticket.secret).agreement })], 'rule', 'repeated-key')
  })

  it('grants the running epoch and nothing else', () => {
    const whole = invite(founder)
    for (const at of [0, 40, 200]) world.refused(founder, [{ ...whole, grant: flip(whole.grant, at) }], 'rule', 'grant')
    const other = invite(founder)
    world.refused(founder, [{ ...whole, grant: other.grant }], 'rule', 'grant')
    // Well made, by somebody else's key.
    const pair = readPairOf(world.state.tree, 0, admin.device)
    const context = { space: world.spaceId, epoch: world.meta.epoch, author: founder.signer.publicKey, base: world.head }
    const statement = { granter: admin.keyring.agreement, pair: pair as never, recipient: whole.agreement }
    world.refused(founder, [{ ...whole, grant: proveGrant(crypto, context, statement, admin.keyring.agreementIn(world.state.tree), world.random) }], 'rule', 'grant')
    // A grant of another point: the holder's own pair, shifted.
    const shifted = { c0: (pair as NonNullable<typeof pair>).c0, c: crypto.group.encodePoint(crypto.group.base) }
    const wrong = { granter: founder.keyring.agreement, pair: shifted, recipient: whole.agreement }
    world.refused(founder, [{ ...whole, grant: proveGrant(crypto, context, wrong, founder.keyring.agreementIn(world.state.tree), world.random) }], 'rule', 'grant')
  })

  it('is open to readers for one device of their own', () => {
    const { op } = buildInvite(world.ctx(reader), { kind: 'device', expiresAt: 1_000 })
    world.refused(reader, [{ ...op, role: 'admin' }], 'conflict', 'role-changed')
    world.refused(reader, [{ ...op, uses: 2 }], 'rule', 'uses')
    world.must(reader, [op])
    const again = buildInvite(world.ctx(reader), { kind: 'device', expiresAt: 1_000 })
    world.refused(reader, [again.op], 'rule', 'one-invitation')
    // Those who may invite anybody may have several.
    for (let i = 0; i < 2; i++) world.must(admin, [buildInvite(world.ctx(admin), { kind: 'device', expiresAt: 1_000 }).op])
  })
})

describe('revoking one', () => {
  it("is for its issuer and for admins, once", () => {
    const revoke = { op: 'invite.revoke', invitation: ticket.invitation } as const
    for (const by of [writer, reader]) world.refused(by, [revoke], 'role', 'handle')
    world.must(founder, [revoke])
    world.refused(founder, [revoke], 'conflict', 'no-invitation')
    expect(listInvitations(world.state.tree)).toEqual([])
  })

  it('lets a reader end their own', () => {
    const { invitation } = world.invite(reader, { kind: 'device' })
    world.must(reader, [{ op: 'invite.revoke', invitation }])
  })
})

describe('joining', () => {
  it('takes what the tampered ones below are made from, as often as the link allows', () => {
    expect(world.apply(join())).toEqual({ kind: 'applied' })
    expect(readInvitation(world.state.tree, ticket.invitation)?.usesLeft).toBe(1)
    expect(world.apply(join())).toEqual({ kind: 'applied' })
    expect(readInvitation(world.state.tree, ticket.invitation)).toBeUndefined()
    expect(readMember(world.state.tree, world.meta.nextMember - 1)?.role).toBe('writer')
  })

  it('is refused beyond the count, after revocation and from the index of expiry on', () => {
    const late = join()
    world.must(founder, [{ op: 'invite.revoke', invitation: ticket.invitation }])
    world.refusedRecord(late, ignored('no-invitation'))
    back()
    const last = join()
    world.apply(join())
    world.apply(join())
    world.refusedRecord(last, ignored('no-invitation'))
    back()
    const short = world.invite(admin, { expiresAt: world.head.size + 2 })
    const inTime = join({ from: short })
    expect(world.apply(join({ from: ticket }))).toEqual({ kind: 'applied' })
    world.refusedRecord(inTime, ignored('expired'))
  })

  it('is refused to whoever lacks the secret', () => {
    world.refusedRecord(join({ acceptanceSecret: world.random(32) }), ignored('acceptance'))
    world.refusedRecord(join({ acceptanceSecret: world.invite(founder).secret }), ignored('acceptance'))
  })

  it('binds role, keys, space and base', () => {
    world.refusedRecord(join({ role: 'admin' }), ignored('invited-role'))
    world.refusedRecord(join({ space: new Uint8Array(32).fill(1) }), ignored('acceptance'))
    const other = { size: 0, logRoot: world.head.logRoot, stateRoot: world.head.stateRoot }
    world.refusedRecord(join({ base: other }), ignored('acceptance'))
    const mallory = agreementKey(crypto, world.random(32))
    world.refusedRecord(join({}, (op) => ({ ...op, agreement: mallory.publicKey })), ignored('acceptance'))
  })

  it('needs each of its proofs', () => {
    world.refusedRecord(join({}, (op) => ({ ...op, acceptance: flip(op.acceptance) })), ignored('acceptance'))
    for (const at of [0, 70, 100]) world.refusedRecord(join({}, (op) => ({ ...op, possession: flip(op.possession, at) })), ignored('possession'))
    for (const at of [0, 33, 100]) world.refusedRecord(join({}, (op) => ({ ...op, grant: flip(op.grant, at) })), ignored('grant'))
    const own = join({}, (op) => ({ ...op, signing: founder.signer.publicKey }))
    world.refusedRecord(own, { kind: 'ignored', code: 'signature' })
  })

  it('admits no key twice, and none that may not be', () => {
    world.refusedRecord(join({ signer: writer.signer }), ignored('repeated-key'))
    world.refusedRecord(join({ key: writer.keyring.agreementIn(world.state.tree) }), ignored('repeated-key'))
    world.refusedRecord(join({ key: deriveInvitationKeys(crypto, ticket.secret).agreement, from: world.invite(admin) }), ignored('repeated-key'))
    const identity: AgreementKey = { secret: 0n, publicKey: new Uint8Array(32) }
    // Whoever names the identity can prove that they possess it: everything else is as it should be.
    const signer = crypto.signer(world.random(32))
    const { spaceId, head: base } = world
    const keys = deriveInvitationKeys(crypto, ticket.secret)
    const forged = join({ signer }, (op) => ({
      ...op,
      agreement: identity.publicKey,
      possession: provePossession(crypto, { space: spaceId, kind: 'acceptance', admitter: keys.signer.publicKey, id: ticket.invitation, role: op.role, base }, signer, identity, world.random),
      acceptance: signBytes(keys.signer, LABELS.acceptance, acceptanceMessage({ spaceId, invitation: ticket.invitation, role: op.role, signing: signer.publicKey, agreement: identity.publicKey, base })),
    }))
    world.refusedRecord(forged, ignored('bad-key'))
  })

  it('is not replayed: neither at once nor after a removal', () => {
    const record = join()
    expect(world.apply(record)).toEqual({ kind: 'applied' })
    const member = world.meta.nextMember - 1
    world.refusedRecord(record, ignored('repeated-key'))
    world.must(founder, buildRemoval(world.ctx(founder), { members: [member] }).ops)
    world.refusedRecord(record, ignored('epoch'))
  })

  it('is refused with a link that somebody removed had kept', () => {
    const kept = world.joinRecord(ticket)
    world.must(founder, buildRemoval(world.ctx(founder), { members: [3] }).ops)
    expect(listInvitations(world.state.tree)).toEqual([])
    world.refusedRecord(kept.record, ignored('epoch'))
    // Made again for the epoch as it is now.
    const entry = { spaceId: world.spaceId, base: world.head, device: 0, devicePrev: new Uint8Array(32), epoch: world.meta.epoch, time: 0, adopted: false, reads: [] }
    world.refusedRecord(signEntry({ ...entry, ops: [kept.op] }, kept.signer), ignored('no-invitation'))
    expect(() => join()).toThrow(/not open/)
  })

  it('is refused to keys that were removed, with a fresh invitation too', () => {
    world.must(founder, buildRemoval(world.ctx(founder), { members: [3] }).ops)
    const fresh = world.invite(founder)
    world.refusedRecord(join({ from: fresh, signer: writer.signer }), ignored('repeated-key'))
    world.refusedRecord(join({ from: fresh, key: writerKey }), ignored('repeated-key'))
    expect(world.apply(join({ from: fresh }))).toEqual({ kind: 'applied' })
  })

  it('is refused once its issuer lost the right', () => {
    const record = join()
    world.must(founder, [{ op: 'member.role', member: 2, from: 'admin', to: 'writer' }])
    world.refusedRecord(record, ignored('issuer'))
    world.must(founder, [{ op: 'member.role', member: 2, from: 'writer', to: 'admin' }])
    expect(world.apply(join())).toEqual({ kind: 'applied' })
  })

  it('is not served by a rotation once its issuer lost the right: the link reads nothing newer', () => {
    world.must(founder, [{ op: 'member.role', member: 2, from: 'admin', to: 'writer' }])
    // Made on the state before: a rotate that serves the invitation all the same.
    const served = buildRotate({ ...world.ctx(founder), state: world.log[world.log.length - 1]!.before.tree })
    world.refused(founder, [served], 'conflict', 'delivery')
    world.must(founder, [buildRotate(world.ctx(founder))])
    expect(readInvitation(world.state.tree, ticket.invitation)).toBeUndefined()
    expect(readPairOf(world.state.tree, 1, ticket.invitation)).toBeUndefined()
  })

  it('goes on after a plain rotation, which serves open invitations too', () => {
    const stale = join()
    world.must(founder, [buildRotate(world.ctx(founder))])
    world.refusedRecord(stale, ignored('epoch'))
    const newcomer = world.join(ticket)
    expect(newcomer.keyring.epochs).toEqual([1, 2])
  })

  it('leaves expired invitations out of a rotation, and drops them', () => {
    world.invite(admin, { expiresAt: world.head.size + 1 })
    const gone = world.meta.nextInvitation - 1
    expect(world.submit(founder, [buildRotate(world.ctx(founder))])).toEqual({ kind: 'applied' })
    expect(readInvitation(world.state.tree, gone)).toBeUndefined()
    expect(readInvitation(world.state.tree, ticket.invitation)).toBeDefined()
  })

  it('gives a member a second device, and no second name', () => {
    const own = world.invite(reader, { kind: 'device' })
    const { record } = world.joinRecord(own)
    world.refusedRecord(record, ignored('member-name'))
    const members = world.meta.nextMember
    const second = world.join(own, false)
    expect(world.meta.nextMember).toBe(members)
    expect(second.keyring.dataSecret(1)).toEqual(reader.keyring.dataSecret(1))
    expect(() => world.join(own, false)).toThrow(/not open/)
  })
})
