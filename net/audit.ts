/** The background audit of a space that began at a snapshot: the entries before it are asked of the relay, and forgotten again once they are judged. */
import { SealError } from '../engine/errors.js'
import { MAX_BATCH_RECORDS } from '../engine/limits.js'
import { auditHistory, type HistoryReport } from '../engine/space/audit-history.js'
import type { Space } from '../engine/space/space.js'
import { greet } from './client.js'
import type { Dial } from './transport.js'

/**
 * Judges all entries from the first to the present head, whoever vouched for the state in between; alert `tampered` if they lead to another. Over a
 * connection of its own, at the price of a second state in memory; the space goes on meanwhile.
 */
export async function auditFromRelay(space: Space, dial: Dial, options: { readonly onProgress?: (entries: number, of: number) => void; readonly signal?: AbortSignal } = {}): Promise<HistoryReport> {
  const { relay, env, head, log, store } = space
  if (!relay) throw new SealError('bad-argument', 'This space is attached to no relay.')
  const { rpc, name, nonce } = await greet(dial, relay.url, space.id, relay, options.signal)
  const abort = (): void => rpc.close()
  options.signal?.addEventListener('abort', abort, { once: true })
  try {
    await rpc.call({ kind: 'auth', ...space.signChallenge(name, nonce) }, 'welcome')
    const report = await auditHistory(
      { env, head, log, first: store.first, records: (from, to) => space.records(from, to) },
      async (from) => {
        const answer = await rpc.call({ kind: 'pull', from, limit: MAX_BATCH_RECORDS }, 'entries')
        if (answer.from !== from) throw new SealError('bad-frame', 'The relay gave other entries than were asked for.', { expected: from, found: answer.from })
        return answer.records
      },
      (entries, of) => {
        options.signal?.throwIfAborted()
        options.onProgress?.(entries, of)
      },
    )
    if (report.kind === 'unsound') {
      space.raise({ code: 'tampered', message: `The entries lead to another state at size ${head.size} than the one verified here: whoever vouched for the state that this device began with vouched for a false one.`, facts: { size: head.size } })
    }
    return report
  } finally {
    options.signal?.removeEventListener('abort', abort)
    rpc.close()
  }
}
