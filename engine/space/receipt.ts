/**
 * Receipts (PROTOCOL.md §9): a few rows of one table, opened to somebody who is not a member and needs nobody to check them. The table's catalog object is
 * opened along with them, since column names and types are sealed in it. Every other row stays a hash.
 *
 * What a receipt says is as good as who stands behind its head: the relay's note, or entries of devices that name it as their base. The verifier
 * says beforehand whom he believes; the founder's device needs no saying, since the space's id names its key.
 * It doesn't say that the rows are still so, that there are no others, or that the sealed values behind a row's tokens are the ones its author says.
 */
import { compareBytes, equalBytes } from '../codec/bytes.js'
import { decodeCanonical, encodeCanonical, type Reader, type Writer } from '../codec/canonical.js'
import { openDisclosed } from '../crypto/aead.js'
import type { VerifierCrypto } from '../crypto/provider.js'
import { isSealError, SealError } from '../errors.js'
import { MAX_KEY_LENGTH, MAX_NOTE_LENGTH, MAX_PROOF_LENGTH, MAX_RECEIPT_LENGTH, MAX_RECEIPT_ROWS, MAX_RECEIPT_VOUCHERS, MAX_VOUCHER_LENGTH } from '../limits.js'
import { checkpointVerifier, openCheckpoint, originOfSpace, parseStateLine } from '../log/checkpoint.js'
import { leafHash, readLogProof, verifyInclusion, writeLogProof, type LogProof } from '../log/merkle.js'
import { parseNote } from '../log/note.js'
import { deviceKey, MAX_ID, memberKey, objectKey, relayKey, rowStateKey, ROW_PREFIX_LENGTH } from '../state/keys.js'
import { replayGets } from '../state/replay-gets.js'
import { decodeDevice, decodeMember, type DeviceRecord, type MemberRole } from '../state/roster.js'
import { decodeObject, type ObjectRecord } from './catalog.js'
import { openHeader, spaceIdOf } from './entry.js'
import { decodeRelay, type RelayRecord } from './ops/space.js'
import { decodeRow, type RowRecord } from './row-record.js'
import { decodeContent, decodeObjectContent, objectSealContext, rowSealContext, type RowContent } from './seal-row.js'
import type { CatalogObject, Head } from './types.js'

/** Whom the verifier believes, and about which space. One of them must stand behind the receipt's head. */
export interface ReceiptTrust {
  readonly spaceId: Uint8Array
  readonly relay?: { readonly name: string; readonly publicKey: Uint8Array }
  /** Signing keys of devices, beside the founder's. */
  readonly devices?: readonly Uint8Array[]
  /** How many of those devices must vouch where the relay does not. Default 1. */
  readonly vouchers?: number
}

declare const verified: unique symbol
/** Rows that were in the space at `head`, as their authors wrote them. */
export interface VerifiedReceipt {
  readonly spaceId: Uint8Array
  readonly head: Head
  /** The relay that the verifier named has signed this head. */
  readonly relay: boolean
  /** Devices that built on this head: all that are in the receipt, believed or not. */
  readonly vouchers: readonly Voucher[]
  /** The table, opened; `sealed` is query's. */
  readonly table: CatalogObject
  readonly rows: readonly ReceiptRow[]
  readonly [verified]: 'receipt'
}
/** A device whose signed entry stands behind a receipt; `trusted` if the verifier said so, or believes the founder and it is that. */
export interface Voucher {
  readonly device: number
  readonly member: number
  readonly role: MemberRole
  readonly publicKey: Uint8Array
  readonly founder: boolean
  readonly trusted: boolean
}
/** A row that a receipt proves, opened. */
export interface ReceiptRow extends RowContent {
  readonly rowKey: Uint8Array
  readonly plain: RowRecord['plain']
  readonly creator: number
  /** Member and device that last wrote it, the device's signing key, the index of that entry. */
  readonly author: number
  readonly device: number
  readonly publicKey: Uint8Array
  readonly version: number
}

/** What goes over the wire. Rows ascend by row key, vouchers by device. */
export interface Receipt {
  readonly spaceId: Uint8Array
  readonly head: Head
  readonly note: Uint8Array | undefined
  readonly vouchers: readonly { readonly device: number; readonly record: Uint8Array; readonly admission: Uint8Array; readonly inclusion: LogProof }[]
  readonly table: number
  readonly tableSubkey: Uint8Array
  readonly rows: readonly { readonly rowKey: Uint8Array; readonly subkey: Uint8Array }[]
  readonly proof: Uint8Array
}

const VERSION = 1

