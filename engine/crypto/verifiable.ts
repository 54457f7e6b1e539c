/** The proofs about group keys, under one name: delivery, grant, possession. Verifying makes a new type; each is minted in one place. */
export {
  deliveryLength, type EpochSecret, newEpochSecret, openDelivery, openPair, type Pair, proveDelivery, type VerifiedDelivery, verifyDelivery,
} from './delivery.js'
export { GRANT_LENGTH, type GrantStatement, openGrant, proveGrant, type VerifiedGrant, verifyGrant } from './grant.js'
export {
  POSSESSION_KINDS, POSSESSION_LENGTH, type PossessedKeys, type PossessionContext, type PossessionKind, provePossession, verifyPossession,
} from './possession.js'
export { type AgreementKey, agreementKey, type ProofBase, type ProofContext, type RandomSource } from './transcript.js'
