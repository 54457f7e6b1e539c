/** Refusals of headers and of ops of the group that a random life seldom meets, one by one: by the engine and by what was written from PROTOCOL.md alone. */
import { beforeAll, describe, expect, it } from 'vitest'
import { decodeRecord } from '../../engine/space/entry.js'
import { buildForget, buildRemoval, buildRepair, buildRotate } from '../../engine/group/build-epoch.js'
import { buildInvite, buildJoin, buildProfile, buildRefresh, type InviteOptions } from '../../engine/group/builders.js'
import { type InviteCreateOp } from '../../engine/group/ops/invite.js'
import { type JoinOp } from '../../engine/group/ops/join.js'
import { type RotateOp } from '../../engine/group/ops/rotate.js'
import { listDevices, listMembers, recipientsAt } from '../../engine/group/roster.js'
import { acceptanceMessage } from '../../engine/group/contexts.js'
import { deriveInvitationKeys } from '../../engine/group/secrets.js'
import { LABELS } from '../../engine/crypto/labels.js'
import { signBytes } from '../../engine/crypto/sign.js'
import { type Op } from '../../engine/space/ops/index.js'
import { decodeDevice, encodeDevice } from '../../engine/state/roster.js'
import { deviceKey } from '../../engine/state/keys.js'
import { World as GroupWorld } from '../group/world.js'
import { crypto, type Person } from '../space/world.js'
import { Both, nameOf } from './both.js'
import { GROUP } from './refusals.js'
import { Machine } from './state.mjs'

const reached = new Set<string>()
const ZEROS = new Uint8Array(32)
let both: Both
let ada: Person
let bob: Person
let dora: Person
let eve: Person
const ctx = (by: Person) => both.world.context(by)
const flip = (bytes: Uint8Array, at = 0): Uint8Array => bytes.map((byte, i) => (i === at ? byte ^ 1 : byte))

beforeAll(() => {
  both = new Both(31, reached)
  ;({ ada, bob, dora, eve } = both.people())
})

describe('headers', () => {
  it('what is ignored and what is rejected', () => {
    const record = both.record(bob, [{ op: 'invite.revoke', invitation: 1 }])
    for (const bytes of [record.subarray(0, 64), record.slice(0, -1), Uint8Array.of(...record, 0)]) both.tries(bytes, 'ignored malformed')
    both.tries(record.with(0, 2), 'ignored version')
    both.tries(new Uint8Array(2 ** 25 + 1).fill(1, 0, 1), 'ignored too-long')
    both.tries(flip(record, record.length - 1), 'ignored signature')
    const ops: Op[] = [{ op: 'invite.revoke', invitation: 99 }]
    both.tries(both.record(bob, ops, { spaceId: ZEROS }), 'ignored space')
    both.tries(both.record(bob, ops, { device: 99 }), 'ignored device')
    both.tries(both.record(bob, ops, { devicePrev: ZEROS }), 'ignored device-prev')
    for (const name of ['logRoot', 'stateRoot', 'size'] as const) both.refuses(bob, ops, 'base', { base: { ...both.world.head, [name]: name === 'size' ? 99 : ZEROS } })
    both.refuses(bob, ops, 'epoch', { epoch: 2 })
    both.refuses(bob, ops, 'conflict reads', { reads: [{ prefix: Uint8Array.of(0x10), root: ZEROS }] })
    both.land(both.record(bob, ops), 'rejected conflict no-invitation')
    both.refuses(bob, ops, 'chain', { base: both.world.headAt(both.world.records.length - 1) })
  })
})

const inviteOf = (by: Person, options: Partial<InviteOptions> = {}, random = ctx(by).random): { readonly op: InviteCreateOp; readonly secret: Uint8Array } =>
  buildInvite({ ...ctx(by), random }, { kind: 'member', role: 'writer', expiresAt: 1000, ...options })
/** A source that gives this first: a link's secret made twice. */
const again = (secret: Uint8Array) => { let first = true; return (n: number): Uint8Array => { const out = first ? secret : both.world.random(n); first = false; return out } }

