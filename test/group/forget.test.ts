/** Forgetting (attack B33): a newcomer afterwards and a thief of today's secrets open nothing from before; the others lose nothing. */
import { beforeEach, describe, expect, it } from 'vitest'
import { buildForget, buildLeave, buildRotate } from '../../engine/group/build-epoch.js'
import { buildNameReseals, buildProfile, buildRefresh } from '../../engine/group/builders.js'
import { openBox } from '../../engine/group/boxes.js'
import { Keyring } from '../../engine/group/keyring.js'
import type { ForgetOp } from '../../engine/group/ops/forget.js'
import type { RotateOp } from '../../engine/group/ops/rotate.js'
import { openName } from '../../engine/group/profiles.js'
import { holdingUpForget, listInvitations, newestEpoch, readDevice, readPairOf } from '../../engine/group/roster.js'
import { readEpoch } from '../../engine/group/epochs.js'
import { deriveEpochSecrets } from '../../engine/crypto/kdf.js'
import { proveGrant, provePossession, agreementKey, openPair } from '../../engine/crypto/verifiable.js'
import { crypto, flip, type Person, World } from './world.js'

const { world, founder } = World.found(33)
const bob = world.admit(founder)
world.must(founder, [buildRotate(world.ctx(founder))], bob)
const carol = world.admit(founder, { role: 'reader' })
world.must(founder, [buildRotate(world.ctx(founder))], bob, carol)
const people = [founder, bob, carol]
const saved = people.map((person) => person.keyring.encode())
const back = world.fork()

/** Everybody as they were at epoch 3, in new keyrings: tests here destroy secrets. */
let everybody: Person[] = []
beforeEach(() => {
  back()
  everybody = people.map((person, i) => ({ ...person, keyring: Keyring.decode(world.env, saved[i] as Uint8Array) }))
})

const first = () => everybody[0] as Person
const nameOf = (person: Person, id: number) => openName(crypto, world.spaceId, world.state.tree, person.keyring, 'member', id)

/** Re-seal the names and forget everything before epoch 3, as the founder. */
function forget(): void {
  world.must(first(), buildNameReseals(world.ctx(first()), 3))
  world.must(first(), buildForget(world.ctx(first()), 3).ops, ...everybody)
}

function refresh(person: Person): void {
  const { op, seed } = buildRefresh(world.ctx(person))
  person.keyring.stageAgreement(seed)
  world.must(person, [op], ...everybody)
  person.keyring.settle(world.state.tree)
}

