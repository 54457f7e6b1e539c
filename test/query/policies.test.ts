import { expect, test } from 'vitest'
import { encodeTuple } from '../../engine/codec/tuple.js'
import { type SqlValue } from '../../engine/codec/value.js'
import { encodeCanonical, decodeCanonical } from '../../engine/codec/canonical.js'
import { compareBytes } from '../../engine/codec/bytes.js'
import { isSealError } from '../../engine/errors.js'
import { MAX_POLICIES } from '../../engine/limits.js'
import { allows, type PolicyWorld } from '../../engine/space/policy.js'
import { readPolicy, writePolicy } from '../../engine/space/policy-codec.js'
import { encodeRow } from '../../engine/space/row-record.js'
import { type Policy } from '../../engine/space/types.js'
import { indexPrefix, ROW_PREFIX_LENGTH, rowPrefix } from '../../engine/state/keys.js'
import { addPolicy, compilePolicy, dropPolicy, policyName } from '../../query/policies.js'
import { policyReads } from '../../query/policy-reads.js'
import { describePolicy } from '../../query/policy-text.js'
import { parseStatement } from '../../query/sql/parse.js'
import { openSqlite } from '../../query/sqlite.js'
import { buildSchema, Random } from './plan-support.js'

const sqlite = await openSqlite()
const db = sqlite.database()
const built = buildSchema(db, `
  CREATE TABLE doc (id INTEGER PRIMARY KEY PLAINTEXT, owner INTEGER PLAINTEXT, team TEXT PLAINTEXT, state TEXT PLAINTEXT, price NUMERIC PLAINTEXT, any_ PLAINTEXT,
    folded TEXT PLAINTEXT COLLATE NOCASE, title TEXT, tag TEXT BLIND, twice INTEGER AS (owner * 2));
  CREATE TABLE seat (team TEXT PLAINTEXT, member INTEGER PLAINTEXT, level INTEGER PLAINTEXT, note TEXT, PRIMARY KEY (team, member));
  CREATE TABLE grant_ (id INTEGER PRIMARY KEY, doc INTEGER PLAINTEXT, member INTEGER PLAINTEXT);
  CREATE INDEX grant_doc ON grant_ (doc, member);
  CREATE TABLE closed (id INTEGER PRIMARY KEY, doc INTEGER PLAINTEXT);
`)

function compile(clause: string): Policy {
  const text = clause.startsWith('CREATE') ? clause : `CREATE POLICY p ON doc FOR ${clause}`
  const statement = parseStatement(text)
  if (statement.kind !== 'create-policy') throw new Error(statement.kind)
  return compilePolicy(statement, text, built.relation)
}

const describeIt = (policy: Policy): string => {
  const doc = built.relation('doc')
  if (doc === undefined) throw new Error('no table')
  return describePolicy(policy, doc, (id) => built.relations.find((each) => each.id === id)).sql
}

const ACCEPTED = [
  'UPDATE USING (owner = current_member())',
  "UPDATE TO writer, Reader USING (row_creator(doc) = current_member() OR current_role() IN ('owner', 'admin'))",
  "ALL TO public USING (state <> 'closed' AND NOT (price BETWEEN -1.5 AND 9e999)) WITH CHECK (price >= 0 AND any_ IS NOT x'00ff')",
  'INSERT WITH CHECK (doc.owner IS NULL OR owner ISNULL OR owner NOTNULL OR owner NOT IN (1, 2, NULL) OR true)',
  'DELETE USING (EXISTS (SELECT 1 FROM seat WHERE seat.team = doc.team AND member = current_member() AND level > 2))',
  'DELETE USING (EXISTS (SELECT * FROM seat s WHERE level IS NOT NULL AND current_member() = s.member AND doc.team = s.team))',
  'DELETE USING (EXISTS (SELECT doc FROM grant_ WHERE grant_.doc = doc.id AND grant_.member = current_member()))',
  'UPDATE USING (EXISTS (SELECT 1 FROM doc AS parent WHERE parent.id = doc.owner AND parent.state = doc.state)) WITH CHECK (1)',
  'UPDATE USING (any_ = -9223372036854775808 OR any_ = -2.0 OR any_ IS DISTINCT FROM 1 OR any_ == 0x10 OR row_author(doc) = 1)',
  'INSERT WITH CHECK (owner = 1_000)',
]

