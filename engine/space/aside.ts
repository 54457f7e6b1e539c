/**
 * Verifying the signatures of entries before the state machine comes to them, side by side on other threads where the platform has any: a relay
 * spends more time on them than on everything else. What comes out is a hint, "good under this key": the state decides whether that key counts.
 */
import type { Signatures } from '../crypto/provider.js'
import { labelled, LABELS } from '../crypto/labels.js'
import { SIGNATURE_LENGTH } from '../crypto/ed25519-rule.js'
import type { StateReader } from '../state/context.js'
import { deviceKey } from '../state/keys.js'
import { decodeDevice } from '../state/roster.js'
import { peekRecord } from './entry.js'
import type { SignatureTrust } from './follower.js'

/** For each record how its signature is to be treated: `check` for those of unknown devices, and those that did not turn out good. */
export async function verifyAside(crypto: Signatures, tree: StateReader, records: readonly Uint8Array[]): Promise<readonly SignatureTrust[]> {
  const { verifyEd25519Aside } = crypto
  if (verifyEd25519Aside === undefined) return records.map(() => 'check')
  const keys = new Map<number, Uint8Array | undefined>()
  const keyOf = (device: number): Uint8Array | undefined => {
    if (!keys.has(device)) {
      const bytes = tree.get(deviceKey(device))
      keys.set(device, bytes && decodeDevice(bytes).signing)
    }
    return keys.get(device)
  }
  return Promise.all(records.map(async (record): Promise<SignatureTrust> => {
    const device = peekRecord(record)?.device ?? 0
    const goodUnder = device === 0 ? undefined : keyOf(device)
    if (goodUnder === undefined) return 'check'
    const end = record.length - SIGNATURE_LENGTH
    return (await verifyEd25519Aside(record.subarray(end), labelled(LABELS.entry, record.subarray(0, end)), goodUnder)) ? { goodUnder } : 'check'
  }))
}
