/**
 * Making receipts (receipt.ts): which head to prove at, who stands behind it, and the subkeys that open the rows and nothing else.
 *
 * A relay's note under the verified head is best: it covers all that is verified. Without one, a receipt is of the newest head that entries of
 * the log name as their base; so a row is provable from the next entry after it on.
 */
import { compareBytes, equalBytes } from '../codec/bytes.js'
import { discloseSubkey } from '../crypto/aead.js'
import { SealError } from '../errors.js'
import { readDevice } from '../group/roster.js'
import { MAX_RECEIPT_ROWS, MAX_VOUCHER_LENGTH, RING_SIZE } from '../limits.js'
import { objectKey, rowStateKey } from '../state/keys.js'
import { decodeObject } from './catalog.js'
import { decodeRecord, verifyEntry } from './entry.js'
import { encodeReceipt, readReceipt, type Receipt } from './receipt.js'
import { decodeRow } from './row-record.js'
import type { Space } from './space.js'
import type { Head, ObjectId } from './types.js'
import { SpaceView } from './view.js'

export interface ProveOptions {
  /** Prove at this size of the log, not at the newest head that somebody stands behind. */
  readonly size?: number
}

/** By row key (`RowView.rowKey`); with `version`, that version of it or none. */
export interface ProvedRow {
  readonly rowKey: Uint8Array
  readonly version?: number
}

/** The catalog's own key: objects belong to no table. */
const NO_TABLE = 0

/**
 * A receipt for rows of one table all of which must be there. It opens the table's names and definition and those rows, whole.
 * Throws `bad-argument` if one is missing or nobody stands behind a head that has them, `no-secret` if this device can't open them.
 */
export async function proveRows(space: Space, table: ObjectId, wanted: readonly ProvedRow[], options: ProveOptions = {}): Promise<Uint8Array> {
  if (wanted.length === 0 || wanted.length > MAX_RECEIPT_ROWS) throw new SealError('bad-argument', `Expected 1 to ${MAX_RECEIPT_ROWS} rows.`, { rows: wanted.length })
  const note = options.size === undefined || options.size === space.head.size ? ownNote(space) : undefined
  const size = note !== undefined ? space.head.size : (options.size ?? (await newestBase(space)))
  const view = await space.at(size)
  try {
    if (!(view instanceof SpaceView)) throw new SealError('invariant', 'A space gave a view of another kind.')
    const vouchers = note === undefined ? await vouchersOf(space, view, view.head) : []
    if (note === undefined && vouchers.length === 0) throw new SealError('bad-argument', 'Nobody stands behind that state yet: no entry builds on it.', { size })
    return make(space, view, note, vouchers, table, [...wanted].sort((a, b) => compareBytes(a.rowKey, b.rowKey)))
  } finally {
    view.release()
  }
}

function make(space: Space, view: SpaceView, note: Uint8Array | undefined, vouchers: Receipt['vouchers'], table: ObjectId, wanted: readonly ProvedRow[]): Uint8Array {
  const { crypto, spaceId } = space.env
  const { tree } = view.held
  const object = tree.get(objectKey(table))
  if (object === undefined) throw new SealError('bad-argument', 'Expected the id of a table.', { table })
  const record = decodeObject(object)
  const rows = wanted.map(({ rowKey, version }) => {
    const value = tree.get(rowStateKey(table, rowKey))
    if (value === undefined) throw new SealError('bad-argument', 'A row is not there in the state that can be proved.', { size: view.head.size })
    const row = decodeRow(value)
    if (version !== undefined && row.version !== version) throw new SealError('bad-argument', 'A row has changed since the state that can be proved.', { size: view.head.size })
    return { rowKey, subkey: discloseSubkey(crypto, space.keyring.tableKey(row.epoch, table), row.sealed) }
  })
  const request = { table, rows, vouchers, note }
  const { proof } = view.record((state) => readReceipt(state, request))
  const tableSubkey = discloseSubkey(crypto, space.keyring.tableKey(record.epoch, NO_TABLE), record.sealed)
  return encodeReceipt({ spaceId, head: view.head, note, vouchers, table, tableSubkey, rows, proof })
}

/** The note under the verified head. */
function ownNote(space: Space): Uint8Array | undefined {
  return space.relay === undefined ? undefined : space.note
}

/** The newest size that an entry of the log, computed by its author, has as base. */
async function newestBase(space: Space): Promise<number> {
  const { size } = space.head
  let newest = 0
  for (const record of await space.store.read(Math.max(space.store.first, size - RING_SIZE), size)) {
    const decoded = decodeRecord(record)
    if (decoded.kind === 'entry' && !decoded.entry.adopted && decoded.entry.device !== 0) newest = Math.max(newest, decoded.entry.base.size)
  }
  if (newest === 0) throw new SealError('bad-argument', 'Nobody stands behind any state yet: no entry builds on one.')
  return newest
}

/** For each device the shortest of its entries on this head, with its admission. Those that counted only: others may have bad signatures. */
async function vouchersOf(space: Space, view: SpaceView, head: Head): Promise<Receipt['vouchers']> {
  const { log, store } = space
  const found = new Map<number, Uint8Array>()
  for (const record of await store.read(Math.max(store.first, head.size), Math.min(space.head.size, head.size + RING_SIZE))) {
    const decoded = decodeRecord(record)
    if (decoded.kind !== 'entry' || decoded.entry.adopted || record.length > MAX_VOUCHER_LENGTH) continue
    const { device, base } = decoded.entry
    if (base.size !== head.size || !equalBytes(base.logRoot, head.logRoot) || !equalBytes(base.stateRoot, head.stateRoot)) continue
    const active = readDevice(view.held.tree, device)
    if (active === undefined || active.removedAt !== undefined) continue
    if (active.admittedAt >= store.first && record.length < (found.get(device)?.length ?? Infinity) && verifyEntry(space.env.crypto, decoded, active.signing)) found.set(device, record)
  }
  const vouchers: Receipt['vouchers'][number][] = []
  for (const [device, record] of [...found].sort(([a], [b]) => a - b)) {
    const index = readDevice(view.held.tree, device)?.admittedAt ?? 0
    const [admission] = await store.read(index, index + 1)
    if (admission !== undefined && admission.length <= MAX_VOUCHER_LENGTH) vouchers.push({ device, record, admission, inclusion: log.inclusionProof(index, head.size) })
  }
  return vouchers
}
