/** What a state is (engine/PROTOCOL.md §5, §6.2): keys with values, in order, and the root of the tree over them. */
import { createHash } from 'node:crypto'

const H = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest()
const EMPTY = H(Buffer.of(0x12))
const bitOf = (key, i) => (key[i >> 3] >> (7 - (i & 7))) & 1

export class Content {
  #rows
  #sorted
  constructor(rows = new Map()) { this.#rows = rows }
  copy() { return new Content(new Map(this.#rows)) }
  get(key) { return this.#rows.get(key.toString('hex'))?.value }
  has(key) { return this.#rows.has(key.toString('hex')) }
  set(key, value) {
    this.#sorted = undefined
    this.#rows.set(key.toString('hex'), { key, value })
  }
  delete(key) {
    this.#sorted = undefined
    this.#rows.delete(key.toString('hex'))
  }
  /** In the order of the keys: those that begin with a prefix. */
  under(prefix) {
    this.#sorted ??= [...this.#rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row)
    const from = this.#first((key) => Buffer.compare(key, prefix) >= 0)
    const to = this.#first((key) => Buffer.compare(key.subarray(0, prefix.length), prefix) > 0)
    return this.#sorted.slice(from, to)
  }
  #first(isAfter) {
    let [lo, hi] = [0, this.#sorted.length]
    while (lo < hi) {
      const middle = (lo + hi) >> 1
      if (isAfter(this.#sorted[middle].key)) hi = middle
      else lo = middle + 1
    }
    return lo
  }
  count(prefix) { return this.under(prefix).length }
  cut(prefix) { for (const { key } of this.under(prefix)) this.delete(key) }
  subtreeRoot(prefix) { return rootOf(this.under(prefix)) }
  root() { return this.subtreeRoot(Buffer.alloc(0)) }
}

/** Sorted rows: so the first and the last are the first to differ. */
function rootOf(rows) {
  const build = (lo, hi) => {
    const [first, last] = [rows[lo], rows[hi - 1]]
    if (hi - lo === 1) return (first.leaf ??= H(Buffer.of(0x10), first.key, H(first.value)))
    let bit = 0
    while (first.key[bit >> 3] === last.key[bit >> 3]) bit += 8
    while (bitOf(first.key, bit) === bitOf(last.key, bit)) bit++
    let [middle, end] = [lo, hi]
    while (middle < end) {
      const at = (middle + end) >> 1
      if (bitOf(rows[at].key, bit) === 0) middle = at + 1
      else end = at
    }
    const facts = Buffer.alloc(15)
    facts[0] = 0x11
    facts.writeUInt16BE(bit, 1)
    facts.writeUIntBE(middle - lo, 3, 6)
    facts.writeUIntBE(hi - middle, 9, 6)
    return H(facts, build(lo, middle), build(middle, hi))
  }
  return rows.length === 0 ? EMPTY : build(0, rows.length)
}
