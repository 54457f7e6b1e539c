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
  const [first] = frame
  if (first === undefined) throw bad('is empty')
  if (!((first >= 0x90 && first <= 0x9f) || first === 0xdc || first === 0xdd)) throw bad('is not an array')
  new Scan(frame).whole()
}

/** Depth 0 is the frame's array, 1 what it holds, 2 what a list in it holds: bytes alone, which `#list` sees to before it goes there. */
class Scan {
  readonly #frame: Uint8Array
  #offset = 0
  #items = 0

  constructor(frame: Uint8Array) {
    this.#frame = frame
  }

  whole(): void {
    this.#token(0)
    if (this.#offset !== this.#frame.length) throw bad('has bytes left over')
  }

  #token(depth: number): void {
    if (++this.#items > MAX_FRAME_ITEMS) throw bad('has too many items')
    const byte = this.#uint(1)
    if (byte <= 0x7f) return // positive fixint
    if (byte >= 0xa0 && byte <= 0xbf) return void this.#skip(byte & 31) // fixstr
    if (byte >= 0x90 && byte <= 0x9f) return this.#list(byte & 15, depth)
    switch (byte) {
      case 0xc0: case 0xc2: case 0xc3: return
      case 0xc4: return void this.#skip(this.#uint(1))
      case 0xc5: return void this.#skip(this.#uint(2))
      case 0xc6: return void this.#skip(this.#uint(4))
      case 0xcb: return this.#integral()
      case 0xcc: return void this.#skip(1)
      case 0xcd: return void this.#skip(2)
      case 0xce: return void this.#skip(4)
      case 0xcf: return void this.#skip(8)
      case 0xd9: return void this.#skip(this.#uint(1))
      case 0xda: return void this.#skip(this.#uint(2))
      case 0xdb: return void this.#skip(this.#uint(4))
      case 0xdc: return this.#list(this.#uint(2), depth)
      case 0xdd: return this.#list(this.#uint(4), depth)
      default: throw bad('holds a type that frames do not have')
    }
  }

  /** msgpackr writes integers beyond 32 bits as float64. */
  #integral(): void {
    const at = this.#skip(8)
    const value = new DataView(this.#frame.buffer, this.#frame.byteOffset + at, 8).getFloat64(0)
    if (!Number.isInteger(value) || value < 0 || value > 2 ** 48) throw bad('holds a number that is not a count')
  }

  #list(length: number, depth: number): void {
    if (length > this.#frame.length - this.#offset) throw bad('claims more items than it has bytes')
    for (let i = 0; i < length; i++) {
      const first = this.#frame[this.#offset]
      if (depth === 1 && (first === undefined || first < 0xc4 || first > 0xc6)) throw bad('holds a list of something other than bytes')
      this.#token(depth + 1)
    }
  }

  #uint(width: number): number {
    const from = this.#skip(width)
    let value = 0
    for (let i = from; i < from + width; i++) value = value * 256 + (this.#frame[i] as number)
    return value
  }

  /** Past so many bytes; returns where they begin. */
  #skip(length: number): number {
    if (this.#frame.length - this.#offset < length) throw bad('is cut short')
    this.#offset += length
    return this.#offset - length
  }
}

function bad(how: string): SealError {
  return new SealError('bad-frame', `The frame ${how}. Expected one flat message of this protocol.`)
}
