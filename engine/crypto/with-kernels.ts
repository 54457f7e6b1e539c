/** A provider whose short messages go through our kernels (wasm/kernels.ts): same results, same errors. Long ones stay with it. */
import { hkdfWith } from './hmac.js'
import { checkLength, openFailed } from './checks.js'
import { verifyExactly } from './ed25519-exact.js'
import type { Ciphers, CryptoProvider, Derivation, Sha256, SignedMessage, Signatures } from './provider.js'
import { LARGEST_BATCH, loadEd25519 } from './wasm/ed25519.js'
import { type Kernels, loadKernels, LONGEST_AAD, LONGEST_MESSAGE, LONGEST_TEXT } from './wasm/kernels.js'
import { xchachaFrom } from './xchacha.js'

/** Up to where this overtakes OpenSSL through node:crypto, whose ciphers take 7 to 10 µs to set up (measured on Node 20). */
const LONGEST_BESIDE_NATIVE = 4096

/** Up to where hashing on the kernel, at 1.8 ns a byte against less than one, costs no more than a tenth of what a batch saves. */
const LONGEST_SIGNED = 8192

/** The provider as it is, where the kernels can't run. */
export function withKernels(provider: CryptoProvider): CryptoProvider {
  const kernels = loadKernels()
  if (kernels === undefined) return provider
  return { ...provider, ...hashing(provider, kernels), ...derivation(provider, kernels), ...signatures(provider), ...ciphers(provider, kernels) }
}

function hashing(provider: CryptoProvider, { hashInto, lanes }: Kernels): Sha256 {
  // A processor's own SHA-256 takes half a microsecond to get to, and from there a third of the time that a lane takes.
  if (provider.name === 'node') return { sha256: provider.sha256, sha256Into: provider.sha256Into, lanes: { ...lanes, longest: 247 } }
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
  return { hmacSha256: hmac(true), hmacLanes: kernels.hmacLanes, hkdfSha256: hkdfWith(hmac(false)), argon2id: provider.argon2id }
}

/** Alone, a signature takes the kernel a tenth of noble's time, but hardly less than a native library's. */
function signatures(provider: CryptoProvider): Signatures {
  const { signer, verifyEd25519Aside } = provider
  const verifyEd25519 = provider.name === 'noble' ? verifyExactly : provider.verifyEd25519
  const alone = ({ signature, message, publicKey }: SignedMessage): boolean => verifyEd25519(signature, message, publicKey)
  const verifyEd25519Batch = (items: readonly SignedMessage[]): boolean => {
    const kernel = loadEd25519()
    if (kernel === undefined) return items.every(alone)
    const isShort = ({ message }: SignedMessage): boolean => provider.name === 'noble' || message.length <= LONGEST_SIGNED
    const short = items.filter(isShort)
    for (let from = 0; from < short.length; from += LARGEST_BATCH) if (!kernel.verify(short.slice(from, from + LARGEST_BATCH))) return false
    return short.length === items.length || items.every((item) => isShort(item) || alone(item))
  }
  return { signer, verifyEd25519, verifyEd25519Batch, ...(verifyEd25519Aside !== undefined && { verifyEd25519Aside }) }
}

function ciphers(provider: CryptoProvider, kernels: Kernels): Ciphers {
  const longest = provider.name === 'node' ? LONGEST_BESIDE_NATIVE : LONGEST_TEXT
  const single = xchachaFrom({
    chachaSeal: (key, nonce, aad, plaintext, room = 0) => {
      if (plaintext.length > longest || aad.length > LONGEST_AAD) return provider.chachaSeal(key, nonce, aad, plaintext, room)
      checkLength(key, 32, 'key')
      checkLength(nonce, 12, 'nonce')
      const sealed = new Uint8Array(room + plaintext.length + 16)
      kernels.seal(key, nonce, aad, plaintext, sealed, room)
      return sealed
    },
    chachaOpen: (key, nonce, aad, sealed) => {
      if (sealed.length > longest || aad.length > LONGEST_AAD) return provider.chachaOpen(key, nonce, aad, sealed)
      checkLength(key, 32, 'key')
      checkLength(nonce, 12, 'nonce')
      const opened = sealed.length < 16 ? undefined : kernels.open(key, nonce, aad, sealed)
      if (opened === undefined) throw openFailed(sealed.length)
      return opened
    },
    hchacha20: (key, nonce) => {
      checkLength(key, 32, 'key')
      checkLength(nonce, 16, 'nonce')
      return kernels.hchacha20(key, nonce)
    },
  })
  return { ...single, values: kernels.values }
}
