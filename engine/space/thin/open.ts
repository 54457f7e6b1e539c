/** Opening a thin client's store: the verified head, the kernel under it, this device's secrets. There is nothing to replay. */
import { SealError } from '../../errors.js'
import { Keyring } from '../../group/keyring.js'
import { MAX_REMOTE_ROWS } from '../../limits.js'
import type { Store } from '../../store/store.js'
import { decodeDeviceSecrets, decodeHead, NAMES, required } from '../persist.js'
import type { Alert } from '../port.js'
import { Space, type SpaceOptions } from '../space.js'
import type { Follower } from '../follower.js'
import { encodeKept, readKernel, resumeKept } from './kept.js'
import { type Claimed, RemoteState } from './remote.js'

/** What a thin client may take. */
export interface ThinOptions {
  /** Rows that a statement may take of a table of which it names no range. Default 50,000. */
  readonly maxRows?: number
}

/** What the core of a space needs of a thin client: given to it, so that a replica's page does not load it. */
export interface ThinParts {
  /** The rest of its state, which is elsewhere. */
  remote(claim: () => Claimed, moved: () => Promise<void>): RemoteState
  /** What is kept of the state that the follower is at. */
  keep(follower: Follower): Uint8Array
  readonly readKernel: typeof readKernel
}

/** Throws `bad-argument` for a store that holds no space, or a replica; `store-corrupt` if what it holds is not of its verified head. */
export function openThinSpace(store: Store, options: SpaceOptions, { maxRows = MAX_REMOTE_ROWS }: ThinOptions = {}): Space {
  const { crypto } = options
  const { spaceId, device, signingSeed } = decodeDeviceSecrets(required(store.get(NAMES.device), 'device'))
  const head = decodeHead(required(store.get(NAMES.head), 'verified head'))
  const kept = store.get(NAMES.kept)
  if (kept === undefined) throw new SealError('bad-argument', 'This store is a replica’s: open it without `thin`, which works offline, too. A thin client begins by joining with `thin: true`.')
  const keyring = Keyring.decode({ crypto, spaceId }, required(store.get(NAMES.keyring), 'keyring'))
  const { follower, tree } = resumeKept({ crypto, spaceId }, head, kept)
  const alerts = keyring.open(follower.state.tree).map(({ kind, epoch, device: by }): Alert => (
    { code: 'bad-link', message: `Device ${by} made a ${kind} of epoch ${epoch} that does not hold what it should.`, facts: { kind, epoch, device: by } }))
  return new Space({ options, store, follower, keyring, device, signer: crypto.signer(signingSeed), soundTo: 0, alerts, thin: {
    remote: (claim, moved) => new RemoteState(crypto, tree, claim, moved, maxRows), keep: encodeKept, readKernel,
  } })
}
