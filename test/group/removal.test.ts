/** Removal, leaving and rotation (attacks B21–B24, B26, B30): who is out stays out, and no delivery is other than it should be. */
import { beforeEach, describe, expect, it } from 'vitest'
import { buildLeave, buildRemoval, buildRotate, mustRotate } from '../../engine/group/build-epoch.js'
import { buildInvite, buildProfile } from '../../engine/group/builders.js'
import type { RotateOp } from '../../engine/group/ops/rotate.js'
import { listInvitations, liveDevices, readMember, readPairOf, recipientsAt } from '../../engine/group/roster.js'
import { type AgreementKey, openPair, newEpochSecret, proveDelivery } from '../../engine/crypto/verifiable.js'
import { deriveEpochSecrets } from '../../engine/crypto/kdf.js'
import { MAX_LINK_LENGTH, ROTATE_INTERVAL } from '../../engine/limits.js'
import type { Op } from '../../engine/space/ops/index.js'
import { crypto, flip, type Person, World } from './world.js'

const { world, founder } = World.found(23)
const admin = world.admit(founder, { role: 'admin' })
const writer = world.admit(founder, { role: 'writer' })
const reader = world.admit(founder, { role: 'reader' })
const second = world.admit(writer, { kind: 'device' })
const people = [founder, admin, writer, reader, second]
const [ADMIN, WRITER, READER] = [2, 3, 4]
const goneKeys = new Map(people.map((person) => [person, person.keyring.agreementIn(world.state.tree)]))
const back = world.fork()
beforeEach(back)

const removal = (by: Person, who: Parameters<typeof buildRemoval>[1]): Op[] => [...buildRemoval(world.ctx(by), who).ops]
const rotate = (by: Person, over: Partial<RotateOp> = {}): RotateOp => ({ ...buildRotate(world.ctx(by)), ...over })

/** A rotate by `by` whose delivery is well made for exactly these keys, in this epoch, at this base. */
function rotateTo(by: Person, keys: readonly Uint8Array[], over: { epoch?: number; space?: Uint8Array; author?: Uint8Array; size?: number } = {}): RotateOp {
  const op = buildRotate(world.ctx(by))
  const base = { ...world.head, size: over.size ?? world.head.size }
  const context = { space: over.space ?? world.spaceId, epoch: over.epoch ?? op.epoch, author: over.author ?? by.signer.publicKey, base }
  return { ...op, delivery: proveDelivery(crypto, context, keys, newEpochSecret(crypto, world.random), world.random) }
}
const keys = (): Uint8Array[] => recipientsAt(world.state.tree, world.head.size).map((recipient) => recipient.agreement)

