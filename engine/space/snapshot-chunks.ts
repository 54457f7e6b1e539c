/**
 * A snapshot for a newcomer (PROTOCOL.md §9.5), both ends: a source that cuts a held state into chunks, and a reader that takes them in any order from
 * whoever has them. Each chunk is a read proof of the trusted state root, so a bad one is known at once, by its number, and costs only itself.
 *
 * @example
 * const reader = new SnapshotReader(crypto, link.anchor, source.manifest)
 * for (const chunk of reader.missing) {
 *   const { from, count } = reader.range(chunk)
 *   reader.accept(chunk, source.rows(from, count))
 * }
 * const follower = reader.finish(env) // entries from link.anchor.size on are followed from here
 */
import { equalBytes } from '../codec/bytes.js'
import type { Sha256 } from '../crypto/provider.js'
import { isSealError, SealError } from '../errors.js'
import { MAX_SNAPSHOT_CHUNK_LENGTH } from '../limits.js'
import { frontierRoot } from '../log/frontier.js'
import { LogTree } from '../log/tree.js'
import type { ApplyEnv } from '../state/context.js'
import type { Row } from '../state/read.js'
import { replay } from '../state/record.js'
import { StateTree } from '../state/tree.js'
import type { StateReader } from '../state/view.js'
import { headOf, sameHead } from './apply.js'
import { Follower, type HeldState } from './follower.js'
import { cutIntoChunks, decodeManifest, encodeManifest, type SnapshotManifest } from './snapshot-manifest.js'
import type { Head } from './types.js'

/** What a chunk's proof opens. Prover and verifier run the same. */
function readRows(state: StateReader, from: number, count: number, onBytes?: (bytes: number) => void): readonly Row[] {
  const first = state.nth(from)
  if (first === undefined) throw new SealError('bad-argument', 'Expected rows that the state has.', { from, count: state.count() })
  const rows: Row[] = []
  for (const row of state.scan({ lo: first.key, limit: count })) {
    rows.push(row)
    onBytes?.(row.key.length + row.value.length)
  }
  return rows
}

/** A state to hand out. Takes over the claim on it. */
export class SnapshotSource {
  readonly head: Head
  /** Claimed by the source. */
  readonly held: HeldState
  readonly #states: StateTree
  #manifest: Uint8Array | undefined

  constructor(env: ApplyEnv, states: StateTree, held: HeldState) {
    this.head = headOf(env, held)
    this.#states = states
    this.held = held
  }

  /** Walks all rows when first asked for. */
  get manifest(): Uint8Array {
    return (this.#manifest ??= encodeManifest({ head: this.head, frontier: this.held.log, counts: cutIntoChunks(this.held.tree.state.scan()) }))
  }

  /** A chunk of rows `[from, from + count)`. Throws `bad-argument` for rows that are not there, `too-large` for more than a chunk holds. */
  rows(from: number, count: number): Uint8Array {
    const max = this.held.tree.state.count()
    if (!Number.isSafeInteger(from) || !Number.isSafeInteger(count) || from < 0 || count < 1 || from + count > max) {
      throw new SealError('bad-argument', `Expected at least one of ${max} rows.`, { from, count, max })
    }
    let bytes = 0
    const { proof } = this.#states.record(this.held.tree.state.version, (state) => {
      readRows(state, from, count, (more) => {
        bytes += more
        if (bytes > MAX_SNAPSHOT_CHUNK_LENGTH) throw tooLarge(bytes)
      })
    })
    if (proof.length > MAX_SNAPSHOT_CHUNK_LENGTH) throw tooLarge(proof.length)
    return proof
  }

  release(): void {
    this.held.tree.release()
  }
}

/** Takes a snapshot of a head that is trusted for another reason: a link's anchor. */
export class SnapshotReader {
  readonly manifest: SnapshotManifest
  readonly #crypto: Sha256
  /** Where each chunk begins, and after the last one the number of all rows. */
  readonly #starts: readonly number[]
  readonly #chunks: (readonly Row[] | undefined)[]

