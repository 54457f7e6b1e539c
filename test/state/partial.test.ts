/** A tree that is here in part: whatever is read or edited comes out as over the whole, once what it lacked was fetched; and nothing enters it unproved. */
import { describe, expect, it } from 'vitest'
import { isSealError } from '../../engine/errors.js'
import { verifyPage, provePage } from '../../engine/state/pages.js'
import { PartialTree } from '../../engine/state/partial.js'
import { prove, type Query } from '../../engine/state/queries.js'
import { StateTree } from '../../engine/state/tree.js'
import type { State, StateView, Version } from '../../engine/state/view.js'
import { crypto } from '../space/rim-support.js'

const seed = process.env['SEALDB_PARTIAL_SEED'] ?? '1'
let counter = 0
const roll = (below: number): number => new DataView(crypto.sha256(new TextEncoder().encode(`${seed}/${counter++}`)).buffer).getUint32(0) % below
/** Three bytes, so none begins another. */
const key = (n: number): Uint8Array => Uint8Array.of(n >> 16, n >> 8, n)
const bound = (): Uint8Array | undefined => (roll(4) === 0 ? undefined : key(roll(2_400)).subarray(0, 1 + roll(3)))

const whole = new StateTree(crypto)
const version = whole.build(Array.from({ length: 300 }, (_, i) => ({ key: key(i * 7), value: new Uint8Array(i % 13 === 0 ? 400 : i % 9).fill(i) })))
const root = whole.root(version)

const fetchInto = (tree: PartialTree, at: Version, queries: readonly Query[]): void => {
  for (let rest = queries; rest.length > 0;) {
    const page = provePage(whole, version, rest, { rows: 50, bytes: 2_000 })
    ;({ rest } = verifyPage(crypto, root, rest, page))
    tree.graft(at, page.proof)
  }
}

/** As a thin client does: what was asked, then, if that did not open it, the node itself. */
function reach<T>(tree: PartialTree, at: Version, program: () => T): { readonly result: T; readonly rounds: number } {
  for (let rounds = 0; ; rounds++) {
    try {
      return { result: program(), rounds }
    } catch (error) {
      const missed = isSealError(error, 'out-of-scope') ? tree.missedBy(error) : undefined
      if (missed === undefined || rounds > 60) throw error
      fetchInto(tree, at, missed.queries)
      if (!tree.isMissing(missed)) continue
      const place = tree.placeOf(at, missed)
      expect(place).toBeDefined()
      fetchInto(tree, at, [place as Query])
      expect(tree.isMissing(missed)).toBe(false)
    }
  }
}

type Program = (state: State) => unknown
const programs: readonly (() => Program)[] = [
  () => { const k = key(roll(2_100)); return (s) => s.get(k) },
  () => { const k = key(roll(2_100)); return (s) => s.has(k) },
  () => { const k = key(roll(2_400)); return (s) => s.rank(k) },
  () => { const [lo, hi] = [bound(), bound()]; return (s) => s.count({ lo, hi }) },
  () => { const n = roll(320); return (s) => s.nth(n) },
  () => { const p = key(roll(2_400)).subarray(0, roll(4)); return (s) => s.subtreeRoot(p) },
  () => { const o = { lo: bound(), hi: bound(), reverse: roll(2) === 0, ...(roll(2) === 0 && { limit: roll(40) }) }; return (s) => [...s.scan(o)] },
]
const program = (): Program => (programs[roll(programs.length)] as () => Program)()
const edits = () => [...new Set(Array.from({ length: 1 + roll(12) }, () => roll(300) * 7 + (roll(3) === 0 ? 1 : 0)))].map((n) => ({ key: key(n), value: roll(2) === 0 ? null : Uint8Array.of(roll(256)) }))