describe('invitations', () => {
  it('create and revoke', () => {
    const { op, secret } = inviteOf(ada)
    both.refuses(ada, [{ ...op, invitation: op.invitation + 1 }], 'conflict invitation')
    both.refuses(bob, [inviteOf(bob).op], 'role invite')
    both.refuses(dora, [inviteOf(dora, { role: 'admin' }).op], 'role invite')
    const own = inviteOf(bob, { kind: 'device' }).op
    both.refuses(bob, [{ ...own, role: 'reader' }], 'conflict role-changed')
    for (const uses of [0, 1025]) both.refuses(ada, [{ ...op, uses }], 'rule uses')
    both.refuses(bob, [{ ...own, uses: 2 }], 'rule uses')
    both.refuses(ada, [{ ...op, expiresAt: both.world.records.length }], 'rule expired')
    both.refuses(ada, [{ ...op, agreement: ZEROS }], 'rule bad-key')
    both.refuses(ada, [{ ...op, signing: Uint8Array.of(1, ...ZEROS.subarray(1)) }], 'rule bad-key')
    both.refuses(ada, [{ ...op, possession: flip(op.possession) }], 'rule possession')
    both.refuses(ada, [{ ...op, grant: flip(op.grant, 200) }], 'rule grant')
    both.applies(ada, [op])
    both.refuses(ada, [inviteOf(ada, {}, again(secret)).op], 'rule repeated-key')
    both.refuses(bob, [{ op: 'invite.revoke', invitation: op.invitation }], 'role handle')
    both.applies(bob, [inviteOf(bob, { kind: 'device' }).op])
    both.refuses(bob, [inviteOf(bob, { kind: 'device' }).op], 'rule one-invitation')
    both.applies(dora, [{ op: 'invite.revoke', invitation: op.invitation }])
  })

  it('too many recipients, or devices of a member', () => {
    both.applies(bob, [{ op: 'invite.revoke', invitation: both.meta.nextInvitation - 1 }])
    const device = inviteOf(bob, { kind: 'device' })
    both.applies(bob, [device.op])
    const [mine, theirs] = [joinOf(device.op.invitation, device.secret), inviteOf(ada)]
    const kept = [both.world.state, both.machine.copy()] as const
    const some = decodeDevice(both.world.state.tree.get(deviceKey(bob.device)) as Uint8Array)
    const plant = (from: number, to: number, member: number): void => { both.plant(Array.from({ length: to - from }, (_, i) => ({ key: deviceKey(from + i), value: encodeDevice({ ...some, member }) }))) }
    plant(5000, 5030, bob.member)
    both.tries(join(mine.op, mine.signer), 'ignored join acceptance') // its base is not this one any more
    plant(5030, 5031, bob.member)
    both.tries(join(mine.op, mine.signer), 'ignored join too-many')
    plant(5031, 5031 + 4095 - recipientsAt(both.world.state.tree, both.world.records.length).length, ada.member)
    both.refuses(ada, [theirs.op], 'rule possession')
    plant(9090, 9091, ada.member)
    both.refuses(ada, [theirs.op], 'rule too-many')
    ;[both.world.state, both.machine] = kept
  })
})

function joinOf(invitation: number, secret: Uint8Array, named: { readonly memberName?: string; readonly deviceName?: string } = {}, seed = both.world.random(32)) {
  const { spaceId, head, random, state } = both.world
  const signer = crypto.signer(seed)
  return { op: buildJoin({ crypto, random, spaceId, base: head, state: state.tree, invitation, secret, signer, agreementSeed: seed, ...named }), signer }
}
const join = (op: JoinOp, signer: Person['signer'], more: Parameters<Both['record']>[2] = {}): Uint8Array => both.record(ada, [op], { device: 0, devicePrev: ZEROS, signer, ...more })

