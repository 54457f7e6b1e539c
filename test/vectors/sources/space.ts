/** Entries and verdicts (PROTOCOL.md §6, §8): lives of a space as records, with each position's verdict, head and witness. */
import { encodeHex } from '../../../engine/codec/bytes.js'
import { headOf, type SpaceState } from '../../../engine/space/apply.js'
import { type Verdict } from '../../../engine/space/types.js'
import { recordWitness } from '../../../engine/space/witness.js'
import { type AdaptedState } from '../../../engine/state/adapt.js'
import { type StateView } from '../../../engine/state/view.js'
import { live } from '../../space/random-world.js'
import { type World } from '../../space/world.js'
import { type Json, type VectorSource } from '../registry.js'

export const source: VectorSource = {
  name: 'space',
  build: () => [11, 12].map((seed) => life(seed)),
}

/** Some members write good and bad entries; a verifier of records, and one of witnesses, must say the same at every position. */
function life(seed: number): Json {
  const { world } = live(seed, 24)
  return { spaceId: encodeHex(world.spaceId), entries: entriesOf(world) }
}

/** Each record with its verdict, the head after it and the witness. */
export function entriesOf(world: World): Json {
  return world.records.map((record, i) => {
    const before = world.history[i] as SpaceState
    const after = headOf(world.env, world.history[i + 1] as SpaceState)
    const { version } = (before.tree as AdaptedState<StateView>).state
    const { witness } = recordWitness(world.env, world.tree, version, before.log, [record], { signature: 'check' })
    return {
      record: encodeHex(record),
      verdict: verdictJson(world.verdicts[i] as Verdict),
      logRoot: encodeHex(after.logRoot),
      stateRoot: encodeHex(after.stateRoot),
      witness: encodeHex(witness),
    }
  })
}

function verdictJson(verdict: Verdict): Json {
  if (verdict.kind === 'applied') return { kind: 'applied' }
  const { kind, code, detail } = verdict
  const op = verdict.kind === 'rejected' ? verdict.op : undefined
  return { kind, code, ...(op !== undefined && { op }), ...(detail !== undefined && { detail }) }
}
