/**
 * Groups that live for a while, at random: people join, leave, are removed, rotate, forget, go offline and come back. After every entry an
 * auditor looks at the whole state and into every keyring. A failing seed prints itself in the test's name.
 */
import { describe, expect, it } from 'vitest'
import { buildForget, buildLeave, buildRemoval, buildRotate, mustRotate } from '../../engine/group/build-epoch.js'
import { buildNameReseals, buildProfile, buildRefresh, buildRole } from '../../engine/group/builders.js'
import { decodeSealedName } from '../../engine/group/names.js'
import { decodePair } from '../../engine/group/pairs.js'
import { holdingUpForget, listDevices, listInvitations, listMembers, liveDevices, newestEpoch, readMember } from '../../engine/group/roster.js'
import { sealedEpoch } from '../../engine/crypto/aead.js'
import { encodeHex } from '../../engine/codec/bytes.js'
import { KEY_KIND, liveKey, pairKey } from '../../engine/state/keys.js'
import { decodeCanonical } from '../../engine/codec/canonical.js'
import { type InviteTicket, type Person, World } from './world.js'

const STEPS = 30

class Life {
  readonly world: World
  readonly people: Person[] = []
  /** Newest epoch that somebody removed had been given. */
  readonly gone = new Map<Person, number>()
  tickets: InviteTicket[] = []
  private draw: number

  constructor(seed: number) {
    const { world, founder } = World.found(seed)
    this.world = world
    this.people.push(founder)
    this.draw = seed * 2_654_435_761
  }

  pick<T>(from: readonly T[]): T {
    this.draw = (Math.imul(this.draw ^ (this.draw >>> 15), 2_246_822_519) + 0x9e3779b9) >>> 0
    return from[this.draw % from.length] as T
  }
  get live(): Person[] {
    return this.people.filter((person) => !this.gone.has(person))
  }
  role(person: Person): string {
    return readMember(this.world.state.tree, this.memberOf(person))?.role ?? 'none'
  }
  memberOf(person: Person): number {
    return listDevices(this.world.state.tree).find(({ id }) => id === person.device)?.member ?? 0
  }
  with(...roles: string[]): Person[] {
    return this.live.filter((person) => roles.includes(this.role(person)))
  }
  noteRemoved(): void {
    const { tree } = this.world.state
    const devices = new Set(liveDevices(tree).map(({ id }) => id))
    for (const person of this.live) if (!devices.has(person.device)) this.gone.set(person, Math.max(...person.keyring.epochs))
    if (listInvitations(tree).length === 0) this.tickets = []
  }
  must(person: Person, ops: Parameters<World['must']>[1]): void {
    // Everybody else is away: they catch up when the auditor asks, or when they act.
    this.world.must(person, ops)
    this.noteRemoved()
  }
}

type Step = (life: Life) => void
const admin = (life: Life) => life.pick(life.with('owner', 'admin'))
const steps: Record<string, Step> = {
  invite: (life) => void life.tickets.push(life.world.invite(admin(life), { role: life.pick(['writer', 'reader']), uses: 3 })),
  join: (life) => {
    const ticket = life.tickets.pop() ?? life.world.invite(admin(life), { role: life.pick(['writer', 'reader']) })
    life.people.push(life.world.join(ticket))
  },
  device: (life) => {
    const by = life.pick(life.live)
    if (!listInvitations(life.world.state.tree).some(({ issuer }) => issuer === life.memberOf(by))) life.people.push(life.world.admit(by, { kind: 'device' }))
  },
  rotate: (life) => {
    const by = admin(life)
    life.must(by, [buildRotate(life.world.ctx(by))])
  },
  reblind: (life) => {
    const by = admin(life)
    const two = newestEpoch(life.world.state.tree).record.generations.length === 2
    life.must(by, [buildRotate(life.world.ctx(by), two ? { dropOldBlinding: true } : { reblind: true })])
  },
  remove: (life) => {
    const targets = life.with('writer', 'reader')
    if (targets.length === 0) return
    const [by, target] = [admin(life), life.pick(targets)]
    life.must(by, [...buildRemoval(life.world.ctx(by), { members: [life.memberOf(target)] }).ops])
  },
  leave: (life) => {
    const leavers = life.with('writer', 'reader')
    if (leavers.length === 0) return
    const who = life.pick(leavers)
    life.must(who, [...buildLeave(life.world.ctx(who), 'member').ops])
  },
  promote: (life) => {
    const by = life.pick(life.with('owner'))
    const member = life.memberOf(life.pick(life.live))
    const from = readMember(life.world.state.tree, member)?.role
    if (from !== 'owner') life.must(by, [buildRole(life.world.state.tree, member, from === 'admin' ? 'writer' : 'admin')])
  },
  rename: (life) => {
    const who = life.pick(life.live)
    life.must(who, [buildProfile(life.world.ctx(who), 'member', life.memberOf(who), life.pick(['Ada', 'Bob', 'Eve']))])
  },
  forget: (life) => {
    const by = life.pick(life.with('owner'))
    const { epoch, firstEpoch } = life.world.meta
    if (epoch <= firstEpoch || mustRotate(life.world.state.tree)) return
    const before = life.pick([firstEpoch + 1, epoch])
    const reseals = buildNameReseals(life.world.ctx(by), before)
    if (reseals.length > 0) life.must(by, reseals)
    life.must(by, [...buildForget(life.world.ctx(by), before).ops])
  },
  refresh: (life) => {
    for (const { id } of holdingUpForget(life.world.state.tree)) {
      const who = life.people.find(({ device }) => device === id) as Person
      who.keyring.open(life.world.state.tree)
      const { op, seed } = buildRefresh(life.world.ctx(who))
      who.keyring.stageAgreement(seed)
      life.must(who, [op])
      who.keyring.settle(life.world.state.tree)
    }
  },
}

