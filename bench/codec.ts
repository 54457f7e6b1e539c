/** Hot paths of the codec: keys as tuples, rows and entries as canonical bytes, and SQL text as statements. */
import { decodeCanonical, Writer } from '../engine/codec/canonical.js'
import { decodeTuple, encodeTuple } from '../engine/codec/tuple.js'
import { decodeRow, encodeRow, type RowRecord } from '../engine/space/row-record.js'
import { parseStatement } from '../query/sql/parse.js'
import type { BenchSuite } from './crypto.js'

export function suites(): readonly BenchSuite[] {
  return [...codec(), ...parser()]
}

function codec(): readonly BenchSuite[] {
  const values = [42n, 'a title of some length', 3.5] as const
  const key = encodeTuple(values)
  const row: RowRecord = { version: 812, creator: 1, member: 2, device: 3, epoch: 4, plain: [7n, 'open'], tokens: [{ index: 1, token: new Uint8Array(16) }], sealed: new Uint8Array(277) }
  const bytes = encodeRow(row)
  const writer = new Writer()
  const varints = [0, 127, 128, 16_383, 2 ** 31, 2 ** 47]
  const encoded = varints.reduce((w, value) => w.varint(value), new Writer()).finish()
  return [
    { name: 'codec: tuple of 3', cases: [{ name: 'encode', run: () => encodeTuple(values) }, { name: 'decode', run: () => decodeTuple(key) }] },
    { name: 'codec: row of 277 sealed bytes', cases: [{ name: 'encode', run: () => encodeRow(row) }, { name: 'decode', run: () => decodeRow(bytes) }] },
    {
      name: 'codec: 6 varints',
      cases: [
        { name: 'encode', run: () => varints.reduce((w, value) => w.varint(value), writer.reset()).view() },
        { name: 'decode', run: () => decodeCanonical(encoded, (r) => varints.map(() => r.varint())) },
      ],
    },
  ]
}

/** A new text each time: what was parsed is kept, and would be timed as a lookup. */
function parser(): readonly BenchSuite[] {
  let turn = 0
  const fresh = (text: string) => (): unknown => parseStatement(`${text} /* ${turn++} */`)
  const insert = `INSERT INTO task (id, title, done) VALUES ${Array.from({ length: 100 }, (_, i) => `(${i}, 'task ${i}', FALSE)`).join(', ')}`
  return [{
    name: 'parser',
    cases: [
      { name: 'point SELECT', run: fresh('SELECT title, done FROM task WHERE id = ?') },
      { name: 'join and aggregate', run: fresh(JOIN) },
      { name: 'CREATE TABLE', run: fresh('CREATE TABLE task (id INTEGER PRIMARY KEY, title TEXT NOT NULL CHECK (length(title) > 0), done BOOLEAN DEFAULT FALSE, owner INTEGER REFERENCES person (id) ON DELETE CASCADE)') },
      { name: 'INSERT of 100 rows', run: fresh(insert) },
      { name: 'seen before', run: () => parseStatement(JOIN) },
    ],
  }]
}

const JOIN = 'SELECT p.name, count(*) AS n, sum(t.hours) FROM task t JOIN person p ON p.id = t.owner WHERE t.done = FALSE AND t.due < ? GROUP BY p.id HAVING n > 3 ORDER BY n DESC LIMIT 10'
