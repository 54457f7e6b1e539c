/** Many signatures of a few signers, of which some may be bad. */
import { encodeHex } from '../codec/bytes.js'
import type { Signatures, SignedMessage } from './provider.js'

/** Fewer are hardly quicker together than alone. */
export const FEWEST_TOGETHER = 4
const SLICE = 128

/**
 * True for those that are good for sure; false says nothing: `verifyEd25519` is to be asked. Of many together; where some are bad, of each signer's apart, so that a signer spoils nobody else's. So a bad
 * signature costs others one look more at theirs, of a sixth of what they would cost alone, and its own signer's the same twice and then what each costs alone.
 */
export function goodTogether(crypto: Pick<Signatures, 'verifyEd25519Batch'>, items: readonly SignedMessage[]): readonly boolean[] {
  const good = items.map(() => false)
  const { verifyEd25519Batch: allGood } = crypto
  if (allGood === undefined || items.length < FEWEST_TOGETHER) return good
  for (let from = 0; from < items.length; from += SLICE) {
    const slice = items.slice(from, from + SLICE).map((item, i) => ({ item, at: from + i }))
    const groups = allGood(slice.map(({ item }) => item)) ? [slice] : [...bySigner(slice)].filter((group) => group.length < slice.length && allGood(group.map(({ item }) => item)))
    for (const group of groups) for (const { at } of group) good[at] = true
  }
  return good
}

function bySigner<T extends { readonly item: SignedMessage }>(slice: readonly T[]): Iterable<readonly T[]> {
  const groups = new Map<string, T[]>()
  for (const one of slice) {
    const name = encodeHex(one.item.publicKey)
    const group = groups.get(name)
    if (group) group.push(one)
    else groups.set(name, [one])
  }
  return groups.values()
}
