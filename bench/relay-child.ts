/** The relay of `relay.ts`, in a process of its own: `relay-child.ts DIRECTORY VERIFY`. Tells its port, and its CPU time whenever it is asked. */
import { fileRelayStore, startRelay } from '../net/server.js'

const [directory = '.', verify = 'full'] = process.argv.slice(2)
const relay = await startRelay({ store: fileRelayStore(directory), verify: verify === 'group' ? 'group' : 'full' })
process.send?.({ url: relay.url })
process.on('message', (message) => {
  if (message === 'cpu') process.send?.({ cpu: process.cpuUsage() })
  else void relay.close().then(() => process.disconnect())
})
