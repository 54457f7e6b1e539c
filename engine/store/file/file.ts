/**
 * The file store: a directory of append-only files, for Node. `frame.ts` has the format, `journal.ts` what is promised of a commit,
 * `replay.ts` what happens at opening.
 *
 *   manifest      which of these count, in order
 *   segment-N     batches as they came, or records packed by compaction
 *   snapshot      the state snapshot
 *   places        where records lie, so that a long log need not be read through (places.ts)
 *   lock-…        who has it open
 *   files/        chunks of files (chunks.ts), if there are any
 *
 * Directory 0700, files 0600. With `fsync: 'never'` everything survives the death of the process but not of the machine: after that
 * the end may be missing, or damaged so that opening is refused.
 */
import { expectText } from '../../arguments.js'
import { SealError } from '../../errors.js'
import type { Store, StoreLocation, StoreOpening } from '../store.js'
import { whileOpen } from '../chunks.js'
import { fileChunks } from './chunks.js'
import { compact } from './compaction.js'
import { type Directory, nodeDirectory } from './directory.js'
import { STORE_ID_LENGTH } from './frame.js'
import { failure, Journal } from './journal.js'
import { errorCode, type Lock, takeLock } from './lock.js'
import { fileName, MANIFEST, type Manifest, readManifest, writeManifest } from './manifest.js'
import { replay, type Replayed, type TornTail } from './replay.js'
import { corrupt } from './scan.js'
import { createSealing, isSecret, randomBytes, type Sealing, type SealingChoice, type SealingOptions, toSealingOptions, unlockSealing } from '../sealing.js'
import { coverPlaces, readPlaces } from './places.js'
import { readRecords } from './segment.js'
import { type DirectFiles, readSnapshotFile, SNAPSHOT, writeSnapshotFile } from './snapshot.js'
import { encodeCheckpoint } from './writer.js'
import { checkRange, EMPTY_BOUNDS } from '../batch.js'

/** How a directory is written, and under what its secrets are sealed. */
export interface FileStoreOptions extends SealingChoice {
  /** `always` (default): a commit resolves when the disk has it. `never`: when the operating system has it. */
  readonly fsync?: 'always' | 'never'
  /** Default 64 MiB. */
  readonly segmentLength?: number
  /** About how many bytes of the log opening may have to read through. Default 1 MiB. */
  readonly readAtOpening?: number
}

/** A directory, open. */
export interface FileStore extends Store {
  /** What opening had to cut off, if anything. */
  readonly torn: TornTail | undefined
}

/** A directory, to be opened. */
export interface FileStoreLocation extends StoreLocation {
  /** Throws `store-locked`, `store-corrupt`, `store-sealed`, `store-failed`, `unsupported-version`; `bad-argument` for one that should exist. */
  open(opening?: StoreOpening): Promise<FileStore>
}

/**
 * A store in a directory, of one process at a time (Node). Every commit is durable before it resolves.
 *
 * @example
 * await using store = await fileStore('./team', { passphrase }).open()
 */
export function fileStore(path: string, options: FileStoreOptions = {}): FileStoreLocation {
  expectText(path, 'the path of a directory as text')
  return fileStoreIn(nodeDirectory(path), options)
}

/** On any directory: for tests. */
export function fileStoreIn(directory: Directory, options: FileStoreOptions = {}): FileStoreLocation {
  return { open: ({ existing = false } = {}) => openFileStore(directory, options, existing) }
}

/** Directories that are open in this process: two openings at once here need not race for the lock file. */
const openHere = new Set<string>()

/** The directory of chunks, within the store's. */
const CHUNKS = 'files'

const DEFAULT_SEGMENT_LENGTH = 64 << 20
const DEFAULT_READ_AT_OPENING = 1 << 20

