/** What the independent reader of evidence offers; plain JavaScript on purpose. */
import type { Base } from './entries.mjs'
export declare function openDeviceEvidence(encoded: Buffer): { readonly spaceId: Buffer; readonly device: number; readonly publicKey: Buffer; readonly smaller: Base; readonly larger: Base }
export declare function openEvidence(encoded: Buffer): { readonly spaceId: Buffer; readonly relayName: string; readonly relayKey: Buffer; readonly smaller: Base; readonly larger: Base }
