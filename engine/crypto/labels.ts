/**
 * Every label of the protocol, in one table. A label separates one use of a hash, key or signature from all others, for ever: add
 * lines, never reuse or rename one. Wherever bytes are labelled they are `label ‖ 0x00 ‖ bytes`; labels are ASCII without 0x00, so no
 * labelled string begins another.
 */
import { concatBytes, encodeUtf8 } from '../codec/bytes.js'
import type { Sha256 } from './provider.js'

export const LABELS = {
  // hashes
  spaceId: 'sealdb/v1/space-id',
  fileId: 'sealdb/v1/file-id',
  fileContent: 'sealdb/v1/file-content',
  // signatures (Ed25519)
  genesis: 'sealdb/v1/genesis',
  entry: 'sealdb/v1/entry',
  acceptance: 'sealdb/v1/acceptance',
  possessionSigning: 'sealdb/v1/possession-signing',
  relayHandshake: 'sealdb/v1/relay-handshake',
  presence: 'sealdb/v1/presence',
  // key agreement: transcripts, weights, challenges, nonces
  possessionAgreement: 'sealdb/v1/possession-agreement',
  delivery: 'sealdb/v1/delivery',
  deliveryWeight: 'sealdb/v1/delivery-weight',
  deliveryChallenge: 'sealdb/v1/delivery-challenge',
  grant: 'sealdb/v1/grant',
  grantChallenge: 'sealdb/v1/grant-challenge',
  possessionChallenge: 'sealdb/v1/possession-challenge',
  proofNonce: 'sealdb/v1/proof-nonce',
  epochSecret: 'sealdb/v1/epoch-secret',
  agreementKey: 'sealdb/v1/agreement-key',
  // derivation
  epochData: 'sealdb/v1/epoch-data',
  epochLink: 'sealdb/v1/epoch-link',
  tableData: 'sealdb/v1/table-data',
  presenceData: 'sealdb/v1/presence-data',
  invitationSigning: 'sealdb/v1/invitation-signing',
  invitationAgreement: 'sealdb/v1/invitation-agreement',
  blindRow: 'sealdb/v1/blind-row',
  blindIndex: 'sealdb/v1/blind-index',
  blindName: 'sealdb/v1/blind-name',
  // sealed values: the commitment, then what a value is of (first part of its AAD)
  sealCommitment: 'sealdb/v1/seal-commitment',
  sealedRow: 'sealdb/v1/sealed-row',
  sealedCatalog: 'sealdb/v1/sealed-catalog',
  sealedName: 'sealdb/v1/sealed-name',
  sealedFile: 'sealdb/v1/sealed-file',
  fileChunk: 'sealdb/v1/file-chunk',
  sealedBlinding: 'sealdb/v1/sealed-blinding',
  historyLink: 'sealdb/v1/history-link',
  // a device's own snapshot: what its authentication key comes from
  storedSnapshot: 'sealdb/v1/stored-snapshot',
  // no part of the protocol: weights in a batch of signatures that one verifies
  signatureBatch: 'sealdb/v1/signature-batch',
  // key boxes
  keyBox: 'sealdb/v1/key-box',
  // commitments to the secrets of an epoch and to a blinding secret
  epochCommitment: 'sealdb/v1/epoch-commitment',
  blindingCommitment: 'sealdb/v1/blinding-commitment',
  invitationLink: 'sealdb/v1/invitation-link',
} as const

export type Label = (typeof LABELS)[keyof typeof LABELS]

const prefixes = new Map<Label, Uint8Array>(Object.values(LABELS).map((label) => [label, concatBytes(encodeUtf8(label), Uint8Array.of(0))]))

/** `label ‖ 0x00`. Shared: don't write to it. */
export function labelPrefix(label: Label): Uint8Array {
  return prefixes.get(label) as Uint8Array
}

/** `label ‖ 0x00 ‖ parts`. */
export function labelled(label: Label, ...parts: readonly Uint8Array[]): Uint8Array {
  return concatBytes(labelPrefix(label), ...parts)
}

/** H(label ‖ 0x00 ‖ parts). The parts must delimit themselves. */
export function hashLabelled(crypto: Sha256, label: Label, ...parts: readonly Uint8Array[]): Uint8Array {
  return crypto.sha256(labelled(label, ...parts))
}
