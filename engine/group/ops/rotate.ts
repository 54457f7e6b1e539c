/**
 * `rotate`: start an epoch. Its secret is delivered to every live device and open invitation, provably the same to each; whoever was removed
 * before it in the same entry is not among them. Always the last op of its entry. In a void epoch it delivers that one.
 */
import { equalBytes } from '../../codec/bytes.js'
import { MAX_LINK_LENGTH, MAX_RECIPIENTS, ROTATE_INTERVAL } from '../../limits.js'
import { type OpCodec, type OpContext, requireOr } from '../../state/context.js'
import { epochKey, MAX_ID, pairKey } from '../../state/keys.js'
import { deliveryLength, type Pair } from '../../crypto/verifiable.js'
import { requireDelivery } from '../admission.js'
import {
  encodeEpoch,
  type EpochCommitments,
  type EpochRecord,
  type Generation,
  MAX_GENERATIONS,
  readCommitments,
  readGenerations,
  writeCommitments,
  writeGenerations,
} from '../epochs.js'
import { blindingLength, linkLength } from '../history.js'
import { encodePair } from '../pairs.js'
import { isAdmin, roleNow } from '../roles.js'
import { isVoid, listInvitations, newestEpoch, readDevice, recipientsAt } from '../roster.js'
import { endInvitation, ENDING_OPS } from './remove.js'

export interface RotateOp {
  readonly op: 'rotate'
  /** The epoch that it starts: another by now is a conflict. */
  readonly epoch: number
  /** To the roster's live devices, then open invitations, each by id (crypto/delivery.ts). */
  readonly delivery: Uint8Array
  readonly commitments: EpochCommitments
  /** Box of what came before, under the new link secret. */
  readonly link: Uint8Array
  readonly generations: readonly Generation[]
  /** Box of the blinding secrets of `generations`, under the new link secret. */
  readonly blinding: Uint8Array
}

export const rotate: OpCodec<RotateOp> = {
  tag: 0x17,
  name: 'rotate',
  role: undefined,
  write: (w, op) => {
    w.varint(op.epoch).bytes(op.delivery, deliveryLength(MAX_RECIPIENTS))
    writeCommitments(w, op.commitments)
    w.bytes(op.link, MAX_LINK_LENGTH)
    writeGenerations(w, op.generations)
    w.bytes(op.blinding, MAX_LINK_LENGTH)
  },
  read: (r) => ({
    op: 'rotate',
    epoch: r.varint(MAX_ID),
    delivery: r.bytes(deliveryLength(MAX_RECIPIENTS)),
    commitments: readCommitments(r),
    link: r.bytes(MAX_LINK_LENGTH),
    generations: readGenerations(r),
    blinding: r.bytes(MAX_LINK_LENGTH),
  }),
  apply: (ctx, op) => {
    requireOr(ctx.op === ctx.opCount - 1, 'rule', 'rotate-last')
    const wasVoid = isVoid(ctx, ctx.meta)
    const epoch = wasVoid ? ctx.meta.epoch : ctx.meta.epoch + 1
    requireOr(op.epoch === epoch, 'conflict', 'epoch')
    const ending = endingOp(ctx)
    if (!wasVoid && ending === undefined) limitRate(ctx)
    const { record: last } = newestEpoch(ctx)
    const forgets = ending === 'forget'
    const linksFrom = forgets ? ctx.meta.firstEpoch : epoch - 1
    requireOr(op.link.length === linkLength(linksFrom, epoch, forgets), 'rule', 'link-length')
    checkGenerations(ctx, last.generations, op)
    const c0 = deliver(ctx, op, epoch)
    ctx.put(
      epochKey(epoch),
      encodeEpoch({
        startedAt: ctx.index,
        author: ctx.author.device,
        reason: forgets ? 'forget' : ending === undefined ? 'rotate' : 'removal',
        c0,
        commitments: op.commitments,
        lastForget: forgets ? epoch : last.lastForget,
        linksFrom,
        link: op.link,
        generations: op.generations,
        blinding: op.blinding,
      } satisfies EpochRecord),
    )
    const [oldest, newest = oldest] = op.generations
    ctx.setMeta({ epoch, generation: newest?.generation ?? ctx.meta.generation, firstGeneration: oldest?.generation ?? ctx.meta.firstGeneration })
  },
}

/** What before it in the entry ended the epoch, if anything: a forget before a removal. */
function endingOp(ctx: OpContext): string | undefined {
  const names = Array.from({ length: ctx.op }, (_, i) => ctx.opName(i))
  return names.includes('forget') ? 'forget' : names.find((name) => name !== undefined && ENDING_OPS.includes(name))
}

/** Readers and writers share one epoch in so many entries: enough to heal, too few to flood. */
function limitRate(ctx: OpContext): void {
  if (isAdmin(roleNow(ctx))) return
  const { lastFreeRotation } = ctx.meta
  requireOr(lastFreeRotation === 0 || ctx.index - (lastFreeRotation - 1) >= ROTATE_INTERVAL, 'rule', 'rotate-interval')
  ctx.setMeta({ lastFreeRotation: ctx.index + 1 })
}

/** The same as before, or, by an admin, with a new generation, without the oldest, or both. Commitments once given never change. */
function checkGenerations(ctx: OpContext, before: readonly Generation[], op: RotateOp): void {
  const { generations } = op
  const next = ctx.meta.generation + 1
  const added = generations[generations.length - 1]?.generation === next
  const carried = added ? generations.slice(0, -1) : generations
  const kept = before.slice(before.length - carried.length)
  const sound = carried.length <= before.length && carried.every((g, i) => isSame(g, kept[i]))
  requireOr(sound && generations.length >= 1 && generations.length <= MAX_GENERATIONS, 'rule', 'generations')
  if (added || carried.length < before.length) requireOr(isAdmin(roleNow(ctx)), 'role', 'reblind')
  for (const { generation } of before.slice(0, before.length - carried.length)) requireOr(!ctx.usesGeneration(generation), 'rule', 'generation-in-use')
  requireOr(op.blinding.length === blindingLength(generations.length), 'rule', 'blinding-length')
}

function isSame(a: Generation, b: Generation | undefined): boolean {
  return b !== undefined && a.generation === b.generation && equalBytes(a.commitment, b.commitment)
}

/** Each recipient gets its pair; invitations that admit nobody any more are not recipients, and go. Gives C0. */
function deliver(ctx: OpContext, op: RotateOp, epoch: number): Uint8Array {
  const recipients = recipientsAt(ctx, ctx.index)
  const author = readDevice(ctx, ctx.author.device)
  requireOr(author !== undefined && author.removedAt === undefined, 'role', 'removed')
  const context = { space: ctx.env.spaceId, epoch, author: author.signing, base: ctx.entry.base }
  // A delivery for a roster that has changed since can't be told from a false one: both are conflicts, and the honest author makes another.
  const pairs = requireDelivery(ctx, context, recipients.map((recipient) => recipient.agreement), op.delivery, 'conflict')
  const served = new Set(recipients.filter(({ holder }) => holder === 1).map(({ id }) => id))
  for (const { id } of listInvitations(ctx)) if (!served.has(id)) endInvitation(ctx, id)
  recipients.forEach(({ holder, id }, i) => ctx.put(pairKey(holder, id), encodePair({ epoch, ...(pairs[i] as Pair) })))
  return (pairs[0] as Pair).c0
}
