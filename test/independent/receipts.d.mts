/** What the independent reader of receipts offers; plain JavaScript on purpose. */
import type { Base } from './entries.mjs'
import type { Value } from './formats.mjs'
export interface Believed { readonly relay?: { readonly name: string; readonly publicKey: Buffer }; readonly devices?: readonly Buffer[]; readonly vouchers?: number }
export declare function openReceipt(encoded: Buffer, space: Buffer, believed?: Believed): {
  readonly head: Base; readonly relay: boolean
  readonly vouchers: readonly { readonly device: number; readonly member: number; readonly role: number; readonly founder: boolean; readonly trusted: boolean }[]
  readonly table: number; readonly definition: Buffer; readonly policies: readonly Buffer[]
  readonly rows: readonly {
    readonly rowKey: Buffer; readonly plain: readonly Value[]; readonly creator: number; readonly author: number; readonly device: number; readonly publicKey: Buffer; readonly version: number
    readonly key: readonly Value[]; readonly blind: readonly { readonly index: number; readonly values: readonly Value[] }[]; readonly body: Buffer
  }[]
}
