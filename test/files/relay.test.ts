/** Files over a relay: brought in the background, fetched and verified by others, dropped with the file; over restarts of either end, and while others race. */
import { afterEach, describe, expect, it } from 'vitest'
import { FILE_CHUNK_LENGTH } from '../../engine/limits.js'
import type { Alert } from '../../engine/space/port.js'
import { greet } from '../../net/client.js'
import { encodeMessage } from '../../net/messages.js'
import { memoryRelayStore } from '../../net/relay/stores/memory.js'
import { leafHash } from '../../engine/log/merkle.js'
import { alertsOf, codeOfLater } from '../outcomes.js'
import { logIn, through } from '../net/hostile.js'
import { crypto, testRelay, until, type TestRelay } from '../net/support.js'
import { closeAll, found, join, reopen, type Member } from './space-support.js'
import { poll, sampleBytes, treeOf } from './support.js'

afterEach(closeAll)

const heldBy = async (relay: TestRelay, { space }: Member): Promise<ReadonlyMap<string, number>> => {
  const log = await logIn(relay.store, space.id)
  return log.chunks.groups()
}
/** The relay has all of that file. */
const brought = (relay: TestRelay, by: Member, id: string, chunks: number): Promise<void> => poll(async () => (await heldBy(relay, by)).get(id)).toBe(chunks)
const inStep = (...members: readonly Member[]): Promise<void> => until(() => members.every(({ space }) => Buffer.compare(space.head.stateRoot, (members[0] as Member).space.head.stateRoot) === 0 && space.pending === 0), 'in step')

async function pair(relay: TestRelay): Promise<{ ada: Member; bob: Member }> {
  const ada = await found(relay.dial)
  const bob = await join(ada, relay.dial)
  await inStep(ada, bob)
  return { ada, bob }
}

