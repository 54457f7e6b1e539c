/** Ops on files a second time, from engine/PROTOCOL.md §6.4 and §8.7 alone. */
import { idOf } from './files.mjs'
import { at } from './records.mjs'
import { ADMIN, conflict, role, rule } from './work.mjs'

function touch(work, id) {
  const name = id.toString('hex')
  rule(!work.files.has(name), 'repeated-key')
  work.files.add(name)
}
function find(work, id) {
  touch(work, id)
  const found = work.read('file', at.file(id))
  conflict(found !== undefined, 'absent')
  conflict(work.isSettled(found), 'file-version')
  return found
}
function write(work, id, record) {
  work.write('file', at.file(id), { ...record, version: work.index, member: work.author.member, device: work.entry.device, epoch: work.entry.epoch })
  work.live(work.entry.epoch, 0, 1)
}

export const fileOps = {
  'file.put'(work, op) {
    touch(work, op.id)
    conflict(!work.content.has(at.file(op.id)), 'present')
    rule(op.id.equals(idOf(work.spaceId, op.commitment, op.length, op.root)), 'file-id')
    work.checkForm(op.sealed)
    write(work, op.id, { ...op, creator: work.author.member })
  },
  'file.delete'(work, op) {
    const found = find(work, op.id)
    role(work.authorAtFirst.role >= ADMIN || found.creator === work.authorAtFirst.member, 'not-creator')
    work.content.delete(at.file(op.id))
    work.live(found.epoch, 0, -1)
  },
  'file.reseal'(work, op) {
    const found = find(work, op.id)
    work.checkForm(op.sealed)
    work.live(found.epoch, 0, -1)
    write(work, op.id, { ...found, sealed: op.sealed })
  },
}
