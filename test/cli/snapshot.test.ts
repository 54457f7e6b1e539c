/** What the program makes of a space that was joined from a snapshot, and of files of evidence. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { openSpace } from '../../index.js'
import { parseLink } from '../../engine/group/link.js'
import { invite } from '../../engine/space/acts.js'
import { buildRecord } from '../../engine/space/build.js'
import { encodeDeviceEvidence } from '../../engine/space/device-evidence.js'
import { joinSpace, signInvitationChallenge } from '../../engine/space/join.js'
import { createSpace } from '../../engine/space/open.js'
import { decodeDeviceSecrets, NAMES } from '../../engine/space/persist.js'
import type { Space } from '../../engine/space/space.js'
import type { Head } from '../../engine/space/types.js'
import { decodePointer } from '../../engine/state/roster.js'
import { pointerKey } from '../../engine/state/keys.js'
import { fileStore } from '../../engine/store/file/file.js'
import { memoryStore } from '../../engine/store/memory.js'
import { joinChannel } from '../../net/join.js'
import { crypto, founder, testRelay } from '../net/support.js'
import { createTable, optionsOf, put, rows, taskTable } from '../space/rim-support.js'
import { Sequencer } from '../space/sequencer.js'
import { relayUrl, run, temporary } from './support.js'

const cleanup: (() => Promise<void>)[] = []
afterEach(async () => { for (const each of cleanup.splice(0).reverse()) await each() })

const insert = (space: Space, key: number): ReturnType<Space['commit']> => space.commit(rows(put('insert', 1, BigInt(key), 0n, `row ${key}`)), space.current)

test('a space that was joined from a snapshot: the log starts where its history does, and it can’t be brought to a new relay', async () => {
  const relay = await testRelay()
  const { space: ada, sync } = await founder(relay, 'Ada')
  cleanup.push(async () => {
    await sync.stop()
    await ada.close()
  })
  await (await ada.commit(createTable(taskTable(1), 'table:task'), ada.current)).settled
  for (let i = 0; i < 5; i++) await (await insert(ada, i)).settled
  const link = await invite(ada, { role: 'admin' })
  const parsed = parseLink(crypto, link)
  const { size } = parsed.anchor
  for (let i = 5; i < 8; i++) await (await insert(ada, i)).settled
  const store = join(temporary(), 'bob')
  const options = optionsOf('Bob')
  const channel = await joinChannel(relay.dial, parsed, (name, nonce) => signInvitationChallenge(options, parsed, name, nonce), undefined, { entries: 0, rows: 0 })
  const bob = await joinSpace(await fileStore(store).open(), options, parsed, channel, { name: 'Bob' })
  channel.close()
  expect(bob.store.first).toBe(size)
  const end = bob.head.size
  await bob.close()

  const all = await run(['log', '--store', store, '--offline', '--json'])
  expect(all.code).toBe(0)
  expect(all.err).toBe(`History starts at entry ${size} here: this device joined from a snapshot.\n`)
  const lines = JSON.parse(all.out) as { index: number; what: string; verdict: string; member: string }[]
  expect(lines.map(({ index }) => index)).toEqual(Array.from({ length: end - size }, (_, i) => size + i))
  expect(lines.slice(0, 3)).toMatchObject(Array.from({ length: 3 }, () => ({ what: 'insert', verdict: 'applied', member: 'Ada' })))
  const last = await run(['log', '--store', store, '--offline', '--json', '--count', '2'])
  expect([last.err, JSON.parse(last.out)]).toEqual(['', lines.slice(-2)])

  const space = await openSpace({ store: fileStore(store), offline: true })
  cleanup.push(() => space.close())
  const { head } = space
  await expect(space.attachRelay(await relayUrl())).rejects.toMatchObject({ code: 'out-of-scope', facts: { first: size } })
  expect([space.head, space.pending, space.engine.relay?.name]).toEqual([head, 0, 'relay.test'])
})

/** An entry of `by` whose base is whatever they like. */
function signed(by: Space, base: Head): Uint8Array {
  const { signingSeed } = decodeDeviceSecrets(by.store.get(NAMES.device) as Uint8Array)
  const { hash } = decodePointer(by.currentState.get(pointerKey(by.me.device)) as Uint8Array)
  return buildRecord(by.env, { signer: crypto.signer(signingSeed), base, device: by.me.device, devicePrev: hash, epoch: 1, time: 0 }, [{ op: 'delete', table: 1, rowKey: new Uint8Array(1) }])
}

test('evidence against a relay and against a device: what it proves; with any change, nothing', async () => {
  const ada = await createSpace(await memoryStore().open(), optionsOf('evidence'), { name: 'ada' })
  cleanup.push(() => ada.close())
  await ada.commit(createTable(taskTable(1), 'table:task'), ada.current)
  const relay = await Sequencer.attach(ada)
  const other = relay.copy()
  const [one, two] = [{ ...ada.head, logRoot: new Uint8Array(32).fill(1) }, { ...ada.head, logRoot: new Uint8Array(32).fill(2) }]
  const device = encodeDeviceEvidence({
    spaceId: ada.id, device: 1, publicKey: crypto.signer(decodeDeviceSecrets(ada.store.get(NAMES.device) as Uint8Array).signingSeed).publicKey,
    smaller: signed(ada, one), larger: signed(ada, two), root: two.logRoot, proof: [],
  })
  await insert(ada, 1)
  await relay.settle(ada)
  expect(await ada.observe(other.note({ ...relay.head, logRoot: new Uint8Array(32) }))).toBe('fork')
  const fork = ada.evidence[0] as Uint8Array

  const file = join(temporary(), 'evidence')
  const check = async (bytes: Uint8Array): Promise<readonly [number, unknown]> => {
    writeFileSync(file, bytes)
    const { code, out } = await run(['verify', '--evidence', file, '--json'])
    return [code, JSON.parse(out)]
  }
  const space = Buffer.from(ada.id).toString('hex')
  expect(await check(fork)).toMatchObject([0, { proves: 'fork', space, sizes: [ada.head.size, ada.head.size] }])
  expect(await check(device)).toMatchObject([0, { proves: 'equivocation', device: 1, space, sizes: [one.size, one.size] }])
  for (const evidence of [fork, device]) {
    for (const at of [1, 40, Math.floor(evidence.length / 2), evidence.length - 1]) {
      expect([at, await check(evidence.map((byte, i) => (i === at ? byte ^ 1 : byte)))]).toMatchObject([at, [1, { proves: 'nothing' }]])
    }
    writeFileSync(file, evidence.map((byte, i) => (i === 0 ? 9 : byte)))
    expect(await run(['verify', '--evidence', file])).toMatchObject({ code: 3, err: expect.stringContaining('unsupported-version') as string })
    expect((await check(evidence.subarray(0, 60)))[0]).toBe(1)
  }
})