describe('two members', () => {
  it('what one puts the other reads, in ranges first, then whole and offline; a reader and a newcomer too', async () => {
    const relay = await testRelay()
    let { ada, bob } = await pair(relay)
    const whole = sampleBytes(5 * FILE_CHUNK_LENGTH + 99)
    const { id } = await ada.space.files.put(whole, { name: 'harbour.jpg', type: 'image/jpeg' })
    await brought(relay, ada, id, 6)
    await inStep(ada, bob)
    expect(await bob.space.files.list()).toMatchObject([{ id, name: 'harbour.jpg', type: 'image/jpeg', length: whole.length, author: 1, local: false }])
    const file = await bob.space.files.get(id)
    const parts: Uint8Array[] = []
    for await (const part of file.stream({ from: 2 * FILE_CHUNK_LENGTH, to: 2 * FILE_CHUNK_LENGTH + 5 })) parts.push(part)
    expect(Buffer.concat(parts)).toEqual(Buffer.from(whole.subarray(2 * FILE_CHUNK_LENGTH, 2 * FILE_CHUNK_LENGTH + 5)))
    expect(await bob.space.engine.store.chunks.numbers(id)).toEqual([2])
    expect(Buffer.compare(await file.bytes(), whole)).toBe(0)
    expect((await bob.space.files.list())[0]?.local).toBe(true)
    bob = await reopen(bob, relay.dial, true)
    expect(Buffer.compare(await (await bob.space.files.get(id)).bytes(), whole)).toBe(0)
    const eve = await join(ada, relay.dial, 'reader')
    expect(Buffer.compare(await (await eve.space.files.get(id)).bytes(), whole)).toBe(0)
    await expect(eve.space.files.put(whole)).rejects.toMatchObject({ code: 'rejected', facts: { detail: 'writer' } })
  })

  it('says that the author has not brought it yet, and reads it once that has', async () => {
    const relay = await testRelay()
    const { ada, bob } = await pair(relay)
    let holding = true
    const dial = through(relay.dial, { toRelay: (message) => (holding && (message.kind === 'bringChunk' || message.kind === 'wantedFiles') ? [] : undefined) })
    const slow = await reopen(ada, dial)
    const { id } = await slow.space.files.put(sampleBytes(1_000))
    await inStep(slow, bob)
    await expect((await bob.space.files.get(id)).bytes()).rejects.toMatchObject({ code: 'unavailable', facts: { reason: 'not-uploaded' } })
    await bob.space.disconnect()
    await expect((await bob.space.files.get(id)).bytes()).rejects.toMatchObject({ code: 'unavailable', facts: { reason: 'offline' } })
    holding = false
    await slow.space.disconnect()
    slow.space.connect()
    bob.space.connect()
    await brought(relay, ada, id, 1)
    await bob.space.online()
    expect(await (await bob.space.files.get(id)).bytes()).toEqual(sampleBytes(1_000))
  })

  it('put offline, over a restart: entry and content go out when the relay is there', async () => {
    const relay = await testRelay()
    const { ada, bob } = await pair(relay)
    let away = await reopen(ada, relay.dial, true)
    const { id } = await away.space.files.put(sampleBytes(400_000), { name: 'boat.png' })
    expect(await (await away.space.files.get(id)).bytes()).toEqual(sampleBytes(400_000))
    away = await reopen(away, relay.dial)
    await brought(relay, bob, id, 4)
    await inStep(away, bob)
    expect(Buffer.compare(await (await bob.space.files.get(id)).bytes(), sampleBytes(400_000))).toBe(0)
    expect(away.space.engine.store.names('secret/file/')).toEqual([])
  })

  it('is dropped by relay and devices when it is deleted, for good', async () => {
    const relay = await testRelay()
    const { ada, bob } = await pair(relay)
    const { id } = await ada.space.files.put(sampleBytes(200_000))
    await brought(relay, ada, id, 2)
    await inStep(ada, bob)
    const file = await bob.space.files.get(id)
    await file.bytes()
    await expect(bob.space.files.delete(id)).rejects.toMatchObject({ code: 'rejected', facts: { detail: 'not-creator' } })
    await ada.space.files.delete(id)
    await inStep(ada, bob)
    for (const { space } of [ada, bob]) await poll(async () => (await space.engine.store.chunks.groups()).size).toBe(0)
    await poll(async () => (await heldBy(relay, ada)).size).toBe(0)
    await expect(file.bytes()).rejects.toMatchObject({ code: 'unavailable', facts: { reason: 'not-uploaded' } })
    expect(await codeOfLater(bob.space.files.get(id))).toBe('unavailable')
  })

  it('another epoch meanwhile: what was put offline is put again as the same file', async () => {
    const relay = await testRelay()
    const { ada, bob } = await pair(relay)
    const eve = await join(ada, relay.dial)
    let away = await reopen(bob, relay.dial, true)
    const { id } = await away.space.files.put(sampleBytes(7_000), { name: 'late.txt' })
    const dropped = await away.space.files.put(sampleBytes(8_000))
    await away.space.files.delete(dropped.id)
    await ada.space.remove(eve.space.me.id)
    const lost: unknown[] = []
    away = await reopen(away, relay.dial)
    away.space.db.onLost((write) => lost.push(write))
    await brought(relay, ada, id, 1)
    await inStep(ada, away)
    expect(await ada.space.files.list()).toMatchObject([{ id, name: 'late.txt', author: away.space.me.id }])
    expect(await (await ada.space.files.get(id)).bytes()).toEqual(sampleBytes(7_000))
    expect([lost, away.space.engine.store.names('secret/file/')]).toEqual([[], []])
  })

  it('who may not write any more is told of what could not be put', async () => {
    const relay = await testRelay()
    const { ada, bob } = await pair(relay)
    let away = await reopen(bob, relay.dial, true)
    const { id } = await away.space.files.put(sampleBytes(7_000))
    await ada.space.setRole(away.space.me.id, 'reader')
    away = await reopen(away, relay.dial, true)
    const alerts = alertsOf(away.space)
    away.space.connect()
    await until(() => alerts.some(({ code }) => code === 'lost-file'), 'told')
    expect(alerts.find(({ code }) => code === 'lost-file')).toMatchObject({ facts: { id, doing: 'put' } })
    await poll(async () => (await away.space.engine.store.chunks.groups()).size).toBe(0)
  })

  it('a member who has read a file brings it to a relay that has lost it, when its author does not', async () => {
    const relay = await testRelay()
    const { ada, bob } = await pair(relay)
    const { id } = await ada.space.files.put(sampleBytes(300_000))
    await brought(relay, ada, id, 3)
    await inStep(ada, bob)
    await (await bob.space.files.get(id)).bytes()
    await ada.space.disconnect()
    await (await logIn(relay.store, ada.space.id)).chunks.remove(id)
    const { FileTransfer } = await import('../../net/files.js')
    const { openFiles } = await import('../../engine/space/open-files.js')
    const { entries } = openFiles(bob.space.engine, { random: (n) => new Uint8Array(n), source: () => Promise.reject(new Error('none')), onLanded: () => undefined, carried: () => Promise.resolve(), holds: () => Promise.resolve(() => false) })
    const { rpc, name, nonce } = await greet(relay.dial, 'memory:', bob.space.id)
    await rpc.call({ kind: 'auth', ...bob.space.engine.signChallenge(name, nonce) }, 'welcome')
    const transfer = new FileTransfer({ holder: entries, rpc: () => rpc, othersAfter: 1 })
    transfer.poke()
    await brought(relay, bob, id, 3)
    await transfer.stop()
    await entries.close()
    rpc.close()
  })
})

