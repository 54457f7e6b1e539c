/** What a session asks of its relay, and the limits it keeps. */
import type { Bucket, Rate } from './bucket.js'
import type { Metric } from './metrics.js'
import type { Room } from './room.js'
import type { Session } from './session.js'

export interface SessionLimits {
  /** Bytes that may wait for a slow reader before it is dropped with a resume point. */
  readonly maxBuffered: number
  /** Records a device may send. */
  readonly records: Rate
  /** Bytes of proofs a device may read. */
  readonly reads: Rate
  /** Bytes of chunks of files that a device may bring and fetch. */
  readonly chunks: Rate
  /** Messages a connection may send. */
  readonly messages: Rate
  /** Bytes of records in one answer. */
  readonly answerBytes: number
  /** Requests of one connection in work at once, and their bytes. */
  readonly maxInWork: number
  readonly maxInWorkBytes: number
  /** Milliseconds a connection may take to prove a key. */
  readonly handshakeTime: number
}

/** What a session asks of its relay. */
export interface SessionHost {
  readonly name: string
  readonly publicKey: Uint8Array
  readonly limits: SessionLimits
  readonly unsafeSkipRelayAuth: boolean
  now(): number
  random(length: number): Uint8Array
  verifyChallenge(publicKey: Uint8Array, space: Uint8Array, nonce: Uint8Array, signature: Uint8Array): boolean
  find(space: Uint8Array): Promise<Room | undefined>
  /** Throws `relay-refused` (quota) or hostile: not the genesis of that space. */
  create(space: Uint8Array, genesis: Uint8Array): Promise<Room>
  /** Records of a device (0: whoever has proved none), shared by its connections. */
  recordBucket(space: Uint8Array, device: number): Bucket
  /** Bytes of proofs, likewise. */
  readBucket(space: Uint8Array, device: number): Bucket
  /** Bytes of chunks, likewise, both ways. */
  chunkBucket(space: Uint8Array, device: number): Bucket
  /** Bytes in work, of all connections together. False: the relay has no room for them now. */
  reserve(bytes: number): boolean
  giveBack(bytes: number): void
  leave(session: Session): void
  count(metric: Metric, by?: number): void
  log(event: string, facts: Readonly<Record<string, string | number>>): void
}
