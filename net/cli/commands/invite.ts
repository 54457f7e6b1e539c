/** `sealdb invite`: a link that admits people, or a further device of one's own. */
import { MAX_INVITATION_USES } from '../../../engine/limits.js'
import { oneOf, ROLES, text, wholeNumber, type Command } from '../command.js'
import { ONLINE_STORE, requireOnline, withSpace } from '../spaces.js'

export const invite: Command = {
  name: 'invite',
  args: '',
  summary: 'print a link that admits somebody',
  details: 'The link is a secret: whoever has it joins. Its secret part is after the #, which browsers keep to themselves.',
  options: {
    ...ONLINE_STORE,
    role: { type: 'string', value: 'ROLE', help: 'owner, admin, writer or reader (default writer)' },
    uses: { type: 'string', value: 'N', help: 'how many people may use it (default 1)' },
    page: { type: 'string', value: 'URL', help: 'the page that handles links' },
    'own-device': { type: 'boolean', help: 'admit another device of yours instead' },
  },
  run: (invocation) => withSpace(invocation, async (space) => {
    requireOnline(space)
    const page = text(invocation, 'page')
    const common = page === undefined ? {} : { page }
    const role = oneOf(text(invocation, 'role') ?? 'writer', '--role', ROLES)
    const uses = wholeNumber(text(invocation, 'uses') ?? '1', '--uses', { min: 1, max: MAX_INVITATION_USES })
    const link = invocation.options['own-device'] === true ? await space.inviteDevice(common) : await space.invite({ role, uses, ...common })
    if (invocation.output.json) invocation.output.object({ link })
    else invocation.output.print(link)
    return 0
  }),
}
