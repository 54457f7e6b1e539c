/**
 * Reads that travel (PROTOCOL.md §5, *Pages*): a list of queries is answered in pages, each with one proof, so that neither side holds more than it wants
 * to. The prover cuts; what it cut is part of what the verifier checks, so a page shows what it leaves open and can't leave out anything else.
 *
 * @example
 * const page = provePage(tree, version, [{ kind: 'scan', lo, hi }], { rows: 1_000, bytes: 1 << 20 })
 * const { answers, rest } = verifyPage(hash, root, [{ kind: 'scan', lo, hi }], page) // then ask for `rest`, until it is empty
 */
import type { Sha256 } from '../crypto/provider.js'
import { SealError } from '../errors.js'
import { answer, checkQueries, type Answer, type Query, type ScanQuery } from './queries.js'
import type { Row } from './read.js'
import { replay } from './record.js'
import type { StateTree } from './tree.js'
import type { State, StateReader, Version } from './view.js'

export interface Page {
  /** Queries that are answered whole, from the first. */
  readonly answered: number
  /** Rows of the next one, a scan, that are here; 0: none. */
  readonly rows: number
  readonly proof: Uint8Array
}

/** After so many rows, or bytes of rows, a page ends. One query, or row of a scan, is always in it. */
export interface PageBudget { readonly rows: number; readonly bytes: number }

declare const verified: unique symbol
/** Answers that a proof has shown to be those of the state with that root. */
export interface VerifiedPage {
  readonly [verified]: true
  /** Of the queries in order; the last may be some rows of a scan. */
  readonly answers: readonly Answer[]
  /** What is left to be asked; the first may be the rest of a scan. */
  readonly rest: readonly Query[]
  /** The last of the answers is to be continued by the first of the rest. */
  readonly cut: boolean
  /** Everything the proof covers. */
  readonly state: State
}

/** What opening a node on the way costs a page, roughly: reads that return nothing have proofs, too. */
const QUERY_BYTES = 512

export function provePage(tree: StateTree, version: Version, queries: readonly Query[], budget: PageBudget): Page {
  checkQueries(queries)
  const { result, proof } = tree.record(version, (state) => readWithin(state, queries, budget))
  return { ...result, proof }
}

function readWithin(state: StateReader, queries: readonly Query[], budget: PageBudget): { readonly answered: number; readonly rows: number } {
  let rows = 0
  let bytes = 0
  const full = (): boolean => rows >= budget.rows || bytes >= budget.bytes
  for (const [answered, query] of queries.entries()) {
    if (answered > 0 && full()) return { answered, rows: 0 }
    bytes += QUERY_BYTES
    if (query.kind !== 'scan') {
      rows++
      bytes += lengthOf(answer(state, query))
      continue
    }
    let own = 0
    for (const row of state.scan(query)) {
      rows++
      own++
      bytes += row.key.length + row.value.length
      // Nothing beyond the row that was just read is opened: it is the scan with that limit.
      if (full() && own < (query.limit ?? Infinity)) return { answered, rows: own }
    }
  }
  return { answered: queries.length, rows: 0 }
}

/** Throws `bad-proof`, `bad-encoding`, `too-large`. The queries are the caller's own, never the sender's. */
export function verifyPage(hash: Sha256, root: Uint8Array, queries: readonly Query[], { answered, rows, proof }: Page): VerifiedPage {
  checkQueries(queries)
  const next = queries[answered]
  if (answered > queries.length || (answered === 0 && rows === 0 && next !== undefined)) throw notAPage(answered, rows)
  if (rows > 0 && (next?.kind !== 'scan' || rows >= (next.limit ?? Infinity))) throw notAPage(answered, rows)
  const asked = [...queries.slice(0, answered), ...(rows > 0 ? [{ ...(next as ScanQuery), limit: rows }] : [])]
  const { answers, state } = replay(hash, root, proof, (traced) => ({ answers: asked.map((query) => answer(traced, query)), state: traced.untraced() }))
  const last = rows > 0 ? (answers[answered] as readonly Row[]) : []
  if (last.length !== rows) throw notAPage(answered, rows)
  const rest = rows > 0 ? [after(next as ScanQuery, last), ...queries.slice(answered + 1)] : queries.slice(answered)
  return { answers, rest, cut: rows > 0, state } as unknown as VerifiedPage
}

/** The scan from where these rows end. No key begins another, so the next one is not below the last key with a zero after it. */
function after(query: ScanQuery, rows: readonly Row[]): ScanQuery {
  const { key } = rows[rows.length - 1] as Row
  const limit = query.limit === undefined ? {} : { limit: query.limit - rows.length }
  if (query.reverse === true) return { ...query, hi: key, ...limit }
  const lo = new Uint8Array(key.length + 1)
  lo.set(key)
  return { ...query, lo, ...limit }
}

function lengthOf(found: Answer): number {
  return found instanceof Uint8Array ? found.length : typeof found === 'object' && 'value' in found ? found.value.length : 0
}

function notAPage(answered: number, rows: number): SealError {
  return new SealError('bad-proof', 'Expected a page that answers some of the queries, the first of them, and no others.', { answered, rows })
}
