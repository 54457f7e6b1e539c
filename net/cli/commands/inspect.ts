/** `sealdb inspect`: the space in a browser on this machine. */
import { once } from 'node:events'
import { text, wholeNumber, type Command } from '../command.js'
import { startInspector } from '../inspect/server.js'
import { STORE, withSpace } from '../spaces.js'

export const inspect: Command = {
  name: 'inspect',
  args: '',
  summary: 'look at the space in a browser on this machine',
  details: `Tables, rows with their authors and versions, the log, people, queries; nothing can be changed. It listens on 127.0.0.1 only, and the
address it prints is a secret: who has it reads the space while this runs. Ctrl-C ends it.`,
  options: { ...STORE, port: { type: 'string', short: 'p', value: 'N', help: 'port (default: any that is free)' } },
  run: (invocation) => withSpace(invocation, async (space) => {
    const { output, around: { stop } } = invocation
    const inspector = await startInspector(space, { port: wholeNumber(text(invocation, 'port') ?? '0', '--port', { max: 65_535 }) })
    try {
      output.object({ inspector: inspector.url })
      if (!stop.aborted) await once(stop, 'abort')
    } finally {
      await inspector.close()
    }
    return 0
  }),
}
