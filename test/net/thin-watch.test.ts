/** What a thin client notices beside its own reads: devices that contradict themselves (PROTOCOL.md §9.6, §10), and bad signatures among good ones as it joins. */
import { afterEach, expect, it } from 'vitest'
import { invite } from '../../engine/space/acts.js'
import type { CryptoProvider } from '../../engine/crypto/provider.js'
import { LABELS } from '../../engine/crypto/labels.js'
import { buildRecord } from '../../engine/space/build.js'
import { verifyDeviceEvidence } from '../../engine/space/device-evidence.js'
import { decodeDeviceSecrets, NAMES } from '../../engine/space/persist.js'
import type { Space } from '../../engine/space/space.js'
import type { Head } from '../../engine/space/types.js'
import { pointerKey } from '../../engine/state/keys.js'
import { decodePointer } from '../../engine/state/roster.js'
import { greet } from '../../net/client.js'
import { memoryStore } from '../../engine/store/memory.js'
import { alertsOf } from '../outcomes.js'
import { createTable, put, rows, taskTable } from '../space/rim-support.js'
import { bodies, crypto, founder, invited, stopAll, testRelay, until, type TestPeer, type TestRelay } from './support.js'
import { readBodies, reopened, thinInvited, thinJoiner } from './thin-support.js'

const peers: TestPeer[] = []
afterEach(() => stopAll(peers))

const say = async ({ space }: TestPeer, key: number): Promise<unknown> => (await space.commit(rows(put('insert', 1, BigInt(key), 0n, `row ${key}`)), space.current)).settled
const inStep = (...all: readonly TestPeer[]): Promise<void> => until(() => all.every(({ space }) => space.head.size === all[0]?.space.head.size), 'in step')
const tick = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 50))

/** An entry whose base is whatever its author likes; it deletes a row that is not there. */
function signed({ space: by }: TestPeer, base: Head, adopted = false): Uint8Array {
  const { signingSeed } = decodeDeviceSecrets(by.store.get(NAMES.device) as Uint8Array)
  const { hash } = decodePointer(by.currentState.get(pointerKey(by.me.device)) as Uint8Array)
  return buildRecord(by.env, { signer: crypto.signer(signingSeed), base, device: by.me.device, devicePrev: hash, epoch: 1, time: 0, ...(adopted && { adopted }) }, [{ op: 'delete', table: 1, rowKey: new Uint8Array(1) }])
}

async function append(relay: TestRelay, by: Space, records: readonly Uint8Array[]): Promise<void> {
  const { rpc, nonce, name } = await greet(relay.dial, 'memory:', by.id)
  await rpc.call({ kind: 'auth', ...by.signChallenge(name, nonce) }, 'welcome')
  await rpc.call({ kind: 'append', records }, 'appended')
  rpc.close()
}

interface Setting { readonly relay: TestRelay; readonly ada: TestPeer; readonly bob: TestPeer; readonly tim: TestPeer }

/** A relay that stores what is rejected, as a careless one may. */
async function setting(name: string): Promise<Setting> {
  const relay = await testRelay({ verify: 'group' })
  const ada = await founder(relay, `watch Ada ${name}`)
  await (await ada.space.commit(createTable(taskTable(1), 'table:task'), ada.space.current)).settled
  const bob = await invited(relay, ada, 'Bob')
  const tim = await thinInvited(relay.dial, ada, 'Tim')
  peers.push(ada, bob, tim)
  await inStep(ada, bob, tim)
  return { relay, ada, bob, tim }
}

