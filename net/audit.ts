/** The background audit of a space that began at a snapshot: the entries before it are asked of the relay, and forgotten again once they are judged. */
import { SealError } from '../engine/errors.js'
import { MAX_BATCH_RECORDS } from '../engine/limits.js'
import { auditHistory, type HistoryReport } from '../engine/space/audit-history.js'
import type { Space } from '../engine/space/space.js'
import { greet } from './client.js'
import type { Rpc } from './rpc.js'
import type { Dial } from './transport.js'

/** How the history is judged in the background. */
export interface AuditOptions {
  readonly onProgress?: (entries: number, of: number) => void
  readonly signal?: AbortSignal
}

/**
 * Judges all entries from the first to the present head, whoever vouched for the state in between; alert `tampered` if they lead to another. What is
 * not held here comes over a connection of its own. The price is a second state in memory; the space goes on meanwhile.
 */
export async function auditFromRelay(space: Space, dial: Dial, { onProgress, signal }: AuditOptions = {}): Promise<HistoryReport> {
  const { env, head, log, store } = space
  const source = store.first > 0 ? await connect(space, dial, signal) : undefined
  try {
    const history = { env, head, log, first: store.first, records: (from: number, to: number) => space.records(from, to) }
    const report = await auditHistory(history, (from) => fetch(source, from), {
      onProgress: (entries, of) => {
        if (signal?.aborted) throw new SealError('disconnected', 'The audit was given up.', { entries, of })
        onProgress?.(entries, of)
      },
      pause: () => new Promise((resolve) => setTimeout(resolve, 0)),
    })
    if (report.kind === 'unsound') {
      space.raise({ code: 'tampered', message: `The entries lead to another state at size ${head.size} than the one verified here: whoever vouched for the state that this device began with vouched for a false one.`, facts: { size: head.size } })
    }
    return report
  } finally {
    source?.close()
  }
}

async function connect(space: Space, dial: Dial, signal: AbortSignal | undefined): Promise<Rpc> {
  const { relay } = space
  if (!relay) throw new SealError('bad-argument', 'This space is attached to no relay, and its first entries are not held here.', { first: space.store.first })
  const { rpc, name, nonce } = await greet(dial, relay.url, space.id, relay, signal)
  try {
    await rpc.call({ kind: 'auth', ...space.signChallenge(name, nonce) }, 'welcome')
    return rpc
  } catch (error) {
    rpc.close()
    throw error
  }
}

async function fetch(source: Rpc | undefined, from: number): Promise<readonly Uint8Array[]> {
  const answer = await source?.call({ kind: 'pull', from, limit: MAX_BATCH_RECORDS }, 'entries')
  if (answer?.from !== from) throw new SealError('bad-frame', 'The relay gave other entries than were asked for.', { expected: from, found: answer?.from })
  return answer.records
}
