import { type BaseRows, type Capture, type RowDelta } from '../../query/capture.js'

/** All that `collect` tells. */
export function collected(capture: Capture, base: BaseRows): RowDelta[] {
  const deltas: RowDelta[] = []
  capture.collect(base, (delta) => { deltas.push(delta) })
  return deltas
}
