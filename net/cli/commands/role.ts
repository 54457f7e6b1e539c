/** `sealdb role`: what a member may do from now on. */
import { oneOf, requiredArg, ROLES, type Command } from '../command.js'
import { findMember } from '../people.js'
import { ONLINE_STORE, requireOnline, withSpace } from '../spaces.js'

export const role: Command = {
  name: 'role',
  args: 'WHO ROLE',
  summary: 'change what a member may do',
  details: `WHO is a member’s number or name, ROLE owner, admin, writer or reader. Admins only, and of roles up to their own. A reader goes on reading:
to keep somebody out, see sealdb remove.`,
  options: { ...ONLINE_STORE },
  run: (invocation) => withSpace(invocation, async (space) => {
    const who = requiredArg(invocation, 0, 'a member’s number or name')
    const wanted = oneOf(requiredArg(invocation, 1, 'a role'), 'the role', ROLES)
    requireOnline(space)
    const { id } = findMember(space, who)
    await space.setRole(id, wanted)
    invocation.output.object({ member: id, role: wanted })
    return 0
  }),
}
