/**
 * Getting in at a relay that may lack what is verified here (it is new, or was restored from a backup): the same bytes go to the same places. Each entry carries its
 * author's signature, and the relay judges it as ever, so nobody need trust who brings it.
 */
import { isSealError, SealError } from '../engine/errors.js'
import { MAX_BATCH_RECORDS } from '../engine/limits.js'
import type { SpaceSync } from '../engine/space/port.js'
import { withinBytes, type Greeting } from './client.js'
import type { MessageOf } from './messages.js'
import { SEND_BYTES } from './outbound.js'
import { patiently } from './patiently.js'
import type { Rpc } from './rpc.js'

/** Prove this device's key; to a relay that lacks the space, or the entry that admits this device, bring them first. */
export async function getIn(space: SpaceSync, { rpc, name, nonce, known }: Greeting, onLack: (what: string) => void): Promise<MessageOf<'welcome'>> {
  if (!known) await rpc.call({ kind: 'create', genesis: (await held(space, 0, 1))[0] as Uint8Array }, 'appended')
  const auth = { kind: 'auth', ...space.signChallenge(name, nonce) } as const
  try {
    return await rpc.call(auth, 'welcome')
  } catch (error) {
    if (!isSealError(error, 'relay-refused') || error.facts.code !== 'unknown-device') throw error
    onLack('The relay holds no entry that admits this device')
    await bring(space, rpc, 1)
    return rpc.call(auth, 'welcome')
  }
}

/** What is verified here, from `start` on. */
export async function bring(space: SpaceSync, rpc: Rpc, start: number): Promise<void> {
  for (let from = start; from < space.head.size;) {
    from += await restore(rpc, from, await held(space, from, Math.min(space.head.size, from + MAX_BATCH_RECORDS)))
  }
}

/** As many of the first records as one message takes; returns how many. */
export async function restore(rpc: Rpc, from: number, some: readonly Uint8Array[]): Promise<number> {
  const records = withinBytes(some, SEND_BYTES)
  const answer = await patiently(() => rpc.call({ kind: 'restore', from, records }, 'appended'))
  if (answer.refused !== '') throw new SealError('relay-refused', `The relay refuses entries that are brought to it: ${answer.refused}`, { code: answer.refused, from })
  return records.length
}

/** Throws `out-of-scope` for entries before the snapshot that this device joined from: somebody else has to bring them. */
async function held(space: SpaceSync, from: number, to: number): Promise<readonly Uint8Array[]> {
  try {
    return await space.records(from, to)
  } catch (error) {
    if (!isSealError(error, 'bad-argument')) throw error
    throw new SealError('out-of-scope', 'The relay lacks entries from before this device joined. A member who holds them has to connect first.', { from }, { cause: error })
  }
}
