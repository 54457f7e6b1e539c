/**
 * A thread of its own for the signatures of batches: they are a quarter of a relay's work, and the only part that need not be done in order. What it says is a hint (engine/space/aside.ts); where it is not
 * there (not started yet, can't be started, died, has too much before it) this thread does the same itself, so that nothing but time depends on it. `verifying` and `onFailed` tell which it is.
 */
import { existsSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { PUBLIC_KEY_LENGTH, SIGNATURE_LENGTH } from '../../engine/crypto/ed25519-rule.js'
import type { Signatures } from '../../engine/crypto/provider.js'
import { goodTogether } from '../../engine/crypto/verify-many.js'
import { signedOf, type SignedRecord } from '../../engine/space/aside.js'
import { packSignatures } from './packed-signatures.js'
import type { Batch, Told } from './verify-worker.js'

/** Fewer are sooner done than handed over and back. */
export const FEWEST_HANDED = 16
/** Longer records are left to whoever judges, or other threads: hashing them on the kernel takes longer than what a batch saves (engine/crypto/with-kernels.ts). */
const LONGEST_HANDED = 8192
/** Batches that the thread has before it, of all spaces together: some 3 ms each, at most a megabyte. */
const MOST_HANDED = 8
/** Milliseconds from one start to the next. */
const RESTART_AFTER = 60_000
/** Milliseconds without a word while it has batches before it: then it counts as dead, and nobody waits any longer. */
const PATIENCE = 10_000

export interface VerifyThreadOptions {
  readonly crypto: Pick<Signatures, 'verifyEd25519Batch'>
  /** Milliseconds, for starting anew after a failure. */
  readonly now: () => number
  /** It could not start, or it died: until the next start all is done here. */
  readonly onFailed: (error: Error) => void
  /** Where the worker's code lies; tests put others there. */
  readonly url?: URL | undefined
  /** Milliseconds; default 10,000. */
  readonly patience?: number | undefined
}

interface Handed { readonly items: readonly SignedRecord[]; readonly resolve: (good: readonly boolean[]) => void }

export class VerifyThread {
  readonly #options: VerifyThreadOptions
  readonly #handed = new Map<number, Handed>()
  #worker: Worker | undefined
  #ready = false
  #startedAt = -Infinity
  #next = 0
  #closed = false
  #patience: ReturnType<typeof setTimeout> | undefined

  constructor(options: VerifyThreadOptions) {
    this.#options = options
  }

  /** The thread is there and takes batches. */
  get verifying(): boolean {
    return this.#ready
  }

  /** As `goodTogether`: true for those that are good for sure, false says nothing. Never rejects. The thread starts when there is first something to do for it. */
  good(items: readonly SignedRecord[]): Promise<readonly boolean[]> {
    if (items.length < FEWEST_HANDED || !this.#start() || this.#handed.size >= MOST_HANDED) return Promise.resolve(this.#here(items))
    const fit = items.filter(isFit)
    if (fit.length === 0) return Promise.resolve(items.map(() => false))
    const number = this.#next++
    const handed = new Promise<readonly boolean[]>((resolve) => this.#handed.set(number, { items: fit, resolve }))
    const packed = packSignatures(fit)
    this.#worker?.postMessage({ number, packed } satisfies Batch, [packed])
    this.#patience ??= this.#wait()
    if (fit.length === items.length) return handed
    return handed.then((good) => {
      const each = good.values()
      return items.map((item) => isFit(item) && each.next().value === true)
    })
  }

  /** What was handed over is done here. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#end()
  }

  #here(items: readonly SignedRecord[]): readonly boolean[] {
    return goodTogether(this.#options.crypto, items.map(signedOf))
  }

  /** Whether the thread takes something now. */
  #start(): boolean {
    const { now } = this.#options
    if (this.#worker !== undefined || this.#closed || now() - this.#startedAt < RESTART_AFTER) return this.#ready
    this.#startedAt = now()
    try {
      const url = this.#options.url ?? workerUrl()
      if (url === undefined) throw new Error('The code of the thread that verifies signatures is not beside the relay’s.')
      // What this process was started with (loaders, a debugger) is not meant for the thread.
      const options = { name: 'sealdb-verify', execArgv: [] }
      const worker = url.pathname.endsWith('.ts') ? new Worker(fromSource(url), { ...options, eval: true }) : new Worker(url, options)
      this.#worker = worker
      worker.unref()
      worker.on('message', (told: Told) => this.#told(worker, told))
      worker.on('error', (error: unknown) => this.#failed(worker, error instanceof Error ? error : new Error(String(error))))
      worker.on('messageerror', (error) => this.#failed(worker, error))
      worker.on('exit', (code) => this.#failed(worker, new Error(`The thread that verifies signatures ended with code ${code}.`)))
    } catch (error) {
      this.#options.onFailed(error instanceof Error ? error : new Error(String(error)))
    }
    return false
  }

  #told(worker: Worker, told: Told): void {
    if (worker !== this.#worker) return
    if (told.kind === 'ready') {
      this.#ready = true
      return
    }
    this.#handed.get(told.number)?.resolve(flagsOf(told.good))
    this.#handed.delete(told.number)
    clearTimeout(this.#patience)
    this.#patience = this.#handed.size === 0 ? undefined : this.#wait()
  }

  /** For its next word. */
  #wait(): ReturnType<typeof setTimeout> | undefined {
    const { patience = PATIENCE } = this.#options
    const worker = this.#worker
    return worker && setTimeout(() => this.#failed(worker, new Error(`The thread that verifies signatures has not answered for ${patience} ms.`)), patience)
  }

  #failed(worker: Worker, error: Error): void {
    if (worker !== this.#worker) return // it has been told of, or was closed
    this.#options.onFailed(error)
    void this.#end()
  }

  async #end(): Promise<void> {
    const worker = this.#worker
    this.#worker = undefined
    this.#ready = false
    clearTimeout(this.#patience)
    this.#patience = undefined
    const handed = [...this.#handed.values()]
    this.#handed.clear()
    for (const { items, resolve } of handed) resolve(this.#here(items))
    await worker?.terminate()
  }
}

function flagsOf(good: Uint8Array): readonly boolean[] {
  const flags: boolean[] = []
  for (const one of good) flags.push(one === 1)
  return flags
}

function isFit({ record, publicKey }: SignedRecord): boolean {
  return record.length <= LONGEST_HANDED && record.length > SIGNATURE_LENGTH && publicKey.length === PUBLIC_KEY_LENGTH
}

/** Where this runs from source there is a loader for it. */
function fromSource(url: URL): string {
  return `import('tsx/esm/api').then(({ register }) => { register(); return import(${JSON.stringify(url.href)}) })`
}

/** Beside this file, in source; beside the entries, of which this may be a chunk, in the build. */
function workerUrl(): URL | undefined {
  const name = `verify-worker${import.meta.url.slice(import.meta.url.lastIndexOf('.'))}`
  return [`./${name}`, `../${name}`].map((path) => new URL(path, import.meta.url)).find((url) => url.protocol === 'file:' && existsSync(url))
}
