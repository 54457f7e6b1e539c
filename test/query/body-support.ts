import { Writer } from '../../engine/codec/canonical.js'
import { type SqlValue } from '../../engine/codec/value.js'
import { RowOfValues, writeBody } from '../../query/body.js'

/** A body of these columns: one value for each id. */
export function encodeBody(ids: readonly number[], values: readonly SqlValue[]): Uint8Array {
  const writer = new Writer()
  writeBody(writer, ids, values.map((_, slot) => slot), new RowOfValues(values))
  return writer.finish()
}
