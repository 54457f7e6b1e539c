/**
 * `genesis`: the first op of the first entry. Admits member 1 as owner, its device 1, and starts epoch 1. The entry is signed by the device's
 * key, over everything here: that is the signing key's proof of possession. The space's id is this entry's hash, so 32 zero bytes stand for it.
 */
import { EMPTY_BYTES } from '../../codec/bytes.js'
import { MAX_LINK_LENGTH } from '../../limits.js'
import { type OpCodec, requireOr } from '../../state/context.js'
import { deviceKey, epochKey, memberKey, pairKey } from '../../state/keys.js'
import { encodeDevice, encodeMember } from '../../state/roster.js'
import { deliveryLength, type Pair, POSSESSION_LENGTH } from '../../crypto/verifiable.js'
import { requireDelivery, requirePossession } from '../admission.js'
import { GENESIS_SPACE_ID } from '../contexts.js'
import { encodeEpoch, type EpochCommitments, readCommitments, writeCommitments } from '../epochs.js'
import { admitKey } from '../graves.js'
import { blindingLength } from '../history.js'
import { encodePair } from '../pairs.js'

export const FIRST_EPOCH = 1
const FIRST_MEMBER = 1
export const FIRST_DEVICE = 1
export const FIRST_GENERATION = 1

export interface GenesisOp {
  readonly op: 'genesis'
  readonly signing: Uint8Array
  readonly agreement: Uint8Array
  /** Of both keys. */
  readonly possession: Uint8Array
  /** To the one device. */
  readonly delivery: Uint8Array
  readonly commitments: EpochCommitments
  /** Commitment to the first blinding secret, and the box with it. */
  readonly blindingCommitment: Uint8Array
  readonly blinding: Uint8Array
}

export const genesis: OpCodec<GenesisOp> = {
  tag: 0x10,
  name: 'genesis',
  role: undefined,
  selfSigned: (op) => op.signing,
  write: (w, op) => {
    w.fixed(op.signing, 32).fixed(op.agreement, 32).fixed(op.possession, POSSESSION_LENGTH).fixed(op.delivery, deliveryLength(1))
    writeCommitments(w, op.commitments)
    w.fixed(op.blindingCommitment, 32).bytes(op.blinding, MAX_LINK_LENGTH)
  },
  read: (r) => ({
    op: 'genesis',
    signing: r.fixed(32),
    agreement: r.fixed(32),
    possession: r.fixed(POSSESSION_LENGTH),
    delivery: r.fixed(deliveryLength(1)),
    commitments: readCommitments(r),
    blindingCommitment: r.fixed(32),
    blinding: r.bytes(MAX_LINK_LENGTH),
  }),
  apply: (ctx, op) => {
    requireOr(ctx.index === 0 && ctx.get(memberKey(FIRST_MEMBER)) === undefined, 'rule', 'not-first')
    const { base } = ctx.entry
    const { signing, agreement } = op
    const space = GENESIS_SPACE_ID
    requirePossession(ctx, { space, kind: 'genesis', admitter: signing, id: FIRST_DEVICE, role: 'owner', base }, signing, agreement, op.possession)
    const [pair] = requireDelivery(ctx, { space, epoch: FIRST_EPOCH, author: signing, base }, [agreement], op.delivery, 'rule')
    const { c0, c } = pair as Pair
    requireOr(op.blinding.length === blindingLength(1), 'rule', 'blinding-length')
    admitKey(ctx, signing, { holder: 'device', id: FIRST_DEVICE, use: 'signing' })
    admitKey(ctx, agreement, { holder: 'device', id: FIRST_DEVICE, use: 'agreement' })
    ctx.put(memberKey(FIRST_MEMBER), encodeMember({ role: 'owner', admittedAt: 0, removedAt: undefined, profile: EMPTY_BYTES }))
    ctx.put(
      deviceKey(FIRST_DEVICE),
      encodeDevice({ member: FIRST_MEMBER, signing, agreement, agreementEpoch: FIRST_EPOCH, admittedAt: 0, removedAt: undefined, name: EMPTY_BYTES }),
    )
    ctx.put(pairKey(0, FIRST_DEVICE), encodePair({ epoch: FIRST_EPOCH, c0, c }))
    ctx.put(
      epochKey(FIRST_EPOCH),
      encodeEpoch({
        startedAt: 0,
        author: FIRST_DEVICE,
        reason: 'genesis',
        c0,
        commitments: op.commitments,
        lastForget: 0,
        linksFrom: FIRST_EPOCH,
        link: EMPTY_BYTES,
        generations: [{ generation: FIRST_GENERATION, commitment: op.blindingCommitment }],
        blinding: op.blinding,
      }),
    )
    ctx.setMeta({ epoch: FIRST_EPOCH, firstEpoch: FIRST_EPOCH, generation: FIRST_GENERATION, firstGeneration: FIRST_GENERATION, nextMember: FIRST_MEMBER + 1, nextDevice: FIRST_DEVICE + 1 })
    ctx.admitted(FIRST_DEVICE)
  },
}
