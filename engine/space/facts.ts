/**
 * What verdicts ask of every state and rows never change: members, devices, epochs, tables. Decoded once, and handed on from state to state for as long
 * as entries on rows alone lie between (`apply.ts`). What is not there is asked for anew, so that nobody fills these with what nobody has.
 */
import { metaOf } from '../group/roster.js'
import type { Author, StateReader } from '../state/context.js'
import { deviceKey, epochKey, memberKey, objectKey, protocolKey } from '../state/keys.js'
import { decodeDevice, decodeMember } from '../state/roster.js'
import { decodeObjectOf } from './catalog.js'
import type { TableEntry } from './context.js'
import { protocolVersion } from './ops/space.js'

/** A device that may write, and for whom. */
export interface LiveDevice {
  /** Ed25519, 32 bytes. */
  readonly signing: Uint8Array
  readonly author: Author
}

export class Facts {
  #version: number | undefined
  #epoch: number | undefined
  readonly #devices = new Map<number, LiveDevice>()
  readonly #tables = new Map<number, TableEntry>()
  readonly #delivered = new Set<number>()

  /** Of the protocol. */
  version(tree: StateReader): number {
    return (this.#version ??= protocolVersion(tree.get(protocolKey())))
  }

  /** The current one. Not before genesis. */
  epoch(tree: StateReader): number {
    return (this.#epoch ??= metaOf(tree).epoch)
  }

  /** Undefined: there is none, or it or its member was removed. */
  liveDevice(tree: StateReader, id: number): LiveDevice | undefined {
    return this.#devices.get(id) ?? kept(this.#devices, id, readLiveDevice(tree, id))
  }

  table(tree: StateReader, id: number): TableEntry | undefined {
    return this.#tables.get(id) ?? kept(this.#tables, id, readTable(tree, id))
  }

  /** The epoch has a secret. */
  isDelivered(tree: StateReader, epoch: number): boolean {
    if (this.#delivered.has(epoch)) return true
    const found = tree.get(epochKey(epoch)) !== undefined
    if (found) this.#delivered.add(epoch)
    return found
  }
}

function kept<T>(known: Map<number, T>, id: number, found: T | undefined): T | undefined {
  if (found !== undefined) known.set(id, found)
  return found
}

function readLiveDevice(tree: StateReader, id: number): LiveDevice | undefined {
  const bytes = tree.get(deviceKey(id))
  if (bytes === undefined) return undefined
  const device = decodeDevice(bytes)
  if (device.removedAt !== undefined) return undefined
  const member = tree.get(memberKey(device.member))
  if (member === undefined) return undefined
  const { role, removedAt } = decodeMember(member)
  return removedAt === undefined ? { signing: device.signing, author: { device: id, member: device.member, role } } : undefined
}

function readTable(tree: StateReader, id: number): TableEntry | undefined {
  const bytes = tree.get(objectKey(id))
  const record = bytes && decodeObjectOf(id, bytes)
  return record?.table === undefined ? undefined : { record, shape: record.table }
}
