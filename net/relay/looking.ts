/**
 * Whose signatures are looked at together before a group is judged. The more there are, the less each costs; but where one is bad, all that were looked at
 * with it cost more. So whoever has sent a bad one is looked at apart from then on, and spoils nothing but its own.
 */
import type { Aside } from './ledger.js'

export interface Sent {
  readonly record: Uint8Array
  /** Whoever sent it, as far as that was proved. */
  readonly sender: string
}

type Look = (records: readonly Uint8Array[]) => Promise<readonly Aside[]>

/** Names kept; a space has fewer devices by far. */
const MAX_APART = 10_000

export class Looking {
  readonly #look: Look
  readonly #apart = new Set<string>()

  constructor(look: Look) {
    this.#look = look
  }

  /** Of each what looking came to, in their order. A lone record is left to whoever judges it. */
  async at(group: readonly Sent[]): Promise<readonly (Aside | undefined)[]> {
    const found: (Aside | undefined)[] = group.map(() => undefined)
    if (group.length < 2) return found
    const parts = new Map<string, number[]>()
    for (const [i, { sender }] of group.entries()) {
      const name = this.#apart.has(sender) ? sender : ''
      const part = parts.get(name)
      if (part) part.push(i)
      else parts.set(name, [i])
    }
    for (const part of parts.values()) {
      const asides = await this.#look(part.map((i) => (group[i] as Sent).record))
      part.forEach((i, at) => { found[i] = asides[at] })
    }
    return found
  }

  /** It has sent a record whose signature is bad. */
  sentBad(sender: string): void {
    if (this.#apart.size >= MAX_APART) this.#apart.clear()
    this.#apart.add(sender)
  }
}
