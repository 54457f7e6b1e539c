/**
 * Newcomers that start from a snapshot (PROTOCOL.md §9.5, attacks.md A13): the same space as from the genesis, from sources that are believed in
 * nothing; cut off at any chunk and gone on; and what is out of reach for who has no history is said, not guessed.
 */
import { describe, expect, it } from 'vitest'
import { concatBytes, equalBytes } from '../../engine/codec/bytes.js'
import { SealError, isSealError } from '../../engine/errors.js'
import { parseLink } from '../../engine/group/link.js'
import { forget, invite, pendingForget, refreshIfNeeded, remove, revokeInvitation, rotate } from '../../engine/space/acts.js'
import { AnchorStates } from '../../engine/space/anchors.js'
import { audit } from '../../engine/space/audit.js'
import { Follower } from '../../engine/space/follower.js'
import { joinSpace } from '../../engine/space/join.js'
import type { SnapshotChannel } from '../../engine/space/join-snapshot.js'
import { createSpace, openSpace } from '../../engine/space/open.js'
import { proveRows } from '../../engine/space/prove.js'
import { SnapshotReader, SnapshotSource } from '../../engine/space/snapshot-chunks.js'
import { decodeManifest, encodeManifest, type SnapshotManifest } from '../../engine/space/snapshot-manifest.js'
import { Snapshots, writeStoredSnapshot } from '../../engine/space/snapshot.js'
import type { Space } from '../../engine/space/space.js'
import type { Head, RowView, View } from '../../engine/space/types.js'
import { SpaceView } from '../../engine/space/view.js'
import { verifyReceipt } from '../../engine/verify.js'
import { memoryStore } from '../../engine/store/memory.js'
import { createTable, crypto, optionsOf, put, rows, taskTable } from './rim-support.js'
import { NAME, Sequencer } from './sequencer.js'

const BODY = 'x'.repeat(2_000)

interface Setting { readonly ada: Space; readonly relay: Sequencer; readonly link: string; readonly anchor: Head }

/** 400 rows of two kilobytes: a snapshot of several chunks. */
async function setting(seed: string, role: 'writer' | 'reader' = 'writer'): Promise<Setting> {
  const ada = await createSpace(await memoryStore().open(), optionsOf(seed), { name: 'ada' })
  await ada.commit(createTable(taskTable(1), 'table:task'), ada.current)
  await ada.commit(rows(...Array.from({ length: 400 }, (_, i) => put('insert', 1, BigInt(i), BigInt(i), `${i} ${BODY}`))), ada.current)
  await ada.commit(rows(put('update', 1, 3n, 3n, 'three')), ada.current)
  const relay = await Sequencer.attach(ada)
  const link = await relay.during(ada, invite(ada, { role }))
  const { anchor } = parseLink(crypto, link)
  // What comes after the link was made.
  await ada.commit(rows(put('update', 1, 4n, 4n, 'four'), put('insert', 1, 1_000n, 1n, 'thousand')), ada.current)
  await relay.exchange(ada)
  return { ada, relay, link, anchor }
}

function dump(view: View): readonly string[] {
  return [...view.rows(1)].map((row) => ('body' in row ? `${row.author} ${row.device} ${row.version} ${new TextDecoder().decode(row.body).slice(0, 9)}` : row.reason))
}

function chunksOf(source: SnapshotSource): readonly Uint8Array[] {
  let from = 0
  return decodeManifest(source.manifest).counts.map((count) => {
    const chunk = source.rows(from, count)
    from += count
    return chunk
  })
}

function refusal(work: () => unknown): { readonly code: string; readonly chunk: unknown } {
  try {
    work()
  } catch (error) {
    if (isSealError(error)) return { code: error.code, chunk: error.facts.chunk }
    throw error
  }
  return { code: 'accepted', chunk: undefined }
}

