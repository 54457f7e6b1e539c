/**
 * Every `@example` of the public interface runs, as it stands in the source: what it names beside the interface itself is made here. Each public function
 * and class has one, and every public name says what it is.
 */
import 'fake-indexeddb/auto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import ts from 'typescript'
import * as sealdb from 'sealdb'
import { fileStore } from '../engine/store/file/file.js'
import { indexedDbStore } from '../engine/store/indexeddb.js'
import { noble, verifyReceipt } from '../engine/verify.js'
import { drizzleBatch, drizzleCallback } from '../query/drizzle.js'
import { kyselyDialect } from '../query/kysely.js'
import { fileRelayStore, startRelay, type RunningRelay, type ServerOptions } from '../net/server.js'
import { plainSqlite } from './query/plain-sqlite.js'

/** Entry points of the package, and where what they show is documented. */
const ENTRIES = ['index.ts', 'net/server.ts', 'engine/verify.ts', 'engine/store/memory.ts', 'engine/store/file/file.ts', 'engine/store/indexeddb.ts', 'query/kysely.ts', 'query/drizzle.ts']
const DOCUMENTED = [...ENTRIES, 'engine/space/files.ts', 'engine/errors.ts', 'engine/crypto/load.ts', 'query/database.ts', 'query/sql-api.ts']
/** Shown by a neighbour's example, or by the tests of the part they belong to. */
const WITHOUT_EXAMPLE = new Set([
  'memoryRelayStore', 'fileRelayStore', 'postgresRelayStore', 'fileStoreIn', 'kyselyDialect', 'drizzleCallback', 'drizzleBatch', // in the example of their file
  'noble', 'verifyReceipt', // likewise
  'checkpointVerifier', 'openCheckpoint', 'originOfSpace', 'parseStateLine', 'verifyEvidence', 'verifyDeviceEvidence', // test/log, test/space, test/browser
])

const home = mkdtempSync(join(tmpdir(), 'sealdb-docs-'))
const FILE = '.tmp/doc-examples.ts'
const closing: { close(): Promise<void> }[] = []
const opened = async <T extends { close(): Promise<void> }>(making: Promise<T>): Promise<T> => {
  const made = await making
  closing.push(made)
  return made
}
afterAll(async () => {
  for (const each of closing.reverse()) await each.close().catch(() => undefined) // some were closed by their example
  rmSync(home, { recursive: true, force: true })
  rmSync(FILE, { force: true })
})

interface Example { readonly place: string; readonly code: string }

function examplesOf(file: string): readonly Example[] {
  const text = readFileSync(file, 'utf8')
  return [...text.matchAll(/\* @example[^\n]*\n((?: *\*(?!\/)[^\n]*\n)+)/g)].map((match) => ({
    place: `${file}:${text.slice(0, match.index).split('\n').length}`, code: (match[1] as string).replace(/^ *\* ?/gm, ''),
  }))
}

const examples = DOCUMENTED.flatMap(examplesOf)
type Run = (given: Readonly<Record<string, unknown>>) => Promise<void>
let runs: readonly Run[] = []
let given: Readonly<Record<string, unknown>> = {}

beforeAll(async () => {
  given = await make()
  const isImport = (line: string): boolean => line.startsWith('import ')
  const imports = new Set(examples.flatMap(({ code }) => code.split('\n').filter(isImport)))
  const bodies = examples.map(({ code }) => `async ({ ${Object.keys(given).join(', ')} }) => { {\n${code.split('\n').filter((line) => !isImport(line)).join('\n')}\n} },`)
  mkdirSync('.tmp', { recursive: true })
  writeFileSync(FILE, `${[...imports].join('\n')}\nexport const runs = [\n${bodies.join('\n')}\n]\n`)
  runs = ((await import(/* @vite-ignore */ `../${FILE}`)) as { runs: readonly Run[] }).runs
})

