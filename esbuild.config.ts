/** The build: Node and browser bundles of every entry point, the command line, and type declarations. `npm run build`. */
import { execFileSync } from 'node:child_process'
import { chmodSync, rmSync } from 'node:fs'
import { build } from 'esbuild'
import { browserBundles, bundleOptions, nodeEntries } from './build.entries.js'

rmSync('dist', { recursive: true, force: true })
await build({ ...bundleOptions('node', nodeEntries), outdir: 'dist/node' })
for (const options of browserBundles()) await build({ ...options, outdir: 'dist/browser' })
chmodSync('dist/node/cli.js', 0o755)
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], { stdio: 'inherit' })