it('a device that signs for two histories is named to a thin client, too, with evidence that verifies offline; after a restart still', async () => {
  const { relay, ada, bob, tim } = await setting('named')
  const alerts = alertsOf(tim.space)
  await say(ada, 1)
  await inStep(ada, bob, tim)
  await append(relay, bob.space, [signed(bob, { ...bob.space.head, logRoot: new Uint8Array(32).fill(5) })])
  await inStep(ada, bob, tim)
  await tick()
  expect(alerts, 'one statement contradicts nothing').toEqual([])
  await say(bob, 2)
  await inStep(ada, bob, tim)
  await until(() => alerts.length > 0, 'told')
  const [alert] = alerts
  expect(alert).toMatchObject({ code: 'equivocation', facts: { device: bob.space.me.device } })
  expect(verifyDeviceEvidence(crypto, alert?.evidence as Uint8Array)).toMatchObject({ spaceId: ada.space.id, device: bob.space.me.device })
  await say(tim, 3)
  await say(bob, 4)
  await inStep(ada, bob, tim)
  await tick()
  expect([alerts.length, tim.space.writable, tim.space.head]).toEqual([1, true, ada.space.head])
  const again = await reopened(tim, relay.dial, 'Tim')
  peers.splice(peers.indexOf(tim), 1, again)
  const after = alertsOf(again.space)
  await tick()
  expect(after).toMatchObject([{ code: 'equivocation', evidence: alert?.evidence }])
})

it.each<[string, (setting: Setting) => { readonly base: Head; readonly adopted?: boolean }]>([
  ['a base that was adopted on others’ word', ({ bob }) => ({ base: { ...bob.space.head, logRoot: new Uint8Array(32).fill(5) }, adopted: true })],
  ['another history at a size before it came', ({ bob }) => ({ base: { ...bob.space.head, size: 2, logRoot: new Uint8Array(32).fill(5) } })],
  ['a size that nobody has reached', ({ bob }) => ({ base: { ...bob.space.head, size: 1_000_000, logRoot: new Uint8Array(32).fill(5) } })],
  ['a true base that is too old', ({ bob }) => ({ base: { size: 3, logRoot: bob.space.log.root(3), stateRoot: new Uint8Array(32) } })],
])('nobody is accused for %s', async (_, lieOf) => {
  const all = await setting('accused')
  const { relay, ada, bob, tim } = all
  const alerts = alertsOf(tim.space)
  await say(ada, 1)
  await inStep(ada, bob, tim)
  const { base, adopted } = lieOf(all)
  await append(relay, bob.space, [signed(bob, base, adopted)])
  await say(bob, 2)
  await say(tim, 3)
  await inStep(ada, bob, tim)
  await tick()
  expect(alerts).toEqual([])
  expect([tim.space.writable, tim.space.head]).toEqual([true, ada.space.head])
})

it('joining looks at signatures together, and comes to the same verdicts where one is bad', async () => {
  const relay = await testRelay({ verify: 'unsafe-none' })
  const ada = await founder(relay, 'watch Ada join')
  peers.push(ada)
  await (await ada.space.commit(createTable(taskTable(1), 'table:task'), ada.space.current)).settled
  const bob = await invited(relay, ada, 'Bob')
  peers.push(bob)
  const link = await invite(ada.space, { role: 'writer' })
  const forge = async (by: TestPeer): Promise<void> => {
    const record = signed(by, by.space.head)
    record[record.length - 1] = (record.at(-1) as number) ^ 1
    await append(relay, by.space, [record])
  }
  for (let i = 0; i < 30; i++) {
    await say(i % 3 === 0 ? bob : ada, i)
    await inStep(ada, bob)
    if (i % 10 === 5) await forge(bob)
  }
  await inStep(ada, bob)
  let single = 0
  const counting: CryptoProvider = {
    ...crypto,
    verifyEd25519: (signature, message, publicKey) => {
      if (new TextDecoder().decode(message.subarray(0, LABELS.entry.length)) === LABELS.entry) single++
      return crypto.verifyEd25519(signature, message, publicKey)
    },
  }
  const tim = await thinJoiner(relay.dial, link, 'Tim', memoryStore(), counting)
  peers.push(tim)
  await inStep(ada, bob, tim)
  expect(tim.space.head).toEqual(ada.space.head)
  expect(await readBodies(tim)).toEqual(bodies(ada.space.current, 1))
  // Ada's 22 together; one by one Bob's, of which some are bad.
  expect(single).toBeGreaterThan(2)
  expect(single).toBeLessThan(20)
})
