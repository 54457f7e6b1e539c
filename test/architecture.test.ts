/** The floors hold: who may import whom, one door for each third-party package, what bundles contain and weigh, what lies at the top. */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build, type Metafile } from 'esbuild'
import ts from 'typescript'
import { expect, test } from 'vitest'
import { browserBundles, browserEntries, bundleOptions, nodeEntries } from '../build.entries.js'
import type * as verifier from '../engine/verify.js'
import { bundlePage } from './page-bundle.js'

interface Import { readonly file: string; readonly target: string }

const files = [...['engine', 'query', 'net'].flatMap(sources), 'index.ts']
const imports: readonly Import[] = files.flatMap((file) => ts.preProcessFile(readFileSync(file, 'utf8'), true, true).importedFiles.map(({ fileName }) => ({ file, target: resolve(file, fileName) })))
const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest
interface Manifest {
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly browser?: string; readonly default: string }>>
  readonly bin: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
  readonly peerDependencies: Readonly<Record<string, string>>
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional: boolean }>>
}

/**
 * Each floor and what it may import besides itself. Log, state and group meet in space; group is kept in the state, whose keys and records it
 * needs, and nothing goes the other way.
 */
const FLOORS: Readonly<Record<string, readonly string[]>> = {
  'engine/errors.ts': [],
  'engine/limits.ts': [],
  'engine/arguments.ts': ['engine/errors.ts'],
  'engine/codec/': ['engine/errors.ts', 'engine/limits.ts'],
  'engine/crypto/': ['engine/errors.ts', 'engine/limits.ts', 'engine/codec/'],
  'engine/log/': ['engine/errors.ts', 'engine/limits.ts', 'engine/codec/', 'engine/crypto/'],
  'engine/state/': ['engine/errors.ts', 'engine/limits.ts', 'engine/codec/', 'engine/crypto/'],
  'engine/group/': ['engine/arguments.ts', 'engine/errors.ts', 'engine/limits.ts', 'engine/codec/', 'engine/crypto/', 'engine/state/'],
  'engine/store/': ['engine/arguments.ts', 'engine/errors.ts', 'engine/limits.ts', 'engine/codec/', 'engine/crypto/'],
  'engine/': ['engine/'],
  'query/sql/': ['engine/arguments.ts', 'engine/errors.ts', 'engine/limits.ts'],
  'query/keys.ts': ['engine/codec/'],
  'query/sqlite/': ['engine/errors.ts', 'engine/limits.ts', 'engine/codec/', 'query/keys.ts'],
  'query/': ['engine/', 'query/'],
  'net/cli/': ['engine/', 'net/', 'index.ts'],
  'net/': ['engine/', 'net/'],
  'index.ts': ['engine/', 'query/', 'net/'],
}

/** Each package and the only places that may import it. */
const DOORS: Readonly<Record<string, readonly string[]>> = {
  '@noble/ciphers': ['engine/crypto/'],
  '@noble/curves': ['engine/crypto/'],
  '@noble/ed25519': ['engine/crypto/verifier.ts'],
  '@noble/hashes': ['engine/crypto/'],
  'libsodium-wrappers-sumo': ['engine/crypto/sodium.ts'],
  chevrotain: ['query/sql/'],
  'sql.js': ['query/sqlite-parts.ts'],
  msgpackr: ['net/wire.ts'],
  ws: ['net/ws-node.ts', 'net/server.ts'],
  pg: ['net/relay/stores/postgres.ts'],
  kysely: ['query/kysely.ts'],
  'drizzle-orm': ['query/drizzle.ts'],
}

test('imports go down only; query and net never meet', () => {
  const wrong = imports.filter(({ file, target }) => {
    if (!isOurs(target)) return false
    const floor = floorOf(file)
    return !target.startsWith(floor) && !(FLOORS[floor] ?? []).some((allowed) => target.startsWith(allowed))
  })
  expect(wrong).toEqual([])
})

test('the relay and the synchronisation know no command line, and only it imports the package', () => {
  expect(imports.filter(({ file, target }) => target.startsWith('net/cli/') && !file.startsWith('net/cli/'))).toEqual([])
  expect(imports.filter(({ file, target }) => target === 'index.ts' && !file.startsWith('net/cli/'))).toEqual([])
})

test('each third-party package has its one door', () => {
  const through = imports.filter(({ target }) => !isOurs(target) && !target.startsWith('node:'))
  expect(through.filter(({ file, target }) => !(DOORS[packageOf(target)] ?? []).some((door) => file.startsWith(door)))).toEqual([])
  const declared = [...Object.keys(manifest.dependencies), ...Object.keys(manifest.peerDependencies)].sort()
  expect(declared).toEqual(Object.keys(DOORS).sort())
  for (const peer of Object.keys(manifest.peerDependencies)) expect(manifest.peerDependenciesMeta[peer]).toEqual({ optional: true })
})

