/**
 * kill −9, for real: a process writes transactions, rotates, forgets, snapshots and compacts, and is killed at a random moment. Whoever opens the
 * space next finds every acknowledged transaction, whole and once, and an audit from entry zero finds nothing (attacks.md 35). SEALDB_KILLS=1000.
 */
import { spawn } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { audit } from '../../engine/space/audit.js'
import { openSpace } from '../../engine/space/open.js'
import { newestEpoch } from '../../engine/group/roster.js'
import type { RowRange, RowView } from '../../engine/space/types.js'
import { fileStore } from '../../engine/store/file/file.js'
import { bundleChild } from '../child-bundle.js'
import { countOf, crypto, optionsOf } from './rim-support.js'

const KILLS = Number(process.env['SEALDB_KILLS'] ?? 30)
/** Lives of one store: its log grows, and opening it takes longer. */
const LIVES = 20

let place = ''
let script = ''
beforeAll(async () => { ({ place, script } = await bundleChild('./crash-child.ts', import.meta.url)) })
afterAll(() => rm(place, { recursive: true }))

/** Transactions acknowledged by a child that is killed some time after it opened, or (`early`) perhaps before. */
async function live(path: string, seed: number, milliseconds: number, early: boolean, people = ''): Promise<{ readonly opened: number | undefined; readonly acknowledged: number; readonly removed: readonly number[] }> {
  const child = spawn(process.execPath, [script, path, String(seed), people], { stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  let errors = ''
  let timer: NodeJS.Timeout | undefined
  child.stdout.setEncoding('latin1').on('data', (text: string) => {
    out += text
    // With people: from its first acknowledged transaction on, while it removes somebody.
    if (people === '' || out.includes('ack ')) timer ??= setTimeout(() => child.kill('SIGKILL'), milliseconds)
  })
  if (early) setTimeout(() => child.kill('SIGKILL'), 120 + milliseconds)
  child.stderr.setEncoding('latin1').on('data', (text: string) => (errors += text))
  await new Promise((resolve) => child.once('close', resolve))
  expect(errors).toBe('')
  const lines = out.split('\n').slice(0, -1).map((line) => line.split(' '))
  const opened = lines.find(([word]) => word === 'open')
  return { opened: opened && Number(opened[1]), acknowledged: Number(lines.findLast(([word]) => word === 'ack')?.[1] ?? 0), removed: lines.filter(([word]) => word === 'removed').map(([, member]) => Number(member)) }
}

async function inspect(path: string, acknowledged: number, where: string, removed: ReadonlySet<number> = new Set()): Promise<number> {
  const store = await fileStore(path, { segmentLength: 40_000 }).open()
  if (!store.get('head')) { // killed while it was being founded
    expect([store.size, acknowledged], where).toEqual([0, 0])
    await store.close()
    return 0
  }
  const space = await openSpace(store, optionsOf(`inspect ${where}`))
  const alerts: unknown[] = []
  space.on('alert', (alert) => alerts.push(alert))
  const count = countOf(space.current)
  expect(count, where).toBeGreaterThanOrEqual(acknowledged)
  expect(count - acknowledged, where).toBeLessThanOrEqual(1)
  if (count > 0) {
    const bodies = [...space.current.rows(1)].map((row) => new TextDecoder().decode((row as RowView).body))
    expect(bodies, where).toEqual(['count', ...Array.from({ length: count }, (_, n) => [`a ${n}`, `b ${n}`]).flat()])
    // Whatever generation they lie under: found by key and by value, once each.
    const found = (range: RowRange): string[] => [...space.current.rows(2, range)].map((row) => ('body' in row ? new TextDecoder().decode(row.body) : row.reason))
    expect(space.current.count(2), where).toBe(count)
    for (let n = 0; n < count; n++) {
      for (const range of [{ kind: 'key', key: [`key ${n}`] }, { kind: 'index', index: 1, values: [`value ${n}`] }] as const) expect(found(range), `${where}, ${n}`).toEqual([`secret ${n}`])
    }
  }
  // Nobody is back, and what keeps them out is held: the newest epoch opens, with every one before.
  for (const member of space.current.members()) if (removed.has(member.id)) expect(member.removed, `${where}, member ${member.id}`).toBe(true)
  expect(space.keyring.epochs.at(-1), where).toBe(newestEpoch(space.currentState).epoch)
  const report = await audit(store, crypto)
  expect([report.problems, report.rejected, report.ignored, alerts], where).toEqual([[], {}, {}, []])
  await space.close()
  return count
}

describe('kill −9 of a process that writes, rotates, forgets, snapshots and compacts', () => {
  it(`loses nothing acknowledged and does nothing twice, ${KILLS} times`, { timeout: 60_000 + KILLS * 5_000 }, async () => {
    const stores = 2
    // Of all stores: each begins anew after some lives.
    let written = 0
    await Promise.all(Array.from({ length: stores }, async (_, which) => {
      let acknowledged = 0
      for (let i = 0; i < KILLS / stores; i++) {
        const path = join(place, `space-${which}-${Math.floor(i / LIVES)}`)
        if (i % LIVES === 0) acknowledged = 0
        const before = acknowledged
        const where = `store ${which}, kill ${i}`
        const { opened, acknowledged: more } = await live(path, i * 101 + which, (i * 37) % 250, i % 4 === 0)
        if (opened !== undefined) expect(opened - acknowledged, where).toBeLessThanOrEqual(1)
        acknowledged = Math.max(acknowledged, opened ?? 0, more)
        written += acknowledged - before
        if (i % 3 === 1) continue // the next to open it is a child, which is killed too
        acknowledged = await inspect(path, acknowledged, where)
      }
    }))
    expect(written).toBeGreaterThan(KILLS / 10)
  })
})

describe('kill −9 of a process that admits and removes members', () => {
  it('nobody whose removal was acknowledged is back, no epoch is lost, and the next life goes on', { timeout: 120_000 }, async () => {
    const path = join(place, 'people')
    const removed = new Set<number>()
    let acknowledged = 0
    for (let i = 0; i < 8; i++) {
      const where = `people, kill ${i}`
      const life = await live(path, i * 89, (i * 37) % 160, false, 'people')
      for (const member of life.removed) removed.add(member)
      acknowledged = await inspect(path, Math.max(acknowledged, life.opened ?? 0, life.acknowledged), where, removed)
    }
    expect(acknowledged).toBeGreaterThanOrEqual(8)
  })
})
