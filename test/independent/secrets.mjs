/** What a member opens of a state, a second time, from engine/PROTOCOL.md §3.3, §3.4, §7.4, §7.5, §7.9 and §8.1 to §8.3 alone. Refusing is throwing. */
import { aadOf, epochSecrets, hashOf, open, tableKey, tokenOf } from './formats.mjs'
import { openPair } from './group.mjs'
import { bytes, decode, encode, encodeVarint, list, rest, struct, value, varint } from './fields.mjs'
import { at } from './records.mjs'
import * as records from './records.mjs'

const refuse = (why) => { throw new Error(why) }
const ZERO = Buffer.alloc(32)
const values = list(value)
const rowContent = struct({ key: values, blind: list(struct({ index: varint, values })), body: rest })
const objectContent = struct({ policies: list(bytes), sealed: bytes })
const chunks = (all) => Array.from({ length: all.length / 32 }, (_, i) => all.subarray(32 * i, 32 * i + 32))

export class Secrets {
  /** `agreement`: the secret scalar of the device's agreement key. */
  constructor(content, spaceId, device, agreement) {
    Object.assign(this, { content, spaceId, epochs: new Map(), blinding: new Map() })
    const { epoch } = this.read('counters', at.counters())
    const S = openPair(this.read('pair', at.pair(0, device)), agreement)
    this.hold(epoch, epochSecrets(S, this.spaceOf(epoch), epoch))
    for (let e = epoch; this.epochs.get(e)?.link !== undefined && this.content.has(at.epoch(e)); e--) this.openBoxes(e)
  }

  read(name, key) {
    const found = this.content.get(key)
    return found && decode(records[name], found)
  }
  spaceOf(epoch) { return epoch === 1 ? ZERO : this.spaceId }

  /** Only what the record of its epoch commits to. */
  hold(epoch, { data, link }) {
    const record = this.read('epoch', at.epoch(epoch))
    const of = (n, secret) => hashOf('sealdb/v1/epoch-commitment', Buffer.concat([this.spaceOf(epoch), encodeVarint(epoch), Buffer.of(n), secret]))
    if (record !== undefined && !(of(0, data).equals(record.data) && (link === undefined || of(1, link).equals(record.link)))) refuse('another commitment')
    this.epochs.set(epoch, { data, link })
  }

  openBoxes(epoch) {
    const { link } = this.epochs.get(epoch)
    const record = this.read('epoch', at.epoch(epoch))
    const opened = (label, box) => open(link, epoch, aadOf({ label, space: this.spaceOf(epoch), table: 0, key: at.epoch(epoch), epoch, device: record.author, columns: [] }), box)
    for (const [i, secret] of chunks(opened('sealdb/v1/sealed-blinding', record.blinding)).entries()) {
      const { generation, commitment } = record.generations[i]
      const space = generation === 1 ? ZERO : this.spaceId
      if (!hashOf('sealdb/v1/blinding-commitment', Buffer.concat([space, encodeVarint(generation), secret])).equals(commitment)) refuse('another commitment')
      this.blinding.set(generation, secret)
    }
    if (epoch === 1) return
    const content = opened('sealdb/v1/history-link', record.box)
    const secrets = chunks(content.subarray(1))
    if (content[0] === 1) this.hold(epoch - 1, { data: secrets[0], link: secrets[1] })
    else for (const [i, data] of secrets.entries()) this.hold(record.linksFrom + i, { data })
  }

  /** `place`: what the associated data say beside label and space. */
  openUnder(table, label, place, sealed) {
    const epoch = sealed.readUInt32BE(1)
    return open(tableKey(this.epochs.get(epoch).data, table), epoch, aadOf({ label: `sealdb/v1/${label}`, space: this.spaceId, epoch, columns: [], ...place }), sealed)
  }

  row(table, rowKey) {
    const key = at.row(table, rowKey)
    const row = this.read('row', key)
    return { ...row, ...decode(rowContent, this.openUnder(table, 'sealed-row', { table, key, device: row.device }, row.sealed)) }
  }
  object(id) {
    const key = at.object(id)
    const object = this.read('object', key)
    return { ...object, ...decode(objectContent, this.openUnder(0, 'sealed-catalog', { table: 0, key, device: object.device }, object.sealed)) }
  }
  /** Of a member (0) or device (1); undefined if there is none. */
  name(subject, id) {
    const { name } = subject === 0 ? this.read('member', at.member(id)) : this.read('device', at.device(id))
    if (name.length === 0) return undefined
    const { by, sealed } = decode(records.name, name)
    const sealer = this.read('device', at.device(by))
    const isOwn = id === (subject === 0 ? sealer.member : by)
    const key = Buffer.concat([Buffer.of(0x10 + subject), sealer.signing, encodeVarint(isOwn ? 0 : id)])
    return this.openUnder(0, 'sealed-name', { table: 0, key, device: 0 }, sealed).toString('utf8')
  }

  // §8.3: integral reals as integers

  message(all) { return Buffer.concat(all.map((each) => encode(value, Number.isInteger(each) && each >= -(2 ** 63) && each < 2 ** 63 ? BigInt(each) : each))) }
  marked(generation, token) { return Buffer.concat([Buffer.of(generation % 256), token.subarray(1)]) }
  keyToken(table, generation, all) { return this.marked(generation, tokenOf(this.blinding.get(generation), this.spaceId, 'blind-row', [table], this.message(all))) }
  nameToken(generation, name) { return this.marked(generation, tokenOf(this.blinding.get(generation), this.spaceId, 'blind-name', [], this.message([name]))) }
  indexToken(table, index, isUnique, generation, epoch, all) {
    const [secret, under] = isUnique ? [this.blinding.get(generation), 0] : [this.epochs.get(epoch).data, epoch]
    const token = tokenOf(secret, this.spaceId, 'blind-index', [table, index, under], this.message(all))
    return isUnique ? this.marked(generation, token) : token
  }
}
