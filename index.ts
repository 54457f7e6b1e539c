/**
 * SealDB: SQL over tables that a group of people shares through a server nobody has to trust. This file wires the three floors for an
 * application: the engine's space, query's database and net's synchronisation. In Node and in browsers; `sealdb/relay`, `sealdb/store/…`,
 * `sealdb/verify`, `sealdb/inspect`, `sealdb/kysely` and `sealdb/drizzle` are entry points of their own.
 *
 * Over 400 lines: it is the one file that may import all floors, and half of it is the words of the public interface.
 */
// For applications whose own `lib` stops before it.
/// <reference lib="esnext.disposable" preserve="true" />
import { dial as defaultDial } from '#dial'
import { expected, expectFunction, expectObject } from './engine/arguments.js'
import { loadProvider } from './engine/crypto/load.js'
import type { CryptoProvider } from './engine/crypto/provider.js'
import { isSealError, SealError } from './engine/errors.js'
import { parseLink } from './engine/group/link.js'
import { later } from './engine/later.js'
import type * as Acts from './engine/space/acts.js'
import { Duties } from './engine/space/duties.js'
import type { FileEntries } from './engine/space/file-entries.js'
import type { Files } from './engine/space/files.js'
import type { HistoryReport } from './engine/space/audit-history.js'
import { createSpace as createEngineSpace, openSpace as openEngineSpace, type Profile, setProfile } from './engine/space/open.js'
import type { Resumed } from './engine/space/change-branch.js'
import type { Alert, SpaceEvents } from './engine/space/port.js'
import { openFiles } from './engine/space/open-files.js'
import { invitations, pendingForget, reblinding } from './engine/space/outstanding.js'
import { whileOpen } from './engine/space/settle.js'
import { Snapshots } from './engine/space/snapshot.js'
import type { Space, SpaceOptions } from './engine/space/space.js'
import type { ThinOptions } from './engine/space/thin/open.js'
import type { RemoteCounters } from './engine/space/thin/remote.js'
import type { DeviceView, Head, InvitationView, MemberId, MemberView, Role, SettleState } from './engine/space/types.js'
import type { Store, StoreLocation, StoreOpening } from './engine/store/store.js'
import type { AuditOptions } from './net/audit.js'
import type * as Client from './net/client.js'
import { Connection } from './net/connection.js'
import { FileTransfer } from './net/files.js'
import { Present, type Presence } from './net/present.js'
import type { SyncState } from './net/sync.js'
import type { Dial } from './net/transport.js'
import type { ReceiptTrust, VerifiedReceipt } from './engine/space/receipt.js'
import type { Database, DatabaseOptions, Imported, ImportOptions, Migrated, Migration } from './query/database.js'
import type { Documents } from './query/documents.js'
import type { Floor } from './query/floor-here.js'
import { loadFloor } from './query/load.js'
import type { DisclosedTable } from './query/receipts.js'
import type { ParameterValue } from './query/values.js'

export { SealError, isSealError, type ErrorCode, type ErrorFamily } from './engine/errors.js'
export type { HistoryReport } from './engine/space/audit-history.js'
export type { Resumed } from './engine/space/change-branch.js'
export type { Alert } from './engine/space/port.js'
export type { ByteRange, FileInfo, Files, OpenFile, PutFileOptions } from './engine/space/files.js'
export type { ThinOptions } from './engine/space/thin/open.js'
export type { RemoteCounters } from './engine/space/thin/remote.js'
export type { DeviceView, Head, InvitationView, MemberView, Role, SettleState } from './engine/space/types.js'
export type { StoreLocation, StoreOpening } from './engine/store/store.js'
export type { AuditOptions } from './net/audit.js'
export type { Heard, Presence, PresentDevice } from './net/present.js'
export type { SyncState } from './net/sync.js'
export type { ReceiptTrust, VerifiedReceipt } from './engine/space/receipt.js'
export type { DisclosedRow, DisclosedTable } from './query/receipts.js'
export type { DocumentInfo, Documents, SealedDocument } from './query/documents.js'
export type { CryptoProvider } from './engine/crypto/provider.js'
export type { InviteOptions } from './engine/space/acts.js'
export type { Profile } from './engine/space/open.js'
export type { Database, DatabaseOptions } from './query/database.js'
export type { Live } from './query/live.js'
export type { LostWrite, Write } from './query/rerun.js'
export type { ExportOptions, PastSql, PreparedStatement, QueryOptions, RawResult, Result, RowVersion, Sql, TransactionOptions } from './query/sql-api.js'
export type { Parameters as SqlParameters, ParameterValue, ResultValue, SqlValue } from './query/values.js'
export type { Imported, ImportOptions, Migrated, Migration }
export { memoryStore } from './engine/store/memory.js'
export { loadProvider } from './engine/crypto/load.js'

