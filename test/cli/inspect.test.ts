/** The web inspector: what it shows, that it only shows, and whom it shows it to. */
import { request } from 'node:http'
import { expect, test } from 'vitest'
import { createSpace, memoryStore, openReceipt, type SealedSpace } from '../../index.js'
import { startInspector, type Inspector } from '../../net/cli/inspect/server.js'
import { decodeKey, encodeKey } from '../../net/cli/inspect/cells.js'
import { run, temporary } from './support.js'

interface Answer { readonly status: number; readonly text: string; readonly headers: Readonly<Record<string, unknown>>; readonly bytes: Uint8Array }

/** `fetch` sets the Host header by itself, and so hides who would ask. */
function ask(url: string, { method = 'GET', headers = {} }: { readonly method?: string; readonly headers?: Readonly<Record<string, string>> } = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    request(url, { method, headers }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => {
        const all = Buffer.concat(chunks)
        resolve({ status: response.statusCode ?? 0, text: all.toString('utf8'), headers: response.headers, bytes: new Uint8Array(all) })
      })
    }).on('error', reject).end()
  })
}

async function inspected(work: (space: SealedSpace, inspector: Inspector, page: (path: string) => Promise<string>) => Promise<void>): Promise<void> {
  const space = await createSpace({ store: memoryStore(), profile: { name: 'Ada' } })
  const inspector = await startInspector(space)
  try {
    await work(space, inspector, async (path) => {
      const { status, text } = await ask(inspector.url + path)
      expect({ path, status, text }).toMatchObject({ status: 200 })
      return text
    })
  } finally {
    await inspector.close()
    await space.close()
  }
}

const HOSTILE = '<script>alert(1)</script>" onload="x\u202e'

test('tables, rows, versions, log, people and queries', () => inspected(async (space, _, page) => {
  await space.exec(`CREATE TABLE task (id INTEGER PRIMARY KEY, title TEXT, project TEXT BLIND, owner INTEGER PLAINTEXT);
    CREATE VIEW titles AS SELECT title FROM task`)
  await space.sql`INSERT INTO task (id, title, project, owner) VALUES (1, ${'ship it'}, 'sealdb', 1)`
  await space.sql`UPDATE task SET title = ${HOSTILE} WHERE id = 1`
  const overview = await page('')
  expect(overview).toContain(Buffer.from(space.id).toString('hex'))
  expect(overview).toContain('<a href="')
  const table = await page('table?name=task')
  for (const shown of ['title: sealed', 'project: blind', 'owner: plaintext', 'Ada', '&lt;script&gt;alert(1)&lt;/script&gt;&quot; onload=&quot;x\\u202e']) expect(table).toContain(shown)
  expect(table).not.toContain('<script')
  const versions = await page(`row?table=task&key=${encodeURIComponent(encodeKey([1n]))}`)
  expect(versions).toContain('ship it')
  expect(versions).toContain('update')
  expect(await page('table?name=titles')).toContain('onload')
  expect(await page('log')).toContain('applied')
  expect(await page('people')).toContain('owner')
  expect(await page(`sql?q=${encodeURIComponent('SELECT count(*) AS n, 2.0 AS r FROM task')}`)).toMatch(/<th>n<\/th>.*<td class="number">1<\/td><td>2\.0<\/td>/s)
  expect(await page(`sql?q=${encodeURIComponent('SELECT * FROM task WHERE id = 1')}&explain=1`)).toContain('relay_learns')
  const { size } = space.head
  expect(await page(`sql?q=${encodeURIComponent('SELECT title FROM task')}&at=${size - 1}`)).toContain('ship it')
}))

test('a row’s receipt verifies offline', () => inspected(async (space, inspector) => {
  await space.exec("CREATE TABLE note (a TEXT, b INTEGER, body TEXT, PRIMARY KEY (a, b)); INSERT INTO note VALUES ('x', 7, 'seven')")
  await space.exec('CREATE TABLE later (x)')
  const { status, bytes, headers } = await ask(`${inspector.url}receipt?table=note&key=${encodeURIComponent(encodeKey(['x', 7n]))}`)
  expect({ status, type: headers['content-type'] }).toEqual({ status: 200, type: 'application/octet-stream' })
  const { rows } = await openReceipt(bytes, { spaceId: space.id })
  expect(rows.map(({ values }) => values)).toMatchObject([{ body: 'seven' }])
}))

