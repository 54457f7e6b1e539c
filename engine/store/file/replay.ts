/**
 * Reading the files back: where each record lies, the named values, and how far the last file counts. What `places.ts` covers is not read:
 * each of its records is checked when it is read.
 *
 * The last file may end in a torn write: a write that was under way when the machine stopped, of which any part may have arrived.
 * It is cut off. Damage anywhere else is refused with its place. What tells them apart: each write begins with a group frame, which
 * is written only when everything before it was durable. So a bad place with a group frame after it was good once.
 */
import { encodeUtf8 } from '../../codec/bytes.js'
import type { Bounds } from '../batch.js'
import type { Directory, OpenFile } from './directory.js'
import { checkFrame, COMMIT, copyBytes, decodePair, FILE_HEADER_LENGTH, FRAME, FRAME_OVERHEAD, frameLength, HEADER_LENGTH, MARK_LENGTH } from './frame.js'
import { fileName, type Manifest } from './manifest.js'
import { lengthOf, type Places } from './places.js'
import { Positions } from './positions.js'
import { corrupt, type FrameVisitor, hasLaterGroup, readFileHeader, scanFrames } from './scan.js'
import type { ValuePlace } from './writer.js'

/** A tail that was cut off: within the last write, which was never acknowledged unless the medium has damaged it since. */
export interface TornTail {
  readonly file: string
  readonly offset: number
  readonly length: number
  readonly problem: string
}

export interface Replayed {
  readonly positions: Positions
  /** As stored: secrets still sealed. */
  readonly values: Map<string, Uint8Array>
  readonly valuePlaces: Map<string, ValuePlace>
  /** Bytes that were not read, of all files. */
  readonly covered: number
  /** The active file, open for writing, and cut to what counts. */
  readonly active: OpenFile
  readonly length: number
  readonly chain: number
  /** The active file ends in a bare group frame: all of it is durable. */
  readonly clean: boolean
  readonly torn: TornTail | undefined
}

export async function replay(directory: Directory, manifest: Manifest, places: Places | undefined): Promise<Replayed> {
  const { storeId, packed, journal } = manifest
  const positions = places?.positions ?? new Positions()
  const readUpTo = new Map(places?.files.map(({ number, length, chain }) => [number, { length, chain }]))
  for (const { number, length, lo, hi } of packed) {
    if (readUpTo.has(number)) continue
    positions.reshape({ first: positions.size === 0 ? lo : Math.min(positions.first, lo), size: lo })
    await readSealed(directory, storeId, number, length, new Reader(storeId, number, positions))
    if (positions.size !== hi) throw corrupt(fileName(number), length, `${positions.size - lo} records instead of ${hi - lo}`)
  }
  const last = journal.length - 1
  for (const { number, length } of journal.slice(0, last)) await readSealed(directory, storeId, number, length, new Reader(storeId, number, positions, readUpTo.get(number)))
  const { number, length } = journal[last] as { number: number; length: number }
  const from = readUpTo.get(number)
  const reader = new Reader(storeId, number, positions, from, from && places?.values)
  const file = await directory.open(fileName(number), 'update')
  try {
    const tail = await readActive(file, storeId, number, Math.max(length, from?.length ?? 0), reader)
    const missing = firstMissing(positions)
    if (missing !== undefined) throw corrupt(fileName(number), 0, `no place for record ${missing}`)
    const values = await readValues(file, fileName(number), reader.values, from?.length ?? 0)
    return { positions, values, valuePlaces: reader.values, covered: lengthOf(places?.files ?? []), active: file, ...tail }
  } catch (error) {
    await file.close()
    throw error
  }
}

async function readSealed(directory: Directory, storeId: Uint8Array, number: number, length: number, reader: Reader): Promise<void> {
  const name = fileName(number)
  const file = await directory.open(name, 'read')
  try {
    const { chain } = await readFileHeader(file, name, storeId, number)
    const end = await scanFrames(file, reader.from ?? FILE_HEADER_LENGTH, length, reader.from === undefined ? chain : reader.chain, reader.visit)
    if (end.problem !== undefined || reader.end !== length) throw corrupt(name, end.at, end.problem ?? 'an unfinished batch')
  } finally {
    await file.close()
  }
}

async function readActive(file: OpenFile, storeId: Uint8Array, number: number, durable: number, reader: Reader): Promise<Pick<Replayed, 'length' | 'chain' | 'clean' | 'torn'>> {
  const name = fileName(number)
  const { chain } = await readFileHeader(file, name, storeId, number)
  const found = await file.length()
  const stop = await scanFrames(file, reader.from ?? FILE_HEADER_LENGTH, found, reader.from === undefined ? chain : reader.chain, reader.visit)
  if (stop.at < durable || reader.end < durable) throw corrupt(name, stop.at, stop.problem ?? 'the end of the file')
  const { end, groupEnd, groupAt } = reader
  const clean = groupEnd === end || end === durable
  if (end < found) {
    const problem = stop.problem ?? 'an unfinished batch'
    if (stop.whole === true || (stop.problem !== undefined && (await hasLaterGroup(file, stop.at, found, storeId)))) throw corrupt(name, stop.at, problem)
    await file.truncate(end)
    if (clean) await file.sync()
  }
  if (!clean) await rewrite(file, groupAt, end)
  return { length: end, chain: reader.chain, clean, torn: end < found ? { file: name, offset: end, length: found - end, problem: stop.problem ?? 'an unfinished batch' } : undefined }
}

/**
 * Write the last group again and sync it. It may never have reached the disk: after a failed fsync the pages that hold it count
 * as clean, and we have just read them from memory.
 */
