/** Read proofs taken apart and put together again, by the letter of PROTOCOL.md §5 and without any check: a workshop for forgeries. */
import { concatBytes } from '../../engine/codec/bytes.js'
import { Reader, Writer } from '../../engine/codec/canonical.js'
import { hash } from './support.js'

export type ProofNode =
  | { readonly t: 'closed'; readonly count: number; readonly hash: Uint8Array }
  | { readonly t: 'leaf'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly t: 'bare'; readonly key: Uint8Array; readonly valueHash: Uint8Array }
  | { readonly t: 'inner'; readonly bit: number; readonly left: ProofNode; readonly right: ProofNode }

export function parseProof(proof: Uint8Array): ProofNode | undefined {
  const input = new Reader(proof)
  input.u8()
  if (input.remaining === 0) return undefined
  let last: Uint8Array = new Uint8Array(0)
  const node = (parentBit: number): ProofNode => {
    const tag = input.varint()
    if (tag === 0) return { t: 'closed', count: input.varint(), hash: input.fixed(32) }
    if (tag > 2) {
      const bit = parentBit + 1 + tag - 3
      return { t: 'inner', bit, left: node(bit), right: node(bit) }
    }
    last = concatBytes(last.subarray(0, input.varint()), input.bytes(255))
    const key = last
    return tag === 1 ? { t: 'leaf', key, value: input.bytes(2 ** 24) } : { t: 'bare', key, valueHash: input.fixed(32) }
  }
  const root = node(-1)
  input.end()
  return root
}

/** The elements of a proof after its format byte: each node's own bytes, in order. */
export function elementsOf(proof: Uint8Array): Uint8Array[] {
  const input = new Reader(proof)
  input.u8()
  const elements: Uint8Array[] = []
  while (input.remaining > 0) {
    const start = input.offset
    const tag = input.varint()
    if (tag === 0) {
      input.varint()
      input.fixed(32)
    } else if (tag <= 2) {
      input.varint()
      input.bytes(255)
      if (tag === 1) input.bytes(2 ** 24)
      else input.fixed(32)
    }
    elements.push(proof.slice(start, input.offset))
  }
  return elements
}

export function formatProof(root: ProofNode | undefined): Uint8Array {
  const out = new Writer().u8(1)
  let last: Uint8Array = new Uint8Array(0)
  const write = (node: ProofNode, parentBit: number): void => {
    if (node.t === 'closed') {
      out.varint(0).varint(node.count).raw(node.hash)
    } else if (node.t === 'inner') {
      out.varint(3 + node.bit - parentBit - 1)
      write(node.left, node.bit)
      write(node.right, node.bit)
    } else {
      let shared = 0
      while (shared < last.length && shared < node.key.length && last[shared] === node.key[shared]) shared++
      last = node.key
      out.varint(node.t === 'leaf' ? 1 : 2).varint(shared).bytes(node.key.subarray(shared))
      if (node.t === 'leaf') out.bytes(node.value)
      else out.raw(node.valueHash)
    }
  }
  if (root !== undefined) write(root, -1)
  return out.finish()
}

export function hashOf(node: ProofNode): Uint8Array {
  switch (node.t) {
    case 'closed': return node.hash
    case 'leaf': return hash.sha256(concatBytes(Uint8Array.of(0x10), node.key, hash.sha256(node.value)))
    case 'bare': return hash.sha256(concatBytes(Uint8Array.of(0x10), node.key, node.valueHash))
    case 'inner': {
      const head = new Uint8Array(15)
      const view = new DataView(head.buffer)
      view.setUint8(0, 0x11)
      view.setUint16(1, node.bit)
      for (const [at, child] of [[3, node.left], [9, node.right]] as const) {
        const count = countOf(child)
        view.setUint16(at, Math.floor(count / 2 ** 32))
        view.setUint32(at + 2, count % 2 ** 32)
      }
      return hash.sha256(concatBytes(head, hashOf(node.left), hashOf(node.right)))
    }
  }
}

function countOf(node: ProofNode): number {
  return node.t === 'closed' ? node.count : node.t === 'inner' ? countOf(node.left) + countOf(node.right) : 1
}

/** The tree with each of its nodes in turn replaced by what `change` makes of it. */
export function* variants(node: ProofNode, change: (node: ProofNode) => readonly ProofNode[]): Generator<ProofNode> {
  yield* change(node)
  if (node.t !== 'inner') return
  for (const left of variants(node.left, change)) yield { ...node, left }
  for (const right of variants(node.right, change)) yield { ...node, right }
}

export function close(node: ProofNode): ProofNode {
  return { t: 'closed', count: countOf(node), hash: hashOf(node) }
}
