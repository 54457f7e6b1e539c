/** What everyone can check of a sealed value without opening it. */
import { sealedEpoch, SEALED_OVERHEAD } from '../crypto/aead.js'
import { isSealError } from '../errors.js'
import { Reject, requireOr } from '../state/context.js'

/** Refuse what is no sealed value (rule(sealed-form)) or is of another epoch than the entry's (rule(sealed-epoch)). */
export function checkSealed(sealed: Uint8Array, epoch: number): void {
  requireOr(sealed.length >= SEALED_OVERHEAD, 'rule', 'sealed-form')
  requireOr(epochOf(sealed) === epoch, 'rule', 'sealed-epoch')
}

function epochOf(sealed: Uint8Array): number {
  try {
    return sealedEpoch(sealed)
  } catch (error) {
    if (isSealError(error)) throw new Reject('rule', 'sealed-form')
    throw error
  }
}
