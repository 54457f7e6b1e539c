/** Files a second time, written from engine/PROTOCOL.md §4 and §8.7 alone: content, chunks, root, id, and which chunk is taken. */
import { createCipheriv, createDecipheriv, createHash } from 'node:crypto'
import { hashOf, subkeyOf } from './formats.mjs'

const H = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest()
const CHUNK = 2 ** 17

function varint(n) {
  const out = []
  for (; n > 127; n = Math.floor(n / 128)) out.push((n % 128) | 128)
  return Buffer.from([...out, n])
}
const text = (s) => Buffer.concat([varint(Buffer.byteLength(s)), Buffer.from(s)])

export const contentOf = (key, name, type) => Buffer.concat([key, text(name), text(type)], 448)
export const commitmentOf = (content) => hashOf('sealdb/v1/file-content', content)
export const countOf = (length) => Math.max(1, Math.ceil(length / CHUNK))
export const idOf = (space, commitment, length, root) => hashOf('sealdb/v1/file-id', Buffer.concat([space, commitment, varint(length), root]))
export const leafOf = (chunk) => H(Buffer.of(0), chunk)

/** RFC 9162 §2.1.1. */
export function rootOf(leaves) {
  if (leaves.length === 1) return leaves[0]
  const k = 2 ** Math.floor(Math.log2(leaves.length - 1))
  return H(Buffer.of(1), rootOf(leaves.slice(0, k)), rootOf(leaves.slice(k)))
}

/** RFC 9162 §2.1.3.2. */
export function proves(index, size, leaf, proof, root) {
  let [fn, sn, r] = [index, size - 1, leaf]
  if (index >= size) return false
  for (const p of proof) {
    if (sn === 0) return false
    if (fn % 2 === 1 || fn === sn) {
      r = H(Buffer.of(1), p, r)
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [fn >> 1, sn >> 1]
    } else r = H(Buffer.of(1), r, p)
    ;[fn, sn] = [fn >> 1, sn >> 1]
  }
  return sn === 0 && r.equals(root)
}

export function sealChunks(space, key, commitment, bytes) {
  const count = countOf(bytes.length)
  return Array.from({ length: count }, (_, i) => {
    const { nonce, aad } = placeOf(space, commitment, i, i === count - 1)
    const cipher = createCipheriv('chacha20-poly1305', subkeyOf(key, nonce), Buffer.concat([Buffer.alloc(4), nonce.subarray(16)]), { authTagLength: 16 })
    cipher.setAAD(aad, { plaintextLength: 0 })
    return Buffer.concat([cipher.update(bytes.subarray(i * CHUNK, (i + 1) * CHUNK)), cipher.final(), cipher.getAuthTag()])
  })
}

export function openChunk(space, key, commitment, i, last, chunk) {
  const { nonce, aad } = placeOf(space, commitment, i, last)
  const decipher = createDecipheriv('chacha20-poly1305', subkeyOf(key, nonce), Buffer.concat([Buffer.alloc(4), nonce.subarray(16)]), { authTagLength: 16 })
  decipher.setAAD(aad, { plaintextLength: 0 })
  decipher.setAuthTag(chunk.subarray(-16))
  return Buffer.concat([decipher.update(chunk.subarray(0, -16)), decipher.final()])
}

function placeOf(space, commitment, i, last) {
  const nonce = Buffer.alloc(24)
  nonce.writeBigUInt64BE(BigInt(i), 16)
  return { nonce, aad: Buffer.concat([Buffer.from('sealdb/v1/file-chunk\0'), space, commitment, varint(i), Buffer.of(last ? 1 : 0)]) }
}
