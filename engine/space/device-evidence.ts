/**
 * Evidence against a device (PROTOCOL.md §9.6): two entries signed by one key whose bases can't both be heads of one history. Verified offline; it names a
 * device and stops nothing.
 */
import { equalBytes } from '../codec/bytes.js'
import { decodeCanonical, encodeCanonical } from '../codec/canonical.js'
import type { VerifierCrypto } from '../crypto/provider.js'
import { SealError } from '../errors.js'
import { MAX_VOUCHER_LENGTH } from '../limits.js'
import { MAX_ID } from '../state/keys.js'
import { checkContradiction, readStatements, type Statements, writeStatements } from './contradiction.js'
import { openHeader } from './entry.js'
import type { DeviceId, Head } from './types.js'

/** The statements are records, about their bases. */
export interface DeviceEvidence extends Statements {
  readonly spaceId: Uint8Array
  readonly device: DeviceId
  readonly publicKey: Uint8Array
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
    writeStatements(w, p, MAX_VOUCHER_LENGTH)
  })
}

/** Throws `bad-proof` if it proves nothing, `bad-signature` if an entry is not the device's, `bad-encoding`, `too-large`, `unsupported-version`. */
export function verifyDeviceEvidence(crypto: VerifierCrypto, bytes: Uint8Array): VerifiedEquivocation {
  const parts = decodeCanonical(bytes, (r): DeviceEvidence => {
    const version = r.u8()
    if (version !== DEVICE_EVIDENCE_VERSION) throw new SealError('unsupported-version', `Expected evidence of version ${DEVICE_EVIDENCE_VERSION}.`, { version })
    return { spaceId: r.fixed(32).slice(), device: r.varint(MAX_ID), publicKey: r.fixed(32).slice(), ...readStatements(r, MAX_VOUCHER_LENGTH) }
  })
  const [smaller, larger] = [baseOf(crypto, parts, parts.smaller), baseOf(crypto, parts, parts.larger)]
  checkContradiction(crypto, smaller, larger, parts)
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
