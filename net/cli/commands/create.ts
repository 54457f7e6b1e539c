/** `sealdb create`: found a space in a new store. */
import { createSpace } from 'sealdb'
import { encodeHex } from '../../../engine/codec/bytes.js'
import { text, type Command } from '../command.js'
import { ONLINE_WITHIN, PROFILE, profileOf, storeOf, STORE, within } from '../spaces.js'

export const create: Command = {
  name: 'create',
  args: '',
  summary: 'found a space',
  details: `This device becomes its first, you its owner. With SEALDB_PASSPHRASE or SEALDB_PASSPHRASE_FILE set, the store’s secrets are
sealed under that passphrase, and every later command needs it; with SEALDB_KEY_FILE, under the 32 bytes of that file.`,
  options: {
    store: STORE.store,
    relay: { type: 'string', short: 'r', value: 'URL', help: 'attach it to this relay: ws://… or wss://…' },
    ...PROFILE,
  },
  run: async (invocation) => {
    const { output } = invocation
    const relay = text(invocation, 'relay')
    const space = await createSpace({ store: storeOf(invocation), profile: profileOf(invocation), ...(relay !== undefined && { relay }) })
    try {
      // The relay should have it before anybody is invited.
      if (relay !== undefined && !(await within(space.online(), ONLINE_WITHIN))) {
        output.error(output.style('yellow', 'The relay does not have the space yet; it gets it next time.'))
      }
      output.object({ space: encodeHex(space.id), member: space.me.id, role: space.me.role ?? 'none', ...(relay !== undefined && { relay }) })
    } finally {
      await space.close()
    }
    return 0
  },
}