describe('a tree that is here in part', () => {
  it(`reads, edits and differences are those of the whole, edits on edits too (SEALDB_PARTIAL_SEED=${seed})`, () => {
    for (let round = 0; round < 10; round++) {
      const { tree, version: at } = PartialTree.open(crypto, root, prove(whole, version, [{ kind: 'get', key: key(roll(2_000)) }]))
      let [mine, theirs]: [StateView, StateView] = [tree.at(tree.retain(at)), whole.at(whole.retain(version))]
      let edited = false
      for (let step = 0; step < 25; step++) {
        if (roll(4) > 0) {
          const run = program()
          expect(reach(tree, at, () => run(mine)).result).toEqual(run(theirs))
        } else {
          const batch = edits()
          const prefix = roll(6) === 0 ? key(roll(2_100)).subarray(0, 2) : undefined
          const change = (s: StateView): StateView => (prefix === undefined ? s.apply(batch) : s.without(prefix))
          const next = [reach(tree, at, () => change(mine)).result, change(theirs)] as const
          expect(next[0].root()).toEqual(next[1].root())
          expect(reach(tree, at, () => [...tree.diff(mine.version, next[0].version)]).result).toEqual([...whole.diff(theirs.version, next[1].version)])
          mine.release()
          theirs.release()
          ;[mine, theirs] = next
          edited = true
        }
        if (!edited && roll(3) === 0) tree.forget(at, key(roll(2_100)).subarray(0, roll(2) + 1))
      }
      expect(reach(tree, at, () => [...mine.scan()]).result).toEqual([...theirs.scan()])
      mine.release()
      theirs.release()
      tree.release(at)
      expect(tree.stats()).toMatchObject({ nodes: 0, versions: 0, contentBytes: 0 })
    }
  })

  it('a read of one row takes one round; what is there is not asked for again', () => {
    const { tree, version: at } = PartialTree.open(crypto, root, prove(whole, version, [{ kind: 'nth', n: 0 }]))
    const read = (): unknown => tree.at(at).get(key(700))
    expect(reach(tree, at, read)).toMatchObject({ rounds: 1 })
    expect(reach(tree, at, read)).toMatchObject({ rounds: 0, result: whole.get(version, key(700)) })
    tree.forget(at, Uint8Array.of(0))
    expect(() => read()).toThrow(expect.objectContaining({ code: 'out-of-scope' }) as Error)
  })

  it('a proof of another root, or with any byte changed, is refused and opens nothing', () => {
    const queries: readonly Query[] = [{ kind: 'scan', lo: key(700), limit: 6 }, { kind: 'get', key: key(3) }]
    const proof = prove(whole, version, queries)
    const { tree, version: at } = PartialTree.open(crypto, root, prove(whole, version, [{ kind: 'nth', n: 0 }]))
    const { nodes } = tree.stats()
    const other = whole.apply(version, [{ key: key(3), value: Uint8Array.of(1) }])
    const foreign = prove(whole, other, queries)
    whole.release(other)
    for (const bad of [foreign, new Uint8Array(0), proof.subarray(0, -1), Uint8Array.of(...proof, 0), ...Array.from(proof.keys(), (i) => proof.map((byte, at) => (at === i ? byte ^ (1 << (i % 8)) : byte)))]) {
      expect(() => tree.graft(at, bad)).toThrow(expect.objectContaining({ family: 'hostile' }) as Error)
    }
    expect(tree.stats().nodes).toBe(nodes)
    tree.graft(at, proof)
    expect(tree.at(at).get(key(700))).toEqual(whole.get(version, key(700)))
  })

  it('of an empty tree, and one of a single leaf', () => {
    const tree = PartialTree.empty(crypto)
    const one = tree.at(tree.empty).apply([{ key: key(5), value: Uint8Array.of(1) }])
    expect(one.get(key(5))).toEqual(Uint8Array.of(1))
    tree.forget(one.version, Uint8Array.of(0))
    expect([...one.scan()]).toHaveLength(1)
    one.release()
    expect(tree.stats().nodes).toBe(0)
  })
})
