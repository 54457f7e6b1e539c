/**
 * The snapshot file: a meta frame, chunk frames, and an end frame with their count. Written under a passing name, synced and renamed.
 */
import { platform } from 'node:process'
import { SealError } from '../../errors.js'
import { checkChunk } from '../batch.js'
import type { DirectChunks, StoredSnapshot } from '../store.js'
import type { Directory, OpenFile } from './directory.js'
import { checkRest, COMMIT, encodeU48, FILE_HEADER_LENGTH, FRAME, FRAME_OVERHEAD, FrameWriter, frameLength, HEADER_LENGTH } from './frame.js'
import { failure } from './journal.js'
import { headerChain, writeWhole } from './manifest.js'
import { corrupt, readFileHeader } from './scan.js'

export const SNAPSHOT = 'snapshot'

type Chunks = AsyncIterable<Uint8Array> | Iterable<Uint8Array>

/** One at a time. An error of the chunks' source passes through; nothing has changed then. */
export async function writeSnapshotFile(directory: Directory, storeId: Uint8Array, meta: Uint8Array, chunks: Chunks): Promise<void> {
  checkChunk(meta)
  let renaming = false
  let inSource = false
  const guarded = (async function* () {
    inSource = true
    for await (const chunk of chunks) {
      checkChunk(chunk)
      inSource = false
      yield chunk
      inSource = true
    }
    inSource = false
  })()
  try {
    await writeWhole(directory, SNAPSHOT, storeId, toFrames(storeId, meta, guarded), () => (renaming = true))
  } catch (error) {
    throw inSource ? error : failure(renaming ? 'unknown' : 'absent', 'writing the snapshot', error)
  }
}

/** Files that are read chunk by chunk, until they are closed. */
export type DirectFiles = Set<() => Promise<void>>

/** Undefined if there is none. Each iteration of the chunks opens the file for itself. */
export async function readSnapshotFile(directory: Directory, storeId: Uint8Array, opened: DirectFiles): Promise<StoredSnapshot | undefined> {
  if (!(await directory.list()).includes(SNAPSHOT)) return undefined
  const file = await directory.open(SNAPSHOT, 'read')
  try {
    const { meta, chain } = await readMeta(file, storeId)
    const chunks = { [Symbol.asyncIterator]: () => readChunks(directory, storeId, chain) }
    // Windows does not let a file that is open be replaced.
    return file.readNow === undefined || platform === 'win32' ? { meta, chunks } : { meta, chunks, direct: () => openDirect(directory, storeId, chain, opened) }
  } finally {
    await file.close()
  }
}

/** Stays open as long as the store: what is not read soon may be read at any time. */
async function openDirect(directory: Directory, storeId: Uint8Array, expected: number, opened: DirectFiles): Promise<DirectChunks> {
  const file = await directory.open(SNAPSHOT, 'read')
  const read = (length: number, at: number): Uint8Array => {
    const { buffer, byteOffset } = Buffer.allocUnsafeSlow(length)
    const into = new Uint8Array(buffer, byteOffset, length)
    if (file.readNow?.(into, at) !== length) throw corrupt(SNAPSHOT, at, 'the end of the file')
    return into
  }
  let isOpen = true
  const close = async (): Promise<void> => {
    isOpen = false
    opened.delete(close)
    await file.close()
  }
  opened.add(close)
  try {
    const { at: begin, chain } = await readMeta(file, storeId)
    if (chain !== expected) throw new SealError('bad-argument', 'Another snapshot replaced this one before its chunks were read.')
    const places: { readonly at: number; readonly length: number }[] = []
    const end = await file.length()
    for (let at = begin; ;) {
      const header = Buffer.from(read(HEADER_LENGTH, at).buffer)
      const length = frameLength(header, 0)
      if (length === 0 || at + length > end) throw corrupt(SNAPSHOT, at, 'a frame cut short')
      if (header[4] !== FRAME.chunk) break // the end: who reads authenticates, and knows how many there have to be
      places.push({ at: at + HEADER_LENGTH, length: length - FRAME_OVERHEAD })
      at += length
    }
    return {
      lengths: places.map(({ length }) => length),
      read: (number) => {
        if (!isOpen) throw new SealError('store-closed', 'This store was closed.')
        const { at, length } = places[number] as { readonly at: number; readonly length: number }
        try {
          return read(length, at)
        } catch (error) {
          throw error instanceof SealError ? error : failure('absent', 'reading the snapshot', error)
        }
      },
    }
  } catch (error) {
    await close()
    throw error instanceof SealError ? error : failure('absent', 'reading the snapshot', error)
  }
}

