/**
 * The log as people read it: who did what, and what became of it. Verdicts aren't stored, they are computed; so the log is followed from the
 * state before the first that is shown. Every record is one that was verified here before.
 */
import type { SealedSpace } from 'sealdb'
import { encodeHex } from '../../engine/codec/bytes.js'
import { isSealError } from '../../engine/errors.js'
import { decodeRecord, type Entry } from '../../engine/space/entry.js'
import { Follower } from '../../engine/space/follower.js'

export interface LogLine {
  readonly index: number
  readonly time: string
  readonly member: string
  readonly device: number
  /** Ops by kind, as `insert ×3`. */
  readonly what: string
  readonly verdict: string
  readonly bytes: number
  readonly hash: string
}

const BATCH = 1_000

/** The last `count` entries, oldest first. Fewer if history starts later here: whoever joined from a snapshot holds what came after it. */
export async function readLog(space: SealedSpace, count: number, onProgress?: (done: number, of: number) => void): Promise<readonly LogLine[]> {
  const { engine } = space
  const { size } = engine.head
  const { follower, from } = await followFrom(engine, Math.max(engine.store.first, size - count))
  const lines: LogLine[] = []
  const people = nameDevices(space)
  try {
    for (let at = from; at < size; at += BATCH) {
      for (const [offset, record] of (await engine.records(at, Math.min(size, at + BATCH))).entries()) {
        const index = at + offset
        const verdict = index === 0 ? ({ kind: 'applied' } as const) : follower.follow(record, 'trusted').verdict
        const decoded = decodeRecord(record)
        const entry = decoded.kind === 'entry' ? decoded.entry : undefined
        const device = entry?.device ?? 0
        lines.push({
          index, device, member: people(device), time: entry ? timeOf(entry) : '', what: entry ? whatOf(entry) : decoded.kind, bytes: record.length,
          verdict: verdict.kind === 'applied' ? 'applied' : `${verdict.kind}: ${verdict.code}${verdict.detail === undefined ? '' : ` (${verdict.detail})`}`,
          hash: encodeHex(engine.log.leaf(index)),
        })
      }
      onProgress?.(Math.min(size, at + BATCH) - from, size - from)
    }
  } finally {
    follower.release()
  }
  return lines
}

/** At `from`, or as soon after it as the state is known here. */
async function followFrom(engine: SealedSpace['engine'], from: number): Promise<{ readonly follower: Follower; readonly from: number }> {
  if (from === 0) return { follower: Follower.found(engine.env.crypto, (await engine.records(0, 1))[0] as Uint8Array), from }
  try {
    return { follower: await engine.followerAt(from), from }
  } catch (error) {
    if (!isSealError(error, 'out-of-scope') || Number(error.facts.first) <= from) throw error
    const first = Math.min(Number(error.facts.first), engine.head.size)
    return { follower: await engine.followerAt(first), from: first }
  }
}

function nameDevices(space: SealedSpace): (device: number) => string {
  const names = new Map(space.members.map(({ id, name }) => [id, name ?? `member ${id}`]))
  const devices = new Map(space.devices.map(({ id, member }) => [id, names.get(member) ?? `member ${member}`]))
  // The genesis and a join are signed by a key that has no number yet.
  return (device) => (device === 0 ? '' : (devices.get(device) ?? `device ${device}`))
}

/** What the author's clock said: it may be anything. */
function timeOf({ time }: Entry): string {
  const date = new Date(time)
  return Number.isNaN(date.getTime()) ? '' : date.toISOString().slice(0, 19).replace('T', ' ')
}

function whatOf({ ops }: Entry): string {
  const counts = new Map<string, number>()
  for (const { op } of ops) counts.set(op, (counts.get(op) ?? 0) + 1)
  return [...counts].map(([op, count]) => (count === 1 ? op : `${op} ×${count}`)).join(', ')
}
