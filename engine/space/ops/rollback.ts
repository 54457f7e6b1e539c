/** Accepting that a relay went back (PROTOCOL.md §9.3): an admin names both heads, both notes and what was lost. */
import { equalBytes } from '../../codec/bytes.js'
import { type Reader, type Writer } from '../../codec/canonical.js'
import { isSealError } from '../../errors.js'
import { MAX_NOTE_LENGTH } from '../../limits.js'
import { Reject, requireOr, type ApplyEnv } from '../../state/context.js'
import { lostBranchKey, relayKey } from '../../state/keys.js'
import { type SpaceContext, type SpaceOpCodec } from '../context.js'
import { type VerifiedFork, verifyEvidence } from '../evidence.js'
import { encodeLostBranch, readTail, tailRoot, writeTail, type BranchTail } from '../lost-branch.js'
import { decodeRelay } from './space.js'

export interface AcceptRollbackOp extends BranchTail {
  readonly op: 'rollback.accept'
  /** Of the two notes in the evidence, which one is of the lost head; the other is of this entry's base. */
  readonly lostIsLarger: boolean
  readonly evidence: Uint8Array
}

/** Two notes, a proof and some hashes. */
const MAX_EVIDENCE_LENGTH = 3 * MAX_NOTE_LENGTH

export const acceptRollback: SpaceOpCodec<AcceptRollbackOp> = {
  tag: 0x0e,
  name: 'rollback.accept',
  role: 'admin',
  write(w: Writer, op) {
    writeTail(w, op)
    w.bool(op.lostIsLarger).bytes(op.evidence, MAX_EVIDENCE_LENGTH)
  },
  read: (r: Reader) => ({ op: 'rollback.accept', ...readTail(r), lostIsLarger: r.bool(), evidence: r.copyBytes(MAX_EVIDENCE_LENGTH) }),
  apply(ctx, op) {
    const { crypto, spaceId } = ctx.env
    const fork = openEvidence(ctx.env, op.evidence)
    requireOr(equalBytes(fork.spaceId, spaceId) && isRelayOf(ctx, fork), 'rule', 'relay')
    const [lost, kept] = op.lostIsLarger ? [fork.larger, fork.smaller] : [fork.smaller, fork.larger]
    const { size } = op.common
    requireOr(size > 0 && size < lost.size && size < kept.size && op.leaves.length === lost.size - size, 'rule', 'lost-branch')
    requireOr(equalBytes(tailRoot(crypto, op, op.leaves.length), lost.logRoot), 'rule', 'lost-branch')
    const { base } = ctx.entry
    requireOr(kept.size === base.size && equalBytes(kept.logRoot, base.logRoot) && equalBytes(kept.stateRoot, base.stateRoot), 'conflict', 'kept-head')
    const key = lostBranchKey(lost.logRoot)
    requireOr(ctx.get(key) === undefined, 'conflict', 'repeated')
    ctx.put(key, encodeLostBranch({ index: ctx.index, device: ctx.author.device, head: lost, common: op.common, leaves: op.leaves }))
  },
}

function openEvidence(env: ApplyEnv, evidence: Uint8Array): VerifiedFork {
  try {
    return verifyEvidence(env.crypto, evidence)
  } catch (error) {
    if (isSealError(error) && (error.family === 'hostile' || error.code === 'unsupported-version')) throw new Reject('rule', 'evidence')
    throw error
  }
}

function isRelayOf(ctx: SpaceContext, fork: VerifiedFork): boolean {
  const bytes = ctx.get(relayKey())
  if (bytes === undefined) return false
  const { name, publicKey } = decodeRelay(bytes)
  return name === fork.relayName && equalBytes(publicKey, fork.relayKey)
}
