/** The program in this process, with streams that are remembered; and a relay for it. */
import { PassThrough, Readable } from 'node:stream'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { startRelay, type RunningRelay } from '../../net/server.js'
import { runCli } from '../../net/cli/app.js'

export interface Ran { readonly code: number; readonly out: string; readonly err: string }

export interface RunOptions {
  /** Piped to stdin. */
  readonly input?: string
  readonly stop?: AbortSignal
  /** Told of every write to stdout. */
  readonly onOut?: (all: string) => void
}

export async function run(argv: readonly string[], options: RunOptions = {}): Promise<Ran> {
  let out = ''
  let err = ''
  const code = await runCli(argv, {
    stdin: Readable.from(options.input === undefined ? [] : [options.input]),
    stdout: { write: (text: string) => {
      out += text
      options.onOut?.(out)
    } },
    stderr: { write: (text: string) => (err += text) },
    stop: options.stop ?? new AbortController().signal,
  })
  return { code, out, err }
}

export interface Terminal {
  readonly screen: () => string
  /** What a person types; a newline sends it. */
  type(text: string): void
  /** Resolves when the screen shows it, after what it showed of this before and after the last `type`. */
  shows(text: string): Promise<void>
  readonly ended: Promise<number>
}

/** The program at a terminal. */
export function runAtTerminal(argv: readonly string[]): Terminal {
  const stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => undefined })
  let screen = ''
  let from = 0
  const waiting = new Set<() => void>()
  const write = (text: string): boolean => {
    screen += text
    for (const look of [...waiting]) look()
    return true
  }
  const stdout = Object.assign(new PassThrough(), { isTTY: true, columns: 200, rows: 50 })
  stdout.on('data', (chunk: Buffer) => void write(chunk.toString()))
  const ended = runCli(argv, { stdin, stdout, stderr: { write, isTTY: true }, stop: new AbortController().signal })
  return {
    screen: () => screen,
    type: (text) => {
      from = screen.length
      stdin.write(text)
    },
    shows: (text) => new Promise((resolve, reject) => {
      const hung = setTimeout(() => reject(new Error(`Never shown: ${text}\nThe screen: ${screen}`)), 20_000)
      const look = (): void => {
        const at = screen.indexOf(text, from)
        if (at < 0) return
        from = at + text.length
        waiting.delete(look)
        clearTimeout(hung)
        resolve()
      }
      waiting.add(look)
      look()
    }),
    ended,
  }
}

const directories: string[] = []
const relays: RunningRelay[] = []
afterAll(async () => {
  for (const relay of relays) await relay.close()
  for (const directory of directories) rmSync(directory, { recursive: true, force: true })
})

export function temporary(): string {
  const directory = mkdtempSync(join(tmpdir(), 'sealdb-cli-'))
  directories.push(directory)
  return directory
}

export async function relayUrl(): Promise<string> {
  const relay = await startRelay()
  relays.push(relay)
  return relay.url
}
