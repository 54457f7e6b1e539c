/**
 * Many records at once (PROTOCOL.md §6.5). An entry names the one before it of its device by hash, signature included. So if an entry's signature
 * is good, and the head that comes out is one that is trusted already, the signatures before it in its chain need not be looked at.
 *
 * Only then: a good signature over an entry that itself vouches for a bad one would otherwise split those who caught up in one go from those
 * who were there. On any difference everything is done again, one by one.
 */
import { equalBytes } from '../codec/bytes.js'
import { type ApplyEnv } from '../state/context.js'
import { deviceKey } from '../state/keys.js'
import { decodeDevice } from '../state/roster.js'
import { applyWith, headOf, type SpaceState } from './apply.js'
import { decodeRecord, entryHash, peekRecord, verifyEntry } from './entry.js'
import { keyName } from './overlay.js'
import { type Head, type Verdict } from './types.js'

export interface BatchApplied {
  readonly state: SpaceState
  readonly verdicts: readonly Verdict[]
  readonly hashes: readonly Uint8Array[]
  /** Signatures that were verified: about one for each device where the shortcut held. */
  readonly signatures: number
}

export interface BatchOptions {
  /** The head that the records lead to, if it is trusted for another reason than these records. */
  readonly trusted?: Head | undefined
}

/** The same state and verdicts as `apply` one by one. The resulting state is the caller's to release; states between are released here. */
export function applyBatch(env: ApplyEnv, state: SpaceState, records: readonly Uint8Array[], options: BatchOptions = {}): BatchApplied {
  const hashes = records.map((record) => entryHash(env.crypto, record))
  if (options.trusted === undefined) return runAll(env, state, records, hashes, new Map())
  const known = vouch(env, state, records, hashes)
  const quick = runAll(env, state, records, hashes, known.good)
  const signatures = quick.signatures + known.verified
  if (isHead(env, quick.state, options.trusted)) return { ...quick, signatures }
  if (quick.state !== state) quick.state.tree.release()
  return runAll(env, state, records, hashes, new Map())
}

/**
 * Backwards: a record that a good one of the same device names is taken for good; any other is verified, if its device's key is known before
 * the batch. What is left out of `good` is for the state machine to verify.
 */
function vouch(env: ApplyEnv, state: SpaceState, records: readonly Uint8Array[], hashes: readonly Uint8Array[]): { readonly good: ReadonlyMap<number, boolean>; readonly verified: number } {
  const good = new Map<number, boolean>()
  /** Hash of a vouched record → its device. */
  const named = new Map<string, number>()
  let verified = 0
  for (let i = records.length - 1; i >= 0; i--) {
    const record = records[i] as Uint8Array
    const header = peekRecord(record)
    if (header === undefined || header.device === 0) continue
    if (named.get(keyName(hashes[i] as Uint8Array)) !== header.device) {
      const verdict = verifyWithKnownKey(env, state, header.device, record)
      if (verdict === undefined) continue
      verified += 1
      good.set(i, verdict)
      if (!verdict) continue
    }
    good.set(i, true)
    named.set(keyName(header.devicePrev), header.device)
  }
  return { good, verified }
}

/** A device keeps its signing key for life, so the one before the batch is the one in it. */
function verifyWithKnownKey(env: ApplyEnv, state: SpaceState, device: number, record: Uint8Array): boolean | undefined {
  const bytes = state.tree.get(deviceKey(device))
  const decoded = bytes === undefined ? undefined : decodeRecord(record)
  return bytes && decoded?.kind === 'entry' ? verifyEntry(env.crypto, decoded, decodeDevice(bytes).signing) : undefined
}

function runAll(env: ApplyEnv, state: SpaceState, records: readonly Uint8Array[], hashes: readonly Uint8Array[], good: ReadonlyMap<number, boolean>): BatchApplied {
  const verdicts: Verdict[] = []
  let current = state
  let signatures = 0
  for (const [i, record] of records.entries()) {
    const rule = (check: () => boolean, inChain: boolean): boolean => {
      const known = good.get(i)
      // Outside its device's chain an entry is ignored either way, but the root doesn't say for which reason.
      if (known === false || (known === true && inChain)) return known
      signatures += 1
      return check()
    }
    const applied = applyWith(env, current, record, rule, hashes[i])
    if (current !== state) current.tree.release()
    current = applied.state
    verdicts.push(applied.verdict)
  }
  return { state: current, verdicts, hashes, signatures }
}

function isHead(env: ApplyEnv, state: SpaceState, trusted: Head): boolean {
  const head = headOf(env, state)
  return head.size === trusted.size && equalBytes(head.stateRoot, trusted.stateRoot) && equalBytes(head.logRoot, trusted.logRoot)
}
