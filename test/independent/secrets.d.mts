/** What the independent secrets offer; plain JavaScript on purpose. */
import type { Value } from './formats.mjs'
interface Row { readonly plain: readonly Value[]; readonly epoch: number; readonly tokens: readonly { readonly index: number; readonly token: Buffer }[]; readonly key: readonly Value[]; readonly blind: readonly { readonly index: number; readonly values: readonly Value[] }[]; readonly body: Buffer }
export declare class Secrets {
  constructor(content: unknown, spaceId: Buffer, device: number, agreement: bigint)
  readonly epochs: ReadonlyMap<number, { readonly data: Buffer; readonly link: Buffer | undefined }>
  readonly blinding: ReadonlyMap<number, Buffer>
  row(table: number, rowKey: Buffer): Row
  object(id: number): { readonly policies: readonly Buffer[]; readonly sealed: Buffer; readonly nameToken: Buffer; readonly generation: number }
  name(subject: 0 | 1, id: number): string | undefined
  keyToken(table: number, generation: number, values: readonly Value[]): Buffer
  nameToken(generation: number, name: string): Buffer
  indexToken(table: number, index: number, isUnique: boolean, generation: number, epoch: number, values: readonly Value[]): Buffer
}
