/**
 * Batches as frames: one group is what one write carries.
 */
import { encodeUtf8 } from '../../codec/bytes.js'
import { takeRoom } from '../../codec/room.js'
import type { Bounds } from '../batch.js'
import type { Batch } from '../store.js'
import { COMMIT, encodePair, encodeFileHeader, FILE_HEADER_LENGTH, FRAME, FRAME_OVERHEAD, FrameWriter } from './frame.js'
import { headerChain } from './manifest.js'
import { isSecret, type Sealing } from '../sealing.js'

/** Where the frames of a batch's records lie in the file (at, length, at, length …), and the values it sets: name, where the value itself lies. */
export interface BatchPlaces {
  readonly records: readonly number[]
  readonly values: readonly (readonly [name: string, place: ValuePlace])[]
}

/** Where a value's bytes lie, at the end of their frame. */
export interface ValuePlace {
  readonly at: number
  readonly length: number
}

export interface EncodedGroup {
  readonly bytes: Uint8Array
  /** Position and chain behind the group. */
  readonly end: number
  readonly chain: number
  readonly places: readonly BatchPlaces[]
  /** What `bytes` lie in, if it can be given back once they are written. */
  readonly room?: Uint8Array | undefined
}

/** A shorter group is written into memory of its own. */
const LARGE_GROUP = 1 << 16

export function encodeGroup(at: number, chain: number, storeId: Uint8Array, batches: readonly Batch[], sealing: Sealing | undefined): EncodedGroup {
  const length = 64 + batches.reduce((sum, batch) => sum + roomFor(batch), 0)
  const room = length < LARGE_GROUP ? undefined : takeRoom(length)
  const writer = new FrameWriter(at, chain, room ?? length)
  writer.addGroup(storeId)
  const places = batches.map((batch) => addBatch(writer, batch, sealing))
  return { bytes: writer.bytes, end: writer.end, chain: writer.chain, places, room }
}

/** At least what its frames take, but for the sealing of secrets. */
function roomFor({ append = [], put = [] }: Batch): number {
  let room = 64
  for (const record of append) room += record.length + FRAME_OVERHEAD
  for (const [name, value] of put) room += name.length + (value?.length ?? 0) + FRAME_OVERHEAD + 1
  return room
}

/** A group frame alone: everything before it is durable. */
export function encodeMark(at: number, chain: number, storeId: Uint8Array): EncodedGroup {
  return encodeGroup(at, chain, storeId, [], undefined)
}

/** A whole new file, header included: where the log stands, and every named value. */
export function encodeCheckpoint(storeId: Uint8Array, number: number, bounds: Bounds, values: ReadonlyMap<string, Uint8Array>, sealing: Sealing | undefined): EncodedGroup {
  const writer = new FrameWriter(FILE_HEADER_LENGTH, headerChain(storeId, number))
  writer.addGroup(storeId)
  writer.add(values.size === 0 ? FRAME.bounds | COMMIT : FRAME.bounds, encodePair(bounds.first, bounds.size))
  let left = values.size
  const places = [...values].map(([name, value]) => [name, addPut(writer, name, value, sealing, --left === 0 ? COMMIT : 0)] as const)
  return { bytes: Buffer.concat([encodeFileHeader(storeId, number), writer.bytes]), end: writer.end, chain: writer.chain, places: [{ records: [], values: places }] }
}

function addBatch(writer: FrameWriter, { keep, append = [], put = [] }: Batch, sealing: Sealing | undefined): BatchPlaces {
  let left = (keep ? 1 : 0) + append.length + put.length
  const commit = (): number => (--left === 0 ? COMMIT : 0)
  if (keep) writer.add(FRAME.keep | commit(), encodePair(...keep))
  const records: number[] = []
  for (const record of append) {
    const at = writer.end
    writer.add(FRAME.record | commit(), record)
    records.push(at, writer.end - at)
  }
  const values: (readonly [string, ValuePlace])[] = []
  for (const [name, value] of put) {
    if (value === null) writer.add(FRAME.delete | commit(), encodeUtf8(name))
    else values.push([name, addPut(writer, name, value, sealing, commit())])
  }
  return { records, values }
}

function addPut(writer: FrameWriter, name: string, value: Uint8Array, sealing: Sealing | undefined, commit: number): ValuePlace {
  const encoded = encodeUtf8(name)
  const stored = sealing && isSecret(name) ? sealing.seal(name, value) : value
  writer.add(FRAME.put | commit, Uint8Array.of(encoded.length), encoded, stored)
  return { at: writer.end - 4 - stored.length, length: stored.length }
}
