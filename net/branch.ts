/**
 * A relay that went back and then took other entries (PROTOCOL.md §9.3): what it has now, from where it parts from the history verified here. An admin
 * accepts that; whoever else is stuck goes over when the relay shows the acceptance.
 */
import { isSealError, SealError } from '../engine/errors.js'
import type { Branch } from '../engine/space/change-branch.js'
import { claimedOps } from '../engine/space/entry.js'
import { someOp } from '../engine/space/ops/encoded.js'
import type { SpaceSync } from '../engine/space/port.js'
import { enter, pull, pullStep, sizeOfNote } from './client.js'
import type { Rpc } from './rpc.js'
import type { Dial } from './transport.js'

/** What a client holds of another history before it gives up; each entry counts as so many bytes more, or short ones would take several times as much. */
const MAX_BRANCH_BYTES = 256 * 1024 * 1024
const BESIDE_RECORD = 1_024

/** Go over to the relay's history if an admin's acceptance in it lets this device. What the relay shows is believed by nobody: `resume` follows it. */
export async function goOver(space: Pick<SpaceSync, 'head' | 'commonWith' | 'evidence' | 'resume'>, rpc: Rpc): Promise<boolean> {
  let [latest, isNews, tried]: [Branch | undefined, boolean, number] = [undefined, false, 0]
  for await (const { branch, fresh } of branches(space, rpc)) {
    latest = branch
    isNews ||= fresh.some(carriesAcceptance)
    // Each time all of it is followed: so not at every acceptance that a relay shows, but when there is twice as much, and at the end.
    if (!isNews || branch.records.length < 2 * tried) continue
    const found = await resumed(space, branch)
    if (found !== undefined) return found
    isNews = false
    tried = branch.records.length
  }
  return latest !== undefined && isNews ? (await resumed(space, latest)) ?? false : false
}

/** Undefined if it was another loss that was accepted there. */
async function resumed(space: Pick<SpaceSync, 'evidence' | 'resume'>, branch: Branch): Promise<boolean | undefined> {
  try {
    const stopped = space.evidence.length > 0
    const { lost } = await space.resume(branch)
    return stopped || lost > 0
  } catch (error) {
    if (!isSealError(error, 'fork')) throw error
    return undefined
  }
}

/** The whole of it, over a connection of its own: for the admin who accepts it. */
export async function fetchBranch(space: SpaceSync, dial: Dial): Promise<Branch> {
  const rpc = await enter(space, dial)
  try {
    let whole: Branch | undefined
    for await (const { branch } of branches(space, rpc)) whole = branch
    return whole as Branch
  } finally {
    rpc.close()
  }
}

/** Unverified: only to know whether it is worth looking. */
export function carriesAcceptance(record: Uint8Array): boolean {
  return someOp(claimedOps(record), (op) => op === 'rollback.accept')
}

/** The branch as it grows, from one size that the relay has signed to the next, at least once. */
async function* branches(space: Pick<SpaceSync, 'head' | 'commonWith'>, rpc: Rpc): AsyncGenerator<{ readonly branch: Branch; readonly fresh: readonly Uint8Array[] }> {
  const { note } = await rpc.call({ kind: 'checkpoint', size: space.head.size }, 'checkpointIs')
  const size = sizeOfNote(note)
  const from = await space.commonWith(size, (index) => recordAt(rpc, index))
  const records: Uint8Array[] = []
  for (let bytes = 0; ;) {
    const step = await pullStep(rpc, from + records.length)
    for (const record of step.records) {
      records.push(record)
      bytes += record.length + BESIDE_RECORD
    }
    if (bytes > MAX_BRANCH_BYTES) throw new SealError('too-large', 'The relay’s other history is longer than a client can hold.', { records: records.length, bytes })
    yield { branch: { from, records, note: step.note }, fresh: step.records }
    if (step.records.length === 0 || from + records.length >= size) return
  }
}

export async function recordAt(rpc: Rpc, index: number): Promise<Uint8Array> {
  const { records: [record] } = await pull(rpc, index, 1)
  if (record === undefined) throw new SealError('bad-frame', 'The relay gave no entry where it has one by its own head.', { expected: index })
  return record
}
