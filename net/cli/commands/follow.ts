/** `sealdb follow`: to where the space is, told by somebody, since the relay that this device knows is gone. */
import { requiredArg, type Command } from '../command.js'
import { STORE, withSpace } from '../spaces.js'

export const follow: Command = {
  name: 'follow',
  args: 'URL',
  summary: 'go on at the relay to which an owner has taken the space',
  details: `For devices that could not learn of a move from the relay they know, because that is gone. Nobody is believed: the log at URL must hold an owner’s entry
that moves the space there, on top of what this device has verified; and the relay that this device knows is heard before, if it answers. Exit code 3 if it does not.`,
  options: { store: STORE.store },
  run: (invocation) => withSpace({ ...invocation, options: { ...invocation.options, offline: true } }, async (space) => {
    const url = requiredArg(invocation, 0, 'the relay’s address, as ws://localhost:7700')
    await space.followTo(url)
    invocation.output.object({ relay: space.engine.relay?.url ?? url, entries: space.head.size })
    return 0
  }),
}
