/** `sealdb create`: found a space in a new store. */
import { createSpace } from 'sealdb'
import { encodeHex } from '../../../engine/codec/bytes.js'
import { text, type Command } from '../command.js'
import { PROFILE, profileOf, storeOf, STORE } from '../spaces.js'

export const create: Command = {
  name: 'create',
  args: '',
  summary: 'found a space',
  details: `This device becomes its first, you its owner. With SEALDB_PASSPHRASE or SEALDB_PASSPHRASE_FILE set, the store’s secrets are
sealed under that passphrase, and every later command needs it.`,
  options: {
    store: STORE.store,
    relay: { type: 'string', short: 'r', value: 'URL', help: 'attach it to this relay: ws://… or wss://…' },
    ...PROFILE,
  },
  run: async (invocation) => {
    const { output } = invocation
    const relay = text(invocation, 'relay')
    const space = await createSpace({ store: storeOf(invocation), profile: profileOf(invocation), offline: relay === undefined })
    try {
      if (relay !== undefined) await space.attachRelay(relay)
      output.object({ space: encodeHex(space.id), member: space.me.id, role: space.me.role ?? 'none', ...(relay !== undefined && { relay }) })
    } finally {
      await space.close()
    }
    return 0
  },
}