/** What every space of this process is opened with. */
export interface OpenOptions {
  /** Where this device keeps the space: `fileStore(directory)` in Node, `indexedDbStore(name)` in browsers, `memoryStore()` for tests. */
  readonly store: StoreLocation
  /** Default: the fastest that is here. */
  readonly crypto?: CryptoProvider
  /** Don't connect by itself; `space.connect()` does. */
  readonly offline?: boolean
  /** Told while much is loaded: entries received or replayed so far; of a snapshot, rows, and how many there are. */
  readonly onProgress?: (done: number, of?: number) => void
  readonly database?: DatabaseOptions
  /**
   * A thin client: it holds the verified head, its secrets and the catalog, and no rows; those that a statement needs are read at the relay, each answer
   * proved against that head. For `joinSpace`, and `openSpace` of a store that was joined so. It needs the relay for every query.
   */
  readonly thin?: boolean | ThinOptions
  /** For tests: the sources of time, randomness and connections. */
  readonly unsafe?: { readonly random?: (length: number) => Uint8Array; readonly now?: () => number; readonly dial?: Dial }
}

/** What a new space begins with. */
export interface CreateOptions extends OpenOptions {
  /** Address of the relay, `ws://…` or `wss://…`. Without one the space is this device's alone until `attachRelay`. */
  readonly relay?: string
  /** Names that the other members see. */
  readonly profile?: Profile
}

/**
 * Found a space. This device is its first, this member its owner. Throws `bad-argument` if the store holds a space already or `relay` is no
 * address, `disconnected` if no relay answers there; then nothing was made.
 *
 * @example
 * const space = await createSpace({ store: memoryStore() })
 * await space.exec('CREATE TABLE task (id INTEGER PRIMARY KEY, title TEXT NOT NULL)')
 * await space.sql`INSERT INTO task (title) VALUES (${'ship it'})`
 */
export async function createSpace(options: CreateOptions): Promise<SealedSpace> {
  const parts = await partsOf(options)
  // Before anything is kept: who mistypes the address, or forgot to start the relay, can call again.
  if (options.relay !== undefined) (await (await client()).greet(parts.dial, options.relay, NO_SPACE)).rpc.close()
  await parts.sql // without it the space could not be used, and the next call would find one
  return onStore(options.store, async (store) => {
    const space = await SealedSpace.assemble(await createEngineSpace(store, parts.space, options.profile), options, parts)
    if (options.relay !== undefined) await closeOnFailure(space, () => space.attachRelay(options.relay as string))
    return space
  })
}

/**
 * Open the space that a store holds. What is stored is checked on the way. Throws `bad-argument` if it holds none (and makes no store), `store-locked` if it is open
 * elsewhere, `store-sealed` without its passphrase, `store-corrupt` for damage.
 *
 * @example
 * const space = await openSpace({ store, onProgress: (done) => console.error(`${done} entries`) })
 */
export async function openSpace(options: OpenOptions): Promise<SealedSpace> {
  const parts = await partsOf(options)
  const thin = thinOf(options)
  return onStore(options.store, async (store) => SealedSpace.assemble(thin ? (await later(() => import('./engine/space/thin/open.js'))).openThinSpace(store, parts.space, thin) : await openEngineSpace(store, parts.space), options, parts), { existing: true })
}

