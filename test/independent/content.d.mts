/** What the independent content of a state offers; plain JavaScript on purpose. */
export declare class Content {
  get(key: Buffer): Buffer | undefined
  set(key: Buffer, value: Buffer): void
  under(prefix: Buffer): readonly { readonly key: Buffer; readonly value: Buffer }[]
  root(): Buffer
}
