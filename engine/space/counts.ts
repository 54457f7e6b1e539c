/** How many live sealed values an owner has under an epoch: the value of `liveKey`. Absent means none; a zero is never stored. */
import { decodeCanonical, encodeCanonical, type Reader, type Writer } from '../codec/canonical.js'
import { invariant } from '../errors.js'
import { type Overlay } from './overlay.js'
import { liveKey } from '../state/keys.js'

export function encodeCount(count: number): Uint8Array {
  return encodeCanonical(count, writeCount)
}

export function decodeCount(bytes: Uint8Array): number {
  return decodeCanonical(bytes, readCount)
}

function writeCount(w: Writer, count: number): void {
  w.varint(count)
}

function readCount(r: Reader): number {
  return r.varint()
}

/** Changes of counts within an entry, summed up so that ten thousand rows make one edit. */
export class LiveCounts {
  private readonly overlay: Overlay
  private readonly deltas = new Map<number, Map<number, number>>()

  constructor(overlay: Overlay) {
    this.overlay = overlay
  }

  add(epoch: number, owner: number, delta: number): void {
    let owners = this.deltas.get(epoch)
    if (!owners) this.deltas.set(epoch, (owners = new Map<number, number>()))
    owners.set(owner, (owners.get(owner) ?? 0) + delta)
  }

  /** Hand the sums to the overlay: before anyone reads counts, and at the end. */
  flush(): void {
    for (const [epoch, owners] of this.deltas) {
      for (const [owner, delta] of owners) {
        if (delta === 0) continue
        const key = liveKey(epoch, owner)
        const bytes = this.overlay.get(key)
        const count = (bytes === undefined ? 0 : decodeCount(bytes)) + delta
        invariant(count >= 0, 'a count of live sealed values fell below zero')
        this.overlay.put(key, count === 0 ? undefined : encodeCount(count))
      }
    }
    this.deltas.clear()
  }
}