async function* toFrames(storeId: Uint8Array, meta: Uint8Array, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let at = FILE_HEADER_LENGTH
  let chain = headerChain(storeId)
  // What is yielded has been written when the next is asked for.
  let room = new Uint8Array(0)
  const frame = (type: number, payload: Uint8Array): Uint8Array => {
    if (room.length < payload.length + FRAME_OVERHEAD) room = new Uint8Array(payload.length + FRAME_OVERHEAD)
    const writer = new FrameWriter(at, chain, room)
    writer.add(type, payload)
    at = writer.end
    chain = writer.chain
    return writer.bytes
  }
  yield frame(FRAME.meta, meta)
  let count = 0
  for await (const chunk of chunks) {
    yield frame(FRAME.chunk, chunk)
    count++
  }
  yield frame(FRAME.end | COMMIT, encodeU48(count))
}

async function* readChunks(directory: Directory, storeId: Uint8Array, expected: number): AsyncGenerator<Uint8Array> {
  const file = await directory.open(SNAPSHOT, 'read').catch((error: unknown) => {
    throw failure('absent', 'reading the snapshot', error)
  })
  try {
    const end = await file.length()
    let { at, chain } = await readMeta(file, storeId)
    if (chain !== expected) throw new SealError('bad-argument', 'Another snapshot replaced this one before its chunks were read.')
    for (let count = 0; ; count++) {
      const { type, payload, next } = await readFrame(file, at, chain, end)
      if (type === (FRAME.end | COMMIT)) {
        if (!encodeU48(count).equals(payload) || next.at !== end) throw corrupt(SNAPSHOT, at, 'another count of chunks, or bytes after the end')
        return
      }
      if (type !== FRAME.chunk) throw corrupt(SNAPSHOT, at, 'a frame that does not belong there')
      yield payload
      ;({ at, chain } = next)
    }
  } catch (error) {
    throw error instanceof SealError ? error : failure('absent', 'reading the snapshot', error)
  } finally {
    await file.close()
  }
}

async function readMeta(file: OpenFile, storeId: Uint8Array): Promise<{ meta: Uint8Array; at: number; chain: number }> {
  const header = await readFileHeader(file, SNAPSHOT, storeId, 0)
  const { type, payload, next } = await readFrame(file, FILE_HEADER_LENGTH, header.chain, await file.length())
  if (type !== FRAME.meta) throw corrupt(SNAPSHOT, FILE_HEADER_LENGTH, 'no meta part')
  return { meta: payload, ...next }
}

/** The payload is the reader's own, and begins its buffer: large ones are used where they lie. */
async function readFrame(file: OpenFile, at: number, chain: number, end: number): Promise<{ type: number; payload: Uint8Array; next: { at: number; chain: number } }> {
  const header = Buffer.allocUnsafe(HEADER_LENGTH)
  const got = await file.read(header, at)
  const length = got < HEADER_LENGTH ? 0 : frameLength(header, 0)
  if (length === 0 || at + length > end) throw corrupt(SNAPSHOT, at, 'a frame cut short')
  const rest = new Uint8Array(length - HEADER_LENGTH)
  const crc = (await file.read(rest, at + HEADER_LENGTH)) < rest.length ? undefined : checkRest(header, rest, chain)
  if (crc === undefined) throw corrupt(SNAPSHOT, at, 'a wrong checksum')
  return { type: header[4] as number, payload: rest.subarray(0, rest.length - 4), next: { at: at + length, chain: crc } }
}
