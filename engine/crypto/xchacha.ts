/** XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03 §2.3) from HChaCha20 and ChaCha20-Poly1305. */
import { checkLength } from './checks.js'
import type { Ciphers } from './provider.js'

export function xchachaFrom(core: Pick<Ciphers, 'chachaSeal' | 'chachaOpen' | 'hchacha20'>): Ciphers {
  return {
    ...core,
    xchachaSeal: (key, nonce, aad, plaintext) => {
      checkLength(nonce, 24, 'nonce')
      return core.chachaSeal(core.hchacha20(key, nonce.subarray(0, 16)), innerNonce(nonce), aad, plaintext)
    },
    xchachaOpen: (key, nonce, aad, sealed) => {
      checkLength(nonce, 24, 'nonce')
      return core.chachaOpen(core.hchacha20(key, nonce.subarray(0, 16)), innerNonce(nonce), aad, sealed)
    },
  }
}

/** The last 8 of 24 nonce bytes after 4 zero bytes: what ChaCha20-Poly1305 uses under the HChaCha20 subkey. */
export function innerNonce(nonce24: Uint8Array): Uint8Array {
  const out = new Uint8Array(12)
  for (let i = 4; i < 12; i++) out[i] = nonce24[12 + i] as number
  return out
}
