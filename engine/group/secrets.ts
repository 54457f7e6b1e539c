/** Commitments to secrets, and the keys of an invitation: the public side of what only members hold. */
import { encodeCanonical } from '../codec/canonical.js'
import { deriveSecret, type EpochSecrets } from '../crypto/kdf.js'
import { hashLabelled, LABELS } from '../crypto/labels.js'
import type { CryptoProvider, Sha256, Signer } from '../crypto/provider.js'
import { type AgreementKey, agreementKey } from '../crypto/verifiable.js'
import { epochSpaceId } from './contexts.js'
import type { EpochCommitments } from './epochs.js'

/** H(label, space, epoch, 0, D) and H(label, space, epoch, 1, L). The secrets are uniform, so the commitments tell nothing else. */
export function commitEpoch(crypto: Sha256, spaceId: Uint8Array, epoch: number, secrets: EpochSecrets): EpochCommitments {
  return { data: commitEpochSecret(crypto, spaceId, epoch, 0, secrets.data), link: commitEpochSecret(crypto, spaceId, epoch, 1, secrets.link) }
}

/** `which`: 0 for D, 1 for L. */
export function commitEpochSecret(crypto: Sha256, spaceId: Uint8Array, epoch: number, which: 0 | 1, secret: Uint8Array): Uint8Array {
  const context = encodeCanonical(secret, (w) => w.fixed(epochSpaceId(spaceId, epoch), 32).varint(epoch).u8(which).fixed(secret, 32))
  return hashLabelled(crypto, LABELS.epochCommitment, context)
}

/** The first generation is made in the genesis, as the first epoch is. */
export function commitBlinding(crypto: Sha256, spaceId: Uint8Array, generation: number, secret: Uint8Array): Uint8Array {
  const context = encodeCanonical(secret, (w) => w.fixed(epochSpaceId(spaceId, generation), 32).varint(generation).fixed(secret, 32))
  return hashLabelled(crypto, LABELS.blindingCommitment, context)
}

/** What the secret in a link gives. */
export interface InvitationKeys {
  readonly signer: Signer
  readonly agreement: AgreementKey
}

/** `secret`: the 32 random bytes that the link carries. */
export function deriveInvitationKeys(crypto: CryptoProvider, secret: Uint8Array): InvitationKeys {
  return {
    signer: crypto.signer(deriveSecret(crypto, secret, LABELS.invitationSigning)),
    agreement: agreementKey(crypto, deriveSecret(crypto, secret, LABELS.invitationAgreement)),
  }
}
