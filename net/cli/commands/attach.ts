/** `sealdb attach`: a relay for a space that has none, or another one. */
import type { SealedSpace } from 'sealdb'
import { SealError } from '../../../engine/errors.js'
import { requiredArg, type Command } from '../command.js'
import { ONLINE_STORE, ONLINE_WITHIN, requireOnline, within, withSpace } from '../spaces.js'

/** Online at that address: then all that is here is there, too. */
async function inStep(space: SealedSpace, url: string): Promise<void> {
  const isThere = (): boolean => space.engine.relay?.url === url && space.connection === 'online'
  if (isThere()) return
  await new Promise<void>((resolve) => {
    const stop = space.on('state', () => {
      if (!isThere()) return
      stop()
      resolve()
    })
  })
}

export const attach: Command = {
  name: 'attach',
  args: 'URL',
  summary: 'attach the space to a relay, or move it there',
  details: `The relay’s key, as it shows it now, is pinned: make sure that URL is the one you mean. Owners only. A relay that does not hold the space yet is given
all of it. Other devices learn of the move from the old relay, so keep that running for a while; links made before still name it.
With --abandon the old relay is not asked: it is gone, or not to be trusted. The space goes on from what this device has verified, so use the one that has seen most.
Tell the others where it is: sealdb follow URL.`,
  options: { ...ONLINE_STORE, abandon: { type: 'boolean', help: 'without the relay that the space is at now' } },
  run: (invocation) => withSpace(invocation, async (space) => {
    const url = requiredArg(invocation, 0, 'the relay’s address, as ws://localhost:7700')
    const abandon = invocation.options['abandon'] === true
    if (!abandon) requireOnline(space)
    await space.attachRelay(url, { abandon })
    space.connect()
    // Others find there what this device brings.
    const isThere = await within(inStep(space, url), ONLINE_WITHIN)
    if (!isThere) throw new SealError('disconnected', `The space is attached to ${url}, which does not have it yet: run any command that connects, once the relay can be reached.`)
    invocation.output.object({ relay: url })
    return 0
  }),
}