  /** Throws `bad-encoding`, `too-large`, `unsupported-version`, and `bad-proof` for a manifest of another head or another log. */
  constructor(crypto: Sha256, trusted: Head, manifest: Uint8Array) {
    this.#crypto = crypto
    this.manifest = decodeManifest(manifest)
    const { head, frontier, counts } = this.manifest
    if (!sameHead(head, trusted)) throw new SealError('bad-proof', 'Expected a snapshot of the head that is trusted, found one of another.', { expected: trusted.size, found: head.size })
    if (!equalBytes(frontierRoot(crypto, frontier), head.logRoot)) throw new SealError('bad-proof', 'Expected the log’s own frontier in the snapshot’s manifest.', { size: head.size })
    const starts = [0]
    for (const count of counts) starts.push((starts[starts.length - 1] as number) + count)
    this.#starts = starts
    this.#chunks = counts.map(() => undefined)
  }

  /** Numbers of the chunks that are still to come. */
  get missing(): readonly number[] {
    return [...this.#chunks.keys()].filter((chunk) => this.#chunks[chunk] === undefined)
  }
  /** Of all chunks. */
  get rowCount(): number {
    return this.#starts[this.#starts.length - 1] as number
  }

  /** What to ask a source for. */
  range(chunk: number): { readonly from: number; readonly count: number } {
    const count = this.manifest.counts[chunk]
    if (count === undefined) throw new SealError('bad-argument', `Expected one of ${this.#chunks.length} chunks.`, { chunk })
    return { from: this.#starts[chunk] as number, count }
  }

  /** Throws `bad-proof`, `bad-encoding` or `too-large` with the chunk's number; then nothing of it is kept. Taking one again changes nothing. */
  accept(chunk: number, bytes: Uint8Array): void {
    const { from, count } = this.range(chunk)
    if (bytes.length > MAX_SNAPSHOT_CHUNK_LENGTH) throw tooLarge(bytes.length, chunk)
    try {
      this.#chunks[chunk] = replay(this.#crypto, this.manifest.head.stateRoot, bytes, (state) => {
        if (state.count() !== this.rowCount) throw new SealError('bad-proof', 'Expected a manifest that cuts all rows of the state.', { rows: state.count(), cut: this.rowCount })
        return readRows(state, from, count)
      })
    } catch (error) {
      if (!isSealError(error) || error.family !== 'hostile') throw error
      throw new SealError(error.code, `Chunk ${chunk} of the snapshot: ${error.message}`, { ...error.facts, chunk }, { cause: error })
    }
  }

  /** The log at the snapshot's head, to be followed from there. Throws `bad-argument` while a chunk is missing. */
  finish(env: ApplyEnv): Follower {
    const { missing } = this
    if (missing.length > 0) throw new SealError('bad-argument', `Expected all chunks; ${missing.length} are missing.`, { missing: missing.length, first: missing[0] })
    const { head, frontier } = this.manifest
    const states = new StateTree(env.crypto)
    const version = states.build(inOrder(this.#chunks))
    // Each chunk has proved its rows and their places, and together they are all: another root is a bug.
    if (!equalBytes(states.root(version), head.stateRoot)) throw new SealError('invariant', 'A snapshot of good chunks gives another state. Please report this.', { size: head.size })
    return Follower.resume(env, states, version, new LogTree(env.crypto, frontier))
  }
}

function* inOrder(chunks: readonly (readonly Row[] | undefined)[]): Iterable<Row> {
  for (const rows of chunks) yield* rows ?? []
}

function tooLarge(found: number, chunk?: number): SealError {
  return new SealError('too-large', `Expected a chunk of at most ${MAX_SNAPSHOT_CHUNK_LENGTH} bytes.`, { found, max: MAX_SNAPSHOT_CHUNK_LENGTH, chunk })
}
