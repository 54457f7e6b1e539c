/** Many short byte strings, one behind the other: as arrays of their own they would take more room, and the collector's time with it. */

export class ByteList {
  protected bytes: Uint8Array
  readonly #starts = [0]

  /** Room for about as many bytes as there will be. */
  constructor(room: Uint8Array) {
    this.bytes = room
  }

  get length(): number {
    return this.#starts.length - 1
  }

  /** Copies the bytes. Returns their number. */
  add(bytes: Uint8Array): number {
    const index = this.length
    const start = this.start(index)
    const end = start + bytes.length
    if (end > this.bytes.length) {
      const grown = new Uint8Array(2 * end)
      grown.set(this.bytes)
      this.bytes = grown
    }
    this.bytes.set(bytes, start)
    this.#starts.push(end)
    return index
  }

  /** A view. */
  at(index: number): Uint8Array {
    return this.bytes.subarray(this.start(index), this.start(index + 1))
  }

  protected start(index: number): number {
    return this.#starts[index] as number
  }
}
