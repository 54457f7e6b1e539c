/**
 * What the package is built from: its entry points, one line each, and how esbuild bundles them. The build, the exports of package.json and the
 * architecture test read this.
 */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, relative, resolve } from 'node:path'
import type { BuildOptions, Plugin } from 'esbuild'

export type Entries = Readonly<Record<string, string>>

export const browserEntries: Entries = {
  index: 'index.ts',
  verify: 'engine/verify.ts',
  'store/memory': 'engine/store/memory.ts',
  'store/indexeddb': 'engine/store/indexeddb.ts',
  kysely: 'query/kysely.ts',
  drizzle: 'query/drizzle.ts',
}
export const nodeEntries: Entries = {
  index: 'index.ts',
  relay: 'net/server.ts',
  cli: 'net/cli/main.ts',
  'verify-worker': 'net/relay/verify-worker.ts',
  inspect: 'net/cli/inspect/server.ts',
  verify: 'engine/verify.ts',
  'store/memory': 'engine/store/memory.ts',
  'store/file': 'engine/store/file/file.ts',
  'store/indexeddb': 'engine/store/indexeddb.ts',
  kysely: 'query/kysely.ts',
  drizzle: 'query/drizzle.ts',
}

export const present = (entries: Entries): Record<string, string> => Object.fromEntries(Object.entries(entries).filter(([, path]) => existsSync(path)))

/**
 * One bundle of all entries of a platform, split into chunks that they share: there is one `SealError` class, whichever entry it comes through.
 * Dependencies stay outside; what is inside is only this repository's code. `sealdb`, by which the command line imports the package, is here.
 */
export function bundleOptions(platform: 'node' | 'browser', entries: Entries): BuildOptions {
  return {
    entryPoints: present(entries),
    platform,
    conditions: [platform],
    bundle: true,
    format: 'esm',
    splitting: true,
    target: 'es2022',
    packages: 'external',
    alias: { sealdb: './index.ts' },
    sourcemap: true,
    logLevel: 'warning',
    entryNames: '[dir]/[name]',
    chunkNames: 'chunks/[name]-[hash]',
    ...(platform === 'browser' && { plugins: [wholeChunks], logOverride: { 'ignored-bare-import': 'silent' } }),
  }
}

/**
 * What browsers get, in two bundles. The verifier shares no chunk with the rest: an application's bundler takes modules that nobody uses out of it, but not parts of a
 * chunk that are used by somebody else. One thing they do share, so that there is one class of errors: `errors.js`.
 */
export function browserBundles(): readonly BuildOptions[] {
  const { verify, ...rest } = browserEntries
  return [
    bundleOptions('browser', { ...rest, errors: ERRORS }),
    { ...bundleOptions('browser', { verify: verify as string }), splitting: false, plugins: [{
      name: 'errors-beside',
      setup: ({ onResolve }) => onResolve({ filter: /\/errors\.js$/ }, ({ path, resolveDir }) => (resolve(resolveDir, path) === resolve('engine/errors.js') ? { path: './errors.js', external: true } : undefined)),
    }] },
  ]
}
const ERRORS = 'engine/errors.ts'

/**
 * esbuild makes a chunk of each set of modules that the same entries reach, and what is loaded later (`import()`) is an entry, too: fourteen of those cut what a page
 * begins with into thirty pieces, which compress worse, by an eighth, and are asked for one by one. So each is said to reach what is there when it is called for:
 * all that the package begins with and, from query/, what runs SQL. Then that stays in one piece.
 */
const wholeChunks: Plugin = {
  name: 'whole-chunks',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^\./ }, ({ kind, path, resolveDir, importer }) => {
      if (kind !== 'dynamic-import') return undefined
      const target = resolve(resolveDir, path.replace(/\.js$/, '.ts'))
      const isOfFloor = relative('query', importer) !== 'floor-later.ts' && !relative('query', importer).startsWith('..')
      return { path: target, namespace: 'later', pluginData: [...importsOf('index.ts'), ...(isOfFloor ? [resolve('query/floor.ts')] : [])] }
    })
    onLoad({ filter: /./, namespace: 'later' }, ({ path, pluginData }) => ({
      contents: [`export * from ${JSON.stringify(path)}`, ...(pluginData as string[]).map((there) => `import ${JSON.stringify(there)}`)].join('\n'), resolveDir: dirname(path), loader: 'ts',
    }))
  },
}

function importsOf(path: string): string[] {
  return [...readFileSync(path, 'utf8').matchAll(/^(?:import|export) (?!type\b)[^']* from '(\.[^']+)\.js'/gm)].map(([, target]) => resolve(dirname(path), `${target}.ts`))
}
