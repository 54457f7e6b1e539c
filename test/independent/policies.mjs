/** Policies a second time, from engine/PROTOCOL.md §8.5 alone. Truth is true, false or undefined (unknown); values are null, bigint, number, string or Buffer. */
import { rangeOf } from './formats.mjs'
import { decode } from './fields.mjs'
import { at } from './records.mjs'
import * as records from './records.mjs'

export const COMMANDS = ['insert', 'update', 'delete', 'all']
const MOST = 10_000_000
const ROLES = ['reader', 'writer', 'admin', 'owner']

/** SQLite's storage classes in their order. */
const classOf = (value) => (value === null ? 0 : typeof value === 'string' ? 2 : typeof value === 'object' ? 3 : 1)
function compare(a, b) {
  if (classOf(a) !== classOf(b)) return classOf(a) - classOf(b)
  if (typeof a === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b))
  if (classOf(a) === 3) return Buffer.compare(a, b)
  return a < b ? -1 : a > b ? 1 : 0
}
const lengthOf = (value) => (classOf(value) >= 2 ? value.length : 0)
const costOf = (a, b) => Math.floor(Math.min(lengthOf(a), lengthOf(b)) / 64)
const truthOf = (value) => (typeof value === 'bigint' || typeof value === 'number' ? value != 0 : undefined)
const valueOf = (truth) => (truth === undefined ? null : truth ? 1n : 0n)

const RELATIONS = { 10: (c) => c === 0, 11: (c) => c !== 0, 12: (c) => c < 0, 13: (c) => c <= 0, 14: (c) => c > 0, 15: (c) => c >= 0 }

/** `subject`: the row, its creator, the author; `other`: the row that `exists` looks at. Any value; truths as 1, 0 and null. */
class Evaluation {
  constructor(work, subject, other) { Object.assign(this, { work, subject, other }) }
  spend(n) { this.work.nodes += n }
  get isSpent() { return this.work.nodes > MOST }

  truth(e) { return truthOf(this.value(e)) }

  value(e) {
    this.spend(1)
    if (this.isSpent) return null
    const { kind } = e
    switch (kind) {
      case 0: return e.value
      case 1: return columnOf(e.other ? this.other : this.subject, e.id)
      case 2: return BigInt(this.subject.creator)
      case 3: return BigInt(this.subject.member)
      case 4: return ROLES[this.subject.role]
      case 5: { const of = this.truth(e.of); return valueOf(of === undefined ? undefined : !of) }
      case 6: return valueOf(this.value(e.of) === null)
      case 7: return valueOf(this.value(e.of) !== null)
      case 8: case 9: {
        const decides = kind === 9
        const left = this.truth(e.left)
        if (left === decides) return valueOf(decides)
        const right = this.truth(e.right)
        return valueOf(right === decides ? decides : left === undefined || right === undefined ? undefined : !decides)
      }
      case 18: return valueOf(this.isIn(e))
      case 19: return valueOf(this.exists(e))
      default: {
        const [left, right] = [this.value(e.left), this.value(e.right)]
        if (kind < 16 && (left === null || right === null)) return null
        this.spend(costOf(left, right))
        return valueOf(kind < 16 ? RELATIONS[kind](compare(left, right)) : (compare(left, right) === 0) === (kind === 16))
      }
    }
  }

  isIn(e) {
    const value = this.value(e.value)
    let found = false
    for (const each of e.list) {
      const other = this.value(each)
      if (value === null || other === null) found = undefined
      else {
        this.spend(costOf(value, other))
        if (compare(value, other) === 0) return true
      }
    }
    return found
  }

  exists(e) {
    const { work } = this
    const shape = work.read('object', at.object(e.table))?.object.shape
    const index = shape?.indexes.find(({ id }) => id === e.index)
    if (shape === undefined || (e.index === undefined ? shape.blinded : !index?.plain)) return undefined
    const prefix = e.prefix.map((each) => this.value(each))
    if (prefix.includes(null)) return false
    for (const value of prefix) this.spend(Math.floor(lengthOf(value) / 64))
    const start = e.index === undefined ? at.rows(e.table) : at.index(e.table, e.index)
    let [looked, found] = [0, false]
    for (const { value } of rowsFrom(work.content, start, prefix, e)) {
      if (++looked > 256) return undefined
      if (e.where === undefined) return true
      const row = decode(records.row, value)
      this.spend(Math.floor((value.length - row.sealed.length) / 8))
      if (this.isSpent) return undefined
      const inner = new Evaluation(work, this.subject, { shape, plain: row.plain })
      const isIt = inner.truth(e.where)
      if (isIt === true) return true
      if (isIt === undefined) found = undefined
    }
    return found
  }
}

function rowsFrom(content, start, prefix, { table, index }) {
  const found = content.under(rangeOf(start, prefix).lo)
  return index === undefined ? found : found.map(({ value: rowKey }) => ({ value: content.get(at.row(table, rowKey)) }))
}

function columnOf({ shape, plain }, id) {
  return plain[shape.plain.findIndex((column) => column.id === id)] ?? null
}

/** Which clause found no grant, if one did: of a command on a row as it was and as it becomes (`plain`). */
export function refusedBy(work, shape, command, old, now, creator) {
  const author = work.authorAtFirst
  const named = shape.policies.filter((policy) => [command, 'all'].includes(COMMANDS[policy.command]))
  if (named.length === 0) return undefined
  const grants = (clause, plain) => {
    if (clause === undefined) return false
    const isTrue = new Evaluation(work, { shape, plain, creator, member: author.member, role: author.role }).truth(clause) === true
    return isTrue && work.nodes <= MOST
  }
  let [isUsed, isChecked] = [old === undefined, now === undefined]
  for (const { roles, using, check } of named) {
    if (roles.length > 0 && !roles.includes(author.role)) continue
    isUsed ||= grants(using, old)
    isChecked ||= grants(check ?? using, now)
  }
  if (!isUsed) return 'using'
  return isChecked ? undefined : 'check'
}

/** Of a clause of a table with these plaintext columns; `inside`: the `where` of an `exists`, where there is another row, and no further `exists`. */
export function isClauseGood(e, columns, inside = false) {
  const isGood = (operand) => operand === undefined || isClauseGood(operand, columns, inside)
  if (e.kind === 1) return e.other ? inside : columns.includes(e.id)
  if (e.kind === 18) return [e.value, ...e.list].every(isGood)
  if (e.kind === 19) return !inside && e.prefix.every(isGood) && (e.where === undefined || isClauseGood(e.where, columns, true))
  return [e.of, e.left, e.right].every(isGood)
}