export function encodeReceipt(receipt: Receipt): Uint8Array {
  return encodeCanonical(receipt, (w, r) => {
    w.u8(VERSION).fixed(r.spaceId, 32).varint(r.head.size).fixed(r.head.logRoot, 32).fixed(r.head.stateRoot, 32)
    w.optional(r.note, (x, note) => x.bytes(note, MAX_NOTE_LENGTH))
    w.list(r.vouchers, MAX_RECEIPT_VOUCHERS, writeVoucher)
    w.varint(r.table).fixed(r.tableSubkey, 32)
    w.list(r.rows, MAX_RECEIPT_ROWS, (x, row) => void x.bytes(row.rowKey, MAX_KEY_LENGTH).fixed(row.subkey, 32))
    w.bytes(r.proof, MAX_PROOF_LENGTH)
  })
}

function writeVoucher(w: Writer, voucher: Receipt['vouchers'][number]): void {
  w.varint(voucher.device).bytes(voucher.record, MAX_VOUCHER_LENGTH).bytes(voucher.admission, MAX_VOUCHER_LENGTH)
  writeLogProof(w, voucher.inclusion)
}

function decodeReceipt(bytes: Uint8Array): Receipt {
  if (bytes.length > MAX_RECEIPT_LENGTH) throw new SealError('too-large', `Expected a receipt of at most ${MAX_RECEIPT_LENGTH} bytes.`, { found: bytes.length })
  return decodeCanonical(bytes, (r) => {
    const version = r.u8()
    if (version !== VERSION) throw new SealError('unsupported-version', `Expected a receipt of version ${VERSION}.`, { version })
    const spaceId = r.fixed(32)
    const head = { size: r.varint(), logRoot: r.fixed(32), stateRoot: r.fixed(32) }
    const note = r.optional((x) => x.bytes(MAX_NOTE_LENGTH))
    const vouchers = r.list(MAX_RECEIPT_VOUCHERS, readVoucher, 4)
    const table = r.varint(MAX_ID)
    const tableSubkey = r.fixed(32)
    const rows = r.list(MAX_RECEIPT_ROWS, (x: Reader) => ({ rowKey: x.bytes(MAX_KEY_LENGTH - ROW_PREFIX_LENGTH), subkey: x.fixed(32) }), 33)
    return { spaceId, head, note, vouchers, table, tableSubkey, rows, proof: r.bytes(MAX_PROOF_LENGTH) }
  })
}

function readVoucher(r: Reader): Receipt['vouchers'][number] {
  return { device: r.varint(MAX_ID), record: r.bytes(MAX_VOUCHER_LENGTH), admission: r.bytes(MAX_VOUCHER_LENGTH), inclusion: readLogProof(r) }
}

/** What a receipt reads of the state: one program for who makes it and who checks it. */
export interface ReceiptReads {
  readonly object: ObjectRecord
  readonly rows: readonly { readonly record: RowRecord; readonly writer: DeviceRecord }[]
  readonly vouchers: readonly { readonly device: DeviceRecord; readonly role: MemberRole }[]
  readonly relay: RelayRecord | undefined
}
export interface GetState { get(key: Uint8Array): Uint8Array | undefined }

export function readReceipt(state: GetState, { table, rows, vouchers, note }: Pick<Receipt, 'table' | 'note'> & { readonly rows: readonly { readonly rowKey: Uint8Array }[]; readonly vouchers: readonly { readonly device: number }[] }): ReceiptReads {
  const get = (key: Uint8Array, what: string): Uint8Array => {
    const value = state.get(key)
    if (value === undefined) throw refused(`a state that has the ${what}`)
    return value
  }
  const device = (id: number): DeviceRecord => decodeDevice(get(deviceKey(id), 'device'))
  return {
    object: decodeObject(get(objectKey(table), 'table')),
    rows: rows.map(({ rowKey }) => {
      const record = decodeRow(get(rowStateKey(table, rowKey), 'row'))
      return { record, writer: device(record.device) }
    }),
    vouchers: vouchers.map((voucher) => {
      const found = device(voucher.device)
      const member = decodeMember(get(memberKey(found.member), 'member'))
      if (found.removedAt !== undefined || member.removedAt !== undefined) throw refused('vouchers that are members')
      return { device: found, role: member.role }
    }),
    relay: note === undefined ? undefined : decodeRelay(get(relayKey(), 'relay')),
  }
}

/**
 * Check a receipt, offline. Throws `bad-proof` if it proves nothing, or nobody whom `trust` names stands behind it; `bad-encoding`, `too-large`,
 * `bad-checkpoint`, `bad-signature`, `open-failed` or `unsupported-version` for bytes that are no receipt. Any byte changed is refused.
 */