function act(life: Life): void {
  const { world } = life
  for (const person of life.live) person.keyring.open(world.state.tree)
  if (mustRotate(world.state.tree)) {
    // Whoever comes first delivers the void epoch, whatever their role.
    const by = life.pick(life.live)
    life.must(by, [buildRotate(world.ctx(by))])
    return
  }
  // More come than go.
  life.pick([...Object.values(steps), steps.join as Step, steps.join as Step, steps.join as Step])(life)
}

function audit(life: Life): void {
  const { tree } = life.world.state
  const { firstEpoch, epoch } = life.world.meta
  const newest = newestEpoch(tree)
  const founderView = life.live[0] as Person
  for (const person of life.live) {
    expect(person.keyring.open(tree)).toEqual([])
    for (let e = firstEpoch; e <= newest.epoch; e++) expect(encodeHex(person.keyring.dataSecret(e))).toBe(encodeHex(founderView.keyring.dataSecret(e)))
    for (const { generation } of newest.record.generations) expect(person.keyring.blinding(generation)).toEqual(founderView.keyring.blinding(generation))
  }
  for (const [person, last] of life.gone) {
    person.keyring.open(tree)
    expect(Math.max(...person.keyring.epochs)).toBeLessThanOrEqual(last)
    expect(last).toBeLessThan(epoch)
  }
  // A pair for each live device and each invitation on record, and for nobody else; of the newest epoch.
  const holders = [...liveDevices(tree).map(({ id }) => pairKey(0, id)), ...listInvitations(tree).map(({ id }) => pairKey(1, id))]
  const pairs = [...tree.scan(Uint8Array.of(KEY_KIND.pair), Uint8Array.of(KEY_KIND.pair + 1))]
  expect(pairs.map(({ key }) => encodeHex(key))).toEqual(holders.map(encodeHex))
  for (const { value } of pairs) expect(decodePair(value).epoch).toBe(newest.epoch)
  expect(listMembers(tree).some(({ role, removedAt }) => role === 'owner' && removedAt === undefined)).toBe(true)
  // Names counted by epoch, and none from before the cut.
  const names = [...listMembers(tree).map(({ profile }) => profile), ...listDevices(tree).map(({ name }) => name)]
  const counts = new Map<number, number>()
  for (const bytes of names) {
    const name = decodeSealedName(bytes)
    if (name !== undefined) counts.set(sealedEpoch(name.sealed), (counts.get(sealedEpoch(name.sealed)) ?? 0) + 1)
  }
  for (let e = 1; e <= epoch; e++) {
    const bytes = tree.get(liveKey(e, 0))
    expect(bytes === undefined ? 0 : decodeCanonical(bytes, (r) => r.varint())).toBe(counts.get(e) ?? 0)
    if (e < firstEpoch) expect(counts.get(e)).toBeUndefined()
  }
}

describe('a group that lives', () => {
  for (const seed of [1, 2, 3, 4]) {
    it(`stays sound, seed ${seed}`, () => {
      const life = new Life(seed)
      for (let step = 0; step < STEPS; step++) {
        act(life)
        audit(life)
      }
      expect(life.people.length).toBeGreaterThan(3)
      expect(life.gone.size).toBeGreaterThan(0)
    })
  }
})
