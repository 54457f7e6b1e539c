/**
 * Synchronisation whose code is loaded when a space first connects: a page that opens a space can query it before. To whoever looks, it is connecting from the beginning.
 */
import { isSealError } from '../engine/errors.js'
import { later } from '../engine/later.js'
import type { SpaceSync } from '../engine/space/port.js'
import type { PresenceChannel } from './presence.js'
import type { Rpc } from './rpc.js'
import type * as SyncModule from './sync.js'
import type { Sync, SyncOptions } from './sync.js'

/** Milliseconds before it is tried again, twice as many each time. */
const FIRST_BACKOFF = 500

export class Connection {
  readonly #space: SpaceSync
  readonly #onState: SyncOptions['onState']
  readonly #started: Promise<void>
  #sync: Sync | undefined
  #stopped = false
  #wake = (): void => undefined

  /** `onPresence`: the channel, as soon as there is one. */
  constructor(space: SpaceSync, options: SyncOptions, onPresence: (channel: PresenceChannel) => void) {
    this.#space = space
    this.#onState = options.onState
    space.remote?.connect(undefined, true) // whoever asks a relay waits, then
    options.onState?.('connecting')
    this.#started = this.#start(options, onPresence)
  }

  rpc(): Rpc | undefined {
    return this.#sync?.rpc()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#wake()
    await this.#started
    if (this.#sync) return this.#sync.stop()
    this.#space.remote?.connect(undefined, false)
    this.#onState?.('stopped')
  }

  async #start(options: SyncOptions, onPresence: (channel: PresenceChannel) => void): Promise<void> {
    const { module, isKnown: told } = await this.#load(options.maxBackoff)
    if (module === undefined || this.#stopped) return
    let isFirst = told
    const sync = new module.Sync(this.#space, {
      ...options,
      onState: (state, error) => {
        const isKnown = isFirst && state === 'connecting'
        isFirst = false
        if (!isKnown) options.onState?.(state, error)
      },
    })
    this.#sync = sync
    onPresence(sync.presence)
    sync.start()
  }

  /** A page that is offline may come to have it: tried again as a connection is. `isKnown`: whoever looks still takes it to be connecting. No module: it was stopped. */
  async #load(maxBackoff = 30_000): Promise<{ readonly module: typeof SyncModule | undefined; readonly isKnown: boolean }> {
    for (let failures = 0; !this.#stopped; failures++) {
      try {
        return { module: await later(() => import('./sync.js')), isKnown: failures === 0 }
      } catch (error) {
        if (!isSealError(error)) throw error
        if (this.#stopped) break
        this.#onState?.('offline', error)
        await this.#pause(Math.min(maxBackoff, FIRST_BACKOFF * 2 ** Math.min(failures, 10)))
      }
    }
    return { module: undefined, isKnown: false }
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
