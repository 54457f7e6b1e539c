/**
 * The manifest of a snapshot for a newcomer (PROTOCOL.md §9.5): at which head, how the log goes on from there, and how the rows are cut. Nobody signs
 * it: the head is compared with one that is trusted, the frontier with its log root, and each chunk proves its own rows.
 */
import { Reader, Writer } from '../codec/canonical.js'
import { SealError } from '../errors.js'
import { MAX_SNAPSHOT_CHUNKS, MAX_SNAPSHOT_MANIFEST_LENGTH } from '../limits.js'
import { peakCount, type Frontier } from '../log/frontier.js'
import type { Row } from '../state/read.js'
import type { Head } from './types.js'

export interface SnapshotManifest {
  readonly head: Head
  readonly frontier: Frontier
  /** Rows of each chunk, at least one. */
  readonly counts: readonly number[]
}

const VERSION = 1
/** Keys and values of a chunk: more than this by at most its last row. */
const CHUNK_BYTES = 256 * 1024

export function encodeManifest({ head, frontier, counts }: SnapshotManifest): Uint8Array {
  const w = new Writer(256).u8(VERSION).varint(head.size).fixed(head.logRoot, 32).fixed(head.stateRoot, 32)
  for (const peak of frontier.peaks) w.fixed(peak, 32)
  return w.list(counts, MAX_SNAPSHOT_CHUNKS, (x, count) => void x.varint(count)).finish()
}

/** Throws `bad-encoding`, `too-large`, `unsupported-version`. That head and frontier are the right ones is for the caller to check. */
export function decodeManifest(bytes: Uint8Array): SnapshotManifest {
  if (bytes.length > MAX_SNAPSHOT_MANIFEST_LENGTH) {
    throw new SealError('too-large', `Expected a snapshot's manifest of at most ${MAX_SNAPSHOT_MANIFEST_LENGTH} bytes.`, { found: bytes.length })
  }
  const r = new Reader(bytes)
  const version = r.u8()
  if (version !== VERSION) throw new SealError('unsupported-version', `Expected a snapshot's manifest of version ${VERSION}.`, { version })
  const head = { size: r.varint(), logRoot: r.fixed(32).slice(), stateRoot: r.fixed(32).slice() }
  if (head.size === 0) throw r.bad('Expected a snapshot of at least one entry')
  const peaks = Array.from({ length: peakCount(head.size) }, () => r.fixed(32).slice())
  const counts = r.list(MAX_SNAPSHOT_CHUNKS, (x) => {
    const count = x.varint()
    if (count === 0) throw x.bad('Expected chunks of at least one row')
    return count
  })
  r.end()
  if (counts.length === 0) throw r.bad('Expected a snapshot of at least one chunk')
  return { head, frontier: { size: head.size, peaks }, counts }
}

/** How many rows each chunk has: bounded by bytes, so that a bad one costs little to fetch again. */
export function cutIntoChunks(rows: Iterable<Row>): readonly number[] {
  const counts: number[] = []
  let count = 0
  let bytes = 0
  for (const { key, value } of rows) {
    count++
    bytes += key.length + value.length
    if (bytes < CHUNK_BYTES) continue
    counts.push(count)
    count = 0
    bytes = 0
  }
  if (count > 0) counts.push(count)
  return counts
}
