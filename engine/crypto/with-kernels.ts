/** A provider whose short messages go through our kernels (wasm/kernels.ts): same results, same errors. Long ones stay with it. */
import { hkdfWith } from './hmac.js'
import type { CryptoProvider, Derivation, Sha256 } from './provider.js'
import { type Kernels, loadKernels, LONGEST_MESSAGE } from './wasm/kernels.js'

/** The provider as it is, where the kernels can't run. */
export function withKernels(provider: CryptoProvider): CryptoProvider {
  const kernels = loadKernels()
  if (kernels === undefined) return provider
  return { ...provider, ...hashing(provider, kernels), ...derivation(provider, kernels) }
}

function hashing(provider: CryptoProvider, { hashInto, lanes }: Kernels): Sha256 {
  // A processor's own SHA-256 takes half a microsecond to get to, and then a tenth of our time.
  if (provider.name === 'node') return { sha256: provider.sha256, sha256Into: provider.sha256Into, lanes }
  return {
    sha256: (data) => {
      if (data.length > LONGEST_MESSAGE) return provider.sha256(data)
      const digest = new Uint8Array(32)
      hashInto(data, 0, data.length, digest, 0)
      return digest
    },
    sha256Into: (input, start, end, out, at) => {
      if (end - start > LONGEST_MESSAGE) provider.sha256Into(input, start, end, out, at)
      else hashInto(input, start, end, out, at)
    },
    lanes,
  }
}

function derivation(provider: CryptoProvider, kernels: Kernels): Derivation {
  const hmac = (kept: boolean): Derivation['hmacSha256'] => (key, message) =>
    Math.max(key.length, message.length) > LONGEST_MESSAGE ? provider.hmacSha256(key, message) : kernels.hmac(key, message, kept)
  return { hmacSha256: hmac(true), hkdfSha256: hkdfWith(hmac(false)), argon2id: provider.argon2id }
}
