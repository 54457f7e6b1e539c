/**
 * A disk that can be crashed and made to fail, for the file store: what was written and what would survive are kept apart, as in a
 * kernel with a page cache. A write is dirty until synced; a failed fsync may mark it clean without its being on the disk.
 */
import type { Directory, OpenFile } from '../../engine/store/file/directory.js'

/** What becomes of the step at which the plan strikes. */
export type Fault =
  | 'fail' // an error, and nothing was done
  | 'fail-done' // an error, though it was done
  | 'short' // a write stops half way with ENOSPC; other steps: as fail
  | 'gate' // an fsync fails, and what was dirty counts as clean; other steps: as fail
  | 'crash' // the process dies before it
  | 'crash-done' // the process dies after it

/** What a crash leaves of what was not synced: nothing, everything, or some sectors and some of the changes of names. */
export type Survival = 'lose' | 'keep' | 'torn'

interface Inode {
  cache: Buffer
  durable: Buffer
  dirty: [from: number, to: number][]
}

type Names = Map<string, Inode>

const SECTOR = 512

/** Whatever a dead process still asks of its disk fails as on a disk that is gone. */
export class Crashed extends Error {
  readonly code = 'ENODEV'
}

let incarnations = 0

export class SimulatedDisk implements Directory {
  path = ''
  steps = 0
  /** Strike at this step, once. */
  plan: { readonly step: number; readonly fault: Fault } | undefined
  /** Names of the steps taken, for messages. */
  readonly trace: string[] = []
  private names: Names
  private durableNames: Names
  /** Changes of the directory since it was synced. */
  private changes: ((names: Names) => void)[] = []
  private dead = false

  constructor(files: ReadonlyMap<string, Uint8Array> = new Map()) {
    this.path = `simulated-${incarnations++}`
    this.names = new Map([...files].map(([name, bytes]) => [name, { cache: Buffer.from(bytes), durable: Buffer.from(bytes), dirty: [] }]))
    this.durableNames = new Map(this.names)
  }

  /** The disk as the next process finds it. Its lock files are left out: their holder is dead. */
  crash(survival: Survival, random: () => number = () => 0): SimulatedDisk {
    this.dead = true
    const names: Names = new Map(survival === 'keep' ? this.names : this.durableNames)
    if (survival === 'torn') for (const change of this.changes) if (random() < 0.5) change(names)
    const files = new Map<string, Uint8Array>()
    for (const [name, inode] of names) if (!name.startsWith('lock-')) files.set(name, survivor(inode, survival, random))
    return new SimulatedDisk(files)
  }

  /** Contents as a reader sees them. */
  files(): Map<string, Buffer> {
    return new Map([...this.names].filter(([name]) => !name.startsWith('lock-')).map(([name, inode]) => [name, Buffer.from(inode.cache)]))
  }

  make = async (): Promise<void> => undefined
  list = async (): Promise<readonly string[]> => {
    this.check()
    return [...this.names.keys()].filter((name) => !name.includes('/'))
  }
  /** Files whose names say where they lie. */
  within = (inner: string): Directory => {
    const place = (name: string): string => `${inner}/${name}`
    return {
      path: place(this.path), make: this.make, age: this.age, sync: this.sync,
      list: async () => [...this.names.keys()].flatMap((name) => (name.startsWith(`${inner}/`) ? [name.slice(inner.length + 1)] : [])),
      open: (name, mode) => this.open(place(name), mode),
      rename: (from, to) => this.rename(place(from), place(to)),
      remove: (name) => this.remove(place(name)),
      within: (name) => this.within(place(name)),
    }
  }
  age = async (): Promise<number> => 0

  open = async (name: string, mode: 'create' | 'read' | 'update'): Promise<OpenFile> => {
    if (mode === 'create') {
      this.step(`create ${name}`, () => {
        if (this.names.has(name)) throw errno('EEXIST')
        const inode: Inode = { cache: Buffer.alloc(0), durable: Buffer.alloc(0), dirty: [] }
        this.change((names) => names.set(name, inode))
      })
    }
    this.check()
    const inode = this.names.get(name)
    if (!inode) throw errno('ENOENT')
    return this.openInode(name, inode)
  }

