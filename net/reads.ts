/**
 * Reading at a relay what one doesn't hold: queries go out, pages come back, each verified against a state root that is trusted for another reason before
 * the next is asked for. Nothing a relay says changes an answer: it can refuse, or be caught.
 */
import { Writer } from '../engine/codec/canonical.js'
import type { Sha256 } from '../engine/crypto/provider.js'
import { SealError } from '../engine/errors.js'
import { MAX_READ_LENGTH } from '../engine/limits.js'
import type { Head } from '../engine/space/types.js'
import { verifyPage, type Page, type VerifiedPage } from '../engine/state/pages.js'
import { writeQueries, type Answer, type AnswersOf, type Query } from '../engine/state/queries.js'
import type { Row } from '../engine/state/read.js'
import type { Rpc } from './rpc.js'

/** What is asked and gets an answer: a connection that has proved a key. */
export type Asker = Pick<Rpc, 'call'>

/**
 * One page, verified. Throws `relay-refused`: `gone` (the relay has no state of that size at hand), `rate`; `bad-proof`, `bad-encoding` and
 * `too-large` (hostile) for an answer that is not of `head`; `too-large` for more queries than go into a message.
 */
export async function readPage(rpc: Asker, hash: Sha256, head: Head, queries: readonly Query[]): Promise<VerifiedPage> {
  return verifyPage(hash, head.stateRoot, queries, await askPage(rpc, head, queries))
}

/** The same, not verified yet. */
export async function askPage(rpc: Asker, head: Head, queries: readonly Query[]): Promise<Page> {
  const w = new Writer(1_024)
  writeQueries(w, queries)
  const bytes = w.finish()
  if (bytes.length > MAX_READ_LENGTH) throw new SealError('bad-argument', `Expected queries of at most ${MAX_READ_LENGTH} bytes; ask for less at once.`, { found: bytes.length })
  return rpc.call({ kind: 'read', size: head.size, queries: bytes }, 'page')
}

/**
 * All answers, page by page. What is held is what is asked for: give scans a limit, or take pages one by one.
 *
 * @example
 * const [value, rows] = await readAt(rpc, crypto, head, [{ kind: 'get', key }, { kind: 'scan', lo, hi, limit: 100 }])
 */
export async function readAt<const L extends readonly Query[]>(rpc: Asker, hash: Sha256, head: Head, queries: L): Promise<AnswersOf<L>> {
  const answers: Answer[] = []
  /** Rows so far of a scan that was cut. */
  let begun: readonly Row[] | undefined
  let rest: readonly Query[] = queries
  do {
    const page = await readPage(rpc, hash, head, rest)
    const found = [...page.answers]
    if (begun !== undefined) found[0] = [...begun, ...(found[0] as readonly Row[])]
    begun = page.cut ? (found.pop() as readonly Row[]) : undefined
    answers.push(...found)
    rest = page.rest
  } while (rest.length > 0)
  return answers as unknown as AnswersOf<L>
}