test.each(ACCEPTED)('%s compiles, fits the engine and prints to what compiles to the same', (clause) => {
  const policy = compile(clause)
  const { name, ...rest } = policy
  expect(new TextDecoder().decode(name)).toBe('p')
  expect(decodeCanonical(encodeCanonical(policy, writePolicy), readPolicy)).toEqual(rest)
  expect(compile(describeIt(policy))).toEqual(policy)
})

test('EXISTS takes the longest equality prefix, the rest becomes its condition', () => {
  const { using } = compile(ACCEPTED[4] as string)
  expect(using).toMatchObject({ kind: 'exists', table: built.relation('seat')?.id, prefix: [{ kind: 'column', of: 'row' }, { kind: 'member' }], where: { kind: 'and', left: { left: { kind: '=' }, right: { kind: '=' } }, right: { kind: '>' } } })
  expect(compile(ACCEPTED[6] as string).using).toMatchObject({ kind: 'exists', index: 1, prefix: [{ of: 'row' }, { kind: 'member' }] })
})

const MANY = `any_ IN (${'any_, '.repeat(200)}1)`
const REFUSED: readonly (readonly [string, string])[] = [
  ["UPDATE USING (title = 'x')", 'sealed-column'],
  ["UPDATE USING (tag = 'x')", 'sealed-column'],
  ['UPDATE USING (twice = 2)', 'sealed-column'],
  ["UPDATE USING (folded = 'x')", 'collation'],
  ['UPDATE USING (missing = 1)', 'column'],
  ['UPDATE USING (other.owner = 1)', 'table'],
  ['CREATE POLICY p ON nowhere FOR DELETE USING (1)', 'table'],
  ['UPDATE USING (EXISTS (SELECT 1 FROM nowhere WHERE a = 1))', 'table'],
  ['UPDATE USING (owner = ?)', 'parameter'],
  ["UPDATE USING (team LIKE 'x%')", 'like'],
  ["UPDATE USING (team = 'x' COLLATE NOCASE)", 'collate'],
  ['UPDATE USING (owner + 1 = 2)', '+'],
  ['UPDATE USING (-owner = 2)', 'unary'],
  ['UPDATE USING (CAST(owner AS TEXT) = 1)', 'cast'],
  ['UPDATE USING (CASE owner WHEN 1 THEN 1 END)', 'case'],
  ['UPDATE USING ((owner, id) = (1, 2))', 'row'],
  ['UPDATE USING (owner = (SELECT 1))', 'subquery'],
  ['UPDATE USING (owner IN (SELECT 1))', 'subquery'],
  ['UPDATE USING (current_timestamp > 1)', 'current-time'],
  ['UPDATE USING (random() > 1)', 'function'],
  ['UPDATE USING (current_member(1))', 'function'],
  ['UPDATE USING (row_author(seat) = 1)', 'function'],
  ['UPDATE USING (owner IS TRUE)', 'is-true'],
  ["UPDATE USING (owner = '5')", 'types'],
  ['UPDATE USING (team = 5)', 'types'],
  ['UPDATE USING (team = current_member())', 'types'],
  ['UPDATE USING (team = owner)', 'types'],
  ["UPDATE USING (owner IN (1, '2'))", 'types'],
  ["UPDATE USING (owner BETWEEN 1 AND '2')", 'types'],
  ['UPDATE USING (EXISTS (SELECT 1 FROM seat WHERE level = 1))', 'exists'],
  ['UPDATE USING (EXISTS (SELECT 1 FROM seat WHERE seat.team > doc.team))', 'exists'],
  ['UPDATE USING (EXISTS (SELECT 1 FROM closed WHERE closed.id = 1))', 'sealed-column'],
  ['UPDATE USING (EXISTS (SELECT 1 FROM closed WHERE closed.doc = 1))', 'exists'],
  ["UPDATE USING (EXISTS (SELECT 1 FROM seat WHERE seat.team = 'a' AND note = 'x'))", 'sealed-column'],
  ["UPDATE USING (EXISTS (SELECT 1 FROM seat WHERE seat.team = 'a' AND EXISTS (SELECT 1 FROM doc WHERE id = 1)))", 'exists'],
  ["UPDATE USING (EXISTS (SELECT count(*) FROM seat WHERE team = 'a'))", 'exists'],
  ["UPDATE USING (EXISTS (SELECT 1 FROM seat WHERE team = 'a' LIMIT 0))", 'exists'],
  ["UPDATE USING (EXISTS (SELECT 1 FROM seat, doc WHERE team = 'a'))", 'exists'],
  ["UPDATE USING (EXISTS (SELECT 1 FROM seat WHERE team = 'a' UNION SELECT 1))", 'exists'],
  ["UPDATE USING (EXISTS (SELECT 1 FROM seat AS OF 3 WHERE team = 'a'))", 'exists'],
  // What SQLite would heed and a verifier would not see.
  ['UPDATE USING (current_member(*) = owner)', 'function'],
  ['UPDATE USING (current_member(DISTINCT) = owner)', 'function'],
  ['UPDATE USING (current_member() FILTER (WHERE 0) = owner)', 'function'],
  ['UPDATE USING (current_member() OVER () = owner)', 'function'],
  ['UPDATE USING (current_role(1))', 'function'],
  ['UPDATE USING (row_creator(DISTINCT doc) = 1)', 'function'],
  ['UPDATE USING (row_creator(doc ORDER BY 1) = 1)', 'function'],
  ['UPDATE USING (row_creator(doc) FILTER (WHERE 0) = 1)', 'function'],
  ['UPDATE USING (row_creator(doc) OVER () = 1)', 'function'],
  ['UPDATE USING (row_creator() = 1)', 'function'],
  ['UPDATE USING (row_creator(doc, doc) = 1)', 'function'],
  ['UPDATE USING (row_creator(doc.doc) = 1)', 'function'],
  ["UPDATE USING (row_creator('x') = 1)", 'function'],
  ['UPDATE USING (EXISTS (SELECT 1 FROM seat doc WHERE team = state AND row_creator(doc) = 1))', 'function'],
  ["UPDATE USING (EXISTS (SELECT 1 FROM seat WHERE team = 'a' GROUP BY level))", 'exists'],
  ["UPDATE USING (EXISTS (SELECT 1 FROM seat WHERE team = 'a' GROUP BY level HAVING 0))", 'exists'],
  ["UPDATE USING (EXISTS (SELECT 1 FROM seat WHERE team = 'a' WINDOW w AS ()))", 'exists'],
  ["UPDATE USING (EXISTS (SELECT 1 FROM seat WHERE team = 'a' ORDER BY 1))", 'exists'],
  ["UPDATE USING (EXISTS (WITH seat AS (SELECT 1 AS team) SELECT 1 FROM seat WHERE team = 'a'))", 'exists'],
  ["UPDATE USING (EXISTS (SELECT 1 FROM temp.seat WHERE team = 'a'))", 'exists'],
  ["UPDATE USING (EXISTS (SELECT 1 FROM seat('x') WHERE team = 'a'))", 'exists'],
  ['UPDATE USING (EXISTS (SELECT 1))', 'exists'],
  ["UPDATE USING (EXISTS (VALUES (1)))", 'exists'],
  // A path into the other table is fixed by the row under test, not by the other row itself.
  ...['team', 'level', '(level IN (1))', '(level IS NULL)', '(NOT level)', '(level = 1)', '(1 = level)', '(1 IN (2, level))', '(owner = 1 AND level = 1)'].map((value) => [`UPDATE USING (EXISTS (SELECT 1 FROM seat WHERE seat.team = ${value}))`, value === 'level' ? 'types' : 'exists'] as const),
  ['INSERT USING (1)', 'clause'],
  ['INSERT USING (1) WITH CHECK (1)', 'clause'],
  ['DELETE USING (1) WITH CHECK (1)', 'clause'],
  ['UPDATE WITH CHECK (1)', 'clause'],
  ['ALL WITH CHECK (1)', 'clause'],
  ['UPDATE TO king USING (1)', 'role'],
  [`UPDATE USING (${'NOT '.repeat(40)} 1)`, 'size'],
  [`UPDATE USING (any_ = '${'x'.repeat(5_000)}')`, 'size'],
  [`UPDATE USING (${MANY} AND ${MANY} AND ${MANY})`, 'size'],
  [`UPDATE USING (any_ IN (${'1, '.repeat(MAX_POLICIES)}1))`, 'size'],
]

