/** `relay`, `upgrade` and `rollback.accept`: by the engine and by what was written from PROTOCOL.md alone, refusal by refusal, and what is then said of an unknown version. */
import { expect, it } from 'vitest'
import { checkpointSigner, formatStateLine, originOfSpace, signCheckpoint } from '../../engine/log/checkpoint.js'
import { EMPTY_FRONTIER, appendLeaf, frontierRoot, type Frontier } from '../../engine/log/frontier.js'
import { referenceConsistency } from '../../engine/log/reference.js'
import { encodeEvidence } from '../../engine/space/evidence.js'
import { entryHash } from '../../engine/space/entry.js'
import { type AcceptRollbackOp } from '../../engine/space/ops/rollback.js'
import { type Op } from '../../engine/space/ops/index.js'
import { type Head } from '../../engine/space/types.js'
import { crypto } from '../space/world.js'
import { Both } from './both.js'
import { RELAY } from './refusals.js'

const reached = new Set<string>()
const both = new Both(41, reached)
const { ada } = both.world
const RELAY_NAME = 'relay.example'
const signer = crypto.signer(new Uint8Array(32).fill(5))
const note = (head: Head, name = RELAY_NAME): Uint8Array =>
  signCheckpoint({ origin: originOfSpace(both.world.spaceId), size: head.size, root: head.logRoot, extensions: [formatStateLine(head.stateRoot)] }, [checkpointSigner(crypto, name, signer)])
const relay = (name: string, publicKey = signer.publicKey): Op => ({ op: 'relay', relay: { url: 'wss://relay.example', name, publicKey } })
const frontier = (leaves: readonly Uint8Array[]): Frontier => leaves.reduce((so, leaf) => appendLeaf(crypto, so, leaf), EMPTY_FRONTIER)

it('a relay that went back', () => {
  const dora = both.join('dora', 'admin')
  both.applies(ada, [relay(RELAY_NAME)])
  for (let i = 0; i < 5; i++) both.land(both.record(ada, [{ op: 'invite.revoke', invitation: 9 }]), 'rejected conflict no-invitation')
  const leaves = both.world.records.map((record) => entryHash(crypto, record))
  const common = 4
  // The branch that was lost: other entries after the common ones.
  const lostLeaves = [1, 2].map((n) => crypto.sha256(Uint8Array.of(n)))
  const lost: Head = { size: common + 2, logRoot: frontierRoot(crypto, frontier([...leaves.slice(0, common), ...lostLeaves])), stateRoot: new Uint8Array(32).fill(3) }
  const kept = both.world.head
  const proof = referenceConsistency(crypto, lost.size, leaves)
  const root = frontierRoot(crypto, frontier(leaves.slice(0, lost.size)))
  const parts = { spaceId: both.world.spaceId, relayName: RELAY_NAME, relayKey: signer.publicKey, smaller: note(lost), larger: note(kept), root, proof }
  const op: AcceptRollbackOp = { op: 'rollback.accept', common: frontier(leaves.slice(0, common)), leaves: lostLeaves, lostIsLarger: false, evidence: encodeEvidence(parts) }
  const refuses = (change: Partial<AcceptRollbackOp>, expected: string, more = {}): void => { both.refuses(ada, [{ ...op, ...change }], expected, more) }

  for (const evidence of [
    new Uint8Array(0), op.evidence.slice(1), Uint8Array.of(...op.evidence, 0), op.evidence.with(0, 2), encodeEvidence({ ...parts, root: lost.logRoot }), encodeEvidence({ ...parts, proof: proof.slice(1) }),
    encodeEvidence({ ...parts, smaller: parts.larger, larger: parts.smaller }), encodeEvidence({ ...parts, smaller: parts.larger, proof: [] }), encodeEvidence({ ...parts, relayName: 'another' }),
    encodeEvidence({ ...parts, smaller: note({ ...lost, size: 0 }) }),
  ]) refuses({ evidence }, 'rule evidence')
  const renamed = { ...parts, relayName: 'another', smaller: note(lost, 'another'), larger: note(kept, 'another') }
  refuses({ evidence: encodeEvidence(renamed) }, 'rule relay')
  const other = new Both(42, reached)
  other.refuses(other.world.ada, [op], 'rule relay')
  refuses({ common: EMPTY_FRONTIER, leaves: [] }, 'rule lost-branch')
  refuses({ common: frontier(leaves.slice(0, 6)), leaves: [] }, 'rule lost-branch')
  refuses({ leaves: lostLeaves.slice(1) }, 'rule lost-branch')
  refuses({ leaves: [...lostLeaves].reverse() }, 'rule lost-branch')
  refuses({ common: frontier(lostLeaves.concat(lostLeaves)) }, 'rule lost-branch')
  refuses({ lostIsLarger: true }, 'rule lost-branch')
  both.refuses(dora, [op], 'conflict kept-head', { base: both.world.headAt(kept.size - 1) })
  // Two notes of one size contradict each other, too: here the other branch is as long as this one.
  const equal: Head = { size: kept.size, logRoot: frontierRoot(crypto, frontier([...leaves.slice(0, kept.size - 2), ...lostLeaves])), stateRoot: kept.stateRoot }
  const twice = encodeEvidence({ ...parts, smaller: note(equal), root: kept.logRoot, proof: [] })
  both.tries(both.record(ada, [{ ...op, common: frontier(leaves.slice(0, kept.size - 2)), evidence: twice }]), 'applied')
  both.refuses(ada, [op, op], 'conflict repeated')
  both.applies(ada, [op])
  both.refuses(ada, [{ ...op }], 'conflict kept-head')
})

it('goes, and the version rises once, after which nothing is said', () => {
  both.applies(ada, [{ op: 'relay', relay: undefined }])
  for (const version of [0, 1, 3, 255]) both.refuses(ada, [{ op: 'upgrade', version }], 'rule next-version')
  both.applies(ada, [{ op: 'upgrade', version: 2 }])
  const next = both.record(ada, [relay(RELAY_NAME)])
  expect(() => both.world.tryOut(next)).toThrow(expect.objectContaining({ code: 'unsupported-version' }) as Error)
  expect(() => both.machine.take(Buffer.from(next))).toThrow()
})

it('each refusal was met', () => {
  expect(RELAY.filter((name) => !reached.has(name))).toEqual([])
})
