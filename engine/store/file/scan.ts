/**
 * Reading frames: through a whole file in order, one span at a place, and the search that tells a torn tail from damage.
 */
import { SealError } from '../../errors.js'
import type { OpenFile } from './directory.js'
import { checkFrame, encodeFileHeader, encodeU48, FILE_HEADER_LENGTH, FRAME_OVERHEAD, frameLength, HEADER_LENGTH, MARK_LENGTH } from './frame.js'

/** Called for each good frame. The payload is `buffer[start, end)`, and the buffer is used again. False: not acceptable here. */
export type FrameVisitor = (type: number, buffer: Buffer, start: number, end: number, at: number) => boolean

/** Where the good frames end. `problem` says why, unless that is the end of the range. */
export interface ScanEnd {
  readonly at: number
  readonly chain: number
  readonly problem?: string
  /** The frame itself was whole: no torn write leaves such a thing. */
  readonly whole?: boolean
}

const READ_LENGTH = 1 << 20

/** Visit the frames of `[from, to)`, from a frame's first byte on, continuing `chain`. */
export async function scanFrames(file: OpenFile, from: number, to: number, chain: number, visit: FrameVisitor): Promise<ScanEnd> {
  let buffer: Buffer = Buffer.allocUnsafe(Math.min(READ_LENGTH, to - from))
  let base = from // position in the file of buffer[0]
  let filled = 0
  let next = 0
  for (;;) {
    let need = FRAME_OVERHEAD
    while (filled - next >= FRAME_OVERHEAD) {
      need = frameLength(buffer, next)
      if (need === 0) return { at: base + next, chain, problem: 'a length over the limit' }
      if (filled - next < need) break
      const crc = checkFrame(buffer, next, need, chain)
      if (crc === undefined) return { at: base + next, chain, problem: 'a wrong checksum' }
      if (!visit(buffer[next + 4] as number, buffer, next + HEADER_LENGTH, next + need - 4, base + next)) {
        return { at: base + next, chain, problem: 'a frame that does not belong there', whole: true }
      }
      chain = crc
      next += need
      need = FRAME_OVERHEAD
    }
    const at = base + next
    if (at === to) return { at, chain }
    if (to - at < need) return { at, chain, problem: 'a frame cut short' }
    const room = Math.min(Math.max(need, READ_LENGTH), to - at)
    const grown: Buffer = room > buffer.length ? Buffer.allocUnsafe(room) : buffer
    buffer.copy(grown, 0, next, filled)
    filled -= next
    const wanted = grown.subarray(filled, Math.min(grown.length, to - at))
    if ((await file.read(wanted, at + filled)) < wanted.length) return { at, chain, problem: 'the end of the file' }
    filled += wanted.length
    buffer = grown
    base = at
    next = 0
  }
}

/** Check a file's first bytes. Throws `store-corrupt`. Returns the crc that its chain starts from. */
export async function readFileHeader(file: OpenFile, name: string, storeId: Uint8Array | undefined, number: number): Promise<{ chain: number; storeId: Buffer }> {
  const header = Buffer.alloc(FILE_HEADER_LENGTH)
  const got = await file.read(header, 0)
  const found = header.subarray(8, 24)
  if (got < FILE_HEADER_LENGTH || !header.equals(encodeFileHeader(storeId ?? found, number))) throw corrupt(name, 0, "another file's header, or a damaged one")
  return { chain: header.readUInt32BE(30), storeId: found }
}

/** Is there a sign after `from` that a later write began? Then whatever is wrong at `from` had been durable: it is no torn write. */
export async function hasLaterGroup(file: OpenFile, from: number, to: number, storeId: Uint8Array): Promise<boolean> {
  const mark = storeId.subarray(0, MARK_LENGTH)
  const overlap = MARK_LENGTH + 5
  const buffer = Buffer.allocUnsafe(READ_LENGTH)
  for (let base = from; base < to; base += READ_LENGTH - overlap) {
    const got = buffer.subarray(0, await file.read(buffer.subarray(0, Math.min(READ_LENGTH, to - base)), base))
    for (let i = got.indexOf(mark); i >= 0; i = got.indexOf(mark, i + 1)) {
      const position = base + i - HEADER_LENGTH
      if (position > from && encodeU48(position).equals(got.subarray(i + MARK_LENGTH, i + MARK_LENGTH + 6))) return true
    }
  }
  return false
}

export function corrupt(file: string, offset: number, problem: string): SealError {
  return new SealError('store-corrupt', `Stored bytes are damaged: in file ${file}, at byte ${offset}, found ${problem}.`, { file, offset, problem })
}
