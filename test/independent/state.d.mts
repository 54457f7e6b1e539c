/** What the independent state machine offers; plain JavaScript on purpose. */
import type { Base, Verdict } from './entries.mjs'
export declare class Machine {
  constructor(spaceId: Buffer)
  readonly content: { under(prefix: Buffer): readonly { readonly key: Buffer; readonly value: Buffer }[]; get(key: Buffer): Buffer | undefined; set(key: Buffer, value: Buffer): void }
  copy(): Machine
  head(): Base
  take(record: Buffer): Verdict
}
