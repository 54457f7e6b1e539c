/** Test programs that run as processes of their own: bundled once, so that each starts in 50 ms. What they say: child-lines.ts. */
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'

/** The program beside `from` (an `import.meta.url`) as one file, in a new directory: remove that in the end. */
export async function bundleChild(name: string, from: string): Promise<{ readonly place: string; readonly script: string }> {
  const place = await mkdtemp(join(tmpdir(), 'sealdb-child-'))
  const script = join(place, 'child.mjs')
  const alias = { '#default-provider': fileURLToPath(new URL('../engine/crypto/default-node.ts', import.meta.url)) }
  const banner = { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" }
  const entry = fileURLToPath(new URL(name, from))
  buildSync({ entryPoints: [entry], bundle: true, platform: 'node', format: 'esm', outfile: script, logLevel: 'error', alias, banner, external: ['libsodium-wrappers-sumo'] })
  return { place, script }
}
