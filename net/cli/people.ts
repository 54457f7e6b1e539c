/** Members and devices as rows, and finding one by what a person types. */
import type { MemberView, SealedSpace } from 'sealdb'
import { SealError } from '../../engine/errors.js'

type Row = Readonly<Record<string, unknown>>

export function memberRows(space: SealedSpace, all: boolean): readonly Row[] {
  return space.members.filter(({ removed }) => all || !removed).map(({ id, name, role, removed, admittedAt }) => ({
    member: id, name: name ?? '', role, devices: space.devices.filter((device) => device.member === id && !device.removed).length, admitted: admittedAt,
    ...(all && { removed: removed ? 'yes' : '' }), note: id === space.me.id ? 'you' : '',
  }))
}

export function deviceRows(space: SealedSpace, all: boolean): readonly Row[] {
  return space.devices.filter(({ removed }) => all || !removed).map(({ id, member, name, removed, lastIndex }) => ({
    device: id, member, name: name ?? '', last: lastIndex, ...(all && { removed: removed ? 'yes' : '' }), note: id === space.me.device ? 'this one' : '',
  }))
}

export function invitationRows(space: SealedSpace): readonly Row[] {
  return space.invitations.map(({ id, kind, role, by, usesLeft, expiresAt }) => ({
    invitation: id, admits: kind === 'device' ? 'a device of its maker' : role, uses: usesLeft, by: space.members.find((member) => member.id === by)?.name ?? by, until: `entry ${expiresAt}`,
  }))
}

/** By id, or by a name that only one current member has. Throws `bad-argument`. */
export function findMember(space: SealedSpace, who: string): MemberView {
  const current = space.members.filter(({ removed }) => !removed)
  const found = /^\d+$/.test(who) ? current.filter(({ id }) => id === Number(who)) : current.filter(({ name }) => name === who)
  if (found.length > 1) throw new SealError('bad-argument', `Several members are called that: ${found.map(({ id }) => id).join(', ')}. Give the number.`)
  const [member] = found
  if (!member) throw new SealError('bad-argument', `There is no current member ${who}.`)
  return member
}