describe('forget', () => {
  it('waits for what is sealed before the cut: names, until they are sealed again', () => {
    world.refused(first(), [...buildForget(world.ctx(first()), 2).ops], 'rule', 'live-values')
    const reseals = buildNameReseals(world.ctx(first()), 2)
    expect(reseals.map((op) => [op.subject, op.id])).toEqual([['member', 2], ['device', 2]])
    world.must(first(), reseals)
    expect(nameOf(carol, 2)).toBe('Ada')
    world.must(first(), buildForget(world.ctx(first()), 2).ops, ...everybody)
    expect(world.meta.firstEpoch).toBe(2)
    expect([1, 2].map((epoch) => readEpoch(world.state.tree, epoch) === undefined)).toEqual([true, false])
  })

  it('is for owners, with a cut that is one, and with its rotate', () => {
    world.must(first(), buildNameReseals(world.ctx(first()), 3))
    const ops = buildForget(world.ctx(first()), 3).ops as readonly [ForgetOp, RotateOp]
    world.refused(everybody[1] as Person, [...ops], 'role', 'owner')
    for (const before of [0, 1, 4]) world.refused(first(), [{ op: 'forget', before }, ops[1]], 'rule', 'cut')
    world.refused(first(), [ops[0]], 'rule', 'rotate-missing')
    world.refused(first(), [ops[0], ops[0], ops[1]], 'rule', 'rotate-missing')
    world.refused(first(), [ops[0], rotateToTwo()], 'rule', 'link-length')
    world.refused(first(), [{ op: 'forget', before: 2 }, ops[1]], 'rule', 'link-length')
    expect(world.submit(first(), ops)).toEqual({ kind: 'applied' })
  })

  it('ends every invitation', () => {
    const { invitation } = world.invite(first(), { uses: 5 })
    world.must(first(), buildNameReseals(world.ctx(first()), 3))
    const { ops, endedInvitations } = buildForget(world.ctx(first()), 3)
    expect(endedInvitations).toEqual([invitation])
    world.must(first(), ops)
    expect(listInvitations(world.state.tree)).toEqual([])
  })

  it('is pending until the last device has a fresh agreement key, and names who has not', () => {
    forget()
    expect(holdingUpForget(world.state.tree).map(({ id }) => id)).toEqual([1, 2, 3])
    refresh(first())
    refresh(everybody[2] as Person)
    expect(holdingUpForget(world.state.tree).map(({ id }) => id)).toEqual([2])
    // Whoever comes now has a fresh key anyway, and a leaver holds up nothing.
    world.admit(first())
    world.must(everybody[1] as Person, [...buildLeave(world.ctx(everybody[1] as Person), 'member').ops], ...everybody)
    expect(holdingUpForget(world.state.tree)).toEqual([])
  })

  it('takes nothing from those who were there: what remains opens, and the next epochs', () => {
    const kept = first().keyring.dataSecret(3).slice()
    forget()
    for (const person of everybody) {
      expect(person.keyring.settle(world.state.tree)).toBe(true)
      expect(person.keyring.epochs).toEqual([3, 4])
      expect(person.keyring.dataSecret(3)).toEqual(kept)
      expect(() => person.keyring.linkSecret(3)).toThrow(/no link/)
      refresh(person)
    }
    world.must(carolNow(), [buildRotate(world.ctx(carolNow()))], ...everybody)
    for (const person of everybody) {
      expect(person.keyring.epochs).toEqual([3, 4, 5])
      expect(nameOf(person, 2)).toBe('Ada')
    }
    const newcomer = world.admit(first())
    expect(newcomer.keyring.epochs).toEqual([3, 4, 5])
    expect(newcomer.keyring.dataSecret(3)).toEqual(kept)
    expect(nameOf(newcomer, 2)).toBe('Ada')
  })

  it('keeps a newcomer out of what it forgot, whatever old state the relay adds', () => {
    const old = world.state
    const forgotten = [1, 2].map((epoch) => first().keyring.dataSecret(epoch).slice())
    forget()
    for (const person of everybody) refresh(person)
    const newcomer = world.admit(first())
    expect(newcomer.keyring.epochs).toEqual([3, 4])
    expectLocked(newcomer.keyring, forgotten, old.tree)
  })

  it("keeps a thief of today's secrets out, with all that was ever in the log", () => {
    const old = world.state
    const forgotten = [1, 2].map((epoch) => first().keyring.dataSecret(epoch).slice())
    forget()
    for (const person of everybody) refresh(person)
    for (const person of everybody) {
      const thief = Keyring.decode(world.env, person.keyring.encode())
      const bytes = person.keyring.encode()
      for (const secret of forgotten) expect(Buffer.from(bytes).includes(Buffer.from(secret))).toBe(false)
      expectLocked(thief, forgotten, old.tree)
      // Each pair of the old state, tried with today's agreement key.
      const pair = readPairOf(old.tree, 0, person.device)
      const point = openPair(crypto, pair as never, thief.agreementIn(world.state.tree))
      expect(deriveEpochSecrets(crypto, point, world.spaceId, 3).data).not.toEqual(first().keyring.dataSecret(3))
    }
  })

  it('has a second time', () => {
    forget()
    for (const person of everybody) refresh(person)
    world.must(first(), [buildRotate(world.ctx(first()))], ...everybody)
    world.must(first(), buildNameReseals(world.ctx(first()), 5))
    world.must(first(), buildForget(world.ctx(first()), 5).ops, ...everybody)
    for (const person of everybody) person.keyring.settle(world.state.tree)
    expect(everybody.map((person) => person.keyring.epochs)).toEqual(Array(3).fill([5, 6]))
    expect(world.admit(first()).keyring.epochs).toEqual([5, 6])
  })
})

describe('a fresh agreement key', () => {
  it('is proved and granted, once, and never comes back', () => {
    const bobNow = everybody[1] as Person
    const { op, seed } = buildRefresh(world.ctx(bobNow))
    for (const at of [0, 64, 100]) world.refused(bobNow, [{ ...op, possession: flip(op.possession, at) }], 'rule', 'possession')
    for (const at of [0, 33, 200]) world.refused(bobNow, [{ ...op, grant: flip(op.grant, at) }], 'rule', 'grant')
    world.refused(bobNow, [{ ...op, agreement: new Uint8Array(32) }], 'rule', 'bad-key')
    world.refused(carolNow(), [op], 'rule', 'possession')
    bobNow.keyring.stageAgreement(seed)
    // Before it is admitted the old key still counts, after it the new one.
    expect(bobNow.keyring.settle(world.state.tree)).toBe(false)
    const old = bobNow.keyring.agreement
    world.must(bobNow, [op])
    expect(readDevice(world.state.tree, 2)?.agreement).toEqual(agreementKey(crypto, bobNow.keyring.stagedSeed as Uint8Array).publicKey)
    expect(bobNow.keyring.settle(world.state.tree)).toBe(true)
    expect(bobNow.keyring.agreement).not.toEqual(old)
    world.refused(bobNow, [op], 'rule', 'possession')
    world.must(first(), [buildRotate(world.ctx(first()))], bobNow)
    expect(bobNow.keyring.dataSecret(4)).toEqual(first().keyring.dataSecret(4))
  })

  it("can't be the old one, nor another's", () => {
    const bobNow = everybody[1] as Person
    const own = bobNow.keyring.agreementIn(world.state.tree)
    const fresh = agreementKey(crypto, world.random(32))
    const context = { space: world.spaceId, kind: 'agreement', admitter: bobNow.signer.publicKey, id: 2, role: 'writer', base: world.head } as const
    const statement = { granter: own.publicKey, pair: readPairOf(world.state.tree, 0, 2) as never, recipient: fresh.publicKey }
    const grant = proveGrant(crypto, { space: world.spaceId, epoch: 3, author: bobNow.signer.publicKey, base: world.head }, statement, own, world.random)
    const possession = provePossession(crypto, context, bobNow.signer, own, world.random)
    world.refused(bobNow, [{ op: 'agreement.refresh', agreement: own.publicKey, possession, grant }], 'rule', 'repeated-key')
    const others = first().keyring.agreementIn(world.state.tree)
    const stolen = provePossession(crypto, context, bobNow.signer, others, world.random)
    world.refused(bobNow, [{ op: 'agreement.refresh', agreement: others.publicKey, possession: stolen, grant }], 'rule', 'repeated-key')
  })

  it('heals with a rotate after it: the old key opens nothing from there on', () => {
    const bobNow = everybody[1] as Person
    const stolen = Keyring.decode(world.env, bobNow.keyring.encode())
    const { op, seed } = buildRefresh(world.ctx(bobNow))
    bobNow.keyring.stageAgreement(seed)
    world.must(bobNow, [op])
    world.must(bobNow, [buildRotate(world.ctx(bobNow))], ...everybody)
    stolen.open(world.state.tree)
    expect(stolen.epochs).toEqual([1, 2, 3])
    expect(bobNow.keyring.epochs).toEqual([1, 2, 3, 4])
  })
})

