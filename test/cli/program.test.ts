/** The whole program, command by command, against a real relay and real stores. */
import { existsSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { COMMANDS } from '../../net/cli/commands/index.js'
import { fileStore } from '../../engine/store/file/file.js'
import { startRelay } from '../../net/server.js'
import { relayUrl, run, runAtTerminal, temporary, type Ran } from './support.js'

async function fine(argv: readonly string[], input?: string): Promise<string> {
  const { code, out, err } = await run(argv, input === undefined ? {} : { input })
  expect({ argv, code, err }).toEqual({ argv, code: 0, err: '' })
  return out
}

async function team(): Promise<{ readonly ada: string; readonly bob: string }> {
  const directory = temporary()
  const ada = join(directory, 'ada')
  const bob = join(directory, 'bob')
  await fine(['create', '--store', ada, '--relay', await relayUrl(), '--name', 'Ada', '--device', 'laptop'])
  await fine(['join', '--store', bob, '--name', 'Bob'], await fine(['invite', '--store', ada]))
  return { ada, bob }
}

test('help for the program and each command; the version', async () => {
  const overview = await fine(['--help'])
  expect((await run([])).code).toBe(2)
  expect(await fine(['--version'])).toBe(`${(JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }).version}\n`)
  for (const [name, load] of Object.entries(COMMANDS)) {
    const command = await load()
    expect(command.name).toBe(name)
    expect(overview).toContain(`  ${name} `)
    const help = await fine([name, '--help'])
    expect(await fine(['help', name])).toBe(help)
    for (const option of Object.keys(command.options)) expect(help).toContain(`--${option}`)
  }
})

test('a wrong call ends with 2 and says where help is, as JSON if asked', async () => {
  const calls = [['nosuch'], ['toString'], ['help', 'nosuch'], ['sql', '--nosuch'], ['members', 'more'], ['relay', '--port', '70000'], ['relay', '--verify', 'no'], ['remove'], ['members', '--store', '/nonexistent/space'],
    ['verify-receipt', '/nonexistent/file', '--space', 'a'.repeat(64)], ['create', '--store', '/nonexistent/space', '--relay', 'localhost:7700']]
  for (const argv of calls) {
    const { code, out, err } = await run(argv)
    expect({ argv, code, out }).toEqual({ argv, code: 2, out: '' })
    expect(err).toMatch(/\(bad-argument\)\n$/)
    const asJson = await run([...argv, '--json'])
    expect(JSON.parse(asJson.err)).toMatchObject({ error: { code: 'bad-argument' } })
  }
})

test('who mistypes is told what was meant, and can call again', async () => {
  expect((await run(['memebrs'])).err).toContain('Did you mean members?')
  expect((await run(['sql', '--fromat', 'csv'])).err).toMatch(/^error: There is no option --fromat\. Did you mean --format\?\nSee: sealdb sql --help/)
  // Nothing is made where the relay is none; so the right address can be given next.
  const store = join(temporary(), 'ada')
  const gone = 'ws://127.0.0.1:9'
  expect(await run(['create', '--store', store, '--relay', gone])).toMatchObject({ code: 3, err: expect.stringContaining('is it running?') as string })
  await fine(['create', '--store', store, '--relay', await relayUrl()])
  for (const uses of ['0', '100000']) expect((await run(['invite', '--store', store, '--uses', uses])).code).toBe(2)
  const link = await fine(['invite', '--store', store])
  const other = join(store, '..', 'bob')
  for (const bad of ['hello', 'sealdb:join#hello', link.slice(0, 100)]) expect((await run(['join', '--store', other, bad])).err).toContain('(bad-link)')
  await fine(['join', '--store', other], link)
  expect((await run(['join', '--store', `${other}2`], { input: link })).err).toContain('Ask for a new link')
  expect((await run(['remove', '--store', other, '1'])).err).toContain('this member’s role does not allow it (role: handle)')
})

test('two people share a table', async () => {
  const { ada, bob } = await team()
  await fine(['sql', '--store', ada, "CREATE TABLE task (id INTEGER PRIMARY KEY, title TEXT); INSERT INTO task (title) VALUES ('one'), ('two')"])
  expect(await fine(['sql', '--store', bob], 'UPDATE task SET title = upper(title) WHERE id = 2;\nSELECT * FROM task')).toBe('1 row changed\nid  title\n──  ─────\n 1  one\n 2  TWO\n')
  expect(JSON.parse(await fine(['sql', '--store', ada, '--json', 'SELECT * FROM task WHERE id = 2']))).toEqual([{ id: 2, title: 'TWO' }])
  expect(await fine(['sql', '--store', ada, '--format', 'csv', 'SELECT id FROM task'])).toBe('id\r\n1\r\n2\n')

  const people = JSON.parse(await fine(['members', '--store', bob, '--json'])) as unknown[]
  expect(people).toMatchObject([{ member: 1, name: 'Ada', role: 'owner' }, { member: 2, name: 'Bob', role: 'writer', note: 'you' }])
  expect(await fine(['members', '--store', bob, '--devices'])).toContain('laptop')

  const lines = JSON.parse(await fine(['log', '--store', ada, '--json', '--count', '2'])) as unknown[]
  expect(lines).toMatchObject([{ member: 'Ada', what: 'insert ×2', verdict: 'applied' }, { member: 'Bob', what: 'update', verdict: 'applied' }])

  const [here, there] = (await Promise.all([ada, bob].map(async (store) => JSON.parse(await fine(['verify', '--store', store, '--json'])) as Record<string, unknown>)))
  expect(here).toMatchObject({ inStep: true, writable: true, pending: 0 })
  expect(there?.fingerprint).toBe(here?.fingerprint)

  expect(JSON.parse(await fine(['audit', '--store', bob, '--json']))).toMatchObject({ rows: 2, problems: [] })

  await fine(['remove', '--store', ada, 'Bob'])
  expect(JSON.parse(await fine(['rotate', '--store', ada, '--json']))).toEqual({ rotated: true, reblinded: false })
  expect(JSON.parse(await fine(['rotate', '--store', ada, '--reblind', '--json']))).toEqual({ rotated: true, reblinded: true })
  expect(await fine(['sql', '--store', ada, '--format', 'csv', 'SELECT title FROM task WHERE id = 2'])).toBe('title\r\nTWO\n')
  const removed = await run(['verify', '--store', bob])
  expect(removed.code).toBe(1)
  expect(removed.err).toContain('relay-refused')
  expect((await run(['remove', '--store', ada, 'Bob'])).code).toBe(2)
})

test('roles, invitations, forgetting, leaving; another relay', async () => {
  const { ada, bob } = await team()
  await fine(['sql', '--store', ada, "CREATE TABLE t (v); INSERT INTO t VALUES (1)"])
  expect(JSON.parse(await fine(['role', '--store', ada, 'Bob', 'reader', '--json']))).toEqual({ member: 2, role: 'reader' })
  expect((await run(['sql', '--store', bob, 'INSERT INTO t VALUES (2)'])).err).toContain('role')
  expect((await run(['role', '--store', ada, 'Bob', 'king'])).code).toBe(2)
  await fine(['role', '--store', ada, '2', 'writer'])

  const [first, second] = [await fine(['invite', '--store', ada, '--role', 'admin', '--uses', '3']), await fine(['invite', '--store', ada])]
  const list = async (): Promise<unknown> => JSON.parse(await fine(['members', '--store', bob, '--invitations', '--json']))
  expect(await list()).toMatchObject([{ admits: 'admin', uses: 3, by: 'Ada' }, { admits: 'writer', uses: 1 }])
  const [{ invitation }] = await list() as [{ readonly invitation: number }]
  await fine(['revoke', '--store', ada, String(invitation)])
  await fine(['revoke', '--store', ada, second.trim()])
  expect(await list()).toEqual([])
  for (const link of [first, second]) expect((await run(['join', '--store', join(ada, '..', 'eve'), link.trim()])).code).toBe(3)
  expect((await run(['members', '--store', ada, '--invitations', '--devices'])).code).toBe(2)

  // Bob's device has not come by since: it holds a key still.
  expect(JSON.parse(await fine(['forget', '--store', ada, '--json']))).toEqual({ forgotten: false, waitsForDevices: [2], endedInvitations: 'none' })
  await fine(['sql', '--store', bob, 'INSERT INTO t VALUES (2)'])
  expect(JSON.parse(await fine(['forget', '--store', ada, '--json']))).toMatchObject({ forgotten: false })

  const url = await relayUrl()
  expect((await run(['attach', '--store', bob, url])).code).toBe(3)
  expect(JSON.parse(await fine(['attach', '--store', ada, url, '--json']))).toEqual({ relay: url })
  expect(await fine(['sql', '--store', bob, '--format', 'csv', 'SELECT v FROM t ORDER BY v'])).toBe('v\r\n1\r\n2\n')

  expect((await run(['leave', '--store', bob])).err).toContain('Say --yes')
  await fine(['leave', '--store', bob, '--yes'])
  expect(JSON.parse(await fine(['members', '--store', ada, '--json']))).toMatchObject([{ name: 'Ada' }])
  expect((await run(['leave', '--store', ada, '--yes'])).code).toBe(3)
})

test('a receipt proves a row to whoever knows the space and its relay', async () => {
  const { ada } = await team()
  const file = join(ada, '..', 'receipt')
  await fine(['sql', '--store', ada, "CREATE TABLE bill (id INTEGER PRIMARY KEY, text TEXT); INSERT INTO bill VALUES (7, 'seven'), (8, 'eight')"])
  await fine(['prove', '--store', ada, '--out', file, 'SELECT * FROM bill WHERE id = 7'])
  expect(await run(['prove', '--store', ada, '--out', file, 'SELECT * FROM bill WHERE id = 7'])).toMatchObject({ code: 2, err: expect.stringContaining('not written over') as string })
  expect((await run(['prove', '--store', ada, '--out', `${file}2`, 'SELECT * FROM bill WHERE id = 9'])).code).toBe(2)
  const { space, relayName, relayKey } = JSON.parse(await fine(['verify', '--store', ada, '--json'])) as { space: string; relayName: string; relayKey: string }
  const check = ['verify-receipt', file, '--relay-name', relayName, '--relay-key', relayKey]
  const shown = JSON.parse(await fine([...check, '--space', space, '--json'])) as unknown
  expect(shown).toMatchObject({ table: 'bill', rows: [{ values: { id: 7, text: 'seven' }, author: 1 }] })
  expect(JSON.stringify(shown)).not.toContain('eight')
  expect(await fine([...check, '--space', space])).toContain('seven')
  // Another space, another relay, a byte changed: it proves nothing.
  expect(await run([...check, '--space', 'a'.repeat(64)])).toMatchObject({ code: 1 })
  expect(await run(['verify-receipt', file, '--relay-name', 'relay.other', '--relay-key', relayKey, '--space', space])).toMatchObject({ code: 1 })
  const bytes = readFileSync(file)
  bytes[bytes.length - 40] = (bytes[bytes.length - 40] as number) ^ 1
  writeFileSync(file, bytes)
  expect(await run([...check, '--space', space])).toMatchObject({ code: 1, err: '' })
  for (const missing of [['verify-receipt', file], ['verify-receipt', '--space', space], ['verify-receipt', file, '--space', 'x'], ['verify-receipt', file, '--space', space, '--relay-name', 'r']]) {
    expect((await run(missing)).code).toBe(2)
  }
})

test('an error of SQL ends with 3; what was before it stays', async () => {
  const store = join(temporary(), 's')
  await fine(['create', '--store', store])
  const { code, err } = await run(['sql', '--store', store, 'CREATE TABLE a (x); SELECT nope FROM a'])
  expect(code).toBe(3)
  expect(err).toContain('no such column: nope')
  expect(JSON.parse(await fine(['sql', '--store', store, '--json', 'SELECT count(*) AS n FROM a']))).toEqual([{ n: 0 }])
  expect((await run(['create', '--store', store])).code).toBe(2)
  expect((await run(['sql', '--store', store, '--format', 'xml', 'SELECT 1'])).code).toBe(2)
})

test('out to SQL, JSON and CSV; and in again', async () => {
  const directory = temporary()
  const [a, b] = [join(directory, 'a'), join(directory, 'b')]
  await fine(['create', '--store', a])
  await fine(['create', '--store', b])
  await fine(['sql', '--store', a, `CREATE TABLE "odd name" (id INTEGER PRIMARY KEY, t TEXT, r REAL, b BLOB, twice AS (id * 2));
    CREATE INDEX by_t ON "odd name" (t); INSERT INTO "odd name" (t, r, b) VALUES ('it''s', 1.0, x'00ff'), (NULL, NULL, NULL), ('', -2.5e10, x'')`])
  const dump = join(directory, 'dump.sql')
  await fine(['export', '--store', a, dump])
  expect(statSync(dump).mode & 0o777).toBe(0o600)
  expect((await run(['export', '--store', a, dump])).err).toContain('EEXIST')
  await fine(['import', '--store', b, dump])
  const [fromA, fromB] = await Promise.all([a, b].map((store) => fine(['export', '--store', store, '--json'])))
  expect(fromB).toBe(fromA)
  expect(await fine(['export', '--store', b])).toBe(readFileSync(dump, 'utf8'))

  const rows = join(directory, 'rows.json')
  writeFileSync(rows, JSON.stringify([{ id: 10, t: 'json' }]))
  const lines = join(directory, 'rows.csv')
  writeFileSync(lines, 'id,t\n11,csv\n12,\n13,""\n')
  await fine(['import', '--store', b, rows, '--table', 'odd name'])
  await fine(['import', '--store', b, lines, '--table', 'odd name'])
  expect(JSON.parse(await fine(['sql', '--store', b, '--json', 'SELECT id, t FROM "odd name" WHERE id >= 10']))).toEqual([
    { id: 10, t: 'json' }, { id: 11, t: 'csv' }, { id: 12, t: null }, { id: 13, t: '' },
  ])
  expect((await run(['import', '--store', b, rows])).code).toBe(2)
  writeFileSync(lines, Uint8Array.of(0xef, 0xbb, 0xbf, ...Buffer.from('id,t\n14,mark\n')))
  await fine(['import', '--store', b, lines, '--table', 'odd name'])
  writeFileSync(lines, Buffer.from('id,t\n15,Z\u00fcrich\n', 'latin1'))
  expect((await run(['import', '--store', b, lines, '--table', 'odd name'])).err).toContain('UTF-8')
  writeFileSync(rows, '[1]')
  expect((await run(['import', '--store', b, rows, '--table', 'odd name'])).code).toBe(2)
})

test('a passphrase or a key seals the store', async () => {
  const directory = temporary()
  const [store, keyFile, file] = [join(directory, 's'), join(directory, 'key'), join(directory, 'passphrase')]
  const sealed = { code: 3, err: expect.stringContaining('store-sealed') as string }
  try {
    writeFileSync(keyFile, new Uint8Array(32).fill(7))
    process.env.SEALDB_KEY_FILE = keyFile
    await fine(['create', '--store', store])
    await fine(['verify', '--store', store])
    writeFileSync(keyFile, new Uint8Array(32).fill(8))
    expect(await run(['verify', '--store', store])).toMatchObject(sealed)
    delete process.env.SEALDB_KEY_FILE
    expect(await run(['verify', '--store', store])).toMatchObject(sealed)
    // Made here, at a cost for tests: opening takes the cost from the store.
    const cheap = await fileStore(join(directory, 'p'), { passphrase: 'right', argon2: { memoryKib: 64, passes: 1 } }).open()
    await cheap.commit({ put: [['secret/x', Uint8Array.of(1)]] })
    await cheap.close()
    writeFileSync(file, 'wrong\n')
    process.env.SEALDB_PASSPHRASE_FILE = file
    expect(await run(['verify', '--store', join(directory, 'p')])).toMatchObject(sealed)
    writeFileSync(file, 'right\n')
    expect((await run(['audit', '--store', join(directory, 'p')])).err).toContain('holds no space')
  } finally {
    delete process.env.SEALDB_KEY_FILE
    delete process.env.SEALDB_PASSPHRASE_FILE
  }
})

test('a damaged store is no answer', async () => {
  const store = join(temporary(), 's')
  await fine(['create', '--store', store])
  const segment = join(store, 'segment-1')
  expect(existsSync(segment)).toBe(true)
  const bytes = readFileSync(segment)
  bytes[200] = (bytes[200] as number) ^ 1
  writeFileSync(segment, bytes)
  expect((await run(['audit', '--store', store])).code).toBe(3)
  expect((await run(['sql', '--store', store, 'SELECT 1'])).code).toBe(3)
})

test('the relay prints where it is, logs JSON, and ends when told, with its entries', async () => {
  const data = join(temporary(), 'relay')
  const once = async (argv: readonly string[], work: (url: string) => Promise<void>): Promise<Ran> => {
    const stop = new AbortController()
    let listening: (all: string) => void = () => undefined
    const first = new Promise<string>((resolve) => { listening = resolve })
    const running = run(['relay', '--data', data, '--port', '0', ...argv], { stop: stop.signal, onOut: listening })
    const ready = await Promise.race([first, running.then(({ err }) => { throw new Error(err) })])
    await work(/wss?:\/\/[^"\s]+/.exec(ready)?.[0] as string)
    stop.abort()
    return running
  }
  const store = join(data, '..', 'ada')
  const { code, out } = await once(['--log', 'json'], async (url) => {
    expect(await (await fetch(`${url.replace('ws', 'http')}/healthz`)).text()).toBe('ok\n')
    await fine(['create', '--store', store, '--relay', url])
  })
  expect(code).toBe(0)
  const events = out.trim().split('\n').map((line) => JSON.parse(line) as { event: string; fingerprint?: string })
  expect(events[0]).toMatchObject({ event: 'listening', fingerprint: expect.stringMatching(/^([0-9a-f]{4} ?){8}$/) as string })
  expect(events.at(-1)).toMatchObject({ event: 'closed' })
  // The same key again, and the same name, which clients have pinned.
  const again = await once([], async () => {})
  expect(again.out).toContain(events[0]?.fingerprint)
  expect(await run(['relay', '--data', data, '--port', '0', '--name', 'other'])).toMatchObject({ code: 2 })
  const offline = await run(['verify', '--offline', '--store', store, '--json'])
  expect(offline).toMatchObject({ code: 1 })
  const { space } = JSON.parse(offline.out) as { space: string }
  expect(JSON.parse(await fine(['audit', '--json', '--store', join(data, 'spaces', space)]))).toMatchObject({ applied: 2, problems: [] })
})

test('a port that is taken is a failure with a code', async () => {
  const port = new URL(await relayUrl()).port
  expect(await run(['relay', '--data', join(temporary(), 'r'), '--port', port])).toMatchObject({ code: 3, err: expect.stringContaining('EADDRINUSE') as string })
})

test('the prompt: statements over lines, dot commands, errors, history', async () => {
  const state = mkdtempSync(join(temporary(), 'state-'))
  process.env.XDG_STATE_HOME = state
  process.env.NO_COLOR = '1'
  try {
    const store = join(temporary(), 's')
    await fine(['create', '--store', store, '--name', 'Ada'])
    const terminal = runAtTerminal(['sql', '--store', store])
    await terminal.shows('sealdb> ')
    const say = async (text: string, shown: string, prompt = 'sealdb> '): Promise<void> => {
      terminal.type(`${text}\n`)
      await terminal.shows(shown)
      await terminal.shows(prompt)
    }
    await say('CREATE TABLE a (x INTEGER);', '')
    await say('INSERT INTO a VALUES (1),', '', '   ...> ')
    await say('(41);', '2 rows changed')
    await say('SELECT sum(x) AS total FROM a;', '   42')
    await say('SELECT nope FROM a;', 'sql-error: no such column: nope')
    await say('.nosuch', 'bad-argument')
    await say('.tables', '\na')
    await say('.schema a', 'CREATE TABLE a (x INTEGER);')
    await say('.schema nosuch', 'There is no table')
    await say('help', 'begin with a dot')
    await say('.tabels', 'Did you mean .tables?')
    await say('.at 3', '', 'sealdb at 3> ')
    await say('SELECT count(*) AS n FROM a;', '0', 'sealdb at 3> ')
    await say('INSERT INTO a VALUES (5);', 'a past state may not be modified', 'sealdb at 3> ')
    await say('.at 99', 'from 1 to 4', 'sealdb at 3> ')
    await say('.at', '')
    await say('.policies', '(no rows)')
    await say('.members', 'Ada')
    await say('.devices', 'this one')
    await say('.log 1', 'insert ×2')
    await say('.proof SELECT * FROM nosuch', 'bad-argument')
    await say('.head', 'fingerprint')
    await say('.mode json', '')
    await say('.timer on', '')
    await say('SELECT x FROM a WHERE x = 1;', '[{"x":1}]', ' ms')
    await say('.help', 'ends with a semicolon')
    terminal.type('.quit\n')
    expect(await terminal.ended).toBe(0)

    const file = join(state, 'sealdb', 'history')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(readFileSync(file, 'utf8')).toContain(JSON.stringify('INSERT INTO a VALUES (1),\n(41);'))
    // The next prompt has it, at the arrow key.
    const next = runAtTerminal(['sql', '--store', store])
    await next.shows('sealdb> ')
    next.type('\x1b[A')
    await next.shows('.quit')
    next.type('\x15.quit\n')
    expect(await next.ended).toBe(0)
  } finally {
    delete process.env.XDG_STATE_HOME
    delete process.env.NO_COLOR
  }
})

test('a quick bench', async () => {
  const rows = JSON.parse(await fine(['bench', '--rows', '50', '--memory', '--json'])) as unknown[]
  expect(rows).toHaveLength(4)
})

test('out to a SQLite file and in from one', async () => {
  const directory = temporary()
  const [a, b] = [join(directory, 'a'), join(directory, 'b')]
  await fine(['create', '--store', a])
  await fine(['create', '--store', b])
  await fine(['sql', '--store', a, `CREATE TABLE t (id INTEGER PRIMARY KEY, owner INTEGER PLAINTEXT, v); CREATE VIEW seen AS SELECT v FROM t;
    CREATE POLICY own ON t FOR UPDATE USING (owner = current_member()); INSERT INTO t (owner, v) VALUES (1, 1.0), (1, x'00')`])
  const file = join(directory, 'team.db')
  expect((await run(['export', '--store', a, '--format', 'sqlite'])).code).toBe(2)
  await fine(['export', '--store', a, '--format', 'sqlite', file])
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(readFileSync(file).subarray(0, 15).toString()).toBe('SQLite format 3')
  expect(readFileSync(file).toString('latin1')).toContain('CREATE POLICY')
  expect((await run(['export', '--store', a, '--format', 'sqlite', file])).err).toContain('EEXIST')
  expect(JSON.parse(await fine(['import', '--store', b, '--json', file]))).toEqual({ tables: 1, rows: 2, refused: 0 })
  expect(JSON.parse(await fine(['sql', '--store', b, '--json', 'SELECT typeof(v) AS t FROM seen']))).toEqual([{ t: 'real' }, { t: 'blob' }])
  expect((await run(['import', '--store', b, file])).err).toContain('already an object named t')
  writeFileSync(join(directory, 'no.sqlite'), 'not a database, but long enough to have a header of one hundred bytes, which this text now surely has, at last')
  expect((await run(['import', '--store', b, join(directory, 'no.sqlite')])).err).toContain('not a database')
})

test('who ends an import of a SQLite file has nothing of it, and can begin again', async () => {
  const directory = temporary()
  const [a, b, file] = [join(directory, 'a'), join(directory, 'b'), join(directory, 'team.db')]
  await fine(['create', '--store', a])
  await fine(['create', '--store', b])
  await fine(['sql', '--store', a, Array.from({ length: 120 }, (_, i) => `CREATE TABLE t${i} (v)`).join(';')])
  await fine(['export', '--store', a, '--format', 'sqlite', file])
  const stop = new AbortController()
  let asked = 0
  // Ctrl-C between its first transaction and the second.
  Object.defineProperty(stop.signal, 'throwIfAborted', { value: () => {
    if (++asked === 2) stop.abort('SIGINT')
    AbortSignal.prototype.throwIfAborted.call(stop.signal)
  } })
  expect(await run(['import', '--store', b, file], { stop: stop.signal })).toMatchObject({ code: 3, err: expect.stringContaining('dropped again') as string })
  expect(asked).toBe(2)
  expect(JSON.parse(await fine(['sql', '--store', b, '--json', 'SELECT count(*) AS n FROM sqlite_schema']))).toEqual([{ n: 0 }])
  expect(JSON.parse(await fine(['import', '--store', b, '--json', file]))).toEqual({ tables: 120, rows: 0, refused: 0 })
})

test('a relay that is gone is left, and the others told where', async () => {
  const directory = temporary()
  const [ada, bob] = [join(directory, 'ada'), join(directory, 'bob')]
  const relay = await startRelay()
  await fine(['create', '--store', ada, '--relay', relay.url, '--name', 'Ada'])
  await fine(['join', '--store', bob, '--name', 'Bob'], await fine(['invite', '--store', ada]))
  await fine(['sql', '--store', ada, 'CREATE TABLE t (v); INSERT INTO t VALUES (1)'])
  await fine(['sql', '--store', bob, 'INSERT INTO t VALUES (2)'])
  await fine(['sql', '--store', ada, 'SELECT * FROM t'])
  await relay.close()
  const url = await relayUrl()
  expect(await run(['follow', '--store', bob, url])).toMatchObject({ code: 3, err: expect.stringContaining('does not hold this space') as string })
  expect((await run(['attach', '--store', ada, url])).code).toBe(3)
  expect((await run(['attach', '--store', bob, url, '--abandon'])).code).toBe(3)
  expect((await run(['attach', '--store', ada, url, '--abandon'])).code).toBe(0)
  expect(JSON.parse(await fine(['follow', '--store', bob, url, '--json']))).toMatchObject({ relay: url })
  await fine(['sql', '--store', bob, 'INSERT INTO t VALUES (3)'])
  expect(await fine(['sql', '--store', ada, '--format', 'csv', 'SELECT v FROM t ORDER BY v'])).toBe('v\r\n1\r\n2\r\n3\n')
})