export function verifyReceipt(crypto: VerifierCrypto, bytes: Uint8Array, trust: ReceiptTrust): VerifiedReceipt {
  const receipt = decodeReceipt(bytes.slice()) // what comes out are views of it
  const { spaceId, head, table } = receipt
  if (!equalBytes(spaceId, trust.spaceId)) throw refused('a receipt of the expected space')
  if (receipt.rows.length === 0 || !ascends(receipt.rows, (a, b) => compareBytes(a.rowKey, b.rowKey))) throw refused('rows in ascending order')
  if (!ascends(receipt.vouchers, (a, b) => a.device - b.device)) throw refused('vouchers in ascending order')
  const reads = replayGets(crypto, head.stateRoot, receipt.proof, (state) => readReceipt(state, receipt))
  const relay = receipt.note !== undefined && reads.relay !== undefined && checkNote(crypto, receipt, receipt.note, reads.relay, trust)
  const vouchers = receipt.vouchers.map((voucher, i) => checkVoucher(crypto, receipt, voucher, reads.vouchers[i] as ReceiptReads['vouchers'][number], trust))
  if (!relay && vouchers.filter(({ trusted }) => trusted).length < Math.max(1, trust.vouchers ?? 1)) throw refused('somebody to stand behind it whom the verifier believes')
  return {
    spaceId, head, relay, vouchers,
    table: openTable(crypto, receipt, reads.object),
    rows: receipt.rows.map(({ rowKey, subkey }, i): ReceiptRow => {
      const { record, writer } = reads.rows[i] as ReceiptReads['rows'][number]
      const aad = rowSealContext(spaceId, table, rowStateKey(table, rowKey), record.epoch, record.device)
      const content = strictly(() => decodeContent(openDisclosed(crypto, subkey, record.epoch, aad, record.sealed)))
      const { plain, creator, member, device, version } = record
      return { rowKey, plain, creator, author: member, device, publicKey: writer.signing, version, ...content }
    }),
  } as unknown as VerifiedReceipt
}

/** The relay's statement about this very head; true if it is the relay that the verifier believes. */
function checkNote(crypto: VerifierCrypto, { spaceId, head }: Receipt, note: Uint8Array, relay: RelayRecord, trust: ReceiptTrust): boolean {
  // Signatures of others would go unread.
  if (parseNote(note).signatures.length !== 1) throw refused('a note with the relay’s signature and no other')
  const said = openCheckpoint(note, originOfSpace(spaceId), checkpointVerifier(crypto, relay.name, relay.publicKey))
  if (said.size !== head.size || !equalBytes(said.root, head.logRoot) || !equalBytes(parseStateLine(said), head.stateRoot)) throw refused('the relay’s note about its head')
  return trust.relay !== undefined && trust.relay.name === relay.name && equalBytes(trust.relay.publicKey, relay.publicKey)
}

/**
 * Its entry has this head as base, computed and not adopted. Its admission is the entry of the log, at the place that the state names, which the same key has
 * signed. (An entry about a head lies behind it, so it is not under the head's root: the signature is the statement.)
 */
function checkVoucher(crypto: VerifierCrypto, { spaceId, head }: Receipt, voucher: Receipt['vouchers'][number], { device, role }: ReceiptReads['vouchers'][number], trust: ReceiptTrust): Voucher {
  const { signing, admittedAt, member } = device
  const said = openHeader(crypto, voucher.record, signing, false)
  const same = said !== undefined && said.device === voucher.device && !said.adopted && equalBytes(said.spaceId, spaceId)
    && said.base.size === head.size && equalBytes(said.base.logRoot, head.logRoot) && equalBytes(said.base.stateRoot, head.stateRoot)
  if (!same) throw refused('vouching entries on its head')
  const founding = admittedAt === 0
  verifyInclusion(crypto, { index: admittedAt, size: head.size, leaf: leafHash(crypto, voucher.admission), proof: voucher.inclusion, root: head.logRoot })
  const admission = openHeader(crypto, voucher.admission, signing, founding)
  if (admission?.device !== 0) throw refused('the admissions of its vouchers')
  const founder = founding && equalBytes(spaceIdOf(crypto, voucher.admission), spaceId)
  if (founding && !founder) throw refused('the genesis of the space')
  const trusted = founder || (trust.devices ?? []).some((key) => equalBytes(key, signing))
  return { device: voucher.device, member, role, publicKey: signing, founder, trusted }
}

function openTable(crypto: VerifierCrypto, { spaceId, table, tableSubkey }: Receipt, object: ObjectRecord): CatalogObject {
  const shape = object.table
  const inner = strictly(() => decodeObjectContent(openDisclosed(crypto, tableSubkey, object.epoch, objectSealContext(spaceId, table, object.epoch, object.device), object.sealed)))
  if (shape === undefined || inner.names.length !== shape.policies.length) throw refused('a table')
  return { id: table, kind: object.kind, sealed: inner.sealed, table: { ...shape, policies: shape.policies.map((policy, i) => ({ ...policy, name: inner.names[i] as Uint8Array })) } }
}

function strictly<T>(open: () => T): T {
  try {
    return open()
  } catch (error) {
    if (isSealError(error) && error.family === 'usage') throw refused('sealed values that open')
    throw error
  }
}

function ascends<T>(items: readonly T[], compare: (a: T, b: T) => number): boolean {
  return items.every((item, i) => i === 0 || compare(items[i - 1] as T, item) < 0)
}

function refused(expected: string): SealError {
  return new SealError('bad-proof', `Receipt refused. Expected ${expected}.`)
}

