/** Ops on members, devices and invitations a second time, from engine/PROTOCOL.md §7 alone. */
import { checkDelivery, checkGrant, checkPossession, isSigned } from './group.mjs'
import { decode, encode, encodeVarint } from './fields.mjs'
import { at } from './records.mjs'
import * as records from './records.mjs'
import { ADMIN, conflict, handles, isLive, OWNER, proved, role, ROLES, rule } from './work.mjs'

const ZERO = Buffer.alloc(32)
const placeOf = (work, space = work.spaceId) => ({ space, ...work.base })
const contextOf = (work, author, space) => ({ ...placeOf(work, space), epoch: work.counters.epoch, author })

function grantOf(work, op, author, granter, pair) {
  rule(!work.isVoid(), 'epoch-void')
  return proved('grant', () => checkGrant(contextOf(work, author), { granter, ...pair, recipient: op.agreement }, op.grant))
}

/** What a name comes to in a record: empty, or who sealed it and the value. */
function nameOf(work, by, sealed) {
  if (sealed.length === 0) return sealed
  work.live(sealed.readUInt32BE(1), 0, 1)
  return encode(records.name, { by, sealed })
}
function checkName(work, sealed) {
  if (sealed.length > 0) work.checkSealed(sealed, 'sealed', 'name-epoch')
}
function endName(work, name) {
  if (name.length > 0) work.live(decode(records.name, name).sealed.readUInt32BE(1), 0, -1)
}

function admit(work, { signing, agreement }, member, pair, name) {
  const id = work.counters.nextDevice
  work.count({ nextDevice: id + 1 })
  work.write('device', at.device(id), { member, signing, agreement, agreementEpoch: work.counters.epoch, admittedAt: work.index, name: nameOf(work, id, name) })
  work.bury(0, id, [[0, signing], [1, agreement]])
  work.givePair(0, id, pair)
  work.admitted = id
}
function addMember(work, rank, name, by) {
  const id = work.counters.nextMember
  work.count({ nextMember: id + 1 })
  work.write('member', at.member(id), { role: rank, admittedAt: work.index, name: nameOf(work, by, name) })
  return id
}
const devicesOf = (work, member) => work.all('device', 0x11).filter((device) => device.member === member && isLive(device))
const isLastOwner = (work, target) => target.role === OWNER && work.all('member', 0x10).filter((member) => isLive(member) && member.role === OWNER).length === 1

/** §7.7. */
function remove(work, devices) {
  const isOwn = devices.some(({ id }) => id === work.entry.device)
  if (isOwn) rule(work.isLastOp, 'leave-last')
  else rule(work.lastOp().name === 'rotate', 'rotate-missing')
  for (const { id, ...device } of devices) {
    endName(work, device.name)
    work.content.delete(at.pair(0, id))
    work.write('device', at.device(id), { ...device, removedAt: work.index, name: Buffer.alloc(0) })
  }
  for (const { id } of work.all('invitation', 0x13)) work.endInvitation(id)
  if (isOwn && !work.isVoid()) work.count({ epoch: work.counters.epoch + 1 })
  work.isRemoval = true
}

