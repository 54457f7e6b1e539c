/** Into and out of the lanes in which four sealed values are made and opened (value-lanes.ts), and where in the kernels' memory they lie. */
import { copyPooled } from '../../codec/bytes.js'
import { SEALED_OVERHEAD, SEALED_VERSION, VALUE_FORM } from '../aead.js'
import type { ValueLanes } from '../provider.js'
import type { HashLayout } from './sha256.js'
import { BEFORE_VALUE, type ValueLayout } from './value-lanes.js'

/** Bytes of the longest text of one lane: four blocks of one text at once are as quick from there on. */
const LONGEST_TEXT = 1024
/** Of the longest AAD: a message of `HashLayout`. */
const LONGEST_AAD = 480

export const VALUES: ValueLayout = { key: 44_544, subkeys: 44_576, nonces: 44_704, lengths: 44_736, prefix: 44_768, slots: 45_056, stride: BEFORE_VALUE + SEALED_OVERHEAD + LONGEST_TEXT + 75 }

export interface ValueExports {
  sealLanes(): void
  openLanes(): number
}

export function valueLanesOf(memory: Uint8Array, words: Uint32Array, exports: ValueExports, { lanes, stride: messageStride }: HashLayout): ValueLanes {
  const { key: keyAt, lengths, prefix, slots, stride } = VALUES
  const { nonceAt, textAt, commitmentPrefix } = VALUE_FORM
  memory.set(commitmentPrefix, prefix)
  const valueAt = (lane: number): number => slots + lane * stride + BEFORE_VALUE
  const placeAad = (lane: number, aad: Uint8Array, textLength: number): void => {
    words[lengths / 4 + lane] = aad.length
    words[lengths / 4 + 4 + lane] = textLength
    place(aad, 0, aad.length, memory, lanes + lane * messageStride)
  }
  const view = (lane: number, from: number, more: number): Uint8Array => {
    const start = valueAt(lane) + from
    return memory.subarray(start, start + (words[lengths / 4 + 4 + lane] as number) + more)
  }
  const placeKey = (key: Uint8Array): void => { for (let i = 0; i < 32; i++) memory[keyAt + i] = key[i] as number }
  return {
    longestAad: LONGEST_AAD,
    longestText: LONGEST_TEXT,
    placeText: (lane, epoch, nonce, aad, text) => {
      const at = valueAt(lane)
      memory[at] = SEALED_VERSION
      for (let i = 0; i < 4; i++) memory[at + 1 + i] = epoch >>> (24 - 8 * i)
      place(nonce, 0, nonce.length, memory, at + nonceAt)
      place(text, 0, text.length, memory, at + textAt)
      placeAad(lane, aad, text.length)
    },
    seal: (key) => {
      placeKey(key)
      exports.sealLanes()
    },
    sealed: (lane) => view(lane, 0, SEALED_OVERHEAD),
    placeSealed: (lane, aad, sealed) => {
      place(sealed, 0, sealed.length, memory, valueAt(lane))
      placeAad(lane, aad, sealed.length - SEALED_OVERHEAD)
    },
    open: (key) => {
      placeKey(key)
      return exports.openLanes()
    },
    takeText: (lane) => copyPooled(view(lane, textAt, 0)),
    clear: () => {
      // Key stream lies behind a text; a lane that is not used must have no lengths.
      memory.fill(0, slots, slots + 4 * stride)
      words.fill(0, lengths / 4, lengths / 4 + 8)
    },
  }
}

/** Short copies are quicker by hand, and those of a whole array need no view. */
export function place(input: Uint8Array, start: number, end: number, memory: Uint8Array, to: number): void {
  const length = end - start
  if (length <= 32) for (let i = 0; i < length; i++) memory[to + i] = input[start + i] as number
  else memory.set(length === input.length ? input : input.subarray(start, end), to)
}
