/**
 * The file `places`: where records and values lie in the files as far as it goes, so that opening need not read a long log through. A shortcut and
 * no more: it covers what was durable when it was written and never changes, whatever is behind is read as without it, and if it is missing,
 * damaged or of other files, everything is. What it covers is checked where it is read: each record's frame by its checksum, with its place.
 *
 *   JSON (which files, how far, where values lie), then files, places and lengths of records, 4 bytes each, little-endian
 */
import { decodeUtf8, encodeUtf8, LITTLE_ENDIAN } from '../../codec/bytes.js'
import { isSealError } from '../../errors.js'
import type { Directory, OpenFile } from './directory.js'
import { COMMIT, copyBytes, FILE_HEADER_LENGTH, FRAME, FRAME_OVERHEAD, FrameWriter } from './frame.js'
import type { Journal } from './journal.js'
import { errorCode } from './lock.js'
import { fileName, headerChain, isObject, type Manifest, writeWhole } from './manifest.js'
import { Positions } from './positions.js'
import { readFileHeader, scanFrames } from './scan.js'
import type { ValuePlace } from './writer.js'

export const PLACES = 'places'
const VERSION = 1
/** Bytes of a frame of positions. */
const PART = 4 << 20

/** A file as far as it is covered: to there the chain has come. */
interface Covered {
  readonly number: number
  readonly length: number
  readonly chain: number
}

export interface Places {
  /** In the manifest's order. Of the last one, values are covered too. */
  readonly files: readonly Covered[]
  readonly values: ReadonlyMap<string, ValuePlace>
  readonly positions: Positions
}

interface Head {
  readonly version: number
  readonly files: readonly Covered[]
  readonly first: number
  readonly count: number
  readonly values: readonly (readonly [string, number, number])[]
}

/** Cover everything, if that is at least `least` bytes more than is covered. Whether the disk takes it or not, the store is as good. */
export async function coverPlaces(journal: Journal, least: number): Promise<void> {
  if (!LITTLE_ENDIAN || journal.isBroken || journal.uncovered < least) return
  try {
    const { manifest: { storeId }, options: { directory } } = journal
    const { head, words, length } = await journal.exclusive(() => capture(journal))
    await writeWhole(directory, PLACES, storeId, toFrames(storeId, head, words), () => undefined)
    journal.covered = length
  } catch (error) {
    if (!isSealError(error) && errorCode(error) === undefined) throw error
    // The disk's failure. The next opening reads the files through: slower, and as well.
  }
}

async function capture(journal: Journal): Promise<{ readonly head: Head; readonly words: readonly Uint8Array[]; readonly length: number }> {
  await journal.makeDurable()
  const files: Covered[] = []
  for (const { number, name, length } of journal.segments) files.push({ number, length, chain: number === journal.active.number ? journal.activeChain : await endOf(journal, name, length) })
  const { positions } = journal
  const values = [...journal.valuePlaces].map(([name, { at, length }]) => [name, at, length] as const)
  const words = positions.words().map((all) => new Uint8Array(all.slice().buffer))
  return { head: { version: VERSION, files, first: positions.first, count: positions.size - positions.first, values }, words, length: lengthOf(files) }
}

function* toFrames(storeId: Uint8Array, head: Head, words: readonly Uint8Array[]): Iterable<Uint8Array> {
  let [at, chain] = [FILE_HEADER_LENGTH, headerChain(storeId)]
  const payloads = [encodeUtf8(JSON.stringify(head)), ...words.flatMap((bytes) => Array.from({ length: Math.ceil(bytes.length / PART) }, (_, i) => bytes.subarray(i * PART, (i + 1) * PART)))]
  for (const [i, payload] of payloads.entries()) {
    const writer = new FrameWriter(at, chain, payload.length + FRAME_OVERHEAD)
    writer.add(i === payloads.length - 1 ? FRAME.places | COMMIT : FRAME.places, payload)
    yield writer.bytes
    at = writer.end
    chain = writer.chain
  }
}

/** Undefined if there are none that fit these files. Never throws for what lies in the file `places`. */
export async function readPlaces(directory: Directory, names: readonly string[], manifest: Manifest): Promise<Places | undefined> {
  if (!LITTLE_ENDIAN || !names.includes(PLACES)) return undefined
  const file = await directory.open(PLACES, 'read')
  try {
    const parts = await readParts(file, manifest.storeId)
    const head = parts && parseHead(parts[0])
    if (!head || !(await fits(directory, manifest, head.files))) return undefined
    const words = Buffer.concat((parts as Uint8Array[]).slice(1))
    if (words.length !== 12 * head.count) return undefined
    const column = (i: number): Uint32Array<ArrayBuffer> => new Uint32Array(words.buffer.slice(words.byteOffset + 4 * i * head.count, words.byteOffset + 4 * (i + 1) * head.count) as ArrayBuffer)
    return { files: head.files, values: new Map(head.values.map(([name, at, length]) => [name, { at, length }])), positions: Positions.of(head.first, [column(0), column(1), column(2)]) }
  } finally {
    await file.close()
  }
}

async function readParts(file: OpenFile, storeId: Uint8Array): Promise<Uint8Array[] | undefined> {
  const header = Buffer.alloc(FILE_HEADER_LENGTH)
  await file.read(header, 0)
  const chain = headerChain(storeId)
  if (header.readUInt32BE(FILE_HEADER_LENGTH - 4) !== chain) return undefined
  const parts: Uint8Array[] = []
  let whole = false
  const end = await scanFrames(file, FILE_HEADER_LENGTH, await file.length(), chain, (type, buffer, from, to) => {
    parts.push(copyBytes(buffer, from, to))
    if (whole || (type & ~COMMIT) !== FRAME.places) return false
    whole = (type & COMMIT) !== 0
    return true
  })
  return end.problem === undefined && whole ? parts : undefined
}

/** The text has passed its checksum: this guards against another version's. */
function parseHead(bytes: Uint8Array | undefined): Head | undefined {
  const found: unknown = bytes && JSON.parse(decodeUtf8(bytes))
  return isObject(found) && found['version'] === VERSION ? (found as unknown as Head) : undefined
}

/** The files are those of the manifest, from its first on, all but the last whole, and the chain of each comes to where it came. */
async function fits(directory: Directory, { storeId, packed, journal }: Manifest, files: readonly Covered[]): Promise<boolean> {
  const all = [...packed, ...journal]
  const last = files.length - 1
  if (last < packed.length || files.some(({ number, length }, i) => number !== all[i]?.number || (i < all.length - 1 && (i < last ? length !== all[i].length : length > all[i].length)))) return false
  for (const { number, length, chain } of files) {
    const file = await directory.open(fileName(number), 'read')
    try {
      await readFileHeader(file, fileName(number), storeId, number)
      if ((await file.length()) < length || (await chainAt(file, length)) !== chain) return false
    } finally {
      await file.close()
    }
  }
  return true
}

async function endOf({ options: { directory } }: Journal, name: string, length: number): Promise<number> {
  const file = await directory.open(name, 'read')
  try {
    return await chainAt(file, length)
  } finally {
    await file.close()
  }
}

async function chainAt(file: OpenFile, end: number): Promise<number> {
  const bytes = Buffer.alloc(4)
  await file.read(bytes, end - 4)
  return bytes.readUInt32BE(0)
}

export function lengthOf(files: readonly { readonly length: number }[]): number {
  return files.reduce((sum, { length }) => sum + length, 0)
}
