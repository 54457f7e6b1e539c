/**
 * A relay that the verified log does not name, because the one that it names is gone or withholds (PROTOCOL.md §9.2): an owner takes the space there; the
 * others are told where, and follow. Nobody is believed here either. The space is there once an owner's entry in its log says so.
 */
import { SealError } from '../engine/errors.js'
import { MAX_BATCH_RECORDS } from '../engine/limits.js'
import { isSameRelay, type RelayRecord } from '../engine/space/ops/space.js'
import type { SpaceSync } from '../engine/space/port.js'
import { relayNamedBy } from '../engine/space/relay-watch.js'
import { recordAt } from './branch.js'
import { bring, getIn, restore } from './bring.js'
import { greet, type Greeting, pullStep, pullWitnessed, type Step } from './client.js'
import type { MessageOf } from './messages.js'
import type { Dial } from './transport.js'

/** Far over what a member has missed who is not better off joining anew. */
const MAX_RECORDS = 100_000
const MAX_BYTES = 128 * 1024 * 1024

/**
 * For the owner: everything that is verified here, and what was written on top of it, the entry that moves the space among it. Resolves when that is verified
 * under the new relay's note. Throws `fork` if the relay holds another history, `relay-refused` as ever.
 */
export function takeThere(space: SpaceSync, dial: Dial, url: string): Promise<void> {
  return visit(space, dial, url, async (greeting) => {
    const welcome = await getIn(space, greeting, () => undefined)
    await mustAgree(space, greeting, welcome)
    await bring(space, greeting.rpc, welcome.size)
    // What others have written there since is news here; ours then lands behind it, as ever.
    if (welcome.size > space.head.size) return
    const written = space.outbox().map(({ record }) => record)
    for (let at = 0; at < written.length;) at += await restore(greeting.rpc, space.head.size + at, written.slice(at, at + MAX_BATCH_RECORDS))
  })
}

/** For everybody else. Throws `relay-refused` if the space is not there (`unknown-space`, `not-moved`), `fork` if it went there without entries that are verified here. */
export function followThere(space: SpaceSync, dial: Dial, url: string): Promise<void> {
  return visit(space, dial, url, async (greeting) => {
    const { known, rpc, name, nonce } = greeting
    if (!known) throw new SealError('relay-refused', `The relay at ${url} does not hold this space.`, { code: 'unknown-space' })
    await mustAgree(space, greeting, await rpc.call({ kind: 'auth', ...space.signChallenge(name, nonce) }, 'welcome'))
  })
}

async function visit(space: SpaceSync, dial: Dial, url: string, enter: (greeting: Greeting) => Promise<void>): Promise<void> {
  const greeting = await greet(dial, url, space.id)
  try {
    await enter(greeting)
    await takeUntilThere(space, { ...greeting, url })
  } finally {
    greeting.rpc.close()
  }
}

/** A relay that is not named yet can't sign for what comes before the entry that names it: all up to that is taken at once. */
async function takeUntilThere(space: SpaceSync, { rpc, name, publicKey, url }: Greeting & { readonly url: string }): Promise<void> {
  const former = space.relay?.url
  // The address that others have of it may be another one.
  const names = (relay: RelayRecord | undefined): boolean => isSameRelay(relay, { url, name, publicKey }) && (relay?.url === url || relay?.url !== former)
  const { size } = space.head
  const records: Uint8Array[] = []
  let bytes = 0
  while (!names(space.relay)) {
    const step: Step & { readonly witness?: Uint8Array } = space.remote ? await pullWitnessed(rpc, size) : await pullStep(rpc, size + records.length)
    if (step.records.length === 0) throw new SealError('relay-refused', `The relay at ${url} holds this space, but no entry that moves it there: an owner has to do that.`, { code: 'not-moved' })
    for (const record of step.records) {
      records.push(record)
      bytes += record.length
    }
    if (records.length > MAX_RECORDS || bytes > MAX_BYTES) throw new SealError('too-large', `The relay at ${url} gave ${records.length} entries, and none of them moves the space there.`, { records: records.length, bytes })
    if (names(relayNamedBy(step.records))) await space.receive(size, records, step.note, step.witness)
    else if (space.remote) throw new SealError('relay-refused', 'The space was moved too many entries ago for a thin client to follow: join again, or use a replica.', { code: 'gone' })
  }
}

/** Of a thin client, which has no entries to compare, what follows tells. */
async function mustAgree(space: SpaceSync, { rpc }: Greeting, welcome: MessageOf<'welcome'>): Promise<void> {
  const { size } = space.head
  if (space.remote) return
  const common = await space.commonWith(welcome.size, (index) => recordAt(rpc, index))
  if (common >= Math.min(size, welcome.size)) return
  throw new SealError('fork', `The relay has another history: ${common} entries are the same as here, where ${size} are verified. Whoever holds what only the former relay had taken joins anew, with a new link; \`export\` keeps the rows.`, { common, size, theirs: welcome.size })
}
