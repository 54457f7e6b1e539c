/**
 * MessagePack frames, bounded: `msgpackr` writes and reads them, but only after `scan` has walked the bytes and found nothing
 * deeper, longer or stranger than a frame may be. The one door of `msgpackr` in net/. Frames are never hashed or signed.
 *
 * A frame is a flat MessagePack array `[tag, request, ...fields]`; fields are nil, bool, uint ≤ 2^48, text, bytes, or an array of bytes.
 */
import { Packr, Unpackr } from 'msgpackr'
import { SealError } from '../engine/errors.js'
import { MAX_FRAME_ITEMS } from '../engine/limits.js'

export type WireValue = null | boolean | number | string | Uint8Array | readonly Uint8Array[]

const packr = new Packr({ useRecords: false, moreTypes: false, variableMapSize: true })
const unpackr = new Unpackr({ useRecords: false, moreTypes: false, mapsAsObjects: false, int64AsType: 'bigint' })

export function encodeFrame(values: readonly WireValue[]): Uint8Array {
  return packr.pack(values)
}

/** Throws `bad-frame` (hostile) for anything but one well-formed flat array. */
export function decodeFrame(frame: Uint8Array): readonly WireValue[] {
  scan(frame)
  const values: unknown = unpackr.unpack(frame)
  if (!Array.isArray(values)) throw bad('is not an array')
  return values.map(normal)
}

function normal(value: unknown): WireValue {
  // 64-bit integers arrive as bigint; a safe one is a number like any other.
  if (typeof value === 'bigint') {
    if (value < 0n || value > 0xffff_ffff_ffffn) throw bad('holds an integer beyond 48 bits')
    return Number(value)
  }
  // Buffers of ws are pooled: a field that outlives the frame must not pin or share it.
  if (value instanceof Uint8Array) return new Uint8Array(value)
  if (Array.isArray(value)) return value.map((item: unknown) => new Uint8Array(item as Uint8Array))
  return value as WireValue
}

/** Walk the tokens without building anything: one array, one inner level of arrays of bytes, every length within the frame. */
function scan(frame: Uint8Array): void {
  let offset = 0
  let items = 0
  const need = (count: number): void => {
    if (frame.length - offset < count) throw bad('is cut short')
  }
  const uint = (width: number): number => {
    need(width)
    let value = 0
    for (let i = 0; i < width; i++) value = value * 256 + (frame[offset++] as number)
    return value
  }
  const skip = (length: number): void => {
    need(length)
    offset += length
  }
  const token = (depth: number): void => {
    if (++items > MAX_FRAME_ITEMS) throw bad('has too many items')
    const byte = uint(1)
    if (byte <= 0x7f) return // positive fixint
    if (byte >= 0xa0 && byte <= 0xbf) return depth < 2 ? skip(byte & 31) : never('text in a list') // fixstr
    if (byte >= 0x90 && byte <= 0x9f) return list(byte & 15, depth)
    switch (byte) {
      case 0xc0: case 0xc2: case 0xc3: return depth < 2 ? undefined : never('a constant in a list')
      case 0xc4: return skip(uint(1))
      case 0xc5: return skip(uint(2))
      case 0xc6: return skip(uint(4))
      case 0xcb: return integral(depth)
      case 0xcc: return depth < 2 ? skip(1) : never('a number in a list')
      case 0xcd: return depth < 2 ? skip(2) : never('a number in a list')
      case 0xce: return depth < 2 ? skip(4) : never('a number in a list')
      case 0xcf: return depth < 2 ? skip(8) : never('a number in a list')
      case 0xd9: return depth < 2 ? skip(uint(1)) : never('text in a list')
      case 0xda: return depth < 2 ? skip(uint(2)) : never('text in a list')
      case 0xdb: return depth < 2 ? skip(uint(4)) : never('text in a list')
      case 0xdc: return list(uint(2), depth)
      case 0xdd: return list(uint(4), depth)
      default: return never('a type that frames do not have')
    }
  }
  const integral = (depth: number): void => {
    // msgpackr writes integers beyond 32 bits as float64.
    if (depth >= 2) never('a number in a list')
    need(8)
    const value = new DataView(frame.buffer, frame.byteOffset + offset, 8).getFloat64(0)
    if (!Number.isInteger(value) || value < 0 || value > 2 ** 48) never('a number that is not a count')
    offset += 8
  }
  const list = (length: number, depth: number): void => {
    if (depth >= 2) never('nested lists')
    if (length > frame.length - offset) throw bad('claims more items than it has bytes')
    for (let i = 0; i < length; i++) {
      const first = frame[offset]
      if (depth === 1 && (first === undefined || first < 0xc4 || first > 0xc6)) never('a list of something other than bytes')
      token(depth + 1)
    }
  }
  const never = (what: string): never => {
    throw bad(`holds ${what}`)
  }
  const first = frame[0]
  if (first === undefined) throw bad('is empty')
  if (!((first >= 0x90 && first <= 0x9f) || first === 0xdc || first === 0xdd)) throw bad('is not an array')
  token(0)
  if (offset !== frame.length) throw bad('has bytes left over')
}

function bad(how: string): SealError {
  return new SealError('bad-frame', `The frame ${how}. Expected one flat message of this protocol.`)
}
