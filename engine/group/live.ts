/** Counting names as live sealed values, so that `forget` sees them (PROTOCOL.md §7.8). */
import { sealedEpoch } from '../crypto/aead.js'
import { isSealError } from '../errors.js'
import { type OpContext, Reject, requireOr } from '../state/context.js'
import { decodeSealedName, encodeSealedName } from './names.js'

/** What belongs to no table is counted under 0. */
const NO_TABLE = 0

/** A sealed name as the record keeps it, once its epoch is the entry's. */
export function sealedNameFor(ctx: OpContext, by: number, sealed: Uint8Array): Uint8Array {
  requireOr(epochOf(sealed) === ctx.entry.epoch, 'rule', 'name-epoch')
  return encodeSealedName({ by, sealed })
}

/** A record's name changed from `before` to `after` (either may be empty). */
export function countName(ctx: OpContext, before: Uint8Array, after: Uint8Array): void {
  countOne(ctx, before, -1)
  countOne(ctx, after, 1)
}

function countOne(ctx: OpContext, name: Uint8Array, delta: number): void {
  const decoded = decodeSealedName(name)
  if (decoded !== undefined) ctx.live(sealedEpoch(decoded.sealed), NO_TABLE, delta)
}

function epochOf(sealed: Uint8Array): number {
  try {
    return sealedEpoch(sealed)
  } catch (error) {
    if (isSealError(error, 'open-failed') || isSealError(error, 'unsupported-version')) throw new Reject('rule', 'sealed')
    throw error
  }
}
