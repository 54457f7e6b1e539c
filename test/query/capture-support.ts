import { type SqlValue } from '../../engine/codec/value.js'
import { type BaseRows, type Capture, type RowDelta } from '../../query/capture.js'

export interface Delta extends Omit<RowDelta, 'after'> { readonly after: readonly SqlValue[] | undefined }

/** All that `collect` tells. */
export function collected(capture: Capture, base: BaseRows): Delta[] {
  const deltas: Delta[] = []
  capture.collect(base, ({ after, ...delta }) => { deltas.push({ ...delta, after: after?.row() }) })
  return deltas
}
