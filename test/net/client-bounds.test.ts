/** What a relay can make a client hold, and what a client takes for an answer. */
import { afterEach, describe, expect, it } from 'vitest'
import { fetchBranch, goOver } from '../../net/branch.js'
import { pull, pullStep, pullWitnessed } from '../../net/client.js'
import { FileTransfer } from '../../net/files.js'
import { decodeMessage, encodeMessage, type Message } from '../../net/messages.js'
import { Rpc } from '../../net/rpc.js'
import { connectionPair } from '../../net/transport.js'
import { SealError } from '../../engine/errors.js'
import { signEntry } from '../../engine/space/entry.js'
import { through } from './hostile.js'
import { founder, stopAll, testRelay, until, type TestPeer } from './support.js'

const peers: TestPeer[] = []
afterEach(() => stopAll(peers))

/** A relay that answers what it likes. */
function lying(answer: (message: Message) => Message): Rpc {
  const [ours, theirs] = connectionPair()
  theirs.onFrame = (frame) => { theirs.send(encodeMessage(answer(decodeMessage(frame)))) }
  return new Rpc(ours)
}

const RECORD = new Uint8Array(66)
const MANY = Array.from({ length: 4_096 }, () => RECORD)
const noteFor = (size: number): Uint8Array => new TextEncoder().encode(`sealdb/v1/space/x\n${size}\n`)
const FAR = noteFor(2 ** 40)

describe('a client', () => {
  it.each([
    ['from another place', { from: 6, records: [RECORD] }],
    ['more than it asked for', { from: 5, records: [RECORD, RECORD, RECORD] }],
  ])('takes no entries %s', async (_, wrong) => {
    const rpc = lying(({ request }) => ({ kind: 'entries', request, note: FAR, ...wrong }))
    await expect(pull(rpc, 5, 2)).rejects.toMatchObject({ code: 'bad-frame' })
    const witness = lying(({ request }) => ({ kind: 'witnessed', request, from: 6, records: [], note: FAR, witness: new Uint8Array(0) }))
    await expect(pullWitnessed(witness, 5)).rejects.toMatchObject({ code: 'bad-frame' })
  })

  it('does not wait for the end of a step for ever', async () => {
    let given = 0
    const rpc = lying(({ request, ...asked }) => {
      given += MANY.length
      return { kind: 'entries', request, from: 'from' in asked ? asked.from as number : 0, records: MANY, note: FAR }
    })
    await expect(pullStep(rpc, 0)).rejects.toMatchObject({ code: 'too-large' })
    expect(given).toBe(25 * 4_096) // the first above 100,000
  })

  it('does not hold another history without end, of however short entries', async () => {
    const relay = await testRelay()
    const ada = await founder(relay, 'bounds Ada')
    peers.push(ada)
    await until(() => ada.sync.state === 'online', 'the relay has it')
    await ada.sync.stop()
    let given = 0
    const dial = through(relay.dial, {
      toRelay: (message, _, control) => {
        if (message.kind === 'checkpoint') control.toClient({ kind: 'checkpointIs', request: message.request, note: FAR, root: new Uint8Array(32), consistency: [] })
        else if (message.kind !== 'pull') return undefined
        else if (message.limit === 1) control.toClient({ kind: 'entries', request: message.request, from: message.from, records: [RECORD], note: FAR })
        else {
          given += MANY.length
          control.toClient({ kind: 'entries', request: message.request, from: message.from, records: MANY, note: noteFor(message.from + MANY.length) })
        }
        return []
      },
    })
    await expect(fetchBranch(ada.space, dial)).rejects.toMatchObject({ code: 'too-large' })
    expect(given).toBeLessThan(300_000)
  })

  it('does not follow another history again for every acceptance that a relay shows in it', async () => {
    const relay = await testRelay()
    const ada = await founder(relay, 'acceptances Ada')
    peers.push(ada)
    const { env, head } = ada.space
    const evidence = new Uint8Array(1)
    const accepting = signEntry({ spaceId: env.spaceId, base: head, device: 1, devicePrev: new Uint8Array(32), epoch: 1, time: 0, adopted: false, reads: [], ops: [{ op: 'rollback.accept', common: { size: 1, peaks: [new Uint8Array(32)] }, leaves: [], lostIsLarger: false, evidence }] }, env.crypto.signer(new Uint8Array(32)))
    const rpc = lying((message) => {
      if (message.kind === 'checkpoint') return { kind: 'checkpointIs', request: message.request, note: noteFor(201), root: new Uint8Array(32), consistency: [] }
      const from = 'from' in message ? message.from as number : 0
      return { kind: 'entries', request: message.request, from, records: [accepting], note: noteFor(from + 1) }
    })
    const lengths: number[] = []
    const resume = ({ records }: { readonly records: readonly unknown[] }): Promise<never> => {
      lengths.push(records.length)
      return Promise.reject(new SealError('fork', 'another loss'))
    }
    expect(await goOver({ head, commonWith: () => Promise.resolve(1), evidence: [], resume }, rpc)).toBe(false)
    expect(lengths).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 200])
  })

  it.each([
    ['twice', [new Uint8Array(32), new Uint8Array(32)]],
    ['in another order', [new Uint8Array(32).fill(2), new Uint8Array(32).fill(1)]],
    ['that can be none', [new Uint8Array(31)]],
  ])('looks for no files that a relay names %s', async (_, files) => {
    const asked: Uint8Array[] = []
    const rpc = lying(({ request }) => ({ kind: 'wantedAre', request, files }))
    const refused = await new Promise<SealError>((resolve) => {
      const transfer = new FileTransfer({ rpc: () => rpc, onRefused: resolve, holder: { upload: (id) => {
        asked.push(id)
        return Promise.resolve(undefined)
      } } })
      transfer.poke()
    })
    expect(refused).toMatchObject({ code: 'bad-frame' })
    expect(asked.length).toBe(files.length - 1)
  })
})
