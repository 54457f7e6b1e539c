/** Files in processes of their own: kill −9 while they are put and deleted; memory that does not grow with a file's length. */
import { spawn } from 'node:child_process'
import { mkdirSync, readdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { SealError } from '../../engine/errors.js'
import { audit } from '../../engine/space/audit.js'
import { openSpace } from '../../engine/space/open.js'
import { openFiles } from '../../engine/space/open-files.js'
import { fileStore } from '../../engine/store/file/file.js'
import { bundleChild } from '../child-bundle.js'
import { crypto, optionsOf } from '../space/rim-support.js'
import { sampleBytes } from './samples.js'
import { poll } from './support.js'

const KILLS = Number(process.env['SEALDB_KILLS'] ?? 8)
let killed = { place: '', script: '' }
beforeAll(async () => {
  killed = await bundleChild('./kill-child.ts', import.meta.url)
})
afterAll(async () => {
  await rm(killed.place, { recursive: true })
})

async function run(script: string, args: readonly string[], onOut?: (kill: () => void) => void, flags: readonly string[] = []): Promise<readonly (readonly string[])[]> {
  const child = spawn(process.execPath, [...flags, script, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  let errors = ''
  child.stdout.setEncoding('latin1').on('data', (text: string) => {
    out += text
    onOut?.(() => child.kill('SIGKILL'))
  })
  child.stderr.setEncoding('latin1').on('data', (text: string) => (errors += text))
  await new Promise((resolve) => child.once('close', resolve))
  expect(errors).toBe('')
  return out.split('\n').slice(0, -1).map((line) => line.split(' '))
}

it(`kill −9 while files are put and deleted, ${KILLS} times: what was acknowledged is there whole, what was deleted is gone, and nothing else is kept`, { timeout: 60_000 + KILLS * 4_000 }, async () => {
  const path = join(killed.place, 'space')
  const there = new Map<string, { readonly seed: number; readonly length: number }>()
  const maybe = new Set<string>()
  for (let life = 1; life <= KILLS; life++) {
    let timer: NodeJS.Timeout | undefined
    const lines = await run(killed.script, [path, String(life)], (kill) => { timer ??= setTimeout(kill, 5 + ((life * 37) % 90)) })
    for (const [what, a = '', length = '', id = ''] of lines) {
      if (what === 'put') there.set(id, { seed: Number(a), length: Number(length) })
      if (what === 'going') maybe.add(a)
      if (what === 'gone') there.delete(a)
    }
    const store = await fileStore(path).open()
    const space = await openSpace(store, optionsOf(`inspect ${life}`))
    const { files, entries } = openFiles(space, { random: (n) => new Uint8Array(n), onLanded: () => undefined, carried: () => Promise.resolve(), holds: () => Promise.resolve(() => false), source: () => Promise.reject(new SealError('unavailable', 'Nobody else has it.')) })
    entries.afterChange()
    await entries.settled()
    await poll(() => store.names('secret/file/').length).toBe(0)
    const listed = await files.list()
    expect(listed.every(({ local }) => local)).toBe(true)
    for (const { id, name, length } of listed) {
      const content = await (await files.get(id)).bytes()
      expect(Buffer.compare(content, sampleBytes(length, Number(name)))).toBe(0)
      if (!there.has(id)) there.set(id, { seed: Number(name), length }) // acknowledged to nobody, and there all the same
    }
    const ids = new Set(listed.map(({ id }) => id))
    for (const id of [...there.keys()]) {
      expect([id, ids.has(id) || maybe.has(id)]).toEqual([id, true])
      if (!ids.has(id)) there.delete(id)
    }
    await poll(async () => (await store.chunks.groups()).size).toBe(listed.length)
    if (life === KILLS) expect((await audit(store, crypto)).problems).toEqual([])
    await entries.close()
    await space.close()
    expect(readdirSync(join(path, 'files')).filter((name) => name.endsWith('.tmp'))).toEqual([])
  }
  expect(there.size).toBeGreaterThan(0)
})

it('50 MB from Ada over a relay to Bob, all on disk: live memory grows by a few windows of chunks, not by the file', { timeout: 120_000 }, async () => {
  const place = join(killed.place, 'spaces')
  mkdirSync(place)
  const lines = await run(fileURLToPath(new URL('./large-child.ts', import.meta.url)), [place], undefined, ['--expose-gc', '--import', 'tsx'])
  const said = new Map(lines.map(([what = '', ...rest]) => [what, rest.join(' ')]))
  expect(said.get('same')).toBe('true')
  // 7 to 20; arrays outside its heap V8 frees on a thread of its own, which comes late on a busy machine.
  expect(Number(said.get('grew'))).toBeLessThan(32)
  if (process.env['SEALDB_MEGABYTES'] !== undefined) console.log(lines.map((line) => line.join(' ')).join('\n'))
})
