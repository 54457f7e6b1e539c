/**
 * The secrets a device holds: its agreement key, D and L of each epoch it can open, the blinding secrets. It opens them from a state, never
 * from the log: the current epoch from the device's own pair, older ones along the history links, each checked against the commitment in its
 * epoch's record. What does not open, or opens to the wrong thing, is told and its author named; repairs and earlier boxes are tried.
 *
 * Synchronous, without randomness or clock; changes only in `open`, `settle`, `stageAgreement` and `destroy`. `encode` gives everything as
 * secret bytes, to be stored sealed. Destroyed secrets are overwritten, as far as JavaScript lets one: see the non-promises in PROTOCOL.md.
 *
 * Over 400 lines: what is held and how it is opened, checked and destroyed are one set of secrets, of which none should be handed around.
 */
import { equalBytes } from '../codec/bytes.js'
import { decodeCanonical, Writer } from '../codec/canonical.js'
import { checkLength } from '../crypto/checks.js'
import { deriveEpochSecrets, deriveTableKey } from '../crypto/kdf.js'
import { type AgreementKey, agreementKey, openPair } from '../crypto/verifiable.js'
import { SealError } from '../errors.js'
import { MAX_ID } from '../state/keys.js'
import type { BoxKind } from './boxes.js'
import { type Carried, carriedBoxes, isCommitted, type KeyringEnv, openBlinding, openLink } from './carried.js'
import { epochSpaceId } from './contexts.js'
import { type EpochRecord, readEpoch } from './epochs.js'
import { readGrave } from './graves.js'
import type { HistoryItem } from './history.js'
import { type GroupReader, newestEpoch, readDevice, readMeta, readPairOf } from './roster.js'
import { commitBlinding } from './secrets.js'

export type { KeyringEnv } from './carried.js'

/**
 * Something in the state that does not hold what it should. `device` made it.
 * `commitment`: an epoch's record commits to other secrets than its delivery gives. `link`, `blinding`: a box that does not open, or to
 * something else than is committed to.
 */
export interface KeyringProblem {
  readonly kind: 'commitment' | BoxKind
  readonly epoch: number
  readonly device: number
}

/**
 * Does D open what members sealed in that epoch? Asked only where a link disagrees with a commitment, to tell which of the two lies:
 * `true` if some row of the epoch opens with it, `false` if rows were tried and none did, `undefined` if there is none to try.
 */
export type EpochProbe = (epoch: number, data: Uint8Array) => boolean | undefined

interface Held {
  /** C0 of the epoch's delivery: secrets of a delivery that did not survive are not taken for those of the one that did. */
  readonly c0: Uint8Array
  readonly data: Uint8Array
  readonly link: Uint8Array | undefined
}

const VERSION = 1
const MAX_HELD = 1_000_000

export class Keyring {
  readonly #env: KeyringEnv
  #agreementSeed: Uint8Array
  /** Of the seed; made when it is asked for first, since it costs what a hundred rows do. */
  #agreementMade: AgreementKey | undefined
  #stagedSeed: Uint8Array | undefined
  readonly #epochs = new Map<number, Held>()
  readonly #blinding = new Map<number, Uint8Array>()
  readonly #derivedKeys = new Map<string, Uint8Array>()
  /** C0 of the newest epoch when everything was found open; undefined while something is missing. */
  #complete: Uint8Array | undefined
  #lacking = false
  #learned = 0

  /** `agreementSeed`: the 32 random bytes that the device's agreement key derives from. Copied. */
  constructor(env: KeyringEnv, agreementSeed: Uint8Array) {
    this.#env = env
    this.#agreementSeed = agreementSeed.slice()
    checkLength(agreementSeed, 32, 'agreement seed')
  }