describe('interruptions', () => {
  it('cut at any chunk, a relay that starts anew in between: goes on where it was, and ends whole', async () => {
    const store = memoryRelayStore()
    let relay = await testRelay({ store })
    const ada = await found((...args) => relay.dial(...args))
    let sent = 0
    let cut = 3
    const member = await reopen(ada, (url, signal) => through(relay.dial, {
      toRelay: (message, _frame, control) => {
        if (message.kind !== 'bringChunk') return undefined
        if (++sent % cut === 0 && cut < 9) {
          cut += 2
          control.cut()
          return []
        }
        return undefined
      },
    })(url, signal))
    const { id } = await member.space.files.put(sampleBytes(20 * FILE_CHUNK_LENGTH))
    await until(() => cut > 5, 'cut twice')
    await relay.relay.drain()
    relay = await testRelay({ store })
    await brought(relay, member, id, 20)
    expect(sent).toBeLessThan(20 + 3 * 8 + 8) // what was acknowledged is not sent again: at most a window for each cut
    const bob = await join(member, relay.dial)
    expect(Buffer.compare(await (await bob.space.files.get(id)).bytes(), sampleBytes(20 * FILE_CHUNK_LENGTH))).toBe(0)
  })

  it('damage in the relay’s store is served to nobody, and mended by whoever has the file', async () => {
    const relay = await testRelay()
    const { ada, bob } = await pair(relay)
    const { id } = await ada.space.files.put(sampleBytes(300_000))
    await brought(relay, ada, id, 3)
    await inStep(ada, bob)
    const { chunks } = await logIn(relay.store, ada.space.id)
    const piece = (await chunks.get(id, 1)) as Uint8Array
    piece[5_000] = (piece[5_000] as number) ^ 1
    await chunks.put(id, 1, piece)
    await expect((await bob.space.files.get(id)).bytes()).rejects.toMatchObject({ code: 'unavailable', facts: { reason: 'not-uploaded' } })
    await ada.space.disconnect()
    ada.space.connect()
    await poll(async () => codeOfLater((await bob.space.files.get(id)).bytes())).toBe('no error')
    expect(Buffer.compare(await (await bob.space.files.get(id)).bytes(), sampleBytes(300_000))).toBe(0)
  })

  it('damage on a device is mended from the relay', async () => {
    const relay = await testRelay()
    const { ada } = await pair(relay)
    const { id } = await ada.space.files.put(sampleBytes(300_000))
    await brought(relay, ada, id, 3)
    const { chunks } = ada.space.engine.store
    const [group] = [...(await chunks.groups()).keys()] as [string]
    for (const damaged of [new Uint8Array(0), new Uint8Array(FILE_CHUNK_LENGTH + 16)]) {
      await chunks.put(group, 1, damaged)
      expect(Buffer.compare(await (await ada.space.files.get(id)).bytes(), sampleBytes(300_000))).toBe(0)
      expect((await chunks.get(group, 1))?.some((byte) => byte !== 0)).toBe(true)
    }
  })
})

