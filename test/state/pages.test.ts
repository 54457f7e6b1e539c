/** Reads in pages: however they are cut, the answers are those of the tree; whatever is changed in a page is refused. */
import { describe, expect, it } from 'vitest'
import { isSealError } from '../../engine/errors.js'
import { provePage, verifyPage, type Page } from '../../engine/state/pages.js'
import { answer, type Answer, type Query } from '../../engine/state/queries.js'
import type { Row } from '../../engine/state/read.js'
import { StateTree } from '../../engine/state/tree.js'
import { crypto } from '../space/rim-support.js'

const seed = process.env['SEALDB_PAGES_SEED'] ?? '1'
let counter = 0
const roll = (below: number): number => new DataView(crypto.sha256(new TextEncoder().encode(`${seed}/${counter++}`)).buffer).getUint32(0) % below

/** Three bytes, so none begins another. */
const key = (n: number): Uint8Array => Uint8Array.of(n >> 16, n >> 8, n)
const tree = new StateTree(crypto)
const version = tree.build(Array.from({ length: 300 }, (_, i) => ({ key: key(i * 7), value: new Uint8Array(i % 13 === 0 ? 400 : i % 9).fill(i) })))
const state = tree.at(version)
const root = tree.root(version)

const bound = (): Uint8Array | undefined => (roll(4) === 0 ? undefined : key(roll(2_400)).subarray(0, 1 + roll(3)))
const makers: readonly (() => Query)[] = [
  () => ({ kind: 'get', key: key(roll(2_100)) }), () => ({ kind: 'has', key: key(roll(2_100)) }), () => ({ kind: 'rank', key: key(roll(2_400)) }),
  () => ({ kind: 'count', lo: bound(), hi: bound() }), () => ({ kind: 'nth', n: roll(320) }), () => ({ kind: 'subtreeRoot', prefix: key(roll(2_400)).subarray(0, roll(4)) }),
  () => ({ kind: 'scan', lo: bound(), hi: bound(), reverse: roll(2) === 0, ...(roll(2) === 0 && { limit: roll(150) }) }),
]
const query = (): Query => (makers[roll(2) === 0 ? 6 : roll(6)] as () => Query)()

/** Asked until nothing is left. */
function ask(queries: readonly Query[], budget: { readonly rows: number; readonly bytes: number }): { readonly answers: readonly Answer[]; readonly pages: number } {
  const answers: Answer[] = []
  let begun: readonly Row[] = []
  let pages = 0
  for (let rest = queries; pages === 0 || rest.length > 0; pages++) {
    const page = verifyPage(crypto, root, rest, provePage(tree, version, rest, budget))
    const found = [...page.answers]
    if (begun.length > 0) found[0] = [...begun, ...(found[0] as readonly Row[])]
    begun = page.cut ? (found.pop() as readonly Row[]) : []
    answers.push(...found)
    rest = page.rest
  }
  return { answers, pages }
}

