/** The keyring: links and boxes that lie (attack B27), repairs, branches that do not survive, and what is stored. */
import { beforeEach, describe, expect, it } from 'vitest'
import { buildRepair, buildRepairs, buildRotate } from '../../engine/group/build-epoch.js'
import { openBox, sealBox } from '../../engine/group/boxes.js'
import { type EpochProbe, Keyring } from '../../engine/group/keyring.js'
import { encodeHistory } from '../../engine/group/history.js'
import type { RotateOp } from '../../engine/group/ops/rotate.js'
import { readGrave } from '../../engine/group/graves.js'
import { listRepairs } from '../../engine/group/repairs.js'
import { recipientsAt } from '../../engine/group/roster.js'
import { deriveEpochSecrets, deriveTableKey, type EpochSecrets } from '../../engine/crypto/kdf.js'
import { agreementKey, openPair } from '../../engine/crypto/verifiable.js'
import { codeOf } from '../outcomes.js'
import { crypto, flip, type Person, World } from './world.js'

const { world, founder } = World.found(27)
const liar = world.admit(founder, { role: 'admin' })
const other = world.admit(founder, { role: 'writer' })
const people = [founder, liar, other]
const ticket = world.invite(founder, { uses: 100 })
const saved = people.map((person) => person.keyring.encode())
const back = world.fork()
let [first, mallory, third] = people as [Person, Person, Person]
beforeEach(() => {
  back()
  ;[first, mallory, third] = people.map((person, i) => ({ ...person, keyring: Keyring.decode(world.env, saved[i] as Uint8Array) })) as [Person, Person, Person]
})

/** What the author of a rotate knows: the secrets of its epoch. */
function secretsOf(author: Person, op: RotateOp): EpochSecrets {
  const at = recipientsAt(world.state.tree, world.head.size).findIndex(({ holder, id }) => holder === 0 && id === author.device)
  const pair = { c0: op.delivery.slice(0, 32), c: op.delivery.slice(32 * (at + 1), 32 * (at + 2)) }
  return deriveEpochSecrets(crypto, openPair(crypto, pair, author.keyring.agreementIn(world.state.tree)), world.spaceId, op.epoch)
}

/** A rotate by the liar, with its link or blinding box made to say something else. */
function lie(what: 'link' | 'blinding', content: (length: number) => Uint8Array): RotateOp {
  const op = buildRotate(world.ctx(mallory))
  const place = { kind: what, spaceId: world.spaceId, epoch: op.epoch, creator: mallory.device }
  return { ...op, [what]: sealBox(crypto, secretsOf(mallory, op).link, place, world.random(24), content(op[what].length)) }
}

/** A newcomer by the open link, without looking at what they can open. */
function newcomer(): Keyring {
  const { record, agreementSeed } = world.joinRecord(ticket)
  expect(world.apply(record)).toEqual({ kind: 'applied' })
  return new Keyring(world.env, agreementSeed)
}

const item = (byte: number) => encodeHistory([{ epoch: 1, data: new Uint8Array(32).fill(byte), link: new Uint8Array(32).fill(byte) }])