async function rewrite(file: OpenFile, from: number, to: number): Promise<void> {
  const step = 4 << 20
  for (let at = from; at < to; at += step) {
    const bytes = Buffer.allocUnsafe(Math.min(step, to - at))
    await file.read(bytes, at)
    await file.write(bytes, at)
  }
  await file.sync()
}

/** The values that are left at the end: most were replaced by then, so none is copied while the frames go by. Those before `covered` are checked here. */
async function readValues(file: OpenFile, segment: string, places: ReadonlyMap<string, ValuePlace>, covered: number): Promise<Map<string, Uint8Array>> {
  const out = new Map<string, Uint8Array>()
  let window: Buffer = Buffer.alloc(0)
  let base = 0
  for (const [name, { at, length }] of [...places].sort(([, a], [, b]) => a.at - b.at)) {
    const from = at - 1 - encodeUtf8(name).length - HEADER_LENGTH - 4 // its frame, and its predecessor's crc, which the chain continues
    const to = at + length + 4
    if (to > base + window.length) {
      window = Buffer.allocUnsafe(Math.max(to - from, 1 << 18))
      window = window.subarray(0, await file.read(window, from))
      base = from
    }
    if (at < covered && !isPut(window.subarray(from - base, to - base), name)) throw corrupt(segment, from + 4, 'a wrong checksum')
    out.set(name, copyBytes(window, at - base, at - base + length))
  }
  return out
}

/** A frame that sets that value, after its predecessor's crc. */
function isPut(buffer: Buffer, name: string): boolean {
  const encoded = encodeUtf8(name)
  const length = buffer.length - 4
  return length >= FRAME_OVERHEAD && frameLength(buffer, 4) === length && ((buffer[8] as number) & ~COMMIT) === FRAME.put && buffer[9] === encoded.length &&
    buffer.compare(encoded, 0, encoded.length, 10, 10 + encoded.length) === 0 && checkFrame(buffer, 4, length, buffer.readUInt32BE(0)) !== undefined
}

function firstMissing(positions: Positions): number | undefined {
  for (let index = positions.first; index < positions.size; index++) if (positions.fileOf(index) === 0) return index
  return undefined
}

/** Takes the frames of one file, and applies each batch when its last frame has come. */
class Reader {
  readonly values: Map<string, ValuePlace>
  /** Where reading begins, if not at the beginning. */
  readonly from: number | undefined
  /** Behind the last whole batch or group frame, and the chain there. */
  end = 0
  chain = 0
  /** The last group frame. */
  groupAt = 0
  groupEnd = 0
  private readonly mark: Uint8Array
  private readonly number: number
  private readonly positions: Positions
  // the batch that is being read
  private pending = 0
  private bounds: Bounds | undefined
  private checkpoint = false
  private readonly records: number[] = []
  private readonly puts: (readonly [string, ValuePlace | null])[] = []
  constructor(storeId: Uint8Array, number: number, positions: Positions, covered?: { readonly length: number; readonly chain: number }, values?: ReadonlyMap<string, ValuePlace>) {
    this.values = new Map(values)
    this.from = covered?.length
    this.end = covered?.length ?? 0
    this.chain = covered?.chain ?? 0
    this.mark = storeId.subarray(0, MARK_LENGTH)
    this.number = number
    this.positions = positions
  }

  readonly visit: FrameVisitor = (type, buffer, start, end, at) => {
    if (type === FRAME.group) {
      if (!this.takeGroup(buffer, start, end, at)) return false
    } else if (!this.take(type & ~COMMIT, buffer, start, end, at)) return false
    if (type !== FRAME.group && (type & COMMIT) === 0) return true
    if (type !== FRAME.group) this.apply()
    this.end = at + (end - start) + FRAME_OVERHEAD
    this.chain = buffer.readUInt32BE(end)
    return true
  }

  private takeGroup(buffer: Buffer, start: number, end: number, at: number): boolean {
    if (this.pending > 0 || end - start !== MARK_LENGTH + 6) return false
    this.groupAt = at
    this.groupEnd = at + end - start + FRAME_OVERHEAD
    return buffer.compare(this.mark, 0, MARK_LENGTH, start, start + MARK_LENGTH) === 0 && buffer.readUIntBE(start + MARK_LENGTH, 6) === at
  }

  private take(type: number, buffer: Buffer, start: number, end: number, at: number): boolean {
    this.pending++
    if (type === FRAME.record) {
      this.records.push(at, end - start + FRAME_OVERHEAD)
      return true
    }
    if (type === FRAME.put) {
      const nameEnd = start + 1 + (buffer[start] as number)
      if (start === end || nameEnd > end) return false
      this.puts.push([buffer.toString('utf8', start + 1, nameEnd), { at: at + HEADER_LENGTH + nameEnd - start, length: end - nameEnd }])
      return true
    }
    if (type === FRAME.delete) {
      this.puts.push([buffer.toString('utf8', start, end), null])
      return true
    }
    if ((type !== FRAME.keep && type !== FRAME.bounds) || end - start !== 12 || this.pending > 1) return false
    const [first, size] = decodePair(buffer, start)
    this.bounds = { first, size }
    this.checkpoint = type === FRAME.bounds
    const { positions } = this
    return first === size || this.checkpoint ? first <= size : positions.first <= first && first < size && size <= positions.size
  }

  private apply(): void {
    if (this.checkpoint) this.values.clear()
    if (this.bounds) this.positions.reshape(this.bounds)
    for (let i = 0; i < this.records.length; i += 2) this.positions.append(this.number, this.records[i] as number, this.records[i + 1] as number)
    for (const [name, value] of this.puts) {
      if (value === null) this.values.delete(name)
      else this.values.set(name, value)
    }
    this.pending = 0
    this.bounds = undefined
    this.checkpoint = false
    this.records.length = 0
    this.puts.length = 0
  }
}
