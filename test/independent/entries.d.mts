/** What the independent reader of entries offers; plain JavaScript on purpose. */
export type Verdict = { readonly kind: 'applied' } | { readonly kind: 'ignored' | 'rejected'; readonly code: string; readonly op?: number; readonly detail?: string }
export interface Base { readonly size: number; readonly logRoot: Buffer; readonly stateRoot: Buffer }
export interface Op { readonly name: string; readonly least: number | undefined }
export interface Entry { readonly space: Buffer; readonly base: Base; readonly device: number; readonly devicePrev: Buffer; readonly epoch: number; readonly bytes: Buffer; readonly signature: Buffer; readonly ops: readonly Op[] }
export declare function leafOf(record: Buffer): Buffer
export declare function spaceIdOf(record: Buffer): Buffer
export declare function decodeRecord(record: Buffer): Entry
export declare class Log {
  readonly size: number
  append(leaf: Buffer): void
  root(): Buffer
}
