/**
 * Witness cosignatures, cosignature/v1: C2SP tlog-cosignature (c2sp.org/tlog-cosignature), the Ed25519 kind, signature type 0x04.
 *
 * Signature = timestamp(u64, seconds since 1970) ‖ Ed25519 over "cosignature/v1\ntime <timestamp>\n" ‖ the whole note text. The name is
 * not signed, so one key serves one witness. The core has no clock: who cosigns says the time.
 */
import { concatBytes, encodeUtf8 } from '../codec/bytes.js'
import { type Sha256, type Signatures, type Signer } from '../crypto/provider.js'
import { SealError } from '../errors.js'
import { NOTE_ALGORITHM, noteKeyId, type NoteSigner, type NoteVerifier } from './note.js'

/** A verifier of cosignatures, told from that of a log by its type. */
export interface CosignatureVerifier extends NoteVerifier {
  readonly kind: 'cosignature'
}

const TIMESTAMP_LENGTH = 8
const COSIGNATURE_LENGTH = TIMESTAMP_LENGTH + 64
const MAX_TIMESTAMP = 2n ** 63n - 1n

/** Signs as of `timestamp`, which the caller asserts to be now. */
export function cosigner(hash: Sha256, name: string, signer: Signer, timestamp: bigint): NoteSigner {
  if (timestamp < 0n || timestamp > MAX_TIMESTAMP) throw new SealError('bad-value', 'Expected seconds since 1970 within 63 bits.', { timestamp })
  const prefix = new Uint8Array(TIMESTAMP_LENGTH)
  new DataView(prefix.buffer).setBigUint64(0, timestamp)
  const keyId = noteKeyId(hash, name, NOTE_ALGORITHM.cosignature, signer.publicKey)
  return { name, keyId, sign: (text) => concatBytes(prefix, signer.sign(cosignedMessage(text, timestamp))) }
}

export function cosignatureVerifier(
  crypto: Sha256 & Pick<Signatures, 'verifyEd25519'>,
  name: string,
  publicKey: Uint8Array,
): CosignatureVerifier {
  return {
    kind: 'cosignature',
    name,
    keyId: noteKeyId(crypto, name, NOTE_ALGORITHM.cosignature, publicKey),
    verify(text, signature) {
      if (signature.length !== COSIGNATURE_LENGTH) return false
      const timestamp = timestampOf(signature)
      return timestamp <= MAX_TIMESTAMP && crypto.verifyEd25519(signature.subarray(TIMESTAMP_LENGTH), cosignedMessage(text, timestamp), publicKey)
    },
  }
}

/** The time in a cosignature of the right length. */
export function timestampOf(cosignature: Uint8Array): bigint {
  if (cosignature.length !== COSIGNATURE_LENGTH) throw new SealError('bad-checkpoint', 'Expected a timestamped signature of 72 bytes.', { found: cosignature.length })
  return new DataView(cosignature.buffer, cosignature.byteOffset, cosignature.length).getBigUint64(0)
}

/** The bytes under a cosignature. */
export function cosignedMessage(text: Uint8Array, timestamp: bigint): Uint8Array {
  return concatBytes(encodeUtf8(`cosignature/v1\ntime ${timestamp}\n`), text)
}
