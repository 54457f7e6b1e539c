/**
 * Making a space, and opening one from its store. Opening trusts the store's own verified head and nothing else: what is read back must lead
 * to exactly that head, or the store is refused with the place where it differs.
 */
import { expectObject, expectText } from '../arguments.js'
import { EMPTY_LOG_ROOT } from '../log/merkle.js'
import { isSealError, SealError } from '../errors.js'
import { equalBytes } from '../codec/bytes.js'
import { buildGenesis, buildProfile, ownDevice } from '../group/builders.js'
import { Keyring } from '../group/keyring.js'
import { FIRST_DEVICE, FIRST_EPOCH } from '../group/ops/genesis.js'
import { GENESIS_SPACE_ID } from '../group/contexts.js'
import type { Signer } from '../crypto/provider.js'
import type { ApplyEnv } from '../state/context.js'
import { StateTree } from '../state/tree.js'
import type { Store } from '../store/store.js'
import { buildRecord } from './build.js'
import { Follower } from './follower.js'
import { leftOfJoining } from './left-of-joining.js'
import { decodeDeviceSecrets, decodeHead, encodeDeviceSecrets, encodeHead, NAMES, required } from './persist.js'
import type { Alert } from './port.js'
import { readStoredSnapshot } from './snapshot.js'
import { snapshotTags, type SnapshotTags } from './snapshot-image.js'
import { Space, type SpaceOptions } from './space.js'
import type { Head } from './types.js'

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
      ...leftOfJoining(store),
      [NAMES.head, encodeHead(follower.head)],
      [NAMES.device, encodeDeviceSecrets({ spaceId: follower.env.spaceId, device: FIRST_DEVICE, signingSeed })],
      [NAMES.keyring, keyring.encode()],
    ],
  })
  const space = new Space({ options, store, follower, keyring, device: FIRST_DEVICE, signer, soundTo: follower.head.size })
  if (profile.name !== undefined || profile.device !== undefined) await setProfile(space, profile)
  return space
}

/** Open the space that a store holds. Throws `bad-argument` if it holds none, `store-corrupt` if it is not what was verified. */
export async function openSpace(store: Store, options: SpaceOptions): Promise<Space> {
  const { crypto } = options
  const own = ownKeys(store, options)
  const { spaceId, signer } = own
  const head = decodeHead(required(store.get(NAMES.head), 'verified head'))
  if (store.get(NAMES.kept) !== undefined) throw new SealError('bad-argument', 'This store is a thin client’s: it holds no rows. Open it with `thin: true`, or join again as a replica.')
  let damaged = false
  const onDamaged = (): void => {
    damaged = true
    distrust(store)
  }
  const openWith = async (part: (() => void) | undefined): Promise<Space> => {
    return spaceAt(store, options, await readVerified(store, { crypto, spaceId }, head, { seal: snapshotTags(crypto, signer, spaceId), onDamaged: part }), own)
  }
  try {
    return await openWith(store.get(NAMES.distrusted) === undefined ? onDamaged : undefined)
  } catch (error) {
    if (!damaged || !isSealError(error, 'store-corrupt')) throw error
    return openWith(undefined)
  }
}

/** The space of a store whose verified head this state has just been found to be. */
export function spaceAt(store: Store, options: SpaceOptions, { follower, soundTo, alerts: found }: Verified, own: OwnKeys = ownKeys(store, options)): Space {
  const { spaceId, device, signer } = own
  const keyring = Keyring.decode({ crypto: options.crypto, spaceId }, required(store.get(NAMES.keyring), 'keyring'))
  const alerts = [...found, ...keyring.open(follower.state.tree).map(({ kind, epoch, device: by }): Alert => (
    { code: 'bad-link', message: `Device ${by} made a ${kind} of epoch ${epoch} that does not hold what it should.`, facts: { kind, epoch, device: by } }))]
  return new Space({ options, store, follower, keyring, device, signer, soundTo, alerts })
}

interface OwnKeys { readonly spaceId: Uint8Array; readonly device: number; readonly signer: Signer }

function ownKeys(store: Store, { crypto }: SpaceOptions): OwnKeys {
  const { spaceId, device, signingSeed } = decodeDeviceSecrets(required(store.get(NAMES.device), 'device'))
  return { spaceId, device, signer: crypto.signer(signingSeed) }
}

