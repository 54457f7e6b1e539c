/** What the independent links offer; plain JavaScript on purpose. */
export interface Link {
  readonly page: string; readonly space: Buffer; readonly invitation: number; readonly secret: Buffer; readonly size: number; readonly logRoot: Buffer; readonly stateRoot: Buffer
  readonly relay: { readonly url: string; readonly name: string; readonly publicKey: Buffer } | undefined; readonly note: Buffer | undefined
}
export declare function openLink(link: string): Link
export declare function keysOf(secret: Buffer): { readonly signing: Buffer; readonly agreement: Buffer }
