/** What the independent records offer; plain JavaScript on purpose. */
import type { Type } from './fields.mjs'
export declare const object: Type
export declare const row: Type