/** Set the names of this member and device. */
export async function setProfile(space: Space, profile: Profile): Promise<void> {
  expectObject(profile, 'names, { name?, device? }')
  for (const name of [profile.name, profile.device]) if (name !== undefined) expectText(name, 'a name as text')
  await space.commitOps((context) => {
    const { member } = ownDevice(context)
    return [
      ...(profile.name === undefined ? [] : [buildProfile(context, 'member', member, profile.name)]),
      ...(profile.device === undefined ? [] : [buildProfile(context, 'device', context.device, profile.device)]),
    ]
  })
}

/** How this device knows its snapshot; with `onDamaged`, it may be read by and by. */
interface OwnSnapshot { readonly seal: SnapshotTags; readonly onDamaged: (() => void) | undefined }

/** `soundTo`: so many entries are known to be none that were ignored for their signatures. */
export interface Verified { readonly follower: Follower; readonly soundTo: number; readonly alerts: readonly Alert[] }

/**
 * The state at the verified head, by the shortest way that leads there: from the snapshot without looking at signatures, then with them (a log may
 * hold entries that were ignored for a bad one), then the same from the genesis. Whichever it is, it ends at exactly that head.
 */
async function readVerified(store: Store, env: ApplyEnv, head: Head, own: OwnSnapshot): Promise<Verified> {
  const alerts: Alert[] = []
  for (const signature of ['trusted', 'check'] as const) {
    const follower = await fromSnapshot(store, env, own, alerts)
    if (!follower) break
    if (await reaches(follower, store, head, signature)) return { follower, alerts, soundTo: 0 }
  }
  for (const signature of ['trusted', 'check'] as const) {
    const follower = await fromGenesis(store, env)
    if (await reaches(follower, store, head, signature)) return { follower, alerts, soundTo: signature === 'trusted' ? head.size : 0 }
  }
  throw new SealError('store-corrupt', `The store's entries lead to another head than the one verified at size ${head.size}. Restore it from a copy, or join again.`, {
    expected: head.size, found: store.size,
  })
}

async function reaches(follower: Follower, store: Store, head: Head, signature: 'trusted' | 'check'): Promise<boolean> {
  if (store.size !== head.size || follower.head.size > head.size) return false
  for (let from = follower.head.size; from < store.size; from += BATCH) {
    follower.followAll(await store.read(from, Math.min(store.size, from + BATCH)), signature)
  }
  return equalBytes(follower.head.logRoot, head.logRoot) && equalBytes(follower.head.stateRoot, head.stateRoot)
}

/** Undefined if there is none, or none that is sound while the entries before it are still here. */
async function fromSnapshot(store: Store, env: ApplyEnv, { seal, onDamaged }: OwnSnapshot, alerts: Alert[]): Promise<Follower | undefined> {
  try {
    return await readStoredSnapshot(store, env, seal, onDamaged)
  } catch (error) {
    if (!isSealError(error, 'store-corrupt') || store.first > 0) throw error
    distrust(store)
    if (alerts.length === 0) alerts.push({ code: 'tampered', message: `${error.message} The space was opened from its entries instead.`, facts: { code: error.code } })
    return undefined
  }
}

/** Until there is another snapshot, which is due now, an opening reads all of this one; and what it finds it says, and replays the entries instead. */
function distrust(store: Store): void {
  store.commit({ put: [[NAMES.distrusted, Uint8Array.of(1)]] }).catch(() => undefined) // then the next opening finds it out as this one did
}

async function fromGenesis(store: Store, { crypto, spaceId }: ApplyEnv): Promise<Follower> {
  const [genesis] = store.first === 0 && store.size > 0 ? await store.read(0, 1) : []
  if (store.first > 0) throw new SealError('store-corrupt', `The entries before ${store.first} are gone, and no snapshot leads to the verified head.`, { first: store.first })
  const follower = Follower.found(crypto, required(genesis, 'genesis'))
  if (!equalBytes(follower.env.spaceId, spaceId)) throw new SealError('store-corrupt', 'The store’s first entry founds another space than its secrets are of.')
  return follower
}

function emptyStateRoot(options: SpaceOptions): Uint8Array {
  const tree = new StateTree(options.crypto)
  return tree.root(tree.empty)
}
