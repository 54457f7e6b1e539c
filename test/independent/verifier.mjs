/**
 * A second verifier of log and state proofs, written from engine/PROTOCOL.md §1, §4 and §5 alone: no line of the engine, only SHA-256 of node:crypto.
 * Slow, small and plain, as somebody would write it in another language. Refusing is throwing.
 */
import { createHash } from 'node:crypto'

const H = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest()
const byte = (n) => Buffer.of(n)
const uint = (n, length) => Buffer.from(n.toString(16).padStart(2 * length, '0'), 'hex')
const refuse = (why) => { throw new Error(why) }
const MAX = 2 ** 48 - 1

// §1

class Bytes {
  constructor(bytes) { this.bytes = bytes; this.at = 0 }
  get left() { return this.bytes.length - this.at }
  take(n) {
    if (n > this.left) refuse('truncated')
    return this.bytes.subarray(this.at, (this.at += n))
  }
  u8() { return this.take(1)[0] }
  bool() { const b = this.u8(); return b > 1 ? refuse('not a bool') : b === 1 }
  varint() {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const b = this.u8()
      value |= BigInt(b & 127) << shift
      if (value > BigInt(MAX)) refuse('a varint of 2^48 or more')
      if (b < 128) return b === 0 && shift > 0n ? refuse('a varint that could be shorter') : Number(value)
      if (shift > 49n) refuse('a varint of 2^48 or more')
    }
  }
  string(max) { const n = this.varint(); return n > max ? refuse('too large') : this.take(n) }
  optional(read) { return this.bool() ? read() : undefined }
  end() { if (this.left > 0) refuse('bytes left over') }
}

// §4: RFC 9162 §2.1.3.2 and §2.1.4.2

export const leafHash = (entry) => H(byte(0), entry)
const nodeHash = (left, right) => H(byte(1), left, right)

function checkHashes(...hashes) { for (const hash of hashes) if (hash.length !== 32) refuse('a hash that is not 32 bytes') }
const isSize = (n) => Number.isInteger(n) && n >= 1 && n <= MAX
const half = (n) => Math.floor(n / 2)

export function checkInclusion({ index, size, leaf, proof, root }) {
  checkHashes(leaf, root, ...proof)
  if (!isSize(size) || !Number.isInteger(index) || index < 0 || index >= size) refuse('an index not below the size')
  let [fn, sn, r] = [index, size - 1, leaf]
  for (const p of proof) {
    if (sn === 0) refuse('a hash too many')
    if (fn % 2 === 1 || fn === sn) {
      r = nodeHash(p, r)
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [half(fn), half(sn)]
    } else {
      r = nodeHash(r, p)
    }
    [fn, sn] = [half(fn), half(sn)]
  }
  if (sn !== 0) refuse('a hash too few')
  if (!r.equals(root)) refuse('another root')
}

export function checkConsistency({ size1, size2, root1, root2, proof }) {
  checkHashes(root1, root2, ...proof)
  if (!isSize(size1) || !isSize(size2) || size1 > size2) refuse('sizes out of order')
  if (size1 === size2) {
    if (proof.length > 0 || !root1.equals(root2)) refuse('equal sizes: roots must be equal and the proof empty')
    return
  }
  if (proof.length === 0) refuse('a hash too few')
  const path = Number.isInteger(Math.log2(size1)) ? [root1, ...proof] : [...proof]
  let [fn, sn] = [size1 - 1, size2 - 1]
  while (fn % 2 === 1) [fn, sn] = [half(fn), half(sn)]
  let [fr, sr] = [path[0], path[0]]
  for (const c of path.slice(1)) {
    if (sn === 0) refuse('a hash too many')
    if (fn % 2 === 1 || fn === sn) {
      [fr, sr] = [nodeHash(c, fr), nodeHash(c, sr)]
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [half(fn), half(sn)]
    } else {
      sr = nodeHash(sr, c)
    }
    [fn, sn] = [half(fn), half(sn)]
  }
  if (sn !== 0) refuse('a hash too few')
  if (!fr.equals(root1) || !sr.equals(root2)) refuse('another root')
}

// §5