async function openFileStore(directory: Directory, options: FileStoreOptions, existing: boolean): Promise<FileStore> {
  if (openHere.has(directory.path)) throw new SealError('store-locked', `The store ${directory.path} is open already, in this process.`, { pid: process.pid })
  openHere.add(directory.path)
  const random = options.random ?? randomBytes
  let lock: Lock | undefined
  try {
    if (existing) await expectStore(directory)
    await directory.make()
    lock = await takeLock(directory, random(8))
    const { journal, torn } = await openJournal(directory, options, random)
    return toStore(journal, lock, torn, options.readAtOpening ?? DEFAULT_READ_AT_OPENING)
  } catch (error) {
    await lock?.release()
    openHere.delete(directory.path)
    throw error instanceof SealError ? error : notOpened(directory.path, error)
  }
}

/** Some of its files, if not all: what is missing is found out later. */
async function expectStore(directory: Directory): Promise<void> {
  const names = await directory.list().catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return []
    throw error
  })
  if (!names.some((name) => name === MANIFEST || name === SNAPSHOT || numberOf(name) > 0)) throw new SealError('bad-argument', `There is no store in ${directory.path}.`)
}

const WHY: Readonly<Record<string, string>> = {
  EEXIST: 'there is a file where its directory should be',
  ENOTDIR: 'there is a file where its directory should be',
  EACCES: 'this user may not read and write there',
  EPERM: 'this user may not read and write there',
  EROFS: 'the disk is mounted read-only',
  ENOSPC: 'the disk is full',
}

function notOpened(path: string, cause: unknown): SealError {
  const errno = errorCode(cause)
  return new SealError('store-failed', `The store ${path} can’t be opened: ${WHY[errno ?? ''] ?? 'the disk failed'}${errno === undefined ? '' : ` (${errno})`}.`, { outcome: 'absent', step: 'opening', errno, reopen: false }, { cause })
}

async function openJournal(directory: Directory, options: FileStoreOptions, random: (length: number) => Uint8Array): Promise<{ journal: Journal; torn: TornTail | undefined }> {
  const found = await directory.list()
  const unlock = toSealingOptions(options)
  const manifest = (await readManifest(directory, found)) ?? (await createStore(directory, found, random(STORE_ID_LENGTH)))
  const sealing = unlockSealing(manifest.storeId, manifest.seal, unlock)
  const names = await directory.list()
  await removeStrays(directory, names, manifest)
  await directory.sync() // a manifest or snapshot we see may be a rename whose sync failed: nothing may build on it before it is durable
  const read = await replay(directory, manifest, await readPlaces(directory, names, manifest))
  const nextNumber = 1 + Math.max(...names.map(numberOf))
  const journal = new Journal(
    { directory, fsync: options.fsync !== 'never', segmentLength: options.segmentLength ?? DEFAULT_SEGMENT_LENGTH },
    { ...read, ...(await openValues(read, sealing)), manifest, sealing, nextNumber },
  )
  if (unlock && !sealing) await sealStore(journal, unlock)
  return { journal, torn: read.torn }
}

/** What an interrupted creation left counts as nothing, but a store that has lost its manifest is not to be mistaken for that. */
async function createStore(directory: Directory, names: readonly string[], storeId: Uint8Array): Promise<Manifest> {
  const checkpoint = encodeCheckpoint(storeId, 1, EMPTY_BOUNDS, new Map(), undefined)
  for (const name of names) {
    if (name === SNAPSHOT || numberOf(name) > 1 || (name === fileName(1) && (await lengthOf(directory, name)) > checkpoint.end)) {
      throw corrupt(MANIFEST, 0, `no such file, though there is ${name}`)
    }
  }
  if (names.includes(fileName(1))) await directory.remove(fileName(1))
  const file = await directory.open(fileName(1), 'create')
  try {
    await file.write(checkpoint.bytes, 0)
    await file.sync()
  } finally {
    await file.close()
  }
  await directory.sync()
  const manifest = { storeId, packed: [], journal: [{ number: 1, length: checkpoint.end }], seal: undefined }
  await writeManifest(directory, manifest, () => undefined)
  return manifest
}

