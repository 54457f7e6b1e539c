/** Ops on the relay and the version a second time, from engine/PROTOCOL.md §6.4 and §9.3 alone. */
import { Log } from './entries.mjs'
import { openEvidence } from './evidence.mjs'
import { fixed, list } from './fields.mjs'
import { at } from './records.mjs'
import { conflict, proved, rule } from './work.mjs'

const hash = fixed(32)

function rootOfBranch({ common, peaks, leaves }) {
  const log = new Log()
  log.size = common
  log.roots = [...peaks]
  for (const leaf of leaves) log.append(leaf)
  return log.root()
}

export const relayOps = {
  relay(work, op) {
    if (op.relay === undefined) work.content.delete(at.relay())
    else work.write('relay', at.relay(), op.relay)
  },
  upgrade(work, op) {
    rule(op.version === work.read('version', at.version()) + 1, 'next-version')
    work.write('version', at.version(), op.version)
  },
  'rollback.accept'(work, op) {
    const evidence = proved('evidence', () => openEvidence(op.evidence))
    const relay = work.read('relay', at.relay())
    rule(evidence.spaceId.equals(work.spaceId) && relay?.name === evidence.relayName && relay.publicKey.equals(evidence.relayKey), 'relay')
    const [lost, kept] = op.lostIsLarger ? [evidence.larger, evidence.smaller] : [evidence.smaller, evidence.larger]
    const { common, peaks, leaves } = op
    rule(common > 0 && common < lost.size && common < kept.size, 'lost-branch')
    rule(leaves.length === lost.size - common && leaves.length <= 65536 && rootOfBranch(op).equals(lost.logRoot), 'lost-branch')
    const { base } = work
    conflict(kept.size === base.size && kept.logRoot.equals(base.logRoot) && kept.stateRoot.equals(base.stateRoot), 'kept-head')
    conflict(!work.content.has(at.lost(lost.logRoot)), 'repeated')
    const branch = Buffer.concat([...peaks, list(hash).write(leaves)])
    work.write('lost', at.lost(lost.logRoot), { index: work.index, device: work.entry.device, size: lost.size, stateRoot: lost.stateRoot, common, peaksAndLeaves: branch })
  },
}
