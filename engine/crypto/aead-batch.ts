/**
 * Many sealed values or tokens of one key: by fours where the provider has lanes, else one after the other. The same bytes either way, and the same are accepted: what does
 * not open in its lane is opened again alone, which says why.
 */
import { type SealError, isSealError } from '../errors.js'
import { checkLength } from './checks.js'
import { checkEpoch, NONCE_LENGTH, openValue, SEALED_OVERHEAD, SEALED_VERSION, sealedEpoch, type Sealing, sealValue } from './aead.js'
import { BLIND_TOKEN_LENGTH, blindToken } from './blind.js'
import type { Derivation } from './provider.js'

const LANES = 4

/** As arguments of `sealValue`. */
export interface ToSeal { readonly nonce: Uint8Array; readonly aad: Uint8Array; readonly plaintext: Uint8Array }
/** As arguments of `openValue`. */
export interface ToOpen { readonly aad: Uint8Array; readonly sealed: Uint8Array }

/**
 * `sealValue` of each, in their order. What `value(i)` returns needs to last until it is called again, whatever is taken meanwhile; what `take` gets is there until it returns, and neither
 * of them may seal.
 */
export function sealValues(crypto: Sealing, dataKey: Uint8Array, epoch: number, count: number, value: (i: number) => ToSeal, take: (i: number, sealed: Uint8Array) => void): void {
  const { values: lanes } = crypto
  const alone = (i: number, { nonce, aad, plaintext } = value(i)): void => { take(i, sealValue(crypto, dataKey, epoch, nonce, aad, plaintext)) }
  if (lanes === undefined || count < 2) {
    for (let i = 0; i < count; i++) alone(i)
    return
  }
  checkLength(dataKey, 32, 'key')
  checkEpoch(epoch)
  let long: ToSeal | undefined
  byFours(
    count,
    (i, lane) => {
      const next = value(i)
      const { nonce, aad, plaintext } = next
      checkLength(nonce, NONCE_LENGTH, 'nonce')
      if (aad.length <= lanes.longestAad && plaintext.length <= lanes.longestText) {
        lanes.placeText(lane, epoch, nonce, aad, plaintext)
        return 'lane'
      }
      long = next
      return 'alone'
    },
    () => { lanes.seal(dataKey) },
    (i, lane) => { take(i, lanes.sealed(lane)) },
    () => { lanes.clear() },
    (i) => { alone(i, long) },
  )
}

/** `openValue` of each, or what it throws that is `hostile`. `value(i)` as for `sealValues`. */
export function openValues(crypto: Sealing, dataKey: Uint8Array, epoch: number, count: number, value: (i: number) => ToOpen): (Uint8Array | SealError)[] {
  const { values: lanes } = crypto
  const opened = new Array<Uint8Array | SealError>(count)
  const alone = (i: number, { aad, sealed } = value(i)): void => {
    try {
      opened[i] = openValue(crypto, dataKey, epoch, aad, sealed)
    } catch (error) {
      if (!isSealError(error) || error.family !== 'hostile') throw error
      opened[i] = error
    }
  }
  if (lanes === undefined || count < 2 || dataKey.length !== 32) {
    for (let i = 0; i < count; i++) alone(i)
    return opened
  }
  let good = 0
  byFours(
    count,
    (i, lane) => {
      const { aad, sealed } = value(i)
      const length = sealed.length - SEALED_OVERHEAD
      const fits = length >= 0 && length <= lanes.longestText && aad.length <= lanes.longestAad && sealed[0] === SEALED_VERSION && sealedEpoch(sealed) === epoch
      if (fits) lanes.placeSealed(lane, aad, sealed)
      else alone(i, { aad, sealed })
      return fits ? 'lane' : 'done'
    },
    () => { good = lanes.open(dataKey) },
    (i, lane) => { if ((good >> lane) & 1) opened[i] = lanes.takeText(lane) },
    () => { lanes.clear() },
  )
  for (let i = 0; i < count; i++) if (opened[i] === undefined) alone(i)
  return opened
}

/** `blindToken` of each. */
export function blindTokens(crypto: Derivation, blindKey: Uint8Array, count: number, value: (i: number) => Uint8Array): Uint8Array[] {
  const { hmacLanes: lanes } = crypto
  const tokens = new Array<Uint8Array>(count)
  if (lanes === undefined || count < 2) {
    for (let i = 0; i < count; i++) tokens[i] = blindToken(crypto, blindKey, value(i))
    return tokens
  }
  byFours(
    count,
    (i, lane) => {
      const message = value(i)
      const fits = message.length <= lanes.longest
      if (fits) lanes.place(lane, message)
      else tokens[i] = blindToken(crypto, blindKey, message)
      return fits ? 'lane' : 'done'
    },
    () => { lanes.hash(blindKey) },
    (i, lane) => { tokens[i] = lanes.take(lane, BLIND_TOKEN_LENGTH) },
    () => { lanes.clear() },
  )
  return tokens
}

/** That it has the lane; that it needs none; that it is to be `alone` when those before it have been taken. */
type Placed = 'lane' | 'done' | 'alone'

/** `run` for each four of those that have a lane, then `take` each and `clear`. */
function byFours(
  count: number, place: (i: number, lane: number) => Placed, run: () => void, take: (i: number, lane: number) => void, clear: () => void, alone?: (i: number) => void,
): void {
  const inLane = [0, 0, 0, 0]
  for (let i = 0; i < count;) {
    let lanes = 0
    let placed: Placed = 'done'
    try {
      while (i < count && lanes < LANES) {
        placed = place(i, lanes)
        if (placed === 'alone') break
        if (placed === 'lane') inLane[lanes++] = i
        i++
      }
      if (lanes > 0) run()
      for (let lane = 0; lane < lanes; lane++) take(inLane[lane] as number, lane)
    } finally {
      if (lanes > 0) clear()
    }
    if (placed === 'alone') alone?.(i++)
  }
}
