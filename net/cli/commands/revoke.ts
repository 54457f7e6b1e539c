/** `sealdb revoke`: a link admits nobody any more. */
import { requiredArg, wholeNumber, type Command } from '../command.js'
import { ONLINE_STORE, requireOnline, withSpace } from '../spaces.js'

export const revoke: Command = {
  name: 'revoke',
  args: 'INVITATION',
  summary: 'end an invitation before it is used up',
  details: `INVITATION is the link, or its number (sealdb members --invitations). Who has the link can still read what was written before it ended:
sealdb rotate keeps what is written from now on from them.`,
  options: { ...ONLINE_STORE },
  run: (invocation) => withSpace(invocation, async (space) => {
    const what = requiredArg(invocation, 0, 'an invitation’s link or number')
    requireOnline(space)
    await space.revokeInvitation(/^\d+$/.test(what) ? wholeNumber(what, 'the invitation') : what)
    invocation.output.object({ revoked: true })
    return 0
  }),
}