describe('a removal', () => {
  it('takes what the tampered ones below are made from', () => {
    expect(world.submit(founder, removal(founder, { members: [READER] }))).toEqual({ kind: 'applied' })
    expect(liveDevices(world.state.tree).map(({ id }) => id)).toEqual([1, 2, 3, 5])
  })

  it('comes with a rotate, at the end, and only once', () => {
    const ops = removal(founder, { members: [READER] })
    const [remove, turn] = ops as [Op, Op]
    world.refused(founder, [remove], 'rule', 'rotate-missing')
    world.refused(founder, [turn, remove], 'rule', 'rotate-last')
    world.refused(founder, [remove, turn, turn], 'rule', 'rotate-last')
    world.refused(founder, [remove, remove, turn], 'conflict', 'no-member')
    world.refused(founder, [remove, turn, { op: 'invite.revoke', invitation: 1 }], 'rule', 'rotate-missing')
  })

  it('is not delivered to the removed, nor kept from the others', () => {
    const [remove] = removal(founder, { members: [READER] }) as [Op]
    const all = keys()
    const staying = all.filter((_, i) => i !== 3)
    expect(world.submit(founder, [remove, rotateTo(founder, staying)])).toEqual({ kind: 'applied' })
    back()
    const deliveries = {
      everybody: all,
      'one left out': staying.slice(1),
      'the removed in place of another': [...staying.slice(0, 3), all[3] as Uint8Array],
      permuted: [staying[1], staying[0], ...staying.slice(2)] as Uint8Array[],
      reversed: staying.toReversed(),
      'one added': [...staying, crypto.group.encodePoint(crypto.group.base)],
    }
    for (const recipients of Object.values(deliveries)) world.refused(founder, [remove, rotateTo(founder, recipients)], 'conflict', 'delivery')
    expect(() => rotateTo(founder, [...staying.slice(0, 3), staying[0] as Uint8Array])).toThrow(/repeated/)
  })

  it('ends every open invitation, and says which', () => {
    const { invitation } = world.invite(admin, { uses: 9 })
    const ending = buildRemoval(world.ctx(founder), { devices: [second.device] })
    expect(ending.endedInvitations).toEqual([invitation])
    world.must(founder, ending.ops)
    expect(listInvitations(world.state.tree)).toEqual([])
    expect(readPairOf(world.state.tree, 1, invitation)).toBeUndefined()
  })

  it('is done by who may', () => {
    for (const by of [writer, reader]) for (const members of [[ADMIN], [1]]) world.refused(by, removal(by, { members }), 'role', 'handle')
    world.refused(writer, removal(writer, { members: [READER] }), 'role', 'handle')
    world.refused(reader, removal(reader, { devices: [second.device] }), 'role', 'handle')
    world.refused(admin, removal(admin, { members: [1] }), 'role', 'handle')
    expect(world.submit(admin, removal(admin, { members: [READER] }))).toEqual({ kind: 'applied' })
    back()
    expect(world.submit(writer, removal(writer, { devices: [second.device] }))).toEqual({ kind: 'applied' })
  })

  it('spares the last owner and the last device, and happens once', () => {
    world.must(founder, [{ op: 'member.role', member: ADMIN, from: 'admin', to: 'owner' }])
    world.must(admin, removal(admin, { members: [1] }))
    world.refused(admin, [...buildLeave(world.ctx(admin), 'member').ops], 'rule', 'last-owner')
    world.refused(admin, removal(admin, { members: [1] }), 'conflict', 'no-member')
    world.refused(admin, removal(admin, { devices: [reader.device] }), 'rule', 'last-device')
    world.refused(admin, removal(admin, { members: [99] }), 'conflict', 'no-member')
    world.refused(admin, [{ op: 'device.remove', device: 99 }, rotate(admin)], 'conflict', 'no-device')
    world.must(admin, removal(admin, { devices: [second.device] }))
    world.refused(admin, removal(admin, { devices: [second.device] }), 'conflict', 'no-device')
  })

  it('silences whoever is removed: each device, whatever was signed before', () => {
    const name = buildProfile(world.ctx(writer), 'member', WRITER, 'still here')
    const before = [writer, second].map((person) => world.sign(person, [name]))
    const old = world.head
    world.must(founder, removal(founder, { members: [WRITER] }))
    for (const record of before) world.refusedRecord(record, { kind: 'ignored', code: 'device' })
    for (const person of [writer, second]) {
      world.refusedRecord(world.sign(person, [name], { epoch: 1, base: old }), { kind: 'ignored', code: 'device' })
      world.refusedRecord(world.sign(person, [rotate(founder)]), { kind: 'ignored', code: 'device' })
    }
  })

  it('refuses a survivor who writes under the epoch before, or dodges with an old base', () => {
    const old = world.head
    const name = buildProfile(world.ctx(reader), 'member', READER, 'R')
    world.must(founder, removal(founder, { members: [WRITER] }), ...people)
    world.refused(reader, [name], 'epoch', undefined, { epoch: 1 })
    world.refused(reader, [name], 'rule', 'name-epoch')
    world.refused(reader, [name], 'epoch', undefined, { epoch: 1, base: old })
    expect(world.submit(reader, [buildProfile(world.ctx(reader), 'member', READER, 'R')], { base: old })).toEqual({ kind: 'applied' })
  })

  it('is not replayed against whoever came back, nor is their return', () => {
    const ops = removal(founder, { members: [READER] })
    const record = world.sign(founder, ops)
    expect(world.apply(record)).toEqual({ kind: 'applied' })
    founder.keyring.open(world.state.tree)
    const again = world.admit(founder, { role: 'reader' })
    world.refusedRecord(record, { kind: 'ignored', code: 'device-prev' })
    world.refused(founder, ops, 'conflict', 'no-member')
    world.refusedRecord(world.log[world.log.length - 2]!.record, { kind: 'ignored' })
    expect(again.device).toBe(6)
    expect(readMember(world.state.tree, READER)?.removedAt).toBeDefined()
  })
})

