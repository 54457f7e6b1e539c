/**
 * Bytes of frames that have begun and not ended, of all connections of a server together. A frame may be as long as the longest entry, and nobody need prove a key
 * to begin one; so beyond a bound whoever holds most is cut off.
 */
interface Holder { held: number; last: number; readonly cut: () => void }

/** One connection's share. */
export interface Share {
  /** Bytes have come. To be told before what they end. */
  came(bytes: number): void
  /** A frame of that many bytes has ended. */
  ended(bytes: number): void
  /** The connection has. */
  gone(): void
}

export class Unfinished {
  readonly #most: number
  readonly #holders = new Set<Holder>()
  #total = 0

  constructor(most: number) {
    this.#most = most
  }

  /** `cut` ends the connection. */
  share(cut: () => void): Share {
    const holder: Holder = { held: 0, last: 0, cut }
    this.#holders.add(holder)
    return {
      came: (bytes) => {
        holder.last = bytes
        this.#set(holder, holder.held + bytes)
        if (this.#total > this.#most) this.#cut()
      },
      // What is left after a frame came with its end; heads of frames are not counted one by one.
      ended: (bytes) => this.#set(holder, Math.min(Math.max(0, holder.held - bytes), holder.last)),
      gone: () => {
        this.#set(holder, 0)
        this.#holders.delete(holder)
      },
    }
  }

  #set(holder: Holder, held: number): void {
    this.#total += held - holder.held
    holder.held = held
  }

  #cut(): void {
    const [first, ...others] = this.#holders
    if (first === undefined) return
    const largest = others.reduce((most, holder) => (holder.held > most.held ? holder : most), first)
    this.#set(largest, 0)
    largest.cut()
  }
}
