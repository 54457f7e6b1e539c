/** Thin clients for tests: no rows of their own, a real relay to ask. */
import { invite } from '../../engine/space/acts.js'
import type { CryptoProvider } from '../../engine/crypto/provider.js'
import { parseLink } from '../../engine/group/link.js'
import { joinSpace, signInvitationChallenge } from '../../engine/space/join.js'
import type { Space } from '../../engine/space/space.js'
import { openThinSpace } from '../../engine/space/thin/open.js'
import type { RemoteState } from '../../engine/space/thin/remote.js'
import { memoryStore } from '../../engine/store/memory.js'
import type { StoreLocation } from '../../engine/store/store.js'
import { joinChannel } from '../../net/join.js'
import type { Dial } from '../../net/transport.js'
import { optionsOf } from '../space/rim-support.js'
import { bodies, crypto, startSync, type TestPeer } from './support.js'

/** Joined through `dial`, in step with the relay. */
export async function thinJoiner(dial: Dial, link: string, name: string, location: StoreLocation = memoryStore(), provider: CryptoProvider = crypto): Promise<TestPeer> {
  const options = { ...optionsOf(name), crypto: provider }
  const parsed = parseLink(crypto, link)
  const channel = await joinChannel(dial, parsed, (relayName, nonce) => signInvitationChallenge(options, parsed, relayName, nonce), undefined, undefined, true)
  try {
    const space = await joinSpace(await location.open(), options, parsed, channel, { name }, undefined, undefined, {})
    return { space, sync: startSync(space, dial, name), location }
  } finally {
    channel.close()
  }
}

export async function thinInvited(dial: Dial, by: TestPeer, name: string, role: 'writer' | 'admin' | 'reader' = 'writer'): Promise<TestPeer> {
  return thinJoiner(dial, await invite(by.space, { role }), name)
}

/** Each time with another source of randomness: the same again would draw the same nonces and tokens. */
let times = 0

export async function reopened({ space, sync, location }: TestPeer, dial: Dial, name: string): Promise<TestPeer> {
  times++
  await sync.stop()
  await space.close()
  const again = openThinSpace(await location.open(), optionsOf(`${name} again ${times}`))
  return { space: again, sync: startSync(again, dial, `${name} again ${times}`), location }
}

export const remoteOf = (space: Space): RemoteState => {
  if (!space.remote) throw new Error('not a thin client')
  return space.remote
}

/** What a table holds, as the thin client reads it. */
export function readBodies({ space }: TestPeer, table = 1): Promise<string[]> {
  return remoteOf(space).reach(() => bodies(space.current, table))
}