describe('a history link', () => {
  it('that does not open, or opens to the wrong secret or shape, names its author; a repair mends it', () => {
    const length = 65
    const honest = buildRotate(world.ctx(mallory))
    const lies = [
      lie('link', () => item(9)),
      lie('link', () => new Uint8Array(length)),
      lie('link', () => new Uint8Array(length).fill(7)),
      { ...honest, link: flip(honest.link, honest.link.length - 1) },
      { ...honest, link: flip(honest.link, 4) },
    ]
    for (const op of lies) {
      back()
      world.must(mallory, [op], first, third)
      const keyring = newcomer()
      const problem = { kind: 'link', epoch: 2, device: mallory.device }
      expect(keyring.open(world.state.tree)).toEqual([problem])
      expect(keyring.epochs).toEqual([2])
      // A repair that lies too is passed over, and its author named: by member, so the founder's comes first.
      const repair = buildRepair(world.ctx(first), 2, 'link')
      world.must(first, [{ ...repair, box: flip(repair.box, 40) }])
      third.keyring.open(world.state.tree)
      world.must(third, [buildRepair(world.ctx(third), 2, 'link')])
      expect(keyring.open(world.state.tree)).toEqual([problem, { kind: 'link', epoch: 2, device: first.device }])
      expect(keyring.open(world.state.tree)).toEqual([])
      expect(keyring.dataSecret(1)).toEqual(first.keyring.dataSecret(1))
      expect(keyring.blinding(1)).toEqual(first.keyring.blinding(1))
    }
  })

  it('that is right, into an epoch whose author committed to something else: rows tell who lied', () => {
    const op = buildRotate(world.ctx(mallory))
    world.must(mallory, [{ ...op, commitments: { data: new Uint8Array(32), link: op.commitments.link } }])
    const liarNamed = { kind: 'commitment', epoch: 2, device: mallory.device }
    expect(first.keyring.open(world.state.tree)).toEqual([liarNamed])
    world.must(first, [buildRotate(world.ctx(first))])
    const right = first.keyring.dataSecret(2)
    const probe: EpochProbe = (epoch, data) => epoch === 2 && Buffer.from(data).equals(Buffer.from(right))
    // Without rows to try, it is one word against another: nothing is taken on trust.
    expect(newcomer().open(world.state.tree)).toEqual([{ kind: 'link', epoch: 3, device: first.device }])
    const keyring = newcomer()
    expect(keyring.open(world.state.tree, probe)).toEqual([liarNamed])
    expect(keyring.epochs).toEqual([1, 2, 3])
    expect(newcomer().open(world.state.tree, () => false)).toEqual([{ kind: 'link', epoch: 3, device: first.device }])
  })

  it('reaches back over many epochs for one who was away', () => {
    for (let i = 0; i < 5; i++) world.must(i % 2 === 0 ? first : mallory, [buildRotate(world.ctx(i % 2 === 0 ? first : mallory))], first, mallory)
    expect(third.keyring.open(world.state.tree)).toEqual([])
    expect(third.keyring.epochs).toEqual([1, 2, 3, 4, 5, 6])
    for (const epoch of third.keyring.epochs) expect(third.keyring.dataSecret(epoch)).toEqual(first.keyring.dataSecret(epoch))
    expect(third.keyring.open(world.state.tree)).toEqual([])
  })
})

describe('a blinding box', () => {
  it('that lies names its author, and the epoch before gives the secret', () => {
    world.must(mallory, [lie('blinding', () => new Uint8Array(32).fill(3))], first)
    const keyring = newcomer()
    expect(keyring.open(world.state.tree)).toEqual([{ kind: 'blinding', epoch: 2, device: mallory.device }])
    expect(keyring.blinding(1)).toEqual(first.keyring.blinding(1))
  })

  it('is mended by a repair where there is nothing before', () => {
    const op = lie('blinding', () => new Uint8Array(32).fill(3))
    world.must(mallory, [{ ...op, link: flip(op.link, 60) }], first)
    const keyring = newcomer()
    expect(keyring.open(world.state.tree).map(({ kind }) => kind)).toEqual(['link', 'blinding'])
    expect(() => keyring.blinding(1)).toThrow(/no blinding/)
    world.must(first, [buildRepair(world.ctx(first), 2, 'blinding')])
    keyring.open(world.state.tree)
    expect(keyring.blinding(1)).toEqual(first.keyring.blinding(1))
  })
})

describe('those who were there', () => {
  it('see a lie at once, though they need nothing, and put it right', () => {
    const op = lie('blinding', () => new Uint8Array(32).fill(3))
    const lies = { ...op, link: flip(op.link, 60) }
    expect(world.submit(mallory, [lies])).toEqual({ kind: 'applied' })
    const both = [{ kind: 'link', epoch: 2, device: mallory.device }, { kind: 'blinding', epoch: 2, device: mallory.device }]
    expect(first.keyring.open(world.state.tree)).toEqual(both)
    expect(third.keyring.open(world.state.tree)).toEqual(both)
    const repairs = buildRepairs(world.ctx(first))
    expect(repairs.map(({ kind }) => kind)).toEqual(['link', 'blinding'])
    world.must(first, repairs)
    for (const each of [first, third]) expect(buildRepairs(world.ctx(each))).toEqual([])
    const keyring = newcomer()
    keyring.open(world.state.tree)
    expect(keyring.epochs).toEqual([1, 2])
    expect(keyring.blinding(1)).toEqual(first.keyring.blinding(1))
  })

  it('have nothing to say of what is right', () => {
    world.must(mallory, [buildRotate(world.ctx(mallory))])
    for (const each of [first, third]) {
      expect(each.keyring.open(world.state.tree)).toEqual([])
      expect(buildRepairs(world.ctx(each))).toEqual([])
    }
  })
})

