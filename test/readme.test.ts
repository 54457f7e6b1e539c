/** README’s start does what it says, as it stands there: with a real relay, on file stores. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import { isSealError, type SealedSpace } from 'sealdb'
import { ERROR_CODES } from '../engine/errors.js'
import { memoryRelayStore, startRelay } from '../net/server.js'

const home = mkdtempSync(join(tmpdir(), 'sealdb-readme-'))
const FILE = '.tmp/readme-start.ts'
afterAll(() => {
  rmSync(home, { recursive: true, force: true })
  rmSync(FILE, { force: true })
})

interface Start { readonly space: SealedSpace; readonly bob: SealedSpace; readonly stop: () => void; readonly versions: readonly unknown[]; readonly bytes: Uint8Array }

test('the start in README.md', async () => {
  const relay = await startRelay({ store: memoryRelayStore(), port: 0, name: 'relay.test' })
  const [, code] = /```ts\n([\s\S]*?)```/.exec(readFileSync('README.md', 'utf8')) ?? []
  const adapted = [['ws://localhost:7700', relay.url], ["'sealdb/store/file'", "'../engine/store/file/file.js'"], ["'./team'", `'${home}/team'`], ["'./bob'", `'${home}/bob'`]]
    .reduce((text, [from, to]) => {
      expect(text).toContain(from)
      return text.replaceAll(from as string, to as string)
    }, code ?? '')
  mkdirSync('.tmp', { recursive: true })
  writeFileSync(FILE, `${adapted}\nexport { space, bob, stop, versions, bytes }\n`)
  const printed = vi.spyOn(console, 'log').mockImplementation(() => undefined)
  const { space, bob, stop, versions, bytes } = (await import(/* @vite-ignore */ `../${FILE}`)) as Start
  expect(printed).toHaveBeenCalledWith([{ open: 1 }])
  printed.mockRestore()
  expect(versions).toHaveLength(1)
  expect(new TextDecoder().decode(bytes.subarray(0, 15))).toBe('SQLite format 3')
  expect(space.members.map(({ name, removed }) => [name, removed])).toEqual([['Ada', false], ['Bob', true]])
  expect((await space.sql`SELECT title, done FROM task ORDER BY id`).rows).toEqual([{ title: 'ship it', done: 0 }, { title: 'review it', done: 1 }])
  await vi.waitFor(() => { expect(bob.writable).toBe(false) })
  const refused = await bob.sql`UPDATE task SET done = TRUE`.then(() => undefined, (error: unknown) => error)
  expect(isSealError(refused, 'read-only')).toBe(true)
  stop()
  await bob.close()
  await space.close()
  await relay.close()
})

test('says of every family of errors and every alert what to do', () => {
  const readme = readFileSync('README.md', 'utf8')
  const rows = (heading: string): string[] => {
    const [table = ''] = readme.slice(readme.indexOf(`| ${heading} |`)).split('\n\n')
    return [...table.matchAll(/^\| `([\w-]+)` \|/gm)].map(([, name]) => name ?? '')
  }
  expect(rows('family').sort()).toEqual([...new Set<string>([...Object.values(ERROR_CODES), 'unknown'])].sort())
  const [, codes = ''] = /interface Alert \{\n +readonly code: ([^\n]+)/.exec(readFileSync('engine/space/port.ts', 'utf8')) ?? []
  expect(rows('alert').sort()).toEqual([...codes.matchAll(/'([\w-]+)'/g)].map(([, code]) => code).sort())
})
