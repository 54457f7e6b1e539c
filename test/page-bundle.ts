/**
 * A page as an application's bundler makes it: of the package as `npm run build` makes it for browsers, with dependencies, minified, in chunks. What tests weigh, and
 * what a browser is given. Nothing is written.
 */
import { posix } from 'node:path'
import { build, type Metafile, type Plugin } from 'esbuild'
import { browserBundles } from '../build.entries.js'

type Files = ReadonlyMap<string, Uint8Array>

export interface PageBundle {
  /** By name; the page's own script is `page.js`. */
  readonly files: Files
  readonly metafile: Metafile
}

const PACKAGE = 'dist/browser'
let built: Promise<Files> | undefined

/** `script`: TypeScript that imports `sealdb`, and lies in `directory`. `splitting`: false for all in one file. */
export async function bundlePage(script: string, splitting = true, directory = '.'): Promise<PageBundle> {
  built ??= buildPackage()
  const { outputFiles, metafile } = await build({
    stdin: { contents: script, resolveDir: posix.resolve(directory), sourcefile: 'page.ts', loader: 'ts' }, plugins: [packageAt(await built)], external: ['libsodium-wrappers-sumo'],
    bundle: true, minify: true, splitting, format: 'esm', target: 'es2022', platform: 'browser', conditions: ['browser'], outdir: 'page', entryNames: 'page', write: false, metafile: true, logLevel: 'silent',
  })
  return { files: byName(outputFiles, 'page'), metafile }
}

async function buildPackage(): Promise<Files> {
  const results = await Promise.all(browserBundles().map((options) => build({ ...options, outdir: PACKAGE, write: false, sourcemap: false })))
  return byName(results.flatMap(({ outputFiles }) => outputFiles ?? []), '')
}

function packageAt(files: Files): Plugin {
  return {
    name: 'package',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^(?:\.|sealdb(?:\/|$))/ }, ({ path, importer }) => {
        const name = path === 'sealdb' ? `${PACKAGE}/index.js` : path.startsWith('sealdb/') ? `${PACKAGE}/${path.slice(7)}.js` : posix.join(posix.dirname(importer), path)
        return files.has(name) ? { path: name, namespace: 'package', sideEffects: false } : undefined
      })
      onLoad({ filter: /./, namespace: 'package' }, ({ path }) => ({ contents: files.get(path) as Uint8Array, resolveDir: process.cwd() }))
    },
  }
}

function byName(outputs: readonly { readonly path: string; readonly contents: Uint8Array }[], below: string): Files {
  return new Map(outputs.map(({ path, contents }) => [posix.relative(posix.resolve(below), path), contents]))
}
