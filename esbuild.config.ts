/**
 * The build: Node and browser bundles of every entry point, the command line, and type declarations. `npm run build`.
 * Dependencies stay outside the bundles; what is inside is only this repository's code.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { build, type BuildOptions } from 'esbuild'
import { browserEntries, nodeEntries } from './build.entries.js'

rmSync('dist', { recursive: true, force: true })

const common: BuildOptions = { bundle: true, format: 'esm', splitting: true, target: 'es2022', packages: 'external', sourcemap: true, logLevel: 'warning', chunkNames: 'chunks/[name]-[hash]' }
const present = (entries: Readonly<Record<string, string>>): Record<string, string> => Object.fromEntries(Object.entries(entries).filter(([, path]) => existsSync(path)))

await build({ ...common, entryPoints: present(nodeEntries), outdir: 'dist/node', platform: 'node', conditions: ['node'], external: ['sealdb', 'sealdb/*'] })
await build({ ...common, entryPoints: present(browserEntries), outdir: 'dist/browser', platform: 'browser', conditions: ['browser'] })
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], { stdio: 'inherit' })
