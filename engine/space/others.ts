/** What later entries of the log say: who has seen what, and whether somebody else writes with this device's key. */
import { equalBytes } from '../codec/bytes.js'
import { readDevice, type GroupReader } from '../group/roster.js'
import { decodeRecord } from './entry.js'
import type { Followed } from './follower.js'
import type { Landing } from './outbox.js'
import type { Alert } from './port.js'
import type { DeviceId, MemberId } from './types.js'

/** The member of a device that the state does not know: the one under its number is another. */
const NOBODY: MemberId = 0

export class Others {
  readonly #device: DeviceId
  /** Index below which each other member's entries have built on our history. */
  readonly #seen = new Map<number, number>()

  constructor(device: DeviceId) {
    this.#device = device
  }

  /** How many other members have built on the entry at `index`. */
  seenBy(index: number): number {
    return [...this.#seen.values()].filter((size) => size > index).length
  }

  /** Records that are in the verified log now, with the state after them. Returns what somebody should be told of. */
  watch(tree: GroupReader, me: MemberId, records: readonly Uint8Array[], verdicts: readonly Followed[], { landed, revived }: Landing): readonly Alert[] {
    const alerts: Alert[] = []
    let junk = 0
    records.forEach((record, i) => {
      const decoded = decodeRecord(record)
      const verdict = verdicts[i]?.verdict
      if (verdict?.kind === 'ignored') junk++
      if (decoded.kind !== 'entry' || verdict?.kind !== 'applied' || decoded.entry.adopted) return
      const { device, base } = decoded.entry
      const member = device === 0 ? undefined : readDevice(tree, device)?.member
      if (member !== undefined && member !== me) this.#seen.set(member, Math.max(this.#seen.get(member) ?? 0, base.size))
      const hash = (verdicts[i] as Followed).hash
      if (device === this.#device && me !== NOBODY && !landed.some(({ pending }) => equalBytes(pending.hash, hash)) && !revived.some((known) => equalBytes(known.hash, hash))) {
        alerts.push({ code: 'copied-store', message: 'Another copy of this device’s store is writing with its key. Keep one, and remove this device from the other place.', facts: { device } })
      }
    })
    if (records.length >= 16 && junk * 16 > records.length) {
      alerts.push({ code: 'relay-junk', message: `The relay has stored ${junk} entries of ${records.length} that everybody ignores.`, facts: { junk, of: records.length } })
    }
    return alerts
  }
}
