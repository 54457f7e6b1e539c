/** Pages of reads a second time, from engine/PROTOCOL.md §5 alone, over the verifier of read proofs. Refusing is throwing. */
import { bool, bytes, decode, encode, encodeVarint, optional, varint } from './fields.mjs'
import { checkReads } from './verifier.mjs'

const refuse = (why) => { throw new Error(why) }
const SCAN = 2
const FIELDS = [[bytes], [bytes], [optional(bytes), optional(bytes), bool, optional(varint)], [optional(bytes), optional(bytes)], [bytes], [varint], [bytes]]
const query = {
  read: (f) => { const kind = f.below(7); return { kind, values: FIELDS[kind].map(({ read }) => read(f)) } },
  write: ({ kind, values }) => Buffer.concat([Buffer.of(kind), ...values.map((value, i) => FIELDS[kind][i].write(value))]),
}
const list = { read: (f) => f.list(() => query.read(f), 4096), write: (all) => Buffer.concat([encodeVarint(all.length), ...all.map(query.write)]) }

/** What a page answers of an encoded list of reads, and the list of what is left. */
export function checkPage(root, asked, { answered, rows, proof }) {
  const queries = decode(list, asked)
  if (answered > queries.length || (answered === 0 && rows === 0 && queries.length > 0)) refuse('a page of nothing, or of more than was asked')
  const whole = queries.slice(0, answered)
  if (rows === 0) return { answers: checkReads(root, encode(list, whole), proof), rest: encode(list, queries.slice(answered)) }
  const cut = queries[answered]
  const [lo, hi, reverse, limit = Infinity] = cut?.kind === SCAN ? cut.values : refuse('rows of no scan')
  if (rows >= limit) refuse('rows of a whole scan')
  const answers = checkReads(root, encode(list, [...whole, { kind: SCAN, values: [lo, hi, reverse, rows] }]), proof)
  if (answers[answered].length !== rows) refuse('fewer rows')
  const { key } = answers[answered].at(-1)
  const [from, to] = reverse ? [lo, key] : [Buffer.concat([key, Buffer.of(0)]), hi]
  const left = limit === Infinity ? undefined : limit - rows
  return { answers, rest: encode(list, [{ kind: SCAN, values: [from, to, reverse, left] }, ...queries.slice(answered + 1)]) }
}