describe('names', () => {
  it("are one's own, or an admin's to change, under the entry's epoch", () => {
    const bobNow = everybody[1] as Person
    world.refused(bobNow, [buildProfile(world.ctx(bobNow), 'member', 1, 'Mallory')], 'role', 'handle')
    world.refused(bobNow, [buildProfile(world.ctx(bobNow), 'device', 1, 'phone')], 'role', 'handle')
    const { sealed } = buildProfile(world.ctx(bobNow), 'member', 2, 'Bob')
    const old = sealed.slice()
    old[4] = 1
    world.refused(bobNow, [{ op: 'profile', subject: 'member', id: 2, sealed: old }], 'rule', 'name-epoch')
    world.refused(bobNow, [{ op: 'profile', subject: 'member', id: 2, sealed: sealed.subarray(0, 9) }], 'rule', 'sealed')
    world.refused(first(), [buildProfile(world.ctx(first()), 'member', 9, 'Nobody')], 'conflict', 'no-member')
    world.must(bobNow, [buildProfile(world.ctx(bobNow), 'member', 2, 'Bob')])
    expect(nameOf(first(), 2)).toBe('Bob')
    world.must(first(), [buildProfile(world.ctx(first()), 'member', 2, 'Robert'), buildProfile(world.ctx(first()), 'device', 2, 'phone')])
    expect(nameOf(carol, 2)).toBe('Robert')
    world.must(bobNow, [buildProfile(world.ctx(bobNow), 'member', 2, undefined)])
    expect(nameOf(first(), 2)).toBeUndefined()
  })

  it('open only where they were put: not for another member, nor by another device', () => {
    const { sealed } = buildProfile(world.ctx(first()), 'member', 2, 'Bob')
    world.must(first(), [{ op: 'profile', subject: 'member', id: 3, sealed }])
    expect(nameOf(first(), 3)).toBeUndefined()
    world.must(everybody[1] as Person, [{ op: 'profile', subject: 'member', id: 2, sealed }])
    expect(nameOf(first(), 2)).toBeUndefined()
  })
})

/** A rotate whose link carries D of two epochs, where the cut leaves one. */
function rotateToTwo(): RotateOp {
  return buildForget(world.ctx(first()), 2).ops[1] as RotateOp
}

function carolNow(): Person {
  return everybody[2] as Person
}

/** No forgotten secret is held or can be had: no link or box of the old state opens with any secret that is held. */
function expectLocked(keyring: Keyring, forgotten: readonly Uint8Array[], old: Parameters<Keyring['open']>[0]): void {
  const held = secretsOf(keyring)
  keyring.open(old)
  for (const secret of [...held, ...secretsOf(keyring)]) {
    expect(forgotten).not.toContainEqual(secret)
    for (const epoch of [1, 2, 3]) {
      const record = readEpoch(old, epoch)
      if (record === undefined) throw new Error('expected a record of the old state')
      for (const kind of ['link', 'blinding'] as const) {
        const place = { kind, spaceId: world.spaceId, epoch, creator: record.author }
        if (record[kind].length > 0) expect(() => openBox(crypto, secret, place, record[kind])).toThrow(/commitment differs/)
      }
    }
  }
  for (const epoch of [1, 2]) expect(() => keyring.dataSecret(epoch)).toThrow(expect.objectContaining({ code: 'no-secret', facts: { what: 'epoch', number: epoch } }) as Error)
}

/** Every D and L. */
function secretsOf(keyring: Keyring): Uint8Array[] {
  return keyring.epochs.flatMap((epoch) => {
    const data = keyring.dataSecret(epoch)
    return epoch < newestEpoch(world.state.tree).record.lastForget ? [data] : [data, keyring.linkSecret(epoch)]
  })
}
