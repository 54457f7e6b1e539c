/**
 * Many records at once (PROTOCOL.md §6.5). The last entry of a device names all before it by hash, signatures included; so if its signature is
 * good, and the root that comes out is one that is trusted already, the signatures before it need not be looked at.
 *
 * Only then: a good signature over an entry that itself vouches for a bad one would otherwise split those who caught up in one go from those
 * who were there. On any difference everything is done again, one by one.
 */
import { equalBytes } from '../codec/bytes.js'
import { type ApplyEnv } from '../state/context.js'
import { applyWith, headOf, type Applied, type SpaceState } from './apply.js'
import { type Head, type Verdict } from './types.js'

export interface BatchApplied {
  readonly state: SpaceState
  readonly verdicts: readonly Verdict[]
  readonly hashes: readonly Uint8Array[]
  /** Signatures that were verified: one for each device where the shortcut held. */
  readonly signatures: number
}

export interface BatchOptions {
  /** The head that the records lead to, if it is trusted for another reason than these records. */
  readonly trusted?: Head | undefined
}

/**
 * The same state and verdicts as `apply` one by one. The resulting state is the caller's to release; states between are released here.
 */
export function applyBatch(env: ApplyEnv, state: SpaceState, records: readonly Uint8Array[], options: BatchOptions = {}): BatchApplied {
  if (options.trusted === undefined) return singly(env, state, records)
  const deferred = new Map<number, () => boolean>()
  let signatures = 0
  const quick = runAll(env, state, records, (entry, check) => {
    if (entry.inChain) {
      deferred.set(entry.device, check)
      return true
    }
    signatures += 1
    return check()
  })
  const good = isHead(env, quick.state, options.trusted) && [...deferred.values()].every((check) => check())
  if (good) return { ...quick, signatures: signatures + deferred.size }
  if (quick.state !== state) quick.state.tree.release()
  return singly(env, state, records)
}

function singly(env: ApplyEnv, state: SpaceState, records: readonly Uint8Array[]): BatchApplied {
  let signatures = 0
  const all = runAll(env, state, records, (_, check) => {
    signatures += 1
    return check()
  })
  return { ...all, signatures }
}

function runAll(env: ApplyEnv, state: SpaceState, records: readonly Uint8Array[], rule: Parameters<typeof applyWith>[3]): Omit<BatchApplied, 'signatures'> {
  const verdicts: Verdict[] = []
  const hashes: Uint8Array[] = []
  let current = state
  for (const record of records) {
    const applied: Applied = applyWith(env, current, record, rule)
    if (current !== state) current.tree.release()
    current = applied.state
    verdicts.push(applied.verdict)
    hashes.push(applied.hash)
  }
  return { state: current, verdicts, hashes }
}

function isHead(env: ApplyEnv, state: SpaceState, trusted: Head): boolean {
  const head = headOf(env, state)
  return head.size === trusted.size && equalBytes(head.stateRoot, trusted.stateRoot) && equalBytes(head.logRoot, trusted.logRoot)
}
