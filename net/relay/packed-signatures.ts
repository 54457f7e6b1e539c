/** Signed records in one block of memory, which threads hand to each other without a copy. For each: its length, 32 bytes of key, the label that was signed with it, the record, whose end is the signature. */
import { PUBLIC_KEY_LENGTH, SIGNATURE_LENGTH } from '../../engine/crypto/ed25519-rule.js'
import { labelPrefix, LABELS } from '../../engine/crypto/labels.js'
import type { SignedMessage } from '../../engine/crypto/provider.js'
import type { SignedRecord } from '../../engine/space/aside.js'

const LABEL = labelPrefix(LABELS.entry)
const MESSAGE = 4 + PUBLIC_KEY_LENGTH
const BESIDE = MESSAGE + LABEL.length

/** Keys of 32 bytes, records of more than a signature. */
export function packSignatures(items: readonly SignedRecord[]): ArrayBuffer {
  let length = 0
  for (const { record } of items) length += BESIDE + record.length
  const packed = new ArrayBuffer(length)
  const [bytes, view] = [new Uint8Array(packed), new DataView(packed)]
  let at = 0
  for (const { record, publicKey } of items) {
    view.setUint32(at, record.length)
    bytes.set(publicKey, at + 4)
    bytes.set(LABEL, at + MESSAGE)
    bytes.set(record, at + BESIDE)
    at += BESIDE + record.length
  }
  return packed
}

/** Views of the block. */
export function unpackSignatures(packed: ArrayBuffer): readonly SignedMessage[] {
  const [bytes, view] = [new Uint8Array(packed), new DataView(packed)]
  const items: SignedMessage[] = []
  for (let at = 0; at < bytes.length;) {
    const end = at + BESIDE + view.getUint32(at)
    const signature = end - SIGNATURE_LENGTH
    items.push({ publicKey: bytes.subarray(at + 4, at + MESSAGE), message: bytes.subarray(at + MESSAGE, signature), signature: bytes.subarray(signature, end) })
    at = end
  }
  return items
}
