/** Attacks 21, 22, 26, 30, 34 of design/attacks.md, as far as they need no network: who signs, in whose name, on which history. */
import { beforeEach, describe, expect, it } from 'vitest'
import { equalBytes } from '../../engine/codec/bytes.js'
import { nobleProvider } from '../../engine/crypto/noble.js'
import { buildDraft } from '../../engine/space/build.js'
import { apply, headOf } from '../../engine/space/apply.js'
import { applyBatch } from '../../engine/space/batch.js'
import { type Op } from '../../engine/space/ops/index.js'
import { crypto, dump, expectIgnored, expectRejected, hashOf, insert, table, update, World, type Person } from './support.js'

const APPLIED = { kind: 'applied' }
let world: World
let ada: Person
let bob: Person

beforeEach(() => {
  world = new World()
  ada = world.ada
  bob = world.join('bob', 'writer')
  world.mustCommit(ada, { catalog: [{ kind: 'create', object: table(1), name: 't' }], rows: [insert(1, [1n])] })
})

const rowOps = (by: Person, key: bigint): readonly Op[] => buildDraft(world.bench(by), { catalog: [], rows: [insert(1, [key])], reads: [] }).ops

describe('30 equivocation', () => {
  it('two entries with one devicePrev are a verdict: the first to land wins, the other is dead', () => {
    const one = world.record(bob, rowOps(bob, 10n))
    const two = world.record(bob, rowOps(bob, 11n))
    world.mustLand(two)
    expectIgnored(world, one, 'device-prev')
    expect(world.commit(bob, { rows: [insert(1, [12n])] })).toEqual(APPLIED)
  })

  it('a good signature over an entry with a garbage one: the same verdicts live and in a batch', () => {
    const start = world.state
    const garbage = world.record(bob, rowOps(bob, 10n))
    garbage[garbage.length - 1] = (garbage[garbage.length - 1] as number) ^ 1
    const heir = world.record(bob, rowOps(bob, 11n), { devicePrev: hashOf(garbage) })
    expectIgnored(world, garbage, 'signature')
    expectIgnored(world, heir, 'device-prev')
    const honest = world.head
    // A relay that takes the garbage for good has another head to offer.
    const asIfGood = apply(world.env, apply(world.env, start, garbage, { signature: 'trusted' }).state, heir, { signature: 'trusted' })
    expect(asIfGood.verdict).toEqual(APPLIED)
    const batch = applyBatch(world.env, start, [garbage, heir], { trusted: honest })
    expect(batch.verdicts).toEqual(world.verdicts.slice(-2))
    expect(dump(batch.state)).toBe(dump(world.state))
  })

  it('outside the chain, a bad signature is named as such in a batch too', () => {
    const start = world.state
    const stray = world.record(bob, rowOps(bob, 10n), { devicePrev: world.random(32) })
    stray[stray.length - 1] = (stray[stray.length - 1] as number) ^ 1
    const heir = world.record(bob, rowOps(bob, 11n), { devicePrev: hashOf(stray) })
    expectIgnored(world, stray, 'signature')
    expectIgnored(world, heir, 'device-prev')
    expect(applyBatch(world.env, start, [stray, heir], { trusted: world.head }).verdicts).toEqual(world.verdicts.slice(-2))
  })

  it('a base of another branch freezes nobody and frames nobody', () => {
    const branch = world.tryOut(world.record(ada, rowOps(ada, 50n))).state
    world.mustCommit(ada, { rows: [insert(1, [51n])] })
    expectRejected(world, bob, world.record(bob, rowOps(bob, 10n), { base: headOf(world.env, branch) }), 'base')
    expect(world.commit(bob, { rows: [insert(1, [10n])] })).toEqual(APPLIED)
    expect(world.commit(ada, { rows: [insert(1, [52n])] })).toEqual(APPLIED)
  })
})

