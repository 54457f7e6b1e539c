/**
 * A file of the store that records are read from. Opened when first needed, and closed once it is retired and nobody holds it.
 */
import type { OpenFile } from './directory.js'
import { checkFrame, COMMIT, copyBytes, FRAME, frameLength, HEADER_LENGTH } from './frame.js'
import type { Position } from './positions.js'
import { corrupt } from './scan.js'

export class Segment {
  readonly number: number
  readonly name: string
  /** Bytes that count. */
  length: number
  private readonly opener: () => Promise<OpenFile>
  private file: Promise<OpenFile> | undefined
  private users = 0
  private retired = false
  constructor(number: number, name: string, length: number, opener: () => Promise<OpenFile>) {
    this.number = number
    this.name = name
    this.length = length
    this.opener = opener
  }

  /** Until `release`, reading works, even after `retire`. */
  hold(): void {
    this.users++
  }

  async release(): Promise<void> {
    this.users--
    await this.closeIfIdle()
  }

  /** Only while held. */
  async open(): Promise<OpenFile> {
    this.file ??= this.opener()
    try {
      return await this.file
    } catch (error) {
      this.file = undefined // it may work next time
      throw error
    }
  }

  /** No hold may begin after this. The file must still be there if it is held. */
  async retire(): Promise<void> {
    this.retired = true
    if (this.users > 0) await this.open() // the name goes away now, and the open file stays
    await this.closeIfIdle()
  }

  private async closeIfIdle(): Promise<void> {
    if (!this.retired || this.users > 0 || this.file === undefined) return
    const file = this.file
    this.file = undefined
    await (await file).close()
  }
}

/** Records that lie close together are read at once: up to so many bytes, over gaps up to so wide. */
const SPAN_LENGTH = 4 << 20
const SPAN_GAP = 32 * 1024

/** The records at those positions, each checked against its checksum, as fresh arrays. Throws `store-corrupt`. */
export async function readRecords(positions: readonly Position[], segmentOf: (number: number) => Segment): Promise<Uint8Array[]> {
  // Held from before the first wait: a compaction may retire them while we read.
  const segments = new Map([...new Set(positions.map(({ file }) => file))].map((number) => [number, segmentOf(number)]))
  for (const segment of segments.values()) segment.hold()
  try {
    const out: Uint8Array[] = []
    for (let i = 0; i < positions.length; ) {
      const end = spanEnd(positions, i)
      const span = positions.slice(i, end)
      const segment = segments.get((span[0] as Position).file) as Segment
      for (const record of await readSpan(await segment.open(), segment.name, span)) out.push(record)
      i = end
    }
    return out
  } finally {
    for (const segment of segments.values()) await segment.release()
  }
}

function spanEnd(positions: readonly Position[], from: number): number {
  const first = positions[from] as Position
  let end = from + 1
  for (let last = first; end < positions.length; end++) {
    const next = positions[end] as Position
    const near = next.file === first.file && next.at - (last.at + last.length) <= SPAN_GAP && next.at + next.length - first.at <= SPAN_LENGTH
    if (!near) break
    last = next
  }
  return end
}

async function readSpan(file: OpenFile, name: string, span: readonly Position[]): Promise<Uint8Array[]> {
  const first = span[0] as Position
  const last = span[span.length - 1] as Position
  const base = first.at - 4 // the predecessor's crc, which the chain continues
  const buffer = Buffer.allocUnsafe(last.at + last.length - base)
  if ((await file.read(buffer, base)) < buffer.length) throw corrupt(name, first.at, 'the end of the file')
  return span.map((position) => recordAt(buffer, base, name, position))
}

function recordAt(buffer: Buffer, base: number, name: string, { at, length }: Position): Uint8Array {
  const begin = at - base
  const good = frameLength(buffer, begin) === length && ((buffer[begin + 4] as number) & ~COMMIT) === FRAME.record &&
    checkFrame(buffer, begin, length, buffer.readUInt32BE(begin - 4)) !== undefined
  if (!good) throw corrupt(name, at, 'a wrong checksum')
  return copyBytes(buffer, begin + HEADER_LENGTH, begin + length - 4)
}
