/** The two states of an open space as views: the verified one, and the one with this device's pending entries on top. The same view if there are none. */
import type { Keyring } from '../group/keyring.js'
import type { Follower, HeldState } from './follower.js'
import { SpaceView } from './view.js'

export class Views {
  readonly #follower: Follower
  readonly #keyring: Keyring
  #verified: SpaceView
  #current: SpaceView

  constructor(follower: Follower, keyring: Keyring) {
    this.#follower = follower
    this.#keyring = keyring
    this.#verified = this.#viewOf(follower.hold(), 0)
    this.#current = this.#verified
  }

  get verified(): SpaceView {
    return this.#verified
  }
  get current(): SpaceView {
    return this.#current
  }

  /** The follower has moved, durably. `pending`: how many entries of this device are on top of it, in a `current` that is yet to be shown. */
  moveVerified(pending: number): void {
    const old = this.#verified
    this.#verified = this.#viewOf(this.#follower.hold(), 0)
    if (this.#current === old) this.#current = this.#verified
    else if (pending === 0) {
      this.#current.release()
      this.#current = this.#verified
    }
    old.release()
  }

  /** Takes over the claim on `held`, the state with `pending` entries on top of the verified one; undefined: there are none. */
  show(held: HeldState | undefined, pending: number): void {
    const view = held ? this.#viewOf(held, pending) : this.#verified
    if (view === this.#current) return
    if (this.#current !== this.#verified) this.#current.release()
    this.#current = view
  }

  #viewOf(held: HeldState, pending: number): SpaceView {
    const { env, states, head } = this.#follower
    return new SpaceView({ env, states, held, head, pending, keyring: this.#keyring })
  }
}
