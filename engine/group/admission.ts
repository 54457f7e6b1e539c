/**
 * What every admission of keys and every delivery of a secret goes through in the state machine. The proofs themselves are in engine/crypto;
 * here a proof that fails becomes a verdict, and one that holds becomes state.
 */
import { type GrantStatement, type Pair, type PossessionContext, type ProofContext, verifyDelivery, verifyGrant, verifyPossession } from '../crypto/verifiable.js'
import { isSealError, SealError } from '../errors.js'
import { type OpContext, type OpRejectCode, Reject, requireOr } from '../state/context.js'
import { pairKey } from '../state/keys.js'
import { encodePair, type PairRecord } from './pairs.js'

/** Sound keys (canonical, of prime order, not the identity) whose bringer holds the secrets of both: else rule(bad-key) or rule(possession). */
export function requirePossession(ctx: OpContext, context: PossessionContext, signing: Uint8Array, agreement: Uint8Array, proof: Uint8Array): void {
  refusing('rule', 'possession', () => verifyPossession(ctx.env.crypto, context, signing, agreement, proof))
}

/** The pairs of a delivery to these keys, in their order. `code`: what a delivery that does not verify is called. */
export function requireDelivery(ctx: OpContext, context: ProofContext, recipients: readonly Uint8Array[], delivery: Uint8Array, code: OpRejectCode): readonly Pair[] {
  return refusing(code, 'delivery', () => verifyDelivery(ctx.env.crypto, context, recipients, delivery)).pairs
}

export interface GrantFrom {
  readonly agreement: Uint8Array
  readonly pair: PairRecord | undefined
  /** The Ed25519 key that signs for the granter. */
  readonly signing: Uint8Array
}
export interface GrantTo {
  readonly holder: 0 | 1
  readonly id: number
  readonly agreement: Uint8Array
}

/** Check a grant of the current epoch out of `from`'s pair and keep it as the new holder's own pair. */
export function takeGrant(ctx: OpContext, from: GrantFrom, to: GrantTo, grant: Uint8Array): void {
  const { epoch } = ctx.meta
  const { pair } = from
  requireOr(pair !== undefined && pair.epoch === epoch, 'rule', 'epoch-void')
  const context: ProofContext = { space: ctx.env.spaceId, epoch, author: from.signing, base: ctx.entry.base }
  const statement: GrantStatement = { granter: from.agreement, pair, recipient: to.agreement }
  const granted = refusing('rule', 'grant', () => verifyGrant(ctx.env.crypto, context, statement, grant)).pair
  ctx.put(pairKey(to.holder, to.id), encodePair({ epoch, ...granted }))
}

/** Run a check whose failure is the author's fault: what hostile bytes make it throw becomes a verdict; anything else goes on as it is. */
function refusing<T>(code: OpRejectCode, detail: string, check: () => T): T {
  try {
    return check()
  } catch (error) {
    if (isSealError(error, 'bad-key')) throw new Reject(code, 'bad-key')
    if (error instanceof SealError && error.family === 'hostile') throw new Reject(code, detail)
    throw error
  }
}
