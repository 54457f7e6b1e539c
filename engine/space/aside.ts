/**
 * Verifying the signatures of many entries before the state machine comes to them, together or side by side on other threads: one by one they cost more than everything else. What comes out is a hint,
 * "good under this key": the state decides whether that key counts, and looks itself where there is none.
 */
import { labelled, LABELS } from '../crypto/labels.js'
import { SIGNATURE_LENGTH } from '../crypto/ed25519-rule.js'
import type { SignedMessage, Signatures } from '../crypto/provider.js'
import { FEWEST_TOGETHER, goodTogether } from '../crypto/verify-many.js'
import { isSealError } from '../errors.js'
import type { StateReader } from '../state/context.js'
import { deviceKey } from '../state/keys.js'
import { decodeDevice } from '../state/roster.js'
import { peekRecord } from './entry.js'
import type { SignatureTrust } from './follower.js'

/** Records whose signatures are looked at together, at most, before the state machine comes to them: it may learn of devices from each. */
export const TOGETHER = 128

/** For each record how its signature is to be treated: `check` for those of devices that the state does not know, those of `except`, and those that did not turn out good. Here and now. */
export function verifyTogether(crypto: Signatures, tree: Pick<StateReader, 'get'>, records: readonly Uint8Array[], except?: number): readonly SignatureTrust[] {
  if (records.length < FEWEST_TOGETHER || crypto.verifyEd25519Batch === undefined) return records.map(() => 'check')
  const claims = claimsOf(tree, records, except)
  return trustIn(claims, goodTogether(crypto, claims.filter(isClaim).map(signedOf)))
}

/** A record of more than a signature, which is its end, and the key that it has to be of. */
export interface SignedRecord { readonly record: Uint8Array; readonly publicKey: Uint8Array }

export function signedOf({ record, publicKey }: SignedRecord): SignedMessage {
  const end = record.length - SIGNATURE_LENGTH
  return { signature: record.subarray(end), message: labelled(LABELS.entry, record.subarray(0, end)), publicKey }
}

export interface AsideOptions {
  /** Between slices, every few milliseconds. */
  readonly pause?: (() => Promise<void>) | undefined
  /** Where there is a thread for it: says what `goodTogether` says, which it stands in for. */
  readonly good?: ((items: readonly SignedRecord[]) => Promise<readonly boolean[]>) | undefined
}

/** The same, with pauses, and on other threads, where there are any, those that are not together. */
export async function verifyAside(crypto: Signatures, tree: Pick<StateReader, 'get'>, records: readonly Uint8Array[], options: AsideOptions = {}): Promise<readonly SignatureTrust[]> {
  const claims = claimsOf(tree, records)
  const together: SignatureTrust[] = []
  for (let from = 0; from < claims.length; from += TOGETHER) {
    if (from > 0) await options.pause?.()
    const slice = claims.slice(from, from + TOGETHER)
    const items = slice.filter(isClaim)
    together.push(...trustIn(slice, options.good === undefined ? goodTogether(crypto, items.map(signedOf)) : await options.good(items)))
  }
  const { verifyEd25519Aside } = crypto
  if (verifyEd25519Aside === undefined) return together
  const alone: Promise<void>[] = []
  for (const [i, claim] of claims.entries()) {
    if (together[i] !== 'check' || claim === undefined) continue
    const { signature, message, publicKey } = signedOf(claim)
    alone.push(verifyEd25519Aside(signature, message, publicKey).then((isGood) => { if (isGood) together[i] = { goodUnder: publicKey } }))
  }
  if (alone.length > 0) await Promise.all(alone)
  return together
}

/** Reads of a state of which a part is here: what is elsewhere counts as absent. For hints. */
export function asFarAsHere(tree: Pick<StateReader, 'get'>): Pick<StateReader, 'get'> {
  return {
    get: (key) => {
      try {
        return tree.get(key)
      } catch (error) {
        if (!isSealError(error, 'out-of-scope')) throw error
        return undefined
      }
    },
  }
}

/** What each record's signature is to be held against: the key of the device that it names. */
function claimsOf(tree: Pick<StateReader, 'get'>, records: readonly Uint8Array[], except = 0): readonly Claim[] {
  const keys = new Map<number, Uint8Array | undefined>()
  const claims: Claim[] = []
  for (const record of records) {
    const device = peekRecord(record)?.device ?? 0
    if (device !== 0 && device !== except && !keys.has(device)) {
      const bytes = tree.get(deviceKey(device))
      keys.set(device, bytes && decodeDevice(bytes).signing)
    }
    const publicKey = keys.get(device)
    claims.push(publicKey && { record, publicKey })
  }
  return claims
}

type Claim = SignedRecord | undefined

function isClaim(claim: Claim): claim is SignedRecord {
  return claim !== undefined
}

/** `good`: of each claim. */
function trustIn(claims: readonly Claim[], good: readonly boolean[]): readonly SignatureTrust[] {
  const trust: SignatureTrust[] = []
  let next = 0
  for (const claim of claims) trust.push(claim !== undefined && good[next++] === true ? { goodUnder: claim.publicKey } : 'check')
  return trust
}
