/** What the independent policies offer; plain JavaScript on purpose. */
import type { Content } from './content.mjs'
/** Of an entry at work, what they look at; `nodes` counts. */
export interface Asking { readonly content: Content; readonly authorAtFirst: { readonly member: number; readonly role: number }; nodes: number; read(name: string, key: Buffer): unknown }
export declare function refusedBy(work: Asking, shape: unknown, command: string, old: readonly unknown[] | undefined, now: readonly unknown[] | undefined, creator: number): string | undefined