/**
 * Join by an invitation link. Everything that the relay shows is checked against the inviter's word in the link. Throws `bad-link` for what is
 * none, `relay-refused` if the invitation is not open any more, `disconnected` if the relay can't be reached; hostile codes if it lies.
 *
 * @example
 * const bob = await joinSpace(link, { store: memoryStore(), profile: { name: 'Bob' } })
 */
export async function joinSpace(link: string, options: OpenOptions & { readonly profile?: Profile }): Promise<SealedSpace> {
  const parts = await partsOf(options)
  const parsed = parseLink(parts.space.crypto, link)
  const thin = thinOf(options)
  const [{ joinSpace: joinEngineSpace, signInvitationChallenge }, { joinChannel }] = await later(() => Promise.all([import('./engine/space/join.js'), import('./net/join.js')]))
  const channel = await joinChannel(parts.dial, parsed, (relayName, nonce) => signInvitationChallenge(parts.space, parsed, relayName, nonce), options.onProgress, undefined, thin !== undefined)
  try {
    await parts.sql // before the invitation is used up
    return await onStore(options.store, async (store) =>
      SealedSpace.assemble(await joinEngineSpace(store, parts.space, parsed, channel, options.profile, options.onProgress, options.onProgress, thin), options, parts))
  } finally {
    channel.close()
  }
}

/** What opens a space is loaded along with this file, SQL while it opens one, and the rest when it is called for. */
const acts = (): Promise<typeof Acts> => later(() => import('./engine/space/acts.js'))
const client = (): Promise<typeof Client> => later(() => import('./net/client.js'))

function thinOf({ thin }: OpenOptions): ThinOptions | undefined {
  return thin === true ? {} : thin === false ? undefined : thin
}

/** The store is open for as long as the space is: what fails on the way gives it back. */
async function onStore(location: StoreLocation, work: (store: Store) => Promise<SealedSpace>, opening?: StoreOpening): Promise<SealedSpace> {
  const store = await location.open(opening)
  return closeOnFailure(store, () => work(store))
}

async function closeOnFailure<T>(opened: { close(): Promise<void> }, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    await opened.close()
    throw error
  }
}

/** What a receipt proves, by column name. */
export interface OpenedReceipt extends DisclosedTable {
  readonly receipt: VerifiedReceipt
}

/**
 * Check a receipt, offline, and read its rows. Throws hostile codes if it proves nothing about the space that `trust` names, or nobody whom
 * `trust` believes stands behind it. (`sealdb/verify` has the check alone, for any page.)
 *
 * @example
 * const { rows } = await openReceipt(bytes, { spaceId })
 */
export async function openReceipt(bytes: Uint8Array, trust: ReceiptTrust, crypto?: CryptoProvider): Promise<OpenedReceipt> {
  expectObject(trust, 'whom to trust, { spaceId: … }')
  const [{ verifyReceipt }, { discloseRows }] = await later(() => Promise.all([import('./engine/space/receipt.js'), import('./query/receipts.js')]))
  const receipt = verifyReceipt(crypto ?? (await loadProvider()), bytes, trust)
  return { receipt, ...discloseRows(receipt) }
}

const EVENTS: readonly string[] = ['alert', 'state', 'settle']

/** Asked of a relay that there is one: no hash of a genesis is this. */
const NO_SPACE = new Uint8Array(32)
/** Milliseconds for a relay that may be gone to get a device in step before that goes elsewhere. */
const HEARD_WITHIN = 10_000

interface Parts { readonly space: SpaceOptions; readonly dial: Dial; readonly sql: Promise<Floor> }

