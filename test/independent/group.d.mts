/** What the independent signatures and group proofs offer; plain JavaScript on purpose. */
export interface Base { readonly size: number; readonly logRoot: Buffer; readonly stateRoot: Buffer }
export interface Context extends Base { readonly space: Buffer; readonly epoch: number; readonly author: Buffer }
export interface Pair { readonly c0: Buffer; readonly c: Buffer }
export interface Statement extends Pair { readonly granter: Buffer; readonly recipient: Buffer }
export interface Admission extends Base { readonly space: Buffer; readonly kind: string; readonly admitter: Buffer; readonly id: number; readonly role: string }
export declare function admits(publicKey: Buffer): boolean
export declare function isValid(publicKey: Buffer, signature: Buffer, message: Buffer): boolean
export declare function isSigned(publicKey: Buffer, purpose: string, bytes: Buffer, signature: Buffer): boolean
export declare function agreementKey(seed: Buffer): { readonly secret: bigint; readonly publicKey: Buffer }
export declare function encodeSecret(secret: bigint): Buffer
export declare function checkDelivery(context: Context, recipients: readonly Buffer[], delivery: Buffer): readonly Pair[]
export declare function openPair(pair: Pair, secret: bigint): Buffer
export declare function deliver(context: Context, recipients: readonly Buffer[], secret: Buffer, r: bigint, a: bigint): Buffer
export declare function checkGrant(context: Context, statement: Statement, grant: Buffer): Pair
export declare function grantTo(context: Context, statement: Statement, p: bigint, t: bigint, alpha: bigint, beta: bigint): Buffer
export declare function checkPossession(context: Admission, signing: Buffer, agreement: Buffer, possession: Buffer): void
export declare function possess(context: Admission, seed: Buffer, p: bigint, k: bigint): { readonly signing: Buffer; readonly agreement: Buffer; readonly possession: Buffer }
