/** `sealdb remove`: take a member or a device out, and start the epoch that keeps them out. */
import { requiredArg, wholeNumber, type Command } from '../command.js'
import { findMember } from '../people.js'
import { ONLINE_STORE, requireOnline, withSpace } from '../spaces.js'

export const remove: Command = {
  name: 'remove',
  args: 'WHO',
  summary: 'remove a member',
  details: `WHO is a member’s number or name. Nothing written afterwards is readable for them. What they could read before, they may have
kept. Open invitations end: those links have to be made again.`,
  options: { ...ONLINE_STORE, device: { type: 'boolean', help: 'WHO is the number of a device: remove only that' } },
  run: (invocation) => withSpace(invocation, async (space) => {
    const who = requiredArg(invocation, 0, 'a member’s number or name')
    requireOnline(space)
    const id = invocation.options.device === true ? wholeNumber(who, 'the device') : findMember(space, who).id
    const { endedInvitations } = invocation.options.device === true ? await space.removeDevice(id) : await space.remove(id)
    invocation.output.object({ removed: id, endedInvitations: endedInvitations.length === 0 ? 'none' : endedInvitations })
    return 0
  }),
}
