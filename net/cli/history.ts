/**
 * The log as people read it: who did what, and what became of it. Verdicts aren't stored, they are computed; so the log is followed from its
 * first entry. Every record is one that was verified here before.
 */
import type { SealedSpace } from 'sealdb'
import { encodeHex } from '../../engine/codec/bytes.js'
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

/** The last `count` entries, oldest first. Throws `out-of-scope` if early entries are not held here. */
export async function readLog(space: SealedSpace, count: number, onProgress?: (done: number, of: number) => void): Promise<readonly LogLine[]> {
  const { engine } = space
  const { size } = engine.head
  const [genesis] = await engine.records(0, 1)
  const follower = Follower.found(engine.env.crypto, genesis as Uint8Array)
  const from = Math.max(0, size - count)
  const lines: LogLine[] = []
  const people = nameDevices(space)
  try {
    for (let at = 0; at < size; at += BATCH) {
      for (const [offset, record] of (await engine.records(at, Math.min(size, at + BATCH))).entries()) {
        const index = at + offset
        const verdict = index === 0 ? ({ kind: 'applied' } as const) : follower.follow(record, 'trusted').verdict
        if (index < from) continue
        const decoded = decodeRecord(record)
        const entry = decoded.kind === 'entry' ? decoded.entry : undefined
        const device = entry?.device ?? 0
        lines.push({
          index, device, member: people(device), time: entry ? timeOf(entry) : '', what: entry ? whatOf(entry) : decoded.kind, bytes: record.length,
          verdict: verdict.kind === 'applied' ? 'applied' : `${verdict.kind}: ${verdict.code}${verdict.detail === undefined ? '' : ` (${verdict.detail})`}`,
          hash: encodeHex(engine.log.leaf(index)),
        })
      }
      onProgress?.(Math.min(size, at + BATCH), size)
    }
  } finally {
    follower.release()
  }
  return lines
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
