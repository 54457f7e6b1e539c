/** PROTOCOL.md is enough for entries: what was written from its text alone reads every record of the vectors, comes to the same log roots and verdicts, and finds every proof of the group good. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { decodeRecord as decodeTheirs } from '../../engine/space/entry.js'
import { decodeRecord, leafOf, Log, Space, spaceIdOf, type Verdict } from './entries.mjs'
import { importsOf } from './imports.js'

type Hex = string
interface Life { readonly spaceId: Hex; readonly entries: readonly { readonly record: Hex; readonly verdict: Verdict; readonly logRoot: Hex; readonly stateRoot: Hex }[] }
const lives = JSON.parse(readFileSync(new URL('../vectors/space.json', import.meta.url), 'utf8')) as readonly Life[]
const roots = (JSON.parse(readFileSync(new URL('../vectors/log.json', import.meta.url), 'utf8')) as { readonly entries: readonly { readonly leaf: Hex }[]; readonly roots: readonly { readonly root: Hex }[] })
const hex = (text: Hex): Buffer => Buffer.from(text, 'hex')
const flip = (bytes: Buffer, at: number, bit = 1): Buffer => { const changed = Buffer.from(bytes); changed[at]! ^= bit; return changed }

/** Each record with the space as it is before it. */
function* walk({ spaceId, entries }: Life): Generator<{ readonly space: Space; readonly record: Buffer; readonly verdict: Verdict }> {
  const space = new Space(hex(spaceId))
  for (const { record, verdict, logRoot, stateRoot } of entries) {
    yield { space, record: hex(record), verdict }
    space.settle(hex(record), verdict, hex(stateRoot))
    expect(space.log.root().toString('hex')).toBe(logRoot)
  }
}

it('imports nothing of the engine', () => {
  expect(importsOf('./entries.mjs')).toEqual(['node:crypto', './group.mjs'])
})

it('comes to the log roots of the vectors by frontiers', () => {
  const log = new Log()
  expect(roots.roots.map(({ root }, size) => {
    if (size > 0) log.append(hex(roots.entries[size - 1]!.leaf))
    return log.root().toString('hex') === root
  })).toEqual(roots.roots.map(() => true))
})

describe.each(lives.map((life, i) => ({ life, name: `life ${i + 1}` })))('$name', ({ life }) => {
  it('has the verdicts of the vectors wherever rows and catalog don\'t decide', () => {
    const kinds = new Set<string>()
    for (const { space, record, verdict } of walk(life)) {
      const found = space.judge(record)
      if (found === undefined) expect(verdict.kind).not.toBe('ignored')
      else expect(found).toEqual(verdict)
      kinds.add(found !== undefined && 'code' in found ? `${found.kind} ${found.code}` : verdict.kind)
    }
    expect([...kinds]).toEqual(expect.arrayContaining(['applied', 'rejected', 'rejected role', 'ignored device-prev']))
  })

  if (life === lives[0]) it('is refused when its entries are changed, cut, moved or another space\'s', () => {
    const codes = new Set<string>()
    const seen: Buffer[] = []
    const other = lives.find(({ spaceId }) => spaceId !== life.spaceId)!
    for (const { space, record, verdict } of walk(life)) {
      if (verdict.kind === 'applied') {
        const damaged = [
          record.subarray(0, -1), Buffer.concat([record, Buffer.alloc(1)]), record.subarray(0, 64), flip(record, 0), hex(other.entries[seen.length % other.entries.length]!.record),
          ...Array.from({ length: 4 }, (_, i) => flip(record, Math.floor((record.length * (i + 1)) / 5), 1 << (i & 7))), flip(record, record.length - 1, 4), ...seen.slice(-2),
        ]
        for (const changed of damaged) {
          const found = space.judge(changed)
          expect(found?.kind, changed.toString('hex').slice(0, 200)).toBe('ignored')
          if (found !== undefined && 'code' in found) codes.add(found.code)
        }
      }
      // Genesis and join name no entry before them: said twice, only their ops refuse them.
      if (verdict.kind === 'applied' && decodeRecord(record).device !== 0) seen.push(record)
    }
    expect([...codes].sort()).toEqual(expect.arrayContaining(['device-prev', 'malformed', 'signature', 'space', 'version']))
  })

  if (life === lives[0]) it('has proofs that hold for these keys, at this base, and nothing else', () => {
    let refused = 0
    const proofs = ['genesis', 'invite.create', 'join', 'rotate']
    for (const { space, record, verdict } of walk(life)) {
      if (verdict.kind !== 'applied' || !decodeRecord(record).ops.some(({ name }) => proofs.includes(name))) continue
      // All that is proved is bound to the base, of which this is a bit; the signature is not asked here.
      const { base } = decodeRecord(record)
      expect(() => space.settle(flip(record, record.indexOf(base.stateRoot)), { kind: 'applied' }, Buffer.alloc(32))).toThrow()
      refused++
    }
    expect(refused).toBeGreaterThan(4)
  })

  it('reads as the engine reads it', () => {
    for (const { record } of life.entries) {
      const bytes = hex(record)
      const theirs = decodeTheirs(bytes)
      let ours: unknown
      try {
        ours = decodeRecord(bytes).ops.map(({ name }) => name)
      } catch {
        ours = 'refused'
      }
      expect(ours).toEqual(theirs.kind === 'entry' ? [...theirs.entry.ops].map(({ op }) => op) : 'refused')
      expect(leafOf(bytes)).toHaveLength(32)
    }
    expect(spaceIdOf(hex(life.entries[0]!.record)).toString('hex')).toBe(life.spaceId)
  })
})