test.each(REFUSED.map(([clause, what]) => ({ short: clause.slice(0, 80), what, clause })))('$short is refused for its $what', ({ clause, what }) => {
  try {
    compile(clause)
  } catch (error) {
    if (!isSealError(error, 'bad-policy')) throw error
    expect(error.facts).toMatchObject({ what, line: 1 })
    expect(error.facts.column).toBeGreaterThan(0)
    return
  }
  expect.unreachable('it compiled')
})

test('the place is that of the offending word', () => {
  const text = 'CREATE POLICY p ON doc\n  FOR UPDATE\n  USING (owner = 1 AND title IS NULL)'
  expect(() => compile(text)).toThrow(expect.objectContaining({ facts: { what: 'sealed-column', line: 3, column: 24 } }))
})

test('lists of policies', () => {
  const policy = compile('UPDATE USING (1)')
  const policies = addPolicy([], policy)
  expect(policies.map(policyName)).toEqual(['p'])
  expect(() => addPolicy(policies, policy)).toThrow(expect.objectContaining({ code: 'bad-policy' }))
  expect(dropPolicy(policies, 'P')).toEqual([])
  expect(dropPolicy(policies, 'q')).toBeUndefined()
  expect(policyReads(compile(ACCEPTED[4] as string), 1)).toEqual([
    { table: 2 }, { table: 1, column: 3 }, { table: 2, column: 1 }, { table: 1, column: 3 }, { table: 2, column: 2 }, { table: 2, column: 3 },
  ])
})