describe('a hostile client', () => {
  async function raw(relay: TestRelay, by: Member): Promise<Awaited<ReturnType<typeof greet>>['rpc']> {
    const { rpc, name, nonce } = await greet(relay.dial, 'memory:', by.space.id)
    await rpc.call({ kind: 'auth', ...by.space.engine.signChallenge(name, nonce) }, 'welcome')
    return rpc
  }
  const refusal = async (work: Promise<unknown>): Promise<unknown> => work.then(() => 'taken', (error: { facts?: { code?: unknown } }) => error.facts?.code)

  it('brings chunks of no file, of another, at another place, changed, without proof: none is kept; twice the right one is one', async () => {
    const relay = await testRelay()
    const { ada, bob } = await pair(relay)
    const file = await ada.space.files.put(sampleBytes(3 * FILE_CHUNK_LENGTH))
    const other = await ada.space.files.put(sampleBytes(3 * FILE_CHUNK_LENGTH, 9))
    for (const { id } of [file, other]) await brought(relay, ada, id, 3)
    const rpc = await raw(relay, bob)
    const id = Buffer.from(file.id, 'hex')
    const piece = async (of: string, number: number): Promise<{ proof: readonly Uint8Array[]; chunk: Uint8Array }> => rpc.call({ kind: 'chunk', file: Buffer.from(of, 'hex'), number }, 'chunkIs')
    const [zero, one, foreign] = [await piece(file.id, 0), await piece(file.id, 1), await piece(other.id, 0)]
    const { chunks } = await logIn(relay.store, ada.space.id)
    await chunks.remove(file.id)
    const bring = (number: number, { proof, chunk }: typeof zero, to = id): Promise<unknown> => refusal(rpc.call({ kind: 'bringChunk', file: to, number, proof, chunk }, 'chunkTaken'))
    const changed = zero.chunk.slice()
    changed[9] = (changed[9] as number) ^ 1
    const outcomes = [
      await bring(1, zero), await bring(0, one), await bring(3, zero), await bring(2 ** 40, zero), await bring(0, foreign), await bring(0, { ...zero, chunk: changed }), await bring(0, { ...zero, proof: [] }),
      await bring(0, { ...zero, proof: [...zero.proof, zero.proof[0] as Uint8Array] }), await bring(0, { ...zero, proof: zero.proof.map((hash) => hash.subarray(1)) }), await bring(0, { ...zero, chunk: zero.chunk.subarray(1) }),
      await bring(0, { proof: [], chunk: new Uint8Array(0) }),
    ]
    expect(outcomes).toEqual(Array.from({ length: 11 }, () => 'bad-chunk'))
    expect(await bring(0, zero, Buffer.alloc(32, 1))).toBe('no-file')
    expect(await chunks.numbers(file.id)).toEqual([])
    expect([await bring(0, zero), await bring(0, zero)]).toEqual(['taken', 'taken'])
    expect(await chunks.numbers(file.id)).toEqual([0])
    expect([await refusal(rpc.call({ kind: 'chunk', file: id, number: 1 }, 'chunkIs')), await refusal(rpc.call({ kind: 'chunk', file: id, number: 99 }, 'chunkIs'))]).toEqual(['no-chunk', 'no-chunk'])
    expect(await refusal(rpc.call({ kind: 'chunk', file: Buffer.alloc(32), number: 0 }, 'chunkIs'))).toBe('no-file')
    expect((await rpc.call({ kind: 'heldChunks', file: id }, 'heldAre')).bits).toEqual(Uint8Array.of(1))
    expect((await rpc.call({ kind: 'heldChunks', file: Buffer.alloc(32) }, 'heldAre')).bits).toEqual(new Uint8Array(0))
    expect((await rpc.call({ kind: 'wantedFiles', after: new Uint8Array(0) }, 'wantedAre')).files.map((each) => Buffer.from(each).toString('hex'))).toEqual([file.id])
    expect((await rpc.call({ kind: 'wantedFiles', after: id }, 'wantedAre')).files).toEqual([])
    rpc.close()
  })

  it('before it has proved a key, or as a guest by invitation, brings nothing', async () => {
    const relay = await testRelay()
    const { ada } = await pair(relay)
    const { id } = await ada.space.files.put(sampleBytes(10))
    await brought(relay, ada, id, 1)
    const { rpc } = await greet(relay.dial, 'memory:', ada.space.id)
    expect(await codeOfLater(rpc.call({ kind: 'chunk', file: Buffer.from(id, 'hex'), number: 0 }, 'chunkIs'))).toBe('disconnected')
    const { parseLink } = await import('../../engine/group/link.js')
    const { signInvitationChallenge } = await import('../../engine/space/join.js')
    const parsed = parseLink(crypto, await ada.space.invite({ role: 'writer' }))
    const guest = await greet(relay.dial, 'memory:', ada.space.id)
    const proved = signInvitationChallenge({ crypto, random: (n) => new Uint8Array(n), now: () => 0 }, parsed, guest.name, guest.nonce)
    await guest.rpc.call({ kind: 'authInvitation', invitation: parsed.invitation, signature: proved }, 'welcome')
    const { chunk, proof } = await guest.rpc.call({ kind: 'chunk', file: Buffer.from(id, 'hex'), number: 0 }, 'chunkIs')
    expect(await refusal(guest.rpc.call({ kind: 'bringChunk', file: Buffer.from(id, 'hex'), number: 0, chunk, proof }, 'chunkTaken'))).toBe('denied')
    guest.rpc.close()
  })

  it('has a quota: what does not fit is refused, its user told, and what is deleted makes room', async () => {
    const relay = await testRelay({ limits: { maxFileBytes: 5 * (FILE_CHUNK_LENGTH + 16) } })
    const { ada } = await pair(relay)
    const alerts: readonly Alert[] = alertsOf(ada.space)
    const first = await ada.space.files.put(sampleBytes(3 * FILE_CHUNK_LENGTH))
    await brought(relay, ada, first.id, 3)
    const second = await ada.space.files.put(sampleBytes(4 * FILE_CHUNK_LENGTH))
    await until(() => alerts.some(({ code, facts }) => code === 'files-refused' && facts.code === 'quota'), 'told')
    expect([...(await heldBy(relay, ada)).values()].reduce((sum, n) => sum + n, 0)).toBe(5)
    await ada.space.files.delete(first.id)
    await poll(async () => (await heldBy(relay, ada)).has(first.id)).toBe(false)
    await ada.space.disconnect()
    ada.space.connect()
    await brought(relay, ada, second.id, 4)
  })

  it('sends too much, or reads too slowly: its connection ends, the others go on', async () => {
    const relay = await testRelay({ limits: { chunks: { perSecond: 1, burst: 2 * FILE_CHUNK_LENGTH }, maxBuffered: 1024 * 1024 } })
    const { ada, bob } = await pair(relay)
    const { id } = await ada.space.files.put(sampleBytes(FILE_CHUNK_LENGTH))
    await brought(relay, ada, id, 1)
    const rpc = await raw(relay, bob)
    const ask = (): Promise<unknown> => refusal(rpc.call({ kind: 'chunk', file: Buffer.from(id, 'hex'), number: 0 }, 'chunkIs'))
    expect([await ask(), await ask()]).toEqual(['taken', 'rate'])
    rpc.close()
    const [connection] = [await relay.dial('memory:')]
    let closing: { code: number } | undefined
    connection.onClose = (how) => { closing = how }
    connection.send(encodeMessage({ kind: 'bringChunk', request: 1, file: new Uint8Array(32), number: 0, proof: [], chunk: new Uint8Array(10) }))
    await until(() => closing !== undefined, 'closed')
    expect(closing?.code).toBe(4000)
    expect(await codeOfLater(ada.space.files.put(sampleBytes(5)))).toBe('no error')
  })
})

