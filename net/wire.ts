/**
 * MessagePack frames, bounded: `msgpackr` writes them; what reads them here takes nothing deeper, longer or stranger than a frame may be.
 * The one door of `msgpackr` in net/. Frames are never hashed or signed.
 *
 * A frame is a flat MessagePack array `[tag, request, ...fields]`; fields are nil, bool, uint ≤ 2^48, text, bytes, or an array of bytes.
 */
import { Packr } from 'msgpackr'
import { SealError } from '../engine/errors.js'
import { MAX_FRAME_ITEMS } from '../engine/limits.js'

export type WireValue = null | boolean | number | string | Uint8Array | readonly Uint8Array[]

const packr = new Packr({ useRecords: false, moreTypes: false, variableMapSize: true })

export function encodeFrame(values: readonly WireValue[]): Uint8Array {
  return packr.pack(values)
}

/** Throws `bad-frame` (hostile) for anything but one well-formed flat array. Its bytes are copies: buffers of sockets are pooled, and a field that outlives the frame must not pin or share them. */
export function decodeFrame(frame: Uint8Array): readonly WireValue[] {
  const [first] = frame
  if (first === undefined) throw bad('is empty')
  if (!((first >= 0x90 && first <= 0x9f) || first === 0xdc || first === 0xdd)) throw bad('is not an array')
  return new Decoder(frame).whole()
}

const text = new TextDecoder('utf-8', { ignoreBOM: true })

class Decoder {
  readonly #frame: Uint8Array
  #offset = 0
  #items = 0

  constructor(frame: Uint8Array) {
    this.#frame = frame
  }

  whole(): readonly WireValue[] {
    const values: WireValue[] = []
    this.#items++
    for (let left = this.#listLength(this.#uint(1)); left > 0; left--) values.push(this.#value())
    if (this.#offset !== this.#frame.length) throw bad('has bytes left over')
    return values
  }

  /** One of the frame's array. */
  #value(): WireValue {
    if (++this.#items > MAX_FRAME_ITEMS) throw bad('has too many items')
    const byte = this.#uint(1)
    if (byte <= 0x7f) return byte // positive fixint
    if (byte >= 0xa0 && byte <= 0xbf) return this.#text(byte & 31) // fixstr
    if (byte >= 0x90 && byte <= 0x9f) return this.#list(byte)
    switch (byte) {
      case 0xc0: return null
      case 0xc2: return false
      case 0xc3: return true
      case 0xc4: case 0xc5: case 0xc6: return this.#bytes(byte)
      case 0xcb: return this.#float()
      case 0xcc: return this.#uint(1)
      case 0xcd: return this.#uint(2)
      case 0xce: return this.#uint(4)
      case 0xcf: return this.#count(this.#uint(4) * 2 ** 32 + this.#uint(4))
      case 0xd9: return this.#text(this.#uint(1))
      case 0xda: return this.#text(this.#uint(2))
      case 0xdb: return this.#text(this.#uint(4))
      case 0xdc: case 0xdd: return this.#list(byte)
      default: throw bad('holds a type that frames do not have')
    }
  }

  /** Bytes alone. Several are copied in one block: memory of its own for each takes longer to make than to fill. */
  #list(byte: number): readonly Uint8Array[] {
    const items: Uint8Array[] = []
    let from = this.#offset
    /** Of those that are not copied yet: where in the block, how long. */
    let places: number[] = []
    for (let left = this.#listLength(byte); left > 0; left--) {
      if (++this.#items > MAX_FRAME_ITEMS) throw bad('has too many items')
      const length = this.#bytesLength()
      places.push(this.#offset - length - from, length)
      if (left > 1 && this.#offset - from < BLOCK) continue
      const { buffer } = this.#view(from, this.#offset - from).slice()
      for (let i = 0; i < places.length; i += 2) items.push(new Uint8Array(buffer, places[i], places[i + 1]))
      from = this.#offset
      places = []
    }
    return items
  }

  #listLength(byte: number): number {
    const length = byte === 0xdc ? this.#uint(2) : byte === 0xdd ? this.#uint(4) : byte & 15
    if (length > this.#frame.length - this.#offset) throw bad('claims more items than it has bytes')
    return length
  }

  /** Past an item of a list; returns how long it is. */
  #bytesLength(): number {
    const byte = this.#frame[this.#offset]
    if (byte === undefined || byte < 0xc4 || byte > 0xc6) throw bad('holds a list of something other than bytes')
    this.#offset++
    const length = this.#uint(1 << (byte - 0xc4))
    this.#skip(length)
    return length
  }

  #bytes(byte: number): Uint8Array {
    const length = this.#uint(1 << (byte - 0xc4))
    return this.#view(this.#skip(length), length).slice()
  }

  #view(at: number, length: number): Uint8Array {
    return new Uint8Array(this.#frame.buffer, this.#frame.byteOffset + at, length)
  }

  #text(length: number): string {
    return text.decode(this.#view(this.#skip(length), length))
  }

  /** msgpackr writes integers beyond 32 bits as float64. */
  #float(): number {
    const at = this.#skip(8)
    return this.#count(new DataView(this.#frame.buffer, this.#frame.byteOffset + at, 8).getFloat64(0))
  }

  #count(value: number): number {
    if (!Number.isInteger(value) || value < 0 || value > 2 ** 48) throw bad('holds a number that is not a count')
    return value
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

/** It stays whole as long as one of its items is kept; all of a list are needed about as long. */
const BLOCK = 16 * 1024

function bad(how: string): SealError {
  return new SealError('bad-frame', `The frame ${how}. Expected one flat message of this protocol.`)
}