const EMPTY = H(byte(0x12))
/** Past its end a query key reads as 0. */
const bitOf = (key, i) => (i >> 3 < key.length ? (key[i >> 3] >> (7 - (i & 7))) & 1 : 0)
const before = (a, b) => Buffer.compare(a, b) < 0
const leafOf = (key, valueHash) => H(byte(0x10), key, valueHash)
const innerOf = (bit, left, right) => H(byte(0x11), uint(bit, 2), uint(left.count, 6), uint(right.count, 6), left.hash, right.hash)

/** The root of the tree of these rows. */
export function rootOf(rows) {
  const build = (some) => {
    if (some.length === 1) return { count: 1, hash: leafOf(some[0].key, H(some[0].value)) }
    let bit = 0
    while (some.every(({ key }) => bitOf(key, bit) === bitOf(some[0].key, bit))) bit++
    const [left, right] = [0, 1].map((side) => build(some.filter(({ key }) => bitOf(key, bit) === side)))
    return { count: some.length, hash: innerOf(bit, left, right) }
  }
  return rows.length === 0 ? EMPTY : build(rows).hash
}

/** The nodes of a read proof; undefined for the empty tree. */
function decode(proof, root) {
  if (proof.length > 64 * 2 ** 20) refuse('too long')
  const input = new Bytes(proof)
  if (input.u8() !== 1) refuse('another format')
  let last
  let lastPath = []
  const node = (path) => {
    const tag = input.varint()
    if (tag === 0) {
      if (path.length === 0) refuse('a closed root')
      const count = input.varint()
      return count === 0 ? refuse('a count of 0') : { closed: true, count, hash: input.take(32) }
    }
    if (tag >= 3) {
      const bit = (path.at(-1)?.bit ?? -1) + 1 + tag - 3
      if (bit > 2039) refuse('a bit over 2039')
      const [left, right] = [0, 1].map((side) => node([...path, { bit, side }]))
      if (left.count + right.count > MAX) refuse('a count over 2^48 - 1')
      return { bit, left, right, count: left.count + right.count, hash: innerOf(bit, left, right) }
    }
    const shared = input.varint()
    const from = last ?? Buffer.alloc(0)
    if (shared > from.length) refuse('more shared than there is')
    const suffix = input.string(255)
    const key = Buffer.concat([from.subarray(0, shared), suffix])
    if (key.length > 255) refuse('a key over 255 bytes')
    if (shared < from.length && suffix.length > 0 && from[shared] === suffix[0]) refuse('shared could be longer')
    for (const { bit, side } of path) if (bit >= 8 * key.length || bitOf(key, bit) !== side) refuse('a leaf that disagrees with a node above it')
    if (last !== undefined) {
      const meeting = lastPath.find(({ bit, side }) => path.some((step) => step.bit === bit && step.side !== side)).bit
      let first = 0
      while (first < 8 * Math.min(key.length, last.length) && bitOf(key, first) === bitOf(last, first)) first++
      if (first !== meeting) refuse('leaves that do not differ first where they part')
    }
    ;[last, lastPath] = [key, path]
    const value = tag === 1 ? input.string(2 ** 24) : undefined
    const valueHash = value === undefined ? input.take(32) : H(value)
    return { key, value, count: 1, hash: leafOf(key, valueHash) }
  }
  const tree = input.left === 0 ? undefined : node([])
  input.end()
  if (!(tree?.hash ?? EMPTY).equals(root)) refuse('another root')
  return tree
}

