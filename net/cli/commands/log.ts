/** `sealdb log`: the history, entry by entry. */
import { text, wholeNumber, type Command } from '../command.js'
import { readLog } from '../history.js'
import { STORE, withSpace } from '../spaces.js'

export const log: Command = {
  name: 'log',
  args: '',
  summary: 'list the latest entries of the history',
  details: 'Authors are proved by signatures. Times (UTC) are what the author’s clock said, and prove nothing.',
  options: {
    ...STORE,
    count: { type: 'string', short: 'c', value: 'N', help: 'how many (default 20)' },
    hashes: { type: 'boolean', help: 'with the whole hash of each' },
  },
  run: (invocation) => withSpace(invocation, async (space) => {
    const { output } = invocation
    const progress = output.progress('reading')
    const count = wholeNumber(text(invocation, 'count') ?? '20', '--count')
    const lines = await readLog(space, count, (done, of) => progress.update(done, of))
    progress.done()
    const first = lines[0]?.index ?? space.head.size
    if (lines.length < count && first > 0) output.error(output.style('yellow', `History starts at entry ${first} here: this device joined from a snapshot.`))
    output.table(lines.map(({ hash, ...line }) => ({ ...line, hash: output.json || invocation.options.hashes === true ? hash : hash.slice(0, 12) })))
    return 0
  }),
}
