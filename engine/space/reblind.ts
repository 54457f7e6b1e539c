/**
 * Re-blinding (PROTOCOL.md §8.6): every name, row key and unique token goes over to a new blinding secret, in entries of a bounded size, while everybody goes on reading
 * and writing. What is left to do is in the state: whoever calls next, after a crash or on another admin's device, goes on from there.
 */
import { SealError } from '../errors.js'
import { buildRotate } from '../group/build-epoch.js'
import { FIRST_EPOCH } from '../group/ops/genesis.js'
import { listDevices, readMeta, type GroupReader } from '../group/roster.js'
import { readEpoch } from '../group/epochs.js'
import { buildReblind, type Step } from './build-steps.js'
import { reblinding } from './outstanding.js'
import { insist, settle, settleUnlessEmpty, workbenchOf } from './settle.js'
import type { Space } from './space.js'
import type { CatalogObject } from './types.js'

export interface ReblindProgress {
  /** Rows and names that went over in this call, and those that lie under the older secret yet. */
  readonly moved: number
  readonly left: number
}

export interface ReblindOptions {
  /** The name that an object was created under: only whoever reads SQL knows. */
  readonly nameOf: (object: CatalogObject) => string
  readonly onProgress?: (progress: ReblindProgress) => void
  readonly signal?: AbortSignal
}

/** Ops of one entry: what others write meanwhile to one of these rows is a conflict, and one of the two is done again. */
const STEP = 5_000
const LEAST_STEP = 50
/** Conflicts one after another, with entries of the least size, after which others are too quick. */
const MAX_CONFLICTS = 100

/**
 * Move everything to a new blinding secret, so that who was removed can't test guesses of keys against what is written from now on. Admins only. One that was begun
 * is ended first; another follows if somebody was removed after it had begun, who therefore knows its secret. Throws `rejected` (`stuck`) if rows stand in the way.
 */
export async function reblind(space: Space, options: ReblindOptions): Promise<void> {
  const begun = reblinding(space.currentState)
  if (begun !== undefined) {
    await moveAll(space, options)
    if (!isKnownToRemoved(space.currentState)) return
  }
  const { generation } = readMeta(space.currentState)
  await insist(async () => {
    if (readMeta(space.currentState).generation > generation) return // another admin was faster
    await settle(space, (context) => [buildRotate(context, { reblind: true })])
  }, MAX_CONFLICTS)
  await moveAll(space, options)
}

async function moveAll(space: Space, options: ReblindOptions): Promise<void> {
  let moved = 0
  let size = STEP
  for (;;) {
    options.signal?.throwIfAborted()
    const { length, stuck } = await insist(() => step(space, options, size), MAX_CONFLICTS, () => { size = Math.max(LEAST_STEP, size >> 1) })
    if (length === 0 && stuck > 0) {
      throw new SealError('rejected', `${stuck} rows don't open, or share a key with another one: delete them, then go on.`, { code: 'rule', detail: 'stuck', stuck })
    }
    moved += length
    const left = reblinding(space.currentState)?.left
    if (left === undefined) return
    options.onProgress?.({ moved, left })
    if (length > 0) continue
    await insist(async () => {
      if (reblinding(space.currentState) !== undefined) await settle(space, (context) => [buildRotate(context, { dropOldBlinding: true })])
    }, MAX_CONFLICTS)
    return
  }
}

/** One entry; how many ops it had. */
async function step(space: Space, { nameOf }: ReblindOptions, size: number): Promise<{ readonly length: number; readonly stuck: number }> {
  let made: Step = { ops: [], stuck: [] }
  await settleUnlessEmpty(space, (context) => (made = buildReblind(workbenchOf(space, context), nameOf, size)).ops)
  return { length: made.ops.length, stuck: made.stuck.length }
}

/** Somebody who was removed was given the newest blinding secret before that, or may have been. */
function isKnownToRemoved(state: GroupReader): boolean {
  const { epoch, firstEpoch, generation } = readMeta(state)
  let since = 0
  for (let e = epoch; e >= firstEpoch; e--) {
    const record = readEpoch(state, e)
    if (record === undefined) continue // void
    if (!record.generations.some((g) => g.generation === generation)) break
    // What came before a forget is not known any more.
    since = e === firstEpoch && e > FIRST_EPOCH ? 0 : record.startedAt
  }
  return listDevices(state).some(({ removedAt }) => removedAt !== undefined && removedAt >= since)
}
