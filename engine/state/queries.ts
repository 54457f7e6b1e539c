/**
 * Reads as data: what a client asks and a relay proves. A list of queries has one proof, in which they share what they open.
 *
 * @example
 * const proof = prove(tree, version, [{ kind: 'get', key }, { kind: 'count', lo, hi }])
 * const { answers: [value, count] } = verify(hash, root, [{ kind: 'get', key }, { kind: 'count', lo, hi }], proof)
 */
import type { Sha256 } from '../crypto/provider.js'
import { SealError } from '../errors.js'
import { MAX_COUNT, MAX_KEY_LENGTH, MAX_READS } from '../limits.js'
import type { Reader as Bytes, Writer } from '../codec/canonical.js'
import type { Row } from './read.js'
import { replay } from './record.js'
import type { StateTree } from './tree.js'
import type { State, StateReader, Version } from './view.js'

export interface GetQuery { readonly kind: 'get'; readonly key: Uint8Array }
export interface HasQuery { readonly kind: 'has'; readonly key: Uint8Array }
export interface ScanQuery { readonly kind: 'scan'; readonly lo?: Uint8Array | undefined; readonly hi?: Uint8Array | undefined; readonly reverse?: boolean | undefined; readonly limit?: number | undefined }
export interface CountQuery { readonly kind: 'count'; readonly lo?: Uint8Array | undefined; readonly hi?: Uint8Array | undefined }
export interface RankQuery { readonly kind: 'rank'; readonly key: Uint8Array }
export interface NthQuery { readonly kind: 'nth'; readonly n: number }
export interface SubtreeRootQuery { readonly kind: 'subtreeRoot'; readonly prefix: Uint8Array }
export type Query = GetQuery | HasQuery | ScanQuery | CountQuery | RankQuery | NthQuery | SubtreeRootQuery

/** What each query is answered with. */
export type AnswerOf<Q extends Query> = Q extends GetQuery
  ? Uint8Array | undefined
  : Q extends HasQuery
    ? boolean
    : Q extends ScanQuery
      ? readonly Row[]
      : Q extends CountQuery | RankQuery
        ? number
        : Q extends NthQuery
          ? Row | undefined
          : Uint8Array

export type Answer = AnswerOf<Query>
export type AnswersOf<L extends readonly Query[]> = { readonly [I in keyof L]: AnswerOf<L[I]> }

declare const verified: unique symbol
/** Answers that a proof has shown to be those of the state with that root. */
export interface VerifiedReads<L extends readonly Query[] = readonly Query[]> {
  readonly [verified]: true
  readonly root: Uint8Array
  readonly answers: AnswersOf<L>
  /** Everything the proof covers, to be asked again: `out-of-scope` for the rest. */
  readonly state: State
}

/** One proof for all of the queries. */
export function prove(tree: StateTree, version: Version, queries: readonly Query[]): Uint8Array {
  checkQueries(queries)
  return tree.record(version, (state) => { for (const query of queries) answer(state, query) }).proof
}

/** The answers, or `bad-proof`, `bad-encoding`, `too-large`. The queries are the caller's own, never the sender's. */
export function verify<const L extends readonly Query[]>(hash: Sha256, root: Uint8Array, queries: L, proof: Uint8Array): VerifiedReads<L> {
  checkQueries(queries)
  const { answers, state } = replay(hash, root, proof, (traced) => ({ answers: queries.map((query) => answer(traced, query)), state: traced.untraced() }))
  return { root: root.slice(), answers, state } as unknown as VerifiedReads<L>
}

export function answer(state: StateReader, query: Query): Answer {
  switch (query.kind) {
    case 'get': return state.get(query.key)
    case 'has': return state.has(query.key)
    case 'scan': return [...state.scan(query)]
    case 'count': return state.count(query)
    case 'rank': return state.rank(query.key)
    case 'nth': return state.nth(query.n)
    case 'subtreeRoot': return state.subtreeRoot(query.prefix)
  }
}

/** Count, then the queries: kind, then its fields. For requests and receipts. */
export function writeQueries(out: Writer, queries: readonly Query[]): void {
  checkQueries(queries)
  out.list(queries, MAX_READS, (to, query) => {
    to.u8(KINDS.indexOf(query.kind))
    switch (query.kind) {
      case 'get': case 'has': case 'rank': to.bytes(query.key); break
      case 'scan': writeRange(to, query); to.bool(query.reverse === true).optional(query.limit, (at, limit) => at.varint(limit)); break
      case 'count': writeRange(to, query); break
      case 'nth': to.varint(query.n); break
      case 'subtreeRoot': to.bytes(query.prefix); break
    }
  })
}

export function readQueries(input: Bytes): readonly Query[] {
  return input.list(MAX_READS, (from): Query => {
    const kind = KINDS[from.u8()]
    if (kind === undefined) throw from.bad('Expected a kind of query')
    switch (kind) {
      case 'get': case 'has': case 'rank': return { kind, key: from.copyBytes(MAX_BOUND_LENGTH) }
      case 'scan': return { kind, ...readRange(from), reverse: from.bool(), limit: from.optional((at) => at.varint()) }
      case 'count': return { kind, ...readRange(from) }
      case 'nth': return { kind, n: from.varint() }
      case 'subtreeRoot': return { kind, prefix: from.copyBytes(MAX_BOUND_LENGTH) }
    }
  }, 2)
}

const KINDS = ['get', 'has', 'scan', 'count', 'rank', 'nth', 'subtreeRoot'] as const satisfies readonly Query['kind'][]

/** A bound is a key, or one byte more: the first after all that begin with a key. */
const MAX_BOUND_LENGTH = MAX_KEY_LENGTH + 1

type Bounds = Pick<CountQuery, 'lo' | 'hi'>

function writeRange(out: Writer, { lo, hi }: Bounds): void {
  out.optional(lo, (to, bound) => to.bytes(bound)).optional(hi, (to, bound) => to.bytes(bound))
}

function readRange(input: Bytes): Bounds {
  const bound = (from: Bytes) => from.copyBytes(MAX_BOUND_LENGTH)
  return { lo: input.optional(bound), hi: input.optional(bound) }
}

/** Throws `too-large` or `bad-argument`. */
export function checkQueries(queries: readonly Query[]): void {
  if (queries.length > MAX_READS) throw tooLarge('queries', queries.length, MAX_READS)
  for (const query of queries) {
    checkBound('key' in query ? query.key : 'prefix' in query ? query.prefix : 'lo' in query ? query.lo : undefined)
    if ('hi' in query) checkBound(query.hi)
    const number = query.kind === 'nth' ? query.n : query.kind === 'scan' ? (query.limit ?? 0) : 0
    if (!Number.isSafeInteger(number) || number < 0 || number > MAX_COUNT) throw new SealError('bad-argument', `Expected a whole number below 2^48, got ${number}.`)
  }
}

function checkBound(key: Uint8Array | undefined): void {
  if (key !== undefined && key.length > MAX_BOUND_LENGTH) throw tooLarge('bytes in a bound', key.length, MAX_BOUND_LENGTH)
}

function tooLarge(what: string, found: number, max: number): SealError {
  return new SealError('too-large', `Expected at most ${max} ${what}, got ${found}.`, { found, max })
}