test('rows without a declared key are shown by their rowid, in pages', () => inspected(async (space, _, page) => {
  await space.exec(`CREATE TABLE loose (v); WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60) INSERT INTO loose SELECT 'value ' || i FROM n`)
  const first = await page('table?name=loose')
  expect(first).toContain('value 50<')
  expect(first).not.toContain('value 51<')
  expect(await page('table?name=loose&offset=50')).toContain('value 60<')
  expect(await page(`row?table=loose&key=${encodeURIComponent(encodeKey([3n]))}`)).toContain('value 3')
}))

test('nothing is written', () => inspected(async (space, inspector, page) => {
  await space.exec('CREATE TABLE t (x); INSERT INTO t VALUES (1)')
  const { stateRoot } = space.head
  for (const text of ['DELETE FROM t', 'DROP TABLE t', 'INSERT INTO t VALUES (2) RETURNING x', 'PRAGMA foreign_keys = ON', 'BEGIN', 'SELECT 1; DELETE FROM t']) {
    expect(await page(`sql?q=${encodeURIComponent(text)}`)).toMatch(/read-only|sql-syntax/)
  }
  expect((await ask(inspector.url, { method: 'POST' })).status).toBe(405)
  expect(space.head.stateRoot).toEqual(stateRoot)
  expect((await space.query('PRAGMA foreign_keys')).rows).toEqual([{ foreign_keys: 0 }])
  await space.sql`INSERT INTO t VALUES (3)`
}))

test('nobody else is shown anything', () => inspected(async (_, inspector) => {
  const { port, pathname } = new URL(inspector.url)
  const strangers: readonly [string, Parameters<typeof ask>[1]?][] = [
    [`http://127.0.0.1:${port}/`], [`http://127.0.0.1:${port}/${'0'.repeat(32)}/`], [`http://127.0.0.1:${port}${pathname.slice(0, -2)}/`],
    [inspector.url, { headers: { host: 'evil.example' } }], [inspector.url, { headers: { host: `127.0.0.1.evil.example:${port}` } }], [`${inspector.url}nosuch`], [`${inspector.url}toString`],
  ]
  for (const [url, options] of strangers) expect([url, await ask(url, options)]).toMatchObject([url, { status: 404, text: 'Not found.' }])
  const { headers } = await ask(inspector.url)
  expect(headers).toMatchObject({ 'content-security-policy': expect.stringContaining("default-src 'none'") as string, 'referrer-policy': 'no-referrer', 'cache-control': 'no-store' })
}))

test('a wrong address is told, not a crash', () => inspected(async (_, inspector) => {
  for (const path of ['table?name=nosuch', 'row?table=nosuch', 'log?count=x', 'table', 'receipt?table=nosuch', 'sql?q=SELECT+1&at=x']) {
    const { status, text } = await ask(inspector.url + path)
    expect([path, status, text]).toEqual([path, path.startsWith('sql') ? 200 : 400, expect.stringContaining('bad-argument')])
  }
  expect((await ask(inspector.url)).status).toBe(200)
}))

test('keys go through links unchanged; others are refused', () => {
  const key = [null, 5n, -(2n ** 63n), 1.5, 'a"b', Uint8Array.of(0, 255)]
  expect(decodeKey(encodeKey(key))).toEqual(key)
  for (const text of ['', '{}', '[["nosuch","1"]]', '[["integer","x"]]']) expect(() => decodeKey(text)).toThrowError(expect.objectContaining({ code: 'bad-argument' }))
})

test('sealdb inspect says where, and ends when asked', async () => {
  const store = `${temporary()}/space`
  expect((await run(['create', '--store', store])).code).toBe(0)
  const stop = new AbortController()
  let status = 0
  const { code, out } = await run(['inspect', '--store', store], {
    stop: stop.signal,
    onOut: (all) => void ask(/http:\S+/.exec(all)?.[0] ?? '').then((answer) => {
      status = answer.status
      stop.abort()
    }),
  })
  expect({ code, status }).toEqual({ code: 0, status: 200 })
  await expect(ask(/http:\S+/.exec(out)?.[0] ?? '')).rejects.toThrow()
})
