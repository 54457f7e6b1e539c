/** Sends what is pending: each record once over a connection, in order, in messages of a bounded length. */
import { MAX_BATCH_RECORDS } from '../engine/limits.js'
import type { SpaceSync } from '../engine/space/port.js'
import type { Rpc } from './rpc.js'

/** Bytes of records in one message, unless one alone is longer. */
export const SEND_BYTES = 1024 * 1024

type Pending = ReturnType<SpaceSync['outbox']>[number]

export class Outbound {
  readonly #space: SpaceSync
  /** The part of the outbox that was sent over this connection. */
  #sent = new WeakSet<Pending>()

  constructor(space: SpaceSync) {
    this.#space = space
  }

  /** Another connection, or the same asked once more: everything that is pending is to be sent. */
  again(): void {
    this.#sent = new WeakSet()
  }

  /** Nothing goes to a relay that has forked the space. */
  flush(rpc: Rpc): void {
    if (this.#space.evidence.length > 0) return
    let batch: Pending[] = []
    let bytes = 0
    const send = (): void => {
      if (batch.length === 0) return
      const sending = batch
      batch = []
      bytes = 0
      rpc.tell({ kind: 'append', records: sending.map(({ record }) => record) })
      for (const { hash } of sending) this.#space.sent(hash)
    }
    for (const item of this.#space.outbox()) {
      if (this.#sent.has(item)) continue
      this.#sent.add(item)
      if (batch.length > 0 && bytes + item.record.length > SEND_BYTES) send()
      batch.push(item)
      bytes += item.record.length
      if (batch.length >= MAX_BATCH_RECORDS) send()
    }
    send()
  }
}
