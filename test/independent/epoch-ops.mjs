/** Ops on epochs a second time, from engine/PROTOCOL.md §7.4 to §7.9 and §8.6 alone. */
import { checkDelivery } from './group.mjs'
import { at, idOf, kind } from './records.mjs'
import { ADMIN, conflict, proved, role, rule } from './work.mjs'

const SEALED = 77
const isEqual = (a, b) => a.generation === b.generation && a.commitment.equals(b.commitment)

/** §8.6: whether anything is under a generation of blinding secrets. */
function isUsed(work, generation) {
  const first = Buffer.of(generation % 256)
  return work.all('object', 0x20).some(({ id, generation: own, object: { shape } }) => own === generation || (shape !== undefined && (
    (shape.blinded && work.content.count(Buffer.concat([at.rows(id), first])) > 0)
    || shape.indexes.some(({ id: index, plain, unique }) => !plain && unique && work.content.count(Buffer.concat([at.index(id, index), first])) > 0)
  )))
}

/** §7.8: what the generations become. */
function checkGenerations(work, op, last) {
  const next = op.generations
  const isAdded = next.at(-1)?.generation === last.at(-1).generation + 1
  const kept = isAdded ? next.slice(0, -1) : next
  const dropped = last.length - kept.length
  rule(next.length >= 1 && next.length <= 2 && dropped >= 0 && kept.every((each, i) => isEqual(each, last[dropped + i])), 'generations')
  role((dropped === 0 && !isAdded) || work.author.role >= ADMIN, 'reblind')
  for (const { generation } of last.slice(0, dropped)) rule(!isUsed(work, generation), 'generation-in-use')
  rule(op.blinding.length === SEALED + 32 * next.length, 'blinding-length')
}

export const epochOps = {
  rotate(work, op) {
    rule(work.isLastOp, 'rotate-last')
    const { counters, author } = work
    const isVoid = work.isVoid()
    conflict(op.epoch === (isVoid ? counters.epoch : counters.epoch + 1), 'epoch')
    const isFree = isVoid || work.isRemoval || work.isForget || author.role >= ADMIN
    rule(isFree || counters.lastFreeRotation === 0 || work.index - (counters.lastFreeRotation - 1) >= 64, 'rotate-interval')
    const last = work.read('epoch', at.epoch(op.epoch - 1))
    const linksFrom = work.isForget ? counters.firstEpoch : op.epoch - 1
    rule(op.link.length === SEALED + (work.isForget ? 1 + 32 * (op.epoch - linksFrom) : 65), 'link-length')
    checkGenerations(work, op, last.generations)
    const recipients = work.recipients()
    const context = { space: work.spaceId, ...work.base, epoch: op.epoch, author: author.signing }
    const pairs = proved('delivery', () => checkDelivery(context, recipients.map(({ agreement }) => agreement), op.delivery), conflict)
    for (const invitation of work.all('invitation', 0x13)) if (!work.isOpen(invitation)) work.endInvitation(invitation.id)
    const { generation } = op.generations.at(-1)
    work.count({ epoch: op.epoch, generation, firstGeneration: op.generations[0].generation, ...(!isFree && { lastFreeRotation: work.index + 1 }) })
    recipients.forEach(({ holder, id }, i) => { work.givePair(holder, id, pairs[i]) })
    work.write('epoch', at.epoch(op.epoch), {
      startedAt: work.index, author: author.id, reason: work.isForget ? 3 : work.isRemoval ? 2 : 1, c0: pairs[0].c0, data: op.commitments.subarray(0, 32), link: op.commitments.subarray(32),
      lastForget: work.isForget ? op.epoch : last.lastForget, linksFrom, box: op.link, generations: op.generations, blinding: op.blinding,
    })
  },

  'link.repair'(work, op) {
    const epoch = work.read('epoch', at.epoch(op.epoch))
    conflict(epoch !== undefined, 'no-epoch')
    rule(op.box.length === (op.kind === 0 ? epoch.box : epoch.blinding).length, 'link-length')
    const place = at.repair(op.epoch, op.kind, work.author.member)
    conflict(!work.content.has(place), 'repaired')
    work.write('repair', place, { device: work.entry.device, box: op.box })
  },

  forget(work, op) {
    rule(!work.isVoid(), 'epoch-void')
    const { epoch, firstEpoch } = work.counters
    rule(firstEpoch < op.before && op.before <= epoch, 'cut')
    rule(!work.content.under(kind(0x15)).some(({ key }) => idOf(key) < op.before), 'live-values')
    rule(work.entry.ops[work.opIndex + 1]?.name === 'rotate', 'rotate-missing')
    for (const { id } of work.all('invitation', 0x13)) work.endInvitation(id)
    for (const n of [0x14, 0x18]) for (const { key } of work.content.under(kind(n))) if (idOf(key) < op.before) work.content.delete(key)
    work.count({ firstEpoch: op.before })
    work.isForget = true
  },
}
