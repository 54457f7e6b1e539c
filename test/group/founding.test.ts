/** A genesis and a join in which one thing is not as it must be, though whoever made it has signed all of it: ignored, with nothing moved. */
import { describe, expect, it } from 'vitest'
import { equalBytes } from '../../engine/codec/bytes.js'
import { provePossession, agreementKey } from '../../engine/crypto/verifiable.js'
import { buildGenesis } from '../../engine/group/builders.js'
import type { GenesisOp } from '../../engine/group/ops/genesis.js'
import { EMPTY_FRONTIER } from '../../engine/log/frontier.js'
import { apply, headOf, type SpaceState } from '../../engine/space/apply.js'
import { type Entry, signEntry, spaceIdOf } from '../../engine/space/entry.js'
import { viewOf } from '../../engine/state/adapt.js'
import { rowPrefix } from '../../engine/state/keys.js'
import { StateTree } from '../../engine/state/tree.js'
import { EMPTY_VERSION } from '../../engine/state/view.js'
import { crypto, flip, World } from './world.js'

const ZEROS = new Uint8Array(32)
const ONES = new Uint8Array(32).fill(1)
const { random } = new World(77)
const empty: SpaceState = { tree: viewOf(new StateTree(crypto).at(EMPTY_VERSION)), log: EMPTY_FRONTIER }
const base = headOf({ crypto, spaceId: ZEROS }, empty)

/** The verdict on a genesis, in the space whose id is its own. */
function found(changeOp: (op: GenesisOp, signer: ReturnType<typeof crypto.signer>) => GenesisOp, over: Partial<Entry> = {}) {
  const signer = crypto.signer(random(32))
  const op = changeOp(buildGenesis({ crypto, random, base, signer, agreementSeed: random(32) }), signer)
  const record = signEntry({ spaceId: ZEROS, base, device: 0, devicePrev: ZEROS, epoch: 1, time: 0, adopted: false, reads: [], ops: [op], ...over }, signer)
  const { state, verdict } = apply({ crypto, spaceId: spaceIdOf(crypto, record) }, empty, record, { signature: 'check' })
  const left = [...state.tree.scan(Uint8Array.of(0))].length
  return { verdict, left }
}
const same = (op: GenesisOp): GenesisOp => op
const RING_ALONE = 1

describe('a genesis', () => {
  it('takes what the tampered ones below are made from', () => {
    expect(found(same).verdict).toEqual({ kind: 'applied' })
  })

  it('proves the founder’s keys, for a genesis, and delivers to them', () => {
    for (const at of [0, 64, 127]) expect(found((op) => ({ ...op, possession: flip(op.possession, at) }))).toEqual({ verdict: { kind: 'ignored', code: 'join', detail: 'possession' }, left: RING_ALONE })
    const elsewhere = found((op, signer) => {
      const key = agreementKey(crypto, random(32))
      const context = { space: ZEROS, kind: 'invitation', admitter: signer.publicKey, id: 1, role: 'owner', base } as const
      return { ...op, agreement: key.publicKey, possession: provePossession(crypto, context, signer, key, random) }
    })
    expect(elsewhere).toEqual({ verdict: { kind: 'ignored', code: 'join', detail: 'possession' }, left: RING_ALONE })
    expect(found((op) => ({ ...op, delivery: flip(op.delivery, 40) }))).toEqual({ verdict: { kind: 'ignored', code: 'join', detail: 'delivery' }, left: RING_ALONE })
    expect(found((op) => ({ ...op, agreement: ZEROS }))).toEqual({ verdict: { kind: 'ignored', code: 'join', detail: 'bad-key' }, left: RING_ALONE })
  })

  it('boxes one blinding secret', () => {
    for (const change of [(box: Uint8Array) => box.subarray(1), () => new Uint8Array(0), (box: Uint8Array) => new Uint8Array(box.length + 32)]) {
      expect(found((op) => ({ ...op, blinding: change(op.blinding) }))).toEqual({ verdict: { kind: 'ignored', code: 'join', detail: 'blinding-length' }, left: RING_ALONE })
    }
  })

  it('names no space, nothing before it, no other epoch or base, and claims no reads', () => {
    expect(found(same, { spaceId: ONES })).toEqual({ verdict: { kind: 'ignored', code: 'space' }, left: RING_ALONE })
    expect(found(same, { devicePrev: ONES })).toEqual({ verdict: { kind: 'ignored', code: 'device-prev' }, left: RING_ALONE })
    expect(found(same, { epoch: 2 })).toEqual({ verdict: { kind: 'ignored', code: 'join', detail: 'epoch' }, left: RING_ALONE })
    expect(found(same, { base: { ...base, stateRoot: ONES } })).toEqual({ verdict: { kind: 'ignored', code: 'join', detail: 'base' }, left: RING_ALONE })
    const reads = [{ prefix: rowPrefix(1), root: empty.tree.subtreeRoot(rowPrefix(1)) }]
    expect(found(same, { reads })).toEqual({ verdict: { kind: 'ignored', code: 'join', detail: 'reads' }, left: RING_ALONE })
  })
})

describe('a join', () => {
  const { world, founder } = World.found(78)
  const ticket = world.invite(founder)
  /** As `joinRecord`, with the entry around the op changed. */
  const joining = (over: Partial<Entry>): Uint8Array => {
    const { op, signer } = world.joinRecord(ticket)
    return signEntry({ spaceId: world.spaceId, base: world.head, device: 0, devicePrev: ZEROS, epoch: world.meta.epoch, time: 0, adopted: false, reads: [], ops: [op], ...over }, signer)
  }

  it('comes after nothing of its device, of this space, on a head of it, and claims no reads', () => {
    world.refusedRecord(joining({ devicePrev: ONES }), { kind: 'ignored', code: 'device-prev' })
    world.refusedRecord(joining({ spaceId: ONES }), { kind: 'ignored', code: 'space' })
    world.refusedRecord(joining({ base: { ...world.head, logRoot: ONES } }), { kind: 'ignored', code: 'join', detail: 'base' })
    world.refusedRecord(joining({ epoch: 2 }), { kind: 'ignored', code: 'join', detail: 'epoch' })
    const prefix = rowPrefix(1)
    const root = world.state.tree.subtreeRoot(prefix)
    expect(equalBytes(root, empty.tree.subtreeRoot(prefix))).toBe(true)
    world.refusedRecord(joining({ reads: [{ prefix, root }] }), { kind: 'ignored', code: 'join', detail: 'reads' })
    expect(world.apply(joining({}))).toEqual({ kind: 'applied' })
  })
})
