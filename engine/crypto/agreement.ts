/** X25519 (RFC 7748) by whichever library a provider has: all refuse the same lengths, and keys of small order (§6.1's all-zero check), with the same error. */
import { SealError } from '../errors.js'
import { checkLength } from './checks.js'
import type { Agreement } from './provider.js'

/** `shared` throws for one reason once the lengths are right: the shared secret is all zero. */
export function agreementBy(publicKeyOf: (secret: Uint8Array) => Uint8Array, shared: (secret: Uint8Array, publicKey: Uint8Array) => Uint8Array): Agreement {
  return {
    x25519PublicKey: (secret) => {
      checkLength(secret, 32, 'X25519 secret')
      return publicKeyOf(secret)
    },
    x25519: (secret, publicKey) => {
      checkLength(secret, 32, 'X25519 secret')
      checkLength(publicKey, 32, 'X25519 public key')
      try {
        return shared(secret, publicKey)
      } catch (cause) {
        throw new SealError('bad-key', 'Expected a contributory X25519 public key, found one of small order.', {}, { cause })
      }
    },
  }
}
