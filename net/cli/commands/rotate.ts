/** `sealdb rotate`: a new secret for what is written from now on; with `--reblind`, for keys and unique values, too. */
import type { Command } from '../command.js'
import { ONLINE_STORE, requireOnline, withSpace } from '../spaces.js'

export const rotate: Command = {
  name: 'rotate',
  args: '',
  summary: 'a new secret for what is written from now on',
  details: `After this device may have been read by somebody else. With --reblind (admins only) keys and unique values move to a new secret as well,
so that who was removed can’t test guesses of them against what is written from now on. That writes every row of tables with such keys again, step
by step; everybody goes on meanwhile. Cut short, it is taken up where it stopped by whichever admin calls it next.`,
  options: { ...ONLINE_STORE, reblind: { type: 'boolean', help: 'move keys and unique values, too' } },
  run: (invocation) => withSpace(invocation, async (space) => {
    requireOnline(space)
    const reblind = invocation.options.reblind === true
    const progress = invocation.output.progress('re-blinding')
    await space.rotate({ reblind, onProgress: ({ moved, left }) => progress.update(moved, moved + left) })
    progress.done()
    invocation.output.object({ rotated: true, reblinded: reblind })
    return 0
  }),
}