test('a policy whose column is gone says so', () => {
  const doc = built.relation('doc')
  if (doc === undefined) throw new Error('no table')
  const policy = compile('UPDATE USING (owner = 1)')
  const without = { ...doc, columns: doc.columns.filter(({ name }) => name !== 'owner') }
  expect(describePolicy(policy, without, () => undefined).using).toBe('"doc"."dropped column 2" = 1')
})

test('what a verifier decides is what SQLite decides', () => {
  const random = new Random(7)
  const values: readonly SqlValue[] = [null, 0n, 1n, 2n, 3n, 1.5, 'a', 'b', '']
  const doc = built.relation('doc'), seat = built.relation('seat')
  if (!doc || !seat) throw new Error('no table')
  const terms = (): string => random.pick([
    () => `${random.pick(['owner', 'price', 'any_'])} ${random.pick(['=', '<>', '<', '<=', '>', '>=', 'IS', 'IS NOT'])} ${random.pick(['1', '2', 'NULL', 'current_member()', 'owner', '1.5'])}`,
    () => `${random.pick(['team', 'state'])} ${random.pick(['=', '<', '>=', 'IS'])} ${random.pick(["'a'", "'b'", 'team', 'NULL', 'current_role()'])}`,
    () => `owner ${random.pick(['', 'NOT '])}IN (${random.pick(['', '1', '1, 2', '2, NULL', 'current_member()'])})`,
    () => `${random.pick(['owner', 'team', 'any_'])} ${random.pick(['ISNULL', 'NOTNULL'])}`,
    () => `owner ${random.pick(['', 'NOT '])}BETWEEN 1 AND ${random.pick(['2', 'NULL'])}`,
    () => `EXISTS (SELECT 1 FROM seat WHERE seat.team = doc.team${random.pick(['', ' AND member = owner', ' AND level > 1', ' AND member = current_member() AND level IS NOT NULL'])})`,
    () => random.pick(['owner', 'NULL', '1', '0', 'true', 'false']),
  ])()
  const expression = (depth: number): string => random.below(depth) === 0 ? terms()
    : random.pick([() => `(${expression(depth - 1)} AND ${expression(depth - 1)})`, () => `(${expression(depth - 1)} OR ${expression(depth - 1)})`, () => `NOT (${expression(depth - 1)})`])()
  db.createFunction('current_member', 0, () => 2n)
  db.createFunction('current_role', 0, () => 'writer')
  const store = new Map<string, { key: Uint8Array; value: Uint8Array }>()
  for (const team of ['a', 'b', '']) {
    for (const member of [1n, 2n, 3n]) {
      if (random.chance(50)) continue
      const level = random.pick([null, 1n, 2n])
      db.run('INSERT INTO seat VALUES (?, ?, ?, NULL)', [team, member, level])
      const key = encodeTuple([team, member], rowPrefix(seat.id))
      const value = encodeRow({ creator: 1, member: 1, device: 1, version: 1, epoch: 1, plain: [team, member, level], tokens: [], sealed: new Uint8Array(0) })
      store.set(Buffer.from(key).toString('hex'), { key, value })
    }
  }
  const entries = [...store.values()].sort((a, b) => compareBytes(a.key, b.key))
  const shape = (form: typeof doc): NonNullable<ReturnType<PolicyWorld['table']>> => {
    const data = built.schema.get(form.id)?.data
    if (!data) throw new Error('no shape')
    return data.shape
  }
  const shapes = new Map(built.relations.map((each) => [each.id, shape(each)]))
  expect(indexPrefix(1, 1).length).toBeGreaterThan(ROW_PREFIX_LENGTH - 1)
  let granted = 0
  for (let i = 0; i < 1_000; i++) {
    const clause = expression(4)
    const row = [1n, random.pick([null, 1n, 2n, 3n]), random.pick([null, 'a', 'b', '']), random.pick([null, 'a', 'writer']), random.pick([null, 1n, 1.5]), random.pick(values)]
    const policy = compile(`INSERT WITH CHECK (${clause})`)
    const world: PolicyWorld = {
      member: 2, role: 'writer', steps: 0,
      table: (id) => shapes.get(id),
      get: (key) => store.get(Buffer.from(key).toString('hex'))?.value,
      *scan(lo, hi) {
        for (const entry of entries) if (compareBytes(entry.key, lo) >= 0 && (!hi || compareBytes(entry.key, hi) < 0)) yield entry
      },
    }
    const verdict = allows(world, { ...shape(doc), policies: [policy] }, 'insert', undefined, { plain: [...row, null], creator: 2 })
    db.exec('SAVEPOINT s')
    db.run('INSERT INTO doc (id, owner, team, state, price, any_) VALUES (?, ?, ?, ?, ?, ?)', row)
    const said = db.get(`SELECT (${clause}) IS TRUE FROM doc`)?.[0]
    db.exec('ROLLBACK TO s; RELEASE s')
    // Text alone as a condition is a number to SQLite, and unknown to a verifier: there are none of those here.
    expect([clause, row, verdict]).toEqual([clause, row, said === 1n ? 'allowed' : 'check'])
    if (said === 1n) granted++
  }
  expect(granted).toBeGreaterThan(100)
})