describe('a newcomer from a snapshot', () => {
  it('sees what one from the genesis sees, writes, and reopens', async () => {
    const { ada, relay, link, anchor } = await setting('same')
    const pulled: number[] = []
    const told: string[] = []
    const location = memoryStore()
    const store = await location.open()
    const channel = relay.channel(relay.snapshot)
    const bob = await joinSpace(store, optionsOf('bob'), parseLink(crypto, link), { ...channel, pull: (from) => { pulled.push(from); return channel.pull(from) } }, { name: 'bob' }, undefined, (done, of) => told.push(`${done}/${of}`))
    expect(pulled[0]).toBe(anchor.size)
    expect(told.length).toBeGreaterThan(3)
    expect(told.at(-1)).toMatch(/^(\d+)\/\1$/)
    expect(store.first).toBe(anchor.size)
    expect(store.names('join/')).toEqual([])
    await relay.settle(ada, bob)
    expect(bob.head).toEqual(ada.head)
    expect(dump(bob.current)).toEqual(dump(ada.current))
    expect(bob.verified.members()).toEqual(ada.verified.members())
    await bob.commit(rows(put('update', 1, 5n, 5n, 'by bob')), bob.current)
    await relay.settle(ada, bob)
    expect(dump(ada.current).find((row) => row.includes('by bob'))).toBe(`2 2 ${ada.head.size - 1} by bob`)
    await bob.close()
    const again = await openSpace(await location.open(), optionsOf('again'))
    expect(again.head).toEqual(ada.head)
    expect(dump(again.current)).toEqual(dump(ada.current))
    await again.close()
    await ada.close()
  })

  it('knows history from there on, and says where it starts', async () => {
    const { ada, relay, link, anchor } = await setting('history')
    const location = memoryStore()
    let bob = await relay.join(location, link, 'bob', relay.snapshot)
    for (let i = 0; i < 3; i++) {
      await bob.commit(rows(put('update', 1, 6n, BigInt(i), `six ${i}`)), bob.current)
      await relay.settle(ada, bob)
    }
    for (let size = anchor.size; size <= bob.head.size; size++) {
      const [mine, hers] = [await bob.at(size), await ada.at(size)]
      expect(mine.head).toEqual(hers.head)
      expect(dump(mine)).toEqual(dump(hers))
      mine.release()
      hers.release()
    }
    await expect(bob.at(anchor.size - 1)).rejects.toMatchObject({ code: 'out-of-scope', facts: { first: anchor.size } })
    await expect(audit(bob.store, crypto)).rejects.toMatchObject({ code: 'out-of-scope', facts: { first: anchor.size } })
    expect(bob.compareHead({ ...ada.headAt(anchor.size - 2) as Head })).toBe('behind')
    expect(await bob.observe(relay.note(ada.headAt(anchor.size - 1)))).toBe('behind')
    // A later snapshot moves the start of history, no more.
    if (!(bob.verified instanceof SpaceView)) throw new Error('a view of another kind')
    await writeStoredSnapshot(bob.store, bob.head, bob.verified.held, bob.log)
    const { size } = bob.head
    await bob.close()
    bob = await openSpace(await location.open(), optionsOf('again'))
    expect(bob.head).toEqual(ada.head)
    await new Snapshots(bob).finish()
    await expect(bob.at(size - 1)).rejects.toMatchObject({ code: 'out-of-scope', facts: { first: size } })
    expect((await bob.at(size)).head).toEqual(ada.head)
    await bob.close()
    await ada.close()
  })

  it('gives receipts under the relay’s note, and has no voucher who was admitted before', async () => {
    const { ada, relay, link } = await setting('receipt')
    const bob = await relay.join(memoryStore(), link, 'bob', relay.snapshot)
    await relay.settle(ada, bob)
    const row = [...bob.verified.rows(1)][7] as RowView
    const bytes = await proveRows(bob, 1, [row])
    const trust = { spaceId: ada.id, relay: { name: NAME, publicKey: crypto.signer(new Uint8Array(32).fill(7)).publicKey } }
    expect(verifyReceipt(crypto, bytes, trust)).toMatchObject({ relay: true, rows: [{ author: 1, device: 1 }] })
    // Bob's own entry is the one that builds on a head here.
    await ada.commit(rows(put('update', 1, 8n, 8n, 'ada')), ada.current)
    await relay.settle(ada, bob)
    const { size } = bob.head
    await ada.commit(rows(put('update', 1, 9n, 9n, 'on it')), ada.current)
    await relay.settle(ada, bob)
    await expect(proveRows(bob, 1, [row], { size })).rejects.toMatchObject({ code: 'bad-argument', message: /Nobody stands behind/ })
    const before = bob.head.size
    await bob.commit(rows(put('update', 1, 9n, 9n, 'bob')), bob.current)
    await relay.settle(ada, bob)
    const own = await proveRows(bob, 1, [row], { size: before })
    expect(verifyReceipt(crypto, own, { spaceId: ada.id, devices: [crypto.signer(crypto.sha256(new TextEncoder().encode('bob/0'))).publicKey] }).vouchers).toMatchObject([{ device: 2 }])
    await bob.close()
    await ada.close()
  })

  it('forgets, refreshes and is removed like everybody', async () => {
    const { ada, relay, link } = await setting('group')
    const bobs = memoryStore()
    let bob = await relay.join(bobs, link, 'bob', relay.snapshot)
    await relay.settle(ada, bob)
    await relay.during(ada, rotate(ada))
    await relay.during(ada, forget(ada))
    await relay.settle(ada, bob)
    expect(pendingForget(ada)).toEqual([2])
    await relay.during(bob, refreshIfNeeded(bob))
    await relay.settle(ada, bob)
    expect(pendingForget(ada)).toEqual([])
    expect(dump(bob.current)).toEqual(dump(ada.current))
    await bob.close()
    bob = await openSpace(await bobs.open(), optionsOf('again'))
    expect(dump(bob.current)).toEqual(dump(ada.current))
    // After a forget: a newcomer by a new link, from a snapshot, reads everything that is live.
    const second = await relay.during(ada, invite(ada, { role: 'reader' }))
    const carl = await relay.join(memoryStore(), second, 'carl', relay.snapshot)
    await relay.settle(ada, bob, carl)
    expect(dump(carl.current)).toEqual(dump(ada.current))
    await expect(carl.commit(rows(put('update', 1, 1n, 1n, 'no')), carl.current)).rejects.toMatchObject({ code: 'rejected', facts: { code: 'role' } })
    await relay.during(ada, remove(ada, { members: [2] }))
    await relay.settle(ada, carl)
    await relay.exchange(bob)
    expect(bob.me.role).toBeUndefined()
    expect(carl.head).toEqual(ada.head)
    for (const space of [ada, bob, carl]) await space.close()
  })

  it('replays from the genesis where nobody has that state', async () => {
    const { ada, relay, link } = await setting('none')
    const bob = await relay.join(memoryStore(), link, 'bob', { ...relay.snapshot, manifest: async () => undefined })
    expect(bob.store.first).toBe(0)
    await relay.settle(ada, bob)
    expect(dump(bob.current)).toEqual(dump(ada.current))
    expect((await audit(bob.store, crypto)).problems).toEqual([])
    await bob.close()
    await ada.close()
  })
})

