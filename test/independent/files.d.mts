/** What the independent files offer; plain JavaScript on purpose. */
export declare function contentOf(key: Buffer, name: string, type: string): Buffer
export declare function commitmentOf(content: Buffer): Buffer
export declare function countOf(length: number): number
export declare function idOf(space: Buffer, commitment: Buffer, length: number, root: Buffer): Buffer
export declare function leafOf(chunk: Buffer): Buffer
export declare function rootOf(leaves: readonly Buffer[]): Buffer
export declare function proves(index: number, size: number, leaf: Buffer, proof: readonly Buffer[], root: Buffer): boolean
export declare function sealChunks(space: Buffer, key: Buffer, commitment: Buffer, bytes: Buffer): Buffer[]
export declare function openChunk(space: Buffer, key: Buffer, commitment: Buffer, i: number, last: boolean, chunk: Buffer): Buffer
