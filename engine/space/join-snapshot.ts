/**
 * The state that a newcomer starts from: the snapshot at the link's anchor, taken chunk by chunk and kept as it comes, so that a join that was cut off
 * goes on where it was. What is kept is verified again when it is read back; what does not verify is fetched again.
 *
 *     join/manifest     what is being fetched
 *     join/chunk/<n>    accepted so far
 */
import type { ApplyEnv } from '../state/context.js'
import type { Batch, Store } from '../store/store.js'
import { isSealError } from '../errors.js'
import { sameHead } from './apply.js'
import type { Follower } from './follower.js'
import { JOIN_PREFIX, leftOfJoining } from './left-of-joining.js'
import { readStoredSnapshot, writeStoredSnapshot } from './snapshot.js'
import { SnapshotReader } from './snapshot-chunks.js'
import type { Head } from './types.js'

/** Who has snapshots. Answers are believed in nothing. */
export interface SnapshotChannel {
  /** The manifest of the state after `size` entries; undefined if there is none to be had. */
  manifest(size: number): Promise<Uint8Array | undefined>
  /** The chunk of rows `[from, from + count)` of it; undefined if it is no longer to be had: the log is replayed then. */
  rows(size: number, from: number, count: number): Promise<Uint8Array | undefined>
}

const MANIFEST = `${JOIN_PREFIX}manifest`
const chunkName = (chunk: number): string => `${JOIN_PREFIX}chunk/${String(chunk).padStart(7, '0')}`

/**
 * A follower at `anchor`, its state in the store as a snapshot; undefined if nobody has that state. Throws what SnapshotReader does for a snapshot that
 * is not what it should be: with `facts.chunk` if it is one chunk; the others stay.
 */
export async function takeSnapshot(store: Store, env: ApplyEnv, anchor: Head, channel: SnapshotChannel, onRows?: (rows: number, of: number) => void): Promise<Follower | undefined> {
  const done = await storedAt(store, env, anchor)
  if (done) return done
  const resumed = resume(store, env, anchor)
  const manifest = resumed ? undefined : await channel.manifest(anchor.size)
  const reader = resumed ?? (manifest && new SnapshotReader(env.crypto, anchor, manifest))
  if (!reader) return undefined
  // The first chunk that verifies says that the manifest cuts this state: before that it is not kept, or a bad one would stay.
  let before: NonNullable<Batch['put']> = manifest ? [...leftOfJoining(store), [MANIFEST, manifest.slice()]] : []
  let rows = reader.rowCount
  for (const chunk of reader.missing) rows -= reader.range(chunk).count
  onRows?.(rows, reader.rowCount)
  for (const chunk of reader.missing) {
    const { from, count } = reader.range(chunk)
    const bytes = await channel.rows(anchor.size, from, count)
    if (bytes === undefined) return undefined
    reader.accept(chunk, bytes)
    await store.commit({ put: [...before, [chunkName(chunk), bytes.slice()]] })
    before = []
    onRows?.((rows += count), reader.rowCount)
  }
  const follower = reader.finish(env)
  const held = follower.hold()
  try {
    await writeStoredSnapshot(store, follower.head, held, follower.log)
  } finally {
    held.tree.release()
  }
  await store.commit({ put: leftOfJoining(store) })
  return follower
}

/** All chunks were there already, and the process ended after that. */
async function storedAt(store: Store, env: ApplyEnv, anchor: Head): Promise<Follower | undefined> {
  try {
    const follower = await readStoredSnapshot(store, env)
    if (follower && sameHead(follower.head, anchor)) return follower
    follower?.release()
  } catch (error) {
    if (!isSealError(error, 'store-corrupt')) throw error // damaged: it is fetched again
  }
  return undefined
}

function resume(store: Store, env: ApplyEnv, anchor: Head): SnapshotReader | undefined {
  const manifest = store.get(MANIFEST)
  if (manifest === undefined) return undefined
  const reader = unlessHostile(() => new SnapshotReader(env.crypto, anchor, manifest))
  if (!reader) return undefined
  const all = reader.missing
  for (const chunk of all) {
    const bytes = store.get(chunkName(chunk))
    if (bytes !== undefined) unlessHostile(() => reader.accept(chunk, bytes))
  }
  return reader.missing.length < all.length ? reader : undefined
}

/** What was kept of an earlier try, for another link or on a damaged disk, is no longer wanted. */
function unlessHostile<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (!isSealError(error) || (error.family !== 'hostile' && error.code !== 'unsupported-version')) throw error
    return undefined
  }
}
