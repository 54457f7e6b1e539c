/** `sealdb members`: who is in the space, with their devices; who may still come in. */
import { SealError } from '../../../engine/errors.js'
import type { Command } from '../command.js'
import { deviceRows, invitationRows, memberRows } from '../people.js'
import { STORE, withSpace } from '../spaces.js'

export const members: Command = {
  name: 'members',
  args: '',
  summary: 'list members, devices and open invitations',
  options: {
    ...STORE,
    devices: { type: 'boolean', help: 'list devices instead' },
    invitations: { type: 'boolean', help: 'list invitations that still admit somebody instead' },
    all: { type: 'boolean', short: 'a', help: 'also those that were removed' },
  },
  run: (invocation) => withSpace(invocation, (space) => {
    const { all, devices, invitations } = invocation.options
    if (devices === true && invitations === true) throw new SealError('bad-argument', 'Expected --devices or --invitations, not both.')
    invocation.output.table(devices === true ? deviceRows(space, all === true) : invitations === true ? invitationRows(space) : memberRows(space, all === true))
    return Promise.resolve(0)
  }),
}