describe('joins', () => {
  it('are ignored, and say why', () => {
    const { op: invite, secret } = inviteOf(ada, { uses: 2, expiresAt: both.world.records.length + 3 })
    both.applies(ada, [invite])
    const { op, signer } = joinOf(invite.invitation, secret, { memberName: 'Ann', deviceName: 'laptop' })
    const tries = (change: Partial<JoinOp>, detail: string, more = {}): void => { both.tries(join({ ...op, ...change }, signer, more), `ignored join ${detail}`) }
    tries({}, 'base', { base: { ...both.world.head, logRoot: ZEROS } })
    tries({}, 'epoch', { epoch: 9 })
    tries({}, 'reads', { reads: [{ prefix: Uint8Array.of(0x33), root: both.world.state.tree.subtreeRoot(Uint8Array.of(0x33)) }] })
    both.tries(join(op, signer, { devicePrev: ZEROS.with(0, 1) }), 'ignored device-prev')
    tries({ invitation: 99 }, 'no-invitation')
    tries({ role: 'reader' }, 'invited-role')
    tries({ acceptance: flip(op.acceptance) }, 'acceptance')
    tries({ possession: flip(op.possession, 70) }, 'possession')
    tries({ grant: flip(op.grant, 70) }, 'grant')
    tries({ memberName: ZEROS }, 'sealed')
    tries({ deviceName: both.sealed(80, 9) }, 'name-epoch')
    const base = both.world.head
    both.land(join(op, signer), 'applied')
    both.tries(join(op, signer, { base }), 'ignored join repeated-key')
    const late = joinOf(invite.invitation, secret)
    both.applies(ada, [{ op: 'member.role', member: eve.member, from: 'reader', to: 'writer' }])
    both.tries(join(late.op, late.signer), 'ignored join expired')
    both.applies(ada, [{ op: 'member.role', member: eve.member, from: 'writer', to: 'reader' }])

    const device = inviteOf(eve, { kind: 'device' })
    both.applies(eve, [device.op])
    const further = joinOf(device.op.invitation, device.secret)
    both.tries(join({ ...further.op, memberName: both.sealed() }, further.signer), 'ignored join member-name')
    // Its issuer may not hand out what they did.
    const admin = inviteOf(dora, { role: 'writer' })
    both.applies(dora, [admin.op])
    const held = joinOf(admin.op.invitation, admin.secret)
    both.applies(ada, [{ op: 'member.role', member: dora.member, from: 'admin', to: 'writer' }])
    both.tries(join(held.op, held.signer), 'ignored join issuer')
    both.applies(ada, [{ op: 'member.role', member: dora.member, from: 'writer', to: 'admin' }])
    both.land(both.world.records[0] as Uint8Array, 'ignored join not-first')
  })

  it('keys that no proof makes good', () => {
    const { op: invite, secret } = inviteOf(ada)
    both.applies(ada, [invite])
    const { op, signer } = joinOf(invite.invitation, secret)
    const bad = { ...op, agreement: ZEROS }
    both.tries(join(bad, signer), 'ignored join acceptance')
    both.tries(join(acceptedAnyway(bad, secret), signer), 'ignored join bad-key')
  })

  it('a genesis', () => {
    const changes: readonly (readonly [string, Parameters<typeof GroupWorld.found>[1]])[] = [
      ['possession', (op) => ({ ...op, possession: flip(op.possession) })], ['delivery', (op) => ({ ...op, delivery: flip(op.delivery, 40) })],
      ['bad-key', (op) => ({ ...op, agreement: ZEROS })], ['blinding-length', (op) => ({ ...op, blinding: op.blinding.slice(1) })],
    ]
    for (const [detail, change] of changes) {
      const { world, verdict } = GroupWorld.found(3, change)
      const machine = new Machine(Buffer.from(world.spaceId))
      expect([machine.take(Buffer.from(world.log[0]?.record ?? [])), machine.head().stateRoot]).toEqual([{ kind: 'ignored', code: 'join', detail }, Buffer.from(world.head.stateRoot)])
      reached.add(nameOf(verdict))
    }
  })
})

function acceptedAnyway(op: JoinOp, secret: Uint8Array): JoinOp {
  const { head, spaceId } = both.world
  const { signer } = deriveInvitationKeys(crypto, secret)
  const message = acceptanceMessage({ spaceId, invitation: op.invitation, role: op.role, signing: op.signing, agreement: op.agreement, base: head })
  return { ...op, acceptance: signBytes(signer, LABELS.acceptance, message) }
}

