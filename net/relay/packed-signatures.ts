/** Signed messages in one block of memory, which threads hand to each other without a copy. For each: its length, 64 bytes of signature, 32 of key, the message. */
import { PUBLIC_KEY_LENGTH, SIGNATURE_LENGTH } from '../../engine/crypto/ed25519-rule.js'
import type { SignedMessage } from '../../engine/crypto/provider.js'

const HEADER = 4 + SIGNATURE_LENGTH + PUBLIC_KEY_LENGTH

export function packSignatures(items: readonly SignedMessage[]): ArrayBuffer {
  const packed = new ArrayBuffer(items.reduce((sum, { message }) => sum + HEADER + message.length, 0))
  const [bytes, view] = [new Uint8Array(packed), new DataView(packed)]
  let at = 0
  for (const { signature, message, publicKey } of items) {
    view.setUint32(at, message.length)
    bytes.set(signature, at + 4)
    bytes.set(publicKey, at + 4 + SIGNATURE_LENGTH)
    bytes.set(message, at + HEADER)
    at += HEADER + message.length
  }
  return packed
}

/** Views of the block. */
export function unpackSignatures(packed: ArrayBuffer): readonly SignedMessage[] {
  const [bytes, view] = [new Uint8Array(packed), new DataView(packed)]
  const items: SignedMessage[] = []
  for (let at = 0; at < bytes.length;) {
    const [key, message] = [at + 4 + SIGNATURE_LENGTH, at + HEADER]
    const end = message + view.getUint32(at)
    items.push({ signature: bytes.subarray(at + 4, key), publicKey: bytes.subarray(key, message), message: bytes.subarray(message, end) })
    at = end
  }
  return items
}
