/**
 * The verifier, small enough for any page: receipts, evidence and checkpoints, checked offline by whoever holds no space. Reference cryptography only.
 *
 * @example
 * const receipt = verifyReceipt(noble, bytes, { spaceId, relay: { name, publicKey } })
 */
export { nobleVerifier as noble } from './crypto/verifier.js'
export { isSealError, SealError, type ErrorCode, type ErrorFacts, type ErrorFamily } from './errors.js'
export { checkpointVerifier, openCheckpoint, originOfSpace, parseStateLine, type VerifiedCheckpoint } from './log/checkpoint.js'
export { verifyEvidence, type VerifiedFork } from './space/evidence.js'
export { verifyDeviceEvidence, type VerifiedEquivocation } from './space/device-evidence.js'
export { verifyReceipt, type ReceiptRow, type ReceiptTrust, type VerifiedReceipt, type Voucher } from './space/receipt.js'