test('versions are exact, and the lockfile names no host', () => {
  for (const version of Object.values({ ...manifest.dependencies, ...manifest.devDependencies })) expect(version).toMatch(/^\d+\.\d+\.\d+(-[\w.]+)?$/)
  expect(readFileSync('package-lock.json', 'utf8')).not.toContain('"resolved"')
})

test('every entry point is exported with its types, and nothing else is', () => {
  const expected: Record<string, unknown> = { './package.json': './package.json' }
  for (const [name, path] of Object.entries(nodeEntries)) {
    if (name === 'cli' || name === 'verify-worker') continue // run, not imported
    expected[name === 'index' ? '.' : `./${name}`] = {
      types: `./dist/types/${path.replace(/\.ts$/, '.d.ts')}`,
      ...(name in browserEntries && { browser: `./dist/browser/${name}.js` }),
      default: `./dist/node/${name}.js`,
    }
  }
  expect(manifest.exports).toEqual(expected)
  expect(manifest.bin).toEqual({ sealdb: './dist/node/cli.js' })
})

test('browser bundles reach no module of Node', async () => {
  const metafiles = await Promise.all(browserBundles().map(async (options) => (await build({ ...options, outdir: 'dist/browser', write: false, metafile: true })).metafile))
  const inputs = metafiles.flatMap((metafile) => Object.entries(metafile.inputs))
  const outputs = metafiles.flatMap((metafile) => Object.values(metafile.outputs))
  const reached = [...inputs.map(([, input]) => input), ...outputs].flatMap(({ imports: found }) => found.map(({ path }) => path))
  const builtins = new Set(['fs', 'path', 'os', 'net', 'tls', 'http', 'https', 'crypto', 'stream', 'util', 'zlib', 'events', 'buffer', 'worker_threads', 'child_process'])
  expect(reached.filter((path) => path.startsWith('node:') || builtins.has(path) || path === 'ws' || path === 'pg')).toEqual([])
  expect(inputs.filter(([path]) => /^net\/(?:relay\/|cli\/|server|ws-node)/.test(path))).toEqual([])
  // One class of errors, whichever entry it is caught at.
  expect(outputs.filter((output) => 'engine/errors.ts' in output.inputs)).toHaveLength(1)
})

test('node bundles contain our code only, once', async () => {
  const { metafile } = await build({ ...bundleOptions('node', nodeEntries), outdir: 'dist/node', write: false, metafile: true })
  expect(Object.keys(metafile.inputs).filter((path) => path.includes('node_modules'))).toEqual([])
  expect(Object.values(metafile.outputs).flatMap(({ imports: found }) => found.map(({ path }) => path)).filter((path) => path.startsWith('sealdb'))).toEqual([])
  // One class of errors, whichever entry it is caught at.
  expect(Object.values(metafile.outputs).filter(({ inputs }) => 'engine/errors.ts' in inputs)).toHaveLength(1)
})

/**
 * Bytes minified and compressed, as an application's bundler makes them of the package as it is built, with its dependencies, without sql.js's WebAssembly. `start`: what
 * is loaded along with the entry, it and the chunks that it imports statically, each compressed alone, as a page gets them; the product's bar. `first`: what has come
 * before the first query, with what runs SQL, beside the WebAssembly. `all`: everything in one file. Those two are what this commit may weigh: they must not get heavier.
 */
const BUDGETS: Readonly<Record<string, { readonly start: number; readonly first: number; readonly all: number }>> = {
  sealdb: { start: 150 * 1024, first: 250 * 1024, all: 304 * 1024 },
  'sealdb/verify': { start: 30 * 1024, first: 30 * 1024, all: 30 * 1024 },
}
/** What opening a space loads, of whichever kind. */
const ON_OPENING = /\/(?:floor-\w+|sql-wasm-browser)\.js$/

for (const [name, { start, first, all }] of Object.entries(BUDGETS)) {
  test(`${name} weighs at most ${start} bytes in a page at the start, ${first} before the first query, ${all} in one file`, async () => {
    const script = `export * from '${name}'`
    const one = await bundlePage(script, false)
    const weight = gzippedLength(one.files.get('page.js'))
    const { files, metafile } = await bundlePage(script)
    const weigh = (loaded: ReadonlySet<string>): number => [...loaded].reduce((sum, path) => sum + gzippedLength(files.get(posix.relative('page', path))), 0)
    const atStart = loadedWith(metafile, ['page/page.js'])
    const opened = Object.entries(metafile.outputs).filter(([, { entryPoint }]) => ON_OPENING.test(entryPoint ?? '')).map(([path]) => path)
    expect(opened).toHaveLength(name === 'sealdb' ? 2 : 0)
    const before = weigh(loadedWith(metafile, [...atStart, ...opened]))
    console.info(`${name}: ${weigh(atStart)} bytes min+gz at the start, ${before} before the first query, ${weight} in one file; before compression ${contentsOf(one.metafile)}`)
    expect(weigh(atStart)).toBeLessThanOrEqual(start)
    expect(before).toBeLessThanOrEqual(first)
    expect(weight, contentsOf(one.metafile)).toBeLessThanOrEqual(all)
  })
}

