/**
 * Typed events. A listener that throws doesn't keep the others from hearing; what it threw reaches `onError`. What must not be missed (`kept`) waits
 * for its first listener: what is found while opening is told to whoever then asks.
 */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<(detail: never) => void>>()
  readonly #onError: (error: unknown) => void
  readonly #unheard = new Map<keyof Events, unknown[]>()

  constructor(onError: (error: unknown) => void, kept: readonly (keyof Events)[] = []) {
    this.#onError = onError
    for (const event of kept) this.#unheard.set(event, [])
  }

  on<K extends keyof Events>(event: K, listener: (detail: Events[K]) => void): () => void {
    const set = this.#listeners.get(event) ?? new Set()
    this.#listeners.set(event, set)
    set.add(listener)
    const waiting = this.#unheard.get(event)?.splice(0) ?? []
    if (waiting.length > 0) queueMicrotask(() => { for (const detail of waiting) this.emit(event, detail as Events[K]) })
    return () => { set.delete(listener) }
  }

  emit<K extends keyof Events>(event: K, detail: Events[K]): void {
    const unheard = this.#unheard.get(event)
    if (unheard && unheard.length < MAX_UNHEARD && !this.#listeners.get(event)?.size) unheard.push(detail)
    for (const listener of [...(this.#listeners.get(event) ?? [])]) {
      try {
        ;(listener as (detail: Events[K]) => void)(detail)
      } catch (error) {
        this.#onError(error)
      }
    }
  }
}

const MAX_UNHEARD = 1_000

/** Runs asynchronous pieces of work one after the other, in the order of the calls. */
export class Mutex {
  #tail: Promise<unknown> = Promise.resolve()

  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(work)
    this.#tail = result.catch(() => undefined) // the caller has the failure; the queue goes on
    return result
  }
}