describe('a hostile relay (attack 17)', () => {
  it('chunks changed, reordered, cut short, from another file, with other proofs: refused, nothing kept, nothing given out', async () => {
    const relay = await testRelay()
    const { ada, bob } = await pair(relay)
    const whole = sampleBytes(4 * FILE_CHUNK_LENGTH - 3)
    const file = await ada.space.files.put(whole)
    const other = await ada.space.files.put(sampleBytes(4 * FILE_CHUNK_LENGTH - 3, 5))
    for (const { id } of [file, other]) await brought(relay, ada, id, 4)
    await inStep(ada, bob)
    const log = await logIn(relay.store, ada.space.id)
    type Piece = { readonly proof: readonly Uint8Array[]; readonly chunk: Uint8Array }
    const pieces = new Map<string, Piece>()
    const honest = through(relay.dial, { toClient: () => undefined })
    const { rpc, name, nonce } = await greet(honest, 'memory:', bob.space.id)
    await rpc.call({ kind: 'auth', ...bob.space.engine.signChallenge(name, nonce) }, 'welcome')
    for (const { id } of [file, other]) for (let n = 0; n < 4; n++) {
      const { proof, chunk } = await rpc.call({ kind: 'chunk', file: Buffer.from(id, 'hex'), number: n }, 'chunkIs')
      pieces.set(`${id} ${n}`, { proof, chunk })
    }
    rpc.close()
    const at = (n: number, of = file.id): Piece => pieces.get(`${of} ${n}`) as Piece
    const edit = (bytes: Uint8Array, i: number): Uint8Array => bytes.map((byte, k) => (k === i ? byte ^ 1 : byte))
    const made = at(1).chunk.map((byte) => byte ^ 0xff)
    const forged = treeOf([at(0).chunk, made, at(2).chunk, at(3).chunk])
    const lies: readonly ((n: number) => Piece | undefined)[] = [
      (n) => (n === 1 ? { ...at(1), chunk: edit(at(1).chunk, 0) } : undefined),
      (n) => (n === 1 ? { ...at(1), chunk: edit(at(1).chunk, at(1).chunk.length - 1) } : undefined),
      (n) => (n === 1 ? at(2) : n === 2 ? at(1) : undefined), // reordered
      (n) => (n === 1 ? at(0) : undefined), // repeated
      (n) => (n === 3 ? { ...at(3), chunk: at(3).chunk.subarray(0, -1) } : undefined), // cut short
      (n) => (n === 3 ? { ...at(3), chunk: at(3).chunk.subarray(0, 16) } : undefined),
      (n) => (n === 3 ? { ...at(3), chunk: new Uint8Array(0) } : undefined),
      (n) => (n === 3 ? at(2) : undefined), // the end replaced: one more whole chunk
      (n) => (n === 1 ? at(1, other.id) : undefined), // of another file
      (n) => (n === 1 ? { chunk: at(1, other.id).chunk, proof: at(1).proof } : undefined),
      (n) => (n === 1 ? { chunk: made, proof: forged.inclusionProof(1) } : undefined), // with a proof of its own
      (n) => (n === 1 ? { ...at(1), proof: [] } : undefined),
      (n) => (n === 1 ? { ...at(1), proof: at(1).proof.slice().reverse() } : undefined),
      (n) => (n === 1 ? { ...at(1), proof: at(1).proof.map((hash, i) => (i === 0 ? edit(hash, 0) : hash)) } : undefined),
      (n) => (n === 0 ? { chunk: new Uint8Array(at(0).chunk.length), proof: at(0).proof } : undefined),
      (n) => (n === 0 ? { proof: at(0).proof.slice(1), chunk: Buffer.concat([leafHash(crypto, at(0).chunk), at(0).proof[0] as Uint8Array]) } : undefined), // a node as a leaf
    ]
    let lie: (n: number) => Piece | undefined = () => undefined
    const asked = new Map<number, number>()
    const dial = through(relay.dial, {
      toRelay: (message) => {
        if (message.kind === 'chunk') asked.set(message.request, message.number)
        return undefined
      },
      toClient: (message) => {
        if (message.kind !== 'chunkIs') return undefined
        const told = lie(asked.get(message.request) ?? -1)
        return told && [{ ...message, ...told }]
      },
    })
    const victim = await reopen(bob, dial)
    await victim.space.online()
    for (const [i, next] of lies.entries()) {
      lie = next
      await victim.space.engine.store.chunks.remove(file.id)
      const opened = await victim.space.files.get(file.id)
      const got: Uint8Array[] = []
      const reading = (async () => { for await (const part of opened.stream()) got.push(part) })()
      expect([i, await codeOfLater(reading)]).toEqual([i, 'bad-proof'])
      const given = Buffer.concat(got)
      expect([i, Buffer.compare(given, whole.subarray(0, given.length)), given.length < whole.length]).toEqual([i, 0, true])
      for (const n of await victim.space.engine.store.chunks.numbers(file.id)) expect(Buffer.compare((await victim.space.engine.store.chunks.get(file.id, n)) as Uint8Array, at(n).chunk)).toBe(0)
    }
    lie = () => undefined
    expect(Buffer.compare(await (await victim.space.files.get(file.id)).bytes(), whole)).toBe(0)
    await log.close()
  })

  it('that names files nobody has, twice, or out of order gets nothing', async () => {
    const relay = await testRelay()
    const { ada } = await pair(relay)
    const sent: string[] = []
    const { id } = await ada.space.files.put(sampleBytes(10))
    await brought(relay, ada, id, 1)
    let answered = 0
    const dial = through(relay.dial, {
      toClient: (message) => (message.kind === 'wantedAre' ? [{ ...message, files: [new Uint8Array(32).fill(++answered), new Uint8Array(32).fill(answered)] }] : undefined),
      toRelay: (message) => {
        if (message.kind === 'bringChunk') sent.push(Buffer.from(message.file).toString('hex'))
        return undefined
      },
    })
    const again = await reopen(ada, dial)
    await until(() => answered > 0, 'asked')
    await again.space.exec('CREATE TABLE t (id INTEGER PRIMARY KEY)')
    await again.space.settled()
    expect([sent, answered]).toEqual([[], 1])
  })
})

