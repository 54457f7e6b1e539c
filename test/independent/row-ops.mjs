/** Ops on rows a second time, from engine/PROTOCOL.md §6.4, §8.2 to §8.4 and §8.6 alone. */
import { decodeKey, encodeKey } from './formats.mjs'
import { encode } from './fields.mjs'
import { at } from './records.mjs'
import * as records from './records.mjs'
import { refusedBy } from './policies.mjs'
import { conflict, Refusal, rule } from './work.mjs'

const TYPES = [(v) => typeof v === 'bigint', (v) => typeof v === 'number', (v) => typeof v === 'string', (v) => Buffer.isBuffer(v), () => true]
const isPlaced = (token, generation) => token[0] === generation % 256

/** §8.4: what the indexes hold of a row. */
function entriesOf(table, shape, rowKey, row) {
  return shape.indexes.map(({ id, plain, unique, columns }) => {
    const place = at.index(table, id)
    const values = columns.map((column) => row.plain[shape.plain.findIndex((each) => each.id === column)] ?? null)
    const isAlone = unique && !(plain && values.includes(null))
    let key = place
    if (plain) {
      try {
        key = encodeKey(place, values)
      } catch {
        return { key: undefined }
      }
    } else key = Buffer.concat([place, ...row.tokens.filter(({ index }) => index === id).map(({ token }) => token)])
    key = isAlone ? key : Buffer.concat([key, rowKey])
    return { key: key.length > 255 ? undefined : key, isAlone }
  })
}

/** Table and row, where an op may look at them at all. */
function find(work, op) {
  const table = work.read('object', at.object(op.table))
  conflict(table?.object.shape !== undefined, 'table')
  conflict(work.isSettled(table), 'catalog-version')
  touch(work, op.table, op.rowKey)
  const shape = table.object.shape
  return { table, shape, old: work.read('row', at.row(op.table, op.rowKey)) }
}
function touch(work, table, rowKey) {
  const name = at.row(table, rowKey).toString('hex')
  rule(!work.rows.has(name), 'repeated-key')
  work.rows.add(name)
}
function findOld(work, op) {
  const found = find(work, op)
  conflict(found.old !== undefined, 'absent')
  conflict(work.isSettled(found.old), 'row-version')
  return found
}
function checkPolicies(work, ...args) {
  const clause = refusedBy(work, ...args)
  if (clause !== undefined) throw new Refusal('policy', clause)
}

function checkPlain(shape, plain) {
  rule(plain.length === shape.plain.length, 'plain-count')
  shape.plain.forEach(({ type, notNull }, i) => {
    rule(!notNull || plain[i] !== null, 'not-null')
    rule(plain[i] === null || TYPES[type](plain[i]), 'plain-type')
  })
}
function isKey(shape, generation, table, rowKey) {
  if (shape.blinded) return rowKey.length === 16 && isPlaced(rowKey, generation)
  try {
    return decodeKey(at.rows(table), at.row(table, rowKey)).length > 0
  } catch {
    return false
  }
}
function checkTokens(shape, generation, tokens) {
  const blind = shape.indexes.filter(({ plain }) => !plain)
  const isGood = tokens.length === blind.length && blind.every(({ id, unique }, i) => tokens[i].index === id && (!unique || isPlaced(tokens[i].token, generation)))
  rule(isGood, 'tokens')
}

