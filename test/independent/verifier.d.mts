/** What the independent verifier offers; it is plain JavaScript on purpose. */
export declare function leafHash(entry: Uint8Array): Buffer
export declare function rootOf(rows: readonly { readonly key: Buffer; readonly value: Buffer }[]): Buffer
export declare function checkReads(root: Buffer, queries: Buffer, proof: Buffer): readonly unknown[]
export declare function checkGets<T>(root: Buffer, proof: Buffer, program: (get: (key: Buffer) => Buffer | undefined) => T): T
export declare function checkInclusion(claim: { readonly index: number; readonly size: number; readonly leaf: Buffer; readonly proof: readonly Buffer[]; readonly root: Buffer }): void
export declare function checkConsistency(claim: {
  readonly size1: number; readonly size2: number; readonly root1: Buffer; readonly root2: Buffer; readonly proof: readonly Buffer[]
}): void