it('19: nothing in the relay’s store or in any frame holds content, name or type of a file', async () => {
  const frames: Uint8Array[] = []
  const relay = await testRelay()
  const dial = through(relay.dial, {}, (frame) => frames.push(Uint8Array.from(frame)))
  const ada = await found(dial)
  const bob = await join(ada, dial)
  const secret = 'the-harbour-at-dawn'
  const content = Buffer.from(`${secret} `.repeat(20_000))
  const { id } = await ada.space.files.put(content, { name: `${secret}.tiff`, type: `image/${secret}` })
  await brought(relay, ada, id, Math.ceil(content.length / FILE_CHUNK_LENGTH))
  await inStep(ada, bob)
  expect(Buffer.compare(await (await bob.space.files.get(id)).bytes(), content)).toBe(0)
  await ada.space.files.delete(id)
  const again = await ada.space.files.put(content, { name: `${secret}.tiff` })
  await brought(relay, ada, again.id, Math.ceil(content.length / FILE_CHUNK_LENGTH))
  const log = await logIn(relay.store, ada.space.id)
  const stored = [...(await log.read(0, 1e6, 1e9))]
  for (const group of (await log.chunks.groups()).keys()) for (const n of await log.chunks.numbers(group)) stored.push((await log.chunks.get(group, n)) as Uint8Array)
  const words = [secret, 'harbour', 'tiff', 'image/']
  for (const bytes of [...frames, ...stored]) {
    const text = Buffer.from(bytes)
    for (const word of words) for (const form of [word, Buffer.from(word).toString('hex'), Buffer.from(word).toString('base64').slice(0, 8)]) expect(text.includes(form)).toBe(false)
  }
  expect(frames.length).toBeGreaterThan(10)
})
