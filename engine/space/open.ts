/**
 * Making a space, and opening one from its store. Opening trusts the store's own verified head and nothing else: what is read back must lead
 * to exactly that head, or the store is refused with the place where it differs.
 */
import { EMPTY_LOG_ROOT } from '../log/merkle.js'
import { SealError } from '../errors.js'
import { equalBytes } from '../codec/bytes.js'
import { buildGenesis, buildProfile, ownDevice } from '../group/builders.js'
import { Keyring } from '../group/keyring.js'
import { FIRST_DEVICE, FIRST_EPOCH } from '../group/ops/genesis.js'
import { GENESIS_SPACE_ID } from '../group/contexts.js'
import { StateTree } from '../state/tree.js'
import type { Store } from '../store/store.js'
import { buildRecord } from './build.js'
import { Follower } from './follower.js'
import { decodeDeviceSecrets, decodeHead, encodeDeviceSecrets, encodeHead, NAMES, required } from './persist.js'
import { readStoredSnapshot } from './snapshot.js'
import { Space, type SpaceOptions } from './space.js'

/** Names that other members see; sealed. */
export interface Profile {
  readonly name?: string
  readonly device?: string
}

/** Records replayed in one go while opening. */
const BATCH = 1_000

/** Found a space in an empty store: this device is its first, this member its owner. */
export async function createSpace(store: Store, options: SpaceOptions, profile: Profile = {}): Promise<Space> {
  if (store.size > 0 || store.get(NAMES.device)) throw new SealError('bad-argument', 'This store holds a space already. Open it, or give an empty store.')
  const { crypto, random } = options
  const signingSeed = random(32)
  const agreementSeed = random(32)
  const signer = crypto.signer(signingSeed)
  const base = { size: 0, logRoot: EMPTY_LOG_ROOT, stateRoot: emptyStateRoot(options) }
  const op = buildGenesis({ crypto, random, base, signer, agreementSeed })
  const authorship = { signer, base, device: 0, devicePrev: new Uint8Array(32), epoch: FIRST_EPOCH, time: options.now() }
  const genesis = buildRecord({ crypto, spaceId: GENESIS_SPACE_ID }, authorship, [op])
  const follower = Follower.found(crypto, genesis)
  const keyring = new Keyring({ crypto, spaceId: follower.env.spaceId }, agreementSeed)
  keyring.open(follower.state.tree)
  await store.commit({
    at: 0,
    append: [genesis],
    put: [
      [NAMES.head, encodeHead(follower.head)],
      [NAMES.device, encodeDeviceSecrets({ spaceId: follower.env.spaceId, device: FIRST_DEVICE, signingSeed })],
      [NAMES.keyring, keyring.encode()],
    ],
  })
  const space = new Space({ options, store, follower, keyring, device: FIRST_DEVICE, signer })
  if (profile.name !== undefined || profile.device !== undefined) await setProfile(space, profile)
  return space
}

/** Open the space that a store holds. Throws `bad-argument` if it holds none, `store-corrupt` if it is not what was verified. */
export async function openSpace(store: Store, options: SpaceOptions): Promise<Space> {
  const { crypto } = options
  const { spaceId, device, signingSeed } = decodeDeviceSecrets(required(store.get(NAMES.device), 'device'))
  const head = decodeHead(required(store.get(NAMES.head), 'verified head'))
  const keyring = Keyring.decode({ crypto, spaceId }, required(store.get(NAMES.keyring), 'keyring'))
  const follower = await readFollower(store, options, spaceId)
  for (let from = follower.head.size; from < store.size; from += BATCH) {
    for (const record of await store.read(from, Math.min(store.size, from + BATCH))) follower.follow(record, 'trusted')
  }
  const found = follower.head
  if (found.size !== head.size || !equalBytes(found.logRoot, head.logRoot) || !equalBytes(found.stateRoot, head.stateRoot)) {
    throw new SealError('store-corrupt', `The store's entries lead to another head than the one verified at size ${head.size}. Restore it from a copy, or join again.`, {
      expected: head.size, found: found.size,
    })
  }
  keyring.open(follower.state.tree)
  return new Space({ options, store, follower, keyring, device, signer: crypto.signer(signingSeed) })
}

/** Set the names of this member and device. */
export async function setProfile(space: Space, profile: Profile): Promise<void> {
  await space.commitOps((context) => {
    const { member } = ownDevice(context)
    return [
      ...(profile.name === undefined ? [] : [buildProfile(context, 'member', member, profile.name)]),
      ...(profile.device === undefined ? [] : [buildProfile(context, 'device', context.device, profile.device)]),
    ]
  })
}

/** From the snapshot if there is one and it is sound, else from the genesis. */
async function readFollower(store: Store, options: SpaceOptions, spaceId: Uint8Array): Promise<Follower> {
  const snapshot = await readStoredSnapshot(store, { crypto: options.crypto, spaceId })
  if (snapshot) return snapshot
  const [genesis] = store.first === 0 && store.size > 0 ? await store.read(0, 1) : []
  const follower = Follower.found(options.crypto, required(genesis, 'genesis'))
  if (!equalBytes(follower.env.spaceId, spaceId)) throw new SealError('store-corrupt', 'The store’s first entry founds another space than its secrets are of.')
  return follower
}

function emptyStateRoot(options: SpaceOptions): Uint8Array {
  const tree = new StateTree(options.crypto)
  return tree.root(tree.empty)
}
