/**
 * What the package is built from: its entry points, one line each, and how esbuild bundles them. The build, the exports of package.json and the
 * architecture test read this.
 */
import { existsSync } from 'node:fs'
import type { BuildOptions } from 'esbuild'

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
  }
}
