/**
 * The audit that a newcomer who began at a snapshot can do afterwards: all entries from the first, from whoever has those that are not held here, judged
 * by the rules one by one. What it comes to is compared with what was verified: then nobody's word is left in it, not the inviter's either.
 */
import { equalBytes } from '../codec/bytes.js'
import { SealError } from '../errors.js'
import type { ApplyEnv } from '../state/context.js'
import type { LogTree } from '../log/tree.js'
import { sameHead } from './apply.js'
import { verifyAside } from './aside.js'
import { Follower } from './follower.js'
import type { Head } from './types.js'

/** What of a space is audited: its head when the audit begins. */
export interface AuditedHistory {
  readonly env: ApplyEnv
  readonly head: Head
  readonly log: LogTree
  /** Entries before it are not held here. */
  readonly first: number
  records(from: number, to: number): Promise<readonly Uint8Array[]>
}

/** What judging the whole history came to. */
export interface HistoryReport {
  /** `sound`: the rules lead from the first entry to this head, state and all. `unsound`: to another state; whoever vouched for it lied. */
  readonly kind: 'sound' | 'unsound'
  readonly head: Head
  readonly applied: number
  readonly rejected: number
  readonly ignored: number
}

/** Entries judged in one go. */
const SLICE = 64

export interface AuditPace {
  readonly onProgress?: (entries: number, of: number) => void
  /** Waited for after every few entries, so that others have their turn. */
  readonly pause?: () => Promise<void>
}

/**
 * `fetch` gives entries from `from` on, at least one. Throws `bad-genesis` and `bad-proof` for entries that are not those of this log.
 *
 * @example
 * const { kind } = await auditHistory(space, (from) => pull(from), { onProgress: (entries, of) => show(entries / of) })
 */
export async function auditHistory(history: AuditedHistory, fetch: (from: number) => Promise<readonly Uint8Array[]>, { onProgress, pause }: AuditPace = {}): Promise<HistoryReport> {
  const { env, head, log, first } = history
  const counts = { applied: 0, rejected: 0, ignored: 0 }
  let follower: Follower | undefined
  const size = (): number => follower?.head.size ?? 0
  try {
    while (size() < head.size) {
      const from = size()
      const records = from < first ? (await fetch(from)).slice(0, first - from) : await history.records(from, Math.min(head.size, from + SLICE))
      if (records.length === 0) throw notOfThisLog(from)
      for (let at = 0; at < records.length; at += SLICE) {
        const slice = records.slice(at, at + SLICE)
        if (follower === undefined) {
          follower = found(env, slice.shift() as Uint8Array)
          counts.applied++
        }
        const trust = await verifyAside(env.crypto, follower.state.tree, slice, { pause })
        for (const [i, record] of slice.entries()) counts[follower.follow(record, trust[i] ?? 'check').verdict.kind]++
        onProgress?.(size(), head.size)
        await pause?.()
      }
      if (size() === first && !equalBytes(log.root(first), (follower as Follower).log.root())) throw notOfThisLog(first)
    }
    const reached = (follower as Follower).head
    if (!equalBytes(reached.logRoot, head.logRoot)) throw notOfThisLog(head.size)
    return { kind: sameHead(reached, head) ? 'sound' : 'unsound', head, ...counts }
  } finally {
    follower?.release()
  }
}

function found(env: ApplyEnv, genesis: Uint8Array): Follower {
  const follower = Follower.found(env.crypto, genesis)
  if (!equalBytes(follower.env.spaceId, env.spaceId)) throw new SealError('bad-genesis', 'Expected the genesis of this space, found that of another.')
  return follower
}

function notOfThisLog(size: number): SealError {
  return new SealError('bad-proof', `Expected the entries of this log; those before ${size} are others, or missing.`, { size })
}
