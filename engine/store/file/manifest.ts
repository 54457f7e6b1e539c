/**
 * The manifest: which files make up the store, in order, and how its secrets are sealed. Replaced by renaming, so there is always
 * one whole manifest, and a file that it doesn't name doesn't count.
 */
import { decodeHex, decodeUtf8, encodeHex, encodeUtf8 } from '../../codec/bytes.js'
import { SealError } from '../../errors.js'
import { type Directory, discard } from './directory.js'
import { COMMIT, encodeFileHeader, FILE_HEADER_LENGTH, FRAME, FrameWriter, STORE_ID_LENGTH } from './frame.js'
import { corrupt, readFileHeader, scanFrames } from './scan.js'
import { type SealHeader, parseSealHeader } from '../sealing.js'

export const MANIFEST = 'manifest'
export const VERSION = 1

/** A file of records alone, `[lo, hi)`, made by compaction. */
export interface PackedEntry {
  readonly number: number
  readonly length: number
  readonly lo: number
  readonly hi: number
}

/** A file of batches. Of the last one, still written to, `length` is what was durable when the manifest was made. */
export interface JournalEntry {
  readonly number: number
  readonly length: number
}

export interface Manifest {
  readonly storeId: Uint8Array
  readonly packed: readonly PackedEntry[]
  /** Never empty; the last is the active one. */
  readonly journal: readonly JournalEntry[]
  readonly seal: SealHeader | undefined
}

export function fileName(number: number): string {
  return `segment-${number}`
}

/** Durable and current once this resolves. Until `renamed` is called a failure leaves the old manifest; after it, nobody knows. */
export async function writeManifest(directory: Directory, manifest: Manifest, renamed: () => void): Promise<void> {
  const writer = new FrameWriter(FILE_HEADER_LENGTH, headerChain(manifest.storeId))
  writer.add(FRAME.manifest | COMMIT, encodeUtf8(formatManifest(manifest)))
  await writeWhole(directory, MANIFEST, manifest.storeId, [writer.bytes], renamed)
}

/** Undefined if there is none. Throws `store-corrupt` or `unsupported-version`. */
export async function readManifest(directory: Directory, names: readonly string[]): Promise<Manifest | undefined> {
  if (!names.includes(MANIFEST)) return undefined
  const file = await directory.open(MANIFEST, 'read')
  try {
    const { chain, storeId } = await readFileHeader(file, MANIFEST, undefined, 0)
    const found: string[] = []
    const end = await scanFrames(file, FILE_HEADER_LENGTH, await file.length(), chain, (type, buffer, from, to) => {
      found.push(decodeUtf8(buffer.subarray(from, to)))
      return type === (FRAME.manifest | COMMIT)
    })
    const text = found[0]
    if (end.problem !== undefined || text === undefined || found.length > 1) throw corrupt(MANIFEST, end.at, end.problem ?? 'no single manifest')
    return parseManifest(text, Buffer.from(storeId))
  } finally {
    await file.close()
  }
}

/** Write a file under a passing name, sync it, and rename it into place. */
export async function writeWhole(
  directory: Directory, name: string, storeId: Uint8Array, parts: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, renamed: () => void,
): Promise<void> {
  const passing = `${name}.tmp`
  if ((await directory.list()).includes(passing)) await directory.remove(passing)
  const file = await directory.open(passing, 'create')
  let done = false
  try {
    try {
      await file.write(encodeFileHeader(storeId, 0), 0)
      let at = FILE_HEADER_LENGTH
      for await (const part of parts) {
        await file.write(part, at)
        at += part.length
      }
      await file.sync()
    } finally {
      await file.close()
    }
    done = true
  } finally {
    if (!done) await discard(directory, [passing])
  }
  renamed()
  await directory.rename(passing, name)
  await directory.sync()
}

export function headerChain(storeId: Uint8Array, number = 0): number {
  return encodeFileHeader(storeId, number).readUInt32BE(FILE_HEADER_LENGTH - 4)
}

function formatManifest({ storeId, packed, journal, seal }: Manifest): string {
  return JSON.stringify({ version: VERSION, store: encodeHex(storeId), packed, journal, seal }, undefined, 1)
}

/** The text has passed its checksum, so this guards against another version's manifest, not against an enemy. */
function parseManifest(text: string, storeId: Uint8Array): Manifest {
  const found: unknown = JSON.parse(text)
  if (!isObject(found) || found['version'] !== VERSION) {
    throw new SealError('unsupported-version', `Expected a store of version ${VERSION}.`, { version: isObject(found) ? String(found['version']) : undefined })
  }
  const { store, packed, journal, seal } = found
  if (typeof store !== 'string' || decodeHex(store).length !== STORE_ID_LENGTH || encodeHex(storeId) !== store) throw corrupt(MANIFEST, 0, "another store's id")
  if (!Array.isArray(packed) || !Array.isArray(journal) || journal.length === 0) throw corrupt(MANIFEST, 0, 'no list of files')
  return {
    storeId,
    packed: packed.map((entry: unknown) => ({ number: count(entry, 'number'), length: count(entry, 'length'), lo: count(entry, 'lo'), hi: count(entry, 'hi') })),
    journal: journal.map((entry: unknown) => ({ number: count(entry, 'number'), length: count(entry, 'length') })),
    seal: seal === undefined ? undefined : parseSealHeader(seal),
  }
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

function count(entry: unknown, field: string): number {
  const value = isObject(entry) ? entry[field] : undefined
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw corrupt(MANIFEST, 0, `no ${field} for a file`)
  return value as number
}