describe('members and devices', () => {
  it('roles, removals, names', () => {
    const change = { op: 'member.role', member: bob.member, from: 'writer', to: 'reader' } as const
    both.refuses(ada, [{ ...change, member: 99 }], 'conflict no-member')
    both.refuses(ada, [{ ...change, from: 'admin' }], 'conflict role-changed')
    both.refuses(dora, [{ ...change, to: 'admin' }], 'role handle')
    both.refuses(ada, [{ op: 'member.role', member: 1, from: 'owner', to: 'reader' }], 'rule last-owner')
    both.refuses(ada, [{ op: 'member.remove', member: 1 }], 'rule last-owner')
    both.refuses(ada, [{ op: 'member.remove', member: 99 }], 'conflict no-member')
    both.refuses(bob, [{ op: 'member.remove', member: eve.member }], 'role handle')
    both.refuses(ada, [{ op: 'member.remove', member: bob.member }], 'rule rotate-missing')
    both.refuses(bob, [{ op: 'member.remove', member: bob.member }, { op: 'invite.revoke', invitation: 1 }], 'rule leave-last')
    both.refuses(ada, [{ op: 'device.remove', device: 99 }], 'conflict no-device')
    both.refuses(bob, [{ op: 'device.remove', device: dora.device }], 'role handle')
    both.refuses(bob, [{ op: 'device.remove', device: bob.device }], 'rule last-device')
    const named = buildProfile(ctx(bob), 'member', bob.member, 'Bob')
    both.refuses(bob, [{ ...named, sealed: ZEROS }], 'rule sealed')
    both.refuses(bob, [{ ...named, sealed: both.sealed(80, 9) }], 'rule name-epoch')
    both.refuses(bob, [{ ...named, id: 99 }], 'conflict no-member')
    both.refuses(bob, [{ ...named, subject: 'device', id: 99 }], 'conflict no-device')
    both.refuses(bob, [{ ...named, id: eve.member }], 'role handle')
    const { op } = buildRefresh(ctx(bob))
    both.refuses(bob, [{ ...op, agreement: ZEROS }], 'rule bad-key')
    both.refuses(bob, [{ ...op, possession: flip(op.possession) }], 'rule possession')
    both.refuses(bob, [{ ...op, grant: flip(op.grant) }], 'rule grant')
    both.tries(both.record(bob, [op, { ...named, subject: 'device', id: bob.device }]), 'applied')
  })

  it('epochs', () => {
    both.applies(ada, [{ op: 'create', id: 1, object: { kind: 'table', parent: undefined, table: { key: 'blinded', plain: [], indexes: [], policies: [] } }, nameToken: both.token(1), sealed: both.sealed() }])
    const op = buildRotate(ctx(bob))
    const rotate = (change: Partial<RotateOp>): Op => ({ ...op, ...change })
    both.refuses(bob, [op, op], 'rule rotate-last')
    both.refuses(bob, [rotate({ epoch: 1 })], 'conflict epoch')
    both.refuses(bob, [rotate({ link: op.link.slice(1) })], 'rule link-length')
    const [first] = op.generations as [RotateOp['generations'][number]]
    for (const generations of [[], [first, first], [first, { ...first, generation: 3 }], [{ ...first, commitment: ZEROS }]]) both.refuses(ada, [rotate({ generations })], 'rule generations')
    both.refuses(bob, [rotate({ generations: [first, { ...first, generation: 2 }] })], 'role reblind')
    both.refuses(ada, [rotate({ generations: [{ ...first, generation: 2 }] })], 'rule generation-in-use')
    both.tries(both.record(ada, [buildRotate(ctx(ada), { reblind: true })]), 'applied')
    both.refuses(bob, [rotate({ blinding: op.blinding.slice(1) })], 'rule blinding-length')
    both.refuses(bob, [rotate({ delivery: flip(op.delivery, 40) })], 'conflict delivery')
    both.applies(bob, [op])
    openAll()
    both.refuses(eve, [buildRotate(ctx(eve))], 'rule rotate-interval')
    both.tries(both.record(dora, [buildRotate(ctx(dora))]), 'applied')
    const repair = buildRepair(ctx(bob), 2, 'link')
    both.refuses(bob, [{ ...repair, epoch: 7 }], 'conflict no-epoch')
    both.refuses(bob, [{ ...repair, box: repair.box.slice(1) }], 'rule link-length')
    both.refuses(bob, [repair, repair], 'conflict repaired')
    const forget = buildForget(ctx(ada), 2).ops
    both.refuses(ada, forget, 'rule live-values')
    const none = { op: 'profile' as const, sealed: new Uint8Array(0) }
    const tree = both.world.state.tree
    const rest: Op[] = [
      { op: 'reseal-object', id: 1, sealed: both.sealed() }, ...listMembers(tree).filter(({ profile }) => profile.length > 0).map(({ id }) => ({ ...none, subject: 'member' as const, id })),
      ...listDevices(tree).filter(({ name }) => name.length > 0).map(({ id }) => ({ ...none, subject: 'device' as const, id })),
    ]
    both.refuses(ada, [...rest, { op: 'forget', before: 2 }], 'rule rotate-missing')
    for (const before of [1, 3]) both.refuses(ada, [{ op: 'forget', before }], 'rule cut')
    both.applies(ada, rest)
    both.applies(ada, buildForget(ctx(ada), 2).ops)
    openAll()
  })

  it('an epoch that nobody has delivered yet', () => {
    const base = both.world.head
    const { op: invite } = inviteOf(ada)
    const [refresh, forget] = [buildRefresh(ctx(ada)).op, buildForget(ctx(ada), 3).ops]
    both.applies(bob, [{ op: 'member.remove', member: bob.member }])
    both.refuses(ada, [invite], 'rule epoch-void', { base })
    both.refuses(ada, [refresh], 'rule epoch-void', { base })
    both.refuses(ada, forget, 'rule epoch-void', { base })
    both.refuses(ada, [{ op: 'reseal-object', id: 1, sealed: both.sealed() }], 'rule epoch-void')
    both.tries(both.record(bob, []), 'ignored malformed')
    both.tries(both.record(bob, [refresh]), 'ignored device')
    const op = buildRotate(ctx(eve))
    both.tries(both.record(eve, [op]), 'applied')
    both.applies(ada, buildRemoval(ctx(ada), { members: [eve.member] }).ops)
  })
})

it('each refusal of a header or of the group was met', () => {
  expect(decodeRecord(both.world.records[0] as Uint8Array).kind).toBe('entry')
  expect(GROUP.filter((name) => !reached.has(name))).toEqual([])
})

function openAll(): void {
  for (const person of [ada, bob, dora, eve]) person.keyring.open(both.world.state.tree)
}
