/** Receipts a second time, from engine/PROTOCOL.md §9.7 alone, over the verifiers of proofs, checkpoints and sealed values. Refusing is throwing. */
import { openCheckpoint } from './checkpoint.mjs'
import { leafOf, spaceIdOf } from './entries.mjs'
import { bytes, decode, Fields, list, rest, struct, value, varint } from './fields.mjs'
import { aadOf, openDisclosed } from './formats.mjs'
import { openHeader } from './headers.mjs'
import { at } from './records.mjs'
import * as records from './records.mjs'
import { checkGets, checkInclusion } from './verifier.mjs'

const refuse = (why) => { throw new Error(why) }
const values = list(value)
const rowContent = struct({ key: values, blind: list(struct({ index: varint, values })), body: rest })
const objectContent = struct({ policies: list(bytes), sealed: bytes })
const rising = (all, compare) => all.every((each, i) => i === 0 || compare(all[i - 1], each) < 0) || refuse('out of order')

function read(encoded) {
  if (encoded.length > 2 ** 26) refuse('too long')
  const f = new Fields(encoded)
  if (f.u8() !== 1) refuse('another version')
  const receipt = {
    space: f.take(32),
    head: { size: f.varint(), logRoot: f.take(32), stateRoot: f.take(32) },
    note: f.optional(() => f.string(2 ** 16)),
    vouchers: f.list(() => ({ device: f.id(), record: f.string(2 ** 18), admission: f.string(2 ** 18), inclusion: f.list(() => f.take(32), 64) }), 64),
    table: f.id(), tableSubkey: f.take(32),
    rows: f.list(() => ({ rowKey: f.string(250), subkey: f.take(32) }), 1024),
    proof: f.string(2 ** 26),
  }
  f.end()
  return receipt
}

/** `believed`: `relay` (name and publicKey), `devices` (signing keys), `vouchers` (how many). */
export function openReceipt(encoded, space, { relay: believed, devices = [], vouchers: least = 1 } = {}) {
  const receipt = read(encoded)
  const { head, table, note } = receipt
  if (!receipt.space.equals(space)) refuse('another space')
  if (receipt.rows.length === 0) refuse('no rows')
  rising(receipt.rows, (a, b) => Buffer.compare(a.rowKey, b.rowKey))
  rising(receipt.vouchers, (a, b) => a.device - b.device)
  const state = checkGets(head.stateRoot, receipt.proof, (get) => opened(receipt, get))
  if (note !== undefined) checkNote(note, space, head, state.relay)
  const vouchers = receipt.vouchers.map((voucher, i) => ({ ...checkVoucher(voucher, state.vouchers[i], space, head), ...state.vouchers[i] }))
  const isBelieved = note !== undefined && believed !== undefined && believed.name === state.relay.name && believed.publicKey.equals(state.relay.publicKey)
  const trusted = vouchers.map(({ founder, signing }) => founder || devices.some((key) => key.equals(signing)))
  if (!isBelieved && trusted.filter(Boolean).length < Math.max(1, least)) refuse('nobody who is believed')
  return {
    head, relay: isBelieved,
    vouchers: vouchers.map(({ device, member, role, founder }, i) => ({ device, member, role, founder, trusted: trusted[i] })),
    ...tableOf(receipt, state.object),
    rows: receipt.rows.map(({ rowKey, subkey }, i) => {
      const { row, writer } = state.rows[i]
      const aad = aadOf({ label: 'sealdb/v1/sealed-row', space, table, key: at.row(table, rowKey), epoch: row.epoch, device: row.device, columns: [] })
      const content = decode(rowContent, openDisclosed(subkey, row.epoch, aad, row.sealed))
      return { rowKey, plain: row.plain, creator: row.creator, author: row.member, device: row.device, publicKey: writer.signing, version: row.version, ...content }
    }),
  }
}

/** What the proof opens, in its order. */
function opened({ table, rows, vouchers, note }, get) {
  const record = (name, key) => decode(records[name], get(key) ?? refuse(`no ${name}`))
  return {
    object: record('object', at.object(table)),
    rows: rows.map(({ rowKey }) => {
      const row = record('row', at.row(table, rowKey))
      return { row, writer: record('device', at.device(row.device)) }
    }),
    vouchers: vouchers.map(({ device }) => {
      const { member, signing, admittedAt, removedAt } = record('device', at.device(device))
      const { role, removedAt: left } = record('member', at.member(member))
      if (removedAt !== undefined || left !== undefined) refuse('a voucher who was removed')
      return { member, signing, admittedAt, role }
    }),
    relay: note && record('relay', at.relay()),
  }
}

function checkNote(note, space, head, { name, publicKey }) {
  if (note.toString('utf8').split('\n\n').at(-1).trimEnd().split('\n').length !== 1) refuse('signatures of others')
  const said = openCheckpoint(note, space, publicKey, [], name)
  if (said.size !== head.size || !said.logRoot.equals(head.logRoot) || !said.stateRoot.equals(head.stateRoot)) refuse('a note about another head')
}

function checkVoucher({ device, record, admission, inclusion }, { signing, admittedAt }, space, head) {
  const said = openHeader(record, signing, 'entry')
  if (said.device !== device || said.adopted || !said.space.equals(space)) refuse('an entry of another device or space, or adopted')
  if (said.size !== head.size || !said.logRoot.equals(head.logRoot) || !said.stateRoot.equals(head.stateRoot)) refuse('an entry on another head')
  checkInclusion({ index: admittedAt, size: head.size, leaf: leafOf(admission), proof: inclusion, root: head.logRoot })
  const founder = admittedAt === 0
  if (openHeader(admission, signing, founder ? 'genesis' : 'entry').device !== 0) refuse('an admission with an author')
  if (founder && !spaceIdOf(admission).equals(space)) refuse('the genesis of another space')
  return { device, founder }
}

function tableOf({ space, table, tableSubkey }, { object, epoch, device, sealed }) {
  const aad = aadOf({ label: 'sealdb/v1/sealed-catalog', space, table: 0, key: at.object(table), epoch, device, columns: [] })
  const content = decode(objectContent, openDisclosed(tableSubkey, epoch, aad, sealed))
  if (object.shape === undefined || content.policies.length !== object.shape.policies.length) refuse('no table')
  return { table, definition: content.sealed, policies: content.policies }
}
