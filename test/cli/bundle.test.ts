/** The program as it is published: bundled, in a process of its own. */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bundleOptions, nodeEntries } from '../../build.entries.js'
import { temporary } from './support.js'

// Inside the repository, where the packages are found that stay outside of the bundle.
const outdir = join(import.meta.dirname, '..', '..', '.tmp', `bundle-${process.pid}`)
const cli = join(outdir, 'cli.js')
beforeAll(async () => {
  mkdirSync(outdir, { recursive: true })
  await build({ ...bundleOptions('node', nodeEntries), outdir })
})
afterAll(() => rmSync(outdir, { recursive: true, force: true }))

interface Process { readonly child: ChildProcess; readonly out: () => string; readonly ended: Promise<{ readonly code: number | null; readonly out: string; readonly err: string }> }

function start(argv: readonly string[], onOut: (all: string) => void = () => undefined): Process {
  const child = spawn(process.execPath, [cli, ...argv], { stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk: Buffer) => onOut((out += chunk.toString())))
  child.stderr.on('data', (chunk: Buffer) => { err += chunk.toString() })
  return { child, out: () => out, ended: new Promise((resolve) => { child.on('close', (code) => resolve({ code, out, err })) }) }
}

test('it runs, finds SQLite, and its exit codes are told to the shell', async () => {
  expect(await start(['--version']).ended).toMatchObject({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as string, err: '' })
  expect(await start(['nosuch']).ended).toMatchObject({ code: 2, out: '' })
  const store = join(temporary(), 's')
  expect(await start(['create', '--store', store]).ended).toMatchObject({ code: 0, err: '' })
  expect(await start(['sql', '--store', store, 'CREATE TABLE a (x); INSERT INTO a VALUES (42); SELECT x FROM a']).ended).toMatchObject({ code: 0, out: '1 row changed\n x\n──\n42\n', err: '' })
  expect(await start(['sql', '--store', store, 'SELECT nope']).ended).toMatchObject({ code: 3, out: '' })
})

test.each(['SIGTERM', 'SIGINT'] as const)('a relay that gets %s ends in order', async (signal) => {
  let listening: () => void = () => undefined
  const ready = new Promise<void>((resolve) => { listening = resolve })
  const relay = start(['relay', '--data', join(temporary(), 'r'), '--port', '0'], (out) => { if (out.includes('Key ')) listening() })
  await Promise.race([ready, relay.ended])
  expect(relay.out()).toMatch(/^Relay at ws:\/\/127\.0\.0\.1:\d+\nKey ([0-9a-f]{4} ?){8}\n$/)
  relay.child.kill(signal)
  expect(await relay.ended).toMatchObject({ code: 0, err: '' })
})

test('Ctrl-C ends a query that does not end by itself; the store is fine', async () => {
  const store = join(temporary(), 's')
  await start(['create', '--store', store]).ended
  let began: () => void = () => undefined
  const running = new Promise<void>((resolve) => { began = resolve })
  const endless = start(['sql', '--store', store, "CREATE TABLE a (x); INSERT INTO a VALUES (42); SELECT 'begun'; WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c"], (out) => { if (out.includes('begun')) began() })
  await Promise.race([running, endless.ended])
  endless.child.kill('SIGINT')
  expect(await endless.ended).toMatchObject({ code: null, err: '' })
  expect(endless.child.signalCode).toBe('SIGINT')
  expect(await start(['sql', '--store', store, '--format', 'json', 'SELECT x FROM a']).ended).toMatchObject({ code: 0, out: '[{"x":42}]\n' })
})