describe('a snapshot that is not what it should be', () => {
  it('is refused chunk by chunk, and the good ones count', async () => {
    const { ada, relay, anchor } = await setting('chunks')
    const source = relay.anchors.at(anchor.size) as SnapshotSource
    const chunks = chunksOf(source)
    expect(chunks.length).toBeGreaterThan(3)
    const now = new SnapshotSource(ada.env, relay.follower.states, relay.follower.hold())
    const later = chunksOf(now)
    const reader = new SnapshotReader(crypto, anchor, source.manifest)
    expect(refusal(() => reader.finish(ada.env))).toEqual({ code: 'bad-argument', chunk: undefined })
    for (const [i, chunk] of chunks.entries()) {
      const other = (i + 1) % chunks.length
      expect(refusal(() => reader.accept(i, chunks[other] as Uint8Array)), 'another chunk').toEqual({ code: 'bad-proof', chunk: i })
      expect(refusal(() => reader.accept(i, later[i] as Uint8Array)), 'of a later state').toEqual({ code: 'bad-proof', chunk: i })
      expect(['bad-encoding', 'bad-proof']).toContain(refusal(() => reader.accept(i, chunk.subarray(0, chunk.length - 1))).code)
      expect(['bad-encoding', 'bad-proof']).toContain(refusal(() => reader.accept(i, chunk.subarray(0, chunk.length >> 1))).code)
      expect(refusal(() => reader.accept(i, concatBytes(chunk, Uint8Array.of(0)))).code).toBe('bad-encoding')
      expect(refusal(() => reader.accept(i, new Uint8Array(0))).code).toBe('bad-encoding')
      const { from, count } = reader.range(i)
      if (from > 0) expect(refusal(() => reader.accept(i, source.rows(from - 1, count))), 'a row early').toEqual({ code: 'bad-proof', chunk: i })
      if (count > 1) expect(refusal(() => reader.accept(i, source.rows(from, count - 1))), 'a row short').toEqual({ code: 'bad-proof', chunk: i })
      if (i + 1 < chunks.length) expect(refusal(() => reader.accept(i, source.rows(from, count + 1))), 'a row too many').toEqual({ code: 'bad-proof', chunk: i })
      // Any byte: some forty of each chunk here; of small ones every byte, below.
      for (let at = i; at < chunk.length; at += Math.ceil(chunk.length / 40)) {
        const bad = chunk.slice()
        bad[at] = (bad[at] as number) ^ (1 << (at % 8))
        const { code, chunk: named } = refusal(() => reader.accept(i, bad))
        expect(['bad-encoding', 'bad-proof', 'too-large'], `byte ${at}`).toContain(code)
        expect(named).toBe(i)
      }
      expect(reader.missing.length).toBe(chunks.length - i)
      reader.accept(i, chunk)
      reader.accept(i, chunk)
    }
    const follower = reader.finish(ada.env)
    expect(follower.head).toEqual(anchor)
    for (const record of relay.records.slice(anchor.size)) follower.follow(record, 'check')
    expect(follower.head).toEqual(relay.head)
    now.release()
    follower.release()
    await ada.close()
  })

  it('is refused with any byte of a small one changed', async () => {
    const ada = await createSpace(await memoryStore().open(), optionsOf('small'))
    const follower = Follower.found(crypto, (await ada.records(0, 1))[0] as Uint8Array)
    const source = new SnapshotSource(follower.env, follower.states, follower.hold())
    const [chunk] = chunksOf(source) as [Uint8Array]
    const trusted = follower.head
    const take = (manifest: Uint8Array, bytes: Uint8Array): Follower => {
      const reader = new SnapshotReader(crypto, trusted, manifest)
      reader.accept(0, bytes)
      return reader.finish(follower.env)
    }
    expect(take(source.manifest, chunk).head).toEqual(trusted)
    for (let bit = 0; bit < 8 * chunk.length; bit += 3) {
      const bad = chunk.slice()
      bad[bit >> 3] = (bad[bit >> 3] as number) ^ (1 << (bit & 7))
      expect(refusal(() => take(source.manifest, bad)).code, `bit ${bit}`).not.toBe('accepted')
    }
    for (let bit = 0; bit < 8 * source.manifest.length; bit++) {
      const bad = source.manifest.slice()
      bad[bit >> 3] = (bad[bit >> 3] as number) ^ (1 << (bit & 7))
      expect(refusal(() => take(bad, chunk)).code, `manifest bit ${bit}`).not.toBe('accepted')
    }
    source.release()
    follower.release()
    await ada.close()
  })

  it('is refused by its manifest: another head, another log, cuts that are none or too many', async () => {
    const { ada, relay, anchor } = await setting('manifest')
    const source = relay.anchors.at(anchor.size) as SnapshotSource
    const good = decodeManifest(source.manifest)
    const open = (change: Partial<SnapshotManifest>) => refusal(() => new SnapshotReader(crypto, anchor, encodeManifest({ ...good, ...change })))
    expect(open({}).code).toBe('accepted')
    expect(open({ head: { ...good.head, stateRoot: relay.head.stateRoot } }).code).toBe('bad-proof')
    expect(open({ head: { ...good.head, logRoot: relay.head.logRoot } }).code).toBe('bad-proof')
    const [first, ...rest] = good.frontier.peaks as [Uint8Array, ...Uint8Array[]]
    expect(open({ frontier: { ...good.frontier, peaks: [...rest, first] } }).code).toBe('bad-proof')
    expect(open({ frontier: { ...good.frontier, peaks: rest } }).code).toBe('bad-encoding')
    expect(open({ counts: [] }).code).toBe('bad-encoding')
    expect(open({ counts: [0, ...good.counts] }).code).toBe('bad-encoding')
    expect(refusal(() => new SnapshotReader(crypto, anchor, new Uint8Array(9 * 2 ** 20))).code).toBe('too-large')
    expect(refusal(() => new SnapshotReader(crypto, anchor, Uint8Array.of(2, ...source.manifest.subarray(1)))).code).toBe('unsupported-version')
    expect(refusal(() => new SnapshotReader(crypto, { ...anchor, size: anchor.size + 1 }, source.manifest)).code).toBe('bad-proof')
    // Cuts that leave rows out, or name rows that are not there, fail at the first chunk.
    const chunks = chunksOf(source)
    for (const counts of [good.counts.slice(0, -1), [...good.counts, 1], [...good.counts.slice(0, -1), (good.counts.at(-1) as number) + 1]]) {
      const reader = new SnapshotReader(crypto, anchor, encodeManifest({ ...good, counts }))
      expect(refusal(() => reader.accept(0, chunks[0] as Uint8Array))).toEqual({ code: 'bad-proof', chunk: 0 })
    }
    // Other cuts of the same rows are as good.
    const halves = good.counts.flatMap((count) => (count > 1 ? [count >> 1, count - (count >> 1)] : [count]))
    const reader = new SnapshotReader(crypto, anchor, encodeManifest({ ...good, counts: halves }))
    for (const chunk of [...reader.missing].reverse()) {
      const { from, count } = reader.range(chunk)
      reader.accept(chunk, source.rows(from, count))
    }
    expect(reader.finish(ada.env).head).toEqual(anchor)
    // A source gives no more than it has, nor all at once.
    expect(refusal(() => source.rows(reader.rowCount, 1)).code).toBe('bad-argument')
    expect(refusal(() => source.rows(0, 0)).code).toBe('bad-argument')
    expect(refusal(() => source.rows(-1, 1)).code).toBe('bad-argument')
    await ada.close()
  })

  it('leaves the joiner with nothing: of another space, another size, or followed by a log that does not fit', async () => {
    const { ada, relay, link, anchor } = await setting('joiner')
    const other = await setting('joiner other')
    const join = (snapshot: SnapshotChannel) => relay.join(memoryStore(), link, 'bob', snapshot)
    const otherSize = other.anchor.size
    await expect(join({ manifest: async () => other.relay.anchors.at(otherSize)?.manifest, rows: async (_, from, count) => (other.relay.anchors.at(otherSize) as SnapshotSource).rows(from, count) })).rejects.toMatchObject({ code: 'bad-proof' })
    await expect(join({ ...relay.snapshot, rows: async (_, from, count) => (other.relay.anchors.at(otherSize) as SnapshotSource).rows(from, count) })).rejects.toMatchObject({ code: 'bad-proof', facts: { chunk: 0 } })
    // The relay restored from before the anchor: less than the inviter saw, whatever it shows besides.
    const old = relay.copy(anchor.size - 1)
    await expect(old.join(memoryStore(), link, 'bob', relay.snapshot)).rejects.toMatchObject({ code: 'bad-checkpoint' })
    await other.ada.close()
    // Another history after the anchor: that is for the relay's notes to show, as ever.
    const lying = relay.copy(anchor.size)
    lying.take((relay.records.at(-1) as Uint8Array).slice(0, 40), true)
    const bob = await lying.join(memoryStore(), link, 'bob', relay.snapshot)
    await relay.deliver(bob)
    expect(bob.writable).toBe(false)
    expect(bob.evidence.length).toBe(1)
    await bob.close()
    await ada.close()
  })
})

