/** One after the other, in the order of the calls; and whether anything runs or waits at all. */
export class Queue {
  #tail: Promise<unknown> = Promise.resolve()
  #length = 0

  get idle(): boolean {
    return this.#length === 0
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#tail
    let done: () => void = () => undefined
    this.#tail = new Promise<void>((resolve) => { done = resolve })
    this.#length++
    try {
      if (this.#length > 1) await before
      return await work()
    } finally {
      this.#length--
      done()
    }
  }
}