function gzippedLength(contents: Uint8Array | undefined): number {
  return gzipSync(contents ?? new Uint8Array(0), { level: 9 }).length
}

/** Those outputs, and what they import statically. */
function loadedWith({ outputs }: Metafile, paths: readonly string[]): ReadonlySet<string> {
  const loaded = new Set<string>()
  const pending = [...paths]
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    if (loaded.has(path)) continue
    loaded.add(path)
    for (const { path: next, kind, external } of outputs[path]?.imports ?? []) if (kind === 'import-statement' && external !== true) pending.push(next)
  }
  return loaded
}

test('the verifier works as bundled', async () => {
  const { outputFiles } = await build({ entryPoints: ['engine/verify.ts'], bundle: true, minify: true, format: 'esm', platform: 'browser', write: false })
  const { noble } = await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0]?.contents ?? []).toString('base64')}`) as Pick<typeof verifier, 'noble'>
  // RFC 8032 §7.1, test 2.
  const publicKey = Buffer.from('3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c', 'hex')
  const signature = Buffer.from('92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00', 'hex')
  expect(noble.verifyEd25519(signature, Uint8Array.of(0x72), publicKey)).toBe(true)
  expect(noble.verifyEd25519(signature, Uint8Array.of(0x73), publicKey)).toBe(false)
})

test('what lies at the top is what should', () => {
  const allowed = new Set([
    'engine', 'query', 'net', 'bench', 'test', 'examples', 'package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json', 'README.md', 'CHANGELOG.md',
    'LICENSE', 'SECURITY.md', 'CONTRIBUTING.md', 'index.ts', 'build.entries.ts', 'esbuild.config.ts', 'eslint.config.js', 'vitest.config.ts', '.gitignore', '.gitattributes', '.editorconfig',
    '.github', '.ci', '.npmrc', '.nvmrc',
  ])
  const tracked = new Set(execFileSync('git', ['ls-files'], { encoding: 'utf8' }).split('\n').filter(Boolean).map((path) => path.split('/')[0] as string))
  expect([...tracked].filter((name) => !allowed.has(name))).toEqual([])
})

test('a file says what it is; one over 400 lines also why', () => {
  const silent = files.filter((file) => !/^(?:#!.*\n)?\/(?:\*\*|\/) ?/.test(readFileSync(file, 'utf8')))
  expect(silent).toEqual([])
  const long = files.filter((file) => {
    const text = readFileSync(file, 'utf8')
    return text.split('\n').length - 1 > 400 && !/\b400 lines\b/.test(text.slice(0, text.indexOf('*/')))
  })
  expect(long).toEqual([])
})

function sources(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts')).map((name) => posix.join(directory, name.replaceAll('\\', '/')))
}

/** The file it means, or the package's name as it is. */
function resolve(file: string, specifier: string): string {
  if (specifier.startsWith('.')) return posix.normalize(posix.join(posix.dirname(file), specifier)).replace(/\.js$/, '.ts')
  if (specifier === '#dial') return 'net/ws-browser.ts'
  if (specifier === '#sql-floor') return 'query/floor-later.ts'
  if (specifier === '#default-provider') return 'engine/crypto/default-browser.ts'
  return specifier === 'sealdb' ? 'index.ts' : specifier
}

function isOurs(target: string): boolean {
  return target === 'index.ts' || /^(?:engine|query|net|bench|test|examples)\//.test(target)
}

/** The innermost floor: they are listed from the inside out. */
function floorOf(file: string): string {
  return Object.keys(FLOORS).find((floor) => file.startsWith(floor)) ?? ''
}

function packageOf(specifier: string): string {
  return specifier.split('/').slice(0, specifier.startsWith('@') ? 2 : 1).join('/')
}

/** `noble 40 KB, engine 90 KB …`, largest first. */
function contentsOf({ outputs }: Metafile): string {
  const sizes = new Map<string, number>()
  for (const { inputs } of Object.values(outputs)) {
    for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
      const name = path.includes('node_modules/') ? packageOf(path.slice(path.lastIndexOf('node_modules/') + 13)) : path.split('/').slice(0, 2).join('/')
      sizes.set(name, (sizes.get(name) ?? 0) + bytesInOutput)
    }
  }
  return [...sizes].sort(([, a], [, b]) => b - a).map(([name, bytes]) => `${name} ${(bytes / 1024).toFixed(1)} KB`).join(', ')
}
