/** Whether devices contradict themselves: an entry that was rejected for its base, beside one of the same device on the history verified here. */
import { equalBytes } from '../codec/bytes.js'
import { SealError } from '../errors.js'
import { readDevice } from '../group/roster.js'
import { MAX_VOUCHER_LENGTH } from '../limits.js'
import type { SpaceCore } from './core.js'
import { DEVICE_EVIDENCE_VERSION, encodeDeviceEvidence, verifyDeviceEvidence, type VerifiedEquivocation } from './device-evidence.js'
import { decodeRecord } from './entry.js'
import { isLost, readLostBranches } from './lost-branch.js'
import type { Followed } from './follower.js'
import { suspectName, NAMES } from './persist.js'
import type { DeviceId, Head } from './types.js'

interface Statement {
  readonly base: Head
  readonly index: number
  /** A thin client's: it keeps no entries. */
  readonly record: Uint8Array | undefined
}

/** Devices whose false bases are remembered until they sign another: more would be a flood. */
const MAX_SUSPECTS = 64
/** What a thin client holds of entries meanwhile: each at most so long, and of those on our history so much in all, the latest. */
const MAX_HELD_LENGTH = 64 * 1024
const MAX_HELD_BYTES = 4 * 1024 * 1024

export class DeviceWatch {
  readonly #core: SpaceCore
  /** Where each device's entry with the largest base of ours lies, as far as this process has seen. */
  readonly #honest = new Map<DeviceId, Statement>()
  readonly #false = new Map<DeviceId, Statement>()
  #heldBytes = 0

  constructor(core: SpaceCore) {
    this.#core = core
    for (const name of core.store.names(NAMES.suspect)) {
      const evidence = core.store.get(name) as Uint8Array
      const equivocation = verifyDeviceEvidence(core.env.crypto, evidence)
      if (!this.#isSettled(equivocation)) this.#alert(equivocation, evidence)
    }
  }

  /** Records of the verified log from `first` on. What is found is proved and told later: nothing here waits or fails. */
  watch(first: number, records: readonly Uint8Array[], verdicts: readonly Followed[]): void {
    const holds = this.#core.remote !== undefined
    records.forEach((record, i) => {
      const verdict = verdicts[i]?.verdict
      if (verdict === undefined || verdict.kind === 'ignored' || record.length > (holds ? MAX_HELD_LENGTH : MAX_VOUCHER_LENGTH)) return
      const decoded = decodeRecord(record)
      if (decoded.kind !== 'entry' || decoded.entry.device === 0 || decoded.entry.adopted) return
      const { device, base } = decoded.entry
      const statement = { base: { size: base.size, logRoot: base.logRoot.slice(), stateRoot: base.stateRoot.slice() }, index: first + i, record: holds ? record.slice() : undefined }
      const isFalse = verdict.kind === 'rejected' && verdict.code === 'base' && this.#contradicts(statement.base)
      if (isFalse && (this.#false.has(device) || this.#false.size < MAX_SUSPECTS)) this.#false.set(device, statement)
      else if (verdict.kind === 'applied' && base.size >= (this.#honest.get(device)?.base.size ?? 0)) this.#remember(device, statement)
      const [lie, truth] = [this.#false.get(device), this.#honest.get(device)]
      if (lie === undefined || truth === undefined || truth.base.size < lie.base.size) return
      this.#false.delete(device)
      void this.#core.lock.run(() => this.#prove(device, lie, truth)).catch((error: unknown) => this.#core.failLater(error))
    })
  }

  #remember(device: DeviceId, statement: Statement): void {
    this.#heldBytes += (statement.record?.length ?? 0) - (this.#honest.get(device)?.record?.length ?? 0)
    this.#honest.delete(device)
    this.#honest.set(device, statement)
    for (const [oldest, { record }] of this.#honest) {
      if (this.#heldBytes <= MAX_HELD_BYTES) return
      this.#honest.delete(oldest)
      this.#heldBytes -= record?.length ?? 0
    }
  }

  /** Evidence that another member found. True if it is news. Throws as `verifyDeviceEvidence`, and `bad-proof` for a key that is not that device's. */
  async observe(evidence: Uint8Array): Promise<boolean> {
    const { env, standing, store, views } = this.#core
    const equivocation = verifyDeviceEvidence(env.crypto, evidence)
    if (!equalBytes(equivocation.spaceId, env.spaceId)) return false
    const device = readDevice(views.verified.held.tree, equivocation.device)
    if (device === undefined || !equalBytes(device.signing, equivocation.publicKey)) throw new SealError('bad-proof', 'Expected the key of that device of this space.', { device: equivocation.device })
    if (standing.closed || this.#isSettled(equivocation) || store.get(suspectName(equivocation.device)) !== undefined) return false
    this.#alert(equivocation, evidence)
    await this.#core.durable({ put: [[suspectName(equivocation.device), evidence.slice()]] })
    return true
  }

  /** Not a head of our history, at a size of it. */
  #contradicts(base: Head): boolean {
    const { follower: { log, head } } = this.#core
    return base.size > 0 && base.size >= log.start && base.size <= head.size && !equalBytes(log.root(base.size), base.logRoot)
  }

  async #prove(device: DeviceId, lie: Statement, truth: Statement): Promise<void> {
    const { env, store, follower: { log }, standing, views } = this.#core
    const signer = readDevice(views.verified.held.tree, device)
    if (standing.closed || signer === undefined) return
    const [smaller, larger] = await Promise.all([lie, truth].map(async ({ index, record }) => record ?? ((await store.read(index, index + 1))[0] as Uint8Array))) as [Uint8Array, Uint8Array]
    const same = lie.base.size === truth.base.size
    const evidence = encodeDeviceEvidence({
      spaceId: env.spaceId, device, publicKey: signer.signing, smaller, larger,
      root: log.root(lie.base.size), proof: same ? [] : log.consistencyProof(lie.base.size, truth.base.size),
    })
    await this.observe(evidence)
  }

  #isSettled({ bases }: VerifiedEquivocation): boolean {
    const { env, views } = this.#core
    return readLostBranches(views.verified.held.tree).some((branch) => bases.some((base) => isLost(env.crypto, branch, base)))
  }

  #alert({ device }: VerifiedEquivocation, evidence: Uint8Array): void {
    this.#core.alert({ code: 'equivocation', message: `Device ${device} has signed two different histories of this space. Nothing stops; its owner should know, and an admin may remove it. The evidence is attached.`, evidence, facts: { device } })
  }
}

/** Which kind of evidence bytes claim to be. */
export function isDeviceEvidence(evidence: Uint8Array): boolean {
  return evidence[0] === DEVICE_EVIDENCE_VERSION
}

