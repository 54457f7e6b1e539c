/** `sealdb forget`: what was deleted or overwritten stays so, whoever steals today's secrets. */
import type { Command } from '../command.js'
import { ONLINE_STORE, requireOnline, withSpace } from '../spaces.js'

export const forget: Command = {
  name: 'forget',
  args: '',
  summary: 'make what was deleted unreadable, for good',
  details: `Everything that is live is sealed again, step by step, then the secrets that open what was before are given up: whoever steals the secrets of
today opens nothing of it, though others kept the bytes. It is done when every device has come online once more; until then those that hold it
up are listed. Who kept copies of old secrets keeps reading. Open invitations end. Admins only.`,
  options: { ...ONLINE_STORE },
  run: (invocation) => withSpace(invocation, async (space) => {
    requireOnline(space)
    const progress = invocation.output.progress('sealing again')
    const { endedInvitations } = await space.forget({ onProgress: ({ resealed }) => progress.update(resealed) })
    progress.done()
    const pending = space.pendingForget
    invocation.output.object({ forgotten: pending.length === 0, waitsForDevices: pending.length === 0 ? 'none' : pending, endedInvitations: endedInvitations.length === 0 ? 'none' : endedInvitations })
    return 0
  }),
}
