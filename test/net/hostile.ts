/** What a hostile relay can do: change, drop, add frames on the way, and sign another history with its own key. */
import type { Space } from '../../engine/space/space.js'
import { decodeMessage, encodeMessage, type Message } from '../../net/messages.js'
import type { RelayLog, RelayStore } from '../../net/relay/store.js'
import { memoryRelayStore } from '../../net/relay/stores/memory.js'
import { connectionPair, type Connection, type Dial } from '../../net/transport.js'

export interface Middle {
  /** What goes on to the other end in place of `message`; undefined: as it is. */
  readonly toClient?: (message: Message, frame: Uint8Array, control: Control) => readonly (Message | Uint8Array)[] | undefined
  readonly toRelay?: (message: Message, frame: Uint8Array, control: Control) => readonly (Message | Uint8Array)[] | undefined
}
export interface Control {
  toClient(message: Message): void
  toRelay(message: Message): void
  cut(): void
}

/** A dial whose connections pass through `middle`. Every frame either way is reported to `tap`. */
export function through(dial: Dial, middle: Middle, tap: (frame: Uint8Array) => void = () => undefined): Dial {
  return async (url, signal) => {
    const relay = await dial(url, signal)
    const [client, ours] = connectionPair()
    const send = (to: Connection, what: Message | Uint8Array): void => to.send(what instanceof Uint8Array ? what : encodeMessage(what))
    const control: Control = {
      toClient: (message) => send(ours, message),
      toRelay: (message) => send(relay, message),
      cut: () => {
        relay.close(1001, 'cut')
        ours.close(1001, 'cut')
      },
    }
    relay.onFrame = (frame) => {
      tap(frame)
      for (const out of middle.toClient?.(decodeMessage(frame), frame, control) ?? [frame]) send(ours, out)
    }
    ours.onFrame = (frame) => {
      tap(frame)
      for (const out of middle.toRelay?.(decodeMessage(frame), frame, control) ?? [frame]) send(relay, out)
    }
    relay.onClose = ({ code, reason }) => ours.close(code, reason)
    ours.onClose = ({ code, reason }) => relay.close(code, reason)
    return client
  }
}

export async function logIn(store: RelayStore, space: Uint8Array): Promise<RelayLog> {
  const log = await store.open(space)
  if (!log) throw new Error('this relay does not hold that space')
  return log
}

/** The relay's key with the first `size` records: a backup, or the stem of another history. */
export async function backup(store: RelayStore, space: Uint8Array, size = Number.MAX_SAFE_INTEGER): Promise<RelayStore> {
  const copy = memoryRelayStore()
  await copy.setOnce('signer', (await store.get('signer')) as Uint8Array)
  const log = await logIn(store, space)
  const [genesis, ...records] = await log.read(0, size, Number.MAX_SAFE_INTEGER)
  await log.close()
  await copy.found(space, genesis as Uint8Array)
  const to = await logIn(copy, space)
  await to.append(1, records)
  await to.close()
  return copy
}

/** Everything that a refused lie must leave as it was. */
export function stateOf(space: Space): unknown {
  const { size, logRoot, stateRoot } = space.head
  return {
    size, logRoot: Buffer.from(logRoot).toString('hex'), stateRoot: Buffer.from(stateRoot).toString('hex'), stored: space.store.size,
    outbox: space.outbox().map(({ hash }) => Buffer.from(hash).toString('hex')), current: Buffer.from(space.current.catalogTag).toString('hex'),
    rows: Buffer.from(space.current.tableTag(1)).toString('hex'),
  }
}
