/**
 * What every store asks of a batch before it touches anything, and the arithmetic of the log's bounds.
 */
import { encodeUtf8 } from '../codec/bytes.js'
import { SealError } from '../errors.js'
import { MAX_COUNT, MAX_STORE_BATCH_LENGTH, MAX_STORE_NAME_LENGTH, MAX_STORE_RECORD_LENGTH } from '../limits.js'
import type { Batch } from './store.js'

/** The log's held range `[first, size)`. */
export interface Bounds {
  readonly first: number
  readonly size: number
}

export const EMPTY_BOUNDS: Bounds = { first: 0, size: 0 }

/** The bounds after `batch`. Throws `bad-argument` or `too-large`, and then nothing of the batch may be done. */
export function checkBatch(bounds: Bounds, batch: Batch): Bounds {
  const append = batch.append ?? []
  if (batch.at === undefined ? append.length > 0 : batch.at !== bounds.size) {
    throw new SealError('bad-argument', `Expected a batch at the log's size ${bounds.size}, got ${batch.at}.`, { size: bounds.size, at: batch.at })
  }
  let length = 0
  for (const record of append) length += checkLength(record, 'record')
  for (const [name, value] of batch.put ?? []) {
    length += checkName(name)
    if (value !== null) length += checkLength(value, 'value')
  }
  if (length > MAX_STORE_BATCH_LENGTH) {
    throw new SealError('too-large', `Expected a batch of at most ${MAX_STORE_BATCH_LENGTH} bytes, got ${length}.`, { length })
  }
  const kept = batch.keep === undefined ? bounds : keepBounds(bounds, batch.keep)
  return { first: kept.first, size: kept.size + append.length }
}

/** Throws `bad-argument` unless `[from, to)` is held. */
export function checkRange(bounds: Bounds, from: number, to: number): void {
  if (Number.isSafeInteger(from) && Number.isSafeInteger(to) && bounds.first <= from && from <= to && to <= bounds.size) return
  const { first, size } = bounds
  throw new SealError('bad-argument', `Expected a range within the records held, [${first}, ${size}), got [${from}, ${to}).`, { first, size, from, to })
}

/** A chunk or the meta part of a snapshot, if it isn't too long. */
export function checkChunk(chunk: Uint8Array): Uint8Array {
  checkLength(chunk, 'chunk')
  return chunk
}

function keepBounds(bounds: Bounds, [lo, hi]: readonly [number, number]): Bounds {
  const restart = lo === hi && Number.isSafeInteger(lo) && lo >= 0 && lo <= MAX_COUNT
  if (!restart) checkRange(bounds, lo, hi)
  return { first: lo, size: hi }
}

function checkLength(bytes: Uint8Array, what: string): number {
  if (bytes.length > MAX_STORE_RECORD_LENGTH) {
    throw new SealError('too-large', `Expected a ${what} of at most ${MAX_STORE_RECORD_LENGTH} bytes, got ${bytes.length}.`, { length: bytes.length })
  }
  return bytes.length
}

function checkName(name: string): number {
  const length = encodeUtf8(name).length
  if (length === 0 || length > MAX_STORE_NAME_LENGTH) {
    throw new SealError('bad-argument', `Expected a name of 1 to ${MAX_STORE_NAME_LENGTH} bytes, got ${length}.`, { length })
  }
  return length
}