/** From form on: the row in its place, with its index entries, and out of its old one. */
function put(work, op, { table, shape, old }, rowKey, row) {
  work.checkForm(op.sealed)
  checkTokens(shape, table.generation, op.tokens)
  const record = encode(records.row, row)
  rule(record.length <= 2 ** 24, 'too-large')
  const entries = entriesOf(op.table, shape, rowKey, row)
  rule(entries.every(({ key }) => key !== undefined), 'key-too-long')
  for (const { key, isAlone } of entries) {
    if (!isAlone || (held(work, key, op.table)?.equals(rowKey) && old !== undefined)) continue
    const name = key.toString('hex')
    conflict(!work.claims.has(name), 'unique')
    work.claims.set(name, { key, table: op.table, op: work.opIndex })
  }
  if (old !== undefined) takeOut(work, op.table, shape, op.rowKey, old, rowKey.equals(op.rowKey) ? entries : [])
  for (const { key } of entries) work.content.set(key, rowKey)
  work.content.set(at.row(op.table, rowKey), record)
  work.live(row.epoch, op.table, 1)
}
/** Whose value it was before the entry, but in an index that the entry adds: whatever lay there is gone. */
function held(work, key, table) {
  return work.addedIndexes.some((added) => added.table === table && key.subarray(0, 7).equals(at.index(table, added.index))) ? undefined : work.before.get(key)
}
function takeOut(work, table, shape, rowKey, old, kept = []) {
  for (const { key } of entriesOf(table, shape, rowKey, old)) {
    if (key === undefined || kept.some((each) => each.key.equals(key))) continue
    if (held(work, key, table)?.equals(rowKey)) work.released.add(key.toString('hex'))
    if (work.content.get(key)?.equals(rowKey)) work.content.delete(key)
  }
  work.content.delete(at.row(table, rowKey))
  work.live(old.epoch, table, -1)
}
/** A unique token stays that of its value, but for its generation. */
function checkSameValues(work, op, shape, old) {
  for (const { id } of shape.indexes.filter(({ plain, unique }) => !plain && unique)) {
    if (work.addedIndexes.some(({ table, index }) => table === op.table && index === id)) continue
    const [before, after] = [old.tokens, op.tokens].map((tokens) => tokens.find(({ index }) => index === id)?.token)
    rule(!before || !after || before.equals(after) || before[0] !== after[0], 'reseal-token')
  }
}
const written = (work, op, more) => ({ version: work.index, member: work.author.member, device: work.entry.device, epoch: work.entry.epoch, tokens: op.tokens, sealed: op.sealed, ...more })

export const rowOps = {
  insert(work, op) {
    const found = find(work, op)
    const { table, shape, old } = found
    conflict(old === undefined, 'present')
    const creator = work.author.member
    checkPolicies(work, shape, 'insert', undefined, op.plain, creator)
    checkPlain(shape, op.plain)
    rule(isKey(shape, table.generation, op.table, op.rowKey), 'row-key')
    put(work, op, found, op.rowKey, written(work, op, { creator, plain: op.plain }))
  },
  update(work, op) {
    const found = findOld(work, op)
    const { shape, old } = found
    checkPolicies(work, shape, 'update', old.plain, op.plain, old.creator)
    checkPlain(shape, op.plain)
    put(work, op, found, op.rowKey, written(work, op, { creator: old.creator, plain: op.plain }))
  },
  delete(work, op) {
    const { shape, old } = findOld(work, op)
    checkPolicies(work, shape, 'delete', old.plain, undefined, old.creator)
    takeOut(work, op.table, shape, op.rowKey, old)
  },
  reseal(work, op) {
    const found = findOld(work, op)
    const { shape, old } = found
    checkSameValues(work, op, shape, old)
    put(work, op, found, op.rowKey, written(work, op, { creator: old.creator, plain: old.plain }))
  },
  rekey(work, op) {
    const found = findOld(work, op)
    const { table, shape, old } = found
    rule(shape.blinded && !isPlaced(op.rowKey, table.generation) && isPlaced(op.newKey, table.generation), 'row-key')
    touch(work, op.table, op.newKey)
    conflict(!work.content.has(at.row(op.table, op.newKey)), 'present')
    checkSameValues(work, op, shape, old)
    put(work, op, found, op.newKey, written(work, op, { creator: old.creator, plain: old.plain }))
  },
}

/** What is left to the end of an entry. */
export function checkEnd(work) {
  for (const { key, table, op } of work.claims.values()) {
    if (held(work, key, table) !== undefined && !work.released.has(key.toString('hex'))) throw new Refusal('conflict', 'unique', op)
  }
  for (const { table, index } of work.addedIndexes) {
    const shape = work.read('object', at.object(table))?.object.shape
    if (!shape?.indexes.some(({ id }) => id === index)) continue
    if (work.content.count(at.index(table, index)) !== work.content.count(at.rows(table))) throw new Refusal('conflict', 'index-incomplete')
  }
}