describe('8, 10 splice, reorder, skip, repeat', () => {
  it("an entry made on branch A is rejected on branch B, and one of another space's id ignored", () => {
    const before = world.state
    const branchA = apply(world.env, before, world.record(ada, rowOps(ada, 60n)), { signature: 'check' }).state
    const made = world.record(bob, rowOps(bob, 61n), { base: headOf(world.env, branchA) })
    expect(apply(world.env, branchA, made, { signature: 'check' }).verdict).toEqual(APPLIED)
    world.mustCommit(ada, { rows: [insert(1, [62n])] })
    expectRejected(world, bob, made, 'base')
    expectIgnored(world, world.record(bob, rowOps(bob, 63n), { spaceId: new World(2).spaceId }), 'space')
  })

  it("a device's entries out of order: the later is ignored, the earlier counts, then the later is rejected or lands", () => {
    const base = world.head
    const first = world.record(bob, rowOps(bob, 10n), { base })
    const second = world.record(bob, rowOps(bob, 11n), { base, devicePrev: hashOf(first) })
    expectIgnored(world, second, 'device-prev')
    world.mustLand(first)
    world.mustLand(second)
    expectIgnored(world, second, 'device-prev')
    expectIgnored(world, first, 'device-prev')
  })
})

describe('21 acting as another', () => {
  it("B signs in A's name", () => {
    expectIgnored(world, world.record(bob, rowOps(bob, 10n), { device: ada.device, devicePrev: world.devicePrev(ada.device) }), 'signature')
  })

  it('B lets A sign an entry for B: the row is sealed by A, for A, and the signature is not B\'s', () => {
    expectIgnored(world, world.record(bob, rowOps(ada, 10n), { signer: ada.signer }), 'signature')
  })
})

describe('22 an old epoch, an old base', () => {
  it('an older base does not dodge a conflict', () => {
    const old = world.head
    world.mustCommit(ada, { rows: [update(1, [1n])] })
    expectRejected(world, bob, world.draftRecord(bob, { rows: [update(1, [1n])] }, { base: old }), 'conflict', 'row-version')
  })

  it('nor does a queue: own writes do not conflict, others in between do', () => {
    const base = world.head
    const first = world.draftRecord(bob, { rows: [update(1, [1n], [], 'b1')] })
    const local = world.tryOut(first).state
    const second = world.draftRecord(bob, { rows: [update(1, [1n], [], 'b2')] }, { base, devicePrev: hashOf(first), state: local })
    const third = world.draftRecord(bob, { rows: [insert(1, [30n])] }, { base, devicePrev: hashOf(second), state: local })
    // Undisturbed, the whole queue lands on one base.
    expect(apply(world.env, local, second, { signature: 'check' }).verdict).toEqual(APPLIED)
    world.mustLand(first)
    world.mustCommit(ada, { rows: [update(1, [1n], [], 'a')] })
    expectRejected(world, bob, second, 'conflict', 'row-version')
    expectRejected(world, bob, third, 'chain')
  })
})

describe('34 one verdict, whatever the provider', () => {
  it('signatures on which libraries differ', () => {
    const record = world.record(bob, rowOps(bob, 10n))
    const order = [0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, ...new Array<number>(15).fill(0), 0x10]
    const tampered = (change: (signature: Uint8Array) => void): Uint8Array => {
      const copy = record.slice()
      change(copy.subarray(copy.length - 64))
      return copy
    }
    const cases = [
      // S + L, which lax verifiers take.
      tampered((s) => {
        let carry = 0
        for (let i = 0; i < 32; i++) {
          const sum = (s[32 + i] as number) + (order[i] as number) + carry
          s[32 + i] = sum & 255
          carry = sum >> 8
        }
      }),
      // R of small order, S zero.
      tampered((s) => s.fill(0).set([1])),
      tampered((s) => s.fill(0xff)),
      tampered((s) => s.fill(0)),
    ]
    for (const bad of cases) {
      const verdicts = [crypto, nobleProvider].map((provider) => apply({ crypto: provider, spaceId: world.spaceId }, world.state, bad, { signature: 'check' }).verdict)
      expect(verdicts[0]).toEqual({ kind: 'ignored', code: 'signature' })
      expect(verdicts[1]).toEqual(verdicts[0])
    }
  })
})

describe('a copied or restored store', () => {
  it('signs at worst an entry that is ignored', () => {
    const copy = world.devicePrev(bob.device)
    world.mustCommit(bob, { rows: [insert(1, [10n])] })
    expectIgnored(world, world.record(bob, rowOps(bob, 11n), { devicePrev: copy }), 'device-prev')
    expect(equalBytes(copy, world.devicePrev(bob.device))).toBe(false)
  })
})