describe('what the removed can open (B33)', () => {
  it('is nothing newer, with every secret they had and the whole state', () => {
    const newest = () => world.meta.epoch
    world.must(founder, removal(founder, { members: [WRITER] }), ...people)
    for (const gone of [writer, second]) {
      gone.keyring.open(world.state.tree)
      expect(gone.keyring.epochs).toEqual([1])
      expect(() => gone.keyring.tableKey(newest(), 1)).toThrow(/holds no/)
      // Every pair in the state against every key they had.
      const right = founder.keyring.dataSecret(newest())
      for (const device of liveDevices(world.state.tree)) {
        const pair = readPairOf(world.state.tree, 0, device.id)
        const point = openPair(crypto, pair as never, goneKeys.get(gone) as AgreementKey)
        expect(deriveEpochSecrets(crypto, point, world.spaceId, newest()).data).not.toEqual(right)
      }
    }
    world.must(reader, [buildRotate(world.ctx(reader))], founder, admin)
    expect(admin.keyring.epochs).toEqual([1, 2, 3])
  })
})

describe('leaving', () => {
  it('leaves the epoch void: the leaver could not make one without knowing it', () => {
    world.refused(writer, [{ op: 'member.remove', member: WRITER }, rotate(writer)], 'rule', 'leave-last')
    world.refused(writer, [{ op: 'device.remove', device: writer.device }, rotate(writer)], 'rule', 'leave-last')
    world.must(writer, [...buildLeave(world.ctx(writer), 'member').ops], ...people)
    expect(mustRotate(world.state.tree)).toBe(true)
    expect(world.meta.epoch).toBe(2)
    expect(() => founder.keyring.tableKey(2, 1)).toThrow(/holds no/)
    expect(() => buildInvite(world.ctx(founder), { kind: 'member', role: 'reader', expiresAt: 1_000 })).toThrow(/rotate first/)
    world.refused(founder, [{ op: 'forget', before: 2 }, rotate(founder)], 'rule', 'epoch-void')
    // Anybody may deliver it, a reader too, and at once; a second leaver does not make it more void.
    world.must(admin, [...buildLeave(world.ctx(admin), 'member').ops], ...people)
    expect(world.meta.epoch).toBe(2)
    world.must(reader, [buildRotate(world.ctx(reader))], ...people)
    expect([founder, reader].map((person) => person.keyring.epochs)).toEqual([[1, 2], [1, 2]])
    expect(writer.keyring.epochs).toEqual([1])
    expect(mustRotate(world.state.tree)).toBe(false)
  })

  it('is made good at once, whoever has rotated just before', () => {
    world.must(reader, [buildRotate(world.ctx(reader))], ...people)
    world.refused(reader, [buildRotate(world.ctx(reader))], 'rule', 'rotate-interval')
    world.must(admin, [...buildLeave(world.ctx(admin), 'member').ops], ...people)
    world.must(reader, [buildRotate(world.ctx(reader))], ...people)
    expect(mustRotate(world.state.tree)).toBe(false)
    // That was not one of those that are counted.
    const { lastFreeRotation } = world.meta
    expect(lastFreeRotation).toBeLessThan(world.head.size - 1)
  })

  it('with one device leaves the other', () => {
    world.must(second, [...buildLeave(world.ctx(second), 'device').ops], ...people)
    world.must(writer, [buildRotate(world.ctx(writer))], ...people)
    expect(writer.keyring.epochs).toEqual([1, 2])
    expect(second.keyring.epochs).toEqual([1])
    world.refused(writer, [...buildLeave(world.ctx(writer), 'device').ops], 'rule', 'last-device')
  })
})

