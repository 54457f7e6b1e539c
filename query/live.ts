/**
 * Live queries: run again when a table they read has changed, told only if the result has. What did not change costs a comparison of tags: the
 * verified roots of the tables' subtrees, which is also why nothing can change unseen.
 */
import { equalBytes } from '../engine/codec/bytes.js'
import { type ObjectId, type View } from '../engine/space/types.js'
import { ifHere } from './remote.js'
import { type SqlValue } from './values.js'

/** What a live query needs of its database. */
export interface LivePort<R> {
  /** Runs the query; `tables`: what it read (undefined: possibly anything). */
  run(): Promise<{ readonly result: R; readonly columns: readonly string[]; readonly raw: readonly (readonly SqlValue[])[]; readonly tables: ReadonlySet<ObjectId> | undefined }>
  readonly view: View
  onChange(listener: () => void): () => void
  /** Told when the database is closed. */
  onEnd(listener: () => void): () => void
}

/** A query that is told again whenever its result changes. */
export interface Live<R> extends AsyncIterable<R> {
  /** The present result at once, then each changed one, in order. Errors of the query end the subscription, and so does closing the database; loops end then, too. Returns how to stop. */
  subscribe(listener: (result: R) => void, onError?: (error: unknown) => void): () => void
  /** The same until the signal comes: then subscriptions stop, and loops end. */
  until(signal: AbortSignal): Live<R>
}

export function live<R>(port: LivePort<R>, signal?: AbortSignal): Live<R> {
  return {
    subscribe: (listener, onError = rethrow) => (signal === undefined ? new Subscription(port, listener, onError).stop : subscribeUntil(signal, port, listener, onError)),
    until: (other) => live(port, signal === undefined ? other : AbortSignal.any([signal, other])),
    [Symbol.asyncIterator]: () => iterate(port, signal),
  }
}

function subscribeUntil<R>(signal: AbortSignal, port: LivePort<R>, listener: (result: R) => void, onError: (error: unknown) => void): () => void {
  if (signal.aborted) return () => undefined
  const { stop } = new Subscription(port, listener, onError)
  signal.addEventListener('abort', stop, { once: true })
  return () => {
    signal.removeEventListener('abort', stop)
    stop()
  }
}

class Subscription<R> {
  readonly #port: LivePort<R>
  readonly #listener: (result: R) => void
  readonly #onError: (error: unknown) => void
  readonly #off: () => void
  #stopped = false
  #running = false
  #again = false
  #seen: Seen | undefined
  #last: { readonly columns: readonly string[]; readonly raw: readonly (readonly SqlValue[])[] } | undefined

  constructor(port: LivePort<R>, listener: (result: R) => void, onError: (error: unknown) => void) {
    this.#port = port
    this.#listener = listener
    this.#onError = onError
    const offChange = port.onChange(() => this.#changed())
    const offEnd = port.onEnd(this.stop)
    this.#off = () => {
      offChange()
      offEnd()
    }
    void this.#run()
  }

  readonly stop = (): void => {
    this.#stopped = true
    this.#off()
  }

  #changed(): void {
    if (this.#running) this.#again = true
    else if (this.#seen === undefined || !sameState(this.#seen, this.#port.view)) void this.#run()
  }

  async #run(): Promise<void> {
    this.#running = true
    try {
      do {
        this.#again = false
        // Taken before the query: a change while it runs is seen as one.
        const view = this.#port.view
        const tags = new Map<ObjectId, Uint8Array>()
        const { catalogTag, learned } = view
        const { result, columns, raw, tables } = await this.#port.run()
        if (this.#stopped) return
        for (const table of tables ?? []) tags.set(table, (view === this.#port.view ? ifHere(() => view.tableTag(table)) : undefined) ?? NEVER)
        this.#seen = tables === undefined ? undefined : { catalogTag, learned, tags }
        if (this.#last === undefined || !sameRows(this.#last.raw, raw) || !sameRows([this.#last.columns], [columns])) {
          this.#last = { columns, raw }
          this.#listener(result)
        }
      } while (this.#again && !this.#stopped)
    } catch (error) {
      if (this.#stopped) return // nobody is there to be told
      this.stop()
      this.#onError(error)
    } finally {
      this.#running = false
    }
  }
}

interface Seen { readonly catalogTag: Uint8Array; readonly learned: number; readonly tags: ReadonlyMap<ObjectId, Uint8Array> }

/** No table has it: whatever was read meanwhile is compared anew. */
const NEVER = new Uint8Array(0)

function sameState(seen: Seen, view: View): boolean {
  if (seen.learned !== view.learned || !equalBytes(seen.catalogTag, view.catalogTag)) return false
  for (const [table, tag] of seen.tags) {
    // A thin client may not have it at hand: then the query runs, and fetches it.
    const now = ifHere(() => view.tableTag(table))
    if (now === undefined || !equalBytes(tag, now)) return false
  }
  return true
}

function sameRows(a: readonly (readonly SqlValue[])[], b: readonly (readonly SqlValue[])[]): boolean {
  return a.length === b.length && a.every((row, i) => row.length === b[i]?.length && row.every((value, j) => sameValue(value, b[i]?.[j])))
}

function sameValue(a: SqlValue, b: SqlValue | undefined): boolean {
  return a instanceof Uint8Array ? b instanceof Uint8Array && equalBytes(a, b) : a === b
}

/** Results that nobody has taken yet wait in order; leaving the loop stops the query. */
async function* iterate<R>(port: LivePort<R>, signal: AbortSignal | undefined): AsyncGenerator<R, void, undefined> {
  let closed = false
  const ended = (): boolean => closed || signal?.aborted === true
  if (ended()) return
  const waiting: R[] = []
  let failure: { readonly error: unknown } | undefined
  let wake: () => void = () => undefined
  const end = (): void => wake()
  signal?.addEventListener('abort', end, { once: true })
  const offEnd = port.onEnd(() => { closed = true; wake() })
  const { stop } = new Subscription(port, (result) => { waiting.push(result); wake() }, (error) => { failure = { error }; wake() })
  try {
    for (;;) {
      while (waiting.length > 0 && !ended()) yield waiting.shift() as R
      if (ended()) return
      if (failure) throw failure.error
      await new Promise<void>((resolve) => { wake = resolve })
    }
  } finally {
    signal?.removeEventListener('abort', end)
    offEnd()
    stop()
  }
}

function rethrow(error: unknown): void {
  queueMicrotask(() => { throw error })
}
