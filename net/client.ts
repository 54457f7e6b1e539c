/**
 * Getting in at a relay: hello, challenge, proof of a key. What the relay says of itself is compared with what the space or the link says.
 */
import { equalBytes } from '../engine/codec/bytes.js'
import { isSealError, SealError } from '../engine/errors.js'
import { MAX_BATCH_RECORDS, MAX_WITNESS_RECORDS } from '../engine/limits.js'
import type { SpaceSync } from '../engine/space/port.js'
import { WIRE_VERSION, type MessageOf } from './messages.js'
import { Rpc } from './rpc.js'
import type { Dial } from './transport.js'

export interface RelayIdentity {
  readonly name: string
  readonly publicKey: Uint8Array
}

/** Far over the steps that a relay of ours makes (4,096 records or 8 MiB), with room for the longest entry. */
const MAX_STEP_BYTES = 128 * 1024 * 1024
const MAX_STEP_RECORDS = 100_000

/** What the relay says of itself, before anything is proved. */
export interface Greeting extends RelayIdentity {
  readonly rpc: Rpc
  readonly nonce: Uint8Array
  /** It holds this space. */
  readonly known: boolean
}

/** Dial and say hello. With `expected`, a relay of another name or key is refused (`bad-key`): it can't sign for this space. */
export async function greet(dial: Dial, url: string, space: Uint8Array, expected?: RelayIdentity, signal?: AbortSignal): Promise<Greeting> {
  const rpc = new Rpc(await dial(url, signal))
  const abort = (): void => rpc.close()
  signal?.addEventListener('abort', abort, { once: true })
  try {
    signal?.throwIfAborted()
    const { relay: name, publicKey, nonce, known } = await rpc.call({ kind: 'hello', version: WIRE_VERSION, space }, 'challenge')
    if (expected && (expected.name !== name || !equalBytes(expected.publicKey, publicKey))) {
      throw new SealError('bad-key', `The relay at ${url} is not the one this space is attached to: its name or key differs. An owner can move the space to it.`, { url, name, expected: expected.name })
    }
    return { rpc, name, publicKey, nonce, known }
  } catch (error) {
    rpc.close()
    if (signal?.aborted) throw new SealError('disconnected', 'The connection was given up.', { url })
    throw error
  } finally {
    signal?.removeEventListener('abort', abort)
  }
}

/** A connection of its own, in which this device has proved its key. */
export async function enter(space: Pick<SpaceSync, 'id' | 'relay' | 'signChallenge'>, dial: Dial, signal?: AbortSignal): Promise<Rpc> {
  const { relay } = space
  if (!relay) throw new SealError('bad-argument', 'This space is attached to no relay.')
  const { rpc, name, nonce } = await greet(dial, relay.url, space.id, relay, signal)
  try {
    await rpc.call({ kind: 'auth', ...space.signChallenge(name, nonce) }, 'welcome')
    return rpc
  } catch (error) {
    rpc.close()
    throw error
  }
}

/** The records from `from` on, so many at most, and none others. */
export async function pull(rpc: Rpc, from: number, limit = MAX_BATCH_RECORDS): Promise<MessageOf<'entries'>> {
  const answer = await rpc.call({ kind: 'pull', from, limit }, 'entries')
  if (answer.from !== from || answer.records.length > limit) throw otherEntries(from, limit, answer)
  return answer
}

function otherEntries(expected: number, limit: number, { from, records }: Pick<MessageOf<'entries'>, 'from' | 'records'>): SealError {
  return new SealError('bad-frame', 'The relay gave other entries than were asked for.', { expected, found: from, limit, records: records.length })
}

/** Records of one step, and what the relay signed for the size they lead to. */
export interface Step { readonly from: number; readonly records: readonly Uint8Array[]; readonly note: Uint8Array; readonly size: number }

/**
 * The records from `from` to the next size that the relay has a note for: its head, or a step towards it. None if `from` is the head. The note
 * is not verified here; what a relay can make a client hold is bounded (`too-large`).
 */
export async function pullStep(rpc: Rpc, from: number, onProgress?: (received: number) => void): Promise<Step> {
  const records: Uint8Array[] = []
  let bytes = 0
  for (;;) {
    const answer = await pull(rpc, from + records.length)
    for (const record of answer.records) {
      records.push(record)
      bytes += record.length
    }
    if (bytes > MAX_STEP_BYTES || records.length > MAX_STEP_RECORDS) {
      throw new SealError('too-large', `The relay gave ${records.length} entries without a checkpoint to verify them by.`, { records: records.length, bytes })
    }
    onProgress?.(records.length)
    const size = sizeOfNote(answer.note)
    if (answer.records.length === 0 || from + records.length >= size) return { from, records, note: answer.note, size }
  }
}

/** Records and their witness from `from` on. `gone` if the relay can't go back so far. */
export async function pullWitnessed(rpc: Rpc, from: number): Promise<Step & { readonly witness: Uint8Array }> {
  let answer: MessageOf<'witnessed'>
  try {
    answer = await rpc.call({ kind: 'witness', from, limit: MAX_WITNESS_RECORDS }, 'witnessed')
  } catch (error) {
    if (!isSealError(error, 'relay-refused') || error.facts.code !== 'gone') throw error
    throw new SealError('relay-refused', `This thin client has been away for longer than the relay can show it the way (from entry ${from}): join again, or use a replica.`, error.facts, { cause: error })
  }
  const { records, note, witness } = answer
  if (answer.from !== from) throw otherEntries(from, MAX_WITNESS_RECORDS, answer)
  return { from, records, note, witness, size: sizeOfNote(note) }
}

/** The size line of a note, unverified: only to know whether to go on asking. */
export function sizeOfNote(note: Uint8Array): number {
  const size = Number(new TextDecoder().decode(note.subarray(0, 200)).split('\n')[1])
  return Number.isSafeInteger(size) ? size : 0
}

/** As many of the first records as fit into one message of `most` bytes, at least one. */
export function withinBytes(records: readonly Uint8Array[], most: number): readonly Uint8Array[] {
  let bytes = 0
  const end = records.findIndex((record, i) => (bytes += record.length) > most && i > 0)
  return end < 0 ? records : records.slice(0, end)
}
