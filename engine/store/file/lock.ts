/**
 * One writer per store: a lock file whose name says who holds it, `lock-<pid>-<start>-<host>-<nonce>`.
 *
 * Everybody creates a file of their own, which no one else ever names, and then looks for others: as in Lamport's bakery, of two who
 * come at once at least one sees the other. So a dead holder's file can be removed without racing for it. A holder on this host is
 * alive if its pid is and began when the name says; one on another host (a shared volume, a replaced container) while it touches its file.
 */
import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { pid as ownPid, kill } from 'node:process'
import { encodeHex, encodeUtf8 } from '../../codec/bytes.js'
import { SealError } from '../../errors.js'
import type { Directory, OpenFile } from './directory.js'

export interface Lock {
  /** Doesn't throw: a lock file that can't be removed now counts as nobody's in this process, and elsewhere once we are dead. */
  release(): Promise<void>
}

/** Lock files of ours that mean nothing any more but couldn't be removed. */
const leftovers = new Set<string>()

const TOUCH_INTERVAL = 10_000
const FOREIGN_LIFETIME = 60_000
const ATTEMPTS = 3

/** Throws `store-locked` with the holder's pid and host. */
export async function takeLock(directory: Directory, nonce: Uint8Array): Promise<Lock> {
  const host = encodeHex(encodeUtf8(hostname())).slice(-32) || '0'
  const name = `lock-${ownPid}-${(await startOf(ownPid)) ?? 0}-${host}-${encodeHex(nonce)}`
  for (let attempt = 1; ; attempt++) {
    const { file, holder } = await tryLock(directory, name, host)
    if (holder === undefined) {
      const touch = setInterval(() => {
        touchFile(file).catch(() => undefined) // a sick disk is found by the next commit; a lock that looks stale matters to other hosts only
      }, TOUCH_INTERVAL)
      touch.unref()
      return {
        release: async () => {
          clearInterval(touch)
          await dropLock(directory, name, file)
        },
      }
    }
    await dropLock(directory, name, file)
    if (attempt === ATTEMPTS) {
      throw new SealError('store-locked', `The store ${directory.path} is open already, in process ${holder.pid}.`, { pid: holder.pid, file: holder.name })
    }
    await new Promise((resolve) => setTimeout(resolve, 5 + ((nonce[0] as number) % 32) * attempt)) // perhaps we both came at once
  }
}

async function tryLock(directory: Directory, name: string, host: string): Promise<{ file: OpenFile; holder: { pid: number; name: string } | undefined }> {
  let file: OpenFile | undefined
  try {
    file = await directory.open(name, 'create')
    return { file, holder: await findHolder(directory, name, host) }
  } catch (error) {
    await dropLock(directory, name, file)
    throw error
  }
}

async function dropLock(directory: Directory, name: string, file: OpenFile | undefined): Promise<void> {
  try {
    await file?.close()
    await removeIfThere(directory, name)
  } catch {
    leftovers.add(name)
  }
}

async function findHolder(directory: Directory, own: string, host: string): Promise<{ pid: number; name: string } | undefined> {
  for (const name of await directory.list()) {
    const [, pid, start, where] = /^lock-(\d+)-(\d+)-([0-9a-f]+)-[0-9a-f]+$/.exec(name) ?? []
    if (pid === undefined || name === own) continue
    const alive = leftovers.has(name) ? false : where === host ? await isAlive(Number(pid), Number(start)) : (await ageOf(directory, name)) < FOREIGN_LIFETIME
    if (alive) return { pid: Number(pid), name }
    await removeIfThere(directory, name)
  }
  return undefined
}

async function isAlive(pid: number, start: number): Promise<boolean> {
  try {
    kill(pid, 0)
  } catch (error) {
    if (errorCode(error) !== 'EPERM') return false // EPERM: it lives, as another user
  }
  const found = await startOf(pid)
  return found === undefined || found === start
}

/** When a process began, in ticks since the host did; undefined where /proc doesn't say. */
async function startOf(pid: number): Promise<number | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'latin1')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19])
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
}

async function touchFile(file: OpenFile): Promise<void> {
  await file.write(encodeUtf8('.'), 0)
}

async function removeIfThere(directory: Directory, name: string): Promise<void> {
  try {
    await directory.remove(name)
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error
  }
}

/** Infinite if it went away meanwhile. */
async function ageOf(directory: Directory, name: string): Promise<number> {
  try {
    return await directory.age(name)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return Infinity
    throw error
  }
}

export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
