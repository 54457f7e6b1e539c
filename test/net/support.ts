/** A real relay over in-memory connections or a real socket, and real spaces attached to it. */
import { loadProvider } from '../../engine/crypto/load.js'
import { attachRelay, invite } from '../../engine/space/acts.js'
import { joinSpace, signInvitationChallenge } from '../../engine/space/join.js'
import { createSpace } from '../../engine/space/open.js'
import type { Space } from '../../engine/space/space.js'
import type { View } from '../../engine/space/types.js'
import { parseLink } from '../../engine/group/link.js'
import { memoryStore } from '../../engine/store/memory.js'
import type { StoreLocation } from '../../engine/store/store.js'
import { greet } from '../../net/client.js'
import { joinChannel } from '../../net/join.js'
import { createJudge, type Verify } from '../../net/relay/judge.js'
import { Relay, type RelayOptions } from '../../net/relay/relay.js'
import type { RelayStore } from '../../net/relay/store.js'
import { memoryRelayStore } from '../../net/relay/stores/memory.js'
import { Sync } from '../../net/sync.js'
import { connectionPair, type Connection, type Dial } from '../../net/transport.js'
import { optionsOf, seededRandom } from '../space/rim-support.js'

export const crypto = await loadProvider()

export interface TestRelay { readonly relay: Relay; readonly dial: Dial; readonly connections: Connection[]; readonly store: RelayStore }

let relays = 0

export async function testRelay(options: Partial<RelayOptions> & { readonly verify?: Verify } = {}): Promise<TestRelay> {
  const store = options.store ?? memoryRelayStore()
  const random = seededRandom(`relay ${relays++}`)
  const judge = options.judge ?? (await createJudge({ store, name: 'relay.test', random, verify: options.verify ?? 'full', crypto }))
  const relay = new Relay({ store, judge, name: 'relay.test', random, now: () => Date.now(), ...options })
  const connections: Connection[] = []
  const dial: Dial = () => {
    const [client, server] = connectionPair()
    connections.push(client)
    relay.accept(server)
    return Promise.resolve(client)
  }
  return { relay, dial, connections, store }
}

export interface TestPeer { readonly space: Space; readonly sync: Sync; readonly location: StoreLocation }

/** After a test: nobody is left of `peers`. */
export async function stopAll(peers: TestPeer[]): Promise<void> {
  for (const { sync, space } of peers.splice(0)) {
    await sync.stop()
    await space.close()
  }
}

export function startSync(space: Space, dial: Dial, name: string, presenceEvery = 0): Sync {
  const sync = new Sync(space, { dial, random: seededRandom(`sync ${name}`), now: () => Date.now(), maxBackoff: 50, presenceEvery })
  sync.start()
  return sync
}

/** A space founded by `name`, attached to the relay, in step with it. */
export async function founder(relay: Pick<TestRelay, 'dial'>, name: string): Promise<TestPeer> {
  const location = memoryStore()
  const space = await createSpace(await location.open(), optionsOf(name), { name })
  const { rpc, name: relayName, publicKey } = await greet(relay.dial, 'memory:', space.id)
  rpc.close()
  await attachRelay(space, { url: 'memory:', name: relayName, publicKey })
  return { space, sync: startSync(space, relay.dial, name), location }
}

export async function joiner(relay: TestRelay, link: string, name: string): Promise<TestPeer> {
  const location = memoryStore()
  const options = optionsOf(name)
  const parsed = parseLink(crypto, link)
  const channel = await joinChannel(relay.dial, parsed, (relayName, nonce) => signInvitationChallenge(options, parsed, relayName, nonce))
  try {
    const space = await joinSpace(await location.open(), options, parsed, channel, { name })
    return { space, sync: startSync(space, relay.dial, name), location }
  } finally {
    channel.close()
  }
}

export async function invited(relay: TestRelay, by: TestPeer, name: string, role: 'writer' | 'admin' | 'reader' = 'writer'): Promise<TestPeer> {
  return joiner(relay, await invite(by.space, { role }), name)
}

/** Waits until it is so: a condition of the test, checked as the event loop turns. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 2_000; i++) {
    if (condition()) return
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  throw new Error(`never: ${what}`)
}

export function bodies(view: View, table: number): string[] {
  return [...view.rows(table)].map((row) => ('body' in row ? new TextDecoder().decode(row.body) : `unopened: ${row.reason}`))
}
