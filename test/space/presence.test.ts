/** Presence messages that are sealed as they must be, by somebody who has the epoch's secret, and in which one thing is not right. */
import { beforeEach, expect, it } from 'vitest'
import { concatBytes } from '../../engine/codec/bytes.js'
import { Writer } from '../../engine/codec/canonical.js'
import { encodeSealContext, sealValue } from '../../engine/crypto/aead.js'
import { deriveSecret } from '../../engine/crypto/kdf.js'
import { LABELS } from '../../engine/crypto/labels.js'
import type { Signer } from '../../engine/crypto/provider.js'
import { signBytes } from '../../engine/crypto/sign.js'
import { MAX_PRESENCE_LENGTH } from '../../engine/limits.js'
import { openPresence, sealPresence } from '../../engine/space/presence.js'
import { EditBatch } from '../../engine/state/edits.js'
import { deviceKey } from '../../engine/state/keys.js'
import { decodeDevice, encodeDevice } from '../../engine/state/roster.js'
import { codeOf } from '../outcomes.js'
import { crypto, World, type Person } from './support.js'

let world: World
let bob: Person
const NONCE = new Uint8Array(24).fill(5)
const PAYLOAD = Uint8Array.of(1, 2, 3)

beforeEach(() => {
  world = new World()
  bob = world.join('bob', 'writer')
  world.ada.keyring.open(world.state.tree)
})

const open = (message: Uint8Array): string => codeOf(() => openPresence(world.env, world.ada.keyring, world.state.tree, message))

/** What `sealPresence` seals, made of any bytes. */
function sealed(bytes: Uint8Array, { signer = bob.signer, spaceId = world.spaceId, label = LABELS.presence }: { signer?: Signer; spaceId?: Uint8Array; label?: typeof LABELS.presence | typeof LABELS.entry } = {}): Uint8Array {
  return sealedRaw(concatBytes(bytes, signBytes(signer, label, concatBytes(spaceId, bytes))))
}
function sealedRaw(content: Uint8Array): Uint8Array {
  const aad = encodeSealContext({ label: LABELS.presence, space: world.spaceId, table: 0, key: new Uint8Array(0), epoch: 1, device: 0, columns: [] })
  return sealValue(crypto, deriveSecret(crypto, bob.keyring.dataSecret(1), LABELS.presenceData), 1, NONCE, aad, content)
}
function bytesOf({ device = bob.device, payload = PAYLOAD }: { device?: number; payload?: Uint8Array } = {}): Uint8Array {
  const { size, logRoot, stateRoot } = world.head
  return new Writer(256).varint(device).varint(9).varint(size).fixed(logRoot, 32).fixed(stateRoot, 32).bytes(payload, MAX_PRESENCE_LENGTH).finish()
}

it('takes what the others are made from', () => {
  const message = sealPresence(world.env, bob.keyring, 1, bob.device, bob.signer, NONCE, { counter: 9, head: world.head, payload: PAYLOAD })
  expect(message).toEqual(sealed(bytesOf()))
  expect(openPresence(world.env, world.ada.keyring, world.state.tree, message)).toEqual({ member: bob.member, device: bob.device, counter: 9, head: world.head, payload: PAYLOAD })
})

it('is signed by the device that it names, for this space, as presence', () => {
  expect(open(sealed(bytesOf({ device: world.ada.device })))).toBe('bad-signature')
  expect(open(sealed(bytesOf({ device: 77 })))).toBe('bad-signature')
  expect(open(sealed(bytesOf(), { signer: world.ada.signer }))).toBe('bad-signature')
  expect(open(sealed(bytesOf(), { spaceId: new Uint8Array(32) }))).toBe('bad-signature')
  expect(open(sealed(bytesOf(), { label: LABELS.entry }))).toBe('bad-signature')
})

it('is not heard of a device that was removed, though it has the secret still', () => {
  const { tree } = world.state
  const value = encodeDevice({ ...decodeDevice(tree.get(deviceKey(bob.device)) as Uint8Array), removedAt: 3 })
  world.state = { ...world.state, tree: tree.apply(EditBatch.of([{ key: deviceKey(bob.device), value }])) }
  expect(open(sealed(bytesOf()))).toBe('bad-signature')
})

it('has no bytes too many or too few, and is not too long', () => {
  expect(open(sealed(concatBytes(bytesOf(), Uint8Array.of(0))))).toBe('bad-encoding')
  expect(open(sealed(bytesOf().subarray(0, -1)))).toBe('bad-encoding')
  for (const length of [0, 1, 63, 64]) expect(open(sealedRaw(new Uint8Array(length)))).toBe('bad-encoding')
  const overhead = sealed(bytesOf({ payload: new Uint8Array(1_000) })).length - 1_000
  expect(open(sealed(bytesOf({ payload: new Uint8Array(MAX_PRESENCE_LENGTH - overhead) })))).toBe('no error')
  expect(open(sealed(bytesOf({ payload: new Uint8Array(MAX_PRESENCE_LENGTH - overhead + 1) })))).toBe('too-large')
})