describe('pages of reads', () => {
  it(`any queries, cut anywhere, are answered as the tree does (SEALDB_PAGES_SEED=${seed})`, () => {
    let most = 0
    for (let round = 0; round < 60; round++) {
      const queries = Array.from({ length: roll(6) }, query)
      const budget = { rows: 1 + roll(round % 3 === 0 ? 3 : 200), bytes: 1 + roll(20_000) }
      const { answers, pages } = ask(queries, budget)
      expect(answers).toEqual(queries.map((each) => answer(state, each)))
      most = Math.max(most, pages)
    }
    expect(most).toBeGreaterThan(10)
  })

  it('a page is within its budget, but for the row that fills it', () => {
    const { answered, rows } = provePage(tree, version, [{ kind: 'scan' }], { rows: 40, bytes: 2 ** 30 })
    expect([answered, rows]).toEqual([0, 40])
    const page = provePage(tree, version, [{ kind: 'scan' }], { rows: 2 ** 30, bytes: 3_000 })
    const { answers: [found] } = verifyPage(crypto, root, [{ kind: 'scan' }], page)
    const bytes = (found as readonly Row[]).reduce((sum, row) => sum + row.key.length + row.value.length, 0)
    expect(bytes).toBeGreaterThan(2_000)
    expect(bytes).toBeLessThan(3_410)
    expect(provePage(tree, version, [{ kind: 'get', key: key(0) }, { kind: 'get', key: key(7) }], { rows: 1, bytes: 1 })).toMatchObject({ answered: 1, rows: 0 })
  })

  it('refuses rows left out, a page of other queries or of another state, and one that says another count', () => {
    const queries: readonly Query[] = [{ kind: 'get', key: key(70) }, { kind: 'scan', lo: key(100), hi: key(900) }, { kind: 'count' }]
    const page = provePage(tree, version, queries, { rows: 50, bytes: 2 ** 30 })
    expect(page).toMatchObject({ answered: 1, rows: 49 })
    const refused = (change: Partial<Page>, asked: readonly Query[] = queries, at = root): unknown => {
      try {
        verifyPage(crypto, at, asked, { ...page, ...change })
      } catch (error) {
        if (isSealError(error)) return error.code
        throw error
      }
      return 'accepted'
    }
    expect(refused({})).toBe('accepted')
    // Counts that the proof does not bear out.
    for (const change of [{ rows: 48 }, { rows: 50 }, { rows: 0 }, { answered: 0 }, { answered: 0, rows: 0 }, { answered: 2 }, { answered: 2, rows: 0 }, { answered: 3, rows: 0 }, { answered: 4, rows: 0 }, { rows: 2 ** 40 }]) {
      expect(refused(change), JSON.stringify(change)).toBe('bad-proof')
    }
    // Rows left out, in the middle and at the end: proofs of the same state that skip them.
    const [from, middle, to] = [key(100), key(400), key(900)]
    const skipping = tree.record(version, (each) => { for (const range of [{ lo: from, hi: middle, limit: 20 }, { lo: middle, hi: to, limit: 29 }]) [...each.scan(range)] }).proof
    expect(refused({ proof: skipping, answered: 1 })).toBe('bad-proof')
    expect(refused({ proof: tree.record(version, (each) => { each.get(key(70)); return [...each.scan({ lo: from, limit: 48 })].length }).proof })).toBe('bad-proof')
    // More than was asked for.
    expect(refused({ proof: tree.record(version, (each) => { each.get(key(70)); return [...each.scan({ lo: from, limit: 50 })].length }).proof })).toBe('bad-proof')
    // The ranges the other way round, another range, another state.
    expect(refused({}, [queries[1] as Query, queries[0] as Query, queries[2] as Query])).toBe('bad-proof')
    expect(refused({}, [queries[0] as Query, { kind: 'scan', lo: key(107), hi: key(900) }])).toBe('bad-proof')
    const other = tree.apply(version, [{ key: key(1), value: key(1) }])
    expect(refused({}, queries, tree.root(other))).toBe('bad-proof')
    expect(refused({ proof: provePage(tree, other, queries, { rows: 50, bytes: 2 ** 30 }).proof })).toBe('bad-proof')
    // A page that claims to be cut though there is nothing more of it to cut.
    const short: readonly Query[] = [{ kind: 'scan', lo: key(100), hi: key(120) }]
    const whole = provePage(tree, version, short, { rows: 50, bytes: 2 ** 30 })
    expect(whole).toMatchObject({ answered: 1, rows: 0 })
    expect(() => verifyPage(crypto, root, short, { ...whole, answered: 0, rows: 4 })).toThrow()
  })

  it('any byte changed, added or missing: refused', () => {
    const queries: readonly Query[] = [{ kind: 'get', key: key(70) }, { kind: 'scan', lo: key(100), hi: key(200) }, { kind: 'nth', n: 3 }]
    const page = provePage(tree, version, queries, { rows: 10, bytes: 2 ** 30 })
    for (let at = 0; at < page.proof.length; at++) {
      const proof = page.proof.slice()
      proof[at] = (proof[at] as number) ^ (1 << (at % 8))
      expect(() => verifyPage(crypto, root, queries, { ...page, proof }), `byte ${at}`).toThrow(expect.objectContaining({ family: 'hostile' }) as Error)
    }
    for (const proof of [page.proof.subarray(0, -1), Uint8Array.of(...page.proof, 0), new Uint8Array(0)]) expect(() => verifyPage(crypto, root, queries, { ...page, proof })).toThrow(expect.objectContaining({ family: 'hostile' }) as Error)
  })
})
