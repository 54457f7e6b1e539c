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

export class Connection {
  readonly #space: SpaceSync
  readonly #onState: SyncOptions['onState']
  readonly #started: Promise<void>
  #sync: Sync | undefined
  #stopped = false

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
    await this.#started
    if (this.#sync) return this.#sync.stop()
    this.#space.remote?.connect(undefined, false)
    this.#onState?.('stopped')
  }

  async #start(options: SyncOptions, onPresence: (channel: PresenceChannel) => void): Promise<void> {
    let module: typeof SyncModule
    try {
      module = await later(() => import('./sync.js'))
    } catch (error) {
      if (!isSealError(error)) throw error
      this.#space.remote?.connect(undefined, false)
      this.#onState?.('stopped', error) // who disconnects and connects again tries again
      return
    }
    if (this.#stopped) return
    let isFirst = true
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
}
