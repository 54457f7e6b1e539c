/**
 * The relay of `relay.ts`, in a process of its own: `relay-child.ts DIRECTORY VERIFY`. Tells its port, and, whenever it is asked, the microseconds of CPU that it has used: all its threads, and, where the
 * system tells (Linux), the one that judges.
 */
import { readFileSync } from 'node:fs'
import { fileRelayStore, startRelay } from '../net/server.js'

const [directory = '.', verify = 'full'] = process.argv.slice(2)
const relay = await startRelay({ store: fileRelayStore(directory), verify: verify === 'group' ? 'group' : 'full' })
process.send?.({ url: relay.url })
process.on('message', (message) => {
  if (message === 'cpu') process.send?.({ all: allThreads(), main: mainThread() })
  else void relay.close().then(() => process.disconnect())
})

function allThreads(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

/** Time as a user and in the system are the 14th and 15th of the fields, in hundredths of a second; the second is a name in brackets. The main thread has the process's number. */
function mainThread(): number | undefined {
  try {
    const fields = readFileSync(`/proc/self/task/${process.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
    return (Number(fields[11]) + Number(fields[12])) * 10_000
  } catch {
    return undefined
  }
}
