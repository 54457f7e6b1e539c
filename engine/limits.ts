/**
 * Every bound on untrusted input, in one place, each with its reason. Checked before allocation, recursion or a loop.
 * CONSENSUS bounds can change a verdict: they belong to protocol version 1 and never change within it.
 */

/** CONSENSUS. Longest encoded state key. One length byte; deep enough for any tuple, and it bounds tree depth (8 × 255 bits). */
export const MAX_KEY_LENGTH = 255
/** CONSENSUS. Longest value of one state leaf (a sealed row with its plaintext columns). */
export const MAX_VALUE_LENGTH = 16 * 1024 * 1024
/** CONSENSUS. Longest entry, signature included. Anything longer is ignored(too-long). */
export const MAX_ENTRY_LENGTH = 32 * 1024 * 1024
/** CONSENSUS. Most ops in one entry. */
export const MAX_OPS = 100_000
/** CONSENSUS. Most declared reads in one entry. */
export const MAX_READS = 4_096
/** CONSENSUS. Heads remembered by the ring: how far back a base may lie. */
export const RING_SIZE = 1_024
/** CONSENSUS. Members' devices and open invitations that one delivery serves. */
export const MAX_RECIPIENTS = 4_096
/** CONSENSUS. Readers and writers start at most one epoch in so many entries. */
export const ROTATE_INTERVAL = 64
/** Largest count or index anywhere: 48 bits, so every number is a safe integer. */
export const MAX_COUNT = 2 ** 48 - 1
/** Longest read proof that a verifier looks at. */
export const MAX_PROOF_LENGTH = 64 * 1024 * 1024
/** Longest C2SP note. */
export const MAX_NOTE_LENGTH = 64 * 1024
