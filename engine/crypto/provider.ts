/**
 * The crypto port: what a provider must supply. Implementations: `noble` (reference, everywhere), `node` (node:crypto),
 * `sodium` (libsodium-wrappers-sumo). All agree on every vector and on what they accept.
 */

/** SHA-256, the one hash of the protocol (FIPS 180-4). The narrow part that log and state tree need. */
export interface Sha256 {
  /** 32 bytes. */
  sha256(data: Uint8Array): Uint8Array
  /** Hash `input[start, end)` and write the 32 bytes to `out` at `at`. Allocation-free where the platform allows; the hot path of trees. */
  sha256Into(input: Uint8Array, start: number, end: number, out: Uint8Array, at: number): void
}
