/**
 * The audit: a store read from entry zero, everything recomputed, nothing believed. Every signature singly, every verdict, every root; then that
 * the store's verified head, its snapshot and its pending entries are what they claim to be, and that rows, indexes and counters of the
 * resulting state agree with each other.
 */
import { equalBytes } from '../codec/bytes.js'
import type { CryptoProvider } from '../crypto/provider.js'
import { isSealError, SealError } from '../errors.js'
import type { StateReader } from '../state/context.js'
import { KEY_KIND, prefixEnd } from '../state/keys.js'
import { StateTree } from '../state/tree.js'
import type { Store } from '../store/store.js'
import { sameHead } from './apply.js'
import { decodeObject } from './catalog.js'
import { verifyDeviceEvidence } from './device-evidence.js'
import { decodeRecord } from './entry.js'
import { verifyEvidence } from './evidence.js'
import { Follower } from './follower.js'
import { decodeDeviceSecrets, decodeHead, decodeOutboxItem, decodeRefusedItem, NAMES } from './persist.js'
import { readStoredSnapshot } from './snapshot.js'
import { snapshotTags } from './snapshot-image.js'
import type { Head, Verdict } from './types.js'

export interface AuditReport {
  readonly spaceId: Uint8Array
  readonly head: Head
  readonly applied: number
  /** Count per code. */
  readonly rejected: Readonly<Record<string, number>>
  readonly ignored: Readonly<Record<string, number>>
  readonly pending: number
  readonly tables: number
  readonly rows: number
  /** What does not hold, in words. Empty: sound. */
  readonly problems: readonly string[]
}

const BATCH = 1_000

/** Throws `store-corrupt` if the store can't be read; whatever else is wrong is a problem of the report. */
export async function audit(store: Store, crypto: CryptoProvider, onProgress?: (entries: number, of: number) => void): Promise<AuditReport> {
  if (store.first > 0) throw new SealError('out-of-scope', `The entries before ${store.first} are not held here; audit a store that has them.`, { first: store.first })
  const [genesis] = store.size > 0 ? await store.read(0, 1) : []
  if (!genesis) throw new SealError('bad-argument', 'This store holds no space.')
  const follower = Follower.found(crypto, genesis)
  const problems: string[] = []
  const tally = new Tally()
  tally.add({ kind: 'applied' })
  const stored = store.get(NAMES.head)
  const claimed = stored && decodeHead(stored)
  for (let from = 1; from < store.size; from += BATCH) {
    follower.followAll(await store.read(from, Math.min(store.size, from + BATCH)), 'check', ({ verdict }) => tally.add(verdict))
    onProgress?.(follower.head.size, store.size)
  }
  if (claimed && !sameHead(claimed, follower.head)) problems.push(`The stored head (size ${claimed.size}) is not the one its entries lead to (size ${follower.head.size}).`)
  const device = store.get(NAMES.device)
  if (device && !equalBytes(decodeDeviceSecrets(device).spaceId, follower.env.spaceId)) problems.push('The device secrets are of another space.')
  await checkSnapshot(store, follower, problems)
  const outbox = store.names(NAMES.outbox)
  for (const name of outbox) {
    if (decodeRecord(decodeOutboxItem(store.get(name) as Uint8Array).record).kind !== 'entry') problems.push(`The pending entry ${name} is malformed.`)
  }
  for (const name of store.names(NAMES.refused)) {
    if (decodeRecord(decodeRefusedItem(store.get(name) as Uint8Array).record).kind !== 'entry') problems.push(`The refused entry ${name} is malformed.`)
  }
  for (const name of store.names(NAMES.evidence)) {
    try {
      verifyEvidence(crypto, store.get(name) as Uint8Array)
    } catch (error) {
      if (!isSealError(error)) throw error
      problems.push(`What is stored as ${name} proves nothing: ${error.message}`)
    }
  }
  for (const name of store.names(NAMES.suspect)) {
    try {
      verifyDeviceEvidence(crypto, store.get(name) as Uint8Array)
    } catch (error) {
      if (!isSealError(error)) throw error
      problems.push(`What is stored as ${name} proves nothing: ${error.message}`)
    }
  }
  const counts = checkState(follower.state.tree, problems)
  const report = { spaceId: follower.env.spaceId, head: follower.head, ...tally, pending: outbox.length, ...counts, problems }
  follower.release()
  return report
}

class Tally {
  applied = 0
  readonly rejected: Record<string, number> = {}
  readonly ignored: Record<string, number> = {}

  add(verdict: Verdict): void {
    if (verdict.kind === 'applied') this.applied++
    else this[verdict.kind][verdict.code] = (this[verdict.kind][verdict.code] ?? 0) + 1
  }
}

async function checkSnapshot(store: Store, follower: Follower, problems: string[]): Promise<void> {
  try {
    const { crypto, spaceId } = follower.env
    const secrets = store.get(NAMES.device)
    // Without this device's secrets the tags of its snapshot say nothing: it is passed over.
    const tags = secrets && snapshotTags(crypto, crypto.signer(decodeDeviceSecrets(secrets).signingSeed), spaceId)
    const snapshot = await readStoredSnapshot(store, follower.env, tags)
    if (!snapshot) return
    const { size, logRoot } = snapshot.head
    if (size > follower.head.size || !equalBytes(follower.log.root(size), logRoot)) problems.push(`The snapshot (size ${size}) is of another history.`)
    else if (size === follower.head.size && !sameHead(snapshot.head, follower.head)) problems.push('The snapshot holds another state.')
    else if (!equalBytes(recomputedRoot(snapshot), snapshot.head.stateRoot)) problems.push('The hashes in the snapshot are not those of its rows.')
    snapshot.release()
  } catch (error) {
    if (!isSealError(error, 'store-corrupt')) throw error
    problems.push(error.message)
  }
}

/** Out of the rows alone: a snapshot that is an image brings its hashes along. */
function recomputedRoot(snapshot: Follower): Uint8Array {
  const states = new StateTree(snapshot.env.crypto)
  return states.root(states.build(snapshot.state.tree.scan(new Uint8Array(0))))
}

/** Rows against indexes: every table has as many index entries as rows in each index, and each names a row that is there. */
function checkState(tree: StateReader, problems: string[]): { readonly tables: number; readonly rows: number } {
  let tables = 0
  let rows = 0
  for (const { key, value } of kind(tree, KEY_KIND.object)) {
    if (!decodeObject(value).table) continue
    tables++
    const id = key.slice(1, 5)
    const prefix = Uint8Array.of(KEY_KIND.row, ...id)
    const rowCount = tree.count(prefix, prefixEnd(prefix))
    rows += rowCount
    const indexes = Uint8Array.of(KEY_KIND.index, ...id)
    for (const entry of tree.scan(indexes, prefixEnd(indexes))) {
      const row = new Uint8Array(prefix.length + entry.value.length)
      row.set(prefix)
      row.set(entry.value, prefix.length)
      if (tree.get(row) === undefined) problems.push(`An index entry of table ${new DataView(id.buffer).getUint32(0)} names a row that is not there.`)
    }
  }
  return { tables, rows }
}

function kind(tree: StateReader, code: number): Iterable<{ readonly key: Uint8Array; readonly value: Uint8Array }> {
  return tree.scan(Uint8Array.of(code), Uint8Array.of(code + 1))
}
