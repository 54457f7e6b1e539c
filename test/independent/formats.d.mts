/** What the independent keys and sealed values offer; plain JavaScript on purpose. */
export type Value = null | bigint | number | string | Buffer
export interface Range { readonly lo: Buffer; readonly hi: Buffer }
export interface SealContext {
  readonly label: string; readonly space: Buffer; readonly table: number; readonly key: Buffer; readonly epoch: number; readonly device: number; readonly columns: readonly number[]
}
export interface BoxContext { readonly type: string; readonly space: Buffer; readonly epoch: number; readonly recipient: Buffer; readonly creator: Buffer }
export declare function encodeKey(prefix: Buffer, values: readonly Value[]): Buffer
export declare function decodeKey(prefix: Buffer, key: Buffer): Value[]
export declare function rangeOf(prefix: Buffer, values: readonly Value[]): Range
export declare function classRangeOf(type: string, prefix: Buffer, values: readonly Value[]): Range
export declare function hashOf(label: string, bytes: Buffer): Buffer
export declare function epochSecrets(secret: Buffer, space: Buffer, epoch: number): { readonly data: Buffer; readonly link: Buffer }
export declare function tableKey(data: Buffer, table: number): Buffer
export declare function tokenOf(secret: Buffer, space: Buffer, purpose: string, numbers: readonly number[], value: Buffer): Buffer
export declare function aadOf(context: SealContext): Buffer
export declare function subkeyOf(key: Buffer, nonce: Buffer): Buffer
export declare function seal(key: Buffer, epoch: number, nonce: Buffer, aad: Buffer, plaintext: Buffer): Buffer
export declare function open(key: Buffer, epoch: number, aad: Buffer, sealed: Buffer): Buffer
export declare function openDisclosed(subkey: Buffer, epoch: number, aad: Buffer, sealed: Buffer): Buffer
export declare function openBox(context: BoxContext, secret: Buffer, box: Buffer): Buffer
