/**
 * What the group expects of every device, whenever it changes: a secret for an epoch that has none, a fresh agreement key after a forget, the right
 * box beside a wrong one. Nearly every entry leaves the group as it was: that is seen by a few subtree roots, and nothing is opened.
 */
import { equalBytes } from '../codec/bytes.js'
import { later } from '../later.js'
import { KEY_KIND } from '../state/keys.js'
import type { Space } from './space.js'

/** All that the three read of the state. */
const GROUP = [KEY_KIND.meta, KEY_KIND.member, KEY_KIND.device, KEY_KIND.invitation, KEY_KIND.epoch, KEY_KIND.repair].map((kind) => Uint8Array.of(kind))

export class Duties {
  readonly #space: Space
  /** Roots of a group of which nothing was expected. */
  #idle: readonly Uint8Array[] | undefined

  constructor(space: Space) {
    this.#space = space
  }

  /** One call at a time. Throws what writing throws: the next change asks again. */
  async afterChange(): Promise<void> {
    if (!this.#space.writable) return
    const roots = this.#roots()
    if (this.#idle?.every((root, i) => equalBytes(root, roots[i] as Uint8Array)) === true) return
    this.#idle = undefined
    const { refreshIfNeeded, repairIfNeeded, rotateIfNeeded } = await later(() => import('./acts.js')) // who only reads never needs it
    const wrote = [await rotateIfNeeded(this.#space), await refreshIfNeeded(this.#space), await repairIfNeeded(this.#space)]
    if (!wrote.includes(true)) this.#idle = roots
  }

  #roots(): Uint8Array[] {
    return GROUP.map((prefix) => this.#space.currentState.subtreeRoot(prefix))
  }
}
