/** Token bucket: a rate with a burst. The clock comes in, so tests can turn it. */
export interface Rate { readonly perSecond: number; readonly burst: number }

export class Bucket {
  readonly #rate: Rate
  readonly #now: () => number
  #tokens: number
  #at: number

  constructor(rate: Rate, now: () => number) {
    this.#rate = rate
    this.#now = now
    this.#tokens = rate.burst
    this.#at = now()
  }

  /** Take `count` tokens if they are there. A clock that goes backwards gives none and takes none. */
  take(count: number): boolean {
    const now = this.#now()
    this.#tokens = Math.min(this.#rate.burst, this.#tokens + (Math.max(0, now - this.#at) / 1000) * this.#rate.perSecond)
    this.#at = now
    if (this.#tokens < count) return false
    this.#tokens -= count
    return true
  }

  /** Full again: nothing is lost by forgetting it. */
  get idle(): boolean {
    return this.#tokens + (Math.max(0, this.#now() - this.#at) / 1000) * this.#rate.perSecond >= this.#rate.burst
  }
}
