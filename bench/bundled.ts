/**
 * Runs a bench as users run SealDB: bundled as `npm run build` bundles it, in Node alone. (tsx gives every function its name when it is made, which
 * took a fifth of a short statement.) The bundle stays in bench/out, for `node --cpu-prof`.
 */
import { spawnSync } from 'node:child_process'
import { basename, join } from 'node:path'
import { build } from 'esbuild'
import { bundleOptions } from '../build.entries.js'
import { OUT } from './report.js'

/** What benches start as processes and threads of their own. */
const BESIDE = { 'relay-child': 'bench/relay-child.ts', 'memory-child': 'bench/memory-child.ts', 'verify-worker': 'net/relay/verify-worker.ts' }
const [entry = 'bench/journeys.ts', ...options] = process.argv.slice(2)
const name = basename(entry, '.ts')
await build({ ...bundleOptions('node', { [name]: entry, ...BESIDE }), outdir: OUT, outExtension: { '.js': '.mjs' } })
process.exitCode = spawnSync(process.execPath, [join(OUT, `${name}.mjs`), ...options], { stdio: 'inherit' }).status ?? 1