describe('a join that is cut off', () => {
  /** Every chunk may be fetched once in the life of the store, and the process ends after each. */
  it('goes on where it was, whenever it ends', async () => {
    const { ada, relay, link, anchor } = await setting('resume')
    const location = memoryStore()
    const fetched: number[] = []
    const { counts } = decodeManifest((relay.anchors.at(anchor.size) as SnapshotSource).manifest)
    let bob: Space | undefined
    let tries = 0
    while (!bob) {
      let left = 1
      const snapshot: SnapshotChannel = {
        ...relay.snapshot,
        rows: async (size, from, count) => {
          if (left-- === 0) throw new SealError('disconnected', 'The process ends here.')
          fetched.push(from)
          return relay.snapshot.rows(size, from, count)
        },
      }
      expect(++tries).toBeLessThan(20)
      bob = await relay.join(location, link, 'bob', snapshot).catch((error: unknown) => {
        if (!isSealError(error, 'disconnected')) throw error
        return undefined
      })
    }
    expect(fetched.length).toBe(counts.length)
    expect(new Set(fetched).size).toBe(counts.length)
    await relay.settle(ada, bob)
    expect(dump(bob.current)).toEqual(dump(ada.current))
    await bob.close()
    await ada.close()
  })

  it('fetches again what was damaged in the meantime, and what is of another link', async () => {
    const { ada, relay, link, anchor } = await setting('damaged')
    const location = memoryStore()
    const cutOff = async (after: number, link: string): Promise<void> => {
      let left = after
      const snapshot = { ...relay.snapshot, rows: async (size: number, from: number, count: number) => {
        if (left-- === 0) throw new SealError('disconnected', 'The process ends here.')
        return relay.snapshot.rows(size, from, count)
      } }
      await expect(relay.join(location, link, 'bob', snapshot)).rejects.toMatchObject({ code: 'disconnected' })
    }
    await cutOff(3, link)
    const store = await location.open()
    const kept = store.names('join/chunk/')
    expect(kept.length).toBe(3)
    const bad = (store.get(kept[1] as string) as Uint8Array).slice()
    bad[100] = (bad[100] as number) ^ 1
    await store.commit({ put: [[kept[1] as string, bad]] })
    await store.close()
    const asked: number[] = []
    const counting = { ...relay.snapshot, rows: async (size: number, from: number, count: number) => {
      asked.push(from)
      return relay.snapshot.rows(size, from, count)
    } }
    await relay.during(ada, revokeInvitation(ada, parseLink(crypto, link).invitation))
    const second = await relay.during(ada, invite(ada, { role: 'writer' }))
    await relay.exchange(ada)
    expect(relay.anchors.at(anchor.size)).toBeUndefined()
    await cutOff(2, second)
    const { size } = parseLink(crypto, second).anchor
    const chunkCount = decodeManifest((relay.anchors.at(size) as SnapshotSource).manifest).counts.length
    const between = await location.open()
    expect(between.names('join/chunk/').length).toBe(2)
    const worse = (between.get('join/chunk/0000001') as Uint8Array).slice()
    worse[200] = (worse[200] as number) ^ 1
    await between.commit({ put: [['join/chunk/0000001', worse]] })
    await between.close()
    const bob = await relay.join(location, second, 'bob', counting)
    expect(asked.length).toBe(chunkCount - 1)
    await relay.settle(ada, bob)
    expect(dump(bob.current)).toEqual(dump(ada.current))
    await bob.close()
    await ada.close()
  })

  it('does not fetch again what is in the store as a snapshot already', async () => {
    const { ada, relay, link } = await setting('done')
    const location = memoryStore()
    const failing = await location.open()
    const channel = relay.channel(relay.snapshot)
    await expect(joinSpace(failing, optionsOf('bob'), parseLink(crypto, link), { ...channel, pull: async () => { throw new SealError('disconnected', 'Here.') } })).rejects.toMatchObject({ code: 'disconnected' })
    await failing.close()
    const bob = await relay.join(location, link, 'bob', { manifest: async () => { throw new Error('asked again') }, rows: async () => { throw new Error('asked again') } })
    await relay.settle(ada, bob)
    expect(dump(bob.current)).toEqual(dump(ada.current))
    await bob.close()
    await ada.close()
  })
})

