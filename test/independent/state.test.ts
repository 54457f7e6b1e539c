/**
 * PROTOCOL.md is enough for the state: what was written from its text alone comes to every verdict and every state root, of the vectors and of random lives.
 * `SEALDB_STATE_LIVES=50 SEALDB_STATE_SEED=100 SEALDB_STATE_STEPS=300` live more of them, from another seed on, and longer. A failing seed stands in the test's name.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { nameOf } from './both.js'
import { decodeRecord, type Verdict } from './entries.mjs'
import { importsOf } from './imports.js'
import { described, Life } from './lives.js'
import { Machine } from './state.mjs'

const LIVES = Number(process.env['SEALDB_STATE_LIVES'] ?? 3)
const FIRST = Number(process.env['SEALDB_STATE_SEED'] ?? 1)
const STEPS = Number(process.env['SEALDB_STATE_STEPS'] ?? 90)

type Hex = string
interface Recorded { readonly spaceId: Hex; readonly entries: readonly { readonly record: Hex; readonly verdict: Verdict; readonly logRoot: Hex; readonly stateRoot: Hex }[] }
const read = (name: string): unknown => JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), 'utf8'))
const vectors = [...(read('space') as readonly Recorded[]), (read('files') as { readonly life: Recorded }).life]
const hex = (text: Hex): Buffer => Buffer.from(text, 'hex')
const flip = (bytes: Buffer, at: number, bit = 1): Buffer => bytes.map((byte, i) => (i === at ? byte ^ bit : byte)) as Buffer

it('imports nothing of the engine', () => {
  for (const name of readdirSync(new URL('.', import.meta.url)).filter((file) => file.endsWith('.mjs'))) {
    for (const from of importsOf(`./${name}`)) expect(from, name).toMatch(/^(node:crypto|\.\/[\w-]+\.mjs)$/)
  }
})

describe.each(vectors.map((life, i) => ({ ...life, name: `life ${i + 1} of the vectors` })))('$name', ({ spaceId, entries }) => {
  it('has these verdicts and roots at every position', () => {
    const machine = new Machine(hex(spaceId))
    for (const { record, verdict, logRoot, stateRoot } of entries) {
      expect(machine.take(hex(record))).toEqual(verdict)
      const head = machine.head()
      expect([head.logRoot.toString('hex'), head.stateRoot.toString('hex')]).toEqual([logRoot, stateRoot])
    }
  })

  if (spaceId === vectors[0]?.spaceId) it('is refused when its entries are changed, cut, moved or another space\'s', () => {
    const machine = new Machine(hex(spaceId))
    const others = vectors.find((life) => life.spaceId !== spaceId)?.entries ?? []
    const codes = new Set<string>()
    const seen: Buffer[] = []
    for (const { record: text, verdict } of entries) {
      const record = hex(text)
      const last = record.length - 1
      const damaged = [
        record.subarray(0, -1), Buffer.concat([record, Buffer.alloc(1)]), record.subarray(0, 64), flip(record, 0), hex(others[seen.length % others.length]?.record ?? ''),
        flip(record, Math.floor(record.length / 3), 1 << (seen.length & 7)), flip(record, last, 4), ...seen.slice(-2),
      ]
      for (const changed of verdict.kind === 'applied' ? damaged : []) {
        const found = machine.copy().take(changed)
        expect(found.kind, changed.toString('hex').slice(0, 200)).toBe('ignored')
        if ('code' in found) codes.add(found.code)
      }
      // Genesis and join name no entry before them: said twice, only their ops refuse them.
      if (verdict.kind === 'applied' && decodeRecord(record).device !== 0) seen.push(record)
      machine.take(record)
    }
    expect([...codes].sort()).toEqual(expect.arrayContaining(['device-prev', 'malformed', 'signature', 'space', 'version']))
  })
})

describe('random lives', () => {
  const reached = new Map<string, number>()
  it.each(Array.from({ length: LIVES }, (_, i) => FIRST + i))('seed %i', (seed) => {
    let machine: Machine | undefined
    const life = new Life(seed, (step) => {
      machine ??= new Machine(Buffer.from(step.spaceId))
      const verdict = machine.take(Buffer.from(step.record))
      reached.set(nameOf(step.verdict), (reached.get(nameOf(step.verdict)) ?? 0) + 1)
      expect([verdict, machine.head().stateRoot.toString('hex')], `at ${machine.head().size - 1}: ${described(step)}`).toEqual([step.verdict, Buffer.from(step.stateRoot).toString('hex')])
    })
    for (let step = 0; step < STEPS; step++) life.step()
  })

  it('are mixed ones', () => {
    if (LIVES >= 3) expect([...reached.keys()]).toEqual(expect.arrayContaining(['applied', 'ignored signature', 'ignored malformed', 'rejected base', 'rejected chain', 'rejected conflict absent', 'rejected policy check']))
    expect(reached.get('applied')).toBeGreaterThan(5 * LIVES)
    if (process.env['SEALDB_STATE_LIVES'] !== undefined) process.stdout.write(`${[...reached].sort().map(([name, count]) => `${count} ${name}`).join('\n')}\n`)
  })
})
