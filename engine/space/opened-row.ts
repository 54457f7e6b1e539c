/** A row that opened, as views give it out. Its row key is cut out of the state key when somebody asks: whoever loads a table does not, and an array costs as much as a hash. */
import type { SqlValue } from '../codec/value.js'
import { ROW_PREFIX_LENGTH } from '../state/keys.js'
import type { RowRecord } from './row-record.js'
import type { RowContent } from './seal-row.js'
import type { RowView } from './types.js'

export class OpenedRow implements RowView {
  readonly table: number
  readonly key: RowView['key']
  readonly blind: RowView['blind']
  readonly plain: readonly SqlValue[]
  readonly body: Uint8Array
  readonly creator: number
  readonly author: number
  readonly device: number
  readonly version: number
  readonly #stateKey: Uint8Array

  constructor(table: number, stateKey: Uint8Array, { creator, member, device, version }: RowRecord, { key, blind, body }: RowContent, plain: readonly SqlValue[]) {
    this.table = table
    this.key = key
    this.blind = blind
    this.plain = plain
    this.body = body
    this.creator = creator
    this.author = member
    this.device = device
    this.version = version
    this.#stateKey = stateKey
  }

  get rowKey(): Uint8Array {
    return this.#stateKey.subarray(ROW_PREFIX_LENGTH)
  }
}