  rename = async (from: string, to: string): Promise<void> =>
    this.step(`rename ${from}`, () => {
      const inode = this.names.get(from)
      if (!inode) throw errno('ENOENT')
      this.change((names) => {
        names.delete(from)
        names.set(to, inode)
      })
    })

  remove = async (name: string): Promise<void> =>
    this.step(`remove ${name}`, () => {
      if (!this.names.has(name)) throw errno('ENOENT')
      this.change((names) => names.delete(name))
    })

  sync = async (): Promise<void> =>
    this.step('sync directory', () => {
      this.durableNames = new Map(this.names)
      this.changes = []
    })

  private openInode(name: string, inode: Inode): OpenFile {
    let open = true
    const check = (): void => {
      this.check()
      if (!open) throw errno('EBADF')
    }
    return {
      length: async () => {
        check()
        return inode.cache.length
      },
      read: async (into, at) => {
        check()
        await Promise.resolve() // others may act before the bytes arrive
        check()
        const from = inode.cache.subarray(at, at + into.length)
        into.set(from)
        return from.length
      },
      write: async (bytes, at) => {
        check()
        const put = (part: Uint8Array): void => writeInode(inode, part, at)
        this.step(`write ${name}`, () => put(bytes), {
          short: () => {
            put(bytes.subarray(0, bytes.length >> 1))
            inode.durable = flush(inode, inode.cache.length, () => true) // the kernel may write back at any time
          },
        })
      },
      truncate: async (length) => {
        check()
        this.step(`truncate ${name}`, () => {
          inode.cache = Buffer.from(inode.cache.subarray(0, length))
          inode.dirty = inode.dirty.map(([from, to]): [number, number] => [from, Math.min(to, length)]).filter(([from, to]) => from < to)
        })
      },
      sync: async () => {
        check()
        this.step(`sync ${name}`, () => {
          inode.durable = flush(inode, inode.cache.length, () => true)
          inode.dirty = []
        }, { gate: () => (inode.dirty = []) })
      },
      close: async () => {
        open = false
      },
    }
  }

  private change(change: (names: Names) => void): void {
    change(this.names)
    this.changes.push(change)
  }

  private step(name: string, work: () => void, partly: { readonly short?: () => void; readonly gate?: () => void } = {}): void {
    this.check()
    this.trace.push(name)
    const fault = this.plan?.step === this.steps++ ? this.plan.fault : undefined
    if (fault === 'short') partly.short?.()
    if (fault === 'gate') partly.gate?.()
    if (fault === undefined || fault === 'fail-done' || fault === 'crash-done') work()
    if (fault === 'crash' || fault === 'crash-done') this.dead = true
    this.check()
    if (fault !== undefined) throw errno(fault === 'short' ? 'ENOSPC' : 'EIO')
  }

  private check(): void {
    if (this.dead) throw new Crashed('the process is dead')
  }
}

function writeInode(inode: Inode, bytes: Uint8Array, at: number): void {
  if (at + bytes.length > inode.cache.length) inode.cache = Buffer.concat([inode.cache], at + bytes.length)
  inode.cache.set(bytes, at)
  inode.dirty.push([at, at + bytes.length])
}

/** The durable bytes with those dirty sectors that `keeps` lets through, cut or zero-filled to `length`. */
function flush(inode: Inode, length: number, keeps: () => boolean): Buffer {
  const out = Buffer.concat([inode.durable], length)
  for (const [from, to] of inode.dirty) {
    for (let at = from; at < Math.min(to, length); at += SECTOR - (at % SECTOR)) {
      if (keeps()) out.set(inode.cache.subarray(at, Math.min(to, length, at + SECTOR - (at % SECTOR))), at)
    }
  }
  return out
}

function survivor(inode: Inode, survival: Survival, random: () => number): Buffer {
  if (survival === 'lose') return inode.durable
  if (survival === 'keep') return inode.cache
  const longest = Math.max(inode.durable.length, inode.cache.length)
  const length = [inode.durable.length, inode.cache.length, longest][Math.floor(random() * 3)] as number
  return flush(inode, length, () => random() < 0.5)
}

function errno(code: string): Error {
  return Object.assign(new Error(code), { code })
}
