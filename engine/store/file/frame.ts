/**
 * Frames: the one shape of everything in the store's files.
 *
 *   frame = length u32 ‖ type u8 ‖ payload ‖ crc u32        crc = CRC-32 over length ‖ type ‖ payload, begun with the previous crc
 *
 * The chain of crcs starts in the file's header, which holds the store's id and the file's number: so a frame counts only after its
 * own predecessors in its own file. A frame can be checked alone, because its predecessor's crc lies in the 4 bytes before it.
 * A CRC finds damage, not malice: whoever can write here can write anything, and what it must not forge is signed or hashed above.
 */
import { crc32 } from 'node:zlib'
import { MAX_STORE_NAME_LENGTH, MAX_STORE_RECORD_LENGTH } from '../../limits.js'

/** Never zero: a zero-filled region holds no frame. */
export const FRAME = {
  /** A write begins. Payload: the store's mark ‖ u48 position of this frame. Whatever lies before it was durable when it was written. */
  group: 1,
  record: 2,
  /** u8 name length ‖ name ‖ value */
  put: 3,
  /** name */
  delete: 4,
  /** u48 lo ‖ u48 hi, as in a batch */
  keep: 5,
  /** u48 first ‖ u48 size: where the log stands; opens a file, and the values follow */
  bounds: 6,
  /** Snapshot: its meta part, a chunk, u48 count of chunks */
  meta: 7,
  chunk: 8,
  end: 9,
  /** The manifest: UTF-8 JSON */
  manifest: 10,
  /** The file `places` */
  places: 11,
} as const

/** Added to the type of the last frame of a batch. A batch without one never happened. */
export const COMMIT = 0x80

/** Bytes of a frame besides its payload. */
export const FRAME_OVERHEAD = 9
export const HEADER_LENGTH = 5
/** Room for a name and for the sealing of a secret. */
const MAX_PAYLOAD_LENGTH = MAX_STORE_RECORD_LENGTH + MAX_STORE_NAME_LENGTH + 256

export const FILE_HEADER_LENGTH = 34
const FILE_MAGIC = Buffer.from('SealDB1\n', 'latin1')
/** A store's mark: the first bytes of its random id. Recovery searches for it, so nobody who writes records may know it. */
export const MARK_LENGTH = 8
export const STORE_ID_LENGTH = 16

/** The first bytes of every file. Its last four are the crc that the chain starts from. */
export function encodeFileHeader(storeId: Uint8Array, number: number): Buffer {
  const out = Buffer.alloc(FILE_HEADER_LENGTH)
  out.set(FILE_MAGIC, 0)
  out.set(storeId, 8)
  out.writeUIntBE(number, 24, 6)
  out.writeUInt32BE(crc32(out.subarray(0, 30)), 30)
  return out
}

/** Grows a buffer of chained frames. */
export class FrameWriter {
  private buffer: Buffer
  private used = 0
  private crc: number
  /** Where in the file the first byte will lie. */
  readonly start: number
  /** So many bytes to begin with, or room to write into. */
  constructor(start: number, crc: number, room: number | Uint8Array = 4096) {
    this.start = start
    this.crc = crc
    this.buffer = typeof room === 'number' ? Buffer.allocUnsafe(room) : Buffer.from(room.buffer, room.byteOffset, room.length)
  }

  /** The crc that the next frame continues. */
  get chain(): number {
    return this.crc
  }

  /** Position in the file of the next frame. */
  get end(): number {
    return this.start + this.used
  }

  /** The frames so far. Valid until the next change. */
  get bytes(): Buffer {
    return this.buffer.subarray(0, this.used)
  }

  /** Append a frame whose payload is the parts one after another. */
  add(type: number, ...parts: readonly Uint8Array[]): void {
    let length = 0
    for (const part of parts) length += part.length
    this.reserve(length + FRAME_OVERHEAD)
    const begin = this.used
    this.buffer.writeUInt32BE(length, begin)
    this.buffer[begin + 4] = type
    let at = begin + HEADER_LENGTH
    for (const part of parts) {
      this.buffer.set(part, at)
      at += part.length
    }
    this.crc = crc32(this.buffer.subarray(begin, at), this.crc)
    this.buffer.writeUInt32BE(this.crc, at)
    this.used = at + 4
  }

  addGroup(storeId: Uint8Array): void {
    this.add(FRAME.group, storeId.subarray(0, MARK_LENGTH), encodeU48(this.end))
  }

  private reserve(more: number): void {
    if (this.used + more <= this.buffer.length) return
    const grown = Buffer.allocUnsafe(Math.max(this.buffer.length * 2, this.used + more))
    grown.set(this.buffer.subarray(0, this.used))
    this.buffer = grown
  }
}

/** A plain array of its own: `slice` of a Buffer gives a Buffer, and its view keeps the whole of it. */
export function copyBytes(buffer: Buffer, start: number, end: number): Uint8Array {
  return new Uint8Array(buffer.subarray(start, end))
}

export function encodeU48(value: number): Buffer {
  const out = Buffer.allocUnsafe(6)
  out.writeUIntBE(value, 0, 6)
  return out
}

export function encodePair(a: number, b: number): Buffer {
  return Buffer.concat([encodeU48(a), encodeU48(b)])
}

export function decodePair(buffer: Buffer, at: number): readonly [number, number] {
  return [buffer.readUIntBE(at, 6), buffer.readUIntBE(at + 6, 6)]
}

/** Length of the whole frame at `at`, if its first bytes can begin one; else 0. */
export function frameLength(buffer: Buffer, at: number): number {
  const length = buffer.readUInt32BE(at)
  return length > MAX_PAYLOAD_LENGTH ? 0 : length + FRAME_OVERHEAD
}

/** The crc of the frame at `at` of that whole length if it continues `chain`, else undefined. */
export function checkFrame(buffer: Buffer, at: number, length: number, chain: number): number | undefined {
  const crc = crc32(buffer.subarray(at, at + length - 4), chain)
  return crc === buffer.readUInt32BE(at + length - 4) ? crc : undefined
}

/** The same of a frame that was read in two: its header, and what follows. */
export function checkRest(header: Uint8Array, rest: Uint8Array, chain: number): number | undefined {
  const at = rest.length - 4
  const crc = crc32(rest.subarray(0, at), crc32(header, chain))
  return crc === new DataView(rest.buffer, rest.byteOffset + at).getUint32(0) ? crc : undefined
}
