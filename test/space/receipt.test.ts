/** Receipts offline: every byte changed is refused, neighbours stay sealed, and nobody unknown is believed. */
import { describe, expect, it } from 'vitest'
import { invite } from '../../engine/space/acts.js'
import { createSpace } from '../../engine/space/open.js'
import { proveRows } from '../../engine/space/prove.js'
import type { Space } from '../../engine/space/space.js'
import { noble, verifyReceipt as byEngine, type ReceiptTrust } from '../../engine/verify.js'
import { memoryStore } from '../../engine/store/memory.js'
import { Sequencer, NAME } from './sequencer.js'
import { createTable, crypto, optionsOf, put, rows, taskTable } from './rim-support.js'
import { verifyReceipt } from '../independent/receipts-both.js'
import { codeOf } from '../outcomes.js'

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

async function world(seed: string): Promise<{ space: Space; keyOf: (body: string) => { rowKey: Uint8Array; version: number } }> {
  const space = await createSpace(await memoryStore().open(), optionsOf(seed))
  await space.commit(createTable(taskTable(1), 'table:task'), space.current)
  await space.commit(createTable({ ...taskTable(2), sealed: new TextEncoder().encode('other table') }, 'table:other'), space.current)
  await space.commit(rows(...Array.from({ length: 40 }, (_, i) => put('insert', 1, BigInt(i), BigInt(i % 3), `secret body ${i}`))), space.current)
  // Somebody has to build on it.
  await space.commit(rows(put('insert', 2, 1n, 0n, 'later')), space.current)
  const keyOf = (body: string): { rowKey: Uint8Array; version: number } => {
    for (const row of space.current.rows(1)) if ('body' in row && text(row.body) === body) return row
    throw new Error('no such row')
  }
  return { space, keyOf }
}

