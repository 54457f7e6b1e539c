/**
 * `forget`: epochs before the cut become unreadable for good. It ends every open invitation and is followed, in the same entry, by the
 * rotate whose link carries only the data secrets of what remains. Refused while anything live is still sealed under an epoch before the cut.
 */
import { type OpCodec, requireOr } from '../../state/context.js'
import { epochKey, liveKey, MAX_ID, repairKey } from '../../state/keys.js'
import { isVoid } from '../roster.js'
import { endInvitations } from './remove.js'

export interface ForgetOp {
  readonly op: 'forget'
  /** The first epoch that stays readable; at most the current one. */
  readonly before: number
}

export const forget: OpCodec<ForgetOp> = {
  tag: 0x1a,
  name: 'forget',
  role: 'owner',
  write: (w, op) => {
    w.varint(op.before)
  },
  read: (r) => ({ op: 'forget', before: r.varint(MAX_ID) }),
  apply: (ctx, op) => {
    const { epoch, firstEpoch } = ctx.meta
    requireOr(!isVoid(ctx, ctx.meta), 'rule', 'epoch-void')
    requireOr(op.before > firstEpoch && op.before <= epoch, 'rule', 'cut')
    requireOr(ctx.count(liveKey(firstEpoch, 0), liveKey(op.before, 0)) === 0, 'rule', 'live-values')
    requireOr(ctx.opName(ctx.op + 1) === 'rotate', 'rule', 'rotate-missing')
    endInvitations(ctx)
    ctx.setMeta({ firstEpoch: op.before })
    // Their links and boxes are of no use to the honest any more.
    for (let e = firstEpoch; e < op.before; e++) {
      ctx.delete(epochKey(e))
      ctx.deletePrefix(repairKey(e, 0, 0).subarray(0, 5))
    }
  },
}
