/** What the independent snapshots offer; plain JavaScript on purpose. */
import type { Base } from './entries.mjs'
export interface Manifest extends Base { readonly counts: readonly number[] }
export declare function openManifest(encoded: Buffer, head: Base): Manifest
export declare function openChunk(manifest: Manifest, i: number, proof: Buffer): readonly { readonly key: Buffer; readonly value: Buffer }[]
