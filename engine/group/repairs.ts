/** Repairs of an epoch's history link or blinding box, as the state keeps them. */
import { decodeCanonical, encodeCanonical } from '../codec/canonical.js'
import { MAX_LINK_LENGTH } from '../limits.js'
import { MAX_ID, repairKey } from '../state/keys.js'
import type { GroupReader } from './roster.js'

export const REPAIR_KINDS = ['link', 'blinding'] as const
export type RepairKind = (typeof REPAIR_KINDS)[number]

export interface RepairRecord {
  /** Device that gave it. */
  readonly device: number
  readonly box: Uint8Array
}

export function encodeRepair(repair: RepairRecord): Uint8Array {
  return encodeCanonical(repair, (w, r) => w.varint(r.device).bytes(r.box, MAX_LINK_LENGTH))
}

export function decodeRepair(bytes: Uint8Array): RepairRecord {
  return decodeCanonical(bytes, (r) => ({ device: r.varint(MAX_ID), box: r.bytes(MAX_LINK_LENGTH) }))
}

/** By member id. */
export function listRepairs(state: GroupReader, epoch: number, kind: RepairKind): RepairRecord[] {
  const number = REPAIR_KINDS.indexOf(kind)
  const entries = [...state.scan(repairKey(epoch, number, 0), repairKey(epoch, number + 1, 0))]
  return entries.map((entry) => decodeRepair(entry.value))
}