describe('a rotation', () => {
  it('is proved for this space, epoch, author and base', () => {
    const wrong = [{ epoch: 1 }, { epoch: 3 }, { space: new Uint8Array(32) }, { author: admin.signer.publicKey }, { size: 0 }]
    for (const over of wrong) world.refused(founder, [rotateTo(founder, keys(), over)], 'conflict', 'delivery')
    const whole = rotate(founder)
    const { length } = whole.delivery
    for (const at of [0, 32, 100, length - 96, length - 64, length - 32]) world.refused(founder, [rotate(founder, { delivery: flip(whole.delivery, at) })], 'conflict', 'delivery')
    world.refused(founder, [rotate(founder, { delivery: whole.delivery.subarray(32) })], 'conflict', 'delivery')
    // C0 = 0 publishes S.
    const zero = whole.delivery.slice()
    zero.fill(0, 0, 32)
    world.refused(founder, [{ ...whole, delivery: zero }], 'conflict', 'delivery')
    expect(world.submit(founder, [whole])).toEqual({ kind: 'applied' })
  })

  it("swaps no recipient's share for another's", () => {
    const { delivery } = rotate(founder)
    const swapped = delivery.slice()
    swapped.set(delivery.subarray(32, 64), 64)
    swapped.set(delivery.subarray(64, 96), 32)
    world.refused(founder, [rotate(founder, { delivery: swapped })], 'conflict', 'delivery')
  })

  it('starts the next epoch, with a link and a box of the length that they must have', () => {
    for (const epoch of [1, 3]) world.refused(founder, [rotate(founder, { epoch })], 'conflict', 'epoch')
    const { link, blinding } = rotate(founder)
    for (const bad of [new Uint8Array(0), link.subarray(1), new Uint8Array(MAX_LINK_LENGTH)]) world.refused(founder, [rotate(founder, { link: bad })], 'rule', 'link-length')
    for (const bad of [new Uint8Array(0), blinding.subarray(1)]) world.refused(founder, [rotate(founder, { blinding: bad })], 'rule', 'blinding-length')
  })

  it('carries the blinding secrets on; only an admin makes a new one or lets one go', () => {
    const { generations } = rotate(founder)
    const [first] = generations
    const forged = { generation: 1, commitment: new Uint8Array(32) }
    for (const bad of [[forged], [{ ...first!, generation: 3 }], [first!, first!]]) world.refused(founder, [rotate(founder, { generations: bad })], 'rule', 'generations')
    world.refused(founder, [rotate(founder, { generations: [] })], 'rule', 'generations')
    const fresh = buildRotate(world.ctx(founder), { reblind: true })
    world.refused(writer, [{ ...rotate(writer), generations: fresh.generations, blinding: fresh.blinding }], 'role', 'reblind')
    world.must(founder, [fresh], ...people)
    expect(reader.keyring.blinding(2)).toEqual(founder.keyring.blinding(2))
    expect(reader.keyring.blinding(2)).not.toEqual(reader.keyring.blinding(1))
    expect(world.meta.generation).toBe(2)
    expect(() => buildRotate(world.ctx(founder), { reblind: true })).toThrow(/at most one/)
    const back = rotate(founder)
    world.refused(founder, [{ ...back, generations: back.generations.slice(0, 1), blinding: fresh.blinding.subarray(32) }], 'rule', 'generations')
    world.must(founder, [buildRotate(world.ctx(founder), { dropOldBlinding: true })], ...people)
    const newcomer = world.admit(founder)
    expect(newcomer.keyring.blinding(2)).toEqual(founder.keyring.blinding(2))
    // The epoch before still carries the old one, so it could be read back: the new one is all that must be there.
    expect(buildRotate(world.ctx(newcomer)).generations.map((g) => g.generation)).toEqual([2])
  })

  it('by readers and writers happens once in so many entries, for all of them together', () => {
    world.must(reader, [buildRotate(world.ctx(reader))], ...people)
    const at = world.head.size - 1
    for (const by of [reader, writer, second]) world.refused(by, [buildRotate(world.ctx(by))], 'rule', 'rotate-interval')
    expect(world.submit(admin, [buildRotate(world.ctx(admin))])).toEqual({ kind: 'applied' })
    for (const each of people) each.keyring.open(world.state.tree)
    while (world.head.size < at + ROTATE_INTERVAL - 1) world.must(founder, [{ op: 'profile', subject: 'member', id: 1, sealed: new Uint8Array(0) }])
    world.refused(writer, [buildRotate(world.ctx(writer))], 'rule', 'rotate-interval')
    world.must(founder, [{ op: 'profile', subject: 'member', id: 1, sealed: new Uint8Array(0) }])
    expect(world.submit(writer, [buildRotate(world.ctx(writer))])).toEqual({ kind: 'applied' })
  })

  it('meets a roster that changed meanwhile as a conflict, to be made again', () => {
    const stale = buildRotate(world.ctx(admin))
    world.admit(founder)
    world.refused(admin, [stale], 'conflict', 'delivery')
    expect(world.submit(admin, [buildRotate(world.ctx(admin))])).toEqual({ kind: 'applied' })
  })
})