describe('a repair', () => {
  it('is given once by each member, for what an epoch carries, at its length', () => {
    world.must(mallory, [buildRotate(world.ctx(mallory))], first, third)
    const op = buildRepair(world.ctx(first), 2, 'link')
    for (const box of [op.box, new Uint8Array(0)]) world.refused(first, [{ ...op, epoch: 1, box }], 'rule', 'link-length') // the first epoch has no link to mend
    world.refused(first, [{ ...op, box: op.box.subarray(1) }], 'rule', 'link-length')
    for (const epoch of [0, 3]) world.refused(first, [{ ...op, epoch }], 'conflict', 'no-epoch')
    world.must(first, [op])
    world.refused(first, [op], 'conflict', 'repaired')
    world.must(third, [buildRepair(world.ctx(third), 2, 'link')])
    world.must(first, [buildRepair(world.ctx(first), 2, 'blinding')])
    expect(listRepairs(world.state.tree, 2, 'link').map(({ device }) => device)).toEqual([first.device, third.device])
    expect(() => buildRepair(world.ctx(first), 7, 'link')).toThrow(/an epoch/)
  })
})

describe('a box', () => {
  it('opens in its place only: kind, space, epoch, creator, secret, and each of its bytes', () => {
    const secret = world.random(32)
    const place = { kind: 'link', spaceId: world.spaceId, epoch: 2, creator: 1 } as const
    const box = sealBox(crypto, secret, place, world.random(24), new Uint8Array(65))
    expect(openBox(crypto, secret, place, box)).toEqual(new Uint8Array(65))
    for (const wrong of [{ kind: 'blinding' }, { spaceId: new Uint8Array(32) }, { epoch: 3 }, { creator: 2 }] as const) {
      expect(() => openBox(crypto, secret, { ...place, ...wrong }, box)).toThrow(/differs/)
    }
    expect(() => openBox(crypto, world.random(32), place, box)).toThrow(/differs/)
    const codes = Array.from(box, (_, at) => codeOf(() => openBox(crypto, secret, place, flip(box, at))))
    expect(codes[0]).toBe('unsupported-version')
    expect(new Set(codes.slice(1))).toEqual(new Set(['open-failed']))
  })
})

describe('the keyring', () => {
  it('takes the secrets of the epoch that landed, not of the one that was only hoped for', () => {
    world.must(first, [buildRotate(world.ctx(first))], third)
    const hoped = third.keyring.tableKey(2, 1)
    back()
    world.must(mallory, [buildRotate(world.ctx(mallory))], third)
    expect(third.keyring.tableKey(2, 1)).not.toEqual(hoped)
    mallory.keyring.open(world.state.tree)
    expect(third.keyring.tableKey(2, 1)).toEqual(mallory.keyring.tableKey(2, 1))
    back()
    third.keyring.open(world.state.tree)
    expect(() => third.keyring.tableKey(2, 1)).toThrow(/no epoch/)
  })

  it('derives table keys as the protocol says, each its own', () => {
    const key = first.keyring.tableKey(1, 5)
    expect(key).toEqual(deriveTableKey(crypto, first.keyring.dataSecret(1), 5))
    expect(first.keyring.tableKey(1, 5)).toBe(key)
    expect(first.keyring.tableKey(1, 6)).not.toEqual(key)
  })

  it('is stored and comes back, with a staged key, byte for byte', () => {
    world.must(mallory, [buildRotate(world.ctx(mallory))], first)
    first.keyring.stageAgreement(world.random(32))
    const bytes = first.keyring.encode()
    const again = Keyring.decode(world.env, bytes)
    expect(again.encode()).toEqual(bytes)
    expect(again.epochs).toEqual([1, 2])
    expect(again.stagedSeed).toEqual(first.keyring.stagedSeed)
    expect(again.blinding(1)).toEqual(first.keyring.blinding(1))
    for (const bad of [bytes.subarray(0, -1), Uint8Array.from([...bytes, 0]), flip(bytes, 0), new Uint8Array(0)]) {
      expect(() => Keyring.decode(world.env, bad)).toThrow(/version|Expected/)
    }
  })

  it('overwrites what it destroys', () => {
    world.must(mallory, [buildRotate(world.ctx(mallory))], first)
    const { keyring } = first
    const [data, link, table] = [keyring.dataSecret(1), keyring.linkSecret(1), keyring.tableKey(1, 1)]
    expect(keyring.destroy(2)).toBe(true)
    for (const secret of [data, link, table]) expect(secret).toEqual(new Uint8Array(32))
    expect(keyring.destroy(2)).toBe(false)
    expect(keyring.holds(1)).toBe(false)
  })

  it('of a stranger opens nothing', () => {
    const stranger = new Keyring(world.env, world.random(32))
    expect(stranger.open(world.state.tree)).toEqual([])
    expect(stranger.epochs).toEqual([])
    expect(() => stranger.agreementIn(world.state.tree)).toThrow(/no agreement/)
    expect(readGrave(world.state.tree, agreementKey(crypto, new Uint8Array(32)).publicKey)).toBeUndefined()
  })
})
