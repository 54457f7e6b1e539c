/** `sealdb accept-rollback`: the relay lost entries and went on without them; an admin accepts that. */
import type { Command } from '../command.js'
import { ONLINE_STORE, requireOnline, withSpace } from '../spaces.js'

export const acceptRollback: Command = {
  name: 'accept-rollback',
  args: '',
  summary: 'go on with a relay that lost entries and took others since',
  details: `For an admin whose device has verified the lost entries (alert: fork). Ask the relay’s operator first: a relay that forks on purpose looks
the same. The relay’s history counts from here on. Every device goes over to it when it next connects, and writes again what it had lost, as far as
that doesn’t conflict. Invite and remove people again who were admitted or removed in the lost part.`,
  options: { ...ONLINE_STORE },
  run: (invocation) => withSpace(invocation, async (space) => {
    requireOnline(space)
    const { lost, again, givenUp } = await space.acceptRollback()
    invocation.output.object({ lost, writtenAgain: again, givenUp })
    return 0
  }),
}