async function partsOf(options: OpenOptions): Promise<Parts> {
  expectObject(options, 'options, { store: … }')
  if (typeof (options.store as Partial<StoreLocation> | undefined)?.open !== 'function') throw expected('a store: fileStore(directory), indexedDbStore(name) or memoryStore()', options.store)
  if (options.crypto !== undefined) expectObject(options.crypto, 'a provider of cryptography: await loadProvider(name)')
  const sql = loadFloor(options.database?.sqlite, import.meta.url)
  sql.catch(() => undefined) // whoever needs it waits for it, and is told; who fails before that has something else to tell
  const { random, now, dial } = options.unsafe ?? {}
  const space: SpaceOptions = {
    crypto: options.crypto ?? (await loadProvider()),
    random: random ?? ((length) => fillRandom(new Uint8Array(length))),
    now: now ?? (() => Date.now()),
  }
  return { space, dial: dial ?? defaultDial, sql }
}

/** `getRandomValues` gives at most 65,536 bytes a call (W3C Web Cryptography §10.1.1). */
function fillRandom(bytes: Uint8Array<ArrayBuffer>): Uint8Array {
  for (let at = 0; at < bytes.length; at += 65_536) globalThis.crypto.getRandomValues(bytes.subarray(at, at + 65_536))
  return bytes
}

/**
 * A space, open. SQL, members and history; synchronised with its relay in the background.
 *
 * @example
 * space.on('alert', ({ code, message }) => console.error(code, message))
 * await space.sql`INSERT INTO task (title) VALUES (${'ship it'})`
 * await space.settled()
 */
export class SealedSpace implements AsyncDisposable {
  /** SQL on the space: `query`, `exec`, `prepare`, `transaction`, `live` and more; the usual ones are below as well. */
  readonly db: Database
  /** The engine's space: for tools and tests. */
  readonly engine: Space
  readonly #options: OpenOptions
  readonly #parts: Parts
  /** A thin client has nothing to take one of. */
  readonly #snapshots: Snapshots | undefined
  #sync: Connection | undefined
  #state: SyncState = 'stopped'
  /** Why it stopped, if that was not asked for: it does not go on by itself. */
  #stopped: SealError | undefined
  /** Files beside the rows: photos, documents, whatever is too long for one. Sealed, verified, brought to the relay in the background. */
  readonly files: Files
  /** Who is here now, and messages that nobody keeps. */
  readonly presence: Presence
  readonly #present: Present
  /** What several people edit at once by a CRDT: its updates, as rows that never conflict. */
  readonly documents: Documents
  readonly #fileEntries: FileEntries
  readonly #transfer: FileTransfer
  readonly #groupDuties: Duties
  #duties: Promise<void> = Promise.resolve()
  readonly #stateListeners = new Set<(state: SyncState, error?: SealError) => void>()
  readonly #stops: (() => void)[] = []