describe('names', () => {
  it('are given to who is there: no unknown member or device, no removed device', () => {
    const name = (subject: 'member' | 'device', id: number): Op => ({ op: 'profile', subject, id, sealed: new Uint8Array(0) })
    world.refused(founder, [name('member', 99)], 'conflict', 'no-member')
    world.refused(founder, [name('device', 99)], 'conflict', 'no-device')
    for (const subject of ['member', 'device'] as const) world.refused(reader, [name(subject, 1)], 'role', 'handle')
    world.must(founder, removal(founder, { devices: [second.device] }))
    world.refused(founder, [name('device', second.device)], 'conflict', 'no-device')
    // A name of somebody removed stays, since rows name them: an admin may take it away.
    world.must(founder, removal(founder, { members: [WRITER] }))
    expect(world.submit(admin, [name('member', WRITER)])).toEqual({ kind: 'applied' })
  })
})

describe('roles', () => {
  const change = (member: number, from: 'owner' | 'admin' | 'writer' | 'reader', to: 'owner' | 'admin' | 'writer' | 'reader') => ({ op: 'member.role', member, from, to }) as const

  it('are changed by who may', () => {
    for (const by of [writer, reader, second]) world.refused(by, [change(WRITER, 'writer', 'admin')], 'role', 'admin')
    world.refused(admin, [change(ADMIN, 'admin', 'owner')], 'role', 'handle')
    world.refused(admin, [change(WRITER, 'writer', 'admin')], 'role', 'handle')
    world.refused(admin, [change(1, 'owner', 'reader')], 'role', 'handle')
    world.refused(admin, [change(ADMIN, 'admin', 'writer')], 'role', 'handle')
    world.must(admin, [change(WRITER, 'writer', 'reader')])
    world.must(founder, [change(WRITER, 'reader', 'admin')])
    world.must(founder, [change(READER, 'reader', 'owner')])
  })

  it('are changed from what they are, of who is there, and leave an owner', () => {
    world.refused(founder, [change(WRITER, 'reader', 'admin')], 'conflict', 'role-changed')
    world.refused(founder, [change(9, 'reader', 'admin')], 'conflict', 'no-member')
    const here = world.fork()
    world.must(founder, removal(founder, { members: [READER] }))
    world.refused(founder, [change(READER, 'reader', 'admin')], 'conflict', 'no-member')
    here()
    world.refused(founder, [change(1, 'owner', 'admin')], 'rule', 'last-owner')
    world.must(founder, [change(ADMIN, 'admin', 'owner')])
    world.must(founder, [change(1, 'owner', 'reader')])
    world.refused(founder, [change(1, 'reader', 'owner')], 'role', 'admin')
  })

  it('given away in an entry are gone for the rest of it', () => {
    world.must(founder, [change(ADMIN, 'admin', 'owner')])
    world.refused(founder, [change(1, 'owner', 'writer'), change(READER, 'reader', 'writer')], 'role', 'handle')
    const { op } = buildInvite(world.ctx(founder), { kind: 'member', role: 'admin', expiresAt: 1_000 })
    world.refused(founder, [change(1, 'owner', 'admin'), op], 'role', 'invite')
  })
})
