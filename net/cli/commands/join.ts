/** `sealdb join`: join a space by an invitation link. */
import { joinSpace } from 'sealdb'
import { encodeHex } from '../../../engine/codec/bytes.js'
import { SealError } from '../../../engine/errors.js'
import type { Command, Invocation } from '../command.js'
import { PROFILE, profileOf, storeOf, STORE } from '../spaces.js'

export const join: Command = {
  name: 'join',
  args: '[LINK]',
  summary: 'join a space by an invitation link',
  details: `The link is a secret. Give it on stdin rather than as an argument where other people can list your processes:
  sealdb join < link.txt`,
  options: { store: STORE.store, ...PROFILE },
  run: async (invocation) => {
    const { output } = invocation
    const link = await linkOf(invocation)
    const progress = output.progress('receiving')
    const space = await joinSpace(link, { store: storeOf(invocation), profile: profileOf(invocation), offline: true, onProgress: (entries) => progress.update(entries) })
    try {
      progress.done()
      output.object({ space: encodeHex(space.id), member: space.me.id, role: space.me.role ?? 'none', entries: space.head.size })
    } finally {
      await space.close()
    }
    return 0
  },
}

async function linkOf({ args, around }: Invocation): Promise<string> {
  if (args[0] !== undefined) return args[0]
  if (around.stdin.isTTY === true) throw new SealError('bad-argument', 'Expected an invitation link, as an argument or on stdin.')
  let text = ''
  for await (const chunk of around.stdin) text += String(chunk)
  return text.trim()
}