/** A relay, a space with a table and a few rows, a link, a receipt, a plain file. */
async function make(): Promise<Readonly<Record<string, unknown>>> {
  const running: RunningRelay = await opened(startRelay({ name: 'relay.test' }))
  const createSpace = (options: sealdb.CreateOptions): Promise<sealdb.SealedSpace> => opened(sealdb.createSpace(options))
  const space = await createSpace({ store: sealdb.memoryStore(), relay: running.url })
  await space.exec("CREATE TABLE task (id INTEGER PRIMARY KEY, title TEXT NOT NULL, done BOOLEAN NOT NULL DEFAULT FALSE); INSERT INTO task (title) VALUES ('one'), ('two')")
  await space.settled()
  const store = sealdb.memoryStore()
  await (await sealdb.createSpace({ store })).close()
  const plain = new (await plainSqlite()).Database()
  plain.exec('CREATE TABLE other (x); INSERT INTO other VALUES (1)')
  writeFileSync(join(home, 'other.db'), plain.export())
  return {
    ...sealdb, createSpace, space, store, db: space.db, database: space.db,
    openSpace: (options: sealdb.OpenOptions) => opened(sealdb.openSpace(options)),
    joinSpace: (link: string, options: sealdb.OpenOptions) => opened(sealdb.joinSpace(link, options)),
    openReceipt: (bytes: Uint8Array, { spaceId }: sealdb.ReceiptTrust) => sealdb.openReceipt(bytes, { spaceId, relay: { name: 'relay.test', publicKey: running.relay.publicKey } }),
    startRelay: (options: ServerOptions) => opened(startRelay({ ...options, port: 0 })),
    fileStore: (path: string, { passphrase }: { readonly passphrase?: string } = {}) =>
      fileStore(join(home, path), passphrase === undefined ? {} : { passphrase, argon2: { memoryKib: 64, passes: 1 } }),
    fileRelayStore: (path: string) => fileRelayStore(join(home, path)),
    readFile: (path: string) => readFile(join(home, path)),
    writeFile: (path: string, bytes: Uint8Array, options: { readonly mode: number }) => writeFile(join(home, path), bytes, options),
    indexedDbStore, noble, verifyReceipt, kyselyDialect, drizzleCallback, drizzleBatch,
    link: await space.invite({ role: 'writer' }), bytes: await space.prove`SELECT * FROM task WHERE id = 1`, spaceId: space.id,
    name: 'relay.test', publicKey: running.relay.publicKey, relay: running.url, profile: { name: 'Ada' }, passphrase: 'correct horse', render: () => undefined,
  }
}

test.each(examples.map(({ place }, i) => [place, i] as const))('the example at %s', async (_, i) => {
  const silent = [vi.spyOn(console, 'log'), vi.spyOn(console, 'error')].map((spy) => spy.mockImplementation(() => undefined))
  try {
    await (runs[i] as Run)(given)
  } finally {
    for (const spy of silent) spy.mockRestore()
  }
})

test('every public name is documented, and every public function and class has an example', () => {
  const { options } = ts.parseJsonConfigFileContent(ts.readConfigFile('tsconfig.json', ts.sys.readFile).config, ts.sys, '.')
  const program = ts.createProgram(ENTRIES, { ...options, noLib: true, types: [] }) // names and comments only
  const checker = program.getTypeChecker()
  const missing: string[] = []
  for (const entry of ENTRIES) {
    const file = program.getSourceFile(entry)
    if (!file) throw new Error(`There is no ${entry}.`)
    const about = examplesOf(entry).map(({ code }) => code).join('\n')
    for (const exported of checker.getExportsOfModule(checker.getSymbolAtLocation(file) as ts.Symbol)) {
      const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported
      const { name } = exported
      if (symbol.getDocumentationComment(checker).length === 0) missing.push(`${basename(entry)}: ${name} has no documentation`)
      const [declaration] = symbol.declarations ?? []
      const shown = symbol.getJsDocTags().some((tag) => tag.name === 'example') || (WITHOUT_EXAMPLE.has(name) && (about.includes(name) || entry === 'engine/verify.ts' || /RelayStore|fileStoreIn/.test(name)))
      if (declaration && (ts.isFunctionDeclaration(declaration) || ts.isClassDeclaration(declaration)) && !shown) missing.push(`${basename(entry)}: ${name} has no example`)
      if (declaration && ts.isClassDeclaration(declaration)) missing.push(...silentMembers(checker, declaration).map((member) => `${basename(entry)}: ${name}.${member} has no documentation`))
    }
  }
  expect(missing).toEqual([])
})

/** Public methods of a class; what it has from elsewhere (`readonly query: Database['query']`) is documented there. */
function silentMembers(checker: ts.TypeChecker, declaration: ts.ClassDeclaration): readonly string[] {
  return declaration.members.flatMap((member) => {
    if (!(ts.isMethodDeclaration(member) || ts.isGetAccessor(member)) || !ts.isIdentifier(member.name)) return []
    const symbol = checker.getSymbolAtLocation(member.name)
    return symbol?.getDocumentationComment(checker).length === 0 ? [member.name.text] : []
  })
}
