/** Ops on the relay and the version a second time, from engine/PROTOCOL.md §6.4, §9.2 and §9.3 alone. */
import { openCheckpoint } from './checkpoint.mjs'
import { Log } from './entries.mjs'
import { bytes, decode, fixed, list, struct, text, u8 } from './fields.mjs'
import { at } from './records.mjs'
import { checkConsistency } from './verifier.mjs'
import { conflict, proved, rule } from './work.mjs'

const hash = fixed(32)
const form = struct({ version: u8, spaceId: hash, relayName: text, relayKey: hash, smaller: bytes, larger: bytes, root: hash, proof: list(hash) })
const refuse = (why) => { throw new Error(why) }

/** §9.2: who contradicted themselves, and the two heads. */
export function openEvidence(encoded) {
  const { version, spaceId, relayName, relayKey, smaller: first, larger: second, root, proof } = decode(form, encoded)
  if (version !== 1) refuse('another version')
  const [smaller, larger] = [first, second].map((note) => openCheckpoint(note, spaceId, relayKey, [], relayName))
  if (smaller.size === larger.size) {
    if (proof.length > 0 || !root.equals(larger.logRoot)) refuse('more than is said')
    if (smaller.logRoot.equals(larger.logRoot) && smaller.stateRoot.equals(larger.stateRoot)) refuse('no contradiction')
  } else {
    if (smaller.size === 0 || smaller.size > larger.size || root.equals(smaller.logRoot)) refuse('no contradiction')
    checkConsistency({ size1: smaller.size, size2: larger.size, root1: root, root2: larger.logRoot, proof })
  }
  return { spaceId, relayName, relayKey, smaller, larger }
}

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
