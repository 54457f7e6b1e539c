/** What a device or an open invitation signs to be let in by a relay: bound to the relay's name, the space and the connection's nonce. */
import { concatBytes, encodeUtf8 } from '../codec/bytes.js'
import { LABELS } from '../crypto/labels.js'
import type { Signatures, Signer } from '../crypto/provider.js'
import { signBytes, verifySignature } from '../crypto/sign.js'

/** `nonce`: the relay's 32 random bytes of this connection. */
export interface Challenge {
  readonly relayName: string
  readonly space: Uint8Array
  readonly nonce: Uint8Array
}

/** 64 bytes. */
export function signHandshake(signer: Signer, challenge: Challenge): Uint8Array {
  return signBytes(signer, LABELS.relayHandshake, encodeChallenge(challenge))
}

export function verifyHandshake(crypto: Signatures, publicKey: Uint8Array, challenge: Challenge, signature: Uint8Array): boolean {
  return verifySignature(crypto, LABELS.relayHandshake, encodeChallenge(challenge), signature, publicKey)
}

/** Two fixed lengths first, so the name needs no delimiter. */
function encodeChallenge({ relayName, space, nonce }: Challenge): Uint8Array {
  return concatBytes(space, nonce, encodeUtf8(relayName))
}