/** The reads of §5 over such nodes, which notes what they opened. */
class State {
  constructor(tree) { this.tree = tree; this.opened = new Set(); this.values = new Set() }
  open(node) {
    if (node.closed) refuse('out of scope')
    this.opened.add(node)
    return node
  }
  value(leaf) {
    if (leaf.value === undefined) refuse('out of scope')
    this.values.add(leaf)
    return leaf.value
  }
  walk(k) {
    const path = []
    let node = this.open(this.tree)
    while (node.bit !== undefined) {
      path.push(node)
      node = this.open(bitOf(k, node.bit) === 1 ? node.right : node.left)
    }
    return { path, leaf: node }
  }
  get(k) {
    if (this.tree === undefined) return undefined
    const { leaf } = this.walk(k)
    return leaf.key.equals(k) ? leaf : undefined
  }
  /** T < k, the nodes above, and T. */
  locate(k) {
    const { path, leaf } = this.walk(k)
    let d = 0
    const end = 8 * Math.max(k.length, leaf.key.length)
    while (d < end && bitOf(k, d) === bitOf(leaf.key, d)) d++
    const isBefore = d < end ? bitOf(k, d) === 1 : leaf.key.length < k.length
    if (d === end) d = Infinity
    const depth = path.findIndex(({ bit }) => !(bit < d))
    return { isBefore, above: depth < 0 ? path : path.slice(0, depth), T: depth < 0 ? leaf : path[depth] }
  }
  rank(k) {
    if (this.tree === undefined) return 0
    const { isBefore, above, T } = this.locate(k)
    return above.filter(({ bit }) => bitOf(k, bit) === 1).reduce((sum, { left }) => sum + left.count, isBefore ? T.count : 0)
  }
  count(lo, hi) {
    if (lo !== undefined && hi !== undefined && !before(lo, hi)) return 0
    const end = hi === undefined ? (this.tree?.count ?? 0) : this.rank(hi)
    return end - (lo === undefined ? 0 : this.rank(lo))
  }
  nth(n) {
    if (n >= (this.tree?.count ?? 0)) return undefined
    let [node, rest] = [this.open(this.tree), n]
    while (node.bit !== undefined) {
      const goesLeft = rest < node.left.count
      if (!goesLeft) rest -= node.left.count
      node = this.open(goesLeft ? node.left : node.right)
    }
    return { key: node.key, value: this.value(node) }
  }
  scan(lo, hi, reverse, limit = Infinity) {
    if (this.tree === undefined || limit === 0 || (lo !== undefined && hi !== undefined && !before(lo, hi))) return []
    const [start, stop] = reverse ? [hi, lo] : [lo, hi]
    const [near, far] = reverse ? ['right', 'left'] : ['left', 'right']
    let pending = [this.tree] // the next one last
    if (start !== undefined) {
      const { isBefore, above, T } = this.locate(start)
      pending = above.filter(({ bit }) => (bitOf(start, bit) === 1) === reverse).map((node) => node[far])
      if (isBefore === reverse) pending.push(T)
    }
    const rows = []
    while (pending.length > 0 && rows.length < limit) {
      const node = this.open(pending.pop())
      if (node.bit !== undefined) { pending.push(node[far], node[near]); continue }
      if (stop !== undefined && (reverse ? before(node.key, stop) : !before(node.key, stop))) break
      rows.push({ key: node.key, value: this.value(node) })
    }
    return rows
  }
  subtreeRoot(p) {
    if (this.tree === undefined) return EMPTY
    const { path, leaf } = this.walk(p)
    if (!leaf.key.subarray(0, p.length).equals(p)) return EMPTY
    return (path.find(({ bit }) => bit >= 8 * p.length) ?? leaf).hash
  }
  checkNothingUnused() {
    const look = (node) => {
      if (node === undefined || node.closed) return
      if (!this.opened.has(node) && node !== this.tree) refuse('an open node that no read opens')
      if (node.value !== undefined && !this.values.has(node)) refuse('a value that no read opens')
      look(node.left)
      look(node.right)
    }
    look(this.tree)
  }
}

/** What a program makes of the values of keys; the proof has those, and no more. */
export function checkGets(root, proof, program) {
  const state = new State(decode(proof, root))
  const result = program((key) => {
    const leaf = state.get(key)
    return leaf && state.value(leaf)
  })
  state.checkNothingUnused()
  return result
}

/** The answers to an encoded list of reads; `undefined` for what is not there. */
export function checkReads(root, queries, proof) {
  const state = new State(decode(proof, root))
  const input = new Bytes(queries)
  const count = input.varint()
  if (count > 4096) refuse('too many reads')
  const bound = () => input.string(256)
  const answers = Array.from({ length: count }, () => {
    switch (input.u8()) {
      case 0: { const leaf = state.get(bound()); return leaf && state.value(leaf) }
      case 1: return state.get(bound()) !== undefined
      case 2: { const [lo, hi] = [input.optional(bound), input.optional(bound)]; return state.scan(lo, hi, input.bool(), input.optional(() => input.varint())) }
      case 3: return state.count(input.optional(bound), input.optional(bound))
      case 4: return state.rank(bound())
      case 5: return state.nth(input.varint())
      case 6: return state.subtreeRoot(bound())
      default: return refuse('an unknown read')
    }
  })
  input.end()
  state.checkNothingUnused()
  return answers
}