describe('the states a relay keeps for newcomers', () => {
  it('are those of open invitations, and go with them', async () => {
    const { ada, relay, link, anchor } = await setting('kept')
    const { versions } = relay.follower.states.stats()
    expect(equalBytes((relay.anchors.at(anchor.size) as SnapshotSource).head.stateRoot, anchor.stateRoot)).toBe(true)
    expect(relay.anchors.at(anchor.size + 1)).toBeUndefined()
    const second = parseLink(crypto, await relay.during(ada, invite(ada, { role: 'reader', expiresIn: 3 })))
    expect(relay.anchors.at(second.anchor.size)).toBeDefined()
    expect(relay.follower.states.stats().versions).toBe(versions + 1)
    for (let i = 0; i < 4; i++) await ada.commit(rows(put('update', 1, 1n, BigInt(i), 'on')), ada.current)
    await relay.exchange(ada)
    expect(relay.anchors.at(second.anchor.size), 'expired').toBeUndefined()
    await relay.during(ada, revokeInvitation(ada, parseLink(crypto, link).invitation))
    expect(relay.anchors.at(anchor.size), 'revoked').toBeUndefined()
    expect(relay.follower.states.stats().versions).toBe(versions - 1)
    await ada.close()
  })

  it('go when the log goes back, and are bounded', async () => {
    const { ada, relay } = await setting('back')
    const follower = Follower.found(crypto, relay.records[0] as Uint8Array)
    const anchors = new AnchorStates(follower)
    const start = follower.hold()
    for (const record of relay.records.slice(1)) {
      follower.follow(record, 'check')
      anchors.followed()
    }
    const { size } = follower.head
    expect([...Array(size + 1).keys()].filter((at) => anchors.at(at) !== undefined).length).toBe(1)
    follower.reset(start)
    anchors.wentBack()
    expect([...Array(size + 1).keys()].filter((at) => anchors.at(at) !== undefined)).toEqual([])
    for (const record of relay.records.slice(1)) {
      follower.follow(record, 'check')
      anchors.followed()
    }
    expect([...Array(size + 1).keys()].filter((at) => anchors.at(at) !== undefined).length).toBe(1)
    anchors.release()
    follower.release()
    expect(follower.states.stats().versions).toBe(0)
    await ada.close()
  })
})
