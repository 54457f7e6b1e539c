/** Keys of many rows, and the order of these. */
import { compareBytes } from '../codec/bytes.js'
import { ByteList } from './byte-list.js'

/** Numbers of keys are below this: beside the first 4 bytes of a key they fit into a number that holds integers exactly. */
const MAX_KEYS = 2 ** 21

export class KeyList extends ByteList {
  /** The numbers of the keys as they came. */
  numbers(): Uint32Array {
    return Uint32Array.from({ length: this.length }, (_, i) => i)
  }

  /** The numbers of the keys in the order of these. At most 2²¹ keys. */
  inOrder(): Uint32Array {
    if (this.length === 1) return new Uint32Array(1)
    // Most differ in their first bytes, after that of the generation. Numbers are sorted many times as quickly as by a function that compares.
    const heads = new Float64Array(this.length)
    for (let i = 0; i < heads.length; i++) heads[i] = this.#head(i) * MAX_KEYS + i
    heads.sort()
    const order = new Uint32Array(heads.length)
    let from = 0
    for (let i = 0, last = -1; i < heads.length; i++) {
      const head = Math.floor((heads[i] as number) / MAX_KEYS)
      order[i] = heads[i] as number - head * MAX_KEYS
      if (head === last) continue
      if (i - from > 1) this.#sort(order.subarray(from, i))
      from = i
      last = head
    }
    this.#sort(order.subarray(from))
    return order
  }

  /** Keys that begin alike. */
  #sort(same: Uint32Array): void {
    same.set([...same].sort((a, b) => compareBytes(this.at(a), this.at(b))))
  }

  #head(index: number): number {
    const { bytes } = this
    const start = this.start(index)
    const end = this.start(index + 1)
    let head = 0
    for (let i = start; i < start + 4; i++) head = head * 256 + (i < end ? bytes[i] as number : 0)
    return head
  }
}
