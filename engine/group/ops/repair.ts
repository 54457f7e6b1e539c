/**
 * `link.repair`: a member's second word on what an epoch's record carries, where the first does not open or opens to the wrong secret.
 * One per member, epoch and kind. Nobody can tell here who is right: commitments and rows tell the holders of secrets (keyring.ts).
 */
import { MAX_LINK_LENGTH } from '../../limits.js'
import { type OpCodec, Reject, requireOr } from '../../state/context.js'
import { MAX_ID, repairKey } from '../../state/keys.js'
import { readEpoch } from '../epochs.js'
import { encodeRepair, REPAIR_KINDS, type RepairKind } from '../repairs.js'

export interface LinkRepairOp {
  readonly op: 'link.repair'
  readonly epoch: number
  readonly kind: RepairKind
  readonly box: Uint8Array
}

export const linkRepair: OpCodec<LinkRepairOp> = {
  tag: 0x19,
  name: 'link.repair',
  role: undefined,
  write: (w, op) => {
    w.varint(op.epoch).u8(REPAIR_KINDS.indexOf(op.kind)).bytes(op.box, MAX_LINK_LENGTH)
  },
  read: (r) => {
    const epoch = r.varint(MAX_ID)
    const kind = REPAIR_KINDS[r.u8()]
    if (kind === undefined) throw r.bad('Expected a kind of repair, 0 or 1')
    return { op: 'link.repair', epoch, kind, box: r.bytes(MAX_LINK_LENGTH) }
  },
  apply: (ctx, op) => {
    const epoch = readEpoch(ctx, op.epoch)
    if (epoch === undefined) throw new Reject('conflict', 'no-epoch')
    const original = op.kind === 'link' ? epoch.link : epoch.blinding
    requireOr(original.length > 0 && op.box.length === original.length, 'rule', 'link-length')
    const key = repairKey(op.epoch, REPAIR_KINDS.indexOf(op.kind), ctx.author.member)
    requireOr(ctx.get(key) === undefined, 'conflict', 'repaired')
    ctx.put(key, encodeRepair({ device: ctx.author.device, box: op.box }))
  },
}
