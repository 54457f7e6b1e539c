/** What the log needs of a provider, straight from node:crypto and noble: these tests do not wait for, or depend on, the engine's providers. */
import { ed25519 } from '@noble/curves/ed25519.js'
import { hash as nodeHash } from 'node:crypto'
import { type Sha256, type Signatures, type Signer } from '../../engine/crypto/provider.js'

export const crypto: Sha256 & Signatures = {
  sha256: (data) => new Uint8Array(nodeHash('sha256', data, 'buffer')),
  sha256Into(input, start, end, out, at) {
    const digest = nodeHash('sha256', input.subarray(start, end), 'binary')
    for (let i = 0; i < 32; i++) out[at + i] = digest.charCodeAt(i)
  },
  signer(seed): Signer {
    return { publicKey: ed25519.getPublicKey(seed), sign: (message) => ed25519.sign(message, seed) }
  },
  verifyEd25519(signature, message, publicKey) {
    try {
      return ed25519.verify(signature, message, publicKey, { zip215: false })
    } catch {
      // noble throws for lengths and encodings; the port says false.
      return false
    }
  },
}

/** Leaf hashes of a log whose entry i is the two bytes of i. */
export function leavesOf(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => crypto.sha256(Uint8Array.of(0, i >> 8, i & 255)))
}
