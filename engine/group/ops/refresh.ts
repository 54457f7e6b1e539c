/**
 * `agreement.refresh`: a device replaces its agreement key, after a forget (until all have, it is pending) or to heal before a rotate.
 * It grants the current epoch from its old key to the new one; the old one is in its grave already.
 */
import { type OpCodec, requireOr } from '../../state/context.js'
import { deviceKey } from '../../state/keys.js'
import { encodeDevice } from '../../state/roster.js'
import { GRANT_LENGTH, POSSESSION_LENGTH } from '../../crypto/verifiable.js'
import { requirePossession, takeGrant } from '../admission.js'
import { admitKey } from '../graves.js'
import { roleNow } from '../roles.js'
import { readDevice, readPairOf } from '../roster.js'

export interface AgreementRefreshOp {
  readonly op: 'agreement.refresh'
  readonly agreement: Uint8Array
  /** Of the signing key that stays and the agreement key that comes. */
  readonly possession: Uint8Array
  /** Of the current epoch, from the old key to the new. */
  readonly grant: Uint8Array
}

export const agreementRefresh: OpCodec<AgreementRefreshOp> = {
  tag: 0x1b,
  name: 'agreement.refresh',
  role: undefined,
  write: (w, op) => {
    w.fixed(op.agreement, 32).fixed(op.possession, POSSESSION_LENGTH).fixed(op.grant, GRANT_LENGTH)
  },
  read: (r) => ({ op: 'agreement.refresh', agreement: r.fixed(32), possession: r.fixed(POSSESSION_LENGTH), grant: r.fixed(GRANT_LENGTH) }),
  apply: (ctx, op) => {
    const id = ctx.author.device
    const device = readDevice(ctx, id)
    requireOr(device !== undefined && device.removedAt === undefined, 'role', 'removed')
    const { agreement } = op
    const { signing } = device
    const context = { space: ctx.env.spaceId, kind: 'agreement', admitter: signing, id, role: roleNow(ctx), base: ctx.entry.base } as const
    requirePossession(ctx, context, signing, agreement, op.possession)
    admitKey(ctx, agreement, { holder: 'device', id, use: 'agreement' })
    takeGrant(ctx, { agreement: device.agreement, signing, pair: readPairOf(ctx, 0, id) }, { holder: 0, id, agreement }, op.grant)
    ctx.put(deviceKey(id), encodeDevice({ ...device, agreement, agreementEpoch: ctx.meta.epoch }))
  },
}