export const memberOps = {
  genesis(work, op) {
    rule(work.index === 0, 'not-first')
    work.checkKeys(op.agreement, op.signing)
    proved('possession', () => checkPossession({ ...placeOf(work, ZERO), kind: 'genesis', admitter: op.signing, id: 1, role: 'owner' }, op.signing, op.agreement, op.possession))
    const context = { ...placeOf(work, ZERO), epoch: 1, author: op.signing }
    const [pair] = proved('delivery', () => checkDelivery(context, [op.agreement], op.delivery))
    rule(op.blinding.length === 77 + 32, 'blinding-length')
    work.write('version', at.version(), 1)
    work.write('counters', at.counters(), { epoch: 1, firstEpoch: 1, generation: 1, firstGeneration: 1, nextMember: 1, nextDevice: 1, nextInvitation: 1, nextObject: 1, lastFreeRotation: 0 })
    admit(work, op, addMember(work, OWNER, Buffer.alloc(0), 1), pair, Buffer.alloc(0))
    work.write('epoch', at.epoch(1), {
      startedAt: 0, author: 1, reason: 0, c0: pair.c0, data: op.commitments.subarray(0, 32), link: op.commitments.subarray(32), lastForget: 0, linksFrom: 1, box: Buffer.alloc(0),
      generations: [{ generation: 1, commitment: op.blindingCommitment }], blinding: op.blinding,
    })
  },

  'invite.create'(work, op) {
    const { author } = work
    conflict(op.id === work.counters.nextInvitation, 'invitation')
    if (op.kind === 0) role(handles(author.role, op.role), 'invite')
    else {
      conflict(op.role === author.role, 'role-changed')
      rule(author.role >= ADMIN || !work.all('invitation', 0x13).some(({ issuer }) => issuer === author.member), 'one-invitation')
    }
    rule(op.uses >= 1 && op.uses <= (op.kind === 1 ? 1 : 1024), 'uses')
    rule(op.expiresAt > work.index, 'expired')
    rule(work.recipients().length < 4096, 'too-many')
    work.checkKeys(op.agreement, op.signing)
    proved('possession', () => checkPossession({ ...placeOf(work), kind: 'invitation', admitter: author.signing, id: op.id, role: ROLES[op.role] }, op.signing, op.agreement, op.possession))
    work.checkFresh(op.signing, op.agreement)
    const pair = grantOf(work, op, author.signing, author.agreement, work.pairOf(0, author.id))
    work.count({ nextInvitation: op.id + 1 })
    const { kind, signing, agreement, expiresAt } = op
    work.write('invitation', at.invitation(op.id), { kind, issuer: author.member, role: op.role, signing, agreement, createdAt: work.index, usesLeft: op.uses, expiresAt })
    work.bury(1, op.id, [[0, signing], [1, agreement]])
    work.givePair(1, op.id, pair)
  },

  'invite.revoke'(work, op) {
    const found = work.read('invitation', at.invitation(op.id))
    conflict(found !== undefined, 'no-invitation')
    role(work.author.role >= ADMIN || found.issuer === work.author.member, 'handle')
    work.endInvitation(op.id)
  },

  join(work, op) {
    const found = work.read('invitation', at.invitation(op.invitation))
    rule(found !== undefined, 'no-invitation')
    rule(work.index < found.expiresAt, 'expired')
    rule(op.role === found.role, 'invited-role')
    rule(work.isOpen(found), 'issuer')
    rule(work.recipients().length < 4096 && (found.kind === 0 || devicesOf(work, found.issuer).length < 32), 'too-many')
    const place = placeOf(work)
    const statement = Buffer.concat([place.space, encodeVarint(op.invitation), Buffer.of(op.role), op.signing, op.agreement, encodeVarint(place.size), place.logRoot, place.stateRoot])
    rule(isSigned(found.signing, 'acceptance', statement, op.acceptance), 'acceptance')
    work.checkKeys(op.agreement, op.signing)
    proved('possession', () => checkPossession({ ...place, kind: 'acceptance', admitter: found.signing, id: op.invitation, role: ROLES[op.role] }, op.signing, op.agreement, op.possession))
    work.checkFresh(op.signing, op.agreement)
    const pair = grantOf(work, op, found.signing, found.agreement, work.pairOf(1, op.invitation))
    rule(found.kind === 0 || op.memberName.length === 0, 'member-name')
    checkName(work, op.memberName)
    checkName(work, op.deviceName)
    admit(work, op, found.kind === 1 ? found.issuer : addMember(work, op.role, op.memberName, work.counters.nextDevice), pair, op.deviceName)
    if (found.usesLeft === 1) work.endInvitation(op.invitation)
    else work.write('invitation', at.invitation(op.invitation), { ...found, usesLeft: found.usesLeft - 1 })
  },

  'member.role'(work, op) {
    const found = work.member(op.id)
    conflict(isLive(found), 'no-member')
    conflict(found.role === op.from, 'role-changed')
    role(handles(work.author.role, op.from) && handles(work.author.role, op.to), 'handle')
    rule(!isLastOwner(work, found), 'last-owner')
    work.write('member', at.member(op.id), { ...found, role: op.to })
  },

  'member.remove'(work, op) {
    const found = work.member(op.id)
    conflict(isLive(found), 'no-member')
    role(op.id === work.author.member || handles(work.author.role, found.role), 'handle')
    rule(!isLastOwner(work, found), 'last-owner')
    const devices = devicesOf(work, op.id)
    remove(work, devices)
    work.write('member', at.member(op.id), { ...found, removedAt: work.index })
  },

  'device.remove'(work, op) {
    const found = work.device(op.id)
    conflict(isLive(found), 'no-device')
    role(found.member === work.author.member || handles(work.author.role, work.member(found.member).role), 'handle')
    rule(devicesOf(work, found.member).length > 1, 'last-device')
    remove(work, [{ id: op.id, ...found }])
  },

  'agreement.refresh'(work, op) {
    const { author } = work
    work.checkKeys(op.agreement)
    const admission = { ...placeOf(work), kind: 'agreement', admitter: author.signing, id: author.id, role: ROLES[author.role] }
    proved('possession', () => checkPossession(admission, author.signing, op.agreement, op.possession))
    work.checkFresh(op.agreement)
    const pair = grantOf(work, op, author.signing, author.agreement, work.pairOf(0, author.id))
    work.write('device', at.device(author.id), { ...work.device(author.id), agreement: op.agreement, agreementEpoch: work.counters.epoch })
    work.bury(0, author.id, [[1, op.agreement]])
    work.givePair(0, author.id, pair)
  },

  profile(work, op) {
    checkName(work, op.sealed)
    const [kind, place] = op.subject === 0 ? ['member', at.member(op.id)] : ['device', at.device(op.id)]
    const found = work.read(kind, place)
    // Who was removed keeps a name: rows are theirs.
    conflict(op.subject === 0 ? found !== undefined : isLive(found), `no-${kind}`)
    role((op.subject === 0 ? op.id : found.member) === work.author.member || work.author.role >= ADMIN, 'handle')
    endName(work, found.name)
    work.write(kind, place, { ...found, name: nameOf(work, work.entry.device, op.sealed) })
  },
}