describe('a receipt', () => {
  it('opens its rows and no others, to whoever knows the space by its id', async () => {
    const { space, keyOf } = await world('receipt')
    const bytes = await proveRows(space, 1, [keyOf('secret body 7'), keyOf('secret body 30')])
    const trust: ReceiptTrust = { spaceId: space.id }
    for (const provider of [noble, crypto]) {
      const receipt = verifyReceipt(provider, bytes, trust)
      expect(receipt.rows.map(({ body, plain, creator, author, device }) => [text(body), plain, creator, author, device])).toEqual([
        ['secret body 7', [1n], 1, 1, 1], ['secret body 30', [0n], 1, 1, 1],
      ])
      expect(text(receipt.table.sealed)).toBe('task')
      expect(receipt).toMatchObject({ relay: false, vouchers: [{ device: 1, member: 1, role: 'owner', founder: true, trusted: true }] })
      expect(receipt.head.size).toBe(space.head.size - 1)
    }
    const raw = Buffer.from(bytes)
    for (const secret of ['secret body', 'task', 'other table', 'later']) expect(raw.includes(secret)).toBe(false)
    // Two leaves, their siblings, the table, the roster: no other leaf.
    expect(bytes.length).toBeLessThan(8_000)
    await space.close()
  })

  it('is refused with any byte changed, cut short or longer', async () => {
    const { space, keyOf } = await world('mutation')
    const bytes = await proveRows(space, 1, [keyOf('secret body 7')])
    const trust = { spaceId: space.id }
    expect(verifyReceipt(crypto, bytes, trust).rows).toHaveLength(1)
    for (let i = 0; i < bytes.length; i++) {
      for (const flip of [1 << (i % 8)]) {
        const changed = bytes.slice()
        changed[i] = (changed[i] as number) ^ flip
        expect([i, codeOf(() => (i % 7 === 0 ? verifyReceipt : byEngine)(crypto, changed, trust))]).not.toEqual([i, 'no error'])
      }
    }
    for (let length = 0; length < bytes.length; length += 7) expect(codeOf(() => byEngine(crypto, bytes.slice(0, length), trust))).not.toBe('no error')
    expect(codeOf(() => verifyReceipt(crypto, Uint8Array.of(...bytes, 0), trust))).not.toBe('no error')
    await space.close()
  }, 60_000)

  it('is worth what stands behind it', async () => {
    const { space, keyOf } = await world('trust')
    const wanted = keyOf('secret body 7')
    const bytes = await proveRows(space, 1, [wanted])
    expect(codeOf(() => verifyReceipt(crypto, bytes, { spaceId: new Uint8Array(32) }))).toBe('bad-proof')
    expect(codeOf(() => verifyReceipt(crypto, bytes, { spaceId: space.id, vouchers: 2 }))).toBe('bad-proof')
    await expect(proveRows(space, 1, [])).rejects.toMatchObject({ code: 'bad-argument' })
    await expect(proveRows(space, 1, [{ rowKey: Uint8Array.of(1, 2, 0) }])).rejects.toMatchObject({ code: 'bad-argument' })
    await expect(proveRows(space, 1, [wanted], { size: space.head.size })).rejects.toMatchObject({ code: 'bad-argument' })
    // What was changed since the last head that somebody stands behind is not proved as it was.
    await space.commit(rows(put('update', 1, 7n, 1n, 'changed')), space.current)
    const changed = keyOf('changed')
    await expect(proveRows(space, 1, [changed])).rejects.toMatchObject({ code: 'bad-argument' })
    await space.commit(rows(put('insert', 2, 2n, 0n, 'later still')), space.current)
    const again = verifyReceipt(crypto, await proveRows(space, 1, [changed]), { spaceId: space.id })
    expect(again.rows.map(({ body }) => text(body))).toEqual(['changed'])
    await space.close()
  })

  it('stands on the relay’s note, or on devices of several members', async () => {
    const ada = await createSpace(await memoryStore().open(), optionsOf('note ada'))
    await ada.commit(createTable(taskTable(1), 'table:task'), ada.current)
    const seed = new Uint8Array(32).fill(7)
    const relay = await Sequencer.attach(ada, seed)
    const bob = await relay.join(memoryStore(), await relay.during(ada, invite(ada, { role: 'writer' })), 'note bob')
    await bob.commit(rows(put('insert', 1, 1n, 5n, 'of bob')), bob.current)
    await relay.settle(bob, ada)
    const wanted = [...ada.current.rows(1)]
    const believed = { name: NAME, publicKey: crypto.signer(seed).publicKey }
    const noted = await proveRows(ada, 1, wanted)
    const receipt = verifyReceipt(noble, noted, { spaceId: ada.id, relay: believed })
    expect(receipt).toMatchObject({ relay: true, vouchers: [], head: { size: ada.head.size } })
    expect(receipt.rows).toMatchObject([{ creator: 2, author: 2, device: 2 }])
    for (const relayTrust of [undefined, { ...believed, name: 'other' }, { ...believed, publicKey: new Uint8Array(32).fill(9) }]) {
      expect(codeOf(() => verifyReceipt(crypto, noted, { spaceId: ada.id, ...(relayTrust && { relay: relayTrust }) }))).toBe('bad-proof')
    }
    const note = Buffer.from(noted).indexOf('sealdb/v1/space/')
    for (let i = note; i < note + 400; i++) {
      const changed = noted.slice()
      changed[i] = (changed[i] as number) ^ 2
      expect([i, codeOf(() => verifyReceipt(crypto, changed, { spaceId: ada.id, relay: believed }))]).not.toEqual([i, 'no error'])
    }

    // Both build on one head.
    const base = ada.head.size
    await ada.commit(rows(put('insert', 1, 2n, 0n, 'a')), ada.current)
    await bob.commit(rows(put('insert', 1, 3n, 0n, 'b')), bob.current)
    await relay.settle(ada, bob)
    const vouched = await proveRows(ada, 1, wanted, { size: base })
    const both = verifyReceipt(crypto, vouched, { spaceId: ada.id, devices: [receipt.rows[0]?.publicKey as Uint8Array], vouchers: 2 })
    expect(both.vouchers).toMatchObject([{ device: 1, founder: true, trusted: true }, { device: 2, founder: false, trusted: true, role: 'writer' }])
    // Bob is nobody to whom has not heard of him.
    expect(codeOf(() => verifyReceipt(crypto, vouched, { spaceId: ada.id, vouchers: 2 }))).toBe('bad-proof')
    await Promise.all([ada.close(), bob.close()])
  })
})
