/** An entry at work (engine/PROTOCOL.md §6.3, 11): the state as its ops leave it, who writes, and what is left to the end. A refusal is thrown. */
import { agreementOf, admits } from './group.mjs'
import { decode, encode } from './fields.mjs'
import { at, idOf, kind } from './records.mjs'
import * as records from './records.mjs'

export class Refusal {
  constructor(code, detail, op) { Object.assign(this, { code, detail, op }) }
}
export const rule = (isMet, detail) => { if (!isMet) throw new Refusal('rule', detail) }
export const conflict = (isNone, detail) => { if (!isNone) throw new Refusal('conflict', detail) }
export const role = (isEnough, detail) => { if (!isEnough) throw new Refusal('role', detail) }
/** What a check that throws comes to. */
export function proved(detail, check, refuse = rule) {
  let result
  try {
    result = check()
  } catch {
    refuse(false, detail)
  }
  return result
}

export const ROLES = ['reader', 'writer', 'admin', 'owner']
export const [READER, WRITER, ADMIN, OWNER] = [0, 1, 2, 3]
export const isLive = (record) => record !== undefined && record.removedAt === undefined
/** §7.1. */
export const handles = (author, other) => author === OWNER || (author === ADMIN && other <= WRITER)

export class Work {
  constructor(content, entry, index, spaceId) {
    Object.assign(this, { before: content, content: content.copy(), entry, index, spaceId, base: entry.base })
    this.rows = new Set()
    this.files = new Set()
    this.catalogOps = 0
    this.claims = new Map()
    this.released = new Set()
    this.addedIndexes = []
    this.nodes = 0
    this.isRemoval = false
    this.isForget = false
    this.admitted = undefined
  }

  read(name, key) {
    const found = this.content.get(key)
    return found && decode(records[name], found)
  }
  write(name, key, record) { this.content.set(key, encode(records[name], record)) }
  all(name, n) { return this.content.under(kind(n)).map(({ key, value }) => ({ id: idOf(key), ...decode(records[name], value) })) }

  get counters() { return this.read('counters', at.counters()) ?? { epoch: 0 } }
  count(name) { this.write('counters', at.counters(), { ...this.counters, ...name }) }

  /** The author's device and member, as the ops before left them. */
  get author() { return this.#authorIn(this.content) }
  /** As they were before the entry: what counts outside the group (§7.1). */
  get authorAtFirst() { return this.#authorIn(this.before) }
  #authorIn(content) {
    const device = decode(records.device, content.get(at.device(this.entry.device)))
    const member = decode(records.member, content.get(at.member(device.member)))
    return { ...device, id: this.entry.device, role: member.role }
  }
  member(id) { return this.read('member', at.member(id)) }
  device(id) { return this.read('device', at.device(id)) }
  isVoid() { return !this.content.has(at.epoch(this.counters.epoch)) }

  /** §6.4. */
  isSettled({ version, device }) { return version < this.base.size || device === this.entry.device }
  checkSealed(sealed, form = 'sealed-form', epoch = 'sealed-epoch') {
    rule(sealed.length >= 77 && sealed[0] === 1, form)
    rule(sealed.readUInt32BE(1) === this.entry.epoch, epoch)
  }
  /** Of a row, an object or a file. */
  checkForm(sealed) {
    rule(!this.isVoid(), 'epoch-void')
    this.checkSealed(sealed)
  }

  live(epoch, owner, by) {
    const key = at.live(epoch, owner)
    const count = (this.read('live', key) ?? 0) + by
    if (count === 0) this.content.delete(key)
    else this.write('live', key, count)
  }

  // §7, as several ops need it

  isOpen({ kind: admits, issuer, role: to, expiresAt }) {
    const member = this.member(issuer)
    return this.index < expiresAt && isLive(member) && (admits === 1 || handles(member.role, to))
  }
  recipients() {
    return [
      ...this.all('device', 0x11).filter(isLive).map(({ id, agreement }) => ({ holder: 0, id, agreement })),
      ...this.all('invitation', 0x13).filter((each) => this.isOpen(each)).map(({ id, agreement }) => ({ holder: 1, id, agreement })),
    ]
  }
  checkKeys(agreement, signing) {
    rule(signing === undefined || admits(signing), 'bad-key')
    proved('bad-key', () => agreementOf(agreement))
  }
  checkFresh(...keys) {
    rule(keys.every((key) => !this.content.has(at.grave(key))) && new Set(keys.map((key) => key.toString('hex'))).size === keys.length, 'repeated-key')
  }
  bury(holder, id, keys) {
    for (const [use, key] of keys) this.write('grave', at.grave(key), { holder, id, use })
  }
  endInvitation(id) {
    this.content.delete(at.invitation(id))
    this.content.delete(at.pair(1, id))
  }
  pairOf(holder, id) {
    const { c0, c } = this.read('pair', at.pair(holder, id))
    return { c0, c }
  }
  givePair(holder, id, { c0, c }) { this.write('pair', at.pair(holder, id), { epoch: this.counters.epoch, c0, c }) }
  lastOp() { return this.entry.ops.at(-1) }
}