async function removeStrays(directory: Directory, names: readonly string[], manifest: Manifest): Promise<void> {
  const counted = new Set([...manifest.packed, ...manifest.journal].map(({ number }) => fileName(number)))
  for (const name of names) if (name.endsWith('.tmp') || (numberOf(name) > 0 && !counted.has(name))) await directory.remove(name)
  for (const name of counted) if (!names.includes(name)) throw corrupt(name, 0, 'no such file')
}

async function openValues(read: Replayed, sealing: Sealing | undefined): Promise<{ values: Map<string, Uint8Array> }> {
  try {
    const values = new Map<string, Uint8Array>()
    for (const [name, value] of read.values) values.set(name, sealing && isSecret(name) ? sealing.open(name, value) : value)
    return { values }
  } catch (error) {
    await read.active.close()
    throw error
  }
}

/** From plain to sealed: a checkpoint under a new data key, and away with the files that held secrets in plain. */
async function sealStore(journal: Journal, options: SealingOptions): Promise<void> {
  try {
    const { header, sealing } = createSealing(journal.manifest.storeId, options)
    journal.sealing = sealing
    await journal.exclusive(() => journal.roll({ seal: header }))
    await compact(journal)
  } catch (error) {
    await journal.close()
    throw error
  }
}

function toStore(journal: Journal, lock: Lock, torn: TornTail | undefined, readAtOpening: number): FileStore {
  const { directory } = journal.options
  let closing: Promise<void> | undefined
  let background: Promise<unknown> = Promise.resolve() // compactions and snapshots, one after another
  const alive = (): Journal => {
    if (closing) throw new SealError('store-closed', 'This store was closed.')
    return journal
  }
  const direct: DirectFiles = new Set()
  const chunks = fileChunks(directory.within(CHUNKS), journal.options.fsync)
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = background.then(work)
    background = result.catch(() => undefined) // its caller has it
    return result
  }
  const close = async (): Promise<void> => {
    await background
    try {
      await coverPlaces(journal, readAtOpening)
      for (const closeFile of direct) await closeFile()
      await journal.close()
    } finally {
      openHere.delete(directory.path)
      await lock.release()
    }
  }
  return {
    torn,
    get size() {
      return alive().bounds.size
    },
    get first() {
      return alive().bounds.first
    },
    get: (name) => alive().values.get(name),
    names: (prefix) => [...alive().values.keys()].filter((name) => name.startsWith(prefix)).sort(),
    commit: async (batch) => alive().commit(batch),
    read: async (from, to) => {
      const { bounds, positions, segmentOf } = alive()
      checkRange(bounds, from, to)
      return readRecords(positions.range(from, to), segmentOf).catch(readFailure)
    },
    writeSnapshot: async (meta, chunks) => {
      alive()
      return inTurn(async () => {
        await writeSnapshotFile(directory, journal.manifest.storeId, meta, chunks)
        await coverPlaces(journal, readAtOpening) // who opens from the snapshot should not read what lies before it
      })
    },
    readSnapshot: async () => readSnapshotFile(directory, alive().manifest.storeId, direct).catch(readFailure),
    chunks: whileOpen(alive, () => chunks),
    compact: async () => {
      alive()
      return inTurn(async () => {
        await compact(journal)
        await coverPlaces(journal, readAtOpening)
      })
    },
    close: () => (closing ??= close()),
    [Symbol.asyncDispose]: () => (closing ??= close()),
  }
}

function readFailure(error: unknown): never {
  throw error instanceof SealError ? error : failure('absent', 'reading', error)
}

/** The number in a file's name, or 0. */
function numberOf(name: string): number {
  return Number(/^segment-(\d+)$/.exec(name)?.[1] ?? 0)
}

async function lengthOf(directory: Directory, name: string): Promise<number> {
  const file = await directory.open(name, 'read')
  try {
    return await file.length()
  } finally {
    await file.close()
  }
}
