/** Evidence against a device (PROTOCOL.md §9.6, attacks.md A30): it names who signed for two histories, verifies offline, and stops nothing. */
import { afterEach, describe, expect, it } from 'vitest'
import { invite } from '../../engine/space/acts.js'
import { audit } from '../../engine/space/audit.js'
import { buildRecord } from '../../engine/space/build.js'
import { encodeDeviceEvidence, type DeviceEvidence, verifyDeviceEvidence as byEngine } from '../../engine/space/device-evidence.js'
import { createSpace, openSpace } from '../../engine/space/open.js'
import { decodeDeviceSecrets, NAMES } from '../../engine/space/persist.js'
import type { Alert } from '../../engine/space/port.js'
import type { Space } from '../../engine/space/space.js'
import type { Head } from '../../engine/space/types.js'
import { EMPTY_LOG_ROOT } from '../../engine/log/merkle.js'
import { pointerKey } from '../../engine/state/keys.js'
import { decodePointer } from '../../engine/state/roster.js'
import { memoryStore } from '../../engine/store/memory.js'
import type { StoreLocation } from '../../engine/store/store.js'
import { verifyDeviceEvidence } from '../independent/evidence-both.js'
import { createTable, crypto, optionsOf, put, rows, taskTable } from './rim-support.js'
import { Sequencer } from './sequencer.js'
import { alertsOf, codeOf } from '../outcomes.js'

const open: Space[] = []
afterEach(async () => { for (const space of open.splice(0)) await space.close() })
const insert = (space: Space, key: number): ReturnType<Space['commit']> => space.commit(rows(put('insert', 1, BigInt(key), 0n, `row ${key}`)), space.current)
const tick = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20))
interface Trio { readonly ada: Space; readonly bob: Space; readonly carl: Space; readonly relay: Sequencer; readonly home: StoreLocation }

async function trio(seed: string): Promise<Trio> {
  const home = memoryStore()
  const ada = await createSpace(await home.open(), optionsOf(`${seed} ada`), { name: 'ada' })
  open.push(ada)
  await ada.commit(createTable(taskTable(1), 'table:task'), ada.current)
  const relay = await Sequencer.attach(ada)
  const joined: Space[] = []
  for (const name of ['bob', 'carl']) joined.push(await relay.join(memoryStore(), await relay.during(ada, invite(ada, { role: 'writer' })), `${seed} ${name}`))
  const [bob, carl] = joined as [Space, Space]
  open.push(bob, carl)
  await relay.settle(ada, bob, carl)
  return { ada, bob, carl, relay, home }
}

/** An entry of bob's whose base is whatever he likes. */
function signed(by: Space, base: Head, adopted = false): Uint8Array {
  const { signingSeed } = decodeDeviceSecrets(by.store.get(NAMES.device) as Uint8Array)
  const { hash } = decodePointer(by.currentState.get(pointerKey(by.me.device)) as Uint8Array)
  return buildRecord(by.env, { signer: crypto.signer(signingSeed), base, device: by.me.device, devicePrev: hash, epoch: 1, time: 0, ...(adopted && { adopted }) }, [{ op: 'delete', table: 1, rowKey: new Uint8Array(1) }])
}

/** bob builds on a history that is not this one, then on this one. */
async function caught(seed: string): Promise<Trio & { readonly evidence: Uint8Array; readonly alerts: readonly Alert[] }> {
  const all = await trio(seed)
  const { ada, bob, relay } = all
  const alerts = alertsOf(ada)
  const lie = signed(bob, { ...bob.head, logRoot: new Uint8Array(32).fill(5) })
  expect(relay.take(lie, true)).toEqual({ kind: 'rejected', code: 'base' })
  await relay.settle(ada, bob)
  await tick()
  expect(alerts, 'one statement contradicts nothing').toEqual([])
  await insert(bob, 1)
  await relay.settle(bob, ada)
  await tick()
  const [alert] = alerts
  expect(alert).toMatchObject({ code: 'equivocation', facts: { device: bob.me.device } })
  return { ...all, evidence: alert?.evidence as Uint8Array, alerts }
}

describe('a device that signs for two histories', () => {
  it('is named, with evidence that verifies offline; nothing stops', async () => {
    const { ada, bob, carl, relay, evidence, alerts, home } = await caught('named')
    expect(alerts.length).toBe(1)
    expect(verifyDeviceEvidence(crypto, evidence)).toMatchObject({ spaceId: ada.id, device: bob.me.device })
    for (const space of [ada, bob]) expect(space.writable).toBe(true)
    await insert(ada, 2)
    await insert(bob, 3)
    await relay.settle(ada, bob)
    await tick()
    expect(alerts.length, 'said once').toBe(1)
    // Another member is shown it.
    const told = alertsOf(carl)
    expect(await carl.observeEvidence(evidence)).toBe(true)
    expect(await carl.observeEvidence(evidence)).toBe(false)
    expect(told).toMatchObject([{ code: 'equivocation', evidence, facts: { device: bob.me.device } }])
    expect([carl.writable, carl.evidence.length]).toEqual([true, 0])
    expect((await audit(ada.store, crypto)).problems).toEqual([])
    await ada.close()
    const again = await openSpace(await home.open(), optionsOf('again'))
    open.push(again)
    const after = alertsOf(again)
    await tick()
    expect(after).toMatchObject([{ code: 'equivocation', evidence }])
    expect(again.writable).toBe(true)
  })

  it('no byte of the evidence can be changed, and it is of one space and one key', async () => {
    const { ada, evidence } = await caught('bytes')
    for (let at = 0; at < evidence.length; at++) {
      const changed = evidence.slice()
      changed[at] = (changed[at] as number) ^ (1 << (at % 8))
      expect(codeOf(() => (at % 5 === 0 ? verifyDeviceEvidence : byEngine)(crypto, changed)), `byte ${at}`).not.toBe('no error')
    }
    for (const length of [0, 1, evidence.length - 1]) expect(codeOf(() => verifyDeviceEvidence(crypto, evidence.slice(0, length)))).toBe('bad-encoding')
    const other = await trio('bytes of another')
    expect(await other.ada.observeEvidence(evidence)).toBe(false)
    expect(ada.writable).toBe(true)
  })
})