  /** From `encode`. Throws `bad-encoding`, `unsupported-version`. */
  static decode(env: KeyringEnv, bytes: Uint8Array): Keyring {
    return decodeCanonical(bytes, (r) => {
      const version = r.u8()
      if (version !== VERSION) throw new SealError('unsupported-version', `Expected a keyring of version ${VERSION}.`, { version })
      const keyring = new Keyring(env, r.fixed(32))
      keyring.#stagedSeed = r.optional((x) => x.fixed(32).slice())
      const epochs = r.list(MAX_HELD, (x) => [x.varint(MAX_ID), x.fixed(32).slice(), x.fixed(32).slice(), x.optional((y) => y.fixed(32).slice())] as const, 66)
      for (const [epoch, c0, data, link] of epochs) keyring.#epochs.set(epoch, { c0, data, link })
      const blinding = r.list(MAX_HELD, (x) => [x.varint(MAX_ID), x.fixed(32).slice()] as const, 33)
      for (const [generation, secret] of blinding) keyring.#blinding.set(generation, secret)
      return keyring
    })
  }

  /** Everything, in the clear: seal it before it touches a disk, and replace what was stored after `settle` or `destroy`. */
  encode(): Uint8Array {
    const byNumber = <T>(map: ReadonlyMap<number, T>) => [...map].sort(([a], [b]) => a - b)
    // Not `encodeCanonical`: that keeps its buffer.
    const w = new Writer(1_024).u8(VERSION).fixed(this.#agreementSeed, 32).optional(this.#stagedSeed, (x, seed) => x.fixed(seed, 32))
    w.list(byNumber(this.#epochs), MAX_HELD, (x, [epoch, held]) => {
      x.varint(epoch).fixed(held.c0, 32).fixed(held.data, 32).optional(held.link, (y, link) => y.fixed(link, 32))
    })
    w.list(byNumber(this.#blinding), MAX_HELD, (x, [generation, secret]) => x.varint(generation).fixed(secret, 32))
    return w.finish()
  }

  /** Public agreement key that the device is known by; seed of the one that will take its place, which an entry on its way may publish: try again with it. */
  get agreement(): Uint8Array {
    return this.#agreement.publicKey
  }
  get #agreement(): AgreementKey {
    return (this.#agreementMade ??= agreementKey(this.#env.crypto, this.#agreementSeed))
  }
  get stagedSeed(): Uint8Array | undefined {
    return this.#stagedSeed?.slice()
  }

  /** Epochs whose data can be read, ascending. */
  get epochs(): readonly number[] {
    return [...this.#epochs.keys()].sort((a, b) => a - b)
  }

  /** Something that the state last opened should give was not to be had: a repair may bring it, within the same epoch. */
  get lacking(): boolean {
    return this.#lacking
  }

  /** Counts secrets as they come: what did not open may open once it has grown. Not kept over a restart. */
  get learned(): number {
    return this.#learned
  }

  /**
   * Open whatever this state lets the device open, and keep it. Idempotent and cheap when there is nothing new. The state may be ahead of
   * the verified one: secrets of an epoch that does not land are replaced by those of the one that does.
   */
  open(state: GroupReader, probe?: EpochProbe): readonly KeyringProblem[] {
    const { epoch, record } = newestEpoch(state)
    this.#lacking = this.#complete === undefined || !equalBytes(this.#complete, record.c0)
    if (!this.#lacking) return []
    const problems: KeyringProblem[] = []
    this.#dropUndelivered(epoch)
    this.#openOwn(state, problems)
    // What those who were there don't need may still lock out those who come: it is checked as soon as the epoch is open.
    problems.push(...this.check(state))
    this.#followLinks(state, problems, probe)
    this.#openBlinding(state, problems)
    if (this.#holdsAll(state, readMeta(state).firstEpoch, epoch + 1) && record.generations.every((g) => this.#blinding.has(g.generation))) {
      this.#complete = record.c0.slice()
      this.#lacking = false
    }
    return problems
  }

  /**
   * What the newest epoch carries that contradicts what this keyring holds already, where no repair has put it right yet: whoever knows
   * better gives one (`buildRepairs`). Says nothing of what the keyring could not know.
   */
  check(state: GroupReader): readonly KeyringProblem[] {
    const { epoch, record } = newestEpoch(state)
    const link = this.#epochs.get(epoch)?.link
    if (link === undefined) return []
    const problems: KeyringProblem[] = []
    const carried = record.linksFrom >= readMeta(state).firstEpoch && this.#holdsAll(state, record.linksFrom, epoch)
    const sameItem = (item: HistoryItem) => this.#isHeld(item)
    const rightLink = (each: Carried) => openLink(this.#env, link, epoch, record.linksFrom, each)?.every(sameItem) === true
    if (record.link.length > 0 && carried && !carriedBoxes(state, epoch, record, 'link').some(rightLink)) problems.push({ kind: 'link', epoch, device: record.author })
    const known = record.generations.every(({ generation }) => this.#blinding.has(generation))
    const rightBlinding = (each: Carried) =>
      openBlinding(this.#env, link, epoch, record, each)?.every((secret, i) => this.#isBlinding(record, i, secret)) === true
    if (known && !carriedBoxes(state, epoch, record, 'blinding').some(rightBlinding)) problems.push({ kind: 'blinding', epoch, device: record.author })
    return problems
  }

  /**
   * Catch up with a verified state, once: destroy what it says is forgotten, and if a staged agreement key has been admitted, destroy the one
   * before it. Not for a state with pending entries. True if something went: store the keyring again.
   */
  settle(state: GroupReader): boolean {
    let changed = false
    const staged = this.#stagedSeed
    if (staged !== undefined && this.#deviceKey(state)?.seed === staged) {
      this.#agreementSeed.fill(0)
      this.#agreementSeed = staged
      this.#agreementMade = undefined
      this.#stagedSeed = undefined
      changed = true
    }
    const { firstEpoch } = readMeta(state)
    const { record } = newestEpoch(state)
    return this.destroy(firstEpoch, record.lastForget) || changed
  }

  /**
   * Destroy D of every epoch before `before`, and L of every epoch before `linksBefore` (default: the same). The point of no return: what
   * was sealed there can't be read here again. True if there was anything.
   */
  destroy(before: number, linksBefore: number = before): boolean {
    let changed = false
    for (const [epoch, held] of this.#epochs) {
      if (epoch < linksBefore && held.link !== undefined) {
        held.link.fill(0)
        this.#epochs.set(epoch, { ...held, link: undefined })
        changed = true
      }
      if (epoch >= before) continue
      held.data.fill(0)
      this.#epochs.delete(epoch)
      changed = true
    }
    if (changed) this.#clearDerivedKeys()
    return changed
  }

  /** Put by a fresh agreement seed, to be published by `agreement.refresh`; both keys open from now on until `settle` sees it admitted. */
  stageAgreement(seed: Uint8Array): void {
    this.#stagedSeed?.fill(0)
    this.#stagedSeed = seed.slice()
  }

  /** D of an epoch. Throws `no-secret`. The array is the keyring's own: don't keep or change it. */
  dataSecret(epoch: number): Uint8Array {
    return this.#held(epoch).data
  }

  /** L of an epoch. Throws `no-secret`. As `dataSecret`. */
  linkSecret(epoch: number): Uint8Array {
    const { link } = this.#held(epoch)
    if (link === undefined) throw noSecret('link', epoch)
    return link
  }

  holds(epoch: number): boolean {
    return this.#epochs.has(epoch)
  }

  /** The data key of a table (0: names) in an epoch. Throws `no-secret`. Cached until something is destroyed. */
  tableKey(epoch: number, table: number): Uint8Array {
    return this.derived(`${epoch}/${table}`, () => deriveTableKey(this.#env.crypto, this.dataSecret(epoch), table))
  }

  /** A key that `derive` makes of what is held here, kept under a name until something is destroyed: ask again for each use. */
  derived(name: string, derive: () => Uint8Array): Uint8Array {
    let key = this.#derivedKeys.get(name)
    if (key === undefined) this.#derivedKeys.set(name, (key = derive()))
    return key
  }

  /** The blinding secret of a generation. Throws `no-secret`. As `dataSecret`. */
  blinding(generation: number): Uint8Array {
    const secret = this.#blinding.get(generation)
    if (secret === undefined) throw noSecret('blinding', generation)
    return secret
  }

  /** The agreement key by which the state knows this device: the current or the staged one. Throws `no-secret` if it knows neither. */
  agreementIn(state: Pick<GroupReader, 'get'>): AgreementKey {
    const found = this.#deviceKey(state)
    if (found === undefined) throw noSecret('agreement', 0)
    return found.key
  }

  #held(epoch: number): Held {
    const held = this.#epochs.get(epoch)
    if (held === undefined) throw noSecret('epoch', epoch)
    return held
  }

  #deviceKey(state: Pick<GroupReader, 'get'>): { readonly id: number; readonly key: AgreementKey; readonly seed: Uint8Array } | undefined {
    const staged = this.#stagedSeed
    const own = { key: this.#agreement, seed: this.#agreementSeed }
    const candidates = staged === undefined ? [own] : [{ key: agreementKey(this.#env.crypto, staged), seed: staged }, own]
    for (const candidate of candidates) {
      const grave = readGrave(state, candidate.key.publicKey)
      if (grave?.holder !== 'device' || grave.use !== 'agreement') continue
      const device = readDevice(state, grave.id)
      if (device !== undefined && equalBytes(device.agreement, candidate.key.publicKey)) return { id: grave.id, ...candidate }
    }
    return undefined
  }

  /** Epochs after the newest, of a branch that did not survive. Those of a newer state are opened again when it is shown. */
  #dropUndelivered(newest: number): void {
    for (const epoch of this.#epochs.keys()) {
      if (epoch <= newest) continue
      this.#epochs.delete(epoch)
      this.#clearDerivedKeys()
    }
  }

  /** S from the own pair. The delivery was verified, so secrets that miss the commitment convict the commitment. */
  #openOwn(state: GroupReader, problems: KeyringProblem[]): void {
    // A keyring that was stored holds it already: then the own key need not be made.
    const newest = newestEpoch(state)
    if (this.#epochs.get(newest.epoch)?.link !== undefined && this.#holdsAll(state, readMeta(state).firstEpoch, newest.epoch + 1)) return
    const own = this.#deviceKey(state)
    const pair = own === undefined ? undefined : readPairOf(state, 0, own.id)
    const record = pair === undefined ? undefined : readEpoch(state, pair.epoch)
    if (own === undefined || pair === undefined || record === undefined) return
    const { epoch } = pair
    const held = this.#epochs.get(epoch)
    if (held?.link !== undefined && equalBytes(held.c0, record.c0)) return
    const { crypto, spaceId } = this.#env
    const secrets = deriveEpochSecrets(crypto, openPair(crypto, pair, own.key), epochSpaceId(spaceId, epoch), epoch)
    if (!isCommitted(this.#env, epoch, record, secrets)) problems.push({ kind: 'commitment', epoch, device: record.author })
    this.#keep(epoch, record, secrets)
  }

  #followLinks(state: GroupReader, problems: KeyringProblem[], probe: EpochProbe | undefined): void {
    const { firstEpoch } = readMeta(state)
    let { epoch, record } = newestEpoch(state)
    while (epoch > firstEpoch && record.link.length > 0) {
      const from = Math.max(record.linksFrom, firstEpoch)
      if (!this.#holdsAll(state, from, epoch)) this.#openLink(state, epoch, record, problems, probe)
      const earlier = readEpoch(state, from)
      if (earlier === undefined || !this.#epochs.has(from)) return
      epoch = from
      record = earlier
    }
  }

  /** Everything that the link of an epoch could add is here: of a forget's link, no L is to be had. */
  #holdsAll(state: GroupReader, from: number, epoch: number): boolean {
    for (let e = from; e < epoch; e++) {
      const held = this.#epochs.get(e)
      const record = readEpoch(state, e)
      if (held === undefined || record === undefined || !equalBytes(held.c0, record.c0)) return false
    }
    return true
  }

  #openLink(state: GroupReader, epoch: number, record: EpochRecord, problems: KeyringProblem[], probe: EpochProbe | undefined): void {
    const link = this.#epochs.get(epoch)?.link
    if (link === undefined) return
    for (const carried of carriedBoxes(state, epoch, record, 'link')) {
      const items = openLink(this.#env, link, epoch, record.linksFrom, carried)
      const doubtful = items === undefined ? [] : items.filter((item) => !this.#take(state, item))
      if (items !== undefined && doubtful.length === 0) return
      // The link and the epoch it leads to contradict each other. Only what was sealed there tells which of them lies.
      const vindicated = doubtful.length > 0 && doubtful.every((item) => probe?.(item.epoch, item.data) === true)
      if (!vindicated) {
        problems.push({ kind: 'link', epoch, device: carried.device })
        continue
      }
      for (const item of doubtful) {
        const target = readEpoch(state, item.epoch)
        if (target === undefined) continue
        problems.push({ kind: 'commitment', epoch: item.epoch, device: target.author })
        this.#keep(item.epoch, target, item)
      }
      return
    }
  }

  /** Keep the secrets of an item if its epoch commits to them. One that is forgotten meanwhile is passed over. */
  #take(state: GroupReader, item: HistoryItem): boolean {
    const record = readEpoch(state, item.epoch)
    if (record === undefined) return true
    if (!isCommitted(this.#env, item.epoch, record, item)) return false
    this.#keep(item.epoch, record, item)
    return true
  }

  #openBlinding(state: GroupReader, problems: KeyringProblem[]): void {
    const newest = newestEpoch(state)
    const missing = () => newest.record.generations.filter((g) => !this.#blinding.has(g.generation))
    const { firstEpoch } = readMeta(state)
    // Each epoch carries them again, so if the last one to carry them did it wrong, the one before will do.
    for (let epoch = newest.epoch; epoch >= firstEpoch && missing().length > 0; epoch--) {
      const record = readEpoch(state, epoch)
      const link = this.#epochs.get(epoch)?.link
      if (record === undefined || link === undefined) return
      for (const carried of carriedBoxes(state, epoch, record, 'blinding')) {
        if (missing().length === 0) return
        if (!this.#takeBlinding(record, openBlinding(this.#env, link, epoch, record, carried))) problems.push({ kind: 'blinding', epoch, device: carried.device })
      }
    }
  }

  #takeBlinding(record: EpochRecord, secrets: readonly Uint8Array[] | undefined): boolean {
    const { crypto, spaceId } = this.#env
    if (secrets === undefined) return false
    let sound = true
    record.generations.forEach(({ generation, commitment }, i) => {
      const secret = secrets[i] as Uint8Array
      if (equalBytes(commitBlinding(crypto, spaceId, generation, secret), commitment)) {
        if (!this.#blinding.has(generation)) this.#learned++
        this.#blinding.set(generation, secret)
      } else sound = false
    })
    return sound
  }

  #isBlinding(record: EpochRecord, i: number, secret: Uint8Array): boolean {
    const held = this.#blinding.get(record.generations[i]?.generation ?? 0)
    return held !== undefined && equalBytes(held, secret)
  }

  #isHeld(item: HistoryItem): boolean {
    const held = this.#epochs.get(item.epoch)
    if (held === undefined || !equalBytes(held.data, item.data)) return false
    return item.link === undefined || held.link === undefined || equalBytes(held.link, item.link)
  }

  #keep(epoch: number, record: EpochRecord, secrets: { readonly data: Uint8Array; readonly link: Uint8Array | undefined }): void {
    const before = this.#epochs.get(epoch)
    const same = before !== undefined && equalBytes(before.c0, record.c0)
    if (!same) this.#clearDerivedKeys()
    if (!same || !equalBytes(before.data, secrets.data)) this.#learned++
    // The link after a forget brings no L: until `settle` destroys it, the one already here stays.
    this.#epochs.set(epoch, { c0: record.c0.slice(), data: secrets.data, link: secrets.link ?? (same ? before.link : undefined) })
  }

  #clearDerivedKeys(): void {
    for (const key of this.#derivedKeys.values()) key.fill(0)
    this.#derivedKeys.clear()
  }
}

function noSecret(what: 'epoch' | 'link' | 'blinding' | 'agreement', number: number): SealError {
  return new SealError('no-secret', `This device holds no ${what} secret of number ${number}.`, { what, number })
}
