/** Vectors of PROTOCOL.md §5: roots of small trees, read proofs with their answers, forgeries to be refused. */
import { concatBytes, encodeHex, encodeUtf8 } from '../../../engine/codec/bytes.js'
import { encodeCanonical } from '../../../engine/codec/canonical.js'
import { nobleProvider } from '../../../engine/crypto/noble.js'
import { prove, verify, writeQueries, type Answer, type Query } from '../../../engine/state/queries.js'
import type { Row } from '../../../engine/state/read.js'
import { replay } from '../../../engine/state/record.js'
import { StateTree } from '../../../engine/state/tree.js'
import type { State } from '../../../engine/state/view.js'
import { type Json, type VectorSource } from '../registry.js'
import { codeOf } from './codec.js'

export const source: VectorSource = { name: 'state', build }

const hash = nobleProvider
const word = (text: string): Uint8Array => concatBytes(encodeUtf8(text), Uint8Array.of(0))
const numbered = (count: number): Row[] => [...Array(count).keys()].map((i) => ({ key: Uint8Array.of(1, (i * 37) & 255, i >> 8, i & 255), value: encodeUtf8(`row ${i}`) }))

const trees: Readonly<Record<string, readonly Row[]>> = {
  'empty': [],
  'one empty key': [{ key: new Uint8Array(0), value: new Uint8Array(0) }],
  'one word': [{ key: word('cat'), value: encodeUtf8('miaow') }],
  'words': ['cat', 'cats', 'ca', 'dog', ''].map((text) => ({ key: word(text), value: encodeUtf8(text) })),
  'last bits': [0, 1, 2, 3, 255].map((last) => ({ key: Uint8Array.of(9, last), value: Uint8Array.of(last) })),
  'longest keys': [0, 1].map((last) => ({ key: new Uint8Array(255).fill(last, 254), value: Uint8Array.of(last) })),
  'a hundred': numbered(100),
}

const queries: readonly Query[] = [
  { kind: 'get', key: word('cats') },
  { kind: 'get', key: word('cow') },
  { kind: 'has', key: word('cat') },
  { kind: 'scan', lo: word('cat'), hi: word('d') },
  { kind: 'scan', reverse: true, limit: 1 },
  { kind: 'count', lo: encodeUtf8('ca'), hi: encodeUtf8('cb') },
  { kind: 'count' },
  { kind: 'rank', key: encodeUtf8('zebra') },
  { kind: 'nth', n: 2 },
  { kind: 'subtreeRoot', prefix: encodeUtf8('cat') },
  { kind: 'subtreeRoot', prefix: encodeUtf8('x') },
]

/** What a witness is replayed with: an update, a deletion that collapses a node, an insertion. */
const edits = [{ key: word('cat'), value: encodeUtf8('purr') }, { key: word('dog'), value: null }, { key: word('emu'), value: encodeUtf8('boom') }]

function build(): Json {
  const tree = new StateTree(hash)
  const words = tree.apply(tree.empty, trees['words'] ?? [])
  const root = tree.root(words)
  const lists: readonly (readonly Query[])[] = [...queries.map((query) => [query]), queries, []]
  const program = (state: State): string => encodeHex(state.apply(edits).root())
  const witness = tree.record(words, program)
  replay(hash, root, witness.proof, program)
  const [get] = queries as [Query]
  const proof = prove(tree, words, [get])
  const forgeries: Readonly<Record<string, Uint8Array>> = {
    'nothing': new Uint8Array(0),
    'an empty tree': Uint8Array.of(1),
    'another format': Uint8Array.of(2, ...proof.subarray(1)),
    'one byte more': Uint8Array.of(...proof, 0),
    'one byte less': proof.subarray(0, -1),
    'a value changed': proof.map((byte, i) => (i === proof.length - 1 ? byte ^ 1 : byte)),
    'a closed root': concatBytes(Uint8Array.of(1, 0, 5), root),
    'another key opened too': prove(tree, words, [get, { kind: 'has', key: word('dog') }]),
    'the value not opened': prove(tree, words, [{ kind: 'has', key: word('cats') }]),
    'another version': prove(tree, tree.apply(words, edits), [get]),
  }
  return {
    section: '5 State tree and read proofs',
    trees: Object.entries(trees).map(([name, rows]) => ({ name, rows: rows.map(plainRow), root: encodeHex(tree.root(tree.apply(tree.empty, rows))) })),
    proofs: {
      tree: 'words',
      root: encodeHex(root),
      accepted: lists.map((list) => {
        const bytes = prove(tree, words, list)
        return { queries: encodeHex(encodeCanonical(list, writeQueries)), proof: encodeHex(bytes), answers: verify(hash, root, list, bytes).answers.map(plainAnswer) }
      }),
      refused: Object.entries(forgeries).map(([what, bytes]) => ({
        what, queries: encodeHex(encodeCanonical([get], writeQueries)), proof: encodeHex(bytes), error: codeOf(() => verify(hash, root, [get], bytes)),
      })),
    },
    witness: {
      tree: 'words',
      edits: edits.map(({ key, value }) => ({ key: encodeHex(key), value: value === null ? null : encodeHex(value) })),
      proof: encodeHex(witness.proof),
      newRoot: witness.result,
    },
  }
}

function plainRow({ key, value }: Row): Json {
  return { key: encodeHex(key), value: encodeHex(value) }
}

function plainAnswer(answer: Answer): Json {
  if (answer === undefined) return null
  if (answer instanceof Uint8Array) return encodeHex(answer)
  if (typeof answer === 'object') return 'key' in answer ? plainRow(answer) : answer.map(plainRow)
  return answer
}
