/**
 * Compaction: the records that are still held go into packed files, which hold nothing else; replaced values and forgotten records
 * go away with the old files. A packed file whose records are all held stays as it is, so each record is copied about once.
 *
 *   1. begin a new active file, whose checkpoint holds the values: all files before it now count for their records alone;
 *   2. copy their records, while commits go on in the active file;
 *   3. replace the manifest, and remove the old files.
 *
 * A crash before 3 leaves files that no manifest names; the next opening removes them.
 */
import { discard } from './directory.js'
import { COMMIT, encodeFileHeader, FILE_HEADER_LENGTH, FRAME, FrameWriter } from './frame.js'
import type { Journal, Packed } from './journal.js'
import { fileName, headerChain, type PackedEntry } from './manifest.js'
import type { Position } from './positions.js'
import { readRecords, Segment } from './segment.js'

/** Records are copied so many at a time: the largest few of them still fit in memory. */
const COPY_COUNT = 1024
const COPY_LENGTH = 4 << 20

/** One at a time. */
export async function compact(journal: Journal): Promise<void> {
  const plan = await journal.exclusive(() => makePlan(journal))
  if (plan === undefined) return
  const written: PackedEntry[] = []
  try {
    const copies: (readonly [index: number, from: Position, to: Position])[] = []
    for (const range of splitRange(plan.places, journal.options.segmentLength)) written.push(await writePacked(journal, range, copies))
    if (written.length > 0) await journal.options.directory.sync()
    await journal.exclusive(() => finish(journal, plan, written, copies))
  } catch (error) {
    if (!journal.isBroken) await discard(journal.options.directory, written.map(({ number }) => fileName(number)))
    throw journal.failed(error)
  }
}

interface Plan {
  /** Packed files that stay; those before `places` in the log, and they are a prefix of it. */
  readonly kept: readonly Packed[]
  readonly dropped: readonly Segment[]
  readonly places: readonly (readonly [index: number, place: Position])[]
}

/** Begin a new active file and see what to copy; undefined if there is nothing to gain. */
async function makePlan(journal: Journal): Promise<Plan | undefined> {
  const { first, size } = journal.bounds
  const held = new Map<number, number>()
  for (let index = first; index < size; index++) {
    const file = journal.positions.fileOf(index)
    held.set(file, (held.get(file) ?? 0) + 1)
  }
  const isWhole = ({ entry }: Packed): boolean => held.get(entry.number) === entry.hi - entry.lo
  const fresh = journal.isFresh && journal.closed.length === 0
  if (fresh && journal.packed.every(isWhole)) return undefined
  if (!fresh) await journal.roll()
  // A small last one is copied along with what follows it, or there would be a file for each compaction.
  const isLarge = ({ entry }: Packed): boolean => entry.length >= journal.options.segmentLength / 4
  let keptCount = journal.packed.findIndex((packed) => !isWhole(packed))
  if (keptCount < 0) keptCount = journal.packed.length
  while (keptCount > 0 && !isLarge(journal.packed[keptCount - 1] as Packed)) keptCount--
  return toPlan(journal, journal.packed.slice(0, keptCount), journal.packed.slice(keptCount))
}

function toPlan(journal: Journal, kept: readonly Packed[], rest: readonly Packed[]): Plan {
  const dropped = [...rest.map(({ segment }) => segment), ...journal.closed]
  const numbers = new Set(dropped.map(({ number }) => number))
  const places: [number, Position][] = []
  for (let index = journal.bounds.first; index < journal.bounds.size; index++) {
    const place = journal.positions.get(index)
    if (numbers.has(place.file)) places.push([index, place])
  }
  return { kept, dropped, places }
}

/** Cut into pieces of about the length of a file. */
function* splitRange(places: Plan['places'], segmentLength: number): Generator<Plan['places']> {
  let from = 0
  let length = 0
  for (const [i, [, place]] of places.entries()) {
    length += place.length
    if (length < segmentLength && i < places.length - 1) continue
    yield places.slice(from, i + 1)
    from = i + 1
    length = 0
  }
}

async function writePacked(journal: Journal, places: Plan['places'], copies: (readonly [number, Position, Position])[]): Promise<PackedEntry> {
  const { directory } = journal.options
  const { storeId } = journal.manifest
  const number = journal.takeNumber()
  const file = await directory.open(fileName(number), 'create')
  let done = false
  try {
    await file.write(encodeFileHeader(storeId, number), 0)
    let at = FILE_HEADER_LENGTH
    let chain = headerChain(storeId, number)
    for (const part of splitCopies(places)) {
      const writer = new FrameWriter(at, chain, COPY_LENGTH)
      const records = await readRecords(part.map(([, place]) => place), journal.segmentOf)
      for (const [i, [index, from]] of part.entries()) {
        copies.push([index, from, { file: number, at: writer.end, length: from.length }])
        writer.add(FRAME.record | COMMIT, records[i] as Uint8Array)
      }
      await file.write(writer.bytes, at)
      at = writer.end
      chain = writer.chain
    }
    await file.sync()
    done = true
    const lo = (places[0] as (typeof places)[0])[0]
    return { number, length: at, lo, hi: lo + places.length }
  } finally {
    await file.close()
    if (!done && !journal.isBroken) await discard(directory, [fileName(number)])
  }
}

function* splitCopies(places: Plan['places']): Generator<Plan['places']> {
  let from = 0
  let length = 0
  for (const [i, [, place]] of places.entries()) {
    length += place.length
    if (length < COPY_LENGTH && i + 1 - from < COPY_COUNT && i < places.length - 1) continue
    yield places.slice(from, i + 1)
    from = i + 1
    length = 0
  }
}

async function finish(journal: Journal, plan: Plan, written: readonly PackedEntry[], copies: readonly (readonly [number, Position, Position])[]): Promise<void> {
  const { directory } = journal.options
  const numbers = new Set(plan.dropped.map(({ number }) => number))
  const packed = [
    ...plan.kept,
    ...written.map((entry): Packed => {
      const name = fileName(entry.number)
      return { entry, segment: new Segment(entry.number, name, entry.length, () => directory.open(name, 'read')) }
    }),
  ]
  await journal.replaceManifest({
    ...journal.manifest,
    packed: packed.map(({ entry }) => entry),
    journal: journal.manifest.journal.filter(({ number }) => !numbers.has(number)),
  })
  for (const [index, from, to] of copies) journal.positions.move(index, from, to)
  journal.packed = packed
  journal.covered = 0 // other files: what `places` says of the old ones is ignored
  journal.closed = journal.closed.filter(({ number }) => !numbers.has(number))
  for (const segment of plan.dropped) await segment.retire()
  await discard(directory, plan.dropped.map(({ name }) => name))
}
