/**
 * Whose signatures are looked at together before a group is judged. The more there are, the less each costs; but where one is bad, all that were looked at
 * with it cost more. So whoever has sent a bad one is looked at apart from then on, and spoils nothing but its own. Where a thread of its own does it, looking goes
 * ahead of judging by two batches, whole ones while enough has been looked at: a thread that took whatever there is would be done sooner, and take twice as long.
 */
import type { Aside } from './ledger.js'

/** A record on its way to being judged. */
export interface Sent {
  readonly record: Uint8Array
  /** Whoever sent it, as far as that was proved. */
  readonly sender: string
}

export interface Looked extends Sent {
  /** Not begun with; under way (to be awaited); done. */
  look: 'waiting' | Promise<void> | 'done'
  /** What came of it. A lone record is left to whoever judges it. */
  aside: Aside | undefined
}

type Look = (records: readonly Uint8Array[]) => Promise<readonly Aside[]>

/** Names kept; a space has fewer devices by far. */
const MAX_APART = 10_000
/** Records of a batch, and about their bytes. */
const MAX_BATCH = 128
const MAX_BATCH_BYTES = 4 * 1024 * 1024
/** Fewer are not looked at ahead: more may come. */
const FEWEST_AHEAD = 16
const BATCHES_AHEAD = 2
/** While judging has so many before it that were looked at, a batch is begun whole only: judging these takes longer than looking at that. */
const ENOUGH_AHEAD = 64

export class Looking {
  readonly #look: Look
  readonly #isAhead: () => boolean
  readonly #apart = new Set<string>()
  /** In the order of their coming. */
  #waiting: Looked[] = []
  #underWay = 0
  /** Records that were looked at, or are being, and that nobody has asked for yet; about, since some are asked for twice. */
  #unasked = 0

  /** `isAhead`: somebody else does the looking, so that it may begin before it is asked for. */
  constructor(look: Look, isAhead: () => boolean = () => false) {
    this.#look = look
    this.#isAhead = isAhead
  }

  /** It has come in, to be judged after those before; after all that came at once, `ahead`. */
  came(looked: Looked): void {
    this.#waiting.push(looked)
  }

  /** Begin with what has come in, if somebody else does it. */
  ahead(): void {
    while (this.#underWay < BATCHES_AHEAD && this.#waiting.length >= (this.#unasked < ENOUGH_AHEAD ? FEWEST_AHEAD : MAX_BATCH) && this.#isAhead()) this.#batch()
  }

  /** To be awaited before its turn, unless it is done: looks, too, at what came before it and with it. */
  before(looked: Looked): Promise<void> | undefined {
    while (looked.look === 'waiting' && this.#waiting.length > 0) this.#batch()
    if (this.#unasked > 0 && --this.#unasked === ENOUGH_AHEAD - 1) this.ahead()
    return typeof looked.look === 'string' ? undefined : looked.look
  }

  /** It has sent a record whose signature is bad. */
  sentBad(sender: string): void {
    if (this.#apart.size >= MAX_APART) this.#apart.clear()
    this.#apart.add(sender)
  }

  /** Nothing that is waiting will be judged. */
  drop(): void {
    this.#waiting = []
    this.#unasked = 0
  }

  #batch(): void {
    const batch = this.#waiting.splice(0, this.#length())
    this.#unasked += batch.length
    if (batch.length === 1) {
      for (const lone of batch) lone.look = 'done'
      return
    }
    this.#underWay++
    const parts = [...this.#parts(batch)].map((part) => this.#lookAt(part))
    void Promise.allSettled(parts).then(() => {
      this.#underWay--
      this.ahead()
    })
  }

  #length(): number {
    let [count, bytes] = [0, 0]
    for (const { record } of this.#waiting) {
      bytes += record.length
      if (count === MAX_BATCH || (count > 0 && bytes > MAX_BATCH_BYTES)) break
      count++
    }
    return count
  }

  /** Each of who has sent a bad one, and all others together. */
  #parts(batch: readonly Looked[]): Iterable<readonly Looked[]> {
    const parts = new Map<string, Looked[]>()
    for (const one of batch) {
      const name = this.#apart.has(one.sender) ? one.sender : ''
      const part = parts.get(name)
      if (part) part.push(one)
      else parts.set(name, [one])
    }
    return parts.values()
  }

  /** Fails for whoever awaits one of them. */
  #lookAt(part: readonly Looked[]): Promise<void> {
    const look = this.#look(recordsOf(part)).then((asides) => lookedAt(part, asides))
    for (const one of part) one.look = look
    return look
  }
}

function recordsOf(part: readonly Looked[]): readonly Uint8Array[] {
  const records: Uint8Array[] = []
  for (const { record } of part) records.push(record)
  return records
}

function lookedAt(part: readonly Looked[], asides: readonly Aside[]): void {
  for (const [i, one] of part.entries()) {
    one.aside = asides[i]
    one.look = 'done'
  }
}
