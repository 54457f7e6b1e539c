/** `sealdb members`: who is in the space, with their devices. */
import type { Command } from '../command.js'
import { memberRows, deviceRows } from '../people.js'
import { STORE, withSpace } from '../spaces.js'

export const members: Command = {
  name: 'members',
  args: '',
  summary: 'list members and devices',
  options: {
    ...STORE,
    devices: { type: 'boolean', help: 'list devices instead' },
    all: { type: 'boolean', short: 'a', help: 'also those that were removed' },
  },
  run: (invocation) => withSpace(invocation, (space) => {
    const all = invocation.options.all === true
    invocation.output.table(invocation.options.devices === true ? deviceRows(space, all) : memberRows(space, all))
    return Promise.resolve(0)
  }),
}
