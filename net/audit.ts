/** The background audit of a space that began at a snapshot: the entries before it are asked of the relay, and forgotten again once they are judged. */
import { SealError } from '../engine/errors.js'
import { auditHistory, type HistoryReport } from '../engine/space/audit-history.js'
import type { Space } from '../engine/space/space.js'
import { enter, pull } from './client.js'
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
  // A thin client holds none.
  const first = space.remote === undefined ? store.first : head.size
  const source = first > 0 ? await enter(space, dial, signal) : undefined
  try {
    const history = { env, head, log, first, records: (from: number, to: number) => space.records(from, to) }
    const report = await auditHistory(history, async (from) => source === undefined ? [] : (await pull(source, from)).records, {
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
