/**
 * The file system as the file store sees it: one flat directory. A port, so that tests can fail any step, lose what wasn't synced,
 * and flip bits. Errors pass through as the platform throws them; the store gives them their code.
 */
import { fdatasync, readSync, writeSync } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, rename, stat, unlink } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { platform } from 'node:process'
import { promisify } from 'node:util'

export interface Directory {
  /** For messages only. */
  readonly path: string
  /** Make the directory, private to its owner, if there is none. */
  make(): Promise<void>
  list(): Promise<readonly string[]>
  /** `create`: must not exist yet. `update`: read and write. */
  open(name: string, mode: 'create' | 'read' | 'update'): Promise<OpenFile>
  /** Atomic; replaces. */
  rename(from: string, to: string): Promise<void>
  remove(name: string): Promise<void>
  /** Make creations, renames and removals durable. */
  sync(): Promise<void>
  /** A directory in this one; `make` makes it. */
  within(name: string): Directory
  /** Milliseconds since the file was last written. */
  age(name: string): Promise<number>
}

export interface OpenFile {
  length(): Promise<number>
  /** Bytes read into `into` from position `at`: fewer only at the end of the file. */
  read(into: Uint8Array, at: number): Promise<number>
  /** The same without waiting, where that can be had. */
  readNow?(into: Uint8Array, at: number): number
  /** Write all of `bytes` at `at`, or throw. Short writes of at most SMALL_WRITE bytes return at once: they go to the page cache. */
  write(bytes: Uint8Array, at: number): Promise<void> | void
  truncate(length: number): Promise<void>
  /** Contents and length are durable once this resolves. After a failure nothing is known: see `segment.ts`. */
  sync(): Promise<void>
  close(): Promise<void>
}

/** Remove files that count for nothing, if they are there and it works: else the next opening removes them. */
export async function discard(directory: Directory, names: readonly string[]): Promise<void> {
  try {
    const there = await directory.list()
    for (const name of names) if (there.includes(name)) await directory.remove(name)
  } catch {
    return // called while something worse is being reported, or after what mattered is done
  }
}

/** Up to here a synchronous write takes less time (1–20 µs) than a trip to the thread pool (60 µs). */
const SMALL_WRITE = 64 * 1024

const dataSync = promisify(fdatasync)

/** A real directory: the one that `from` means now, wherever the process goes later (`chdir`). */
export function nodeDirectory(from: string): Directory {
  const path = resolve(from)
  return {
    path,
    make: async () => {
      await mkdir(path, { recursive: true, mode: 0o700 })
    },
    list: () => readdir(path),
    open: async (name, mode) => toOpenFile(await open(join(path, name), FLAGS[mode], 0o600)),
    rename: (from, to) => rename(join(path, from), join(path, to)),
    remove: (name) => unlink(join(path, name)),
    sync: async () => {
      if (platform === 'win32') return // Windows can't open a directory; NTFS journals the rename itself
      const handle = await open(path, 'r')
      try {
        await handle.sync()
      } finally {
        await handle.close()
      }
    },
    within: (name) => nodeDirectory(join(path, name)),
    age: async (name) => Date.now() - (await stat(join(path, name))).mtimeMs,
  }
}

const FLAGS = { create: 'wx+', read: 'r', update: 'r+' } as const

function toOpenFile(handle: FileHandle): OpenFile {
  return {
    length: async () => (await handle.stat()).size,
    read: async (into, at) => {
      let done = 0
      while (done < into.length) {
        const { bytesRead } = await handle.read(into, done, into.length - done, at + done)
        if (bytesRead === 0) break
        done += bytesRead
      }
      return done
    },
    readNow: (into, at) => readNow(handle.fd, into, at),
    write: (bytes, at) => (bytes.length <= SMALL_WRITE ? writeNow(handle.fd, bytes, at) : writeLater(handle, bytes, at)),
    truncate: (length) => handle.truncate(length),
    sync: () => dataSync(handle.fd),
    close: () => handle.close(),
  }
}

function readNow(fd: number, into: Uint8Array, at: number): number {
  let done = 0
  while (done < into.length) {
    const got = readSync(fd, into, done, into.length - done, at + done)
    if (got === 0) break
    done += got
  }
  return done
}

function writeNow(fd: number, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, at + done)
}

async function writeLater(handle: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) done += (await handle.write(bytes, done, bytes.length - done, at + done)).bytesWritten
}