  private constructor(engine: Space, db: Database, documentsOf: Floor['documentsOf'], options: OpenOptions, parts: Parts) {
    this.engine = engine
    this.db = db
    this.#options = options
    this.#parts = parts
    this.#snapshots = engine.remote ? undefined : new Snapshots(engine)
    this.#groupDuties = new Duties(engine)
    this.presence = this.#present = new Present(parts.space.now)
    const { files, entries } = openFiles(engine, { random: parts.space.random, source: (id, number) => this.#fetchChunk(id, number), holds: (id) => this.#transfer.holds(id), onLanded: () => this.#transfer.poke(), carried: () => this.#transfer.settled() })
    this.files = files
    this.#fileEntries = entries
    this.#transfer = new FileTransfer({ holder: entries, rpc: () => this.#sync?.rpc(), onRefused: ({ message, family, code, facts }) => engine.raise({ code: family === 'hostile' ? 'tampered' : 'files-refused', message, facts: { code: String(facts.code ?? code) } }) })
    entries.afterChange()
    this.documents = documentsOf(db, parts.space.random)
    this.query = db.query.bind(db)
    this.exec = db.exec.bind(db)
    this.prepare = db.prepare.bind(db)
    this.transaction = db.transaction.bind(db)
    this.batch = db.batch.bind(db)
    this.sql = db.sql.bind(db)
    this.live = db.live.bind(db)
    this.history = db.history.bind(db)
    this.at = db.at.bind(db)
    this.migrate = db.migrate.bind(db)
    this.export = db.export.bind(db)
    this.import = db.import.bind(db)
    this.dropObject = db.dropObject.bind(db)
    this.#stops.push(engine.on('change', ({ verified }) => { if (verified) this.#afterChange() }))
  }

  /** What `createSpace`, `openSpace` and `joinSpace` end with. */
  static async assemble(engine: Space, options: OpenOptions, parts: Parts): Promise<SealedSpace> {
    const { Database, documentsOf } = await parts.sql
    const space = new SealedSpace(engine, await Database.open(engine, options.database), documentsOf, options, parts)
    if (options.offline !== true && engine.relay !== undefined) space.connect()
    return space
  }

  // SQL: each as `Database` documents it.
  readonly query: Database['query']
  readonly exec: Database['exec']
  readonly prepare: Database['prepare']
  readonly transaction: Database['transaction']
  readonly batch: Database['batch']
  readonly sql: Database['sql']
  readonly live: Database['live']
  readonly history: Database['history']
  readonly at: Database['at']
  readonly migrate: Database['migrate']
  readonly export: Database['export']
  readonly dropObject: Database['dropObject']
  readonly import: Database['import']

  /**
   * A receipt for the rows of `SELECT * FROM table WHERE …`, which anybody can check offline (`openReceipt`). It opens those rows whole, and the
   * table's definition, to whoever gets to see it. Without a relay, rows can be proved from the next entry after them on.
   */
  async prove(text: string | TemplateStringsArray, ...values: ParameterValue[]): Promise<Uint8Array> {
    const { prove } = await later(() => import('./query/receipts.js'))
    return prove(this.db, this.engine, typeof text === 'string' ? text : text.join('?'), values)
  }

  /** 32 bytes: the hash of the genesis entry. */
  get id(): Uint8Array {
    return this.engine.id
  }
  /** This member and device; `id` is what `current_member()` gives in SQL. */
  get me(): { readonly id: MemberId; readonly device: number; readonly role: Role | undefined } {
    const { member, device, role } = this.engine.me
    return { id: member, device, role }
  }
  /** The verified head. */
  get head(): Head {
    return this.engine.head
  }
  /** Everybody who is or was in the space, by id; current ones are not `removed`. */
  get members(): readonly MemberView[] {
    return this.engine.current.members()
  }
  /** Every device that is or was, by id. */
  get devices(): readonly DeviceView[] {
    return this.engine.current.devices()
  }
  /** Invitations that still admit somebody, by number. */
  get invitations(): readonly InvitationView[] {
    return invitations(this.engine)
  }
  /** Devices that hold up the last `forget`: each keeps a key that opens what was forgotten until it next comes online. */
  get pendingForget(): readonly number[] {
    return pendingForget(this.engine)
  }
  /** Entries of this device that are not in the verified log yet. */
  get pending(): number {
    return this.engine.outbox().length
  }
  /** Of a thin client: how often it has asked the relay for rows, and how many bytes of proofs came. */
  get fetched(): RemoteCounters | undefined {
    return this.engine.remote?.counters
  }
  /** False on evidence against the relay, after removal, or under a newer protocol: reading goes on. */
  get writable(): boolean {
    return this.engine.writable
  }

  // ---- people --------------------------------------------------------------------------------------------------------------------

  /** A link that admits people with a role. A bearer secret. */
  async invite(options: Acts.InviteOptions): Promise<string> {
    return (await acts()).invite(this.engine, options)
  }
  /** A link that admits another device of this member. */
  async inviteDevice(options?: Parameters<typeof Acts.inviteDevice>[1]): Promise<string> {
    return (await acts()).inviteDevice(this.engine, options)
  }
  /** End an invitation, by its link or number, before it was used up: admins, and who made it. */
  async revokeInvitation(invitation: number | string): Promise<void> {
    const number = typeof invitation === 'string' ? parseLink(this.#parts.space.crypto, invitation).invitation : invitation
    return (await acts()).revokeInvitation(this.engine, number)
  }
  /** Remove a member with all devices, and start the epoch that keeps them out. What they could read, they may keep. */
  async remove(member: MemberId): Promise<{ readonly endedInvitations: readonly number[] }> {
    return (await acts()).remove(this.engine, { members: [member] })
  }
  /** Remove one device of a member, and start the epoch that keeps it out: one that was lost. */
  async removeDevice(device: number): Promise<{ readonly endedInvitations: readonly number[] }> {
    return (await acts()).remove(this.engine, { devices: [device] })
  }
  /** Admins only, and of roles up to their own. Throws `rejected` (role). */
  async setRole(member: MemberId, role: Role): Promise<void> {
    return (await acts()).setRole(this.engine, member, role)
  }
  /** Names that the other members see; the relay does not. */
  setProfile(profile: Profile): Promise<void> {
    return setProfile(this.engine, profile)
  }
  /** Leave the space with all devices; resolves when that is in the log. The next member who writes starts the epoch that keeps them out. */
  async leave(): Promise<void> {
    return (await acts()).leave(this.engine)
  }
  /**
   * A new secret for what is written from now on: heals after a compromise. `reblind`, by an admin: also for keys and unique values, so that who was removed can't test
   * guesses of them. That moves every row, in steps, while others go on; if it is cut short, any admin's next call goes on from there.
   */
  async rotate({ reblind = false, ...options }: Omit<Acts.ReblindOptions, 'nameOf'> & { readonly reblind?: boolean } = {}): Promise<void> {
    const act = await acts()
    if (!reblind) return act.rotate(this.engine)
    const { nameOfCatalogObject } = await this.#parts.sql
    return act.reblind(this.engine, { ...options, nameOf: nameOfCatalogObject })
  }
  /** How many names, rows and unique values are still under the older blinding secret, if the space is being re-blinded. */
  get reblinding(): { readonly left: number } | undefined {
    return reblinding(this.engine.currentState)
  }
  /** Make what was deleted or overwritten before now unreadable, also for whoever steals today's secrets. See README, "what is not promised". */
  async forget(options?: Parameters<typeof Acts.forget>[1]): ReturnType<typeof Acts.forget> {
    return (await acts()).forget(this.engine, options)
  }

  // ---- the relay -----------------------------------------------------------------------------------------------------------------

  /**
   * Attach the space to a relay, or move it there: owners only. Pins the key that the relay shows now. A move goes through the relay that the space is at, by
   * which everybody learns of it; resolves when it is in the log, and the connection goes over by itself. Throws `disconnected` if that relay can't be reached.
   *
   * `abandon`: without the former relay, which is gone, withholds, or has contradicted itself. The space goes on from what this device has verified; tell the others
   * where (`followTo`). Who has verified entries that the former relay took and this device has not seen has to join anew: so let the device that has seen most do it.
   */
  async attachRelay(url: string, { abandon = false }: { readonly abandon?: boolean } = {}): Promise<void> {
    const { rpc, name, publicKey, known } = await (await client()).greet(this.#parts.dial, url, this.id)
    rpc.close()
    const { first } = this.engine.store
    if (!known && (first > 0 || this.engine.remote !== undefined)) throw new SealError('out-of-scope', `The relay at ${url} does not hold this space yet, and this device joined from a snapshot: it lacks the ${first} entries before it. A member who has them can move the space.`, { url, first })
    const isMove = this.engine.relay !== undefined
    if (isMove && abandon) {
      const { takeThere } = await later(() => import('./net/elsewhere.js'))
      return this.#visit(async () => (await acts()).leaveRelay(this.engine, { url, name, publicKey }, () => takeThere(this.engine, this.#parts.dial, url)))
    }
    if (isMove && this.#state !== 'online') throw new SealError('disconnected', 'Moving a space goes through the relay that it is at, and that can’t be reached now. If it is gone for good, `abandon` leaves it; others have to be told then.', { url: this.engine.relay.url })
    await (await acts()).attachRelay(this.engine, { url, name, publicKey })
    if (!isMove && this.#options.offline !== true) this.connect()
  }

  /**
   * The space is at another relay by now, and the one that this device knows does not say so, being gone: go on at `url`, if an owner's entry in the log there says
   * that it is where the space is. Resolves when what is there is verified as far as that entry; the rest comes as ever. Throws `relay-refused` if it is not there
   * (`unknown-space`, `not-moved`), `fork` if it left without entries that are verified here. The relay that is known is heard before, if it answers: it may have the
   * removal of that owner. If it does not, make sure that whoever says where the space is still owns it.
   */
  async followTo(url: string): Promise<void> {
    const { followThere } = await later(() => import('./net/elsewhere.js'))
    await this.#visit(() => followThere(this.engine, this.#parts.dial, url), () => this.#hearRelay())
  }

  /** In step with the relay that the log names, as far as that answers. */
  async #hearRelay(): Promise<void> {
    if (this.#state === 'online') return
    await this.disconnect() // it may wait for its next attempt
    this.connect()
    await new Promise<void>((resolve) => {
      const heard = (state: SyncState): void => {
        if (state === 'connecting') return
        clearTimeout(timer)
        stop()
        resolve()
      }
      const timer = setTimeout(() => heard('offline'), HEARD_WITHIN)
      const stop = this.on('state', heard)
      heard(this.#state)
    })
  }

  /** With no connection to the relay that the space is still at. */
  async #visit(work: () => Promise<void>, before: () => Promise<void> = () => Promise.resolve()): Promise<void> {
    const wasConnected = this.#sync !== undefined
    await before()
    await this.disconnect()
    try {
      await work()
    } finally {
      if (wasConnected && !this.engine.ending.aborted) this.connect()
    }
  }

  /** Start synchronising, if the space has a relay. */
  connect(): void {
    if (this.engine.ending.aborted) throw new SealError('bad-argument', 'This space was closed.')
    if (this.#sync || this.engine.relay === undefined) return
    const { dial, space } = this.#parts
    const connection = new Connection(this.engine, {
      dial, random: space.random, now: space.now,
      ...(this.#options.onProgress && { onProgress: this.#options.onProgress }),
      onState: (state, error) => {
        // One that is about to stop has no say once there is another.
        if (this.#sync === undefined || this.#sync === connection) this.#setState(state, error)
      },
    }, (channel) => this.#present.attach(channel))
    this.#sync = connection
  }

  /** Stop synchronising; everything works on, offline. */
  async disconnect(): Promise<void> {
    const sync = this.#sync
    this.#sync = undefined
    this.#present.attach(undefined)
    await sync?.stop()
  }

  /**
   * The relay lost entries that this device has verified, and has taken others since (alert `fork`): accept that, as an admin. Every device goes over when
   * it next connects, and writes what it had lost again, unless it conflicts. Removals and admissions of the lost part have to be made again.
   */
  async acceptRollback(): Promise<Resumed> {
    if (!this.#sync) throw new SealError('disconnected', 'Accepting a rollback needs the relay: connect first.')
    if (this.engine.remote !== undefined) throw new SealError('out-of-scope', 'A thin client has no entries to compare: accept it on a replica; this device joins anew.')
    const { fetchBranch } = await later(() => import('./net/branch.js'))
    const branch = await fetchBranch(this.engine, this.#parts.dial)
    if (this.engine.evidence.length > 0 || branch.from < this.engine.head.size) {
      try {
        return await this.engine.resume(branch) // somebody else has accepted it already
      } catch (error) {
        if (!isSealError(error, 'fork')) throw error
      }
    }
    return (await acts()).acceptRollback(this.engine, branch)
  }

  /**
   * Judge every entry from the first, every signature included, in the background: who joined from a snapshot takes nobody's word for it afterwards.
   * Entries that are not held here are asked of the relay, and not kept. `unsound` raises the alert `tampered`, too.
   */
  async auditHistory(options: AuditOptions = {}): Promise<HistoryReport> {
    const { auditFromRelay } = await later(() => import('./net/audit.js'))
    return auditFromRelay(this.engine, this.#parts.dial, options)
  }

  /** How far `connect` has come. */
  get connection(): SyncState {
    return this.#state
  }

  /** Resolves when everything written here is in the verified log (or was rejected there); at once without a relay. Throws `disconnected` if the space is closed before. */
  async settled(): Promise<void> {
    while (this.engine.outbox().length > 0) {
      await whileOpen(this.engine, new Promise<void>((resolve) => {
        const stop = this.engine.on('settle', () => {
          stop()
          resolve()
        })
      }))
    }
  }

  /** Resolves when connected and in step with the relay's head. Throws `disconnected` if the space is closed before; what ended the synchronisation for good, `relay-refused` after a removal. */
  async online(): Promise<void> {
    if (this.#state === 'online') return
    if (this.#stopped !== undefined) throw this.#stopped
    await whileOpen(this.engine, new Promise<void>((resolve, reject) => {
      const stop = this.on('state', (state) => {
        if (state !== 'online' && this.#stopped === undefined) return
        stop()
        if (this.#stopped === undefined) resolve()
        else reject(this.#stopped)
      })
    }))
  }

  /** The relay or another device did what it must not, with evidence where there is any. Returns what stops the listening. */
  on(event: 'alert', listener: (alert: Alert) => void): () => void
  /** The connection changed; `error` is why it ended. */
  on(event: 'state', listener: (state: SyncState, error?: SealError) => void): () => void
  /** An entry of this device, by its hash, came further. */
  on(event: 'settle', listener: (detail: { readonly hash: Uint8Array; readonly state: SettleState }) => void): () => void
  on(event: 'alert' | 'state' | 'settle', listener: (...details: never[]) => void): () => void {
    expectFunction(listener, 'a listener')
    if (!EVENTS.includes(event)) throw new SealError('bad-argument', `Expected an event (${EVENTS.join(', ')}).`)
    if (event !== 'state') return this.engine.on(event as 'alert' | 'settle', listener as (detail: SpaceEvents['alert' | 'settle']) => void)
    const added = listener as (state: SyncState, error?: SealError) => void
    this.#stateListeners.add(added)
    return () => { this.#stateListeners.delete(added) }
  }

  /** Waits for what is under way, keeps what is pending, closes the store; that also if it throws, `store-corrupt` or `store-failed`, since the disk failed meanwhile. */
  async close(): Promise<void> {
    for (const stop of this.#stops.splice(0)) stop()
    try {
      await this.disconnect()
      // A duty may wait for the log, which goes on no more.
      this.engine.endWaits()
      await this.#transfer.stop()
      await this.#fileEntries.close()
      await this.#duties
      await this.db.close()
      await this.#snapshots?.finish()
    } finally {
      // Whatever failed before: a store that nobody closes could not be opened again.
      await this.engine.close()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #setState(state: SyncState, error?: SealError): void {
    this.#state = state
    this.#stopped = state === 'stopped' ? error : undefined
    if (state === 'online') this.#transfer.poke()
    for (const listener of [...this.#stateListeners]) listener(state, error)
  }

  /** Whoever has just opened or joined need not wait for the connection before they ask for content. */
  async #fetchChunk(id: Uint8Array, number: number): ReturnType<FileTransfer['fetch']> {
    if (this.#state === 'connecting') {
      await new Promise<void>((resolve) => {
        const stop = this.on('state', () => {
          stop()
          resolve()
        })
      })
    }
    return this.#transfer.fetch(id, number)
  }

  /** What the group expects of every device, and a snapshot now and then; one thing at a time. */
  #afterChange(): void {
    this.#fileEntries.afterChange()
    this.#duties = this.#duties
      .then(async () => {
        await this.#groupDuties.afterChange()
        if (this.engine.writable) await this.#snapshots?.afterChange()
      })
      .catch((error: unknown) => {
        // Somebody else may have been faster; the next change asks again. Anything unexpected is told.
        if (!(error instanceof SealError) || error.family === 'bug') queueMicrotask(() => { throw error })
      })
  }
}
