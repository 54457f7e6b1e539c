/** PROTOCOL.md is enough for pages of reads: what was written from its text alone takes those the engine makes, asks for the same rest, and refuses what is changed. */
import { expect, it } from 'vitest'
import { encodeCanonical } from '../../engine/codec/canonical.js'
import { provePage, verifyPage, type Page } from '../../engine/state/pages.js'
import { type Query, writeQueries } from '../../engine/state/queries.js'
import { crypto } from '../space/world.js'
import { rows, treeOf } from '../state/support.js'
import { checkPage } from './pages.mjs'

const content = rows(100)
const { tree, version } = treeOf(content)
const root = Buffer.from(tree.root(version))
const keyAt = (i: number): Uint8Array => (content[i] as (typeof content)[number]).key
const encoded = (queries: readonly Query[]): Buffer => Buffer.from(encodeCanonical(queries, writeQueries))
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value, (_, inner: unknown) => (inner instanceof Uint8Array ? Buffer.from(inner).toJSON() : inner === undefined ? null : inner)))
const check = (queries: readonly Query[], { answered, rows: cut, proof }: Page) => checkPage(root, encoded(queries), { answered, rows: cut, proof: Buffer.from(proof) })

const lists: readonly (readonly Query[])[] = [
  [], [{ kind: 'scan' }], [{ kind: 'get', key: keyAt(7) }, { kind: 'scan', lo: keyAt(20), limit: 30 }, { kind: 'nth', n: 3 }], [{ kind: 'scan', hi: keyAt(60), reverse: true }, { kind: 'count' }, { kind: 'scan', lo: keyAt(90) }],
  [{ kind: 'scan', lo: keyAt(3), hi: keyAt(80), reverse: true, limit: 50 }, { kind: 'rank', key: keyAt(5) }, { kind: 'has', key: Uint8Array.of(1) }, { kind: 'subtreeRoot', prefix: Uint8Array.of(2) }],
]

it('takes the engine\'s pages, to the end', () => {
  let pages = 0
  for (const queries of lists) {
    for (const most of [1, 7, 200]) {
      for (let rest = queries; ; pages++) {
        const page = provePage(tree, version, rest, { rows: most, bytes: 1e9 })
        const theirs = verifyPage(crypto, root, rest, page)
        const ours = check(rest, page)
        expect(plain(ours.answers)).toEqual(plain(theirs.answers))
        expect(ours.rest).toEqual(encoded(theirs.rest))
        rest = theirs.rest
        if (rest.length === 0) break
      }
    }
  }
  expect(pages).toBeGreaterThan(100)
})

it('refuses a page that says another count, leaves rows out, or is of other reads', () => {
  for (const queries of lists.slice(1)) {
    const page = provePage(tree, version, queries, { rows: 5, bytes: 1e9 })
    const whole = provePage(tree, version, queries, { rows: 1000, bytes: 1e9 })
    const others: Page[] = [
      ...[-1, 1].map((by) => ({ ...page, rows: page.rows + by })), { ...page, answered: page.answered + 1 }, { ...page, answered: 0, rows: 0 }, { ...whole, answered: queries.length + 1 }, { ...whole, rows: 1 },
      { ...page, proof: whole.proof }, { ...whole, proof: page.proof }, { ...page, proof: page.proof.map((byte, i) => (i === page.proof.length >> 1 ? byte ^ 1 : byte)) },
    ]
    for (const other of others) {
      expect(() => verifyPage(crypto, root, queries, other)).toThrow()
      expect(() => check(queries, other)).toThrow()
    }
  }
})