describe('what is no evidence against a device', () => {
  it('two entries that agree, entries of two keys, in the wrong order, or of a join', async () => {
    const { ada, bob, relay } = await trio('agree')
    const early = bob.head
    await insert(bob, 1)
    await relay.settle(bob, ada)
    const { publicKey } = crypto.signer(decodeDeviceSecrets(bob.store.get(NAMES.device) as Uint8Array).signingSeed)
    const [one, two] = [signed(bob, early), signed(bob, bob.head)]
    const good: DeviceEvidence = { spaceId: ada.id, device: bob.me.device, publicKey, smaller: one, larger: two, root: early.logRoot, proof: ada.log.consistencyProof(early.size, bob.head.size) }
    const verdict = (change: Partial<DeviceEvidence>): string => codeOf(() => verifyDeviceEvidence(crypto, encodeDeviceEvidence({ ...good, ...change })))
    expect(verdict({})).toBe('bad-proof')
    expect(verdict({ smaller: two, larger: one })).toBe('bad-proof')
    expect(verdict({ smaller: two, larger: two, root: bob.head.logRoot, proof: [] })).toBe('bad-proof')
    expect(verdict({ smaller: signed(ada, early) })).toBe('bad-signature')
    expect(verdict({ publicKey: crypto.signer(new Uint8Array(32)).publicKey })).toBe('bad-signature')
    expect(verdict({ device: ada.me.device })).toBe('bad-signature')
    expect(verdict({ spaceId: new Uint8Array(32) })).toBe('bad-signature')
    const lying = { smaller: signed(bob, { ...early, logRoot: new Uint8Array(32) }) }
    expect(verdict(lying)).toBe('no error')
    expect(verdict({ ...lying, proof: good.proof.slice(1) })).toBe('bad-proof')
    expect(verdict({ ...lying, root: new Uint8Array(32) })).toBe('bad-proof')
    // Adopted on others’ word, it states nothing; nor does anybody of an empty log, or of a join.
    expect(verdict({ ...lying, larger: signed(bob, bob.head, true) })).toBe('bad-proof')
    expect(verdict({ ...lying, smaller: signed(bob, { ...early, logRoot: new Uint8Array(32) }, true) })).toBe('bad-proof')
    expect(verdict({ smaller: signed(bob, { ...early, size: 0 }), root: EMPTY_LOG_ROOT, proof: [] })).toBe('bad-proof')
    const joining = [early, { ...early, logRoot: new Uint8Array(32) }].map((base) =>
      buildRecord(bob.env, { signer: crypto.signer(decodeDeviceSecrets(bob.store.get(NAMES.device) as Uint8Array).signingSeed), base, device: 0, devicePrev: new Uint8Array(32), epoch: 1, time: 0 }, [{ op: 'delete', table: 1, rowKey: new Uint8Array(1) }])) as [Uint8Array, Uint8Array]
    expect(verdict({ device: 0, smaller: joining[0], larger: joining[1], root: new Uint8Array(32), proof: [] })).toBe('bad-signature')
    const states = { smaller: two, larger: signed(bob, { ...bob.head, stateRoot: new Uint8Array(32) }), root: bob.head.logRoot, proof: [] }
    expect(verdict(states)).toBe('no error')
    expect(verdict({ ...states, proof: [new Uint8Array(32)] })).toBe('bad-proof')
    // It verifies, but the key is not that device's here.
    const eve = crypto.signer(new Uint8Array(32).fill(3))
    const framed = [early, { ...early, logRoot: new Uint8Array(32) }].map((base) =>
      buildRecord(bob.env, { signer: eve, base, device: ada.me.device, devicePrev: new Uint8Array(32), epoch: 1, time: 0 }, [{ op: 'delete', table: 1, rowKey: new Uint8Array(1) }])) as [Uint8Array, Uint8Array]
    const frame = encodeDeviceEvidence({ spaceId: ada.id, device: ada.me.device, publicKey: eve.publicKey, smaller: framed[0], larger: framed[1], root: new Uint8Array(32), proof: [] })
    expect(codeOf(() => verifyDeviceEvidence(crypto, frame))).toBe('no error')
    const told = alertsOf(ada)
    await expect(ada.observeEvidence(frame)).rejects.toMatchObject({ code: 'bad-proof' })
    expect(told).toEqual([])
  })
})
