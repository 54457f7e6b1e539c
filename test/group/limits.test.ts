/** How many there may be, to the one: recipients of an epoch, devices of a member. The others are put into the state as records, since only their number counts. */
import { describe, expect, it } from 'vitest'
import { buildInvite } from '../../engine/group/builders.js'
import { encodeInvitation } from '../../engine/group/invites.js'
import { liveDevices, listInvitations } from '../../engine/group/roster.js'
import { MAX_MEMBER_DEVICES, MAX_RECIPIENTS } from '../../engine/limits.js'
import { type Edit, EditBatch } from '../../engine/state/edits.js'
import { deviceKey, invitationKey } from '../../engine/state/keys.js'
import { encodeDevice } from '../../engine/state/roster.js'
import { World } from './world.js'

const EMPTY = new Uint8Array(0)
const FAR = 100_000

/** So many open invitations and devices of member `member` more than there are. */
function crowd(world: World, { invitations = 0, devices = 0, member = 1 }: { invitations?: number; devices?: number; member?: number }): void {
  const key = new Uint8Array(32)
  const edits: Edit[] = []
  for (let i = 0; i < invitations; i++) {
    edits.push({ key: invitationKey(FAR + i), value: encodeInvitation({ kind: 'member', issuer: 1, role: 'reader', signing: key, agreement: key, createdAt: 1, usesLeft: 1, expiresAt: FAR }) })
  }
  for (let i = 0; i < devices; i++) edits.push({ key: deviceKey(FAR + i), value: encodeDevice({ member, signing: key, agreement: key, agreementEpoch: 1, admittedAt: 1, removedAt: undefined, name: EMPTY }) })
  world.state = { ...world.state, tree: world.state.tree.apply(EditBatch.of(edits)) }
}
const recipients = (world: World): number => liveDevices(world.state.tree).length + listInvitations(world.state.tree).length

describe('recipients of an epoch', () => {
  it('are never more than a delivery holds: the last invitation, and one over', () => {
    const { world, founder } = World.found(91)
    crowd(world, { invitations: MAX_RECIPIENTS - 2 })
    expect(recipients(world)).toBe(MAX_RECIPIENTS - 1)
    const { op } = buildInvite(world.ctx(founder), { kind: 'member', role: 'reader', expiresAt: 1_000 })
    world.must(founder, [op])
    const next = buildInvite(world.ctx(founder), { kind: 'member', role: 'reader', expiresAt: 1_000 })
    world.refused(founder, [next.op], 'rule', 'too-many')
  })

  it('leave no room for who joins by a link that goes on; its last use makes none', () => {
    const { world, founder } = World.found(92)
    const [once, twice] = [world.invite(founder), world.invite(founder, { uses: 2 })]
    const before = world.state
    crowd(world, { invitations: MAX_RECIPIENTS - 3 })
    expect(recipients(world)).toBe(MAX_RECIPIENTS)
    world.refusedRecord(world.joinRecord(twice).record, { kind: 'ignored', code: 'join', detail: 'too-many' })
    expect(world.apply(world.joinRecord(once).record)).toEqual({ kind: 'applied' })
    world.state = before
    crowd(world, { invitations: MAX_RECIPIENTS - 4 })
    expect(world.apply(world.joinRecord(twice).record)).toEqual({ kind: 'applied' })
  })
})

describe('devices of a member', () => {
  it('are 32: the last, and one over', () => {
    const { world, founder } = World.found(93)
    const [first, second] = [world.invite(founder, { kind: 'device' }), world.invite(founder, { kind: 'device' })]
    crowd(world, { devices: MAX_MEMBER_DEVICES - 2 })
    expect(world.apply(world.joinRecord(first, undefined, {}, false).record)).toEqual({ kind: 'applied' })
    expect(liveDevices(world.state.tree)).toHaveLength(MAX_MEMBER_DEVICES)
    world.refusedRecord(world.joinRecord(second, undefined, {}, false).record, { kind: 'ignored', code: 'join', detail: 'too-many' })
  })

  it('are counted of the one member', () => {
    const { world, founder } = World.found(94)
    const ticket = world.invite(founder, { kind: 'device' })
    crowd(world, { devices: MAX_MEMBER_DEVICES, member: 2 })
    expect(world.apply(world.joinRecord(ticket, undefined, {}, false).record)).toEqual({ kind: 'applied' })
  })
})
