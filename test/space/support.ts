/** What the tests of the space share: the world, and what they expect of it. */
import { expect } from 'vitest'
import { type IgnoredCode, type RejectedCode } from '../../engine/space/types.js'
import { pointerKey } from '../../engine/state/keys.js'
import { decodePointer } from '../../engine/state/roster.js'
import { dump, hashOf, type Person, type World } from './world.js'

export * from './world.js'

/** Land a record that must be ignored: nothing but the ring has changed. */
export function expectIgnored(world: World, record: Uint8Array, code: IgnoredCode, detail?: string): void {
  const before = dump(world.state)
  expect(world.land(record)).toEqual({ kind: 'ignored', code, ...(detail !== undefined && { detail }) })
  expect(dump(world.state)).toBe(before)
}

/** Land a record that must be rejected: nothing but the ring and the device's pointer has changed. */
export function expectRejected(world: World, by: Person, record: Uint8Array, code: RejectedCode, detail?: string, op?: number): void {
  const before = dump(world.state, by.device)
  const verdict = world.land(record)
  expect(verdict).toMatchObject({ kind: 'rejected', code, ...(detail !== undefined && { detail }), ...(op !== undefined && { op }) })
  expect(dump(world.state, by.device)).toBe(before)
  const pointer = world.state.tree.get(pointerKey(by.device))
  expect(pointer && decodePointer(pointer)).toEqual({ hash: hashOf(record), index: world.records.length - 1, rejected: true })
}
