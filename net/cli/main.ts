#!/usr/bin/env node
/** The `sealdb` program: signals, streams, exit code. What it does is in `app.ts` and `commands/`. */
import { runCli } from './app.js'

const stop = new AbortController()
let listening = false
function listen(): void {
  if (listening) return
  listening = true
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    // Once to end in order; whoever asks twice wants it now.
    process.once(signal, () => {
      process.once(signal, () => process.exit(130))
      stop.abort(signal)
    })
  }
}
const around = {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  // For what runs until it is told to end, or has something to undo. The rest ends at once, in the middle of a query, too, which no handler could interrupt: a store takes that at any time.
  get stop() {
    listen()
    return stop.signal
  },
}
// `sealdb … | head`: a reader that has seen enough is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(0)
})
process.exitCode = await runCli(process.argv.slice(2), around)
// A connection that is slow to end must not keep the program; what is written must be out first.
process.stdout.write('', () => void setTimeout(() => process.exit(), 1_000).unref())
