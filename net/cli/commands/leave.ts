/** `sealdb leave`: this member is one no more. */
import { SealError } from '../../../engine/errors.js'
import type { Command } from '../command.js'
import { ONLINE_STORE, requireOnline, withSpace } from '../spaces.js'

export const leave: Command = {
  name: 'leave',
  args: '',
  summary: 'leave the space, with all your devices',
  details: `What you wrote stays. The store of this device stays readable, too, up to the entry by which you left: delete it when you like. The only owner
can’t leave: make somebody else one before (sealdb role).`,
  options: { ...ONLINE_STORE, yes: { type: 'boolean', short: 'y', help: 'without it nothing is done' } },
  run: (invocation) => withSpace(invocation, async (space) => {
    if (invocation.options.yes !== true) throw new SealError('bad-argument', 'Leaving can’t be taken back; only a new link brings you in again. Say --yes to do it.')
    requireOnline(space)
    await space.leave()
    invocation.output.object({ left: true })
    return 0
  }, 'removed'),
}
