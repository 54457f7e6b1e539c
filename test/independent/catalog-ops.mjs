/** Ops on the catalog a second time, from engine/PROTOCOL.md §6.4, §8.1 and §8.6 alone. */
import { isClauseGood } from './policies.mjs'
import { at } from './records.mjs'
import { ADMIN, conflict, role, rule } from './work.mjs'

const TABLE = 0
const isPlaced = (token, generation) => token[0] === generation % 256

function begin(work) {
  rule(work.rows.size === 0, 'order')
  rule(++work.catalogOps <= 256, 'catalog-ops')
}

/** An object that the author may change. */
function find(work, id) {
  const found = work.read('object', at.object(id))
  conflict(found !== undefined, 'object')
  conflict(work.isSettled(found), 'catalog-version')
  const parent = found.object.parent === undefined ? undefined : work.read('object', at.object(found.object.parent))
  const author = work.authorAtFirst
  role(author.role >= ADMIN || found.creator === author.member || parent?.creator === author.member, 'not-creator')
  return found
}

function checkShape(work, { kind, parent, shape }) {
  rule((kind === TABLE) === (shape !== undefined) && !(kind === TABLE && parent !== undefined), 'shape')
  if (shape === undefined) return
  const ids = shape.plain.map(({ id }) => id)
  rule(ids.every((id, i) => i === 0 || id > ids[i - 1]), 'shape')
  rule(new Set(shape.indexes.map(({ id }) => id)).size === shape.indexes.length, 'shape')
  rule(shape.indexes.every(({ plain, columns }) => !plain || columns.every((id) => ids.includes(id))), 'shape')
  rule(shape.indexes.every(({ columns }) => columns.length > 0), 'shape')
  rule(shape.policies.every(({ using, check }) => [using, check].every((clause) => clause === undefined || isClauseGood(clause, ids))), 'policy-shape')
}

function takeName(work, token, generation) {
  rule(isPlaced(token, generation), 'name-generation')
  conflict(!work.content.has(at.name(token)), 'name')
}

function write(work, id, record) {
  const before = work.read('object', at.object(id))
  if (before !== undefined) {
    work.content.delete(at.name(before.nameToken))
    work.live(before.epoch, 0, -1)
  }
  work.content.set(at.name(record.nameToken), Buffer.from(at.object(id).subarray(1)))
  work.write('object', at.object(id), { ...record, version: work.index, device: work.entry.device, epoch: work.entry.epoch })
  work.live(work.entry.epoch, 0, 1)
}

function erase(work, id, { nameToken, epoch }) {
  work.content.delete(at.name(nameToken))
  work.content.delete(at.object(id))
  work.live(epoch, 0, -1)
}

/** §8.1: what a replacement leaves as it is. */
function checkReplacement(before, after) {
  rule(before.kind === after.kind && before.parent === after.parent, 'kind-changed')
  if (before.shape === undefined) return
  rule(before.shape.blinded === after.shape.blinded, 'key-changed')
  rule(before.shape.plain.every(({ id, type, notNull }, i) => {
    const now = after.shape.plain[i]
    return now?.id === id && now.type === type && (notNull || !now.notNull)
  }), 'column-changed')
  rule(before.shape.indexes.every((index) => {
    const now = after.shape.indexes.find(({ id }) => id === index.id)
    return now === undefined || JSON.stringify(now) === JSON.stringify(index)
  }), 'index-changed')
}

export const catalogOps = {
  create(work, op) {
    begin(work)
    conflict(op.id === work.counters.nextObject, 'id')
    const { generation } = work.counters
    takeName(work, op.nameToken, generation)
    if (op.object.parent !== undefined) find(work, op.object.parent)
    checkShape(work, op.object)
    work.checkForm(op.sealed)
    work.count({ nextObject: op.id + 1 })
    write(work, op.id, { creator: work.author.member, generation, nameToken: op.nameToken, object: op.object, sealed: op.sealed })
  },
  replace(work, op) {
    begin(work)
    const found = find(work, op.id)
    if (op.nameToken !== undefined) takeName(work, op.nameToken, found.generation)
    checkShape(work, op.object)
    checkReplacement(found.object, op.object)
    work.checkForm(op.sealed)
    const [before, after] = [found.object, op.object].map(({ shape }) => shape?.indexes.map(({ id }) => id) ?? [])
    for (const index of before) if (!after.includes(index)) work.content.cut(at.index(op.id, index))
    for (const index of after) if (!before.includes(index)) work.addedIndexes.push({ table: op.id, index })
    write(work, op.id, { ...found, nameToken: op.nameToken ?? found.nameToken, object: op.object, sealed: op.sealed })
  },
  drop(work, op) {
    begin(work)
    const found = find(work, op.id)
    erase(work, op.id, found)
    if (found.object.shape === undefined) return
    for (const child of work.all('object', 0x20)) if (child.object.parent === op.id) erase(work, child.id, child)
    work.content.cut(at.rows(op.id))
    work.content.cut(at.entries(op.id))
    for (const { key } of work.content.under(Buffer.of(0x15))) if (key.readUInt32BE(5) === op.id) work.content.delete(key)
  },
  'reseal-object'(work, op) {
    begin(work)
    const found = find(work, op.id)
    work.checkForm(op.sealed)
    write(work, op.id, { ...found, sealed: op.sealed })
  },
  'reblind-object'(work, op) {
    begin(work)
    const found = find(work, op.id)
    const { generation } = work.counters
    conflict(found.generation < generation, 'generation')
    takeName(work, op.nameToken, generation)
    work.checkForm(op.sealed)
    write(work, op.id, { ...found, generation, nameToken: op.nameToken, sealed: op.sealed })
  },
}
