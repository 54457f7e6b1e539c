/** What the independent checkpoints offer; plain JavaScript on purpose. */
export interface Key { readonly name: string; readonly type: number; readonly publicKey: Buffer }
export declare function openCheckpoint(note: Buffer, spaceId: Buffer, relayKey: Buffer, witnesses?: readonly Pick<Key, 'name' | 'publicKey'>[]): {
  readonly size: number; readonly logRoot: Buffer; readonly stateRoot: Buffer; readonly cosigned: readonly { readonly name: string; readonly time: bigint }[]
}
export declare function parseKey(text: string): Key
