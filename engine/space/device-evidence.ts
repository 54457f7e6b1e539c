/**
 * Evidence against a device (PROTOCOL.md §9.6): two entries signed by one key whose bases can't both be heads of one history. Verified offline; it names a
 * device and stops nothing.
 */
import { equalBytes } from '../codec/bytes.js'
import { decodeCanonical, encodeCanonical } from '../codec/canonical.js'
import type { VerifierCrypto } from '../crypto/provider.js'
import { SealError } from '../errors.js'
import { MAX_VOUCHER_LENGTH } from '../limits.js'
import { type LogProof, readLogProof, verifyConsistency, writeLogProof } from '../log/merkle.js'
import { MAX_ID } from '../state/keys.js'
import { openHeader } from './entry.js'
import type { DeviceId, Head } from './types.js'

export interface DeviceEvidence {
  readonly spaceId: Uint8Array
  readonly device: DeviceId
  readonly publicKey: Uint8Array
  /** Records; the base of `smaller` is not larger than that of `larger`. */
  readonly smaller: Uint8Array
  readonly larger: Uint8Array
  /** The log root that the larger base has at the smaller size; `proof`: from it to the larger. */
  readonly root: Uint8Array
  readonly proof: LogProof
}

declare const verified: unique symbol
/** The holder of `publicKey` has signed for two histories of the space, in the name of `device`. */
export interface VerifiedEquivocation {
  readonly spaceId: Uint8Array
  readonly device: DeviceId
  readonly publicKey: Uint8Array
  readonly bases: readonly [Head, Head]
  readonly [verified]: 'equivocation'
}

export const DEVICE_EVIDENCE_VERSION = 2

export function encodeDeviceEvidence(parts: DeviceEvidence): Uint8Array {
  return encodeCanonical(parts, (w, p) => {
    w.u8(DEVICE_EVIDENCE_VERSION).fixed(p.spaceId, 32).varint(p.device).fixed(p.publicKey, 32)
    w.bytes(p.smaller, MAX_VOUCHER_LENGTH).bytes(p.larger, MAX_VOUCHER_LENGTH).fixed(p.root, 32)
    writeLogProof(w, p.proof)
  })
}

/** Throws `bad-proof` if it proves nothing, `bad-signature` if an entry is not the device's, `bad-encoding`, `too-large`, `unsupported-version`. */
export function verifyDeviceEvidence(crypto: VerifierCrypto, bytes: Uint8Array): VerifiedEquivocation {
  const parts = decodeCanonical(bytes, (r): DeviceEvidence => {
    const version = r.u8()
    if (version !== DEVICE_EVIDENCE_VERSION) throw new SealError('unsupported-version', `Expected evidence of version ${DEVICE_EVIDENCE_VERSION}.`, { version })
    return {
      spaceId: r.fixed(32).slice(), device: r.varint(MAX_ID), publicKey: r.fixed(32).slice(),
      smaller: r.bytes(MAX_VOUCHER_LENGTH), larger: r.bytes(MAX_VOUCHER_LENGTH), root: r.fixed(32).slice(), proof: readLogProof(r),
    }
  })
  const [smaller, larger] = [baseOf(crypto, parts, parts.smaller), baseOf(crypto, parts, parts.larger)]
  if (smaller.size === larger.size) {
    // Nothing of the bytes goes unused.
    if (!equalBytes(parts.root, larger.logRoot) || parts.proof.length > 0) throw new SealError('bad-proof', 'Expected no proof between two bases of one size.')
  } else if (smaller.size < larger.size && smaller.size > 0) {
    verifyConsistency(crypto, { size1: smaller.size, root1: parts.root, size2: larger.size, root2: larger.logRoot, proof: parts.proof })
  } else throw new SealError('bad-proof', 'Expected the entry with the smaller base first.', { smaller: smaller.size, larger: larger.size })
  const agree = equalBytes(parts.root, smaller.logRoot) && (smaller.size < larger.size || equalBytes(smaller.stateRoot, larger.stateRoot))
  if (agree) throw new SealError('bad-proof', 'Expected two entries whose bases contradict each other; these agree.', { smaller: smaller.size, larger: larger.size })
  return { spaceId: parts.spaceId, device: parts.device, publicKey: parts.publicKey, bases: [smaller, larger] } as unknown as VerifiedEquivocation
}

function baseOf(crypto: VerifierCrypto, { spaceId, device, publicKey }: DeviceEvidence, record: Uint8Array): Head {
  const header = openHeader(crypto, record, publicKey, false)
  if (header === undefined || device === 0 || header.device !== device || !equalBytes(header.spaceId, spaceId)) {
    throw new SealError('bad-signature', 'Expected entries of the device that is named, signed by its key.', { device })
  }
  if (header.adopted) throw new SealError('bad-proof', 'An entry whose base was adopted on others’ word states nothing about it.', { device })
  return header.base
}
